import FileIO
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// What masks are: how many, how large, when they differ and when they must not. Their gradients are checked with all
/// others in `GradientCheckTests`.
@Suite struct RegularizationTests {
  static let everything = Regularization(
    dropout: 0.2, inputDropout: 0.3, hiddenDropout: 0.25, outputDropout: 0.4, embeddingDropout: 0.1, weightDrop: 0.5,
    activationRegularization: 2, temporalActivationRegularization: 1)

  static let stack = ModelConfiguration(
    input: .tokens(vocabulary: 61, size: 33),
    layers: [.init(hiddenSize: 35, isBidirectional: true), .init(hiddenSize: 66, projectionSize: 41)], readout: .all,
    head: [.init(size: 3)])

  static func batch(count: Int = 25, steps: Int = 9, seed: UInt64 = 4) throws -> SequenceBatch {
    var random = RandomNumbers(seed: seed)
    return try SequenceBatch(
      tokens: (0..<count * steps).map { _ in Int32.random(in: 0..<61, using: &random) }, count: count, steps: steps,
      lengths: (0..<count).map { _ in Int.random(in: 1...steps, using: &random) })
  }

  /// Every mask of a pass.
  static func masks(
    _ rule: Regularization, seed: UInt64 = 1, step: Int = 1, kernels: Kernels = .best, batch: SequenceBatch? = nil
  ) throws -> ReferenceMasks {
    let network = Network(LSTMModel(stack, seed: 1), kernels: kernels)
    _ = try network.forward(batch ?? Self.batch(), regularization: .init(rule, seed: seed, step: step))
    return ReferenceMasks(network)
  }

  static func values(_ masks: ReferenceMasks) -> [[Double]] {
    masks.places.sorted { $0.key < $1.key }.map { $0.value.joined().flatMap { $0 } } + [masks.embedding ?? []]
      + masks.weights.sorted { $0.key < $1.key }.map(\.value)
  }

  // MARK: - Statistics

  /// Of n independent factors, those kept are within four standard deviations of n (1 - p), and are 1 / (1 - p).
  static func expectDrop(_ factors: [Double], _ probability: Float, _ what: String) {
    let p = Double(probability)
    let kept = factors.filter { $0 != 0 }
    let deviation = (Double(factors.count) * p * (1 - p)).squareRoot()
    #expect(abs(Double(kept.count) - Double(factors.count) * (1 - p)) <= 4 * deviation, "\(what)")
    #expect(kept.allSatisfy { $0 == Double(Float(1 / (1 - p))) }, "\(what)")
  }

