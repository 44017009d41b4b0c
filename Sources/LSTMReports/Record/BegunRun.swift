import FileIO
import Foundation
import LSTMFineTuning

/// A run that was begun before and is to go on, as its folder tells.
///
///     let begun = try BegunRun(folder: "runs/2026-01-31-120000")
///     let folder = try RunFolder(resuming: begun)
///     let run = try tuner.fit(ready, resuming: begun.point) { try folder.record($0) }
///
/// The tuner and the data are to be made anew from ``settings``.
public struct BegunRun: Sendable {
  /// As it was given.
  public let folder: String
  /// What its `config.json` says.
  public let record: RunRecord
  /// What it was asked for, with paths that hold from here.
  public let settings: RunSettings
  /// Where it left off; nil when it was stopped before anything was saved.
  public let point: ResumePoint?

  /// Reads it, and makes sure that its model and its data are still the same.
  /// - Throws: `FileError` when the record or a file is not there, `FineTuningError.badData` when the record is of an earlier
  ///   version, or a file is no longer what it was.
  public init(folder: String) throws {
    self.folder = folder
    let file = folder + "/config.json"
    guard FileManager.default.fileExists(atPath: file) else { throw FileError.unreadable(file: file, reason: .notFound) }
    record = try RunRecord(contentsOf: file)
    guard let settings = record.settings, let origin = record.folder else {
      throw FineTuningError.badData(
        file: file,
        detail: record.version == RunRecord.currentVersion
          ? "it does not say what the run was begun with"
          : "the run was begun by another version, which kept other settings (version \(record.version), expected \(RunRecord.currentVersion))",
        advice: ["begin a new run from \(folder)/last.h5"])
    }
    // Where nothing else is needed, paths stay as they were given: they are shown.
    let isHere = origin == FileManager.default.currentDirectoryPath
    self.settings = isHere ? settings : settings.relative(to: origin)
    let paths = try self.settings.paths()
    guard paths.count == record.files.count else {
      throw FineTuningError.badData(
        file: file, detail: "the run was begun with \(record.files.count) files, found \(paths.count)",
        advice: ["put back what was in the folders of its data, or begin a new run from \(folder)/last.h5"])
    }
    for (path, known) in zip(paths, record.files) {
      guard try sha256(ofFile: path) == known.sha256 else {
        throw FineTuningError.badData(
          file: path, detail: "it is no longer the file that the run was begun with",
          advice: ["bring it back, or begin a new run from \(folder)/last.h5"])
      }
    }
    point = try ResumePoint(run: folder)
  }
}
