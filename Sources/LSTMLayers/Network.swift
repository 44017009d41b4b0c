import LSTMCheckpoints

/// A model set up to run: its weights, the packed forms of them and every buffer, reused from call to call.
///
/// One thread at a time. `forward` keeps what `backward` needs; `backward` may be called once after each `forward`.
public final class Network {
  public let configuration: ModelConfiguration
  /// The weights. Whoever changes them calls `weightsChanged()`.
  public let weights: ParameterStore

  let kernels: Kernels
  let embedding: Int?
  let directions: [[LSTMDirection]]
  let readout: ReadoutLayer
  let head: [DenseLayer]

  // What the last forward pass left for backward.
  var shape: PackedShape?
  var order: [Int] { shape?.order ?? [] }
  var paddedSteps = 0
  var tokens: [Int32] = []
  let input = FloatBuffer()
  let layerOutputs: [FloatBuffer]
  let concatenation = FloatBuffer()
  var startsFromZero = true
  var initialHidden: [FloatBuffer] = []
  var initialCell: [FloatBuffer] = []
  var readoutOutput: UnsafeMutablePointer<Float>
  var headOutput: UnsafeMutablePointer<Float>
  let normalised = FloatBuffer()
  let norms = FloatBuffer()

  // Backward only.
  let outputGradient = FloatBuffer()
  let headGradients = [FloatBuffer(), FloatBuffer()]
  let stackGradient = FloatBuffer()
  let layerGradients: [FloatBuffer]
  let finalHiddenGradient = FloatBuffer()
  let finalCellGradient = FloatBuffer()

  /// - Parameter kernels: the instruction-set path to run on.
  /// The network starts with a copy of the model's weights.
  public convenience init(_ model: LSTMModel, kernels: Kernels = .best) {
    self.init(model.configuration, weights: model.parameters.copy(), kernels: kernels)
  }

  /// A network on these very weights, without a copy.
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
    layerOutputs = configuration.layers.map { _ in FloatBuffer() }
    layerGradients = configuration.layers.map { _ in FloatBuffer() } + [FloatBuffer()]
    readout = ReadoutLayer(
      configuration.readout ?? .all, size: configuration.readoutSize,
      reversedColumns: Self.reversedColumns(configuration), weights: weights)
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

  /// To be called after the weights have changed.
  /// - Parameter changed: for each parameter whether it may have; nil for all. What has not is not packed anew.
  public func weightsChanged(_ changed: [Bool]? = nil) {
    for direction in directions.joined() where direction.parameters.all.contains(where: { changed?[$0] ?? true }) {
      direction.weightsChanged()
    }
    for dense in head where changed?[dense.weight] ?? true { dense.weightsChanged() }
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

  /// What the last head layer's activation does to the output.
  public enum OutputForm: Sendable {
    /// What the source model returns.
    case activated
    /// Without the last layer's softmax or sigmoid, for a loss that has it in it.
    case logits
  }

  /// Runs the model.
  /// - Parameters:
  ///   - batch: N sequences of up to T steps.
  ///   - state: the initial h and c; zero when nil.
  /// - Returns: the output, (N, T, O) when the readout is all steps (zero at padded steps) and (N, O) otherwise.
  /// - Throws: `ShapeError` when the batch or the state does not fit the model.
  public func forward(
    _ batch: SequenceBatch, state: LSTMState? = nil, output form: OutputForm = .activated
  ) throws(ShapeError) -> Tensor {
    let shape = PackedShape(count: batch.count, steps: batch.steps, lengths: batch.lengths)
    paddedSteps = batch.steps
    try loadState(state, shape: shape)
    try loadInput(batch, shape: shape)
    self.shape = shape

    // 1. The stack.
    var x = UnsafePointer(input.pointer)
    var width = configuration.input.size
    for (index, layer) in directions.enumerated() {
      let outputSize = configuration.layers[index].outputSize
      layerOutputs[index].reserve(shape.rows * outputSize)
      for (place, direction) in layer.enumerated() {
        let states = configuration.stateIndex(layer: index, direction: place)
        direction.forward(
          x, inputStride: width, shape: shape,
          initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[states].pointer),
          initialCell: initialCell[states].pointer, output: layerOutputs[index].pointer + place * direction.stateSize,
          outputStride: outputSize)
      }
      x = UnsafePointer(layerOutputs[index].pointer)
      width = outputSize
    }

    // 2. Readout and head.
    readoutOutput = readout.forward(stackOutput(shape), shape: shape)
    let rows = readout.rows(shape)
    headOutput = readoutOutput
    for (index, dense) in head.enumerated() {
      let isFused = index == head.count - 1 && (dense.activation == .softmax || dense.activation == .sigmoid)
      headOutput = dense.forward(headOutput, rows: rows, activate: !(isFused && form == .logits))
    }
    if configuration.normalizesOutput { headOutput = normalise(headOutput, rows: rows) }
    return unpack(headOutput, shape: shape)
  }

  /// The final states of the last forward pass.
  public func finalState() -> LSTMState {
    guard let shape else { return LSTMState(hidden: [], cell: []) }
    var state = LSTMState(hidden: [], cell: [])
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
    guard configuration.skip else { return layerOutputs[layerOutputs.count - 1].pointer }
    let width = configuration.readoutSize
    concatenation.reserve(shape.rows * width)
    forEachPart { part, size, column in
      for row in 0..<shape.rows {
        (concatenation.pointer + row * width + column).update(from: part + row * size, count: size)
      }
    }
    return concatenation.pointer
  }

