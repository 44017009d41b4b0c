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
    /// h of each layer, c of each layer, then scratch memory.
    fileprivate var values: [Float]
    fileprivate let carried: Int

    /// Sets the state to zero, as at the start of a sequence.
    public mutating func reset() {
      for at in 0..<carried { values[at] = 0 }
    }
  }

  /// Features per step; 1 for a model that reads tokens.
  public let inputSize: Int
  /// O
  public let outputSize: Int

  private let network: Network
  private let layers: [LSTMDirection]
  private let vocabulary: Int?
  // Offsets in a state's values, in floats.
  private let hidden: [Int]
  private let cell: [Int]
  private let gates: Int
  private let raw: Int
  private let joined: Int
  private let activated: Int
  private let dense: [Int]
  private let carried: Int
  private let count: Int

  /// Packs the model's weights for single steps.
  /// - Parameters:
  ///   - kernels: the instruction set to use.
  ///   - threads: 1 for real-time use. With more, large layers are split over threads: faster while steps follow each other
  ///     closely, but after a pause of some microseconds, waking the threads takes a lock.
  /// - Throws: `ShapeError` when the model needs the whole sequence: a layer that runs in reverse, or a readout other than
  ///   all steps, the last step or the final state.
  public init(_ model: LSTMModel, kernels: Kernels = .best, threads: Int = 1) throws(ShapeError) {
    let configuration = model.configuration
    if configuration.layers.contains(where: \.isBidirectional) {
      throw ShapeError(
        what: "stream", expected: "layers that run forward only",
        found: "a bidirectional layer, which needs the whole sequence")
    }
    switch configuration.readout {
    case nil, .all, .last, .final: break
    case .some(let readout):
      throw ShapeError(
        what: "stream", expected: "readout all or last", found: "\(readout.rawValue), which needs the whole sequence")
    }
    var chosen = kernels
    chosen.threads = max(threads, 1)
    network = Network(configuration, weights: model.parameters, kernels: chosen)
    layers = network.directions.map { $0[0] }
    for layer in layers { layer.packForForward() }
    for dense in network.head { dense.packForForward() }
    // Precomputed if the table is at most 16 MB.
    if let tokens = network.tokenInput, tokens.vocabulary * layers[0].gateSize <= 1 << 22 {
      layers[0].prepareTable(tokens, rows: tokens.vocabulary)
    }
    switch configuration.input {
    case .features(let size): (inputSize, vocabulary) = (size, nil)
    case .tokens(let size, _): (inputSize, vocabulary) = (1, size)
    }
    outputSize = configuration.outputSize

    var end = 0
    func take(_ size: Int) -> Int {
      defer { end += (size + 15) & ~15 }
      return end
    }
    hidden = layers.map { take($0.stateSize) }
    cell = layers.map { take($0.hiddenSize) }
    carried = end
    gates = take(layers.map(\.gateSize).max() ?? 0)
    raw = take(layers.map(\.hiddenSize).max() ?? 0)
    joined = take(configuration.readoutSize)
    activated = take(configuration.readoutActivation == .none ? 0 : configuration.readoutSize)
    dense = network.head.map { take($0.size) }
    count = end
  }

  /// The state at the start of a sequence: zero.
  public func makeState() -> State { State(values: [Float](repeating: 0, count: count), carried: carried) }

  /// A state that continues from the final state of an earlier part of a sequence.
  /// - Parameter sequence: the index of the sequence in `state`.
  /// - Throws: `ShapeError` when the state's sizes are not this model's.
  public func makeState(_ state: LSTMState, sequence: Int = 0) throws(ShapeError) -> State {
    var result = makeState()
    for (tensors, places, name) in [(state.hidden, hidden, "h"), (state.cell, cell, "c")] {
      guard tensors.count == layers.count else {
        throw ShapeError(what: name, expected: "\(layers.count), one a layer", found: "\(tensors.count)")
      }
      for (index, tensor) in tensors.enumerated() {
        let width = name == "h" ? layers[index].stateSize : layers[index].hiddenSize
        guard tensor.shape.count == 2, tensor.shape[1] == width, 0..<tensor.shape[0] ~= sequence else {
          throw ShapeError(
            what: "\(name) of layer \(index)", expected: "(more than \(sequence), \(width))", found: "\(tensor.shape)")
        }
        for j in 0..<width { result.values[places[index] + j] = tensor.values[sequence * width + j] }
      }
    }
    return result
  }

  /// h (1, P or H) and c (1, H) of each layer.
  public func lstmState(_ state: State) -> LSTMState {
    LSTMState(
      hidden: zip(layers, hidden).map { layer, place in
        Tensor(shape: [1, layer.stateSize], values: Array(state.values[place..<place + layer.stateSize]))
      },
      cell: zip(layers, cell).map { layer, place in
        Tensor(shape: [1, layer.hiddenSize], values: Array(state.values[place..<place + layer.hiddenSize]))
      })
  }

  /// Advances a state by one step of features.
  /// - Parameters:
  ///   - x: (I)
  ///   - y: receives the output (O).
  /// - Precondition: x and y have these sizes, and the state is from this stream's `makeState`.
  public func step(_ x: UnsafeBufferPointer<Float>, _ state: inout State, into y: UnsafeMutableBufferPointer<Float>) {
    precondition(vocabulary == nil && x.count == inputSize && y.count == outputSize, "sizes of x and y")
    guard let x = x.baseAddress, let y = y.baseAddress else { return }
    step(x, &state, y)
  }

  /// Advances a state by one step of features x (I), and writes the output (O) to y.
  /// - Precondition: as for buffers.
  public func step(_ x: [Float], _ state: inout State, into y: inout [Float]) {
    x.withUnsafeBufferPointer { x in y.withUnsafeMutableBufferPointer { y in step(x, &state, into: y) } }
  }

  /// Advances a state by one token.
  /// - Precondition: the token is in the vocabulary, and `y` has `outputSize` elements.
  public func step(token: Int, _ state: inout State, into y: inout [Float]) {
    guard let vocabulary, let embedding = network.embedding else {
      preconditionFailure("the model reads features")
    }
    precondition(0..<vocabulary ~= token && y.count == outputSize, "the token, or the size of y")
    let x = network.weights.pointer(embedding) + token * network.configuration.input.size
    y.withUnsafeMutableBufferPointer { y in
      if let y = y.baseAddress { step(x, &state, y, inputGates: layers[0].tableRow(token)) }
    }
  }

  /// - Parameter inputGates: layer 0's x W^T + b if already known; nil to compute it.
  private func step(
    _ x: UnsafePointer<Float>, _ state: inout State, _ y: UnsafeMutablePointer<Float>,
    inputGates: UnsafePointer<Float>? = nil
  ) {
    precondition(state.values.count == count, "a state of another model")
    let computing = Computing()
    defer { computing.end() }
    state.values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      var input = x
      var column = 0
      let skips = network.configuration.skip
      if skips { column = join(x, size: network.configuration.input.size, at: 0, base) }
      for index in layers.indices {
        let layer = layers[index]
        layer.step(
          input, inputGates: index == 0 ? inputGates : nil, hidden: base + hidden[index], cell: base + cell[index],
          gates: base + gates, raw: base + raw)
        input = UnsafePointer(base + hidden[index])
        if skips { column = join(input, size: layer.stateSize, at: column, base) }
      }
      if skips { input = UnsafePointer(base + joined) }
      let activation = network.configuration.readoutActivation
      if activation != .none {
        // Not in place: the next step needs h.
        let size = network.configuration.readoutSize
        (base + activated).update(from: input, count: size)
        DenseLayer.activate(activation, base + activated, rows: 1, size: size, network.kernels)
        input = UnsafePointer(base + activated)
      }
      for index in network.head.indices {
        network.head[index].step(input, into: base + dense[index])
        input = UnsafePointer(base + dense[index])
      }
      y.update(from: input, count: outputSize)
      if network.configuration.normalizesOutput { normalizeRow(y, size: outputSize) }
    }
  }

  private func join(_ part: UnsafePointer<Float>, size: Int, at column: Int, _ base: UnsafeMutablePointer<Float>) -> Int
  {
    (base + joined + column).update(from: part, count: size)
    return column + size
  }
}
