import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Schedules, groups, recipes and losses against PyTorch: twenty steps each.
@Suite struct RecipeTests {
  static let cases = fixtureNames(in: "golden-recipes")

  @Test func everyCaseIsThere() { #expect(Self.cases.count == 14) }

  @Test(arguments: cases)
  func twentyStepsFollowPyTorch(_ name: String) throws {
    let golden = try Golden("golden-recipes/\(name).h5")
    let isBidirectional = name.hasSuffix("bidirectional")
    let layer = PlainStack.Layer(hiddenSize: 7, isBidirectional: isBidirectional)
    let isClasses = name.hasPrefix("smoothing")
    let isPerStep = name == "smoothing_steps"
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [layer, layer],
      readout: isPerStep ? .all : isBidirectional ? .final : .last, head: [.init(size: isClasses ? 3 : 2)])
    let model = try PyTorchTrainingTests.model(configuration, golden.tensors(in: "initial"))
    let x = try golden.tensor("x")
    let data = try SequenceData(
      inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
      targets: isClasses
        ? .classes(golden.integers("y").map(Int32.init), perStep: isPerStep)
        : .values(golden.tensor("y").values, size: 2, perStep: false),
      lengths: golden.has("lengths") ? golden.integers("lengths") : nil)

    var rates: [LearningRateOverride] = []
    var options = PyTorchTrainingTests.plain(
      epochs: try golden.integer("epochs"), batchSize: try golden.integer("batch"))
    var recipe = Recipe.full
    switch name {
    case "discriminative":
      rates = [.init("layer1", 1e-2 / 2.6), .init("layer0", 1e-2 / 2.6 / 2.6)]
    case "own_rates": rates = [.init("lstm", 0.05), .init("layer0", 0.01)]
    case "one_cycle", "one_cycle_sgd": options.schedule = Schedule(.oneCycle())
    case "linear": options.schedule = Schedule(.linear(final: 0.1))
    case "cosine": options.schedule = Schedule(.cosine())
    case "step": options.schedule = Schedule(.step(epochs: 2, factor: 0.5))
    case "decay_of_weights": options.decaysBiases = false
    case "ulmfit": recipe = .ulmfit
    default: break
    }
    let tuner = FineTuner(
      try FreezePlan(model, recipe: recipe, rates: rates), optimizer: try PyTorchTrainingTests.rule(golden),
      loss: isClasses
        ? .crossEntropy(
          labelSmoothing: Float(try golden.double("smoothing")),
          classWeights: golden.has("class_weights") ? try golden.tensor("class_weights").values : nil)
        : .meanSquaredError,
      options: options)
    var (losses, paces): ([Double], [Double]) = ([], [])
    let run = try tuner.fit(model, data) { event in
      guard case .step(let step) = event else { return }
      losses.append(step.loss)
      paces.append(step.learningRate)
    }
    for (loss, expected) in zip(losses, try golden.doubles("losses")) {
      #expect(abs(loss - expected) <= 1e-5 * abs(expected))
    }
    let wanted = try golden.doubles("rates")
    #expect(paces.count == 20 && wanted.count == 20)
    for (rate, expected) in zip(paces, wanted) { #expect(abs(rate - expected) <= 1e-9 * expected) }
    for (tensor, expected) in try golden.tensors(in: "weights") {
      let found = try #require(run.last[PyTorchTrainingTests.projectName(tensor)])
      #expect(largestDifference(found.values, expected.values) <= 1e-5, "\(tensor)")
    }
  }

  @Test func oneCycleMovesTheMomentumAsPyTorch() throws {
    let golden = try Golden("golden-recipes/one_cycle.h5")
    let schedule = Schedule(.oneCycle())
    for (step, expected) in try golden.doubles("momenta").enumerated() {
      let factors = schedule.factors(step: step, of: 20, epoch: 0)
      #expect(abs(try #require(factors.momentum) - expected) <= 1e-12)
    }
  }

  @Test func plateauWaitsAndReducesAsPyTorch() {
    // torch.optim.lr_scheduler.ReduceLROnPlateau(patience=1, factor=0.5) on the same losses.
    let schedule = Schedule(.plateau(patience: 1, factor: 0.5))
    var plateau = Schedule.Plateau()
    let losses = [1.0, 0.9, 0.9, 0.89995, 0.5, 0.6, 0.7, 0.8, 0.9, 0.4]
    let factors = losses.map { loss in
      plateau.observe(loss, schedule)
      return plateau.factor
    }
    #expect(factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125])
  }

  /// JSON has no number for "no loss so far": the key is left out.
  @Test func aPlateauIsStoredAsItEverWas() throws {
    let schedule = Schedule(.plateau(patience: 1, factor: 0.5))
    var plateau = try JSONDecoder().decode(Schedule.Plateau.self, from: Data(#"{"factor":1,"badEpochs":0}"#.utf8))
    #expect(plateau == Schedule.Plateau())
    plateau.observe(0.75, schedule)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    #expect(String(decoding: try encoder.encode(plateau), as: UTF8.self) == #"{"badEpochs":0,"best":0.75,"factor":1}"#)
  }

  @Test func warmUpRisesToWhereTheScheduleBegins() {
    let linear = Schedule(.linear(), warmUp: 4)
    let rates = (0..<8).map { linear.factors(step: $0, of: 8, epoch: 0).rate }
    #expect(rates == [0.2, 0.4, 0.6, 0.8, 1, 0.75, 0.5, 0.25])
  }

  @Test func ratesOfFrozenPartsAreRefused() {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: 2)])
    do {
      _ = try FreezePlan(configuration, freezing: ["layer0"], rates: [.init("layer0", 1e-3)])
      Issue.record("accepted")
    } catch {
      #expect(error.message == "learningRateFor layer0: this part is frozen and has no learning rate")
    }
  }

  /// A run until somebody stops it.
  @Test func epochsWithoutEndAreFine() throws {
    struct Enough: Error {}
    let (model, data) = (featureModel(), try featureData(10))
    let tuner = FineTuner(
      try FreezePlan(model), options: .init(epochs: .max, batchSize: 4, schedule: Schedule(.cosine())))
    #expect(throws: Enough.self) {
      _ = try tuner.fit(model, data) { event in
        if case .epoch(let record) = event, record.number == 2 { throw Enough() }
      }
    }
  }

  @Test func headFirstLeavesTheRestForTheFirstEpoch() throws {
    let (model, data) = (featureModel(), try featureData(10))
    var models: [LSTMModel] = []
    let tuner = FineTuner(
      try FreezePlan(model, recipe: .headFirst), optimizer: .adam(learningRate: 0.01),
      options: .init(epochs: 2, batchSize: 4))
    _ = try tuner.fit(model, data) { event in
      if case .weights(let model, _, _) = event { models.append(model) }
    }
    for name in model.configuration.parameters.map(\.name) {
      let isHead = name.hasPrefix("head")
      #expect((models[0][name] != models[1][name]) == isHead, "\(name) in epoch 1")
      #expect(models[1][name] != models[2][name], "\(name) in epoch 2")
    }
  }
}
