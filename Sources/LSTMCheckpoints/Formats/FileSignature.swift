#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What a file's first bytes say it is. What cannot be opened counts as `other`: the reader says why.
enum FileSignature {
  case hdf5, zip, npy, other

  init(path: String) throws {
    self = .other
    // O_NONBLOCK: a FIFO without a writer must not hang us.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var head = [UInt8](repeating: 0, count: 8)
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      pread(descriptor, &head, head.count, 0) == head.count
    else { return }
    switch head {
    case [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]: self = .hdf5
    case _ where head.starts(with: [0x50, 0x4b, 0x03, 0x04]): self = .zip
    case _ where head.starts(with: [0x93] + "NUMPY".utf8): self = .npy
    default: self = .other
    }
  }
}
