import FileIO
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// States that go from pass to pass give what one long pass does.
@Suite struct CarriedStateTests {
  static let configurations: [ModelConfiguration] = [
    .init(
      input: .features(size: 5), layers: [.init(hiddenSize: 20), .init(hiddenSize: 33)], readout: .all,
      head: [.init(size: 3)]),
    .init(
      input: .features(size: 3),
      layers: [.init(hiddenSize: 24, projectionSize: 7), .init(hiddenSize: 9, hasPeepholes: true)], skip: true,
      readout: .all, head: [.init(size: 4, activation: .tanh), .init(size: 2)], normalizesOutput: true),
    .init(input: .tokens(vocabulary: 4, size: 6), layers: [.init(hiddenSize: 17)], readout: .all),
  ]

  /// Streams of noise, T steps each.
  struct Streams {
    let count: Int
    let steps: Int
    let features: [Float]
    let tokens: [Int32]
    let width: Int

    init(_ configuration: ModelConfiguration, count: Int, steps: Int) {
      var random = RandomNumbers(seed: 9)
      self.count = count
      self.steps = steps
      if case .features(let size) = configuration.plain.input {
        width = size
        features = (0..<count * steps * size).map { _ in random.normal() }
        tokens = []
      } else {
        width = 1
        features = []
        tokens = (0..<count * steps).map { _ in Int32.random(in: 0..<4, using: &random) }
      }
    }

    func batch(_ stream: Int, _ steps: Range<Int>) throws -> SequenceBatch {
      let rows = stream * self.steps + steps.lowerBound..<stream * self.steps + steps.upperBound
      return tokens.isEmpty
        ? try SequenceBatch(
          Tensor(
            shape: [1, steps.count, width],
            values: Array(features[rows.lowerBound * width..<rows.upperBound * width])))
        : try SequenceBatch(tokens: Array(tokens[rows]), count: 1, steps: steps.count)
    }
  }

  /// A stretch of a stream, and where its state comes from and goes to.
  struct Stretch {
    let stream: Int
    let steps: Range<Int>
    var from: Int
    var to: Int
  }

