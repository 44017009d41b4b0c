import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

@Suite struct RunRecordTests {
  /// One in which nothing is as it is by default.
  static let record: RunRecord = {
    var data = DataSettings(files: ["a.csv", "b.csv"])
    (data.targets, data.features, data.time, data.id) = (["y"], ["x", "y"], [], ["who"])
    (data.dateOrder, data.window, data.horizon, data.season, data.missing) = (.dayFirst, 48, 24, 7, .interpolate)
    data.csv.decimal = .comma
    data.csv.missingValues = ["-9999"]
    (data.textColumn, data.labelColumn, data.sequenceColumn) = ("text", "label", "id")
    (data.tokens, data.stride, data.separator, data.chunk, data.streams) = (.words, 3, "%", 70, 20)
    var settings = RunSettings(model: "model.h5", data: data, output: "tuned.h5")
    settings.validationFiles = ["c.csv"]
    settings.split = SplitChoice(fraction: 0.25, trainUntil: "2026-01-31", shuffles: false, seed: .max)
    (settings.extendsVocabulary, settings.fromScratch, settings.comparesScratch) = (true, true, true)
    (settings.freezing, settings.unfreezing) = (["layer0"], ["layer0.forget"])
    settings.head = .new(size: 9)
    settings.scaler = ScalerChoice(.refit, perID: true)
    settings.readout = .mean
    settings.loss = .huber(delta: 0.1)
    settings.outputs = .init(losses: ["kind": .crossEntropy], weights: ["kind": 0.2])
    settings.anomalyQuantile = 0.95
    (settings.labelSmoothing, settings.classWeights) = (0.1, [1, 0.25])
    settings.optimizer = .sgd(learningRate: 0.1, momentum: 0.9, isNesterov: true, weightDecay: 1e-4)
    settings.recipe = .ulmfit
    settings.rates = [LearningRateOverride("head", 1.0 / 3)]
    settings.lora = LoRA(rank: 4, alpha: 8, targets: ["lstm", "head"])
    settings.training = .init(
      epochs: 3, batchSize: 7, clipNorm: nil, shuffles: false, patience: 2, seed: .max,
      schedule: Schedule(.oneCycle(peak: 0.25), warmUp: 5), decaysBiases: false, saveInterval: 0.1,
      cache: CachePolicy(isOn: true, memoryLimit: 1 << 40),
      regularization: Regularization(dropout: 0.1, weightDrop: 0.5))
    settings.training.stopsOnFailure = false
    (settings.showsSamples, settings.overwrites) = (false, true)
    var record = RunRecord()
    record.settings = settings
    record.arguments = ["train", "a b.csv"]
    record.folder = "/somewhere"
    record.start = "untrained"
    record.plan = [
      .init(name: "layer0", parameters: 10, trainable: 0, fate: "frozen", learningRate: nil, firstEpoch: 1)
    ]
    (record.loss, record.optimizer, record.schedule, record.threads) = ("huber", "sgd at 0.1", "one-cycle", 2)
    (record.frozen, record.use, record.export) = (["lstm.weight_ih_l0"], ["predict"], "safetensors")
    return record
  }()

  @Test func comesBackAsItWasWritten() throws {
    let json = try JSONEncoder.ofRuns.encode(Self.record)
    let read = try RunRecord(json: json)
    #expect(read.settings == Self.record.settings && read.version == RunRecord.currentVersion)
    #expect(read.plan == Self.record.plan && read.arguments == Self.record.arguments)
    #expect(read.use == ["predict"] && read.export == "safetensors" && read.start == "untrained")
    #expect(try JSONEncoder.ofRuns.encode(read) == json)
    #expect(read.model == "model.h5" && read.data == "a.csv" && read.output == "tuned.h5" && read.epochs == 3)
    let lines = Dictionary(uniqueKeysWithValues: read.lines.map { ($0.name, $0.value) })
    #expect(lines["settings.training.epochs"] == "3" && lines["settings.data.files"] == "a.csv, b.csv")
    #expect(lines["arguments"] == "train 'a b.csv'" && lines["version"] == nil && lines["use"] == nil)
    #expect(lines["settings.split.seed"] == "\(UInt64.max)")
  }

  /// Nothing of what was asked for may be lost on the way to a resumed run.
  @Test func everySettingIsKept() throws {
    let settings = try #require(Self.record.settings)
    let plain = RunSettings(model: "", data: DataSettings(files: []), output: "")
    let read = try JSONDecoder.ofRuns.decode(RunSettings.self, from: JSONEncoder.ofRuns.encode(settings))
    for (given, (returned, standard)) in zip(
      Mirror(reflecting: settings).children, zip(Mirror(reflecting: read).children, Mirror(reflecting: plain).children))
    {
      #expect("\(given.value)" == "\(returned.value)")
      #expect("\(given.value)" != "\(standard.value)", "\(given.label ?? "") is as by default: it proves nothing")
    }
  }

  @Test func pathsHoldFromAnywhere() throws {
    let settings = try #require(Self.record.settings).relative(to: "/here")
    #expect(settings.model == "/here/model.h5" && settings.output == "/here/tuned.h5")
    #expect(settings.data.files == ["/here/a.csv", "/here/b.csv"] && settings.validationFiles == ["/here/c.csv"])
    #expect(settings.relative(to: "/there") == settings)
  }

  // MARK: - Going on

  /// A run with a record of files that are there.
  private static func begun(_ folder: TemporaryFolder, _ change: (inout RunRecord) -> Void = { _ in }) throws -> String
  {
    for name in ["model.h5", "data.csv"] { try Data(name.utf8).write(to: URL(fileURLWithPath: folder.path(name))) }
    var record = RunRecord()
    record.settings = RunSettings(model: "model.h5", data: DataSettings(files: ["data.csv"]), output: "out.h5")
    record.folder = folder.url.path
    record.files = try ["model.h5", "data.csv"].map { try RunRecord.File(folder.path($0)) }
    change(&record)
    let run = try RunFolder(folder.path("run"))
    try run.write(record)
    return run.path
  }

