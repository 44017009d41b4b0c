import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What a run leaves behind: `config.json`, `log.jsonl`, `times.jsonl`, `best.h5`, `last.h5`, `loss.svg`,
/// `gradients.svg`, `report.html`.
///
/// Models, pictures and the page are written atomically, `last.h5` after all that it stands for; logs are appended line by line.
/// The log says nothing that depends on the machine, so that a run that was killed and resumed leaves the same bytes as
/// one that was not; how long an epoch took is in `times.jsonl`.
public final class RunFolder {
  public let path: String
  /// What has happened so far.
  public private(set) var history = RunLog()
  private let log: Int32
  /// Whether an epoch has ended that the page does not show.
  private var isPageDue = false
  private var pageWritten = ContinuousClock.now
  /// Within an epoch, the page is renewed after so long.
  private static let pageInterval = Duration.seconds(30)
  /// Whether the run goes on from a state, and has said how it began.
  private let isResumed: Bool
  private let guide: RunGuide
  private let encoder = JSONEncoder.ofRuns

  /// Makes the folder, and its parents.
  /// - Throws: `CheckpointError.cannotWrite` when it cannot, or when it already holds a run.
  public convenience init(_ path: String, guide: RunGuide = .none) throws {
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
      throw CheckpointError.cannotWrite(file: path, detail: "it is a file; a run needs a folder")
    }
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError.cannotWrite(file: path, detail: "the folder cannot be made\(Self.reason(error))")
    }
    // Exclusive, so that of two runs that start at once one is refused.
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

  /// The folder of a run that was stopped, to go on in it. Its log is cut back to where the state was saved.
  /// - Throws: `CheckpointError.cannotWrite` when its log is not there or is shorter than it was.
  public convenience init(resuming begun: BegunRun, guide: RunGuide = .none) throws {
    try self.init(resuming: begun.folder, begun.point?.state, guide: guide)
  }

  /// The same for a run whose record is of no use.
  /// - Parameter state: what its `last.h5` holds; nil when it was stopped before there was one.
  public convenience init(resuming path: String, _ state: TrainingState?, guide: RunGuide = .none) throws {
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

  /// Of two processes that write into a folder, the second is refused; a process that is killed lets go.
  private static func claim(_ log: Int32, _ path: String) throws {
    guard flock(log, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
      close(log)
      throw CheckpointError.cannotWrite(file: path, detail: "the run is still going on, in another process")
    }
  }

  /// What a process that was killed in the middle of writing has left behind.
  private func removeRemains() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    where name.hasPrefix(".") && name.hasSuffix(".tmp")
      && [".h5.", ".svg.", ".html.", ".json", ".jsonl."].contains(where: name.contains)
    {
      unlink(file(name))
    }
  }

  /// What the log says, so that the page goes on, too. A log that cannot be read stops no training.
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

  /// The times of the epochs that the state knows, without half a line and what is done once more.
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

  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes `config.json`: what was asked and what was settled before the first step, for people and for doing it again.
  public func write(_ record: RunRecord) throws {
    let encoder = JSONEncoder.ofRuns
    encoder.outputFormatting.insert(.prettyPrinted)
    let json = try encoder.encode(record)
    try writeFile(file("config.json"), json + Data("\n".utf8))
    history.record = try? RunRecord(json: json)
  }

  /// Takes note of an event.
  /// - Parameter finish: makes a model ready to be written (its provenance).
  public func record(_ event: FineTuner.Event, finish: (LSTMModel) -> LSTMModel = { $0 }) throws {
    history.note(event)
    switch event {
    case .cache(let cache): if !isResumed { try append(.cache(cache)) }
    case .start(let metrics): try append(.start(metrics))
    case .step(let step):
      try append(
        .step(
          .init(
            epoch: step.epoch, number: step.number, loss: step.loss, learningRate: step.learningRate,
            gradientNorm: step.gradientNorm)))
    case .epoch(let record):
      try append(.epoch(.init(record), gateGradientNorms: record.gateGradientNorms))
      try appendTime(record)
      try writeCharts()
      isPageDue = true
    case .sample(let sample, let epoch): try append(.sample(.init(epoch: epoch, sample: sample)))
    case .end(let run):
      // Behind the length that the state knows: a run that goes on has it cut off.
      try append(.end(.ended(run.ending), bestEpoch: run.bestEpoch))
      try writePage()
      flock(log, LOCK_UN)
    case .weights(let model, let state, let isBest):
      if isPageDue || ContinuousClock.now - pageWritten > Self.pageInterval { try writePage() }
      var stored = finish(model).stored
      // In this order: what is resumed from last.h5 finds a log at least as long as it says, and a best model.
      if isBest { try stored.write(path: file("best.h5")) }
      stored.extras = try state.tensors(logLength: synchronizeLog())
      try stored.write(path: file("last.h5"))
    }
  }

  /// Takes note of why a run had to stop, which throws and has no last event.
  public func record(failure: any DescribedFailure) throws {
    let reason = failure.message.text(spelling: guide.spelling)
    history.note(.failed(reason: reason))
    try append(.end(.failed(reason: reason), bestEpoch: nil))
    try writePage()
    flock(log, LOCK_UN)
  }

  private func writeCharts() throws {
    try writeFile(file("loss.svg"), Data(lossChart().svg().utf8))
    if let chart = gradientChart() { try writeFile(file("gradients.svg"), Data(chart.svg().utf8)) }
  }

  private func writePage() throws {
    try writeFile(file("report.html"), Data(history.page(path: path, guide: guide).utf8))
    isPageDue = false
    pageWritten = .now
  }

  /// - Returns: the log's length, which is on the disk by then.
  private func synchronizeLog() throws -> Int {
    let length = lseek(log, 0, SEEK_END)
    guard length >= 0, fsync(log) == 0 else {
      throw CheckpointError.cannotWrite(file: file("log.jsonl"), detail: Message(String(cString: strerror(errno))))
    }
    return Int(length)
  }

  /// Training and validation loss by epoch; epoch 0 is the model before the first step.
  public func lossChart() -> LineChart { history.lossChart() }

  /// The norms of the gates' gradients by time step, layer by layer, at the end of the newest epoch; nil when no gradient
  /// went through a layer, or there is one step only.
  public func gradientChart() -> LineChart? { history.gradientChart() }

  private func appendTime(_ record: Epoch) throws {
    let name = file("times.jsonl")
    let times = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard times >= 0 else {
      throw CheckpointError.cannotWrite(file: name, detail: Message(String(cString: strerror(errno))))
    }
    defer { close(times) }
    try append(RunTime(record), to: times, name)
  }

  private func append(_ line: RunLine) throws { try append(line, to: log, file("log.jsonl")) }

  private func append(_ line: some Encodable, to descriptor: Int32, _ name: String) throws {
    let bytes = [UInt8](try encoder.encode(line)) + [UInt8(ascii: "\n")]
    do {
      try bytes.withUnsafeBytes { try writeAll($0, to: descriptor) }
    } catch let error as FileError {
      throw FileError.writingFailed(file: name, detail: error.detail)
    }
  }
}
