import LSTMCheckpoints

/// A model prepared to run many times: its weights, packed copies of them and all buffers, reused from call to call.
///
/// Not thread-safe. `forward` keeps the activations that `backward` needs; `backward` may be called once after each
/// `forward`.
public final class Network {
  /// The network's description.
  public let configuration: ModelConfiguration
  /// The weights. Call ``weightsChanged(_:)`` after changing them.
  public let weights: ParameterStore

  /// The instruction set and threads that it uses.
  public let kernels: Kernels
  let embedding: Int?
  /// The gradient of the embedding's padding row before a backward pass.
  let paddingGradient = FloatBuffer()
  let directions: [[LSTMDirection]]
  let readout: ReadoutLayer
  let head: [DenseLayer]

  /// Widths of h and c for each layer and direction.
  let stateSizes: [(hidden: Int, cell: Int)]
  /// For each layer and direction, its parameters.
  private let directionParameters: [[[Int]]]

  // Kept by the forward pass for backward.
  var shape = PackedShape()
  /// Whether the last pass completed.
  var isComplete = false
  var paddedSteps = 0
  /// The lowest layer whose activations the pass kept: no gradient flows through layers below it.
  var firstKept = 0
  /// The token of each packed row.
  let tokens = AlignedBuffer<Int32>()
  let input = FloatBuffer()
  let layerOutputs: [FloatBuffer]
  let concatenation = FloatBuffer()
  let headInput = FloatBuffer()
  /// The readout after its activation.
  let activatedReadout = FloatBuffer()
  /// Whether the last pass started from h = 0, whose product is skipped.
  var startsFromZero = true
  let initialHidden: [FloatBuffer]
  let initialCell: [FloatBuffer]
  var readoutOutput: UnsafeMutablePointer<Float>
  var headOutput: UnsafeMutablePointer<Float>
  let normalized = FloatBuffer()
  let norms = FloatBuffer()
  let regularized: RegularizedPass

  // Backward only.
  let outputGradient = FloatBuffer()
  let headGradients = [FloatBuffer(), FloatBuffer()]
  let stackGradient = FloatBuffer()
  let layerGradients: [FloatBuffer]
  let finalHiddenGradient = FloatBuffer()
  let finalCellGradient = FloatBuffer()

  /// A network that shares the weights, without a copy.
  init(_ configuration: ModelConfiguration, weights: ParameterStore, kernels: Kernels) {
    self.configuration = configuration
    self.weights = weights
    self.kernels = kernels
    embedding = weights.index(of: "embedding.weight")
    directions = configuration.layers.indices.map { layer in
      (0..<configuration.layers[layer].directions).compactMap { direction in
        LSTMDirection(configuration, layer: layer, reverse: direction == 1, weights: weights, kernels: kernels)
      }
    }
    directionParameters = directions.map { $0.map(\.parameters.all) }
    stateSizes = configuration.stateSizes
    initialHidden = stateSizes.map { _ in FloatBuffer() }
    initialCell = stateSizes.map { _ in FloatBuffer() }
    layerOutputs = configuration.layers.map { _ in FloatBuffer() }
    layerGradients = configuration.layers.map { _ in FloatBuffer() } + [FloatBuffer()]
    regularized = RegularizedPass(layers: configuration.layers.count)
    readout = ReadoutLayer(
      configuration.readout ?? .all, size: configuration.readoutSize,
      reversedColumns: Self.reversedColumns(configuration), weights: weights, kernels: kernels)
    var width = configuration.readoutSize
    var head: [DenseLayer] = []
    for (index, dense) in configuration.head.enumerated() {
      if let layer = DenseLayer(dense, index: index, inputSize: width, weights: weights, kernels: kernels) {
        head.append(layer)
      }
      width = dense.size
    }
    self.head = head
    readoutOutput = input.pointer
    headOutput = input.pointer
    precondition(directions.allSatisfy { !$0.isEmpty } && head.count == configuration.head.count)
  }

  /// Must be called after the weights have changed, so that they are packed again.
  /// - Parameter changed: for each parameter whether it may have changed; nil for all.
  public func weightsChanged(_ changed: [Bool]? = nil) {
    for (layer, members) in directionParameters.enumerated() {
      for (place, parameters) in members.enumerated() where parameters.contains(where: { changed?[$0] ?? true }) {
        directions[layer][place].weightsChanged()
      }
    }
    if let embedding, changed?[embedding] ?? true {
      for direction in directions[0] { direction.embeddingChanged() }
    }
    for dense in head where changed?[dense.weight] ?? true { dense.weightsChanged() }
  }

  /// The tokens and the embedding, for layer 0.
  var tokenInput: LSTMDirection.Tokens? {
    guard case .tokens(let vocabulary, _) = configuration.input, let embedding else { return nil }
    return .init(
      numbers: UnsafePointer(tokens.pointer), vocabulary: vocabulary,
      embedding: UnsafePointer(weights.pointer(embedding)))
  }

  private static func reversedColumns(_ configuration: ModelConfiguration) -> [Range<Int>] {
    var list: [Range<Int>] = []
    var start = configuration.skip ? configuration.input.size : 0
    for (index, layer) in configuration.layers.enumerated() {
      guard configuration.skip || index == configuration.layers.count - 1 else { continue }
      if layer.isBidirectional { list.append(start + layer.stateSize..<start + 2 * layer.stateSize) }
      start += layer.outputSize
    }
    return list
  }

