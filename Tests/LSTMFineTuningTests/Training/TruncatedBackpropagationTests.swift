import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Training through chunks of streams with the states carried, against PyTorch's.
@Suite struct TruncatedBackpropagationTests {
  struct Training {
    let network: Network
    let runner: BatchRunner
    let plan: GradientPlan
    let gradients: ParameterStore
    let optimizer: OptimizerState
    let updates: ParameterUpdates
    let carried: CarriedState

    init(
      _ model: LSTMModel, _ data: StreamData, loss: Loss, rule: Optimizer, freezing: [String] = [],
      kernels: Kernels = .best
    ) throws {
      let freezes = try TrainingSupport.plan(model, freezing: freezing)
      network = Network(model, kernels: kernels)
      runner = BatchRunner(network, loss: loss)
      plan = GradientPlan(model.configuration, trainable: freezes.trainable)
      gradients = ParameterStore(model.configuration.parameters)
      optimizer = OptimizerState(rule, weights: network.weights, trainable: freezes.trainable, kernels: kernels)
      updates = ParameterUpdates(kernels)
      carried = try CarriedState(model.configuration, streams: data.streamCount)
    }

    func step(_ data: StreamData, _ chunk: Range<Int>, _ cache: PrefixCache? = nil) throws -> (
      loss: Double, norm: Double
    ) {
      let loss = try runner.run(data, cache, chunk, for: plan, carrying: carried).loss.mean
      for slot in gradients.slots { (gradients.pointer + slot.offset).update(repeating: 0, count: slot.count) }
      network.backward(runner.gradient.pointer, into: gradients, plan)
      let norm = updates.norm(gradients, where: plan.trainable)
      optimizer.step(network.weights, gradients)
      network.weightsChanged(plan.trainable)
      return (loss, norm)
    }

    var weights: [[Float]] { network.weights.slots.indices.map(network.weights.values) }
  }

  static let names = ["features_sgd", "features_sgd_resets", "tokens_adam", "tokens_adam_resets"]

  static func load(_ golden: Golden) throws -> (LSTMModel, StreamData, Loss) {
    let chunk = try golden.integer("chunk")
    let configuration: ModelConfiguration
    let data: StreamData
    if golden.has("tokens") {
      configuration = ModelConfiguration(
        input: .tokens(vocabulary: 11, size: 6), layers: [.init(hiddenSize: 10)], readout: .all, head: [.init(size: 11)]
      )
      data = try StreamData(
        text: golden.integers("tokens").map(Int32.init), streams: golden.integer("streams"), chunkSteps: chunk,
        documentStarts: golden.has("starts") ? golden.integers("starts") : [])
    } else {
      configuration = ModelConfiguration(
        input: .features(size: 3), layers: [.init(hiddenSize: 8), .init(hiddenSize: 8)], readout: .all,
        head: [.init(size: 2)])
      let (x, y) = (try golden.tensor("x"), try golden.tensor("y"))
      data = try StreamData(
        SequenceData(
          inputs: .features(x.values, steps: x.shape[1], size: 3), targets: .values(y.values, size: 2, perStep: true)),
        chunkSteps: chunk, resets: golden.has("resets") ? golden.integers("resets").map { $0 == 1 } : nil)
    }
    let model = try PyTorchTrainingTests.model(configuration, golden.tensors(in: "initial"))
    return (model, data, golden.has("tokens") ? .crossEntropy : .meanSquaredError)
  }

  // MARK: - PyTorch

