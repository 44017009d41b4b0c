import FileIO
import Foundation
import LSTMCheckpoints

/// Which files are data, and how they are read; what is nil or empty is as the model was fine-tuned, or found.
public struct DataSettings: Sendable, Codable, Equatable {
  /// Files, and folders of tables, in the order in which their series stand.
  public var files: [String]
  /// Whether it is a text, of which the model gives each next token.
  public var isText: Bool
  /// Columns of a table to predict.
  public var targets: [String] = []
  /// Columns that the model reads.
  public var features: [String]?
  /// Columns that tell a row's time; empty to take the rows as they stand.
  public var time: [String]?
  /// Columns that tell whose row it is; empty for one series.
  public var id: [String]?
  /// How the numbers of dates follow each other.
  public var dateOrder: DateOrder?
  /// Rows or tokens that the model looks at.
  public var window: Int?
  /// Rows that it predicts.
  public var horizon: Int?
  /// Rows after which a series repeats itself.
  public var season: Int?
  /// Whether the targets are the inputs, as those of an autoencoder; nil as the model was fine-tuned.
  public var reconstructs: Bool?
  /// How missing values are treated.
  public var missing = MissingValuePolicy.error
  /// How a table is written.
  public var csv = CSVOptions()
  /// Texts to classify.
  public var textColumn: String?
  /// The classes' names.
  public var labelColumn: String?
  /// What a label is, where a cell holds several in order.
  public var labelUnit: Vocabulary.Unit?
  /// What holds the rows of a sequence together.
  public var sequenceColumn: String?
  /// What a token is.
  public var tokens: Vocabulary.Unit?
  /// Tokens from the beginning of one sequence to the next.
  public var stride: Int?
  /// The line between a text's documents.
  public var separator: String?
  /// Steps of a chunk of a stream.
  public var chunk: Int?
  /// Parts that are read side by side.
  public var streams: Int?

  /// What a decoder that is fed its targets reads first.
  public var decoderStart: DecoderStart?
  /// The token that ends a decoder's sequences.
  public var decoderEnd: Int?

  public init(files: [String], isText: Bool = false) {
    self.files = files
    self.isText = isText
  }
}

extension DataSettings {
  /// Every file that is read, those of a folder in the order of their names.
  /// - Throws: `FileError` for a file that is not there, `FineTuningError` for a folder without tables, and for a file that
  ///   is named twice.
  public func paths() throws -> [String] { try isText ? files.map(Self.existing) : Self.tables(in: files) }

  /// The files that are named, with those of folders.
  package static func tables(in given: [String]) throws -> [String] {
    var files: [String] = []
    for path in try given.map(existing) {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
        files.append(path)
        continue
      }
      let names: [String]
      do throws(UnreadableReason) {
        names = try namesInFolder(path)
      } catch {
        throw FileError.unreadable(file: path, reason: error)
      }
      let tables = names.filter {
        !$0.hasPrefix(".") && [".csv", ".tsv"].contains(where: $0.lowercased().hasSuffix)
      }
      guard !tables.isEmpty else {
        throw FineTuningError.badData(
          file: path, detail: "the folder holds no .csv file", advice: ["name a file, or a folder of CSV files"])
      }
      files += tables.sorted().map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
    }
    if let twice = Dictionary(grouping: files, by: { $0 }).first(where: { $0.value.count > 1 }) {
      throw FineTuningError.invalidOption("\(twice.key) is given twice", advice: [])
    }
    return files
  }

  private static func existing(_ path: String) throws -> String {
    guard FileManager.default.fileExists(atPath: path) else {
      throw FileError.unreadable(file: path, reason: .notFound)
    }
    return path
  }
}
