import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// The frozen prefix is computed once, and that does not show.
@Suite struct CachingTests {
  /// Everything that a run gives, to the bit.
  struct Trace: Equatable {
    var losses: [UInt64] = []
    var norms: [UInt64] = []
    var metrics: [Metrics] = []
    var weights: [String: [UInt32]] = [:]

    init(
      _ tuner: FineTuner, _ model: LSTMModel, _ data: SequenceData, _ validation: SequenceData?,
      kernels: Kernels = .best
    )
      throws
    {
      var (losses, norms): ([UInt64], [UInt64]) = ([], [])
      let run = try tuner.fit(model, data, validation: validation, kernels: kernels) { event in
        if case .step(let step) = event {
          losses.append(step.loss.bitPattern)
          norms.append(step.gradientNorm.bitPattern)
        }
      }
      (self.losses, self.norms) = (losses, norms)
      metrics = [run.baseline] + run.epochs.compactMap(\.validation)
      weights = allValues(run.last).mapValues { $0.map(\.bitPattern) }
    }
  }

  /// Where what is kept lies.
  static func caches(_ tuner: FineTuner, _ model: LSTMModel, _ data: SequenceData, _ validation: SequenceData?) throws
    -> [CacheUsage]
  {
    var caches: [CacheUsage] = []
    _ = try tuner.fit(model, data, validation: validation) { event in
      if case .cache(let cache) = event { caches.append(cache) }
    }
    return caches
  }

  // MARK: - Any model, any plan

