import FileIO
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Adapters of low rank: what moves, what does not, and PyTorch's own trajectory.
@Suite struct LowRankAdaptersTests {
  /// A network with adapters and the loop that whoever has them runs.
  struct Training {
    let network: Network
    let adapters: LowRankAdapters
    let plan: GradientPlan
    let gradients: ParameterStore
    let dense: OptimizerState
    let lowRank: OptimizerState
    let runner: BatchRunner
    let updates: ParameterUpdates

    init(
      _ model: LSTMModel, _ lora: LoRA, trainable: [Bool]? = nil, rule: Optimizer = .adam(learningRate: 1e-2),
      kernels: Kernels = .best, seed: UInt64 = 0
    ) throws {
      network = Network(model, kernels: kernels)
      adapters = try LowRankAdapters(
        lora, network, trainable: trainable ?? model.parameters.slots.map { _ in false }, seed: seed)
      plan = GradientPlan(model.configuration, trainable: adapters.needsGradient)
      gradients = ParameterStore(model.configuration.parameters)
      dense = OptimizerState(rule, weights: network.weights, trainable: adapters.trainsItself, kernels: kernels)
      lowRank = OptimizerState(rule, weights: adapters.parameters, trainable: adapters.all, kernels: kernels)
      runner = BatchRunner(network, loss: .meanSquaredError)
      updates = ParameterUpdates(kernels)
    }

    /// The loss, and the norm of all that trains, before clipping.
    func step(_ data: SequenceData, clip: Double = 0) throws -> (loss: Double, norm: Double) {
      let loss = try runner.run(data, nil, 0..<data.count, for: plan).loss.mean
      for slot in gradients.slots { (gradients.pointer + slot.offset).update(repeating: 0, count: slot.count) }
      network.backward(runner.gradient.pointer, into: gradients, plan)
      adapters.project(gradients)
      let (own, others) = (
        updates.norm(adapters.gradients, where: adapters.all), updates.norm(gradients, where: adapters.trainsItself)
      )
      let norm = (own * own + others * others).squareRoot()
      if clip > 0, clip / (norm + 1e-6) < 1 {
        updates.scale(adapters.gradients, by: Float(clip / (norm + 1e-6)), where: adapters.all)
        updates.scale(gradients, by: Float(clip / (norm + 1e-6)), where: adapters.trainsItself)
      }
      dense.step(network.weights, gradients)
      lowRank.step(adapters.parameters, adapters.gradients)
      adapters.apply(to: network.weights)
      network.weightsChanged(adapters.needsGradient)
      return (loss, norm)
    }
  }

  static let lora = LoRA(rank: 2, alpha: 3, targets: ["layer1", "head"])

  // MARK: - PyTorch

  @Test(arguments: ["head_and_layer1", "lstm_clip"], PyTorchTrainingTests.paths)
  func twentyStepsFollowPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-lora/\(name).h5")
    let model = try PyTorchTrainingTests.model(
      ModelConfiguration(
        input: .features(size: 5), layers: [.init(hiddenSize: 8), .init(hiddenSize: 8)], readout: .last,
        head: [.init(size: 3)]),
      golden.tensors(in: "initial"))
    let trains = try golden.text("trainable").split(separator: ",").map { PyTorchTrainingTests.projectName(String($0)) }
    let training = try Training(
      model,
      LoRA(
        rank: golden.integer("rank"), alpha: golden.double("alpha"),
        targets: golden.text("targets").split(separator: ",").map(String.init)),
      trainable: model.parameters.slots.map { trains.contains($0.name) }, rule: PyTorchTrainingTests.rule(golden),
      kernels: PyTorchTrainingTests.kernels(path))
    func pair(_ name: String) throws -> Int {
      try #require(training.adapters.parameters.index(of: "lora." + PyTorchTrainingTests.projectName(name)))
    }
    let start = try golden.tensors(in: "lora")
    #expect(start.count == training.adapters.parameters.slots.count)
    for (name, tensor) in start { training.adapters.parameters.set(try pair(name), tensor.values) }

