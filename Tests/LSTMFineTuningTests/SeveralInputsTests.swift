import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Twenty steps of models with several inputs and outputs against PyTorch: a series beside what is known of its site with a
/// price and a class, an encoder whose decoder is fed its targets, of words and of values. With and without caches.
@Suite struct SeveralInputsTests {
  static let names = fixtureNames(in: "golden-several")

  /// A run of PyTorch.
  struct Case {
    let golden: Golden
    let model: LSTMModel
    let objective: Objective
    let frozen: [String]
    let weights: [String: Tensor]

    init(_ name: String) throws {
      golden = try Golden("golden-several/\(name).h5")
      let configuration = try golden.json("model", as: ModelConfiguration.self)
      var model = LSTMModel(configuration)
      weights = try golden.tensors(in: "weights")
      #expect(Set(weights.keys) == Set(configuration.parameters.map(\.name)))
      for (name, tensor) in weights { try model.set(name, to: tensor) }
      self.model = model
      frozen = try golden.text("frozen").split(separator: ",").map(String.init)
      let losses = try configuration.outputNames.map { [golden] name in
        let targets = try #require(golden.root.dataset(at: "targets/\(name)"))
        let loss = targets.attribute("loss")?.string == "mse" ? Loss.meanSquaredError : .crossEntropy
        return Objective.OutputLoss(name, loss, weight: try #require(targets.attribute("weight")?.double))
      }
      objective = Objective(losses[0].loss, weight: losses[0].weight, others: Array(losses.dropFirst()))
    }

    func inputs() throws -> [String: SequenceData.Inputs] {
      var inputs: [String: SequenceData.Inputs] = [:]
      for input in model.configuration.inputs {
        let path = "inputs/\(input.name)"
        let shape = try golden.tensor(path).shape
        let steps = input.isPerSequence ? 1 : shape[1]
        inputs[input.name] =
          input.vocabulary == nil
          ? .features(try golden.tensor(path).values, steps: steps, size: input.width)
          : .tokens(try golden.integers(path).map(Int32.init), steps: steps)
      }
      return inputs
    }

    func targets() throws -> [String: SequenceData.Targets] {
      var targets: [String: SequenceData.Targets] = [:]
      for (name, value) in zip(model.configuration.outputNames, model.configuration.outputValues) {
        let path = "targets/\(name)"
        let isValues = golden.root.dataset(at: path)?.attribute("loss")?.string == "mse"
        targets[name] =
          isValues
          ? .values(try golden.tensor(path).values, size: value.width, perStep: value.isPerStep)
          : .classes(try golden.integers(path).map(Int32.init), perStep: value.isPerStep)
      }
      return targets
    }

    func data() throws -> SequenceData {
      try SequenceData(inputs: inputs(), targets: targets(), for: model.configuration)
    }

    func tuner(epochs: Int = 20, isCached: Bool = true) throws -> FineTuner {
      var tuner = FineTuner(
        try FreezePlan(model, freezing: frozen), optimizer: .adam(learningRate: 0.01), objective: objective)
      tuner.options.epochs = epochs
      tuner.options.batchSize = 6
      tuner.options.shuffles = false
      tuner.options.clipNorm = nil
      if !isCached { tuner.options.cache = .off }
      return tuner
    }
  }

