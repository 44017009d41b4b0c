import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Training a tied embedding and decoder, and an embedding with a padding row, against PyTorch and otherwise.
@Suite struct TiedTrainingTests {
  static let tie = [["embedding.weight", "head.0.weight"]]
  static let goldens = fixtureNames(in: "golden-ties")

  static func tied(padding: Int? = nil) -> ModelConfiguration {
    .init(
      input: .tokens(vocabulary: 13, size: 6), layers: [.init(hiddenSize: 6)], readout: .all, head: [.init(size: 13)],
      paddingToken: padding, ties: tie)
  }

  static func projectName(_ name: String) -> String {
    name.replacing("decoder.", with: "head.0.").replacing("fc.", with: "head.0.")
  }

  @Test func everyCaseIsCovered() {
    let kinds = ["both", "padding", "stray", "tied"]
    #expect(Self.goldens == kinds.flatMap { kind in ["adam", "adamw", "sgd"].map { "\(kind)_\($0)" } })
  }

  @Test(arguments: goldens, PyTorchTrainingTests.paths)
  func twentyStepsFollowPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-ties/\(name).h5")
    let isTied = name.hasPrefix("tied") || name.hasPrefix("both")
    let padding = try golden.integer("padding_idx")
    var configuration = Self.tied(padding: padding < 0 ? nil : padding)
    if !isTied {
      configuration.plain.input = .tokens(vocabulary: 13, size: 5)
      configuration.plain.layers = [.init(hiddenSize: 7)]
      configuration.plain.readout = .last
      configuration.plain.head = [.init(size: 4)]
      configuration.ties = []
    }
    var model = LSTMModel(configuration)
    for (name, tensor) in try golden.tensors(in: "initial") { try model.set(Self.projectName(name), to: tensor) }
    let data = try SequenceData(
      inputs: .tokens(golden.integers("x").map(Int32.init), steps: 8),
      targets: .classes(golden.integers("y").map(Int32.init), perStep: isTied))

    var tuner = FineTuner(
      try FreezePlan(model), optimizer: try PyTorchTrainingTests.rule(golden), loss: .crossEntropy,
      options: PyTorchTrainingTests.plain(epochs: 20, batchSize: 6))
    let clip = try golden.double("clip_norm")
    tuner.options.clipNorm = clip > 0 ? clip : nil
    var (losses, norms) = ([Double](), [Double]())
    let run = try tuner.fit(model, data, kernels: PyTorchTrainingTests.kernels(path)) { event in
      guard case .step(let step) = event else { return }
      losses.append(step.loss)
      norms.append(step.gradientNorm)
    }
    let (wantedLosses, wantedNorms) = (try golden.doubles("losses"), try golden.doubles("norms"))
    #expect(losses.count == 20)
    for (found, wanted) in zip(losses, wantedLosses) { #expect(abs(found - wanted) <= 1e-5 * wanted) }
    for (found, wanted) in zip(norms, wantedNorms) { #expect(abs(found - wanted) <= 1e-5 * max(wanted, 1)) }
    for (name, tensor) in try golden.tensors(in: "after") {
      let found = try #require(run.last[Self.projectName(name)])
      #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
    }
    // A padding row of zeros keeps every bit, but for what it is tied to.
    if name.hasPrefix("padding") {
      #expect(run.last["embedding.weight"]?.values.prefix(5).allSatisfy { $0 == 0 } == true)
    }
  }

  // MARK: - What trains

  @Test(arguments: ["embedding", "head", "head.0", "embedding.weight", "head.0.weight", "*.weight"])
  func whoeverFreezesOnePlaceFreezesTheOther(_ selector: String) throws {
    let plan = try FreezePlan(Self.tied(), freezing: [selector])
    let frozen = Set(zip(plan.parameters, plan.trainable).filter { !$1 }.map(\.0.name))
    #expect(frozen.contains("embedding.weight"))
    #expect(frozen.contains("head.0.bias") == ["head", "head.0"].contains(selector))
    #expect(
      plan.notes == [
        "embedding.weight and head.0.weight are one parameter (tied), frozen as one, by freezing \(selector)"
      ])
    #expect(plan.frozenCount + plan.trainableCount == Self.tied().parameterCount)
    let thawed = try FreezePlan(Self.tied(), freezing: ["*"], unfreezing: [selector])
    #expect(zip(thawed.parameters, thawed.trainable).contains { $0.name == "embedding.weight" && $1 })
  }