    let data = try PyTorchTrainingTests.data(golden)
    let (losses, norms) = (try golden.doubles("losses"), try golden.doubles("norms"))
    for step in 0..<(try golden.integer("steps")) {
      let (loss, norm) = try training.step(data, clip: golden.double("clip_norm"))
      #expect(abs(loss - losses[step]) <= 1e-5 * losses[step] && abs(norm - norms[step]) <= 1e-4 * norms[step])
      guard golden.root.group(at: "step\(step + 1)") != nil else { continue }
      for (tensor, expected) in try golden.tensors(in: "step\(step + 1)") {
        let index = try #require(training.network.weights.index(of: PyTorchTrainingTests.projectName(tensor)))
        let difference = largestDifference(training.network.weights.values(index), expected.values)
        #expect(difference <= 1e-5, "step \(step + 1) \(tensor)")
      }
    }
    for (name, expected) in try golden.tensors(in: "lora20") {
      #expect(
        largestDifference(training.adapters.parameters.values(try pair(name)), expected.values) <= 1e-5, "\(name)")
    }
  }

  // MARK: - Gradients

  /// dA = s B^T dW and dB = s dW A^T, in double precision, of the gradients that the backward pass makes.
  @Test func gradientsAreTheDenseOnesProjected() throws {
    let model = featureModel(3, layers: [.init(hiddenSize: 6), .init(hiddenSize: 5)], outputs: 2)
    let training = try Training(model, Self.lora)
    let data = try featureData(9, steps: 4, size: 3, outputs: 2)
    // Away from B at zero.
    for _ in 0..<3 { _ = try training.step(data) }
    let adapters = training.adapters
    let pairs = adapters.parameters.slots.indices.map { adapters.parameters.values($0).map(Double.init) }
    _ = try training.step(data)
    let s = Self.lora.scale
    for (place, slot) in adapters.base.slots.enumerated() {
      let (o, i, r) = (slot.specification.shape[0], slot.specification.shape[1], 2)
      let index = try #require(training.gradients.index(of: slot.name))
      let dense = training.gradients.values(index).map(Double.init)
      let (a, b) = (pairs[2 * place], pairs[2 * place + 1])
      var (wantedA, wantedB) = ([Double](repeating: 0, count: r * i), [Double](repeating: 0, count: o * r))
      for row in 0..<o {
        for column in 0..<i {
          for k in 0..<r {
            wantedA[k * i + column] += s * b[row * r + k] * dense[row * i + column]
            wantedB[row * r + k] += s * dense[row * i + column] * a[k * i + column]
          }
        }
      }
      for (found, wanted) in [
        (adapters.gradients.values(2 * place), wantedA), (adapters.gradients.values(2 * place + 1), wantedB),
      ] {
        let scale = wanted.map(abs).max() ?? 0
        #expect(scale > 0)
        #expect(zip(found, wanted).allSatisfy { abs(Double($0) - $1) <= 1e-6 * scale }, "\(slot.name)")
      }
    }
  }

  // MARK: - What moves

  @Test func beforeTheFirstStepTheWeightsAreTheBaseBitByBit() throws {
    var model = featureModel()
    var values = try #require(model["lstm.weight_hh_l1"])
    values.values[3] = -0.0
    try model.set("lstm.weight_hh_l1", to: values)
    let training = try Training(model, Self.lora, seed: 5)
    training.adapters.apply(to: training.network.weights)
    for index in model.parameters.slots.indices {
      let (found, wanted) = (training.network.weights.values(index), model.parameters.values(index))
      #expect(found.map(\.bitPattern) == wanted.map(\.bitPattern))
    }
  }

  @Test func freshAdaptersAreKaimingsAndZero() throws {
    let model = featureModel(layers: [.init(hiddenSize: 40), .init(hiddenSize: 30)], outputs: 4)
    let adapters = try Training(model, Self.lora, seed: 1).adapters
    #expect(
      adapters.parameters.slots.map(\.name) == [
        "lora.lstm.weight_ih_l1.A", "lora.lstm.weight_ih_l1.B", "lora.lstm.weight_hh_l1.A", "lora.lstm.weight_hh_l1.B",
        "lora.head.0.weight.A", "lora.head.0.weight.B",
      ])
    #expect(
      adapters.parameters.slots.map(\.specification.shape) == [
        [2, 40], [120, 2], [2, 30], [120, 2], [2, 30], [4, 2],
      ])
    for place in 0..<3 {
      let a = adapters.parameters.values(2 * place)
      let bound = 1 / Float(a.count / 2).squareRoot()
      #expect(a.allSatisfy { abs($0) <= bound } && (a.map(abs).max() ?? 0) > 0.8 * bound && Set(a).count > a.count / 2)
      #expect(adapters.parameters.values(2 * place + 1).allSatisfy { $0 == 0 })
    }
    // Of the seed, and of the name: not of what else is adapted.
    let alone = try Training(model, LoRA(rank: 2, alpha: 3, targets: ["head"]), seed: 1).adapters
    #expect(alone.parameters.values(0) == adapters.parameters.values(4))
    #expect(try Training(model, Self.lora, seed: 2).adapters.parameters.values(0) != adapters.parameters.values(0))
  }

  @Test func onlyAdaptersAndWhatTrainsItselfMove() throws {
    let model = featureModel()
    let trains = ["lstm.bias_ih_l1", "lstm.weight_hh_l1"]
    let training = try Training(
      model, Self.lora, trainable: model.parameters.slots.map { trains.contains($0.name) },
      rule: .adamW(learningRate: 1e-2, weightDecay: 0.3))
    let adapted = ["lstm.weight_ih_l1", "lstm.weight_hh_l1", "head.0.weight"]
    #expect(training.adapters.base.slots.map(\.name) == adapted)
    // Two moments of five biases a gate and of the pairs; none of the base.
    #expect(training.dense.stateCount == 2 * 16)
    #expect(
      training.lowRank.stateCount == 2 * training.adapters.parameters.slots.reduce(0) { $0 + $1.count })
    let data = try featureData(12)
    let first = try training.step(data).loss
    for _ in 0..<5 { _ = try training.step(data) }
    #expect(try training.step(data).loss < first)
    for (index, slot) in model.parameters.slots.enumerated() {
      let moves = adapted.contains(slot.name) || slot.name == "lstm.bias_ih_l1"
      #expect((training.network.weights.values(index) != model.parameters.values(index)) == moves, "\(slot.name)")
      if let place = training.adapters.base.index(of: slot.name) {
        #expect(training.adapters.base.values(place) == model.parameters.values(index))
      }
    }
    // The merged model is the network.
    let merged = model.replacing(weights: training.network.weights, changed: training.adapters.needsGradient)
    let batch = try data.batch(0..<data.count)
    #expect(try merged(batch).output == training.network.forward(batch))
    let rank = try #require(merged["lstm.weight_ih_l1"])
    #expect(rank.shape == [16, 5])
  }

  @Test(arguments: PyTorchTrainingTests.paths)
  func threadsDoNotShow(_ path: String) throws {
    var kernels = try PyTorchTrainingTests.kernels(path)
    let model = featureModel(6, layers: [.init(hiddenSize: 48), .init(hiddenSize: 70)], outputs: 33)
    let data = try featureData(20, steps: 5, size: 6, outputs: 33)
    var results: [[Float]] = []
    for threads in [1, 2, 5] {
      kernels.threads = threads
      let training = try Training(
        model, LoRA(rank: 5, alpha: 4, targets: ["lstm", "head"]), trainable: model.parameters.slots.map { _ in true },
        kernels: kernels)
      for _ in 0..<3 { _ = try training.step(data, clip: 0.5) }
      results.append(training.network.weights.slots.indices.flatMap(training.network.weights.values))
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  @Test func baseAndPairsAreAllThatTheWeightsAre() throws {
    let model = featureModel()
    let data = try featureData(12)
    let first = try Training(model, Self.lora, rule: .sgd(learningRate: 0.1))
    for _ in 0..<4 { _ = try first.step(data) }
    // From another model and another seed.
    let second = try Training(featureModel(seed: 9), Self.lora, rule: .sgd(learningRate: 0.1), seed: 9)
    for (from, to) in [
      (first.adapters.base, second.adapters.base), (first.adapters.parameters, second.adapters.parameters),
    ] {
      for index in from.slots.indices { to.set(index, from.values(index)) }
    }
    second.adapters.apply(to: second.network.weights)
    for slot in first.adapters.base.slots {
      let index = try #require(model.parameters.index(of: slot.name))
      #expect(second.network.weights.values(index) == first.network.weights.values(index))
    }
  }

  @Test(arguments: [1, 2]) func aStepAllocatesNothing(_ threads: Int) throws {
    var kernels = Kernels.best
    kernels.threads = threads
    let model = featureModel(8, layers: [.init(hiddenSize: 64), .init(hiddenSize: 64)])
    let data = try featureData(32, steps: 6, size: 8)
    let lora = LoRA(rank: 8, alpha: 8, targets: ["lstm", "head.0"])
    let tuner = FineTuner(try FreezePlan(model, lora: lora), options: .init(epochs: 2, batchSize: 8))
    let counts = try allocationsBetweenSteps { _ = try tuner.fit(model, data, kernels: kernels, events: $0) }
    #expect(counts == [0, 0])
  }

  // MARK: - Options

  @Test(arguments: [
    (LoRA(rank: 1, alpha: 1, targets: ["layer7"]), "\"layer7\" matches no part of this model"),
    (
      LoRA(rank: 1, alpha: 1, targets: ["lstm", "lstm.bias_*"]),
      "loraTargets lstm.bias_*: there is no matrix in it that an adapter can be put on"
    ),
    (
      LoRA(rank: 1, alpha: 1, targets: ["embedding"]),
      "loraTargets embedding: there is no matrix in it that an adapter can be put on"
    ),
    (LoRA(rank: 1, alpha: 1, targets: []), "loraTargets: expected at least one part of the model, found none"),
    (
      LoRA(rank: 6, alpha: 1, targets: ["lstm"]),
      "lora: expected a rank from 1 to 5, the smaller side of the largest matrix that it is for, found 6"
    ),
    (
      LoRA(rank: 0, alpha: 1, targets: ["head"]),
      "lora: expected a rank from 1 to 3, the smaller side of the largest matrix that it is for, found 0"
    ),
    (LoRA(rank: 1, alpha: 0, targets: ["head"]), "lora: expected an alpha above 0, found 0.0"),
    (LoRA(rank: 1, alpha: .nan, targets: ["head"]), "lora: expected an alpha above 0, found nan"),
  ])
  func targetsThatMakeNoSense(_ lora: LoRA, _ expected: String) throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 9, size: 4), layers: [.init(hiddenSize: 5)], readout: .last, head: [.init(size: 3)]))
    #expect(message { _ = try Training(model, lora) } == expected)
  }

  @Test func selectorsChooseMatricesAndNothingElse() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 9, size: 4),
      layers: [
        .init(hiddenSize: 6, isBidirectional: true, projectionSize: 3), .init(hiddenSize: 5, hasPeepholes: true),
      ],
      readout: .attention, head: [.init(size: 4), .init(size: 3)])
    func names(_ targets: String...) throws -> [String] {
      try LoRA(rank: 1, alpha: 1, targets: targets).adapted(of: configuration).map { configuration.parameters[$0].name }
    }
    #expect(try names("layer0.reverse") == ["lstm.weight_ih_l0_reverse", "lstm.weight_hh_l0_reverse"])
    #expect(try names("head.1", "layer1") == ["lstm.weight_ih_l1", "lstm.weight_hh_l1", "head.1.weight"])
    #expect(try names("*").count == 8)
    #expect(try names("lstm.weight_hh_*", "lstm.weight_hh_l1").count == 3)
  }
}