  @Test func aRunGoesOnFromAnywhere() throws {
    let folder = try TemporaryFolder()
    let begun = try BegunRun(folder: Self.begun(folder))
    #expect(begun.point == nil && begun.settings.model == folder.path("model.h5"))
    #expect(begun.settings.output == folder.path("out.h5") && begun.record.settings?.model == "model.h5")
  }

  @Test func whatIsNoLongerTheSameIsNamed() throws {
    let folder = try TemporaryFolder()
    let path = try Self.begun(folder)
    try Data("other".utf8).write(to: URL(fileURLWithPath: folder.path("data.csv")))
    #expect(
      message { _ = try BegunRun(folder: path) }
        == "\(folder.path("data.csv")): it has changed since the run was started")
    try FileManager.default.removeItem(atPath: folder.path("data.csv"))
    #expect(message { _ = try BegunRun(folder: path) }.hasPrefix("\(folder.path("data.csv")): "))
    #expect(message { _ = try BegunRun(folder: folder.path("none")) }.hasPrefix("\(folder.path("none"))/config.json: "))
  }

  @Test(arguments: [1, 3])
  func anotherVersionIsNamed(_ version: Int) throws {
    let folder = try TemporaryFolder()
    let path = try Self.begun(folder) { $0.version = version }
    #expect(
      message { _ = try BegunRun(folder: path) }
        == "\(path)/config.json: the run was started by another version, whose settings cannot be read (version \(version), expected 2)"
    )
  }

  @Test func aFolderWithMoreFilesIsNotTheSame() throws {
    let folder = try TemporaryFolder()
    let path = try Self.begun(folder) { $0.files.removeLast() }
    #expect(
      message { _ = try BegunRun(folder: path) }
        == "\(path)/config.json: the run was started with 1 files, found 2")
  }

  /// As docs/library.md has it.
  @Test func aRunIsKeptAndResumedFromSwift() throws {
    let place = try TemporaryFolder()
    let (model, data) = (featureModel(), try featureData(10))
    let (modelFile, dataFile) = (place.path("model.h5"), place.path("data.csv"))
    try model.write(path: modelFile)
    try Data("x,y\n".utf8).write(to: URL(fileURLWithPath: dataFile))
    let settings = RunSettings(model: modelFile, data: DataSettings(files: [dataFile]), output: place.path("tuned.h5"))
    var tuner = try makeTuner(model)
    let whole = try tuner.fit(model, data)
    let count = Counter()
    tuner.shouldStop = { count.value >= 4 }
    do {
      let folder = try RunFolder(place.path("run"))
      try folder.write(RunRecord(settings))
      let stopped = try tuner.fit(model, data) {
        if case .step = $0 { count.value += 1 }
        try folder.record($0)
      }
      #expect(stopped.ending == .interrupted)
    }
    tuner.shouldStop = { false }

    let begun = try BegunRun(folder: place.path("run"))
    let folder = try RunFolder(resuming: begun)
    let run = try tuner.fit(model, data, resuming: begun.point) { try folder.record($0) }
    #expect(begun.settings == settings && run.ending == .finished && folder.history.stepCount == 9)
    #expect(allValues(run.best) == allValues(whole.best))
  }

  /// As docs/library.md has it.
  @Test func errorsAreMatched() throws {
    let model = featureModel()
    func failure(_ selector: String, batchSize: Int) throws -> String {
      do {
        let plan = try FreezePlan(model, freezing: [selector])
        _ = try FineTuner(plan, options: .init(batchSize: batchSize)).fit(model, featureData(10))
        return ""
      } catch FineTuningError.unknownSelector(let selector, let nearest, _) {
        return "\(selector) is no part of the model; did you mean \(nearest)?"
      } catch FineTuningError.invalid(let setting, let value, let reason, _) {
        return "\(setting.rawValue) \(value ?? "") \(reason)"
      }
    }
    #expect(
      try failure("layer9", batchSize: 1) == "layer9 is no part of the model; did you mean [\"layer0\", \"layer1\"]?")
    #expect(try failure("layer0", batchSize: 0) == "batchSize 0 expected at least 1")
  }

  // MARK: - Records of anything

  @Test func aRecordOfAnythingIsShown() throws {
    let folder = try TemporaryFolder()
    let path = try runFolder(
      folder, log: "",
      configuration: """
        {"epochs":"many","arguments":["finetune","data","my file"],"seed":18446744073709551615,"plan":7,"clipNorm":null,
        "rate":0.001,"cache":true,"frozen":[],"nested":{"a":1},"lists":[[1]],"preprocessing":{"vocabulary":{"unit":"words"}}}
        """)
    let record = try #require(try RunLog(folder: path).record)
    #expect(record.epochs == nil && record.unit == .words && record.plan.isEmpty && record.version == 1)
    #expect(record.start == "pretrained")
    let lines = Dictionary(uniqueKeysWithValues: record.lines.map { ($0.name, $0.value) })
    #expect(
      lines == [
        "epochs": "many", "arguments": "finetune data 'my file'", "seed": "18446744073709551615", "plan": "7",
        "clipNorm": "null", "rate": "0.001", "cache": "yes", "frozen": "none",
      ])
    for bad in ["[]", "", "{", "7"] {
      let path = try runFolder(folder, log: "", configuration: bad)
      #expect(
        message { _ = try RunLog(folder: path) } == "\(path)/config.json: it is not the configuration of a run")
    }
  }
}
