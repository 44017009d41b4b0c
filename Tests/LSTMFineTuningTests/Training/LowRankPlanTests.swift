import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Low-rank adapters with freezing, recipes and rates of their own, in every combination: PyTorch's weights after twenty
/// steps, the same bits for a run that was stopped on its way, and each adapter moving as its own matrix is meant to.
@Suite struct LowRankPlanTests {
  /// What a case asks for.
  struct Request: Sendable, CustomTestStringConvertible {
    let number: Int
    let loraOn: [String]
    let freezing: [String]
    let recipe: Recipe
    let rates: [LearningRateOverride]
    /// It makes no sense.
    let isRefused: Bool

    var testDescription: String {
      let rates = rates.map { "\($0.selector)=\($0.learningRate)" }
      return "LoRA on \(loraOn), freezing \(freezing), recipe \(recipe.rawValue), rates \(rates)"
    }

    func plan(_ model: LSTMModel, rank: Int = 2, alpha: Double = 3) throws -> FreezePlan {
      try FreezePlan(
        model, freezing: freezing, recipe: recipe, rates: rates,
        lora: loraOn.isEmpty ? nil : LoRA(rank: rank, alpha: alpha, targets: loraOn))
    }
  }

  /// The fixture, read once.
  struct Fixture: Sendable {
    let golden: Golden
    let requests: [Request]
    let model: LSTMModel
    let data: SequenceData
    let losses: [Float]
    let weights: [Float]
    let order: [String]

    init() throws {
      let golden = try Golden("golden-lora/plans.h5")
      self.golden = golden
      func choices(_ name: String) throws -> [[String]] {
        try golden.text(name).split(separator: ";", omittingEmptySubsequences: false).map {
          $0.split(separator: ",").map(String.init)
        }
      }
      let (loraOn, freeze, recipes, rates) = (
        try choices("lora_on"), try choices("freeze"), try choices("recipe"), try choices("rates")
      )
      let numbers = try golden.integers("choices")
      requests = try (0..<numbers.count / 5).map { row in
        let choice = Array(numbers[row * 5..<row * 5 + 5])
        return Request(
          number: row, loraOn: loraOn[choice[0]], freezing: freeze[choice[1]],
          recipe: try #require(Recipe(rawValue: recipes[choice[2]][0])),
          rates: try rates[choice[3]].map { text in
            let sides = text.split(separator: "=")
            return LearningRateOverride(String(sides[0]), try #require(Double(sides[1])))
          }, isRefused: choice[4] == 1)
      }
      order = try golden.text("order").split(separator: ",").map(String.init)
      var model = LSTMModel(
        ModelConfiguration(
          input: .features(size: 2), layers: [.init(hiddenSize: 3), .init(hiddenSize: 3)], readout: .last,
          head: [.init(size: 2)]))
      for (name, tensor) in try golden.tensors(in: "initial") { try model.set(name, to: tensor) }
      self.model = model
      let x = try golden.tensor("x")
      data = try SequenceData(
        inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
        targets: .values(golden.tensor("y").values, size: 2, perStep: false))
      losses = try golden.tensor("losses").values
      weights = try golden.tensor("weights").values
    }

    func tuner(_ plan: FreezePlan) throws -> FineTuner {
      FineTuner(
        plan,
        optimizer: .adamW(
          learningRate: try golden.double("lr"), weightDecay: try golden.double("weight_decay")),
        options: .init(
          epochs: try golden.integer("epochs"), batchSize: try golden.integer("batch"),
          clipNorm: try golden.double("clip_norm"), shuffles: false, seed: UInt64(try golden.integer("seed"))))
    }
  }

  static let fixture = Result { try Fixture() }

  @Test func everyCombinationIsThere() throws {
    let requests = try Self.fixture.get().requests
    #expect(requests.count == 6 * 8 * 3 * 2 && requests.count { $0.isRefused } == 63)
  }

  @Test func twentyStepsFollowPyTorch() throws {
    let fixture = try Self.fixture.get()
    for request in fixture.requests {
      guard !request.isRefused else {
        #expect(throws: FineTuningError.self, "\(request.testDescription)") { try request.plan(fixture.model) }
        continue
      }
      var losses: [Double] = []
      let run = try fixture.tuner(request.plan(fixture.model)).fit(fixture.model, fixture.data) { event in
        if case .step(let step) = event { losses.append(step.loss) }
      }
      let wanted = fixture.losses[request.number * 20..<(request.number + 1) * 20]
      #expect(losses.count == 20)
      #expect(
        zip(losses, wanted).allSatisfy { abs($0 - Double($1)) <= 1e-5 * Double($1) }, "\(request.testDescription)")
      var found: [Float] = []
      for name in fixture.order { found += try #require(run.last[name]).values }
      let expected = fixture.weights[request.number * found.count..<(request.number + 1) * found.count]
      #expect(largestDifference(found, Array(expected)) <= 1e-5, "\(request.testDescription)")
    }
  }