  // MARK: - Forward

  /// The form of the output: whether the last head layer's activation is applied.
  public enum OutputForm: Sendable {
    /// The model's output.
    case activated
    /// Without the last layer's softmax or sigmoid, for a loss that includes it.
    case logits
  }

  /// Runs the model.
  /// - Parameters:
  ///   - batch: N sequences of up to T steps.
  ///   - state: the initial h and c; zero if nil.
  ///   - form: activated, or logits for a loss that includes the last activation.
  ///   - forBackward: false if `backward` will not be called: activations are then kept for one step instead of all.
  ///   - draw: regularization of the whole model, with its random numbers; nil for none.
  /// - Returns: the output, (N, T, O) if the readout is all steps (zero at padded steps) and (N, O) otherwise.
  /// - Throws: `ShapeError` when the batch or the state does not fit the model.
  public func forward(
    _ batch: SequenceBatch, state: LSTMState? = nil, output form: OutputForm = .activated, forBackward: Bool = true,
    regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> Tensor {
    let computing = Computing()
    defer { computing.end() }
    let output = try batch.withRows { source throws(ShapeError) in
      begin(source)
      try loadState(state)
      try beginRegularization(draw, .init(configuration, entry: .input, reachesStack: true))
      return try pass(source, from: .input, form, keepingFrom: forBackward ? 0 : .max)
    }
    paddedSteps = batch.steps
    return unpack(output)
  }

  /// The final h and c of the last forward pass; empty before the first.
  public func finalState() -> LSTMState {
    var state = LSTMState(hidden: [], cell: [])
    guard isComplete else { return state }
    for (index, layer) in directions.enumerated() {
      let outputSize = configuration.layers[index].outputSize
      for (place, direction) in layer.enumerated() {
        var hidden = Tensor(zeros: [shape.count, direction.stateSize])
        var cell = Tensor(zeros: [shape.count, direction.hiddenSize])
        for b in 0..<shape.count {
          let row = direction.finalRow(b, shape)
          let (s, h) = (direction.stateSize, direction.hiddenSize)
          let output = layerOutputs[index].pointer + row * outputSize + place * s
          for j in 0..<s { hidden.values[shape.order[b] * s + j] = output[j] }
          let last = direction.finalCell(b, shape)
          for j in 0..<h { cell.values[shape.order[b] * h + j] = last[j] }
        }
        state.hidden.append(hidden)
        state.cell.append(cell)
      }
    }
    return state
  }

  func stackOutput(_ shape: PackedShape) -> UnsafeMutablePointer<Float> {
    guard configuration.skip else { return rowsRead(at: configuration.layers.count) }
    let width = configuration.readoutSize
    concatenation.reserve(shape.rows * width)
    var place = 0
    forEachPart(of: .layer(configuration.layers.count)) { _, size, column in
      let part = rowsRead(at: place)
      for row in 0..<shape.rows {
        (concatenation.pointer + row * width + column).update(from: part + row * size, count: size)
      }
      place += 1
    }
    return concatenation.pointer
  }

  private func loadState(_ state: LSTMState?) throws(ShapeError) {
    startsFromZero = state == nil
    let sizes = stateSizes
    if let state, state.hidden.count != sizes.count || state.cell.count != sizes.count {
      throw ShapeError(
        what: "initial state", expected: "\(sizes.count) (one per layer and direction)", found: "\(state.hidden.count)")
    }
    for (index, size) in sizes.enumerated() {
      for (buffer, tensor, width, name) in [
        (initialHidden[index], state?.hidden[index], size.hidden, "h"),
        (initialCell[index], state?.cell[index], size.cell, "c"),
      ] {
        guard let tensor else {
          buffer.zero(shape.count * width)
          continue
        }
        guard tensor.shape == [shape.count, width] else {
          throw ShapeError(
            what: "initial \(name) of state \(index)", expected: "\([shape.count, width])", found: "\(tensor.shape)")
        }
        buffer.reserve(shape.count * width)
        for b in 0..<shape.count {
          for j in 0..<width { buffer.pointer[b * width + j] = tensor.values[shape.order[b] * width + j] }
        }
      }
    }
  }

  /// Packed rows in the caller's order: (N, T, O) with zero at padded steps, or (N, O) if the readout is not all steps.
  private func unpack(_ output: Output) -> Tensor {
    let size = output.width
    let isPerStep = readout.kind == .all
    let grid = isPerStep ? [shape.count, paddedSteps, size] : [shape.count, size]
    guard !grid.contains(0) else { return Tensor(shape: grid, values: []) }
    let values = [Float](unsafeUninitializedCapacity: grid.reduce(1, *)) { out, used in
      used = out.count
      guard let base = out.baseAddress else { return }
      if isPerStep, shape.rows < shape.count * paddedSteps { base.update(repeating: 0, count: used) }
      forEachRow(at: .head(head.count), size: size) { row, sequence, step in
        let place = isPerStep ? sequence * paddedSteps + step : sequence
        (base + place * size).update(from: output.rows + row * size, count: size)
      }
    }
    return Tensor(shape: grid, values: values)
  }
}
