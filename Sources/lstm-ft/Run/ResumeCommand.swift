import FileIO
import Foundation
import LSTMReports

/// The command that resumes a run.
enum ResumeCommand {
  /// Whether a resumed run writes its model there without being told: in the current folder, or in the run's.
  static func isNear(_ output: String, _ run: String) -> Bool {
    [FileManager.default.currentDirectoryPath, run].contains { isWithin($0, output) }
  }

  /// - Parameters:
  ///   - output: where the model goes; nil when that is unknown.
  ///   - overwrites: whether it may replace any file.
  static func text(_ run: String, output: String?, overwrites: Bool) -> String {
    var words = ["lstm-ft finetune --resume \(shellPath(run))"]
    if let output, !isNear(output, run) { words.append("-o \(shellPath(output))") }
    if overwrites { words.append("--overwrite") }
    return words.joined(separator: " ")
  }

  private static func isWithin(_ folder: String, _ file: String) -> Bool {
    let folder = whole(folder)
    return whole(folderPart(ofPath: file)).starts(with: folder)
  }

  /// The components of a folder's path, without links.
  private static func whole(_ folder: String) -> [String] {
    URL(fileURLWithPath: folder.isEmpty ? "." : folder).resolvingSymlinksInPath().standardizedFileURL.pathComponents
  }
}

/// - Throws: `InputError.usage` when the output is a file of the run's own record.
func requireOutside(_ output: String, recordIn run: String) throws {
  let place = URL(fileURLWithPath: output)
  let (folder, name) = (place.deletingLastPathComponent(), place.lastPathComponent)
  func same(_ url: URL) -> String { url.resolvingSymlinksInPath().standardizedFileURL.path }
  // Some file systems take capitals for small letters.
  guard same(folder) == same(URL(fileURLWithPath: run)), RunFolder.files.contains(name.lowercased()) else { return }
  throw InputError.usage(
    "\(output): the run keeps its own record in a file of that name", advice: ["choose another -o"])
}