  @Test(arguments: 0..<80) func runsWithAndWithoutAreTheSameBits(_ seed: Int) throws {
    let random = try PaddingTests.Case(seed: UInt64(5000 + seed))
    var generator = RandomNumbers(seed: UInt64(seed))
    let configuration = random.model.configuration
    var parts: [String] = []
    if case .tokens = configuration.input { parts.append("embedding") }
    parts += configuration.plain.layers.indices.map { "layer\($0)" }
    if configuration.readout == .attention { parts.append("attention") }
    parts += configuration.plain.head.indices.map { "head.\($0)" }
    // A frozen bottom, often all but the head, and sometimes something above it.
    let bottom = Int.random(in: 0..<parts.count, using: &generator)
    var frozen = Set(parts.prefix(bottom))
    if bottom + 1 < parts.count, Bool.random(using: &generator) {
      frozen.insert(parts[Int.random(in: bottom + 1..<parts.count, using: &generator)])
    }
    let validation = Bool.random(using: &generator) ? random.data.selecting([0, random.data.count - 1, 0]) : nil
    var tuner = FineTuner(
      try plan(random.model, freezing: frozen.sorted()), optimizer: .adam(learningRate: 0.01), loss: random.loss)
    tuner.options.epochs = Int.random(in: 1...3, using: &generator)
    tuner.options.batchSize = Int.random(in: 1...4, using: &generator)
    if seed % 2 == 1 { tuner.options.regularization = RegularizationTests.everything }
    let folder = try TemporaryFolder()

    let kept = try Trace(tuner, random.model, random.data, validation)
    tuner.options.cache = .off
    #expect(try Trace(tuner, random.model, random.data, validation) == kept)
    #expect(try Self.caches(tuner, random.model, random.data, validation).isEmpty)
    tuner.options.cache = .init(memoryLimit: 0, folder: folder.url.path)
    #expect(try Trace(tuner, random.model, random.data, validation) == kept)
    // A frozen embedding alone is a look-up either way.
    let prefix =
      configuration.plain.layers.indices.contains { _ in frozen.contains("layer0") }
      && (parts[0] != "embedding" || frozen.contains("embedding"))
    let places = try Self.caches(tuner, random.model, random.data, validation).map(\.place)
    #expect(places == (prefix ? [.file(folder: folder.url.path)] : []))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  /// Sizes at which products are cut into panels and handed to several threads, on every path.
  @Test(arguments: Kernels.available.map(\.name), [["layer0"], ["lstm"], ["lstm", "head.0"]])
  func largerRunsAreTheSameBitsOnEveryPath(_ path: String, _ freezing: [String]) throws {
    var kernels = try PyTorchTrainingTests.kernels(path)
    let model = LSTMModel(
      ModelConfiguration(
        input: .features(size: 9),
        layers: [.init(hiddenSize: 72, isBidirectional: true), .init(hiddenSize: 65, projectionSize: 33)],
        readout: .mean, head: [.init(size: 17, activation: .tanh), .init(size: 2)]), seed: 5)
    var random = RandomNumbers(seed: 6)
    let (count, steps) = (75, 9)
    let data = try SequenceData(
      inputs: .features(noise(count * steps * 9, seed: 1), steps: steps, size: 9),
      targets: .values(noise(count * 2, seed: 2), size: 2, perStep: false),
      lengths: (0..<count).map { _ in Int.random(in: 1...steps, using: &random) })
    var tuner = FineTuner(try plan(model, freezing: freezing), loss: .meanSquaredError)
    (tuner.options.epochs, tuner.options.batchSize) = (2, 13)
    let validation = data.selecting(0..<11)
    let kept = try Trace(tuner, model, data, validation, kernels: kernels)
    tuner.options.cache = .off
    for threads in [1, 2, 3, 5] {
      kernels.threads = threads
      #expect(try Trace(tuner, model, data, validation, kernels: kernels) == kept, "\(threads) threads, without")
    }
    tuner.options.cache.isOn = true
    for threads in [1, 2, 3, 5] {
      kernels.threads = threads
      #expect(try Trace(tuner, model, data, validation, kernels: kernels) == kept, "\(threads) threads, with")
    }
  }

  // MARK: - Threads

  @Test(arguments: AllocationTests.cases) func runsAreTheSameBitsForAnyNumberOfThreads(_ test: AllocationTests.Case)
    throws
  {
    let model = LSTMModel(test.configuration, seed: 8)
    let data = try AllocationTests.data(test)
    var tuner = FineTuner(try plan(model, freezing: test.freezing), loss: test.loss)
    (tuner.options.epochs, tuner.options.batchSize) = (2, 32)
    tuner.options.regularization = test.regularization
    var kernels = Kernels.best
    kernels.threads = 1
    let one = try Trace(tuner, model, data, data.selecting(3..<20), kernels: kernels)
    #expect(one.losses.count == 6 && one.weights != allValues(model).mapValues { $0.map(\.bitPattern) })
    for threads in [2, 3, 5] {
      kernels.threads = threads
      #expect(try Trace(tuner, model, data, data.selecting(3..<20), kernels: kernels) == one, "\(threads) threads")
    }
  }

  // MARK: - What is kept

  static func stack(_ readout: PlainStack.Readout, skip: Bool = false) -> LSTMModel {
    LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 9, size: 3),
        layers: [.init(hiddenSize: 4, isBidirectional: true), .init(hiddenSize: 6, projectionSize: 5)], skip: skip,
        readout: readout, head: [.init(size: 7, activation: .tanh), .init(size: 2)]), seed: 1)
  }

  static func tokens(_ readout: PlainStack.Readout) throws -> SequenceData {
    let rows = readout == .all ? 20 : 5
    return try SequenceData(
      inputs: .tokens((0..<20).map { $0 % 9 }, steps: 4),
      targets: .values(noise(rows * 2, seed: 1), size: 2, perStep: readout == .all), lengths: [4, 1, 3, 2, 2])
  }

  /// Frozen parts, readout, skip -> floats in a row, whether there is one for each of the twelve steps, parts.
  @Test(
    arguments: [
      (["embedding", "layer0"], .last, false, 8, true, ["embedding", "layer0"]),
      (["embedding", "layer0"], .all, true, 11, true, ["embedding", "layer0"]),
      (["embedding", "layer0", "head"], .last, false, 8, true, ["embedding", "layer0"]),
      (["embedding", "lstm"], .last, false, 5, false, ["embedding", "layer0", "layer1"]),
      (["embedding", "lstm"], .all, false, 5, true, ["embedding", "layer0", "layer1"]),
      (["embedding", "lstm"], .mean, true, 16, false, ["embedding", "layer0", "layer1"]),
      (["embedding", "lstm", "head.0"], .max, false, 7, false, ["embedding", "layer0", "layer1", "head.0"]),
      (["embedding", "lstm", "head.0"], .all, true, 7, true, ["embedding", "layer0", "layer1", "head.0"]),
      // Attention that trains needs every step.
      (["embedding", "lstm"], .attention, false, 5, true, ["embedding", "layer0", "layer1"]),
      (
        ["embedding", "lstm", "attention"], .attention, false, 5, false, ["embedding", "layer0", "layer1", "attention"]
      ),
    ] as [([String], PlainStack.Readout, Bool, Int, Bool, [String])])
  func theSizeIsKnownBeforehand(
    _ freezing: [String], _ readout: PlainStack.Readout, _ skip: Bool, _ width: Int, _ isPerStep: Bool,
    _ parts: [String]
  ) throws {
    let (model, data) = (Self.stack(readout, skip: skip), try Self.tokens(readout))
    let tuner = FineTuner(try plan(model, freezing: freezing))
    // 12 steps to train on, 4 + 3 to validate on.
    let found = try Self.caches(tuner, model, data, data.selecting([0, 2]))
    let rows = isPerStep ? 12 + 7 : 5 + 2
    #expect(found == [.init(parts: parts, bytes: 4 * rows * width, place: .memory)])
  }

  @Test(arguments: [["embedding"], ["layer0"], ["embedding", "layer1"], ["head"], ["embedding", "lstm.weight_hh_l0"]])
  func nothingIsKeptBelowWhatTrains(_ freezing: [String]) throws {
    let (model, data) = (Self.stack(.last), try Self.tokens(.last))
    #expect(try Self.caches(FineTuner(plan(model, freezing: freezing)), model, data, data).isEmpty)
  }

  /// Epochs, whether there is validation -> how many of the five training and two validation sequences are kept.
  @Test(arguments: [(0, true, 0), (0, false, 0), (1, true, 2), (1, false, 5), (2, true, 7), (2, false, 5)])
  func onlyWhatIsNeededTwiceIsKept(_ epochs: Int, _ validates: Bool, _ sequences: Int) throws {
    let (model, data) = (Self.stack(.last), try Self.tokens(.last))
    var tuner = FineTuner(try plan(model, freezing: ["embedding", "lstm"]))
    tuner.options.epochs = epochs
    let found = try Self.caches(tuner, model, data, validates ? data.selecting([0, 2]) : nil)
    #expect(found.map(\.bytes) == (sequences == 0 ? [] : [4 * 5 * sequences]))
  }

  /// Weights of the prefix that are not numbers any more must not be looked at after the first pass.
  @Test(arguments: [["layer0"], ["lstm"], ["lstm", "head.0"]])
  func nothingBelowIsComputedAgain(_ freezing: [String]) throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .features(size: 2), layers: [.init(hiddenSize: 5), .init(hiddenSize: 4)], readout: .last,
        head: [.init(size: 3), .init(size: 1)]), seed: 2)
    let data = try featureData(12)
    let tuner = FineTuner(try plan(model, freezing: freezing))
    let network = Network(model)
    let caches = try tuner.makeCaches(network, data, data) { _ in }
    let stepper = try Stepper(tuner, network, .best)
    let loss = try stepper.step(data, cache: caches.training, [0, 1, 2], .init(epoch: 1, step: 1))?.loss.mean
    for (slot, trains) in zip(network.weights.slots, tuner.plan.trainable) where !trains {
      (network.weights.pointer + slot.offset).update(repeating: .nan, count: slot.count)
    }
    network.weightsChanged()
    let again = try stepper.step(data, cache: caches.training, [0, 1, 2], .init(epoch: 1, step: 2))?.loss.mean
    let evaluator = Evaluator(network, loss: .meanSquaredError)
    #expect(try #require(again) < #require(loss))
    #expect(try evaluator.evaluate(data, caches.validation).loss.isFinite)
    #expect(try evaluator.evaluate(data).loss.isNaN)
  }

  // MARK: - Where

  @Test func whatFitsNowhereIsComputedInEveryEpoch() throws {
    let (model, data) = (Self.stack(.last), try Self.tokens(.last))
    var tuner = FineTuner(try plan(model, freezing: ["embedding", "lstm"]))
    tuner.options.cache = .init(memoryLimit: 99, folder: "/nowhere")
    let found = try Self.caches(tuner, model, data, nil)
    #expect(
      found.map(\.place)
        == [.nowhere(reason: "more than the 0.0 MB of memory it may take, and there is no folder /nowhere")])
    let kept = try Trace(tuner, model, data, nil)
    tuner.options.cache = .init(memoryLimit: 100)
    #expect(try Self.caches(tuner, model, data, nil).map(\.place) == [.memory])
    #expect(try Trace(tuner, model, data, nil) == kept)
  }

  @Test func storageGivesBackWhatItTook() throws {
    let folder = try TemporaryFolder()
    for place in [CacheUsage.Place.memory, .file(folder: folder.url.path)] {
      let values = noise(5000, seed: 3)
      let writer = try FloatStorage.Writer(place, count: values.count)
      for start in stride(from: 0, to: values.count, by: 999) {
        let part = Array(values[start..<min(start + 999, values.count)])
        if let room = writer.room(part.count) {
          room.update(from: part, count: part.count)
          try writer.append(room, part.count)
        } else {
          try writer.append(part, part.count)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty, "the file has no name")
      }
      let storage = try writer.finish()
      #expect((0..<values.count).allSatisfy { storage.pointer[$0] == values[$0] })
    }
    #expect(throws: FloatStorage.Failure.self) { try FloatStorage.Writer(.file(folder: "/nowhere"), count: 1) }
  }

  /// The disk had room when it was asked, and none when it came to it.
  @Test func aFileThatCannotBeMadeIsSaidAndDoneWithout() throws {
    let folder = try TemporaryFolder()
    let (model, data) = (Self.stack(.last), try Self.tokens(.last))
    var tuner = FineTuner(try plan(model, freezing: ["embedding", "lstm"]))
    tuner.options.cache = .init(memoryLimit: 0, folder: folder.url.path)
    var places: [CacheUsage.Place] = []
    let run = try tuner.fit(model, data) { event in
      guard case .cache(let cache) = event else { return }
      places.append(cache.place)
      try? FileManager.default.removeItem(at: folder.url)
    }
    #expect(places.first == .file(folder: folder.url.path) && places.count == 2)
    if case .nowhere(let reason)? = places.last {
      #expect(reason.hasPrefix("no file can be made in \(folder.url.path): "))
    } else {
      Issue.record("\(places)")
    }
    tuner.options.cache = .off
    #expect(try allValues(tuner.fit(model, data).last) == allValues(run.last))
  }

  @Test func dataThatDoesNotFitIsFoundByTheFirstPass() throws {
    let model = featureModel()
    let tuner = FineTuner(try plan(model, freezing: ["layer0"]))
    #expect(message { _ = try tuner.fit(model, featureData(5, size: 3)) } == "features: expected 2 a step, found 3")
  }

  // MARK: - What is not touched

  @Test(arguments: 0..<40) func gradientsOfWhatIsFrozenAreLeftAlone(_ seed: Int) throws {
    let random = try PaddingTests.Case(seed: UInt64(7000 + seed))
    var generator = RandomNumbers(seed: UInt64(seed))
    var names = random.model.parameters.slots.map(\.name).shuffled(using: &generator)
    names.removeLast(Int.random(in: 1...names.count, using: &generator))
    let tuner = FineTuner(try plan(random.model, freezing: names), loss: random.loss)
    let network = Network(random.model)
    let stepper = try Stepper(tuner, network, .best)
    for (slot, trains) in zip(stepper.gradients.slots, tuner.plan.trainable) where !trains {
      (stepper.gradients.pointer + slot.offset).update(repeating: .nan, count: slot.count)
    }
    let all = Array(0..<random.data.count)
    for step in 1...2 { _ = try stepper.step(random.data, all[...], .init(epoch: 1, step: step)) }
    for (index, trains) in tuner.plan.trainable.enumerated() {
      #expect(stepper.gradients.values(index).allSatisfy { $0.isNaN != trains })
    }
  }
}
