import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The folder of a run: `config.json`, `log.jsonl`, `times.jsonl`, `best.h5`, `last.h5`, `loss.svg`,
/// `gradients.svg`, `report.html`.
///
/// Models, charts and the page are written atomically, `last.h5` after everything that it refers to; logs are appended line
/// by line. The log holds nothing that depends on the machine, so that a run that was killed and resumed writes the same
/// bytes as an uninterrupted one; the time that an epoch took is in `times.jsonl`.
public final class RunFolder {
  /// As given.
  public let path: String
  /// The run so far.
  public private(set) var history = RunLog()
  private let log: Int32
  /// Whether the page lacks the newest epoch.
  private var isPageDue = false
  private var pageWritten = ContinuousClock.now
  /// How often the page is updated within an epoch.
  private static let pageInterval = Duration.seconds(30)
  /// Whether the run continues from a state; its log then has the first lines already.
  private let isResumed: Bool
  private let guide: RunGuide
  private let encoder = JSONEncoder.ofRuns

  /// Creates the folder and its parents.
  /// - Throws: `CheckpointError.cannotWrite` when it cannot, or when it already holds a run.
  public convenience init(_ path: String, guide: RunGuide = .none) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
      throw CheckpointError.cannotWrite(file: path, detail: "it is a file; a run needs a folder")
    }
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.cannotWrite(file: path, detail: "the folder cannot be created\(Self.reason(error))")
    }
    // Exclusive, so that of two runs that start at once only one gets the folder.
    let log = open(path + "/log.jsonl", O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard log >= 0 else {
      let code = errno
      throw code == EEXIST
        ? CheckpointError.cannotWrite(file: path, detail: "it already holds a run; choose another \(.runFolder)")
        : CheckpointError.cannotWrite(file: path + "/log.jsonl", detail: Message(String(cString: strerror(code))))
    }
    try Self.claim(log, path)
    self.init(path, log: log, guide: guide)
  }

  /// The folder of a stopped run, to resume it. Its log is cut back to where the state was saved.
  /// - Throws: `CheckpointError.cannotWrite` when its log is not there or is shorter than it was.
  public convenience init(resuming begun: BegunRun, guide: RunGuide = .none) throws {
    try self.init(resuming: begun.folder, begun.point?.state, guide: guide)
  }

  /// The same for a run whose `config.json` is missing or of another version.
  /// - Parameter state: what its `last.h5` holds; nil when it was stopped before there was one.
  package convenience init(resuming path: String, _ state: TrainingState?, guide: RunGuide = .none) throws {
    let name = path + "/log.jsonl"
    let log = open(name, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard log >= 0 else {
      throw CheckpointError.cannotWrite(file: name, detail: Message(String(cString: strerror(errno))))
    }
    try Self.claim(log, path)
    let length = off_t(state?.logLength ?? 0)
    guard lseek(log, 0, SEEK_END) >= length, ftruncate(log, length) == 0 else {
      close(log)
      throw CheckpointError.cannotWrite(file: name, detail: "it is shorter than it was when the run was saved")
    }
    self.init(path, log: log, isResumed: state != nil, guide: guide)
    removeRemains()
    try cutTimes(state)
    readHistory(state)
  }

  /// Locks the folder against a second process. The lock of a killed process is released.
  private static func claim(_ log: Int32, _ path: String) throws {
    guard flock(log, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      close(log)
      throw CheckpointError.cannotWrite(file: path, detail: "the run is still running in another process")
    }
  }

  /// Removes temporary files of a process that was killed while it wrote.
  private func removeRemains() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    where name.hasPrefix(".") && name.hasSuffix(".tmp")
      && [".h5.", ".svg.", ".html.", ".json", ".jsonl."].contains(where: name.contains)
    {
      unlink(file(name))
    }
  }

  /// Reads the log, for the page. A log that cannot be read does not stop the training.
  private func readHistory(_ state: TrainingState?) {
    do {
      history = try RunLog(folder: path)
    } catch {
      history = RunLog()
      history.record = try? RunRecord(contentsOf: file("config.json"))
      history.gap = (error as? any DescribedFailure)?.message.text(spelling: guide.spelling) ?? "\(error)"
      guard let state else { return }
      history.note(.start(state.baseline))
      for epoch in state.epochs { history.note(.epoch(epoch)) }
    }
  }

  /// Cuts the times back to the epochs of the state, without incomplete lines and epochs that are repeated.
  private func cutTimes(_ state: TrainingState?) throws {
    let name = file("times.jsonl")
    guard FileManager.default.fileExists(atPath: name) else { return }
    var lines = Data()
    for record in state?.epochs ?? [] { lines += try encoder.encode(RunTime(record)) + Data("\n".utf8) }
    try writeFile(name, lines)
  }

  /// - Parameter log: the open log, which is closed with the folder.
  init(_ path: String, log: Int32, isResumed: Bool = false, guide: RunGuide = .none) {
    self.path = path
    self.log = log
    self.isResumed = isResumed
    self.guide = guide
  }

  deinit { close(log) }

  private static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return "" }
    return ": " + String(cString: strerror(Int32(underlying.code)))
  }

  /// The path of a file in the folder.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes `config.json`: the settings of the run, and what followed from them before the first step.
  public func write(_ record: RunRecord) throws {
    let encoder = JSONEncoder.ofRuns
    encoder.outputFormatting.insert(.prettyPrinted)
    let json = try encoder.encode(record)
    try writeFile(file("config.json"), json + Data("\n".utf8))
    history.record = try? RunRecord(json: json)
  }

  /// Logs an event, and writes charts, page and weights.
  /// - Parameter finish: completes a model before it is written, for example its provenance.
  public func record(_ event: FineTuner.Event, finish: (LSTMModel) -> LSTMModel = { $0 }) throws {
    if let line = RunLine(event) { try note(line) }
    switch event {
    case .cache, .start, .step, .sample: break
    case .epoch(let record):
      try appendTime(record)
      try writeFile(file("loss.svg"), Data(history.lossChart().svg().utf8))
      if let chart = history.gradientChart() { try writeFile(file("gradients.svg"), Data(chart.svg().utf8)) }
      isPageDue = true
    case .end:
      try writePage()
      flock(log, LOCK_UN)
    case .weights(let model, let state, let isBest):
      if isPageDue || ContinuousClock.now - pageWritten > Self.pageInterval { try writePage() }
      var stored = finish(model).stored
      // In this order: a run resumed from last.h5 finds a log at least as long as stored there, and the best model.
      if isBest { try stored.write(path: file("best.h5")) }
      stored.extras = try state.tensors(logLength: synchronizeLog())
      try stored.write(path: file("last.h5"))
    }
  }

  /// Logs the error that a run failed with; it has no last event.
  public func record(failure: any DescribedFailure) throws {
    try note(.end(.failed(reason: failure.message.text(spelling: guide.spelling)), bestEpoch: nil))
    try writePage()
    flock(log, LOCK_UN)
  }

  private func writePage() throws {
    try writeFile(file("report.html"), Data(history.page(path: path, guide: guide).utf8))
    isPageDue = false
    pageWritten = .now
  }

  /// Flushes the log to disk.
  /// - Returns: its length.
  private func synchronizeLog() throws -> Int {
    let length = lseek(log, 0, SEEK_END)
    guard length >= 0, fsync(log) == 0 else {
      throw CheckpointError.cannotWrite(file: file("log.jsonl"), detail: Message(String(cString: strerror(errno))))
    }
    return Int(length)
  }

  private func appendTime(_ record: Epoch) throws {
    let name = file("times.jsonl")
    let times = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard times >= 0 else {
      throw CheckpointError.cannotWrite(file: name, detail: Message(String(cString: strerror(errno))))
    }
    defer { close(times) }
    try append(RunTime(record), to: times, name)
  }

  private func note(_ line: RunLine) throws {
    history.add(line)
    if case .cache = line, isResumed { return }
    // After the length stored in the state, an ending is cut off by resuming.
    try append(line, to: log, file("log.jsonl"))
  }

  private func append(_ line: some Encodable, to descriptor: Int32, _ name: String) throws {
    let bytes = [UInt8](try encoder.encode(line)) + [UInt8(ascii: "\n")]
    do {
      try bytes.withUnsafeBytes { try writeAll($0, to: descriptor) }
    } catch let error as FileError {
      throw FileError.writingFailed(file: name, detail: error.detail)
    }
  }
}
