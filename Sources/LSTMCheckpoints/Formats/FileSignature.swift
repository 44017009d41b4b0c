/// What a file's first bytes say it is. What cannot be opened counts as `other`: the reader says why.
enum FileSignature {
  case hdf5, zip, npy, other

  init(path: String) {
    guard let head = try? ByteSource.file(RegularFile(path: path)).bytes(at: 0, count: 8) else {
      self = .other
      return
    }
    switch head {
    case [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]: self = .hdf5
    case _ where head.starts(with: [0x50, 0x4b, 0x03, 0x04]): self = .zip
    case _ where head.starts(with: NPYHeader.signature): self = .npy
    default: self = .other
    }
  }
}
