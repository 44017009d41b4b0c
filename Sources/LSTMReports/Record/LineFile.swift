import FileIO
import Foundation
import LSTMFineTuning

/// The lines of a possibly large text file, one at a time.
struct LineFile {
  struct Line {
    let bytes: Data
    /// From 1.
    let number: Int

    func failure(_ file: String, _ detail: String) -> FineTuningError {
      .badData(file: file, detail: "line \(number) is not a line of a run's log: \(detail)", advice: [])
    }
  }

  /// The most bytes of a line: enough for the gradient norms of a hundred layers over ten thousand steps.
  private static let limit = 1 << 26
  private static let pieceSize = 1 << 20

  private let path: String

  init(_ path: String) { self.path = path }

  /// - Returns: whether the last line is incomplete: it has no line break, and `body` throws.
  func forEachLine(_ body: (Line) throws -> Void) throws -> Bool {
    let file = try open()
    var (rest, number, offset) = (Data(), 0, 0)
    while offset < file.byteCount {
      let piece = try read(file, at: offset, min(Self.pieceSize, file.byteCount - offset))
      offset += piece.count
      var begin = 0
      while let end = Self.lineEnd(in: piece, begin..<piece.count) {
        number += 1
        let line = Line(bytes: rest + piece[begin..<end], number: number)
        rest = Data()
        begin = end + 1
        try body(line)
      }
      rest += piece[begin...]
      guard rest.count <= Self.limit else {
        throw Line(bytes: Data(), number: number + 1).failure(path, "it is longer than 64 MiB")
      }
    }
    guard !rest.isEmpty else { return false }
    do {
      try body(Line(bytes: rest, number: number + 1))
      return false
    } catch is FineTuningError {
      return true
    }
  }

  private static func lineEnd(in piece: [UInt8], _ range: Range<Int>) -> Int? {
    piece.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return nil }
      return memchr(base + range.lowerBound, 0x0a, range.count).map { base.distance(to: $0) }
    }
  }

  /// The whole file.
  /// - Throws: `FileError` when it cannot be read, `FineTuningError.badData` when it is longer than `limit` bytes.
  func contents(limit: Int) throws -> Data {
    let file = try open()
    guard file.byteCount <= limit else {
      throw FineTuningError.badData(file: path, detail: "it has more than \(limit >> 20) MiB", advice: [])
    }
    return Data(try read(file, at: 0, file.byteCount))
  }

  private func open() throws(FileError) -> RegularFile {
    do throws(UnreadableReason) {
      return try RegularFile(path: path)
    } catch {
      throw .unreadable(file: path, reason: error)
    }
  }

  private func read(_ file: RegularFile, at offset: Int, _ count: Int) throws(FileError) -> [UInt8] {
    do throws(UnreadableReason) {
      return try ByteSource.file(file).bytes(at: offset, count: count)
    } catch {
      throw .unreadable(file: path, reason: error)
    }
  }
}
