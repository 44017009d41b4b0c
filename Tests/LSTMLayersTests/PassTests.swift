import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Passes over rows in memory: what does not depend on the batch, and what is not computed.
@Suite struct PassTests {
  // MARK: - Shapes

  /// As it was first written, with a sort.
  @Test(arguments: 0..<30) func aShapeThatWasUsedBeforeIsLikeANewOne(_ seed: Int) {
    var random = RandomNumbers(seed: UInt64(seed))
    var reused = PackedShape()
    for _ in 0..<6 {
      let (count, steps) = (Int.random(in: 1...9, using: &random), Int.random(in: 1...7, using: &random))
      let lengths =
        Bool.random(using: &random) ? (0..<count).map { _ in Int.random(in: 1...steps, using: &random) } : nil
      if let lengths {
        lengths.withUnsafeBufferPointer { reused.update(count: count, steps: steps, lengths: $0.baseAddress) }
      } else {
        reused.update(count: count, steps: steps, lengths: nil)
      }
      let all = lengths ?? [Int](repeating: steps, count: count)
      let order = (0..<count).sorted { all[$0] != all[$1] ? all[$0] > all[$1] : $0 < $1 }
      let longest = all.max() ?? 0
      let active = (0..<longest).map { t in all.filter { $0 > t }.count }
      #expect(reused.count == count && reused.steps == longest && reused.rows == all.reduce(0, +))
      #expect(reused.order == order && reused.lengths == order.map { all[$0] } && reused.active == active)
      #expect(reused.offsets == active.indices.map { active[..<$0].reduce(0, +) })
    }
  }

  // MARK: - Bits

  /// What a cache of outputs stands upon: alone or in company, a sequence gives the same bits.
  @Test(arguments: Kernels.available.map(\.name))
  func aSequenceGivesTheSameBitsInAnyBatch(_ path: String) throws {
    var kernels = try #require(Kernels.available.first { $0.name == path })
    let configuration = ModelConfiguration(
      input: .features(size: 13),
      layers: [
        .init(hiddenSize: 70, isBidirectional: true), .init(hiddenSize: 37, projectionSize: 19, hasPeepholes: true),
        .init(hiddenSize: 1, isBidirectional: true, gateActivation: .hardSigmoid), .init(hiddenSize: 33),
      ], readout: .attention, head: [.init(size: 35, activation: .softmax)])
    let model = LSTMModel(configuration, seed: 3)
    var random = RandomNumbers(seed: 4)
    let (count, steps) = (41, 7)
    let x = (0..<count * steps * 13).map { _ in random.normal() }
    let lengths = (0..<count).map { _ in Int.random(in: 1...steps, using: &random) }
    kernels.threads = 3
    let network = Network(model, kernels: kernels)
    func outputs(_ examples: Range<Int>) throws -> [Float] {
      let values = x[examples.lowerBound * steps * 13..<examples.upperBound * steps * 13]
      return try network.forward(
        SequenceBatch(
          count: examples.count, steps: steps, input: .features(Array(values), size: 13),
          lengths: Array(lengths[examples]))
      ).values
    }
    let whole = try outputs(0..<count)
    for size in [1, 2, 3, 7, 8, 9, 17] {
      var parts: [Float] = []
      for start in stride(from: 0, to: count, by: size) { parts += try outputs(start..<min(start + size, count)) }
      #expect(parts.map(\.bitPattern) == whole.map(\.bitPattern), "batches of \(size)")
    }
  }

  // MARK: - Where a pass may begin

  @Test(
    arguments: [
      ([], "input"), (["embedding"], "input"), (["layer0"], "input"), (["embedding", "layer0"], "layer0"),
      (["embedding", "layer0", "head.0"], "layer0"), (["embedding", "layer0", "layer1"], "layer1"),
      (["embedding", "layer0", "layer1", "attention"], "attention"),
      (["embedding", "layer0", "layer1", "attention", "head.0"], "head.0"),
      (["embedding", "layer0", "layer1", "attention", "head.0", "head.1"], "head.1"),
    ] as [(Set<String>, String)])
  func theFrozenPrefixIsTheLongest(_ frozen: Set<String>, _ end: String) {
    let configuration = Self.stack(skip: false)
    let plan = GradientPlan(configuration, trainable: configuration.parameters.map { !frozen.contains(Self.part($0)) })
    #expect(plan.entry.places.map(configuration.name(ofValue:)) == [end])
  }

  static func part(_ parameter: ParameterSpecification) -> String { parameter.role.layer }