  @Test(arguments: [0.1, 0.5, 0.9] as [Float]) func asManyAreDroppedAsWasSaid(_ p: Float) throws {
    let locked = try Self.masks(
      .init(inputDropout: p, hiddenDropout: p, outputDropout: p, embeddingDropout: p, weightDrop: p))
    for (place, width) in [(0, 33), (1, 70), (2, 41)] {
      let rows = try #require(locked.places[place])
      // One mask a sequence, the same at all steps.
      #expect(rows.allSatisfy { steps in steps.allSatisfy { $0 == steps[0] && $0.count == width } })
      Self.expectDrop(rows.flatMap { $0[0] }, p, "place \(place)")
    }
    Self.expectDrop(try #require(locked.embedding), p, "embedding")
    #expect(locked.weights.count == 3)
    for (name, factors) in locked.weights { Self.expectDrop(factors, p, name) }

    let elements = try Self.masks(.init(dropout: p))
    #expect(Array(elements.places.keys) == [1] && elements.embedding == nil && elements.weights.isEmpty)
    Self.expectDrop(try #require(elements.places[1]).joined().flatMap { $0 }, p, "elements")
    #expect(try #require(elements.places[1]).contains { steps in steps.contains { $0 != steps[0] } })
  }

  @Test func bothDropoutsOfALayerAreMultiplied() throws {
    let both = try #require(Self.masks(.init(dropout: 0.5, hiddenDropout: 0.75)).places[1])
    let locked = try #require(Self.masks(.init(hiddenDropout: 0.75)).places[1])
    let elements = try #require(Self.masks(.init(dropout: 0.5)).places[1])
    for (b, (l, e)) in zip(both.joined(), zip(locked.joined(), elements.joined())) {
      #expect(b == zip(l, e).map { $0 * $1 })
    }
  }

  // MARK: - A function of the seed and the step

  @Test func masksFollowTheSeedAndTheStepAlone() throws {
    let once = Self.values(try Self.masks(Self.everything))
    #expect(Self.values(try Self.masks(Self.everything)) == once)
    for other in [
      try Self.masks(Self.everything, seed: 2), try Self.masks(Self.everything, step: 2),
      try Self.masks(Self.everything, step: 1 << 32 | 1),
    ] {
      for (a, b) in zip(Self.values(other), once) { #expect(a.count == b.count && a != b) }
    }
    // Rows of a mask, and masks of a pass, are not the same numbers again.
    #expect(Set(once.map { $0.prefix(30) }).count == once.count)
  }

  /// The mask of a sequence does not depend on how long the others are, nor on how many there are.
  @Test func theMaskOfASequenceIsItsOwn() throws {
    let (many, few) = (try Self.batch(), try Self.batch(count: 3, seed: 9))
    let (a, b) = (try Self.masks(Self.everything, batch: many), try Self.masks(Self.everything, batch: few))
    #expect(a.embedding == b.embedding && a.weights == b.weights)
    for place in 0...2 {
      for (x, y) in zip(try #require(a.places[place]), try #require(b.places[place])) {
        #expect(zip(x, y).allSatisfy { $0 == $1 })
      }
    }
  }

  /// Outputs, penalties and gradients, to the bit.
  static func trace(_ network: Network, _ batch: SequenceBatch, _ draw: Regularization.Draw?) throws -> [[UInt32]] {
    let output = try network.forward(batch, regularization: draw)
    let gradients = ParameterStore(network.configuration.parameters)
    let penalty = network.penalty
    try network.backward(output, into: gradients, trainable: gradients.slots.map { _ in true })
    return [
      output.values.map(\.bitPattern), [Float(penalty.activation).bitPattern, Float(penalty.sum).bitPattern],
    ] + gradients.slots.indices.map { gradients.values($0).map(\.bitPattern) }
  }

  @Test(arguments: KernelTests.paths) func threadsDoNotShow(_ path: String) throws {
    var kernels = try KernelTests.kernels(path)
    let (model, batch) = (LSTMModel(Self.stack, seed: 1), try Self.batch())
    var traces: [[[UInt32]]] = []
    for threads in 1...3 {
      kernels.threads = threads
      traces.append(
        try Self.trace(Network(model, kernels: kernels), batch, .init(Self.everything, seed: 3, step: 4)))
      #expect(
        Self.values(try Self.masks(Self.everything, kernels: kernels)) == Self.values(try Self.masks(Self.everything)))
    }
    #expect(traces[0] == traces[1] && traces[0] == traces[2])
  }

  // MARK: - Off

  /// With nothing on, and after a pass with everything on, a pass is as it was.
  @Test(arguments: KernelTests.paths) func offIsAsBefore(_ path: String) throws {
    let model = LSTMModel(Self.stack, seed: 1)
    let batch = try Self.batch()
    let plain = try Self.trace(Network(model, kernels: KernelTests.kernels(path)), batch, nil)
    let network = Network(model, kernels: try KernelTests.kernels(path))
    #expect(try Self.trace(network, batch, .init(Regularization(), seed: 1, step: 1)) == plain)
    #expect(network.directions[0].allSatisfy { $0.readsTable })
    let dropped = try Self.trace(network, batch, .init(Self.everything, seed: 1, step: 1))
    for (a, b) in zip(dropped, plain) { #expect(a.count == b.count && a != b) }
    #expect(!network.directions[0].contains { $0.readsTable })
    #expect(try Self.trace(network, batch, nil) == plain)
    #expect(network.penalty == Regularization.Penalty())
    // Weight drop works on a copy.
    for index in network.weights.slots.indices {
      #expect(network.weights.values(index) == model.parameters.values(index))
    }
  }

  /// Gradients are added to what is there, with weight drop as without.
  @Test func gradientsAreAdded() throws {
    let network = Network(LSTMModel(Self.stack, seed: 1))
    let (batch, draw) = (try Self.batch(), Regularization.Draw(Self.everything, seed: 1, step: 1))
    let (once, twice) = (ParameterStore(Self.stack.parameters), ParameterStore(Self.stack.parameters))
    let all = once.slots.map { _ in true }
    for (store, times) in [(once, 1), (twice, 2)] {
      for _ in 0..<times {
        let output = try network.forward(batch, regularization: draw)
        try network.backward(output, into: store, trainable: all)
      }
    }
    for (index, slot) in once.slots.enumerated() {
      let (a, b) = (once.values(index), twice.values(index))
      #expect(relativeDifference(b, a.map { 2 * $0 }) <= 1e-5 && a.contains { $0 != 0 }, "\(slot.name)")
    }
    // What was dropped gets none.
    for direction in network.directions.joined() {
      let gradient = once.values(direction.parameters.recurrentWeight)
      #expect(gradient.indices.allSatisfy { direction.recurrentFactors.pointer[$0] != 0 || gradient[$0] == 0 })
    }
  }

  // MARK: - Frozen bottoms

  /// A pass over what the frozen prefix gave is the pass from the input, masks included; nothing below is dropped.
  @Test(arguments: [0, 1, 2, 3], [PlainStack.Readout.all, .mean, .attention])
  func aPassFromTheMiddleIsThePassFromTheInput(_ frozen: Int, _ readout: PlainStack.Readout) throws {
    for skip in [false, true] {
      var configuration = Self.stack
      (configuration.plain.skip, configuration.plain.readout) = (skip, readout)
      configuration.plain.head = [.init(size: 5, activation: .tanh), .init(size: 3)]
      let parts = ["embedding", "layer0", "layer1", "attention", "head.0"]
      // The embedding and layer 0; the stack; all but the head; all but its last layer.
      let below = Set(parts.prefix([2, 3, 4, 5][frozen]))
      let plan = GradientPlan(
        configuration, trainable: configuration.parameters.map { !below.contains(PassTests.part($0)) })
      let network = Network(LSTMModel(configuration, seed: 1))
      let draw = Regularization.Draw(Self.everything, seed: 3, step: 4)
      let batch = try Self.batch(count: 9)
      func trace(_ output: Network.Output) -> [[Float]] {
        let gradients = ParameterStore(configuration.parameters)
        let values = (0..<output.count * output.width).map { output.rows[$0] }
        var gradient = values
        gradient.withUnsafeMutableBufferPointer { values in
          if let base = values.baseAddress { network.backward(base, into: gradients, plan) }
        }
        return [values, [Float(network.penalty.sum)]] + gradients.slots.indices.map(gradients.values)
      }
      let whole = try batch.withRows { rows throws(ShapeError) in
        trace(try network.run(rows, for: plan, regularization: draw))
      }
      let plain = try batch.withRows { rows throws(ShapeError) in trace(try network.run(rows, for: plan)) }
      #expect((whole == plain) == (frozen == 3))
      // What lies below the plan's entry, once.
      let lengths = try #require(batch.lengths)
      let sizes = lengths.map { network.blockSize(at: plan.entry, steps: $0) }
      let starts = sizes.indices.map { sizes[..<$0].reduce(0, +) }
      var kept = [Float](repeating: .nan, count: sizes.reduce(0, +))
      try kept.withUnsafeMutableBufferPointer { kept throws(ShapeError) in
        try starts.withUnsafeBufferPointer { starts throws(ShapeError) in
          guard let base = kept.baseAddress, let first = starts.baseAddress else { return }
          try batch.withRows { rows throws(ShapeError) in
            try network.run(rows, upTo: plan.entry, into: base, starts: first)
          }
          let cached = try lengths.withUnsafeBufferPointer { lengths throws(ShapeError) in
            trace(
              try network.run(
                SequenceRows(
                  .features(base, width: 1), count: 9, steps: batch.steps, starts: first,
                  lengths: lengths.baseAddress), from: plan.entry, for: plan, regularization: draw))
          }
          #expect(cached == whole, "skip \(skip)")
        }
      }
    }
  }

  /// With embedding dropout gradients go by row whether or not sums by token are possible; a frozen embedding's whole
  /// table is there again afterwards.
  @Test func theTokenTableIsLeftAlone() throws {
    let network = Network(LSTMModel(Self.stack, seed: 1))
    let batch = try Self.batch()
    let before = try network.forward(batch)
    #expect(network.directions[0].allSatisfy { $0.readsTable })
    let rule = Regularization(embeddingDropout: 0.3)
    func gradients(wantsInput: Bool) throws -> [[Float]] {
      let store = ParameterStore(Self.stack.parameters)
      let output = try network.forward(batch, regularization: .init(rule, seed: 1, step: 1))
      try network.backward(output, into: store, trainable: store.slots.map { _ in true }, wantsInput: wantsInput)
      return store.slots.indices.map(store.values)
    }
    let found = try gradients(wantsInput: false)
    #expect(try gradients(wantsInput: true) == found)
    let factors = try #require(ReferenceMasks(network).embedding)
    let embedding = try #require(network.weights.index(of: "embedding.weight"))
    for (token, factor) in factors.enumerated() {
      let row = found[embedding][token * 33..<(token + 1) * 33]
      #expect(factor != 0 || row.allSatisfy { $0 == 0 })
    }
    #expect(try network.forward(batch).values == before.values)
    #expect(network.directions[0].allSatisfy { $0.readsTable })
  }

  @Test func reachTellsWhereAPlanLetsItAct() {
    func reach(_ frozen: Set<String>, _ configuration: ModelConfiguration = Self.stack) -> [String] {
      let plan = GradientPlan(
        configuration, trainable: configuration.parameters.map { !frozen.contains(PassTests.part($0)) })
      return Self.everything.reach(in: configuration, plan).map { "\($0.kind) \($0.active) \($0.inactive)" }
    }
    let (input, one, top, head) = ("embedding", "layer0", "layer1", "head")
    let none: [String] = []
    #expect(
      reach([]) == [
        "dropout \([one]) \(none)", "inputDropout \([input]) \(none)", "hiddenDropout \([one]) \(none)",
        "outputDropout \([top]) \(none)", "embeddingDropout \([input]) \(none)",
        "weightDrop \([one, top]) \(none)", "activationRegularization \([top]) \(none)",
        "temporalActivationRegularization \([top]) \(none)",
      ])
    #expect(
      reach(["embedding", "layer0"]) == [
        "dropout \([one]) \(none)", "inputDropout \(none) \([input])", "hiddenDropout \([one]) \(none)",
        "outputDropout \([top]) \(none)", "embeddingDropout \(none) \([input])",
        "weightDrop \([top]) \([one])", "activationRegularization \([top]) \(none)",
        "temporalActivationRegularization \([top]) \(none)",
      ])
    #expect(
      reach(["embedding", "layer0", "layer1"]) == [
        "dropout \(none) \([one])", "inputDropout \(none) \([input])", "hiddenDropout \(none) \([one])",
        "outputDropout \([head]) \(none)", "embeddingDropout \(none) \([input])",
        "weightDrop \(none) \([one, top])", "activationRegularization \(none) \([top])",
        "temporalActivationRegularization \(none) \([top])",
      ])
    let single = ModelConfiguration(input: .features(size: 2), layers: [.init(hiddenSize: 3)])
    let plan = GradientPlan(single, trainable: single.parameters.map { _ in true })
    #expect(
      Self.everything.reach(in: single, plan).filter(\.isIdle).map(\.kind) == [
        .dropout, .hiddenDropout, .embeddingDropout,
      ])
  }

  // MARK: - What makes no sense

  @Test(
    arguments: [
      (.init(dropout: 1), "dropout: expected a number from 0 to below 1, found 1.0"),
      (.init(inputDropout: -0.5), "input dropout: expected a number from 0 to below 1, found -0.5"),
      (.init(weightDrop: .nan), "weight drop: expected a number from 0 to below 1, found nan"),
      (.init(activationRegularization: -1), "activation regularization: expected a number of at least 0, found -1.0"),
      (
        .init(temporalActivationRegularization: .infinity),
        "temporal activation regularization: expected a number of at least 0, found inf"
      ),
    ] as [(Regularization, String)])
  func probabilitiesThatAreNone(_ rule: Regularization, _ expected: String) throws {
    let network = Network(LSTMModel(Self.stack, seed: 1))
    let batch = try Self.batch(count: 2)
    let before = try network.forward(batch)
    let error = #expect(throws: ShapeError.self) {
      try network.forward(batch, regularization: .init(rule, seed: 1, step: 1))
    }
    #expect(error?.message.description == expected)
    #expect(try network.forward(batch) == before)
  }
}
