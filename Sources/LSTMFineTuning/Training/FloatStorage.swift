import FileIO
import Foundation

/// Many floats in memory, or in a mapped file that was unlinked, so that it goes with the process however that ends.
final class FloatStorage {
  /// Why there is no room after all.
  struct Failure: Error {
    let reason: String
  }

  let pointer: UnsafePointer<Float>
  private let base: UnsafeMutableRawPointer
  private let bytes: Int

  fileprivate init(_ base: UnsafeMutableRawPointer, bytes: Int) {
    self.base = base
    self.bytes = bytes
    pointer = UnsafePointer(base.assumingMemoryBound(to: Float.self))
  }

  deinit { munmap(base, bytes) }

  // MARK: - Where

  /// Left free on a disk that a cache is put on.
  private static let reserve = 64 << 20

  /// Decides on a place for so many bytes.
  static func place(_ bytes: Int, _ policy: CachePolicy) -> CacheUsage.Place {
    let limit = policy.memoryLimit ?? MachineMemory.byteCount / 4
    if bytes <= limit { return .memory }
    let folder = policy.folder ?? defaultFolder
    guard let free = freeBytes(in: folder) else {
      return .nowhere(reason: "more than the \(text(limit)) of memory it may take, and there is no folder \(folder)")
    }
    guard bytes + reserve <= free else {
      return .nowhere(
        reason: "more than the \(text(limit)) of memory it may take and the \(text(free)) free in \(folder)")
    }
    return .file(folder: folder)
  }

  private static var defaultFolder: String {
    let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
    return folder.isEmpty ? "/tmp" : folder
  }

  private static func freeBytes(in folder: String) -> Int? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return nil }
    let (bytes, overflow) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
    return overflow ? .max : bytes
  }

  private static func text(_ bytes: Int) -> String {
    bytes < 1_000_000_000
      ? String(format: "%.1f MB", Double(bytes) / 1e6) : String(format: "%.2f GB", Double(bytes) / 1e9)
  }

  // MARK: - Writing

  /// Takes floats from first to last.
  ///
  /// A file is written rather than written to through its mapping: a disk that fills up is then an error, not the end
  /// of the process.
  final class Writer {
    private let bytes: Int
    private var next = 0
    /// In memory.
    private var base: UnsafeMutableRawPointer?
    /// In a file.
    private var descriptor: Int32 = -1

    init(_ place: CacheUsage.Place, count: Int) throws(Failure) {
      bytes = count * MemoryLayout<Float>.size
      if case .file(let folder) = place {
        var path = Array((folder + "/.lstm-ft-cache-XXXXXX").utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else { throw Failure(reason: "no file can be made in \(folder): \(Self.errorText)") }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      } else {
        base = try Self.map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1)
      }
    }

    deinit {
      if descriptor >= 0 { close(descriptor) }
      if let base { munmap(base, bytes) }
    }

    private static var errorText: String { String(cString: strerror(errno)) }

    private static func map(
      _ bytes: Int, _ protection: Int32, _ flags: Int32, _ descriptor: Int32
    ) throws(Failure) -> UnsafeMutableRawPointer {
      guard let base = mmap(nil, bytes, protection, flags, descriptor, 0), base != MAP_FAILED else {
        throw Failure(reason: "it cannot be mapped: \(errorText)")
      }
      return base
    }

    /// Where the next floats may be put right away, if there is such a place.
    func room(_ count: Int) -> UnsafeMutablePointer<Float>? {
      base.map { ($0 + next).assumingMemoryBound(to: Float.self) }
    }

    /// Takes the next floats.
    func append(_ values: UnsafePointer<Float>, _ count: Int) throws(Failure) {
      precondition(next + count * MemoryLayout<Float>.size <= bytes)
      if descriptor >= 0 {
        do throws(FileError) {
          try writeAll(UnsafeRawBufferPointer(start: values, count: count * MemoryLayout<Float>.size), to: descriptor)
        } catch {
          throw Failure(reason: error.detail)
        }
      }
      next += count * MemoryLayout<Float>.size
    }

    /// Hands over what was taken.
    func finish() throws(Failure) -> FloatStorage {
      precondition(next == bytes)
      if let base {
        self.base = nil
        return FloatStorage(base, bytes: bytes)
      }
      return FloatStorage(try Self.map(bytes, PROT_READ, MAP_SHARED, descriptor), bytes: bytes)
    }
  }
}
