import LSTMCheckpoints

/// A model that runs a sequence one step at a time, as its input arrives: audio, sensors, text being written.
///
///     let stream = try LSTMStream(model)
///     var state = stream.makeState()
///     var y = [Float](repeating: 0, count: stream.outputSize)
///     while let x = source.next() {
///       stream.step(x, &state, into: &y)
///     }
///
/// A step does not allocate or lock and runs on the calling thread, so it is safe on a real-time thread. The stream itself
/// does not change: any number of threads may step their own states at the same time. Outputs are bit-identical to running
/// the model on the whole sequence.
public final class LSTMStream: @unchecked Sendable {  // Packed once, then only read.
  /// The state of one sequence between steps. A value type: keep a copy to return to that point.
  public struct State: Sendable {
    /// What each layer carries, then scratch memory.
    fileprivate var values: [Float]
    fileprivate let start: [Float]

    /// Sets the state to that at the start of a sequence.
    public mutating func reset() {
      for at in start.indices { values[at] = start[at] }
    }
  }

  /// Features per step; 1 for a model that reads tokens.
  public let inputSize: Int
  /// O
  public let outputSize: Int

  private let network: Network
  private let vocabulary: Int?
  /// For each layer of the network, where its state, its output and its scratch memory lie in a state's values.
  private let places: [Place]
  /// For each layer, the outputs that it reads.
  private let reads: [Int]
  /// The layer whose row the model gives.
  private let last: Int
  private let carried: Int
  private let count: Int

  private struct Place {
    var state = 0
    var output = 0
    var scratch = 0
    /// In `reads`.
    var firstRead = 0
  }

  /// Packs the model's weights for single steps.
  /// - Parameters:
  ///   - kernels: the instruction set to use.
  ///   - threads: 1 for real-time use. With more, large layers are split over threads: faster while steps follow each other
  ///     closely, but after a pause of some microseconds, waking the threads takes a lock.
  /// - Throws: `ShapeError` that names the layer which needs more than the steps so far: one that runs in reverse, attends,
  ///   pools or changes the number of steps, a convolution that is not causal, or a readout other than all steps, the last
  ///   step or the final state; or when there is more than one input.
  public init(_ model: LSTMModel, kernels: Kernels = .best, threads: Int = 1) throws(ShapeError) {
    let configuration = model.configuration
    var chosen = kernels
    chosen.threads = max(threads, 1)
    network = Network(configuration, weights: model.parameters, kernels: chosen)
    guard network.inputs.count == 1 else {
      throw ShapeError(what: "stream", expected: "a model with one input", found: "\(network.inputs.count) inputs")
    }
    for node in network.nodes.dropFirst() {
      guard let obstacle = node.streamObstacle else { continue }
      throw ShapeError(what: "stream", expected: Self.expected(node), found: obstacle)
    }
    for node in network.nodes.dropFirst() { node.prepareToStep() }
    vocabulary = configuration.inputs[0].vocabulary
    inputSize = vocabulary == nil ? configuration.inputs[0].width : 1
    outputSize = configuration.outputSize

    var end = 0
    func take(_ size: Int) -> Int {
      defer { end += (size + 15) & ~15 }
      return end
    }
    var places = network.nodes.map { _ in Place() }
    for (index, node) in network.nodes.enumerated() { places[index].state = take(node.stateCount) }
    carried = end
    let scratch = take(network.nodes.map(\.scratchCount).max() ?? 0)
    var reads: [Int] = []
    for (index, node) in network.nodes.enumerated() {
      places[index].scratch = scratch
      places[index].firstRead = reads.count
      if index > 0 {
        let sources = configuration.sources[index - 1]
        // A recurrent layer's row is its state, a readout of every step what it reads.
        switch node {
        case is RecurrentLayer: places[index].output = places[index].state
        case is IdentityLayer where sources[0] > 0: places[index].output = places[sources[0]].output
        default: places[index].output = take(node.width)
        }
        reads += sources
      }
    }
    self.places = places
    self.reads = reads
    last = configuration.outputPlaces[0]
    count = end
  }

  private static func expected(_ node: NetworkLayer) -> String {
    switch node {
    case is RecurrentLayer: "layers that run forward only"
    case is ReadoutLayer: "readout all or last"
    default: "layers that need no other steps"
    }
  }

