import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning

/// A run that was begun before, as its `config.json` tells.
struct BegunRun {
  /// Absolute.
  let folder: String
  let arguments: [String]

  /// A file that a run was begun with.
  struct File: Codable {
    let path: String
    let sha256: String
  }

  private struct Configuration: Decodable {
    let arguments: [String]
    let folder: String
    let model: String
    let modelSHA256: String
    let data: String
    let dataSHA256: String
    let moreData: [File]?
  }

  /// Reads what a run was begun with, goes to the folder in which its paths begin, and makes sure that the model and the
  /// data are still the same.
  /// - Parameter given: the command line of this command.
  init(_ path: String, given: [String]) throws {
    try Self.requireNothingElse(given)
    folder = URL(fileURLWithPath: path).standardizedFileURL.path
    let file = path + "/config.json"
    guard let json = FileManager.default.contents(atPath: file) else { throw InputError.notFound(file) }
    let begun: Configuration
    do {
      begun = try JSONDecoder().decode(Configuration.self, from: json)
    } catch {
      throw FineTuningError.badData(
        file: file, detail: "it is not what lstm-ft writes beside a run", advice: ["name the run's folder"])
    }
    arguments = begun.arguments
    guard FileManager.default.changeCurrentDirectoryPath(begun.folder) else {
      throw InputError.notFound(begun.folder)
    }
    let more = (begun.moreData ?? []).map { ($0.path, $0.sha256) }
    for (name, hash) in [(begun.model, begun.modelSHA256), (begun.data, begun.dataSHA256)] + more {
      guard FileManager.default.fileExists(atPath: name) else { throw InputError.notFound(name) }
      guard try sha256(ofFile: name) == hash else {
        throw FineTuningError.badData(
          file: name, detail: "it is no longer the file that the run was begun with",
          advice: ["bring it back, or begin a new run from \(path)/last.h5"])
      }
    }
  }

  private static func requireNothingElse(_ given: [String]) throws {
    var rest = given.drop { $0 == "finetune" }
    while let option = rest.popFirst() {
      switch option {
      case "--resume", "--threads": _ = rest.popFirst()
      case "--json", "--quiet", "-q", "--overwrite": break
      case _ where option.hasPrefix("--resume=") || option.hasPrefix("--threads="): break
      default:
        throw InputError.usage(
          "\(option) cannot be given with --resume: a run goes on with all that it was begun with",
          advice: ["begin a new run from its last.h5 to change something"])
      }
    }
  }
}
