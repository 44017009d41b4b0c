import Foundation
import LSTMFineTuning

/// The files that are named, with those of folders.
func seriesFiles(_ given: [String]) throws -> [String] {
  var files: [String] = []
  for path in given {
    let found = try existing(path)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: found, isDirectory: &isFolder), isFolder.boolValue else {
      files.append(found)
      continue
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: found)) ?? []
    let tables = names.filter {
      !$0.hasPrefix(".") && ["csv", "tsv"].contains(($0 as NSString).pathExtension.lowercased())
    }
    guard !tables.isEmpty else {
      throw FineTuningError.badData(
        file: found, detail: "the folder holds no .csv file", advice: ["name a file, or a folder of CSV files"])
    }
    files += tables.sorted().map { found.hasSuffix("/") ? found + $0 : "\(found)/\($0)" }
  }
  if let twice = Dictionary(grouping: files, by: { $0 }).first(where: { $0.value.count > 1 }) {
    throw InputError.usage("\(twice.key) is given twice", advice: [])
  }
  return files
}

func existing(_ path: String) throws -> String {
  guard FileManager.default.fileExists(atPath: path) else { throw InputError.notFound(path) }
  return path
}
