import FileIO
import Foundation
import LSTMFineTuning

/// The lines of a text file that may be large, one at a time.
struct LineFile {
  struct Line {
    let bytes: Data
    /// From 1.
    let number: Int

    func failure(_ file: String, _ detail: String) -> FineTuningError {
      .badData(file: file, detail: "line \(number) is not what a run writes: \(detail)", advice: [])
    }
  }

  /// The most bytes of a line: the gradient norms of a hundred layers over ten thousand steps have room.
  private static let limit = 1 << 26
  private static let pieceSize = 1 << 20

  private let path: String

  init(_ path: String) { self.path = path }

  /// - Returns: whether the last line is half of one: it does not end, and `body` can do nothing with it.
  func forEachLine(_ body: (Line) throws -> Void) throws -> Bool {
    let file = try open()
    defer { close(file.descriptor) }
    var rest = Data()
    var number = 0
    var piece = [UInt8](repeating: 0, count: Self.pieceSize)
    while true {
      let count = piece.withUnsafeMutableBytes { read(file.descriptor, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw unreadable(String(cString: strerror(errno)))
      }
      if count == 0 { break }
      var begin = 0
      while let end = Self.lineEnd(in: piece, begin..<count) {
        number += 1
        let line = Line(bytes: rest + piece[begin..<end], number: number)
        rest = Data()
        begin = end + 1
        try body(line)
      }
      rest += piece[begin..<count]
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

  /// All of it.
  /// - Throws: `FineTuningError.badData`, also when it is longer than `limit`.
  func contents(limit: Int) throws -> Data {
    let file = try open()
    let handle = FileHandle(fileDescriptor: file.descriptor, closeOnDealloc: true)
    guard file.size <= limit else { throw unreadable("it has more than \(limit >> 20) MiB") }
    do {
      return try handle.read(upToCount: file.size) ?? Data()
    } catch {
      throw unreadable("reading failed")
    }
  }

  private func open() throws -> (descriptor: Int32, size: Int) {
    // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    let descriptor = Foundation.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(String(cString: strerror(errno))) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw unreadable("it is not a regular file")
    }
    return (descriptor, Int(status.st_size))
  }

  private func unreadable(_ reason: String) -> FineTuningError {
    .badData(file: path, detail: "it cannot be read: \(reason)", advice: [])
  }
}
