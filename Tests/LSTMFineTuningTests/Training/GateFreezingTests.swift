import FileIO
import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Freezing some gates of a layer: blocks of rows in its matrices and biases.
@Suite struct GateFreezingTests {
  static let peepholes = featureModel(
    3,
    layers: [.init(hiddenSize: 5, hasPeepholes: true), .init(hiddenSize: 7, isBidirectional: true, projectionSize: 4)])

  /// For each parameter, the elements that differ.
  static func moved(_ before: LSTMModel, _ after: LSTMModel) -> [String: Set<Int>] {
    var moved: [String: Set<Int>] = [:]
    for (index, slot) in before.parameters.slots.enumerated() {
      let (old, new) = (before.parameters.values(index), after.parameters.values(index))
      let different = old.indices.filter { old[$0].bitPattern != new[$0].bitPattern }
      if !different.isEmpty { moved[slot.name] = Set(different) }
    }
    return moved
  }

  static func rows(_ rows: Range<Int>, of width: Int) -> Set<Int> {
    Set(rows.lowerBound * width..<rows.upperBound * width)
  }

  static let rules: [Optimizer] = [
    .adamW(learningRate: 0.01, weightDecay: 0.3, isAMSGrad: true), .adam(learningRate: 0.01, weightDecay: 0.3),
    .sgd(learningRate: 0.05, momentum: 0.9, weightDecay: 0.3),
  ]

