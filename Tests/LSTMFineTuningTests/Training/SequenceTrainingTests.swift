import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Training with losses of whole sequences: PyTorch's trajectories, freezing, threads, and what a model gets for them.
@Suite struct SequenceTrainingTests {
  static let paths = Kernels.available.map(\.name)

  struct Trajectory {
    var losses: [Double]
    var start: LSTMModel
    var run: FineTuner.Run
    var data: SequenceData
  }

  static func follow(
    _ name: String, _ configuration: ModelConfiguration, _ optimizer: Optimizer, _ loss: Loss,
    kernels: Kernels = .best, freezing: [String] = [], caches: Bool = true
  ) throws -> Trajectory {
    let golden = try Golden("golden-crf/\(name).h5")
    var model = LSTMModel(configuration)
    for (key, tensor) in try golden.tensors(in: "initial") { try model.set(projectName(key), to: tensor) }
    let isOfLabels = if case .ctc = loss { true } else { false }
    let data = try ArrayData.load(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-crf/\(name).h5")),
      reading: configuration.input, needsTargets: true, labels: isOfLabels)
    var options = FineTuner.Options()
    (options.epochs, options.batchSize, options.shuffles, options.clipNorm) = (7, 4, false, nil)
    (options.patience, options.stopsOnFailure) = (nil, false)
    if !caches { options.cache = .off }
    let tuner = FineTuner(try FreezePlan(model, freezing: freezing), optimizer: optimizer, loss: loss, options: options)
    var losses: [Double] = []
    let run = try tuner.fit(model, data, kernels: kernels) { event in
      if case .step(let step) = event { losses.append(step.loss) }
    }
    return Trajectory(losses: losses, start: model, run: run, data: data)
  }

  static func projectName(_ name: String) -> String { name.replacing("fc.", with: "head.0.") }

  static func tagger(_ more: [Layer] = [Layer("crf", Layer.CRF())]) throws -> ModelConfiguration {
    var lstm = Layer.Recurrent(.lstm, size: 5)
    lstm.isBidirectional = true
    return try ModelConfiguration(
      inputs: [.init(.tokens(vocabulary: 13))],
      layers: [
        Layer("embedding", Layer.Embedding(size: 6)), Layer("layer0", lstm), Layer("head.0", Layer.Dense(size: 4)),
      ] + more)
  }

  static func train(
    _ tagger: ModelConfiguration, kernels: Kernels = .best, freezing: [String] = [], caches: Bool = true
  )
    throws -> Trajectory
  {
    try follow(
      "tagger", tagger, .adam(learningRate: 0.02), .crf(reduction: .tokenMean), kernels: kernels, freezing: freezing,
      caches: caches)
  }

  // MARK: - PyTorch's trajectories