  /// Visits the parts of a skip concatenation: the input, then every layer's output.
  func forEachPart(_ body: (_ part: UnsafeMutablePointer<Float>, _ size: Int, _ column: Int) -> Void) {
    body(input.pointer, configuration.input.size, 0)
    var column = configuration.input.size
    for (index, layer) in configuration.layers.enumerated() {
      body(layerOutputs[index].pointer, layer.outputSize, column)
      column += layer.outputSize
    }
  }

  private func loadInput(_ batch: SequenceBatch, shape: PackedShape) throws(ShapeError) {
    let width = configuration.input.size
    input.reserve(shape.rows * width)
    switch (batch.input, configuration.input) {
    case (.features(let values, let size), .features):
      guard size == width else {
        throw ShapeError(what: "features", expected: "\(width) a step", found: "\(size)")
      }
      values.withUnsafeBufferPointer { from in
        guard let base = from.baseAddress else { return }
        copyRows(shape, size: width) { packed, place in
          (input.pointer + packed * width).update(from: base + place * width, count: width)
        }
      }
    case (.tokens(let values), .tokens(let vocabulary, _)):
      guard let embedding else { return }
      tokens = [Int32](repeating: 0, count: shape.rows)
      let table = weights.pointer(embedding)
      for t in 0..<shape.steps {
        for b in 0..<shape.active[t] {
          let token = values[shape.order[b] * batch.steps + t]
          guard 0..<vocabulary ~= Int(token) else {
            throw ShapeError(what: "tokens", expected: "numbers from 0 to \(vocabulary - 1)", found: "\(token)")
          }
          let row = shape.offsets[t] + b
          tokens[row] = token
          (input.pointer + row * width).update(from: table + Int(token) * width, count: width)
        }
      }
    case (.features, .tokens):
      throw ShapeError(what: "input", expected: "token numbers (N, T)", found: "features (N, T, I)")
    case (.tokens, .features(let size)):
      throw ShapeError(what: "input", expected: "features (N, T, \(size))", found: "token numbers (N, T)")
    }
  }

  private func loadState(_ state: LSTMState?, shape: PackedShape) throws(ShapeError) {
    startsFromZero = state == nil
    let sizes = configuration.stateSizes
    while initialHidden.count < sizes.count {
      initialHidden.append(FloatBuffer())
      initialCell.append(FloatBuffer())
    }
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

  private func normalise(_ x: UnsafePointer<Float>, rows: Int) -> UnsafeMutablePointer<Float> {
    let size = configuration.outputSize
    normalised.reserve(rows * size)
    norms.reserve(rows)
    normalised.pointer.update(from: x, count: rows * size)
    for row in 0..<rows { norms.pointer[row] = normaliseRow(normalised.pointer + row * size, size: size) }
    return normalised.pointer
  }

  /// Packed rows back to the caller's order: (N, T, O), or (N, O) when the readout is not all steps.
  private func unpack(_ rows: UnsafePointer<Float>, shape: PackedShape) -> Tensor {
    let size = configuration.outputSize
    if readout.kind == .all {
      let count = shape.count * paddedSteps * size
      let values = [Float](unsafeUninitializedCapacity: count) { out, used in
        used = count
        guard let base = out.baseAddress else { return }
        if shape.rows < shape.count * paddedSteps { base.update(repeating: 0, count: count) }
        copyRows(shape, size: size) { packed, place in
          (base + place * size).update(from: rows + packed * size, count: size)
        }
      }
      return Tensor(shape: [shape.count, paddedSteps, size], values: values)
    }
    var out = Tensor(zeros: [shape.count, size])
    for b in 0..<shape.count {
      for j in 0..<size { out.values[shape.order[b] * size + j] = rows[b * size + j] }
    }
    return out
  }

  /// Visits every valid step on all threads: its packed row and its place in a padded (N, T) grid. `size` is the row's
  /// width, to know whether threads are worth it.
  func copyRows(_ shape: PackedShape, size: Int, _ body: (_ packed: Int, _ place: Int) -> Void) {
    let parts = kernels.parts(shape.rows * size, each: 1 << 14)
    parallel(parts) { part in
      // Whole sequences, so that a thread writes to one stretch of the padded grid.
      for b in share(shape.count, multiple: 1, part: part, of: parts) {
        for t in 0..<shape.lengths[b] { body(shape.offsets[t] + b, shape.order[b] * paddedSteps + t) }
      }
    }
  }
}

/// Divides by the L2 norm (1e-12 at least), and returns it.
@discardableResult
func normaliseRow(_ x: UnsafeMutablePointer<Float>, size: Int) -> Float {
  var sum: Float = 0
  for j in 0..<size { sum += x[j] * x[j] }
  let norm = max(sum.squareRoot(), 1e-12)
  for j in 0..<size { x[j] /= norm }
  return norm
}

extension ModelConfiguration {
  /// Widths of h and c for each layer and direction.
  var stateSizes: [(hidden: Int, cell: Int)] {
    layers.flatMap { layer in
      [(hidden: Int, cell: Int)](repeating: (layer.stateSize, layer.hiddenSize), count: layer.directions)
    }
  }

  func stateIndex(layer: Int, direction: Int) -> Int {
    layers[..<layer].reduce(0) { $0 + $1.directions } + direction
  }
}
