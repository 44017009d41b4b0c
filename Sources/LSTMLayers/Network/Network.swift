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
  let inputs: [InputLayer]
  /// Of every value of the configuration: the inputs, then the layers.
  let nodes: [NetworkLayer]
  let recurrentLayers: [RecurrentLayer]
  /// Their places in `nodes`.
  let recurrentPlaces: [Int]
  /// The layers whose values the model gives.
  let outputLayers: [NetworkLayer]
  /// For each output the layer whose activation a loss may include: the last dense layer's softmax or sigmoid.
  private let fused: [NetworkLayer?]
  /// The first of several.
  var outputLayer: NetworkLayer { outputLayers[0] }
  /// The shapes behind layers that change the number of steps, in order.
  private let derivedShapes: [RowShape]
  /// Widths of h and c for each recurrent layer and direction.
  let stateSizes: [(hidden: Int, cell: Int)]
  let regularized: RegularizedPass

  /// Whether the last pass completed.
  var isComplete = false
  var paddedSteps = 0
  /// What the last pass kept activations for; nil for nothing.
  var keptFor: [Bool]?
  /// Steps of the last batch, padding included.
  var paddedInputSteps = 0
  /// For each boundary that passes started or ended at, the layers above or below it.
  var above: [Boundary: [Bool]] = [:]
  var below: [Boundary: [Bool]] = [:]
  /// (N): the steps of each sequence of the batch.
  let sequenceSteps = AlignedBuffer<Int>()
  /// The gradient of the output in packed order.
  let outputGradient = FloatBuffer()

  /// The packed shape of the input.
  var shape: PackedShape { inputs[0].shape.packed }
  /// The directions of the recurrent layers.
  var directions: [[LSTMDirection]] { recurrentLayers.map(\.directions) }

  /// A network that shares the weights, without a copy.
  init(_ configuration: ModelConfiguration, weights: ParameterStore, kernels: Kernels) {
    self.configuration = configuration
    self.weights = weights
    self.kernels = kernels
    var inputs: [InputLayer] = []
    for (index, input) in configuration.inputs.enumerated() {
      // Further inputs have rows for the same sequences, in the order of the first one's.
      let steps = input.steps
      let shape = index == 0 ? RowShape() : RowShape(after: inputs[0].shape) { input.isPerSequence ? $0 : steps ?? $0 }
      inputs.append(
        InputLayer(input, value: configuration.values[index], shape: shape, weights: weights, kernels: kernels))
    }
    var nodes: [NetworkLayer] = inputs
    var earlier: [String: NetworkLayer] = [:]
    var directions = 0
    var recurrent: [RecurrentLayer] = []
    let reversedColumns = configuration.reversedColumns
    for (index, layer) in configuration.layers.enumerated() {
      let node = LayerContext(
        layer: layer, inputs: configuration.inputs(ofLayer: index), value: configuration.values[inputs.count + index],
        sources: configuration.sources[index].map { nodes[$0] }, earlier: earlier, weights: weights, kernels: kernels,
        reversedColumns: configuration.sources[index].first.map { reversedColumns[$0] } ?? [],
        maskedToken: configuration.mask?.tokenNumber
      ).makeLayer()
      nodes.append(node)
      earlier[layer.name] = node
      guard let node = node as? RecurrentLayer else { continue }
      node.number(recurrent.count, firstDirection: directions)
      recurrent.append(node)
      directions += node.directions.count
    }
    self.inputs = inputs
    self.nodes = nodes
    recurrentLayers = recurrent
    recurrentPlaces = configuration.recurrentLayers.map { inputs.count + $0.index }
    let outputs = configuration.outputPlaces.map { [nodes] in nodes[$0] }
    outputLayers = outputs
    fused = outputs.map { output in
      Self.fusedLayer(output).flatMap { [nodes] in Self.isRead($0, besides: output, nodes) ? nil : $0 }
    }
    stateSizes = configuration.stateSizes
    var shapes: [RowShape] = []
    for node in nodes where node.shape.isDerived && !shapes.contains(where: { $0 === node.shape }) {
      shapes.append(node.shape)
    }
    derivedShapes = shapes
    regularized = RegularizedPass(nodes, recurrent)
  }

  /// The layer with the last softmax or sigmoid, where a loss that includes it cannot leave it out because of a layer above
  /// it; nil where there is none.
  package func activationInTheWay(ofOutput index: Int = 0) -> String? {
    if fused[index] != nil { return nil }
    var layer = outputLayers[index]
    while layer is FlattenLayer || layer is ReshapeLayer || layer is SliceLayer || layer is MergeLayer {
      layer = layer.sources[0]
    }
    return Self.fusedLayer(layer)?.name
  }

  /// Whether anything reads a layer but what stands between it and an output: it must then give what it gives.
  private static func isRead(_ layer: NetworkLayer, besides output: NetworkLayer, _ nodes: [NetworkLayer]) -> Bool {
    var own = output
    var chain = [ObjectIdentifier(own)]
    while own !== layer {
      own = own.sources[0]
      chain.append(ObjectIdentifier(own))
    }
    return nodes.contains { node in
      !chain.contains(ObjectIdentifier(node)) && node.sources.contains { chain.contains(ObjectIdentifier($0)) }
    }
  }

  /// Below dropout or a normalization of the output, as they stand above the activation.
  private static func fusedLayer(_ output: NetworkLayer) -> NetworkLayer? {
    switch output {
    case let dense as DenseLayer: dense.activation == .softmax || dense.activation == .sigmoid ? dense : nil
    case let layer as ActivationLayer: layer.activation == .softmax || layer.activation == .sigmoid ? layer : nil
    case let layer as ConvolutionLayer where layer.geometry.kind.kernel.count == 1:
      layer.activation == .softmax || layer.activation == .sigmoid ? layer : nil
    case is L2Layer, is IdentityLayer, is DropoutLayer: fusedLayer(output.sources[0])
    default: nil
    }
  }

  /// Must be called after the weights have changed, so that they are packed again.
  /// - Parameter changed: for each parameter whether it may have changed; nil for all.
  public func weightsChanged(_ changed: [Bool]? = nil) {
    for node in nodes where !node.parameters.isEmpty {
      guard let changed else {
        node.weightsChanged()
        continue
      }
      if node is RecurrentLayer { continue }
      for slot in node.parameters where changed[slot] {
        node.weightsChanged()
        break
      }
    }
    for node in recurrentLayers {
      for direction in node.directions {
        var hasChanged = changed == nil
        if let changed { direction.parameters.forEach { hasChanged = hasChanged || changed[$0] } }
        if hasChanged { direction.weightsChanged() }
        if let embedding = node.sources[0] as? EmbeddingLayer, changed?[embedding.table] ?? true {
          direction.embeddingChanged()
        }
      }
    }
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
  ///   - others: the batches of further inputs, in the configuration's order, each of N sequences.
  ///   - state: the initial h and c; the model's own if nil, which usually are zero.
  ///   - form: activated, or logits for a loss that includes the last activation.
  ///   - forBackward: false if `backward` will not be called: activations are then kept for one step instead of all.
  ///   - isTraining: whether layers with running statistics use the batch's, and move their own.
  ///   - draw: regularization of the whole model, with its random numbers; nil for none.
  /// - Returns: the output, (N, T, O) if it has a row for each step (zero at padded steps) and (N, O) otherwise; T is that
  ///   of the output, which convolutions and pooling may have made smaller.
  /// - Throws: `ShapeError` when the batch or the state does not fit the model.
  public func forward(
    _ batch: SequenceBatch, others: [SequenceBatch] = [], state: LSTMState? = nil, output form: OutputForm = .activated,
    forBackward: Bool = true, isTraining: Bool = false, regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> Tensor {
    let computing = Computing()
    defer { computing.end() }
    for (input, other) in zip(inputs.dropFirst(), others) {
      try input.setSteps(other.steps)
    }
    let output = try batch.withRows { source throws(ShapeError) in
      try begin(source)
      try setState(state)
      try beginRegularization(draw, .everywhere(recurrentLayers.count))
      try inputs[0].gather(source)
      regularized.drop(inputs[0])
      try gather(others, count: batch.count)
      for node in nodes {
        node.wantsGradient = forBackward
        node.keepsActivations = forBackward
        node.isSettled = false
      }
      keptFor = forBackward ? nodes.map { _ in true } : nil
      return runLayers(
        LayerPass(isTraining: isTraining, trainable: isTraining ? weights.slots.map { _ in true } : nil, draw: draw),
        form
      ) { _ in true }
    }
    paddedInputSteps = batch.steps
    paddedSteps = outputLayer.shape.steps(batch.steps)
    return unpack(output, outputLayer, steps: paddedSteps)
  }

  /// What the last `forward` gave, for each output of the model in order.
  public func outputTensors() -> [Tensor] {
    outputLayers.indices.map { index in
      unpack(output(index), outputLayers[index], steps: outputLayers[index].shape.steps(paddedInputSteps))
    }
  }

  private func gather(_ others: [SequenceBatch], count: Int) throws(ShapeError) {
    guard others.count == inputs.count - 1 else {
      throw ShapeError(
        what: "inputs", expected: "\(inputs.count): \(inputs.map(\.name).joined(separator: ", "))",
        found: "\(others.count + 1)")
    }
    for (input, batch) in zip(inputs.dropFirst(), others) {
      let steps = input.value.isPerStep ? input.shape.packed.steps : 1
      guard batch.count == count, batch.steps == steps, batch.lengths == nil else {
        throw ShapeError(
          what: input.name, expected: "\(count) sequences of \(steps) steps", found: "\(batch.count) of \(batch.steps)")
      }
      try batch.withRows { source throws(ShapeError) in try input.gather(source) }
      regularized.drop(input)
    }
  }

  /// The final h and c of the last forward pass; empty before the first.
  public func finalState() -> LSTMState {
    var state = LSTMState(hidden: [], cell: [])
    guard isComplete else { return state }
    for layer in recurrentLayers {
      let (count, order) = (layer.shape.packed.count, layer.shape.packed.order)
      for place in layer.directions.indices {
        var hidden = Tensor(zeros: [count, layer.stateSize])
        var cell = Tensor(zeros: [count, layer.cellSize])
        hidden.values.withUnsafeMutableBufferPointer { hidden in
          cell.values.withUnsafeMutableBufferPointer { cell in
            guard let h = hidden.baseAddress else { return }
            for b in 0..<count {
              layer.copyFinalState(
                b, of: place, hidden: h + order[b] * layer.stateSize,
                cell: cell.baseAddress.map { $0 + order[b] * layer.cellSize })
            }
          }
        }
        state.hidden.append(hidden)
        state.cell.append(cell)
      }
    }
    return state
  }

  private func setState(_ state: LSTMState?) throws(ShapeError) {
    guard let state else { return setOwnStates() }
    let sizes = stateSizes
    if state.hidden.count != sizes.count || state.cell.count != sizes.count {
      throw ShapeError(
        what: "initial state", expected: "\(sizes.count) (one per layer and direction)", found: "\(state.hidden.count)")
    }
    for layer in recurrentLayers {
      layer.takeInitialState()
      let (count, order) = (layer.shape.packed.count, layer.shape.packed.order)
      for place in layer.directions.indices {
        let index = layer.firstDirection + place
        for (buffer, tensor, width, name) in [
          (layer.initialHidden[place], state.hidden[index], sizes[index].hidden, "h"),
          (layer.initialCell[place], state.cell[index], sizes[index].cell, "c"),
        ] {
          guard tensor.shape == [count, width] else {
            throw ShapeError(
              what: "initial \(name) of state \(index)", expected: "\([count, width])", found: "\(tensor.shape)")
          }
          for b in 0..<count {
            for j in 0..<width { buffer.pointer[b * width + j] = tensor.values[order[b] * width + j] }
          }
        }
      }
    }
  }

  func setOwnStates() { for layer in recurrentLayers { layer.setOwnState() } }

  /// Packed rows in the caller's order: (N, T, O) with zero at padded steps, or (N, O) if each sequence has one row.
  private func unpack(_ output: Output, _ layer: NetworkLayer, steps paddedSteps: Int) -> Tensor {
    let size = output.width
    let isPerStep = layer.value.isPerStep
    let grid = isPerStep ? [shape.count, paddedSteps, size] : [shape.count, size]
    guard !grid.contains(0) else { return Tensor(shape: grid, values: []) }
    let values = [Float](unsafeUninitializedCapacity: grid.reduce(1, *)) { out, used in
      used = out.count
      guard let base = out.baseAddress else { return }
      if isPerStep, layer.rowCount < shape.count * paddedSteps { base.update(repeating: 0, count: used) }
      layer.forEachRow { row, sequence, step in
        let place = isPerStep ? sequence * paddedSteps + step : sequence
        (base + place * size).update(from: output.rows + row * size, count: size)
      }
    }
    return Tensor(shape: grid, values: values)
  }

  // MARK: - Parts of a pass

  /// Starts a pass with the shape of the input.
  func begin(_ source: SequenceRows) throws(ShapeError) {
    isComplete = false
    regularized.turnOff()
    inputs[0].shape.update(count: source.count, steps: source.steps, lengths: source.lengths)
    if let steps = configuration.inputs[0].steps {
      // Steps that a mask hides are left out of their sequence.
      let found = configuration.mask != nil ? source.steps : shape.lengths[shape.count - 1]
      guard found == steps, configuration.mask != nil || shape.steps == steps else {
        throw ShapeError(what: "input", expected: "sequences of \(steps) steps", found: "sequences of \(found)")
      }
    }
    inputs[0].shape.everyStep?.setHidden(source)
    for derived in derivedShapes where !derived.update() {
      let name = nodes.first { $0.shape === derived }?.name ?? "every layer"
      throw ShapeError(
        what: "input", expected: "sequences long enough for \(name)",
        found: "one of \(shape.lengths[shape.count - 1]) steps, which leaves it none")
    }
    for node in nodes { try node.checkShape() }
  }

  /// Runs the layers that a pass needs.
  /// - Parameter others: the forms of further outputs; activated where none is given.
  func runLayers(
    _ pass: LayerPass, _ form: OutputForm, others: [OutputForm] = [], where runs: (Int) -> Bool
  ) -> Output {
    for index in fused.indices {
      let own = index == 0 ? form : index <= others.count ? others[index - 1] : .activated
      fused[index]?.givesLogits = own == .logits
    }
    for place in inputs.count..<nodes.count where runs(place) { run(place, pass) }
    isComplete = true
    return output(0)
  }

  func run(_ place: Int, _ pass: LayerPass) {
    let node = nodes[place]
    if let recurrent = node as? RecurrentLayer { regularized.chooseWeights(recurrent) }
    node.forward(pass)
    regularized.drop(node)
  }
}