  static func compare(_ found: Trajectory, _ name: String) throws {
    let golden = try Golden("golden-crf/\(name).h5")
    let losses = try golden.doubles("losses")
    #expect(found.losses.count == losses.count)
    for (loss, wanted) in zip(found.losses, losses) { #expect(abs(loss - wanted) <= 1e-5 * max(1, abs(wanted))) }
    for (key, tensor) in try golden.tensors(in: "weights") {
      let values = try #require(found.run.last[projectName(key)]).values
      let worst = zip(values, tensor.values).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
      #expect(worst <= 1e-5, "\(key): \(worst)")
    }
  }

  @Test(arguments: paths) func aTaggerFollowsPyTorch(_ path: String) throws {
    let kernels = try #require(Kernels.available.first { $0.name == path })
    let found = try Self.train(Self.tagger(), kernels: kernels)
    try Self.compare(found, "tagger")
    let evaluator = Evaluator(Network(found.run.last, kernels: kernels), loss: .crf(), batchSize: 5)
    let tags = try #require(try evaluator.tags(found.data)).tags
    let wanted = try Golden("golden-crf/tagger.h5").integers("tags_found")
    for (b, tags) in tags.enumerated() { #expect(tags == wanted[b * 9..<(b + 1) * 9].filter { $0 >= 0 }) }
  }

  @Test(arguments: paths) func aReaderFollowsPyTorch(_ path: String) throws {
    let kernels = try #require(Kernels.available.first { $0.name == path })
    let configuration = ModelConfiguration(
      PlainStack(input: .features(size: 3), layers: [.init(hiddenSize: 8)], readout: .all, head: [.init(size: 5)]))
    let found = try Self.follow(
      "reader", configuration, .sgd(learningRate: 0.05, momentum: 0.9), .ctc(), kernels: kernels)
    try Self.compare(found, "reader")
  }

  // MARK: - Freezing and threads

  @Test func theNumberOfThreadsChangesNothing() throws {
    var (one, four) = (Kernels.best, Kernels.best)
    (one.threads, four.threads) = (1, 4)
    let configuration = try Self.tagger()
    let (a, b) = (try Self.train(configuration, kernels: one), try Self.train(configuration, kernels: four))
    #expect(a.losses == b.losses)
    #expect(allValues(a.run.last) == allValues(b.run.last))
  }

  @Test func aFrozenChainStaysAndTheRestTrains() throws {
    let found = try Self.train(Self.tagger(), freezing: ["crf"])
    let (before, after) = (allValues(found.start), allValues(found.run.last))
    for name in ["crf.transitions", "crf.start_transitions", "crf.end_transitions"] {
      #expect(before[name] == after[name])
    }
    #expect(before["lstm.weight_ih_l0"] != after["lstm.weight_ih_l0"])
  }

  @Test func theChainAloneTrainsOnCachedScores() throws {
    let frozen = ["embedding", "layer0", "head.0"]
    let found = try Self.train(Self.tagger(), freezing: frozen)
    let plain = try Self.train(Self.tagger(), freezing: frozen, caches: false)
    #expect(found.losses == plain.losses)
    let (before, after) = (allValues(found.start), allValues(found.run.last))
    for (name, values) in before { #expect((after[name] != values) == name.hasPrefix("crf."), "\(name)") }
    #expect(after == allValues(plain.run.last))
    #expect(found.losses[18...].reduce(0, +) < found.losses[..<3].reduce(0, +))
  }

  @Test func aStreamIsNoWholeSequence() throws {
    var lstm = Layer.Recurrent(.lstm, size: 3)
    lstm.isBidirectional = false
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: 2))],
      layers: [Layer("layer0", lstm), Layer("head.0", Layer.Dense(size: 3)), Layer("crf", Layer.CRF())])
    let data = try SequenceData(
      inputs: .features(noise(2 * 4 * 2, seed: 1), steps: 4, size: 2), targets: Self.tags)
    let evaluator = Evaluator(Network(LSTMModel(configuration)), loss: .crf())
    #expect(try evaluator.evaluate(data).loss > 0)
    #expect(throws: ShapeError.self) { try evaluator.evaluate(StreamData(data, chunkSteps: 2)) }
  }

  @Test func aChainWithoutEndsHasNone() throws {
    var kind = Layer.CRF()
    kind.hasEnds = false
    let configuration = try Self.tagger([Layer("tags", kind)])
    #expect(configuration.parameters.map(\.name).filter { $0.hasPrefix("tags") } == ["tags.transitions"])
    var model = LSTMModel(configuration)
    for (key, tensor) in try Golden("golden-crf/tagger.h5").tensors(in: "initial") where !key.hasPrefix("crf") {
      try model.set(Self.projectName(key), to: tensor)
    }
    try model.set("tags.transitions", to: Tensor(zeros: [4, 4]))
    let data = try ArrayData.load(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-crf/tagger.h5")),
      reading: configuration.input, needsTargets: true)
    // Without scores of neighbors a CRF is a softmax for each step.
    let chain = try Evaluator(Network(model), loss: .crf(reduction: .tokenMean)).evaluate(data)
    let plain = try Evaluator(Network(model.reconfigured(Self.tagger([]))), loss: .crossEntropy).evaluate(data)
    #expect(abs(chain.loss - plain.loss) <= 1e-6 && chain.accuracy == plain.accuracy)
  }

  // MARK: - What a model gets for a loss

  static func fit(
    _ model: LSTMModel, _ targets: SequenceData.Targets, _ loss: Loss? = nil, head: HeadChoice = .keep,
    mayChangeModel: Bool = true
  ) throws -> TaskFit {
    let data = try SequenceData(inputs: .features(noise(2 * 4 * 2, seed: 1), steps: 4, size: 2), targets: targets)
    return try TaskFit(
      model, data, file: "d.h5", loss: loss, head: head, seed: 3, mayChangeModel: mayChangeModel)
  }

  static let tags = SequenceData.Targets.classes([0, 1, 2, 0, 1, 1, 2, 2], perStep: true)

  static func classifier(_ activation: PlainStack.Activation, size: Int = 3) -> LSTMModel {
    LSTMModel(
      ModelConfiguration(
        PlainStack(
          input: .features(size: 2), layers: [.init(hiddenSize: 4)], readout: .all,
          head: [.init(size: size, activation: activation)])))
  }

  @Test func aCRFIsAddedWhereItIsAskedFor() throws {
    let model = Self.classifier(.softmax)
    let made = try Self.fit(model, Self.tags, .crf())
    #expect(made.loss == .crf())
    #expect(made.model.configuration.endsInCRF && made.model.configuration.outputSize == 3)
    #expect(made.model.configuration.finalDense?.activation == Activation.none)
    #expect(made.model["head.0.weight"] == model["head.0.weight"])
    #expect(made.model["crf.transitions"]?.shape == [3, 3])
    #expect(made.notes.contains { $0.description.contains("a CRF over the model's 3 tags") })
    // Once there, it is what goes with tags.
    let again = try Self.fit(made.model, Self.tags)
    #expect(again.loss == .crf() && again.notes.isEmpty)
    #expect(allValues(again.model) == allValues(made.model))
    let larger = try Self.fit(made.model, Self.tags, head: .new(size: 5))
    #expect(larger.model.configuration.endsInCRF && larger.model.configuration.outputSize == 5)
    #expect(
      message { _ = try Self.fit(model, Self.tags, .crf(), mayChangeModel: false) }.contains("does not end in a CRF"))
    #expect(message { _ = try Self.fit(made.model, Self.tags, .crossEntropy) }.contains("the model ends in a CRF"))
    #expect(
      message { _ = try Self.fit(model, .classes([0, 1], perStep: false), .crf()) }.contains("a tag for each step"))
  }

  @Test func labelsInOrderAreForCTC() throws {
    let labels = SequenceData.Targets.labels([1, 2, 1, SequenceData.ignored], width: 2)
    var model = Self.classifier(.none, size: 4)
    #expect(try Self.fit(model, labels).loss == .ctc(blank: 0))
    model.preprocessing.blank = 3
    #expect(try Self.fit(model, labels).loss == .ctc(blank: 3))
    #expect(try Self.fit(model, labels, .ctc(blank: 0)).loss == .ctc(blank: 0))
    #expect(message { _ = try Self.fit(model, labels, .crossEntropy) }.contains("labels in order"))
    // Class numbers for each step are labels in order where they are asked to be.
    let grid = SequenceData.Targets.classes([1, 2, -100, -100, 3, -100, -100, -100], perStep: true)
    let made = try Self.fit(model, grid, .ctc(blank: 0))
    let data = try SequenceData(inputs: .features(noise(2 * 4 * 2, seed: 1), steps: 4, size: 2), targets: grid)
    guard case .labels(let numbers, 4) = made.prepared(data).sequences.targets else {
      return #expect(Bool(false), "labels")
    }
    #expect(numbers == [1, 2, -100, -100, 3, -100, -100, -100])
    // A new head has room for the blank.
    #expect(try Self.fit(model, labels, .ctc(blank: -1), head: .new(size: nil)).model.configuration.outputSize == 4)
    #expect(try Self.fit(model, labels, .ctc(blank: 0), head: .new(size: nil)).model.configuration.outputSize == 3)
    #expect(message { _ = try Self.fit(Self.classifier(.sigmoid), labels) }.contains("a head that ends in sigmoid"))
  }

  @Test func theModelKeepsItsBlank() throws {
    let configuration = ModelConfiguration(
      PlainStack(input: .features(size: 3), layers: [.init(hiddenSize: 8)], readout: .all, head: [.init(size: 5)]))
    let data = try ArrayData.load(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-crf/reader.h5")),
      reading: configuration.input, needsTargets: true, labels: true)
    let ready = try Preparation(
      LSTMModel(configuration), ArraySequences(data, file: "reader.h5"), loss: .ctc(blank: 0), seed: 1)
    #expect(ready.preprocessing.blank == 0 && ready.loss == .ctc(blank: 0))
    #expect(ready.validation?.sequences.count == 2)
  }
}