  @Test(arguments: names, PyTorchTrainingTests.paths)
  func twentyChunksFollowPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-streams/\(name).h5")
    let (model, data, loss) = try Self.load(golden)
    let kernels = try PyTorchTrainingTests.kernels(path)
    let training = try Training(
      model, data, loss: loss, rule: PyTorchTrainingTests.rule(golden), kernels: kernels)
    let (losses, norms) = (try golden.doubles("losses"), try golden.doubles("norms"))
    #expect(data.chunks.count == 20 && losses.count == 20)
    for (step, chunk) in data.chunks.enumerated() {
      let (loss, norm) = try training.step(data, chunk)
      #expect(abs(loss - losses[step]) <= 1e-5 * losses[step] && abs(norm - norms[step]) <= 1e-4 * norms[step])
    }
    for (tensor, expected) in try golden.tensors(in: "weights") {
      let index = try #require(training.network.weights.index(of: PyTorchTrainingTests.projectName(tensor)))
      #expect(largestDifference(training.network.weights.values(index), expected.values) <= 1e-5, "\(tensor)")
    }
    // What is carried at the end.
    let state = training.carried.state
    let (hidden, cell) = (try #require(state.stackedHidden), try #require(state.stackedCell))
    #expect(try largestDifference(hidden.values, golden.tensor("hidden").values) <= 1e-5)
    #expect(try largestDifference(cell.values, golden.tensor("cell").values) <= 1e-5)
    let metrics = try Evaluator(training.network, loss: loss).evaluate(data)
    #expect(abs(metrics.loss - (try golden.double("evaluation"))) <= 1e-5 * metrics.loss)
    #expect(metrics.examples == data.streamCount)
  }

  // MARK: - Evaluation

