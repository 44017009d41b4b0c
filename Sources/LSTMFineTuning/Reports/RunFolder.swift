import Foundation
import HDF5
import LSTMCheckpoints
import LSTMLayers

/// What a run leaves behind: `config.json`, `log.jsonl`, `best.h5`, `last.h5`, `loss.svg`.
///
/// Models and the picture are written atomically; the log is appended line by line, so that a crash loses at most
/// the line being written.
public final class RunFolder {
  public let path: String
  /// What the model is called before the first step.
  public var startName = "pretrained"
  private let log: Int32
  private var baseline: Double?
  private var epochs: [FineTuner.Epoch] = []
  private let encoder: JSONEncoder

  /// Makes the folder, and its parents.
  /// - Throws: `CheckpointError.cannotWrite` when it cannot, or when it already holds a run.
  public convenience init(_ path: String) throws {
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
        ? CheckpointError.cannotWrite(file: path, detail: "it already holds a run; choose another --run")
        : CheckpointError.cannotWrite(file: path + "/log.jsonl", detail: String(cString: strerror(code)))
    }
    self.init(path, log: log)
  }

  /// - Parameter log: the open log, which is closed with the folder.
  init(_ path: String, log: Int32) {
    self.path = path
    self.log = log
    encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A pretrained model may well have a loss that is not finite; JSON has no number for it.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  }

  deinit { close(log) }

  private static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else { return "" }
    return ": " + String(cString: strerror(Int32(underlying.code)))
  }

  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes `config.json`: everything that was resolved, for people and for doing it again.
  public func writeConfiguration(_ configuration: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try writeFile(file("config.json"), try encoder.encode(configuration) + Data("\n".utf8))
  }

  /// Takes note of an event.
  /// - Parameter finish: makes a model ready to be written (its provenance).
  public func record(_ event: FineTuner.Event, finish: (LSTMModel) -> LSTMModel = { $0 }) throws {
    switch event {
    case .cache(let cache): try append(CacheLine(cache))
    case .start(let metrics):
      baseline = metrics.loss
      try append(StartLine(validation: metrics))
    case .step(let epoch, let step, _, let loss, let rate, let norm):
      try append(StepLine(epoch: epoch, step: step, loss: loss, learningRate: rate, gradientNorm: norm))
    case .epoch(let record):
      epochs.append(record)
      try append(EpochLine(record: record))
      try writeFile(file("loss.svg"), Data(lossChart().svg().utf8))
    case .weights(let model, _, let isBest):
      let checkpoint = finish(model).checkpoint
      try checkpoint.write(path: file("last.h5"))
      if isBest { try checkpoint.write(path: file("best.h5")) }
    }
  }

  /// Training and validation loss by epoch; epoch 0 is the pretrained model.
  public func lossChart() -> LineChart {
    var series = [
      LineChart.Series("training", x: epochs.map { Double($0.epoch) }, y: epochs.map(\.trainingLoss))
    ]
    var annotations: [LineChart.Annotation] = []
    let validated = epochs.filter { $0.validation != nil }
    if let baseline, !validated.isEmpty {
      series.append(
        LineChart.Series(
          "validation", x: [0] + validated.map { Double($0.epoch) },
          y: [baseline] + validated.compactMap(\.validation?.loss)))
      if baseline.isFinite { annotations.append(.point(x: 0, y: baseline, startName)) }
      if let best = validated.last(where: \.isBest), let loss = best.validation?.loss {
        annotations.append(.point(x: Double(best.epoch), y: loss, "best: epoch \(best.epoch)"))
      }
    }
    return LineChart(title: "Loss", xLabel: "epoch", yLabel: "loss", series: series, annotations: annotations)
  }

  private struct CacheLine: Encodable {
    let event = "cache"
    let parts: [String]
    let bytes: Int
    let place: String
    var folder: String?
    var reason: String?

    init(_ cache: FineTuner.Cache) {
      (parts, bytes) = (cache.parts, cache.bytes)
      switch cache.place {
      case .memory: place = "memory"
      case .file(let folder): (place, self.folder) = ("file", folder)
      case .nowhere(let reason): (place, self.reason) = ("nowhere", reason)
      }
    }
  }

  private struct StartLine: Encodable {
    let event = "start"
    let validation: Metrics
  }

  private struct StepLine: Encodable {
    let event = "step"
    let epoch: Int
    let step: Int
    let loss: Double
    let learningRate: Double
    let gradientNorm: Double
  }

  private struct EpochLine: Encodable {
    let event = "epoch"
    let record: FineTuner.Epoch

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(event, forKey: .event)
      try record.encode(to: encoder)
    }

    enum Key: String, CodingKey { case event }
  }

  private func append(_ line: some Encodable) throws {
    let bytes = [UInt8](try encoder.encode(line)) + [UInt8(ascii: "\n")]
    do {
      try bytes.withUnsafeBytes { try writeAll($0, to: log) }
    } catch let error as HDF5Error {
      throw CheckpointError.hdf5(HDF5Error(error.kind, file: file("log.jsonl"), message: error.message))
    }
  }
}

/// Writes a small file atomically.
/// - Throws: `CheckpointError` when it cannot be created or written.
public func writeFile(_ path: String, _ data: Data) throws {
  do {
    try atomicallyWriteFile(to: path) { descriptor in
      try data.withUnsafeBytes { bytes in try writeAll(bytes, to: descriptor) }
    }
  } catch let error as HDF5Error {
    throw CheckpointError.hdf5(error)
  }
}
