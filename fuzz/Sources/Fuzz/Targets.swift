import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMReports

@testable import FileIO
@testable import HDF5

/// What one parser does with bytes: it returns, or throws an error that a person can act on. Anything else is a finding.
struct Target: Sendable {
  let name: String
  /// What a fixture becomes before it is changed.
  var seeds: @Sendable ([UInt8]) -> [[UInt8]] = { [$0] }
  let body: @Sendable ([UInt8]) throws -> Void

  static let all: [Target] = [
    // Containers.
    Target(name: "inflate", seeds: streams, body: inflate),
    Target(name: "zip") { bytes in
      let archive = try ZipArchive(bytes: bytes, name: "fuzz.zip")
      for entry in archive.entries where entry.size < 1 << 24 {
        _ = try? archive.readPrefix(entry, count: 100)
        _ = try archive.read(entry)
      }
    },
    Target(name: "hdf5") { bytes in
      let root = try HDF5File(bytes: bytes, named: "fuzz.h5").contents()
      for dataset in root.allDatasets() where dataset.refusal == nil {
        if dataset.type.isString { _ = try? dataset.readStrings() } else { try? dataset.forEachPiece { _ in } }
      }
      _ = root.allUnreadable().map(\.description)
    },
    // Checkpoints as they lie on the disk.
    .checkpoint("h5", ".h5"), .checkpoint("pickle", ".pt"), .checkpoint("safetensors", ".safetensors"),
    .checkpoint("npz", ".npz"), .checkpoint("npy", ".npy"), .checkpoint("onnx", ".onnx"),
    .checkpoint("shards", ".safetensors.index.json"),
    // Archives of which each file is changed by itself, and which are put together again.
    .archive("torch", ".pt"), .archive("arrays", ".npz"), .archive("keras", ".keras"),
    // Texts.
    Target(
      name: "configuration",
      seeds: { models in
        Target.lines(of: models).compactMap { line in
          (try? ModelConfiguration(line: line)).flatMap { try? JSONEncoder().encode($0) }.map { [UInt8]($0) }
        }
      }
    ) { bytes in
      let configuration = try ModelConfiguration(json: Data(bytes), file: "fuzz.json")
      _ = (configuration.parameterCount, configuration.line, configuration.rows)
    },
    Target(name: "line", seeds: { Target.lines(of: $0).map { Array($0.utf8) } }) { bytes in
      do {
        let configuration = try ModelConfiguration(line: String(decoding: bytes, as: UTF8.self))
        // What is printed can be read, and is the same.
        guard try ModelConfiguration(line: configuration.line) == configuration else {
          fatalError("\(configuration.line) is another model")
        }
      } catch {
        _ = "\(error)"
      }
    },
    Target(name: "csv") { bytes in
      let table = try CSVTable(bytes: bytes, name: "fuzz.csv")
      for column in table.numericColumns.prefix(20) { _ = try? table.floats(column: column, missing: .interpolate) }
      for column in table.columnNames.prefix(20) { _ = try table.strings(column: column) }
    },
    Target(name: "times") { bytes in
      let table = try CSVTable(bytes: bytes, name: "fuzz.csv")
      let ordered = try OrderedTable(table)
      _ = ordered.notes.map(\.description)
    },
    Target(name: "labeled") { bytes in
      let table = try CSVTable(bytes: bytes, name: "fuzz.csv")
      let names = table.columnNames
      guard names.count > 1 else { return }
      _ = try LabeledTable(
        sequences: table, id: names[0], .features(Array(names[1..<names.count - 1]), missing: .error),
        labels: names.last)
    },
    .file("vocabulary", ".json") { path in _ = try Vocabulary(contentsOf: path).encode("a b") },
    .file("tokens", ".txt") { path in _ = try Vocabulary(contentsOf: path).encode("a b") },
    .file("text", ".txt") { path in
      let vocabulary = try Vocabulary(
        .characters, tokens: (97..<123).map { String(Unicode.Scalar(UInt8($0))) } + [" "], padding: nil)
      let data = try TextData(contentsOf: path, vocabulary: vocabulary, window: 4, isPerStep: true, separator: "--")
      _ = data
    },
    Target(name: "scaler") { bytes in
      _ = try ScalerFile(json: Data(bytes), file: "fuzz.json", features: 2, outputs: 1)
    },
    // What runs leave behind.
    .file("log", ".jsonl", in: "log.jsonl") { path in
      let folder = String(path.dropLast("/log.jsonl".count))
      _ = try RunLog(folder: folder).page(path: folder)
    },
    .file("record", ".json", in: "config.json") { path in
      let record = try RunRecord(contentsOf: path)
      _ = try record.settings?.paths()
    },
    .file("resume", ".h5", in: "last.h5") { path in
      let folder = String(path.dropLast("/last.h5".count))
      if !FileManager.default.fileExists(atPath: folder + "/best.h5") {
        try FileManager.default.createSymbolicLink(atPath: folder + "/best.h5", withDestinationPath: "last.h5")
      }
      _ = try ResumePoint(run: folder)
    },
  ]

  /// The models of a list of `name: model ! formats`.
  private static func lines(of models: [UInt8]) -> [String] {
    String(decoding: models, as: UTF8.self).split(separator: "\n").filter { !$0.hasPrefix("#") }.compactMap { line in
      line.split(separator: ":", maxSplits: 1).last?.components(separatedBy: " ! ").first
    }
  }

  static func named(_ name: String) -> Target? { all.first { $0.name == name } }
}