  static func stack(skip: Bool) -> ModelConfiguration {
    ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 6)], skip: skip,
      readout: .attention, head: [.init(size: 4, activation: .tanh), .init(size: 2)])
  }

  /// No dL/dx below the lowest layer that trains: its buffers are not even made.
  @Test(
    arguments: [0, 1, 2], [false, true])
  func noGradientGoesBelowTheLowest(_ lowest: Int, skip: Bool) throws {
    let configuration = Self.stack(skip: skip)
    let frozen = Set(["embedding", "layer0", "layer1"].prefix(lowest + 1))
    let network = Network(LSTMModel(configuration, seed: 1))
    let trainable = configuration.parameters.map { !frozen.contains(Self.part($0)) }
    let batch = try SequenceBatch(tokens: (0..<60).map { $0 % 5 }, count: 10, steps: 6)
    let output = try network.forward(batch)
    try network.backward(output, into: ParameterStore(configuration.parameters), trainable: trainable)
    // Every buffer that is used has 60 rows of at least three.
    for (place, name) in ["embedding", "layer0", "layer1"].enumerated() {
      let node = try #require(network.nodes.first { $0.name == name })
      #expect((node.gradientBuffer.capacity >= 180) == (place > lowest && lowest < 2), "\(name)")
    }
  }

  /// Only what goes back keeps its activations; the layers are told which those are.
  @Test func layersBelowTheLowestNeedNotKeepActivations() throws {
    let configuration = Self.stack(skip: false)
    let network = Network(LSTMModel(configuration, seed: 1))
    let (tokens, starts) = (Block<Int32>([0, 1, 2, 3]), Block([0, 2]))
    func kept(_ frozen: Set<String>?) throws -> Int {
      let plan = frozen.map { frozen in
        GradientPlan(configuration, trainable: configuration.parameters.map { !frozen.contains(Self.part($0)) })
      }
      _ = try network.run(SequenceRows(.tokens(tokens.base), count: 2, steps: 2, starts: starts.base), for: plan)
      return network.directions.firstIndex { $0[0].keepsActivations } ?? 2
    }
    #expect(try kept([]) == 0)
    #expect(try kept(["embedding", "layer0"]) == 1)
    #expect(try kept(["embedding", "layer0", "layer1"]) == 2)
    #expect(try kept(nil) == 2)
  }

  /// A pass in two parts is the pass in one.
  @Test(arguments: [["layer0"], ["layer1"], ["attention"], ["head.0"]], [false, true])
  func aPassMayBeginWhereAnotherEnded(_ names: [String], skip: Bool) throws {
    let configuration = Self.stack(skip: skip)
    // With a skip concatenation what lies below is read above, too.
    var names = Set(names)
    if skip, names == ["layer0"] { names = ["embedding", "layer0"] }
    if skip, names == ["layer1"] { names = ["embedding", "layer0", "layer1"] }
    let boundary = Boundary(places: names.compactMap { configuration.index(of: $0).map { $0 + 1 } }.sorted())
    let network = Network(LSTMModel(configuration, seed: 2))
    let (tokens, lengths) = (Block<Int32>([0, 1, 2, 3, 4, 0, 2, 1, 3]), Block([2, 3, 1]))
    let tokenStarts = Block([0, 3, 6])
    let input = SequenceRows(
      .tokens(tokens.base), count: 3, steps: 3, starts: tokenStarts.base, lengths: lengths.base)
    let whole = try network.run(input)
    let expected = Array(UnsafeBufferPointer(start: whole.rows, count: whole.count * whole.width))
    let sizes = [2, 3, 1].map { network.blockSize(at: boundary, steps: $0) }
    let rows = Block([Float](repeating: .nan, count: sizes.reduce(0, +)))
    // In another order than the sequences'.
    let starts = Block([sizes[1] + sizes[2], sizes[2], 0])
    try network.run(input, upTo: boundary, into: rows.pointer, starts: starts.base)
    let half = SequenceRows(
      .features(rows.base, width: 1), count: 3, steps: 3, starts: starts.base, lengths: lengths.base)
    let again = try network.run(half, from: boundary)
    #expect(Array(UnsafeBufferPointer(start: again.rows, count: again.count * again.width)) == expected)
    // The longest comes first.
    let places = Block([0, 0, 0])
    network.locateOutputs(starts: Block([10, 20, 30]).base, isPerStep: false, into: places.pointer)
    #expect((0..<3).map { places.base[$0] } == [20, 10, 30])
    #expect(throws: ShapeError.self) { try network.run(input, from: boundary) }
  }

  /// Sequences give what each gives by itself, in whatever order their rows lie: rows that lie in order are copied at once.
  @Test(arguments: [[0, 1, 2, 3], [3, 1, 0, 2], [1, 2, 3, 4], [0, 1, 1, 3], [4]], [1, 2])
  func rowsMayLieAnywhere(_ starts: [Int], steps: Int) throws {
    let network = Network(
      LSTMModel(
        ModelConfiguration(PlainStack(input: .features(size: 3), layers: [.init(hiddenSize: 4)], readout: .last)),
        seed: 3))
    let rows = Block((0..<18).map { Float($0 * $0 % 7) - 3 })
    func outputs(_ starts: [Int]) throws -> [Float] {
      let output = try network.run(
        SequenceRows(.features(rows.base, width: 3), count: starts.count, steps: steps, starts: Block(starts).base))
      return Array(UnsafeBufferPointer(start: output.rows, count: output.count * output.width))
    }
    let each = try starts.map { try outputs([$0]) }
    #expect(try outputs(starts) == each.flatMap { $0 })
    // A sequence beside another is copied row by row.
    #expect(try Array(outputs([starts[0], 0]).prefix(4)) == each[0])
  }
}

/// Values that stay where they are, until the tests end.
private struct Block<Element: BitwiseCopyable> {
  let pointer: UnsafeMutablePointer<Element>
  var base: UnsafePointer<Element> { UnsafePointer(pointer) }

  init(_ values: [Element]) {
    pointer = .allocate(capacity: values.count)
    pointer.initialize(from: values, count: values.count)
  }
}
