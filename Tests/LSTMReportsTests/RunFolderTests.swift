import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

@Suite struct RunFolderTests {
  static func log(_ path: String) throws -> [[String: Any]] {
    let text = try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8)
    #expect(text.hasSuffix("\n"))
    return try text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  static func files(_ path: String) throws -> Set<String> {
    Set(try FileManager.default.contentsOfDirectory(atPath: path))
  }

  static let state = TrainingState(
    progress: .init(
      epoch: 1, step: 0, random: [1, 2, 3, 4], squareSums: [0], baseline: metrics, spreads: [1], optimizerSteps: [0]),
    order: [0], moments: [])

  static let metrics = Metrics(loss: 0.5, mae: 1, rmse: 2, accuracy: nil, examples: 3)

  static func failure(_ body: () throws -> Void) -> (message: String, category: FailureCategory)? {
    do {
      try body()
    } catch let error as any DescribedFailure {
      return (error.message.description, error.category)
    } catch {
      Issue.record("not a described failure: \(error)")
    }
    return nil
  }

  // MARK: - What a run leaves

  private struct EpochLine: Decodable, Equatable {
    var epoch: Int
    var trainingLoss: Double
    var validation: Metrics?
    var gradientNorms: [String: Double]?
    var gateGradientNorms: [String: [Double]]?
    var seconds: Double?
    var sequencesPerSecond: Double?
  }

