import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A run that was stopped and resumed ends with the bits of one that was not.
@Suite struct ResumeTests {
  /// Stops a run after its n-th step.
  private final class Counter: @unchecked Sendable {
    var steps = 0
    var limit = Int.max
  }

  private struct Outcome: Equatable {
    var weights: [[Float]]
    var best: [[Float]]
    var bestEpoch: Int
    var losses: [Double?]
    var log: Data
  }

  private static func values(_ model: LSTMModel) -> [[Float]] {
    model.configuration.parameters.compactMap { model[$0.name]?.values }
  }

  /// Runs in `folder`, stopping and going on again at every step in `stops`, counted from the last stop.
  private static func run(
    _ path: String, _ recipe: Recipe, _ schedule: Schedule?, lora: LoRA? = nil, stops: [Int]
  ) throws -> Outcome {
    let model = featureModel()
    let (data, validation) = (try featureData(14), try featureData(6))
    let plan = try FreezePlan(
      model, freezing: recipe == .full && lora == nil ? ["layer0", "layer1.forget"] : [], recipe: recipe, lora: lora)
    var tuner = FineTuner(
      plan, optimizer: .adamW(learningRate: 0.02, isAMSGrad: true),
      options: .init(epochs: 6, batchSize: 4, patience: 4, seed: 7, schedule: schedule))
    let counter = Counter()
    tuner.shouldStop = { counter.steps >= counter.limit }
    var stops = stops[...]
    var folder = try RunFolder(path)
    var point: ResumePoint?
    while true {
      counter.steps = 0
      counter.limit = stops.popFirst() ?? .max
      let run = try tuner.fit(model, data, validation: validation, resuming: point) { event in
        if case .step = event { counter.steps += 1 }
        try folder.record(event)
      }
      guard run.ending == .interrupted else {
        return Outcome(
          weights: values(run.last), best: values(run.best), bestEpoch: run.bestEpoch,
          losses: run.epochs.map { $0.validation?.loss },
          log: try Data(contentsOf: URL(fileURLWithPath: path + "/log.jsonl")))
      }
      // As after a crash: lines that the state knows nothing of.
      let log = try FileHandle(forWritingTo: URL(fileURLWithPath: path + "/log.jsonl"))
      try log.seekToEnd()
      try log.write(contentsOf: Data("{\"event\":\"step\",\"epo".utf8))
      try log.close()
      point = try ResumePoint(run: path)
      folder = try RunFolder(resuming: path, point?.state)
    }
  }

  @Test(arguments: [
    (Recipe.full, Optional(Schedule(.plateau(patience: 0, factor: 0.5)))), (.ulmfit, nil),
    (.headFirst, Schedule(.oneCycle(), warmUp: 3)),
  ])
  func resumedAtEveryStepIsAsIfNeverStopped(_ recipe: Recipe, _ schedule: Schedule?) throws {
    let folder = try TemporaryFolder()
    let whole = try Self.run(folder.path("whole"), recipe, schedule, stops: [])
    #expect(!whole.losses.isEmpty && whole.log.count > 1000)
    let eachStep = try Self.run(folder.path("each"), recipe, schedule, stops: .init(repeating: 1, count: 30))
    #expect(eachStep == whole)
    for stop in [1, 4, 5, 11] {
      #expect(try Self.run(folder.path("stop\(stop)"), recipe, schedule, stops: [stop, 3]) == whole, "after \(stop)")
    }
  }

  @Test(arguments: [Recipe.full, .ulmfit])
  func lowRankAdaptersGoOnToo(_ recipe: Recipe) throws {
    let folder = try TemporaryFolder()
    let lora = LoRA(rank: 2, alpha: 4, targets: ["layer1"])
    let whole = try Self.run(folder.path("whole"), recipe, nil, lora: lora, stops: [])
    #expect(try Self.run(folder.path("each"), recipe, nil, lora: lora, stops: .init(repeating: 1, count: 30)) == whole)
  }

  @Test func aRunOnOtherDataIsRefused() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    let model = featureModel()
    let tuner = FineTuner(try FreezePlan(model), options: .init(epochs: 1, batchSize: 4))
    _ = try tuner.fit(model, featureData(10)) { try run.record($0) }
    let point = try #require(try ResumePoint(run: run.path))
    do {
      _ = try tuner.fit(model, featureData(11), resuming: point)
      Issue.record("accepted")
    } catch let error as CheckpointError {
      #expect(error.message.contains("it is the state of a run on other data"))
    }
  }

  @Test func aDamagedStateIsAnError() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    let model = featureModel()
    let tuner = FineTuner(try FreezePlan(model), options: .init(epochs: 1, batchSize: 4))
    _ = try tuner.fit(model, featureData(10)) { try run.record($0) }
    let good = try Checkpoint(path: run.file("last.h5"))
    #expect(good.extras.contains { $0.name == "training/state" })
    for change in 0..<4 {
      var bad = try StoredModel(good)
      bad.extras = try good.extras.map { tensor in
        let bytes = try tensor.bytes()
        return StoredTensor(name: tensor.name, shape: tensor.shape, dataType: tensor.dataType) { bytes }
      }
      switch change {
      case 0: bad.extras = []
      case 1: bad.extras.removeAll { $0.name.hasPrefix("training/second") }
      case 2: bad.extras.removeAll { $0.name == "training/order" }
      default:
        bad.extras = bad.extras.map { tensor in
          guard tensor.name == "training/state" else { return tensor }
          return StoredTensor(name: tensor.name, shape: [2], dataType: .uint8) { Array("{}".utf8) }
        }
      }
      try bad.write(path: run.file("last.h5"))
      #expect(throws: CheckpointError.self, "\(change)") {
        let point = try ResumePoint(run: run.path)
        _ = try tuner.fit(model, featureData(10), resuming: point)
      }
    }
  }
}
