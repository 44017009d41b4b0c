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
  /// The folders that were made for the run, until it has a record.
  private var made: [String] = []

  /// The files of a run.
  package static let files = [
    "config.json", "log.jsonl", "times.jsonl", "best.h5", "last.h5", "loss.svg", "gradients.svg", "report.html",
  ]

  /// Creates the folder and its parents. A folder in which a run was stopped before it had a record may be used again.
  /// - Throws: `CheckpointError.cannotWrite` when it cannot, or when it already holds a run.
  public convenience init(_ path: String, guide: RunGuide = .none) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
      throw CheckpointError.cannotWrite(file: path, detail: "it is a file; a run needs a folder")
    }
    let made: [String]
    do throws(System.Errno) {
      made = try System.makeFolders(path)
    } catch {
      throw CheckpointError.cannotWrite(file: path, detail: "the folder cannot be created: \(error.text)")
    }
    do {
      self.init(path, log: try Self.newLog(path), guide: guide)
    } catch {
      for folder in made.reversed() { rmdir(folder) }
      throw error
    }
    self.made = made
  }

  /// The log of a new run, locked.
  private static func newLog(_ path: String) throws -> Int32 {
    let name = path + "/log.jsonl"
    let taken = CheckpointError.cannotWrite(file: path, detail: "it already holds a run; choose another \(.runFolder)")
    let log: Int32
    do throws(System.Errno) {
      do throws(System.Errno) {
        // Exclusive, so that of two runs that start at once only one gets the folder.
        log = try System.openToAppend(name, O_CREAT | O_EXCL)
      } catch {
        guard error.code == EEXIST else { throw error }
        log = try System.openToAppend(name, 0)
      }
    } catch {
      throw error.code == ELOOP ? taken : CheckpointError.cannotWrite(file: name, detail: Message(error.text))
    }
    let isLocked = flock(log, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
    // One that was stopped before it had a record leaves an empty log.
    guard isLocked, lseek(log, 0, SEEK_END) == 0,
      !FileManager.default.fileExists(atPath: path + "/config.json"),
      !FileManager.default.fileExists(atPath: path + "/last.h5")
    else {
      close(log)
      throw taken
    }
    return log
  }

  /// Removes what was made for a run that cannot start.
  private func abandon() {
    for name in ["config.json", "log.jsonl"] { unlink(file(name)) }
    for folder in made.reversed() { rmdir(folder) }
    made = []
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
    let log = try Self.append(to: name, 0)
    try Self.claim(log, path)
    let length = state?.logLength ?? 0
    guard lseek(log, 0, SEEK_END) >= off_t(length) else {
      close(log)
      throw CheckpointError.cannotWrite(file: name, detail: "it is shorter than it was when the run was saved")
    }
    do throws(System.Errno) {
      try System.truncate(log, to: length)
    } catch {
      close(log)
      throw FileError.writingFailed(file: name, detail: error.text)
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

  private static func append(to name: String, _ creation: Int32) throws -> Int32 {
    do throws(System.Errno) {
      return try System.openToAppend(name, creation)
    } catch {
      throw CheckpointError.cannotWrite(
        file: name,
        detail: error.code == ELOOP
          ? "it is a link, and a run's record is not written through links" : Message(error.text))
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

  /// The path of a file in the folder.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes `config.json`: the settings of the run, and what followed from them before the first step.
  public func write(_ record: RunRecord) throws {
    let encoder = JSONEncoder.ofRuns
    encoder.outputFormatting.insert(.prettyPrinted)
    let json = try encoder.encode(record)
    do {
      try writeFile(file("config.json"), json + Data("\n".utf8))
      try synchronizeParents()
    } catch {
      // Without its record a run can neither be resumed nor begun again in its folder.
      abandon()
      throw error
    }
    made = []
    history.record = try? RunRecord(json: json)
  }

  /// Without this, a power failure could take the folders that were made for the run, with all that is in them.
  private func synchronizeParents() throws {
    for folder in made {
      let parent = URL(fileURLWithPath: folder).deletingLastPathComponent().path
      do throws(System.Errno) {
        try System.synchronize(folder: parent)
      } catch {
        throw FileError.writingFailed(
          file: folder, detail: "its directory cannot be synchronized with the device: \(error.text)")
      }
    }
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
    do throws(System.Errno) {
      return try System.synchronizedLength(log)
    } catch {
      throw FileError.writingFailed(
        file: file("log.jsonl"), detail: "it cannot be synchronized with the device: \(error.text)")
    }
  }

  private func appendTime(_ record: Epoch) throws {
    let name = file("times.jsonl")
    let times = try Self.append(to: name, O_CREAT)
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