  @Test func itCountsOnce() throws {
    let plan = try FreezePlan(Self.tied())
    #expect(plan.trainableCount == 13 * 6 + 13 + 2 * 24 * 6 + 2 * 24)
    #expect(plan.groups.map(\.parameterCount) == [78, 336, 13])
    #expect(plan.notes == ["embedding.weight and head.0.weight are one parameter (tied), trained as one"])
    #expect(try FreezePlan(Self.tied().untying(\.isHead)).notes.isEmpty)
  }

  @Test func aFrozenTieKeepsItsBytes() throws {
    let model = LSTMModel(Self.tied(), seed: 3)
    let data = try Self.data()
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["embedding"]), optimizer: .adamW(learningRate: 0.01, weightDecay: 0.1),
      loss: .crossEntropy, options: .init(epochs: 2, batchSize: 4))
    let run = try tuner.fit(model, data)
    #expect(run.last["embedding.weight"] == model["embedding.weight"])
    #expect(run.last["head.0.bias"] != model["head.0.bias"])
  }

  static func data() throws -> SequenceData {
    var random = RandomNumbers(seed: 5)
    let tokens = (0..<10 * 9).map { _ in Int32.random(in: 0..<13, using: &random) }
    return try SequenceData(
      inputs: .tokens((0..<90).filter { $0 % 9 < 8 }.map { tokens[$0] }, steps: 8),
      targets: .classes((0..<90).filter { $0 % 9 > 0 }.map { tokens[$0] }, perStep: true))
  }

  @Test func theLastRateCounts() throws {
    let plan = try FreezePlan(Self.tied(), rates: [.init("embedding", 0.1), .init("head", 0.2)])
    #expect(plan.rates(base: 1, phase: 0).first == 0.2)
    #expect(plan.notes[0].description.hasSuffix("; of its rates the last counts, that of head"))
    #expect(try !FreezePlan(Self.tied(), rates: [.init("embedding", 0.1)]).notes[0].contains("rates"))
  }

  /// As fast.ai's groups of a language model: the encoder goes with the decoder, which trains first and fastest.
  @Test(arguments: [Recipe.headFirst, .ulmfit])
  func recipesTakeItWithTheHead(_ recipe: Recipe) throws {
    let plan = try FreezePlan(Self.tied(), recipe: recipe)
    let first = zip(plan.parameters, plan.phases[0].trainable).filter(\.1).map(\.0.name)
    #expect(first == ["embedding.weight", "head.0.bias"])
    #expect(plan.rates(base: 1, phase: 0).first == 1)
  }

  @Test func adaptersDoNotGoOnATiedTable() throws {
    let lora = LoRA(rank: 2, alpha: 2, targets: ["head"])
    #expect(
      message { _ = try FreezePlan(Self.tied(), lora: lora) }
        == "loraTargets head: embedding.weight and head.0.weight are one parameter, and an adapter on one of them would part them"
    )
    let plan = try FreezePlan(Self.tied(), lora: LoRA(rank: 2, alpha: 2))
    #expect(zip(plan.parameters, plan.trainable).filter(\.1).map(\.0.name).contains("embedding.weight") == false)
    #expect(plan.notes[0].contains("frozen as one, and no adapter can be put on it; unfreezing embedding"))
    let thawed = try FreezePlan(Self.tied(), unfreezing: ["embedding"], lora: LoRA(rank: 2, alpha: 2))
    #expect(thawed.trainable[0])
  }

  // MARK: - Resuming

  @Test(arguments: [1, 3, 4])
  func aResumedRunHasTheBitsOfOneThatWasNot(_ stop: Int) throws {
    final class Counter: @unchecked Sendable { var steps = 0 }
    let folder = try TemporaryFolder()
    let model = LSTMModel(Self.tied(padding: 2), seed: 3)
    let data = try Self.data()
    var tuner = FineTuner(
      try FreezePlan(model), optimizer: .adamW(learningRate: 0.01, weightDecay: 0.1), loss: .crossEntropy,
      options: .init(epochs: 3, batchSize: 4, seed: 2))
    let whole = try tuner.fit(model, data)
    let run = try RunFolder(folder.path("run"))
    let counter = Counter()
    tuner.shouldStop = { counter.steps >= stop }
    let part = try tuner.fit(model, data) { event in
      if case .step = event { counter.steps += 1 }
      try run.record(event)
    }
    #expect(part.ending == .interrupted)
    let stored = try Checkpoint(path: run.file("last.h5"))
    #expect(stored.extras.count { $0.name.hasPrefix("training/first/") } == 6)
    tuner.shouldStop = { false }
    let resumed = try tuner.fit(model, data, resuming: ResumePoint(run: run.path))
    #expect(allValues(resumed.last) == allValues(whole.last))
    #expect(resumed.last.configuration == model.configuration)
  }
}
