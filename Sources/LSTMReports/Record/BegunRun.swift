import FileIO
import Foundation
import LSTMFineTuning

/// A run that was started earlier, read from its folder to be resumed.
///
///     let begun = try BegunRun(folder: "runs/2026-01-31-120000")
///     let folder = try RunFolder(resuming: begun)
///     let run = try tuner.fit(ready, resuming: begun.point) { try folder.record($0) }
///
/// The tuner and the data have to be made again from ``settings``.
public struct BegunRun: Sendable {
  /// The run's folder, as given.
  public let folder: String
  /// The contents of its `config.json`.
  public let record: RunRecord
  /// The run's settings, with paths that are valid from the current directory.
  public let settings: RunSettings
  /// Where to continue; nil when the run was stopped before anything was saved.
  public let point: ResumePoint?

  /// Reads the record, and checks that the model and the data have not changed.
  /// - Throws: `FileError` when the record or a file is not there, `FineTuningError.badData` when the record is of an earlier
  ///   version, or a file has changed.
  public init(folder: String) throws {
    self.folder = folder
    let file = folder + "/config.json"
    guard FileManager.default.fileExists(atPath: file) else {
      throw FileError.unreadable(file: file, reason: .notFound)
    }
    record = try RunRecord(contentsOf: file)
    guard let settings = record.settings, let origin = record.folder else {
      throw FineTuningError.badData(
        file: file,
        detail: record.version == RunRecord.currentVersion
          ? "it has no settings to resume the run with"
          : "the run was started by another version, whose settings cannot be read (version \(record.version), expected \(RunRecord.currentVersion))",
        advice: ["start a new run from \(folder)/last.h5"])
    }
    // Paths are printed, so they stay as given where that is possible.
    let isHere = origin == FileManager.default.currentDirectoryPath
    self.settings = isHere ? settings : settings.relative(to: origin)
    let paths = try self.settings.paths()
    guard paths.count == record.files.count else {
      throw FineTuningError.badData(
        file: file, detail: "the run was started with \(record.files.count) files, found \(paths.count)",
        advice: ["restore the folders of its data, or start a new run from \(folder)/last.h5"])
    }
    for (path, known) in zip(paths, record.files) {
      guard try FileFingerprint.matches(known.sha256, file: path) else {
        throw FineTuningError.badData(
          file: path, detail: "it has changed since the run was started",
          advice: ["restore it, or start a new run from \(folder)/last.h5"])
      }
    }
    point = try ResumePoint(run: folder)
  }
}