  /// Without resets, one long pass over all steps of each stream.
  @Test(arguments: ["features_sgd", "tokens_adam"], [1, 3, 7, 50])
  func evaluationIsOneLongPass(_ name: String, chunkSteps: Int) throws {
    let (model, data, loss) = try Self.load(Golden("golden-streams/\(name).h5"))
    let evaluator = Evaluator(Network(model), loss: loss)
    let whole = try evaluator.evaluate(data.sequences)
    let found = try evaluator.evaluate(StreamData(data.sequences, chunkSteps: chunkSteps))
    #expect(abs(found.loss - whole.loss) <= 1e-6 * whole.loss)
    #expect(found.accuracy == whole.accuracy && found.examples == whole.examples)
    if let mae = whole.mae { #expect(abs(try #require(found.mae) - mae) <= 1e-6 * mae) }
    // From zero each time.
    #expect(try evaluator.evaluate(StreamData(data.sequences, chunkSteps: chunkSteps)) == found)
  }

  /// With them, a pass over each document alone, and the same whatever the chunks are.
  @Test func evaluationWithResetsIsOnePassADocument() throws {
    let (model, data, loss) = try Self.load(Golden("golden-streams/features_sgd_resets.h5"))
    let golden = try Golden("golden-streams/features_sgd_resets.h5")
    let resets = try golden.integers("resets").map { $0 == 1 }
    guard case .features(let x, let steps, let size) = data.sequences.inputs,
      case .values(let y, let width, _) = data.sequences.targets
    else { return #expect(Bool(false)) }
    let evaluator = Evaluator(Network(model), loss: loss)
    var (sum, count) = (0.0, 0)
    for stream in 0..<data.streamCount {
      let starts = [0] + (1..<steps).filter { resets[stream * steps + $0] }
      for (start, end) in zip(starts, starts.dropFirst() + [steps]) {
        let rows = stream * steps + start..<stream * steps + end
        let document = try SequenceData(
          inputs: .features(
            Array(x[rows.lowerBound * size..<rows.upperBound * size]), steps: rows.count, size: size),
          targets: .values(
            Array(y[rows.lowerBound * width..<rows.upperBound * width]), size: width, perStep: true))
        sum += try evaluator.evaluate(document).loss * Double(rows.count)
        count += rows.count
      }
    }
    for chunkSteps in [1, 7, 30, 137] {
      let found = try evaluator.evaluate(StreamData(data.sequences, chunkSteps: chunkSteps, resets: resets)).loss
      #expect(abs(found - sum / Double(count)) <= 1e-6 * found, "chunks of \(chunkSteps)")
    }
    #expect(abs(try evaluator.evaluate(data.sequences).loss - sum / Double(count)) > 1e-5)
  }

  @Test func whatCannotBeStreamed() throws {
    let data = try StreamData(StreamDataTests.streams(2, steps: 7), chunkSteps: 3)
    let both = featureModel(layers: [.init(hiddenSize: 3, isBidirectional: true)], readout: .all)
    #expect(
      message { _ = try Evaluator(Network(both), loss: .meanSquaredError).evaluate(data) }
        == "carried state: expected layers that run forward only, found layer0, which is bidirectional: its reverse "
        + "direction starts at the end of a sequence")
    let last = featureModel(readout: .last)
    #expect(throws: ShapeError.self) { try Evaluator(Network(last), loss: .meanSquaredError).evaluate(data) }
  }

  // MARK: - Bits

  @Test(arguments: PyTorchTrainingTests.paths)
  func threadsDoNotShow(_ path: String) throws {
    var kernels = try PyTorchTrainingTests.kernels(path)
    let model = featureModel(8, layers: [.init(hiddenSize: 40), .init(hiddenSize: 40)], readout: .all, outputs: 3)
    let sequences = try SequenceData(
      inputs: .features(noise(24 * 30 * 8, seed: 1), steps: 30, size: 8),
      targets: .values(noise(24 * 30 * 3, seed: 2), size: 3, perStep: true))
    let data = try StreamData(sequences, chunkSteps: 9, resets: (0..<24 * 30).map { $0 % 31 == 12 })
    var results: [[[Float]]] = []
    for threads in [1, 2, 5] {
      kernels.threads = threads
      let training = try Training(
        model, data, loss: .meanSquaredError, rule: .adam(learningRate: 1e-2), kernels: kernels)
      for chunk in data.chunks { _ = try training.step(data, chunk) }
      results.append(training.weights + training.carried.state.cell.map(\.values))
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  /// Weights and carried states are all that a run without momentum is.
  @Test func aResumedRunIsTheUninterruptedOne() throws {
    let (model, data, loss) = try Self.load(Golden("golden-streams/features_sgd_resets.h5"))
    let rule = Optimizer.sgd(learningRate: 0.1)
    let whole = try Training(model, data, loss: loss, rule: rule)
    for chunk in data.chunks { _ = try whole.step(data, chunk) }
    let first = try Training(model, data, loss: loss, rule: rule)
    for chunk in data.chunks.prefix(9) { _ = try first.step(data, chunk) }
    let saved = (
      model.replacing(weights: first.network.weights, changed: first.plan.trainable), first.carried.state
    )
    let second = try Training(saved.0, data, loss: loss, rule: rule)
    try second.carried.set(saved.1)
    for chunk in data.chunks.dropFirst(9) { _ = try second.step(data, chunk) }
    #expect(second.weights == whole.weights && second.carried.state == whole.carried.state)
  }

  /// What a frozen layer gives along its streams is computed once, with its own states carried.
  @Test(arguments: [["layer0"], ["layer0", "layer1"]])
  func aCachedPrefixChangesNoBit(_ freezing: [String]) throws {
    let (model, data, loss) = try Self.load(Golden("golden-streams/features_sgd_resets.h5"))
    let rule = Optimizer.adam(learningRate: 1e-2)
    var results: [[[Float]]] = []
    for isCached in [false, true] {
      let training = try Training(model, data, loss: loss, rule: rule, freezing: freezing)
      let tuner = FineTuner(try plan(model, freezing: freezing), loss: loss)
      let caches = try tuner.makeCaches(training.network, data, data) { _ in }
      #expect(caches.training?.boundary == training.plan.entry)
      let evaluator = Evaluator(training.network, loss: loss)
      for _ in 0..<2 {
        training.carried.reset()
        for chunk in data.chunks { _ = try training.step(data, chunk, isCached ? caches.training : nil) }
      }
      #expect(try evaluator.evaluate(data, caches.validation) == evaluator.evaluate(data))
      results.append(training.weights)
    }
    #expect(results[0] == results[1])
  }

  @Test(arguments: [1, 2]) func aStepAllocatesNothing(_ threads: Int) throws {
    var kernels = Kernels.best
    kernels.threads = threads
    let model = featureModel(8, layers: [.init(hiddenSize: 64), .init(hiddenSize: 64)], readout: .all, outputs: 2)
    let sequences = try SequenceData(
      inputs: .features(noise(16 * 40 * 8, seed: 1), steps: 40, size: 8),
      targets: .values(noise(16 * 40 * 2, seed: 2), size: 2, perStep: true))
    let data = try StreamData(sequences, chunkSteps: 10, resets: (0..<16 * 40).map { $0 % 17 == 5 })
    var tuner = FineTuner(try plan(model))
    tuner.options.epochs = 3
    let counts = try allocationsBetweenSteps { _ = try tuner.fit(model, data, kernels: kernels, events: $0) }
    #expect(counts == Array(repeating: 0, count: 2 * (data.chunks.count - 2)))
  }
}