  /// What the network gives for some stretches: a (steps, O) each.
  static func run(
    _ network: Network, _ streams: Streams, _ stretches: [Stretch], _ state: CarriedState,
    from boundary: Boundary = .input, rows: [Float]? = nil, plan: GradientPlan? = nil
  ) throws -> [[Float]] {
    let lengths = stretches.map(\.steps.count)
    // The kept values of a boundary are found by floats.
    let unit = rows == nil ? 1 : network.blockSize(at: boundary, steps: 1)
    let numbers = Numbers(
      [stretches.map { ($0.stream * streams.steps + $0.steps.lowerBound) * unit }, lengths, stretches.map(\.from)]
        + [stretches.map(\.to)])
    defer { numbers.deallocate() }
    func run(_ values: SequenceRows.Values) throws -> [[Float]] {
      let source = SequenceRows(
        values, count: stretches.count, steps: lengths.max() ?? 0, starts: numbers[0], lengths: numbers[1])
      let output = try network.run(
        source, from: boundary, for: plan, carrying: .init(state, from: numbers[2], to: numbers[3]))
      var places = [Int](repeating: 0, count: output.count)
      network.locateOutputs(
        starts: stretches.indices.map { $0 * streams.steps }, isPerStep: true, into: &places)
      var found = lengths.map { [Float](repeating: .nan, count: $0 * output.width) }
      for (row, place) in places.enumerated() {
        for j in 0..<output.width {
          found[place / streams.steps][place % streams.steps * output.width + j] = output.rows[row * output.width + j]
        }
      }
      return found
    }
    if !streams.tokens.isEmpty {
      return try streams.tokens.withUnsafeBufferPointer { try run(.tokens(#require($0.baseAddress))) }
    }
    return try (rows ?? streams.features).withUnsafeBufferPointer {
      try run(.features(#require($0.baseAddress), width: network.configuration.inputs[0].width))
    }
  }

  /// Lists of numbers that stay where they are.
  struct Numbers {
    private let lists: [UnsafeMutablePointer<Int>]

    init(_ lists: [[Int]]) {
      self.lists = lists.map { list in
        let pointer = UnsafeMutablePointer<Int>.allocate(capacity: list.count)
        for (place, number) in list.enumerated() { pointer[place] = number }
        return pointer
      }
    }

    subscript(list: Int) -> UnsafePointer<Int> { UnsafePointer(lists[list]) }

    func deallocate() { for list in lists { list.deallocate() } }
  }

  @Test(arguments: KernelTests.paths, configurations.indices)
  func chunksGiveTheBitsOfOneLongPassAndOfSingleSteps(_ path: String, index: Int) throws {
    let kernels = try KernelTests.kernels(path)
    let model = LSTMModel(Self.configurations[index], seed: 5)
    let streams = Streams(model.configuration, count: 3, steps: 23)
    let network = Network(model, kernels: kernels)
    let plan = GradientPlan(model.configuration, trainable: model.parameters.slots.map { _ in true })
    for keeps in [false, true] {
      let state = try CarriedState(model.configuration, streams: 3)
      var found = [[Float]](repeating: [], count: 3)
      for start in stride(from: 0, to: 23, by: 6) {
        // In another order each time.
        let stretches = (0..<3).map { place in
          let stream = (place + start) % 3
          return Stretch(stream: stream, steps: start..<min(start + 6, 23), from: stream, to: stream)
        }
        let outputs = try Self.run(network, streams, stretches, state, plan: keeps ? plan : nil)
        for (stretch, output) in zip(stretches, outputs) { found[stretch.stream] += output }
      }
      for stream in 0..<3 {
        let whole = try network.forward(streams.batch(stream, 0..<23))
        #expect(found[stream] == whole.values)
        let final = network.finalState()
        let carried = state.state
        for layer in model.configuration.plain.layers.indices {
          let (h, c) = (final.hidden[layer].values, final.cell[layer].values)
          #expect(Array(carried.hidden[layer].values[stream * h.count..<(stream + 1) * h.count]) == h)
          #expect(Array(carried.cell[layer].values[stream * c.count..<(stream + 1) * c.count]) == c)
        }
        let single = try LSTMStream(model, kernels: kernels)
        var (own, y, steps) = (single.makeState(), [Float](repeating: 0, count: single.outputSize), [Float]())
        for t in 0..<23 {
          let row = stream * 23 + t
          if streams.tokens.isEmpty {
            single.step(Array(streams.features[row * streams.width..<(row + 1) * streams.width]), &own, into: &y)
          } else {
            single.step(token: Int(streams.tokens[row]), &own, into: &y)
          }
          steps += y
        }
        #expect(found[stream] == steps)
      }
    }
  }

  /// Stretches of one pass that begin at zero, or leave nothing, beside others that do not.
  @Test func aResetInsideAPassBeginsAtZero() throws {
    let model = LSTMModel(Self.configurations[0], seed: 5)
    let streams = Streams(model.configuration, count: 2, steps: 12)
    let network = Network(model)
    let state = try CarriedState(model.configuration, streams: 2)
    let first = try Self.run(
      network, streams,
      [
        .init(stream: 0, steps: 0..<3, from: 0, to: -1), .init(stream: 0, steps: 3..<5, from: -1, to: 0),
        .init(stream: 1, steps: 0..<5, from: 1, to: 1),
      ], state)
    let second = try Self.run(
      network, streams,
      [.init(stream: 0, steps: 5..<12, from: 0, to: 0), .init(stream: 1, steps: 5..<12, from: -1, to: -1)], state)
    func alone(_ stream: Int, _ steps: Range<Int>) throws -> [Float] {
      try network.forward(streams.batch(stream, steps)).values
    }
    #expect(try first[0] == alone(0, 0..<3))
    #expect(try first[1] + second[0] == alone(0, 3..<12))
    #expect(try first[2] == alone(1, 0..<5))
    #expect(try second[1] == alone(1, 5..<12))
    // What stream 1 left in the first pass is still there.
    _ = try network.forward(streams.batch(1, 0..<5))
    #expect(state.state.hidden[1].values.suffix(33) == network.finalState().hidden[1].values[...])
  }

  /// Above a frozen prefix only the layers that run carry states.
  @Test func passesThatBeginAboveAPrefixCarryTheirOwnLayers() throws {
    let model = LSTMModel(Self.configurations[0], seed: 5)
    let streams = Streams(model.configuration, count: 2, steps: 8)
    let network = Network(model)
    let (whole, below, above) = (
      try CarriedState(model.configuration, streams: 2), try CarriedState(model.configuration, streams: 2),
      try CarriedState(model.configuration, streams: 2)
    )
    let boundary = Boundary(places: [1])
    var rows = [Float](repeating: .nan, count: 2 * 8 * 20)
    for start in [0, 4] {
      let stretches = (0..<2).map { Stretch(stream: $0, steps: start..<start + 4, from: $0, to: $0) }
      let wanted = try Self.run(network, streams, stretches, whole)
      let numbers = Numbers([[start, 8 + start], [0, 1], [start * 20, (8 + start) * 20]])
      defer { numbers.deallocate() }
      try streams.features.withUnsafeBufferPointer { x in
        try network.run(
          SequenceRows(.features(#require(x.baseAddress), width: 5), count: 2, steps: 4, starts: numbers[0]),
          upTo: boundary, into: &rows, starts: numbers[2],
          carrying: .init(below, from: numbers[1], to: numbers[1]))
      }
      #expect(try Self.run(network, streams, stretches, above, from: boundary, rows: rows) == wanted)
    }
    let (all, first, second) = (whole.state, below.state, above.state)
    #expect(first.hidden[0] == all.hidden[0] && first.cell[0] == all.cell[0])
    #expect(second.hidden[1] == all.hidden[1] && second.cell[1] == all.cell[1])
    #expect(first.hidden[1].values.allSatisfy { $0 == 0 } && second.hidden[0].values.allSatisfy { $0 == 0 })
  }

  @Test func copiesAndResets() throws {
    let configuration = Self.configurations[1]
    let state = try CarriedState(configuration, streams: 2)
    #expect(
      state.state.hidden.map(\.shape) == [[2, 7], [2, 9]] && state.state.cell.map(\.shape) == [[2, 24], [2, 9]])
    #expect(state.state.hidden.allSatisfy { $0.values.allSatisfy { $0 == 0 } })
    var other = state.state
    other.hidden[1].values[17] = 3
    other.cell[0].values[5] = -2
    try state.set(other)
    #expect(state.state == other)
    let error = #expect(throws: ShapeError.self) { try state.set(LSTMState(hidden: other.hidden, cell: other.hidden)) }
    #expect(error?.message == "carried c: expected [[2, 24], [2, 9]], found [[2, 7], [2, 9]]")
    #expect(state.state == other)
    state.reset()
    #expect(state.state.hidden[1].values[17] == 0 && state.state.cell[0].values[5] == 0)
  }

  @Test func whatCannotCarryStates() throws {
    var configuration = Self.configurations[0]
    configuration.plain.layers[1].isBidirectional = true
    let reversed = #expect(throws: ShapeError.self) { try CarriedState(configuration, streams: 2) }
    #expect(
      reversed?.message.description == "carried state: expected layers that run forward only, found layer1, which is "
        + "bidirectional: its reverse direction starts at the end of a sequence")
    let none = #expect(throws: ShapeError.self) { try CarriedState(Self.configurations[0], streams: 0) }
    #expect(none?.message == "carried state: expected at least one stream, found 0")
    let streams = Streams(Self.configurations[0], count: 1, steps: 2)
    let foreign = try CarriedState(Self.configurations[2], streams: 1)
    #expect(throws: ShapeError.self) {
      try Self.run(
        Network(LSTMModel(Self.configurations[0])), streams, [.init(stream: 0, steps: 0..<2, from: 0, to: 0)], foreign)
    }
  }
}
