import CAllocations
import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A training step allocates nothing once its shapes have been seen. Where nobody counts (macOS, sanitizers) or nobody
/// optimizes there is nothing to see.
@Suite struct AllocationTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let configuration: ModelConfiguration
    var loss = Loss.meanSquaredError
    var isRagged = false
    var freezing: [String] = []
    var regularization = Regularization()
    var testDescription: String { name }
  }

  static let bidirectional = [
    PlainStack.Layer(hiddenSize: 24, isBidirectional: true),
    .init(hiddenSize: 32, isBidirectional: true, projectionSize: 16),
  ]

  static let cases: [Case] = [
    Case(
      name: "features, regression, last step",
      configuration: .init(
        input: .features(size: 8), layers: [.init(hiddenSize: 64), .init(hiddenSize: 64)], readout: .last,
        head: [.init(size: 3)])),
    Case(
      name: "tokens, cross-entropy at every step",
      configuration: .init(
        input: .tokens(vocabulary: 100, size: 32), layers: [.init(hiddenSize: 64), .init(hiddenSize: 64)],
        readout: .all, head: [.init(size: 100)]),
      loss: .crossEntropy),
    Case(
      name: "ragged, bidirectional, projected",
      configuration: .init(
        input: .features(size: 8), layers: bidirectional, readout: .final,
        head: [.init(size: 16, activation: .tanh), .init(size: 2)], normalizesOutput: true), isRagged: true),
    Case(
      name: "ragged, tokens, skip, attention",
      configuration: .init(
        input: .tokens(vocabulary: 50, size: 16), layers: bidirectional, skip: true, readout: .attention,
        head: [.init(size: 16, activation: .softmax), .init(size: 5)]),
      loss: .crossEntropy, isRagged: true),
    Case(
      name: "ragged, peepholes, maximum",
      configuration: .init(
        input: .features(size: 8), layers: [.init(hiddenSize: 48, hasPeepholes: true)], readout: .max,
        head: [.init(size: 16, activation: .relu), .init(size: 2, activation: .sigmoid)]),
      loss: .huber(delta: 0.5), isRagged: true),
    Case(
      name: "frozen layer below",
      configuration: .init(
        input: .features(size: 8), layers: [.init(hiddenSize: 64), .init(hiddenSize: 64)], readout: .mean,
        head: [.init(size: 1)]),
      loss: .meanAbsoluteError, isRagged: true, freezing: ["layer0"]),
    Case(
      name: "the head alone, every step",
      configuration: .init(
        input: .tokens(vocabulary: 50, size: 16), layers: [.init(hiddenSize: 64)], readout: .all,
        head: [.init(size: 50)]),
      loss: .crossEntropy, isRagged: true, freezing: ["embedding", "lstm"]),
    Case(
      name: "the head alone, binary",
      configuration: .init(
        input: .features(size: 8), layers: [.init(hiddenSize: 64)], readout: .last, head: [.init(size: 1)]),
      loss: .binaryCrossEntropy, freezing: ["lstm"]),
    Case(
      name: "ragged, tokens, bidirectional, all regularization, smoothed and weighted",
      configuration: .init(
        input: .tokens(vocabulary: 50, size: 16), layers: bidirectional, readout: .all, head: [.init(size: 5)]),
      loss: .crossEntropy(labelSmoothing: 0.1, classWeights: [1, 2, 0.5, 3, 1]), isRagged: true,
      regularization: RegularizationTests.everything),
    Case(
      name: "ragged, features, skip, frozen layer below, all regularization",
      configuration: .init(
        input: .features(size: 8), layers: bidirectional, skip: true, readout: .attention, head: [.init(size: 2)]),
      isRagged: true, freezing: ["layer0"], regularization: RegularizationTests.everything),
  ]

  static func data(_ test: Case, count: Int = 72, steps: Int = 12) throws -> SequenceData {
    var random = RandomNumbers(seed: 3)
    let rows = count * (test.configuration.readout == .all ? steps : 1)
    let inputs: SequenceData.Inputs
    switch test.configuration.input {
    case .features(let size): inputs = .features(noise(count * steps * size, seed: 1), steps: steps, size: size)
    case .tokens(let vocabulary):
      inputs = .tokens(
        (0..<count * steps).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &random) }, steps: steps)
    }
    let size = test.configuration.outputSize
    let perStep = test.configuration.readout == .all
    let classes = test.loss == .binaryCrossEntropy ? 2 : size
    return try SequenceData(
      inputs: inputs,
      targets: test.loss.isCrossEntropy || test.loss == .binaryCrossEntropy
        ? .classes((0..<rows).map { _ in Int32.random(in: 0..<Int32(classes), using: &random) }, perStep: perStep)
        : .values(noise(rows * size, seed: 2), size: size, perStep: perStep),
      lengths: test.isRagged ? (0..<count).map { _ in Int.random(in: 1...steps, using: &random) } : nil)
  }

  @Test(arguments: cases, [1, 2]) func aStepAllocatesNothing(_ test: Case, _ threads: Int) throws {
    let model = LSTMModel(test.configuration, seed: 4)
    let data = try Self.data(test)
    var kernels = Kernels.best
    kernels.threads = threads
    for rule in [Optimizer.adamW(isAMSGrad: true), .sgd(learningRate: 0.01, momentum: 0.9)] {
      var tuner = FineTuner(try plan(model, freezing: test.freezing), optimizer: rule, loss: test.loss)
      tuner.options.regularization = test.regularization
      // In one order: a larger batch than any before may allocate.
      (tuner.options.epochs, tuner.options.batchSize, tuner.options.shuffles) = (3, 16, false)
      for isCached in test.freezing.isEmpty ? [false] : [false, true] {
        tuner.options.cache.isOn = isCached
        var places: [CacheUsage.Place] = []
        let counts = try allocationsBetweenSteps { count in
          _ = try tuner.fit(model, data, kernels: kernels) { event in
            if case .cache(let cache) = event { places.append(cache.place) }
            try count(event)
          }
        }
        #expect(places == (isCached ? [.memory] : []))
        #expect(!counts.isEmpty && counts.allSatisfy { $0 == 0 }, "\(rule.name), cached: \(isCached), \(counts)")
      }
    }
  }

  /// Otherwise the test above would prove nothing.
  @Test func allocationsAreCounted() {
    guard allocations_are_counted() != 0 else { return }
    let before = allocations_of_this_thread()
    var kept: [[Int]] = []
    for count in 1...10 { kept.append([Int](repeating: count, count: 100 * count)) }
    #expect(allocations_of_this_thread() - before >= 10)
    #expect(kept.count == 10)
  }
}
