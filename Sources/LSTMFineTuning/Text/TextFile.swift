import FileIO

/// Reads text files.
enum TextFile {
  /// The file's text: UTF-8, a byte-order mark dropped, and lines that end in LF, whatever they end in there.
  /// - Throws: `FineTuningError.badData` when it is no text; `CSVError` when it is not there or cannot be read.
  static func text(_ path: String) throws -> String {
    let bytes: [UInt8]
    let start: Int
    do {
      bytes = try CSVFile.text(path)
      start = try CSVFile.checkText(bytes, file: path)
    } catch let error {
      let detail: Message
      switch error.kind {
      case .isDirectory: detail = "is a directory, expected a text file"
      case .notRegularFile: detail = "is not a regular file, expected a text file"
      case .binary: detail = "is not a text file (it holds NUL bytes)"
      case .notUTF8: detail = error.line.map { "line \($0): is not UTF-8 text" } ?? Message(error.detail)
      default: throw error
      }
      throw FineTuningError.badData(file: path, detail: detail, advice: error.advice)
    }
    let text = bytes[start...]
    guard text.contains(0x0d) else { return String(decoding: text, as: UTF8.self) }
    var lines: [UInt8] = []
    lines.reserveCapacity(text.count)
    var previous: UInt8 = 0
    for byte in text {
      defer { previous = byte }
      if byte == 0x0d {
        lines.append(0x0a)
      } else if byte != 0x0a || previous != 0x0d {
        lines.append(byte)
      }
    }
    return String(decoding: lines, as: UTF8.self)
  }
}