  @Test(arguments: rules) func frozenGatesKeepEveryBitAndTheOthersMove(_ rule: Optimizer) throws {
    let model = Self.peepholes
    let plan = try FreezePlan(
      model, freezing: ["*", "layer0.forget"], unfreezing: ["layer0.input", "layer0.o", "layer1.reverse.cell"])
    let run = try FineTuner(plan, optimizer: rule, options: .init(epochs: 3, batchSize: 5)).fit(
      model, featureData(20, size: 3))
    let moved = Self.moved(model, run.last)
    let blocks = { (width: Int) in Self.rows(0..<5, of: width).union(Self.rows(15..<20, of: width)) }
    #expect(
      moved == [
        "lstm.weight_ih_l0": blocks(3), "lstm.weight_hh_l0": blocks(5), "lstm.bias_ih_l0": blocks(1),
        "lstm.bias_hh_l0": blocks(1),
        // i, f, o; of these i and o move.
        "lstm.peephole_l0": Self.rows(0..<5, of: 1).union(Self.rows(10..<15, of: 1)),
        "lstm.weight_ih_l1_reverse": Self.rows(14..<21, of: 5), "lstm.weight_hh_l1_reverse": Self.rows(14..<21, of: 4),
        "lstm.bias_ih_l1_reverse": Self.rows(14..<21, of: 1), "lstm.bias_hh_l1_reverse": Self.rows(14..<21, of: 1),
      ])
    #expect(plan.trainableCount == moved.values.reduce(0) { $0 + $1.count })
    #expect(plan.trainableCount + plan.frozenCount == plan.parameters.reduce(0) { $0 + $1.elementCount })
    #expect(plan.groups.map(\.status) == [.mixed, .mixed, .passesGradient])
  }

  /// The norm that is reported and clipped is that of the gates that train.
  @Test func frozenGatesAreOutsideTheNorm() throws {
    let model = featureModel(layers: [.init(hiddenSize: 3)])
    let data = try featureData(8)
    func squares(_ freezing: [String], clip: Double?) throws -> (norm: Double, model: LSTMModel) {
      var norms: [Double] = []
      let tuner = FineTuner(
        try FreezePlan(model, freezing: ["head"] + freezing), optimizer: .sgd(learningRate: 1),
        options: .init(epochs: 1, batchSize: 8, clipNorm: clip, shuffles: false))
      let run = try tuner.fit(model, data) { event in
        if case .step(let step) = event { norms.append(step.gradientNorm) }
      }
      return (norms[0] * norms[0], run.last)
    }
    let whole = try squares([], clip: nil).norm
    let gates = Gate.of(.lstm).map { "layer0.\($0.name)" }
    var sum = 0.0
    for gate in gates { sum += try squares(gates.filter { $0 != gate }, clip: nil).norm }
    #expect(abs(sum - whole) < 1e-6 * whole)
    // Clipped to a norm, a step of plain descent is as long.
    let clipped = try squares(Array(gates.dropFirst()), clip: 1e-3).model
    var length = 0.0
    for (index, slot) in model.parameters.slots.enumerated() where slot.name.hasPrefix("lstm") {
      for (old, new) in zip(model.parameters.values(index), clipped.parameters.values(index)) {
        length += Double(new - old) * Double(new - old)
      }
    }
    #expect(abs(length.squareRoot() - 1e-3) < 2e-5)
  }

  @Test func namesAndLetters() throws {
    let parameters = Self.peepholes.configuration.parameters
    for (name, letter) in zip(Gate.of(.lstm).map(\.name), ["i", "f", "g", "o"]) {
      let (long, short) = (
        try FreezePlan(Self.peepholes, freezing: ["lstm.\(name)"]),
        try FreezePlan(Self.peepholes, freezing: ["lstm.\(letter)"])
      )
      #expect(long.parts == short.parts)
      // Projections have no gates, peepholes none for g.
      for (parameter, parts) in zip(parameters, long.parts) {
        let isWhole = parts == [0..<parameter.elementCount]
        let hasGate =
          parameter.name.hasPrefix("lstm.") && !parameter.name.contains("weight_hr")
          && !(letter == "g" && parameter.name.contains("peephole"))
        #expect(isWhole != hasGate, "\(parameter.name)")
      }
    }
    #expect(
      try FreezePlan(Self.peepholes, freezing: ["lstm.bias_*_l1.forget"]).frozenNames == [
        "lstm.bias_ih_l1 (forget)", "lstm.bias_hh_l1 (forget)",
      ])
    // All four are the whole.
    let all = try FreezePlan(Self.peepholes, freezing: Gate.of(.lstm).map { "layer1.\($0.name)" })
    #expect(
      all.parts.enumerated().filter(\.element.isEmpty).map { parameters[$0.offset].name }
        == parameters.map(\.name).filter { $0.contains("_l1") && !$0.contains("weight_hr") })
  }

  @Test(arguments: [
    (["layer0.forgt"], "\"layer0.forgt\" matches no part of this model"),
    (["head.forget"], "\"head.forget\" matches no part of this model"),
    (["layer9.forget"], "\"layer9.forget\" matches no part of this model"),
    (["lstm.weight_hr*.forget"], "\"lstm.weight_hr*.forget\" matches no part of this model"),
  ])
  func whatIsNoGate(_ freezing: [String], _ expected: String) {
    #expect(message { _ = try FreezePlan(Self.peepholes, freezing: freezing) } == expected)
  }

  @Test func nearMatchesHaveGates() {
    do {
      _ = try FreezePlan(Self.peepholes, freezing: ["layer0.forgt"])
      Issue.record("nothing was thrown")
    } catch {
      #expect(error.advice.first?.contains("layer0.forget") == true)
    }
  }

  @Test func whatDoesNotGoWithGates() {
    #expect(
      message { _ = try FreezePlan(Self.peepholes, rates: [.init("layer0.forget", 0.1)]) }
        == "learningRateFor layer0.forget: gates of a layer share one rate")
    #expect(
      message {
        _ = try FreezePlan(
          Self.peepholes, freezing: ["layer0.forget"], lora: LoRA(rank: 2, alpha: 2, targets: ["lstm"]))
      }
        == "freezing layer0.forget: its matrices move by low-rank adapters, which move all gates")
  }

  /// Frozen is frozen: no adapter moves it.
  @Test func whatIsFrozenByNameGetsNoAdapter() throws {
    let lora = LoRA(rank: 2, alpha: 2, targets: ["lstm"])
    let plan = try FreezePlan(Self.peepholes, freezing: ["layer0"], lora: lora)
    let run = try FineTuner(plan, optimizer: .adam(learningRate: 0.01), options: .init(epochs: 1, batchSize: 5)).fit(
      Self.peepholes, featureData(10, size: 3))
    let moved = Self.moved(Self.peepholes, run.last)
    #expect(!moved.isEmpty && !moved.keys.contains { $0.hasSuffix("_l0") })
    #expect(plan.groups.map(\.status) == [.frozen, .lowRank, .trainable])
    #expect(
      message { _ = try FreezePlan(Self.peepholes, freezing: ["lstm"], lora: lora) }
        == "freezing lstm: nothing is left that a low-rank adapter could be put on")
  }

  /// Gates of a layer that adapters leave alone may be frozen beside them.
  @Test func gatesBesideAdapters() throws {
    let plan = try FreezePlan(
      Self.peepholes, freezing: ["layer0.forget"], unfreezing: ["layer0.cell"],
      lora: LoRA(rank: 2, alpha: 2, targets: ["layer1"]))
    let run = try FineTuner(plan, optimizer: .adam(learningRate: 0.01), options: .init(epochs: 1, batchSize: 5)).fit(
      Self.peepholes, featureData(10, size: 3))
    let moved = Self.moved(Self.peepholes, run.last)
    #expect(moved["lstm.weight_hh_l0"] == Self.rows(10..<15, of: 5) && moved["lstm.weight_hh_l1"] != nil)
  }
}