  @Test func aLineOfJSONForEachStepAndEpoch() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a/b/run")
    let run = try RunFolder(path)
    try run.write(RunRecordTests.record)
    let (model, data) = (featureModel(), try featureData(10))
    let tuner = try makeTuner(model)
    let result = try tuner.fit(model, data, validation: featureData(4, seed: 9)) { try run.record($0) }
    let lines = try Self.log(path)
    #expect(
      lines.compactMap { $0["event"] as? String } == ["start"]
        + (1...3).flatMap { _ in ["step", "step", "step", "epoch"] } + ["end"])
    #expect(lines.last?["ending"] as? String == "finished" && lines.last?["bestEpoch"] as? Int == result.bestEpoch)
    #expect((lines[0]["validation"] as? [String: Any])?["loss"] as? Double == result.baseline.loss)
    #expect(Set(lines[1].keys) == ["event", "epoch", "step", "loss", "learningRate", "gradientNorm"])
    #expect(lines[6]["epoch"] as? Int == 2 && lines[6]["step"] as? Int == 2)
    let text = try String(contentsOfFile: path + "/log.jsonl", encoding: .utf8).split(separator: "\n")
    for (epoch, place) in zip(result.epochs, [4, 8, 12]) {
      let line = try JSONDecoder().decode(EpochLine.self, from: Data(text[place].utf8))
      #expect(
        line
          == EpochLine(
            epoch: epoch.number, trainingLoss: epoch.trainingLoss, validation: epoch.validation,
            gradientNorms: epoch.gradientNorms, gateGradientNorms: epoch.gateGradientNorms, seconds: nil,
            sequencesPerSecond: nil), "and nothing that depends on the machine")
      #expect(line.gateGradientNorms?["layer0"]?.count == data.steps)
    }
    let times = try String(contentsOfFile: path + "/times.jsonl", encoding: .utf8).split(separator: "\n")
    #expect(times.count == 3 && times.allSatisfy { $0.contains("\"seconds\":") })
    #expect(
      try Self.files(path) == [
        "config.json", "log.jsonl", "times.jsonl", "best.h5", "last.h5", "loss.svg", "gradients.svg",
        "report.html",
      ])
    #expect(xmlProblem(try String(contentsOfFile: run.file("loss.svg"), encoding: .utf8)) == nil)
    let stored = { (name: String) in allValues(try LSTMModel(Checkpoint(path: run.file(name)))) }
    #expect(try stored("last.h5") == allValues(result.last))
    #expect(try stored("best.h5") == allValues(result.best))
    #expect(try RunRecord(contentsOf: run.file("config.json")).settings == RunRecordTests.record.settings)
  }

  @Test func thePretrainedModelIsTheBestUntilAnEpochIsBetter() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    let model = featureModel()
    let bad = try SequenceData(
      inputs: .features(noise(6, seed: 1), steps: 3, size: 2), targets: .values([3e38], size: 1, perStep: false))
    #expect(
      Self.failure { _ = try makeTuner(model).fit(model, bad) { try run.record($0) } }?.message
        == "stopped in epoch 1, step 1: the loss is inf")
    #expect(allValues(try LSTMModel(Checkpoint(path: run.file("best.h5")))) == allValues(model))
    #expect(try Self.files(run.path) == ["log.jsonl", "best.h5", "last.h5"])
    // A loss that JSON has no number for is a word.
    let lines = try Self.log(run.path)
    #expect(lines.count == 1 && (lines[0]["validation"] as? [String: Any])?["loss"] as? String == "inf")
  }

  @Test func aWorseEpochReplacesTheLastAndNotTheBest() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    let (a, b) = (featureModel(seed: 1), featureModel(seed: 2))
    try run.record(.weights(a, Self.state, isBest: true))
    let best = try Data(contentsOf: URL(fileURLWithPath: run.file("best.h5")))
    try run.record(.weights(b, Self.state, isBest: false)) { model in
      var model = model
      model.preprocessing.window = 3
      return model
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: run.file("best.h5"))) == best)
    let last = try Checkpoint(path: run.file("last.h5"))
    #expect(allValues(try LSTMModel(last)) == allValues(b) && last.preprocessing.window == 3)
    #expect(try Self.files(run.path) == ["log.jsonl", "best.h5", "last.h5"], "no temporary file stays")
  }

  // MARK: - What goes wrong

  @Test func aFolderThatHoldsARunIsRefused() throws {
    let folder = try TemporaryFolder()
    let first = try RunFolder(folder.path("run"))
    try first.record(.start(Self.metrics))
    let failure = Self.failure { _ = try RunFolder(folder.path("run")) }
    #expect(failure?.message == "cannot write \(first.path): it already holds a run; choose another runFolder")
    #expect(failure?.category == .cannotCreate)
    #expect(try Self.log(first.path).count == 1)
  }

  @Test func aFileWhereTheFolderShouldBe() throws {
    let folder = try TemporaryFolder()
    try Data([1]).write(to: URL(fileURLWithPath: folder.path("run")))
    for path in [folder.path("run"), folder.path("run/below")] {
      let failure = Self.failure { _ = try RunFolder(path) }
      #expect(failure?.message.description.hasPrefix("cannot write \(path): ") == true, "\(failure?.message ?? "")")
      #expect(failure?.category == .cannotCreate)
    }
  }

  @Test func aFolderThatMayNotBeWritten() throws {
    let folder = try TemporaryFolder()
    // Permissions do not bind a superuser; /proc/self binds everyone.
    let path = geteuid() == 0 ? "/proc/self/run" : folder.path("locked/run")
    if geteuid() != 0 {
      try FileManager.default.createDirectory(
        atPath: folder.path("locked"), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o500])
    }
    let failure = Self.failure { _ = try RunFolder(path) }
    #expect(failure?.message.description.hasPrefix("cannot write \(path): the folder cannot be created") == true)
    #expect(failure?.category == .cannotCreate)
  }

  @Test func aFullDiskUnderTheLogIsATypedError() throws {
    let descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    let run = RunFolder("run", log: descriptor)
    let failure = Self.failure { try run.record(.start(Self.metrics)) }
    #expect(failure?.message == "run/log.jsonl: writing failed: No space left on device")
    #expect(failure?.category == .inputOutput)
  }

  @Test func aModelThatCannotBeWrittenLeavesTheOldOne() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    try run.record(.weights(featureModel(seed: 1), Self.state, isBest: true))
    let before = try Data(contentsOf: URL(fileURLWithPath: run.file("best.h5")))
    // A model whose bytes fail half-way, as a source on a broken disk would.
    struct Broken: Error {}
    var broken = featureModel(seed: 2).stored
    let (name, shape) = (broken.tensors[3].name, broken.tensors[3].shape)
    broken.tensors[3] = StoredTensor(name: name, shape: shape, dataType: .float64) { throw Broken() }
    #expect(throws: Broken.self) { try broken.write(path: run.file("best.h5")) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: run.file("best.h5"))) == before)
    #expect(try Self.files(run.path) == ["log.jsonl", "best.h5", "last.h5"])
  }

  @Test func aFolderThatIsGoneIsATypedError() throws {
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    try FileManager.default.removeItem(atPath: run.path)
    let failure = Self.failure { try run.record(.weights(featureModel(), Self.state, isBest: true)) }
    #expect(failure?.message == "\(run.file("best.h5")): the directory \(run.path) does not exist")
    #expect(failure?.category == .cannotCreate)
    #expect(Self.failure { try run.write(RunRecord()) }?.category == .cannotCreate)
  }

  // MARK: - Two processes

  @Test func aRunThatGoesOnIsNotResumed() throws {
    let folder = try TemporaryFolder()
    let (model, data) = (featureModel(), try featureData(10))
    let run = try RunFolder(folder.path("run"))
    let tuner = try makeTuner(model)
    var refusals: [String] = []
    _ = try tuner.fit(model, data, validation: data) { event in
      try run.record(event)
      guard case .epoch = event else { return }
      let state = try ResumePoint(run: run.path)?.state
      refusals.append(message { _ = try RunFolder(resuming: run.path, state) })
    }
    let path = run.path
    #expect(refusals.count == 3)
    #expect(
      refusals.allSatisfy { $0 == "cannot write \(path): the run is still running in another process" },
      "\(refusals)")
    // Once it has ended, it is free; what a killed process left goes.
    try Data().write(to: URL(fileURLWithPath: path + "/.last.h5.ab12.tmp"))
    _ = try RunFolder(resuming: path, ResumePoint(run: path)?.state)
    #expect(try !Self.files(path).contains(".last.h5.ab12.tmp"))
  }
}