  /// The state at the start of a sequence: zero, unless the model says otherwise.
  public func makeState() -> State {
    var values = [Float](repeating: 0, count: count)
    values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      for (node, place) in zip(network.nodes, places) where node.stateCount > 0 { node.startState(base + place.state) }
    }
    return State(values: values, start: Array(values[..<carried]))
  }

  /// A state that continues from the final state of an earlier part of a sequence.
  /// - Parameter sequence: the index of the sequence in `state`.
  /// - Throws: `ShapeError` when the state's sizes are not this model's.
  public func makeState(_ state: LSTMState, sequence: Int = 0) throws(ShapeError) -> State {
    var result = makeState()
    let layers = network.recurrentLayers
    for (tensors, name) in [(state.hidden, "h"), (state.cell, "c")] {
      guard tensors.count == layers.count else {
        throw ShapeError(what: name, expected: "\(layers.count), one a layer", found: "\(tensors.count)")
      }
      for (index, tensor) in tensors.enumerated() {
        let width = name == "h" ? layers[index].stateSize : layers[index].cellSize
        guard tensor.shape.count == 2, tensor.shape[1] == width, 0..<tensor.shape[0] ~= sequence else {
          throw ShapeError(
            what: "\(name) of layer \(index)", expected: "(more than \(sequence), \(width))", found: "\(tensor.shape)")
        }
        let place = places[network.recurrentPlaces[index]].state
        result.values.withUnsafeMutableBufferPointer { values in
          guard let base = values.baseAddress else { return }
          let parts = layers[index].parts(base + place)
          for j in 0..<width { (name == "h" ? parts.hidden : parts.cell)[j] = tensor.values[sequence * width + j] }
        }
      }
    }
    return result
  }

  /// h (1, P or H) and c (1, H) of each layer.
  public func lstmState(_ state: State) -> LSTMState {
    var result = LSTMState(hidden: [], cell: [])
    var values = state.values
    values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      for (layer, place) in zip(network.recurrentLayers, network.recurrentPlaces) {
        let (hidden, cell) = layer.parts(base + places[place].state)
        result.hidden.append(
          Tensor(
            shape: [1, layer.stateSize],
            values: Array(UnsafeBufferPointer(start: hidden, count: layer.stateSize))))
        result.cell.append(
          Tensor(
            shape: [1, layer.cellSize], values: Array(UnsafeBufferPointer(start: cell, count: layer.cellSize))))
      }
    }
    return result
  }

  /// Advances a state by one step of features.
  /// - Parameters:
  ///   - x: (I)
  ///   - y: receives the output (O).
  /// - Precondition: x and y have these sizes, and the state is from this stream's `makeState`.
  public func step(_ x: UnsafeBufferPointer<Float>, _ state: inout State, into y: UnsafeMutableBufferPointer<Float>) {
    precondition(vocabulary == nil && x.count == inputSize && y.count == outputSize, "sizes of x and y")
    guard let x = x.baseAddress, let y = y.baseAddress else { return }
    step(x, token: -1, &state, y)
  }

  /// Advances a state by one step of features x (I), and writes the output (O) to y.
  /// - Precondition: as for buffers.
  public func step(_ x: [Float], _ state: inout State, into y: inout [Float]) {
    x.withUnsafeBufferPointer { x in y.withUnsafeMutableBufferPointer { y in step(x, &state, into: y) } }
  }

  /// Advances a state by one token.
  /// - Precondition: the token is in the vocabulary, and `y` has `outputSize` elements.
  public func step(token: Int, _ state: inout State, into y: inout [Float]) {
    guard let vocabulary else { preconditionFailure("the model reads features") }
    precondition(0..<vocabulary ~= token && y.count == outputSize, "the token, or the size of y")
    y.withUnsafeMutableBufferPointer { y in
      if let y = y.baseAddress { step(UnsafePointer(y), token: token, &state, y) }
    }
  }

  /// - Parameter token: -1 for features.
  private func step(
    _ x: UnsafePointer<Float>, token: Int, _ state: inout State, _ y: UnsafeMutablePointer<Float>
  ) {
    precondition(state.values.count == count, "a state of another model")
    let computing = Computing()
    defer { computing.end() }
    state.values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: max(reads.count, 1)) { inputs in
        guard let first = inputs.baseAddress else { return }
        for index in 1..<places.count {
          let (place, node) = (places[index], network.nodes[index])
          for read in 0..<node.sources.count {
            let source = reads[place.firstRead + read]
            first[place.firstRead + read] = source == 0 ? x : UnsafePointer(base + places[source].output)
          }
          node.step(
            LayerStep(
              inputs: first + place.firstRead, output: base + place.output, state: base + place.state,
              scratch: base + place.scratch, token: token))
        }
        y.update(from: base + places[last].output, count: outputSize)
      }
    }
  }
}
