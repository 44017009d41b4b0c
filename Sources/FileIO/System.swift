import CFileIO

#if canImport(Darwin)
  import Darwin
#elseif canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// The few system calls of this project. Each failure is an `errno` value.
package enum System {
  package struct Errno: Error {
    package let code: Int32

    package init(code: Int32) { self.code = code }

    package var text: String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

    /// What a file system answers that has no such operation, as opposed to one that failed.
    var meansUnsupported: Bool { code == EINVAL || code == ENOTSUP || code == ENOSYS }
  }

  /// `open`, never waiting (a FIFO would) and not inherited by child processes.
  package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(Errno) -> Int32 {
    while true {
      let descriptor = path.withCString { openFile($0, flags | O_CLOEXEC | O_NONBLOCK, mode) }
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw Errno(code: errno) }
    }
  }

  private static func openFile(_ path: UnsafePointer<CChar>, _ flags: Int32, _ mode: mode_t) -> Int32 {
    #if canImport(Darwin)
      Darwin.open(path, flags, mode)
    #elseif canImport(Musl)
      Musl.open(path, flags, mode)
    #else
      Glibc.open(path, flags, mode)
    #endif
  }

  package static func status(_ descriptor: Int32) throws(Errno) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Errno(code: errno) }
    return status
  }

  /// `lstat`; nil when there is nothing of that name.
  package static func linkStatus(_ path: String) throws(Errno) -> stat? {
    var status = stat()
    if lstat(path, &status) == 0 { return status }
    if errno == ENOENT { return nil }
    throw Errno(code: errno)
  }

  /// `pread` until the buffer is full; the number of bytes read is less only at the end of the file.
  package static func read(
    _ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(Errno) -> Int {
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      // Apple's pread refuses more than INT_MAX bytes.
      let count = pread(descriptor, base + done, min(buffer.count - done, 1 << 30), off_t(offset + done))
      if count == 0 { break }
      if count > 0 {
        done += count
      } else if errno != EINTR {
        throw Errno(code: errno)
      }
    }
    return done
  }

  /// `pwrite` until all of the bytes are written.
  package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int, _ faults: Faults)
    throws(Errno)
  {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      try faults.check(.write)
      let count = pwrite(descriptor, base + done, min(bytes.count - done, 1 << 30), off_t(offset + done))
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw Errno(code: errno)
      }
    }
  }

  /// Where a text stands within a part of a file.
  package static func find(_ text: [UInt8], _ descriptor: Int32, in range: Range<Int>) throws(Errno) -> [Int] {
    let window = 1 << 20
    var places: [Int] = []
    var bytes: [UInt8] = []
    var start = range.lowerBound
    while start + text.count <= range.upperBound {
      // Windows overlap by less than the text, so that each place is found, and found once.
      bytes = [UInt8](repeating: 0, count: min(window + text.count - 1, range.upperBound - start))
      let count = try bytes.lendMutable { buffer throws(Errno) in try read(descriptor, into: buffer, at: start) }
      places += bytes[..<count].ranges(of: text).map { start + $0.lowerBound }
      start += window
    }
    return places
  }

  /// Asks the system to begin writing a part of a file to the device, and does not wait (`sync_file_range`). Where
  /// there is no such call, and when it fails, `fsync` does all of it at the end.
  package static func startWriteback(_ descriptor: Int32, _ offset: Int, _ count: Int) {
    cfileio_start_writeback(descriptor, Int64(offset), Int64(count))
  }

  /// Waits until the file is on the device. `fsync` on Apple platforms stops at the drive's cache.
  package static func synchronize(_ descriptor: Int32, _ faults: Faults) throws(Errno) {
    try faults.check(.synchronize)
    #if canImport(Darwin)
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
    #endif
    while fsync(descriptor) != 0 {
      let error = Errno(code: errno)
      if error.meansUnsupported { return }
      if error.code != EINTR { throw error }
    }
  }

  package static func rename(_ old: String, to new: String, _ faults: Faults) throws(Errno) {
    try faults.check(.rename)
    #if canImport(Darwin)
      let result = Darwin.rename(old, new)
    #elseif canImport(Musl)
      let result = Musl.rename(old, new)
    #else
      let result = Glibc.rename(old, new)
    #endif
    guard result == 0 else { throw Errno(code: errno) }
  }

  /// `close`; some file systems report a failed write only here.
  package static func close(_ descriptor: Int32) throws(Errno) {
    #if canImport(Darwin)
      let result = Darwin.close(descriptor)
    #elseif canImport(Musl)
      let result = Musl.close(descriptor)
    #else
      let result = Glibc.close(descriptor)
    #endif
    // After EINTR the descriptor is gone on Linux and Apple's systems; a second close could hit another's.
    guard result == 0 || errno == EINTR else { throw Errno(code: errno) }
  }
}

/// Has the device write while more is being written, so that little is left for `fsync` to wait for.
package struct Writeback {
  private let descriptor: Int32
  private var range = 0..<0
  private static let step = 32 << 20

  /// - Parameter size: what the file will have; space for it is set aside, in one piece where possible.
  package init(_ descriptor: Int32, size: Int) {
    self.descriptor = descriptor
    if size >= Self.step { cfileio_reserve(descriptor, Int64(size)) }
  }

  package mutating func wrote(_ offset: Int, _ count: Int) {
    range = (range.upperBound == offset ? range.lowerBound : offset)..<offset + count
    guard range.count >= Self.step else { return }
    System.startWriteback(descriptor, range.lowerBound, range.count)
    range = range.upperBound..<range.upperBound
  }
}

/// Lets the tests fail, or kill the process, at each step of a write.
package struct Faults: Sendable {
  package enum Step: Sendable { case write, synchronize, rename }

  package static let none = Faults { _ in nil }

  /// An `errno` value to fail with, or nil to go on.
  let inject: @Sendable (Step) -> Int32?

  package init(_ inject: @escaping @Sendable (Step) -> Int32?) { self.inject = inject }

  func check(_ step: Step) throws(System.Errno) {
    if let code = inject(step) { throw System.Errno(code: code) }
  }
}

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` with typed errors.
  package func lend<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
  }

  /// `withUnsafeMutableBytes` with typed errors.
  package mutating func lendMutable<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeMutableBufferPointer { buffer throws(Failure) in try body(UnsafeMutableRawBufferPointer(buffer)) }
  }
}