  @Test(arguments: [3, 9]) func aRunThatWasStoppedGoesOnBitForBit(_ stop: Int) throws {
    let fixture = try Self.fixture.get()
    let folder = try TemporaryFolder()
    // Every recipe with every choice of adapters and freezing.
    for request in fixture.requests where !request.isRefused && request.rates.isEmpty {
      let tuner = try fixture.tuner(request.plan(fixture.model))
      let whole = try tuner.fit(fixture.model, fixture.data)
      let path = folder.path("run\(request.number)")
      let counter = Counter()
      var stopping = tuner
      stopping.shouldStop = { counter.steps >= stop }
      let files = try RunFolder(path)
      let first = try stopping.fit(fixture.model, fixture.data) { event in
        if case .step = event { counter.steps += 1 }
        try files.record(event)
      }
      #expect(first.ending == .interrupted)
      let point = try ResumePoint(run: path)
      #expect(point != nil)
      let second = try tuner.fit(fixture.model, fixture.data, resuming: point)
      #expect(allValues(second.last) == allValues(whole.last), "\(request.testDescription)")
    }
  }

  private final class Counter: @unchecked Sendable { var steps = 0 }

  /// With Adam, whose first step is the rate itself wherever there is a gradient: B, which begins at zero, is then as large
  /// as the rate of its own matrix.
  @Test(
    arguments: [["lstm"], ["layer1"], ["head", "layer0"], ["*"], ["lstm.weight_hh_*"]],
    [[], ["layer0"], ["layer1"], ["layer2.reverse"], ["head.0"], ["lstm.weight_ih_*"]])
  func eachAdapterMovesAtItsOwnMatrixesRate(_ targets: [String], _ freezing: [String]) throws {
    let model = featureModel(
      3, layers: [.init(hiddenSize: 4), .init(hiddenSize: 3), .init(hiddenSize: 4, isBidirectional: true)],
      readout: .final, outputs: 2)
    let data = try featureData(8, size: 3, outputs: 2)
    for recipe in Recipe.allCases {
      let rates = [LearningRateOverride("lstm.weight_hh_l0", 3e-4), .init("head", 5e-3)]
      let lora = LoRA(rank: 2, alpha: 2, targets: targets)
      // A rate for what does not train is refused; such combinations go without.
      guard
        let plan = (try? FreezePlan(model, freezing: freezing, recipe: recipe, rates: rates, lora: lora))
          ?? (try? FreezePlan(model, freezing: freezing, recipe: recipe, lora: lora))
      else {
        #expect(targets == ["layer1"] && freezing == ["layer1"])
        continue
      }
      var tuner = FineTuner(
        plan, optimizer: .adam(learningRate: 1e-2), options: .init(epochs: 4, batchSize: 8, clipNorm: nil))
      tuner.options.schedule = .constant
      var states: [TrainingState] = []
      _ = try tuner.fit(model, data) { event in
        if case .weights(_, let state, _) = event { states.append(state) }
      }
      #expect(states.count == 5)
      let adapted = try lora.adapted(of: model.configuration).filter { index in
        !freezing.contains { selector in
          (try? Selection(selector, of: plan.parameters).indices.contains(index)) ?? false
        }
      }
      func adapters(_ state: TrainingState) -> [String: StoredTensor] {
        Dictionary(
          state.moments.filter { $0.name.hasPrefix("training/adapters/") }.map { ($0.name, $0) },
          uniquingKeysWith: { first, _ in first })
      }
      // No adapter but those of what trains.
      #expect(
        Set(adapters(states[0]).keys)
          == Set(
            adapted.flatMap { index in ["A", "B"].map { "training/adapters/lora.\(plan.parameters[index].name).\($0)" }
            }))
      for index in adapted {
        let name = "training/adapters/lora.\(plan.parameters[index].name).B"
        let first = try #require(plan.phases.firstIndex { $0.trainable[index] })
        let firstEpoch = plan.phases[first].firstEpoch
        for epoch in 0...4 {
          let b = try #require(adapters(states[epoch])[name]).floats()
          let largest = Double(b.reduce(0) { max($0, abs($1)) })
          if epoch < firstEpoch {
            #expect(largest == 0, "\(name) in epoch \(epoch) of \(recipe)")
          } else if epoch == firstEpoch {
            let rate = plan.rates(base: 1e-2, phase: plan.phase(ofEpoch: epoch))[index]
            #expect(abs(largest / rate - 1) < 1e-3, "\(name) in epoch \(epoch) of \(recipe): \(largest), not \(rate)")
          }
        }
      }
    }
  }

  // MARK: - What freezing says beside adapters

  static let stack = featureModel(layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)])

  @Test func gatesThatAreAllFrozenAreAFrozenLayer() throws {
    let gates = ["input", "forget", "cell", "output"].map { "layer0.\($0)" }
    for freezing in [gates, ["layer0", "layer0.forget"], ["layer0.forget", "layer0"]] {
      let plan = try FreezePlan(Self.stack, freezing: freezing, lora: LoRA(rank: 1, alpha: 1))
      #expect(plan.groups.map(\.status) == [.frozen, .lowRank, .trainable], "\(freezing)")
    }
    #expect(
      message { _ = try FreezePlan(Self.stack, freezing: ["layer0.forget"], lora: LoRA(rank: 1, alpha: 1)) }
        == "freezing layer0.forget: its matrices move by low-rank adapters, which move all gates")
  }

  @Test func whatIsUnfrozenAgainGetsItsAdapter() throws {
    let plan = try FreezePlan(
      Self.stack, freezing: ["layer0.forget"], unfreezing: ["layer0"], lora: LoRA(rank: 1, alpha: 1))
    #expect(plan.groups.map(\.status) == [.lowRank, .lowRank, .trainable])
  }
}
