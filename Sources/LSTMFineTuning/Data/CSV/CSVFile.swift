import FileIO

/// Reads a file for `CSVTable` and proves that it is text.
enum CSVFile {
  /// The most bytes of a table's first row.
  private static let rowLimit = 16 << 20

  /// The whole table at `path`.
  static func table(_ path: String) throws(CSVError) -> [UInt8] {
    try reading(path) { file throws(UnreadableReason) in
      // What is no table is found out before its gigabytes are read.
      if file.byteCount > rowLimit {
        let head = try ByteSource.file(file).bytes(at: 0, count: rowLimit)
        guard head.contains(where: { $0 == 0x0a || $0 == 0x0d }) else { return nil }
      }
      return try file.contents(times: 2)
    }
  }

  /// The whole text at `path`.
  static func text(_ path: String) throws(CSVError) -> [UInt8] {
    // Its bytes, its characters, and its tokens.
    try reading(path) { file throws(UnreadableReason) in try file.contents(times: 6) }
  }

  /// - Parameter body: nil for a first row that is too long.
  private static func reading(
    _ path: String, _ body: (RegularFile) throws(UnreadableReason) -> [UInt8]?
  ) throws(CSVError) -> [UInt8] {
    do throws(UnreadableReason) {
      let bytes = try body(RegularFile(path: path))
      if let bytes { return bytes }
    } catch {
      let kind: CSVError.Kind =
        switch error {
        case .notFound: .notFound
        case .directory: .isDirectory
        case .notRegular: .notRegularFile
        case .system(let operation, let code): .system(operation: operation, code: code)
        case .truncated: .truncated
        case .beyondMemory(let count): .beyondMemory(byteCount: count)
        }
      throw CSVError(kind, file: path)
    }
    throw CSVError(.rowTooLong, file: path, line: 1)
  }

  /// Checks that the bytes are UTF-8 without NULs; returns the offset after a byte-order mark.
  static func checkText(_ bytes: [UInt8], file: String) throws(CSVError) -> Int {
    if bytes.starts(with: [0xff, 0xfe]) || bytes.starts(with: [0xfe, 0xff]) {
      throw CSVError(.notUTF8, file: file, line: 1, advice: ["it looks like UTF-16; save it as UTF-8"])
    }
    let (hasNUL, isASCII) = survey(bytes)
    if hasNUL {
      let advice: [Message] =
        if bytes.starts(with: [0x1f, 0x8b]) {
          ["it looks like gzip; decompress it first"]
        } else if bytes.starts(with: [0x50, 0x4b]) {
          ["it looks like a zip archive or a spreadsheet; export the sheet as CSV"]
        } else {
          []
        }
      throw CSVError(.binary, file: file, advice: advice)
    }
    if !isASCII, let offset = firstInvalid(bytes) {
      let line = 1 + bytes[..<offset].count { $0 == 0x0a }
      throw CSVError(
        .notUTF8, file: file, line: line,
        advice: ["it may be Latin-1 or Windows-1252; save it as UTF-8"])
    }
    return bytes.starts(with: [0xef, 0xbb, 0xbf]) ? 3 : 0
  }

  static func survey(_ bytes: [UInt8]) -> (hasNUL: Bool, isASCII: Bool) {
    var high: UInt8 = 0
    var lowest: UInt8 = .max
    // Without branches, so that the compiler can use vector instructions.
    bytes.withUnsafeBufferPointer { text in
      for byte in text {
        high |= byte
        lowest = min(lowest, byte)
      }
    }
    return (lowest == 0 && !bytes.isEmpty, high < 0x80)
  }

  /// The offset of the first byte that does not belong to a UTF-8 sequence, or nil.
  static func firstInvalid(_ bytes: [UInt8]) -> Int? {
    var (parser, rest, offset) = (UTF8.ForwardParser(), bytes.makeIterator(), 0)
    while true {
      switch parser.parseScalar(from: &rest) {
      case .valid(let scalar): offset += scalar.count
      case .error: return offset
      case .emptyInput: return nil
      }
    }
  }
}