  @Test func everyCaseIsThere() { #expect(Self.names.count == 5) }

  @Test(arguments: names, Kernels.available.map(\.name))
  func followsPyTorch(_ name: String, on path: String) throws {
    let known = try Case(name)
    let kernels = try #require(Kernels.available.first { $0.name == path })
    let wanted = try known.golden.doubles("losses")
    for isCached in [true, false] {
      var (losses, caches) = ([Double](), [CacheUsage]())
      let run = try known.tuner(isCached: isCached).fit(known.model, known.data(), kernels: kernels) { event in
        if case .step(let step) = event { losses.append(step.loss) }
        if case .cache(let usage) = event { caches.append(usage) }
      }
      #expect(losses.count == 20)
      for (loss, wanted) in zip(losses, wanted) { #expect(abs(loss - wanted) <= 1e-5 * max(1, abs(wanted))) }
      for (name, tensor) in try known.golden.tensors(in: "trained") {
        let found = try #require(run.last[name])
        #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
      }
      for (name, tensor) in known.weights
      where known.frozen.contains(where: { name.hasPrefix($0 == "layer0" ? "lstm.weight_ih_l0" : $0 + ".") }) {
        #expect(run.last[name] == tensor, "\(name) is frozen")
      }
      let parts = ["two_inputs_frozen_lstm": ["layer0"], "translator_frozen_encoder": ["read", "layer0"]][name]
      #expect(caches.map(\.parts) == (isCached ? parts.map { [$0] } ?? [] : []))
      let said = try Evaluator(Network(run.last, kernels: kernels), objective: known.objective).predictAll(known.data())
      for (name, tensor) in zip(known.model.configuration.outputNames, said) {
        let wanted = try known.golden.tensor("outputs/\(name)")
        #expect(tensor.shape == wanted.shape)
        #expect(largestDifference(tensor.values, wanted.values) <= 1e-4)
      }
    }
  }

  @Test func metricsAreByOutput() throws {
    let known = try Case("two_inputs")
    let data = try known.data()
    let metrics = try Evaluator(Network(known.model), objective: known.objective).evaluate(data)
    let (price, kind) = (try #require(metrics.outputs?["price"]), try #require(metrics.outputs?["kind"]))
    #expect(abs(metrics.loss - (price.loss + 0.3 * kind.loss)) < 1e-12)
    #expect(price.mae != nil && price.accuracy == nil && kind.accuracy != nil && kind.mae == nil)
    // The same whatever the batches are.
    let small = try Evaluator(Network(known.model), objective: known.objective, batchSize: 2).evaluate(data)
    #expect(abs(small.loss - metrics.loss) < 1e-6)
    #expect(small.outputs?["kind"]?.accuracy == kind.accuracy)
  }

  /// What only an output without targets needs stays, weight decay or not.
  @Test func anOutputWithoutTargetsDoesNotTrain() throws {
    let known = try Case("two_inputs")
    let targets = try known.targets().filter { $0.key == "kind" }
    let data = try SequenceData(inputs: known.inputs(), targets: targets, for: known.model.configuration)
    var tuner = try known.tuner(epochs: 2)
    tuner = FineTuner(
      tuner.plan, optimizer: .adamW(learningRate: 0.01, weightDecay: 0.1), objective: tuner.objective,
      options: tuner.options)
    let run = try tuner.fit(known.model, data)
    #expect(run.last["kind.weight"] != known.model["kind.weight"])
    // Its loss is named, so that it would train with targets; without any, nothing reaches it but the decay.
    let first = try SequenceData(
      inputs: known.inputs(), targets: known.targets().filter { $0.key == "price" }, for: known.model.configuration)
    let alone = FineTuner(
      tuner.plan, optimizer: tuner.optimizer, objective: Objective(.meanSquaredError), options: tuner.options)
    let kept = try alone.fit(known.model, first)
    #expect(kept.last["kind.weight"] == known.model["kind.weight"])
    #expect(kept.last["price.weight"] != known.model["price.weight"])
  }

  @Test func resumesBitForBit() throws {
    for name in ["two_inputs_frozen_lstm", "translator"] {
      let known = try Case(name)
      var tuner = try known.tuner(epochs: 3)
      tuner.options.batchSize = 2
      tuner.options.shuffles = true
      let whole = try tuner.fit(known.model, known.data())
      let temporary = try TemporaryFolder()
      let folder = try RunFolder(temporary.path("run"))
      var steps = 0
      var stopped = tuner
      let count = LockedCount()
      stopped.shouldStop = { count.next() == 4 }
      _ = try stopped.fit(known.model, known.data()) { event in
        if case .step = event { steps += 1 }
        try folder.record(event)
      }
      #expect(steps == 4)
      let rest = try tuner.fit(known.model, known.data(), resuming: try ResumePoint(run: folder.path))
      #expect(allValues(rest.last) == allValues(whole.last))
    }
  }

  /// Arrays of a file: a decoder whose input is missing is fed its targets, as PyTorch was.
  @Test(arguments: ["translator", "forecaster"])
  func aDecoderIsFedItsTargets(_ name: String) throws {
    let known = try Case(name)
    let folder = try TemporaryFolder()
    let configuration = known.model.configuration
    let decoder = try #require(configuration.decoder)
    #expect(decoder == .init(input: 1, output: 0, isOfTokens: name == "translator"))
    func file(_ parts: [(String, String)]) throws -> Checkpoint {
      let path = folder.path("\(parts.count).h5")
      let tensors = try parts.map { name, source in
        try StoredTensor(#require(known.golden.root.dataset(at: source))).renamed(name)
      }
      try StoredTensor.write(tensors, path: path, as: .pytorchHDF5)
      return try Checkpoint(path: path)
    }
    let (source, output) = (configuration.inputs[0].name, configuration.outputNames[0])
    let fed = configuration.inputs[1].name
    let start: DecoderStart = name == "translator" ? .token(1) : .zero
    let alone = try ArrayData.load(
      file([(source, "inputs/\(source)"), ("y", "targets/\(output)")]), for: configuration, needsTargets: true,
      start: start)
    let given = try ArrayData.load(
      file([("x", "inputs/\(source)"), (fed, "inputs/\(fed)"), (output, "targets/\(output)")]), for: configuration,
      needsTargets: true)
    let wanted = try known.golden.doubles("losses")
    for data in [alone, given] {
      let ready = try Preparation(
        known.model, ArraySequences(data, file: "data.h5"), split: SplitChoice(fraction: 0))
      #expect(ready.loss == known.objective.loss)
      var losses: [Double] = []
      _ = try known.tuner().fit(ready) { event in if case .step(let step) = event { losses.append(step.loss) } }
      #expect(losses.count == 20)
      for (loss, wanted) in zip(losses, wanted) { #expect(abs(loss - wanted) <= 1e-5 * max(1, abs(wanted))) }
    }
  }

  /// A decoder on its own output, step by step, says what whole passes over its own output say.
  @Test(arguments: ["translator", "forecaster"])
  func aDecoderReadsItsOwnOutput(_ name: String) throws {
    let known = try Case(name)
    let configuration = known.model.configuration
    let decoder = try #require(configuration.decoder)
    let network = Network(known.model)
    #expect(network.canStep(input: 1))
    let inputs = try known.inputs()
    var first = SequenceData.NamedInput(
      configuration.inputs[1].name,
      decoder.isOfTokens
        ? .tokens([1, 2, 3, 1, 0, 6], steps: 1) : .features([0, 0.5, -1, 2, 0, 0.25], steps: 1, size: 1))
    (first.isShiftedTargets, first.isFirstStep) = (true, true)
    let source = try #require(inputs[configuration.inputs[0].name])
    let data = try SequenceData(inputs: source, targets: .none, others: [first])
    let evaluator = Evaluator(network, loss: .meanSquaredError, batchSize: 4)
    let said = try evaluator.decode(data, steps: 5)[0]
    #expect(said.shape == (decoder.isOfTokens ? [6, 5] : [6, 5, 1]))
    // Everything that it read, at once.
    var read: [Float] = []
    for sequence in 0..<6 {
      switch first.values {
      case .tokens(let tokens, _): read.append(Float(tokens[sequence]))
      case .features(let values, _, _): read.append(values[sequence])
      default: break
      }
      read += said.values[sequence * 5..<sequence * 5 + 4]
    }
    let whole = try SequenceData(
      inputs: source, targets: .none,
      others: [
        .init(
          configuration.inputs[1].name,
          decoder.isOfTokens ? .tokens(read.map { Int32($0) }, steps: 5) : .features(read, steps: 5, size: 1))
      ])
    let output = try evaluator.predictAll(whole)[0]
    for row in 0..<30 {
      if decoder.isOfTokens {
        let scores = output.values[row * 7..<(row + 1) * 7]
        let best = try #require(scores.indices.max { scores[$0] < scores[$1] }) - scores.startIndex
        #expect(said.values[row] == Float(best))
      } else {
        #expect(said.values[row] == output.values[row])
      }
    }
    guard decoder.isOfTokens else { return }
    let end = Int(said.values[1])
    let ended = try evaluator.decode(data, steps: 5, end: end)[0]
    for sequence in 0..<6 {
      let own = said.values[sequence * 5..<sequence * 5 + 5].map { Int($0) }
      let length = own.firstIndex(of: end).map { $0 + 1 } ?? 5
      let wanted = own[..<length] + [Int](repeating: -100, count: 5 - length)
      #expect(ended.values[sequence * 5..<sequence * 5 + 5].map { Int($0) } == Array(wanted))
    }
  }

  /// A Keras model of two inputs and two outputs gives Keras' numbers, is fine-tuned, and goes back as it is.
  @Test(arguments: ["k2_inputs_and_outputs", "k3_inputs_and_outputs"])
  func aKerasModelIsFineTunedAndGoesBack(_ name: String) throws {
    let source = fixtures.appendingPathComponent("keras-graph/\(name)")
    let model = try LSTMModel(Checkpoint(path: source.path + ".keras"))
    let golden = try Checkpoint(path: source.path + ".npz")
    let names = model.configuration.inputs.map(\.name)
    let outputs = model.configuration.outputNames
    let (x, s) = (try #require(golden["x0"]), try #require(golden["x1"]))
    let inputs: [String: SequenceData.Inputs] = [
      names[0]: .features(try x.floats(), steps: x.shape[1], size: x.shape[2]),
      names[1]: .features(try s.floats(), steps: 1, size: s.shape[1]),
    ]
    let count = x.shape[0]
    let data = try SequenceData(
      inputs: inputs,
      targets: [
        outputs[0]: .values(noise(count * 2, seed: 4), size: 2, perStep: false),
        outputs[1]: .values(noise(count * 2, seed: 5), size: 2, perStep: false),
      ], for: model.configuration)
    let objective = Objective(.meanSquaredError, others: [.init(outputs[1], .meanAbsoluteError, weight: 0.5)])
    let before = try Evaluator(Network(model), objective: objective).predictAll(data)
    for (place, found) in before.enumerated() {
      #expect(largestDifference(found.values, try #require(golden["y\(place)"]).floats()) <= 2e-6)
    }
    var options = FineTuner.Options(epochs: 10, batchSize: count)
    options.shuffles = false
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["lstm"]), optimizer: .adam(learningRate: 0.01), objective: objective,
      options: options)
    let run = try tuner.fit(model, data)
    #expect(try #require(run.epochs.last).trainingLoss < run.baseline.loss)
    let folder = try TemporaryFolder()
    try run.last.write(path: folder.path("back.keras"), as: .kerasArchive)
    let back = try LSTMModel(Checkpoint(path: folder.path("back.keras")))
    let (own, other) = (
      try Evaluator(Network(run.last), objective: objective).predictAll(data),
      try Evaluator(Network(back), loss: .meanSquaredError).predictAll(data)
    )
    #expect(own.map(\.shape) == other.map(\.shape))
    for (a, b) in zip(own, other) { #expect(largestDifference(a.values, b.values) <= 2e-6) }
  }

  @Test func errorsNameInputsAndOutputs() throws {
    let known = try Case("two_inputs")
    let configuration = known.model.configuration
    var (inputs, targets) = (try known.inputs(), try known.targets())
    func fails(_ text: String, _ location: SourceLocation = #_sourceLocation) {
      let found = message(location) {
        let data = try SequenceData(inputs: inputs, targets: targets, for: configuration)
        _ = try Evaluator(Network(known.model), objective: known.objective).evaluate(data)
      }
      #expect(found == text, sourceLocation: location)
    }
    let site = inputs.removeValue(forKey: "site")
    fails("inputs: expected series, site, found none for site")
    inputs["sight"] = site
    fails("inputs: expected series, site, found sight")
    inputs["sight"] = nil
    inputs["site"] = .features([1, 2, 3], steps: 1, size: 3)
    fails("site: expected 6 examples, as many as inputs, found 1")
    inputs["site"] = .features(noise(6 * 2, seed: 1), steps: 1, size: 2)
    fails("features: expected 3 a step, found 2")
    inputs["site"] = .features(noise(6 * 6, seed: 1), steps: 2, size: 3)
    fails("site: expected one row a sequence, found 2 steps")
    inputs["site"] = site
    targets["sort"] = targets["kind"]
    fails("outputs: expected price, kind, found sort")
    targets["sort"] = nil
    targets["kind"] = .classes([1, 2], perStep: false)
    fails("kind: expected 6 examples, as many as inputs, found 2")
  }
}

/// Counts calls from any thread.
final class LockedCount: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0
  func next() -> Int {
    lock.withLock {
      count += 1
      return count
    }
  }
}
