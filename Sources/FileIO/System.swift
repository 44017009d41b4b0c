import CFileIO
import Foundation

/// The system calls that this project makes. Each failure is an `errno` value.
package enum System {
  package typealias Errno = CallError

  /// `open` without blocking (opening a FIFO would); child processes do not inherit the descriptor.
  package static func open(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(Errno) -> Int32 {
    try SystemFaults.check(flags & O_CREAT != 0 ? .create : .open)
    while true {
      let descriptor = systemOpen(path, flags | O_CLOEXEC | O_NONBLOCK, mode)
      if descriptor >= 0 {
        SystemFaults.note(flags & O_CREAT != 0 ? "create" : "open", ["\(descriptor)", path])
        return descriptor
      }
      if errno != EINTR { throw Errno(code: errno) }
    }
  }

  package static func status(_ descriptor: Int32) throws(Errno) -> stat {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Errno(code: errno) }
    return status
  }

  /// `lstat`; nil when nothing has that name.
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
    guard let base = buffer.baseAddress else { return 0 }
    return try transfer(buffer.count) { done, count throws(Errno) in
      try SystemFaults.check(.read)
      return pread(descriptor, base + done, count, off_t(offset + done))
    }
  }

  /// `pwrite` until all of the bytes are written.
  package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, at offset: Int, _ faults: Faults)
    throws(Errno)
  {
    guard let base = bytes.baseAddress else { return }
    let done = try transfer(bytes.count) { done, count throws(Errno) in
      try faults.check(.write)
      let count = try SystemFaults.check(.write) ?? count
      return pwrite(descriptor, base + done, min(count, bytes.count - done), off_t(offset + done))
    }
    guard done == bytes.count else { throw Errno(code: EIO) }
    SystemFaults.noteWritten(descriptor, bytes, at: offset)
  }

  /// `write` until all of the bytes are written.
  package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) throws(Errno) {
    guard let base = bytes.baseAddress else { return }
    let done = try transfer(bytes.count) { done, count throws(Errno) in
      let count = try SystemFaults.check(.write) ?? count
      return systemWrite(descriptor, base + done, min(count, bytes.count - done))
    }
    guard done == bytes.count else { throw Errno(code: EIO) }
    SystemFaults.noteWritten(descriptor, bytes, at: Int(lseek(descriptor, 0, SEEK_CUR)) - done)
  }

  /// Opens a file to append to it, or makes it. It is a regular file with one name: what somebody else prepared as a link to
  /// a file elsewhere is not written to.
  /// - Parameter creation: `O_CREAT` to make it when it is not there, with `O_EXCL` only then; 0 to open one that is there.
  package static func openToAppend(_ path: String, _ creation: Int32) throws(Errno) -> Int32 {
    let descriptor = try open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | creation, mode: 0o644)
    let status: stat
    do throws(Errno) {
      status = try System.status(descriptor)
    } catch {
      try? close(descriptor)
      throw error
    }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_nlink == 1 else {
      try? close(descriptor)
      throw Errno(code: ELOOP)
    }
    return descriptor
  }

  /// The length of a file that is open to be appended to, after everything in it is on the device.
  package static func synchronizedLength(_ descriptor: Int32) throws(Errno) -> Int {
    let length = lseek(descriptor, 0, SEEK_END)
    guard length >= 0 else { throw Errno(code: errno) }
    try synchronize(descriptor, .none)
    return Int(length)
  }

  /// `ftruncate`.
  package static func truncate(_ descriptor: Int32, to length: Int) throws(Errno) {
    try SystemFaults.check(.truncate)
    guard ftruncate(descriptor, off_t(length)) == 0 else { throw Errno(code: errno) }
    SystemFaults.note("truncate", ["\(descriptor)", "\(length)"])
  }

  /// The names of what lies in a folder, in no order (`readdir`).
  package static func names(in folder: String) throws(Errno) -> [String] {
    try SystemFaults.check(.open)
    guard let stream = opendir(folder) else { throw Errno(code: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        if errno != 0 { throw Errno(code: errno) }
        return names
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
  }

  /// Makes a folder, and the folders it lies in.
  /// - Returns: those that were made, the innermost last.
  package static func makeFolders(_ path: String) throws(Errno) -> [String] {
    var made: [String] = []
    var place = path.hasPrefix("/") ? "/" : ""
    for name in path.split(separator: "/") {
      place += (place.isEmpty || place.hasSuffix("/") ? "" : "/") + name
      var status = stat()
      if stat(place, &status) == 0 {
        guard status.st_mode & S_IFMT == S_IFDIR else { throw Errno(code: ENOTDIR) }
        continue
      }
      do throws(Errno) {
        try SystemFaults.check(.makeFolder)
        guard mkdir(place, 0o777) == 0 || errno == EEXIST else { throw Errno(code: errno) }
      } catch {
        for folder in made.reversed() { rmdir(folder) }
        throw error
      }
      SystemFaults.note("folder", [place])
      made.append(place)
    }
    return made
  }

  /// Repeats a call that may transfer fewer bytes than asked for, until `total` are done or it transfers none.
  /// - Parameter call: transfers up to `count` bytes after the first `done`, and returns what the system call returned.
  /// - Returns: the number of bytes transferred.
  static func transfer(
    _ total: Int, _ call: (_ done: Int, _ count: Int) throws(Errno) -> Int
  ) throws(Errno) -> Int {
    var done = 0
    while done < total {
      // Apple's systems refuse more than INT_MAX bytes.
      let count = try call(done, min(total - done, 1 << 30))
      if count == 0 { break }
      if count > 0 {
        done += count
      } else if errno != EINTR {
        throw Errno(code: errno)
      }
    }
    return done
  }

  /// The offsets of a text within a part of a file.
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

  /// Asks the system to start writing a part of a file to the device, without waiting (`sync_file_range`). Where that
  /// call is missing or fails, `fsync` writes everything at the end.
  static func startWriteback(_ descriptor: Int32, _ offset: Int, _ count: Int) {
    cfileio_start_writeback(descriptor, Int64(offset), Int64(count))
  }

  /// Waits until the file is on the device. `fsync` on Apple platforms stops at the drive's cache.
  package static func synchronize(_ descriptor: Int32, _ faults: Faults) throws(Errno) {
    try faults.check(.synchronize)
    try SystemFaults.check(.synchronize)
    try flush(descriptor)
    SystemFaults.note("synchronize", ["\(descriptor)"])
  }

  private static func flush(_ descriptor: Int32) throws(Errno) {
    #if canImport(Darwin)
      if fcntl(descriptor, F_FULLFSYNC) == 0 { return }
    #endif
    while fsync(descriptor) != 0 {
      let error = Errno(code: errno)
      if error.meansUnsupported { return }
      if error.code != EINTR { throw error }
    }
  }

  /// Waits until the names in a folder are on the device.
  package static func synchronize(folder: String, _ faults: Faults = .none) throws(Errno) {
    let descriptor = try open(folder, O_RDONLY)
    defer { try? close(descriptor) }
    try synchronize(descriptor, faults)
  }

  package static func rename(_ old: String, to new: String, _ faults: Faults) throws(Errno) {
    try faults.check(.rename)
    try SystemFaults.check(.rename)
    guard systemRename(old, new) == 0 else { throw Errno(code: errno) }
    SystemFaults.note("rename", [old, new])
  }

  /// `close`; some file systems report a failed write only here.
  package static func close(_ descriptor: Int32) throws(Errno) {
    let result = systemClose(descriptor)
    try SystemFaults.check(.close)
    // After EINTR the descriptor is gone on Linux and Apple's systems; a second close could hit another's.
    guard result == 0 || errno == EINTR else { throw Errno(code: errno) }
  }
}

// Within `System` these names are its own functions.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 { open(path, flags, mode) }
private func systemRename(_ old: String, _ new: String) -> Int32 { rename(old, new) }
private func systemClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
private func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer, _ count: Int) -> Int {
  write(descriptor, bytes, count)
}

/// Starts writing to the device while later parts are still being produced, so that `fsync` has little left to wait for.
package struct Writeback {
  private let descriptor: Int32
  private var range = 0..<0
  private static let step = 32 << 20

  /// - Parameter size: the file's final size; space for it is reserved, contiguous where possible.
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

extension Array where Element == UInt8 {
  /// `withUnsafeBytes` with typed errors.
  package func lend<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeBufferPointer { buffer throws(Failure) in try body(UnsafeRawBufferPointer(buffer)) }
  }

  /// `withUnsafeMutableBytes` with typed errors.
  mutating func lendMutable<Result, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try withUnsafeMutableBufferPointer { buffer throws(Failure) in try body(UnsafeMutableRawBufferPointer(buffer)) }
  }
}
