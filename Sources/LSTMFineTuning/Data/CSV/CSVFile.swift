import FileIO
import Foundation

/// Reads a file for `CSVTable` and proves that it is text.
enum CSVFile {
  /// The whole file at `path`.
  static func bytes(_ path: String) throws(CSVError) -> [UInt8] {
    // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      let code = errno
      throw CSVError(code == ENOENT ? .notFound : .system(operation: "open", code: code), file: path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw CSVError(.system(operation: "fstat", code: errno), file: path)
    }
    let type = status.st_mode & S_IFMT
    guard type == S_IFREG else {
      throw CSVError(type == S_IFDIR ? .isDirectory : .notRegularFile, file: path)
    }
    let size = Int(status.st_size)
    guard size > 0 else { return [] }
    var failure: Int32?
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size, let base = buffer.baseAddress {
        let got = read(descriptor, base + count, min(size - count, 1 << 30))
        if got > 0 {
          count += got
        } else if got == 0 {
          // The file shrank; what is there is read.
          break
        } else if errno != EINTR {
          failure = errno
          break
        }
      }
    }
    if let failure { throw CSVError(.system(operation: "read", code: failure), file: path) }
    return bytes
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

  /// The offset of the first byte that does not belong to a UTF-8 sequence (RFC 3629), or nil.
  static func firstInvalid(_ bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBufferPointer { text in
      var index = 0
      while index < text.count {
        let lead = text[index]
        if lead < 0x80 {
          index += 1
          continue
        }
        // The second byte's range excludes overlong forms, surrogates and what lies past U+10FFFF.
        let (length, second): (Int, ClosedRange<UInt8>)
        switch lead {
        case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
        case 0xe0: (length, second) = (3, 0xa0...0xbf)
        case 0xed: (length, second) = (3, 0x80...0x9f)
        case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
        case 0xf0: (length, second) = (4, 0x90...0xbf)
        case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
        case 0xf4: (length, second) = (4, 0x80...0x8f)
        default: return index
        }
        guard index + length <= text.count, second.contains(text[index + 1]),
          text[(index + 2)..<(index + length)].allSatisfy({ $0 & 0xc0 == 0x80 })
        else { return index }
        index += length
      }
      return nil
    }
  }
}
