import FileIO

/// What a file's first bytes say it is. What cannot be opened counts as `other`: the reader says why.
enum FileSignature {
  case hdf5, zip, npy, pickle, tar, safetensors, json, protobuf, other

  init(path: String) {
    guard let file = try? RegularFile(path: path), file.byteCount > 0,
      let head = try? ByteSource.file(file).bytes(at: 0, count: min(512, file.byteCount))
    else {
      self = .other
      return
    }
    if head.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]) {
      self = .hdf5
    } else if head.starts(with: [0x50, 0x4b, 0x03, 0x04]) || head.starts(with: [0x50, 0x4b, 0x05, 0x06]) {
      self = .zip
    } else if head.starts(with: NPYHeader.signature) {
      self = .npy
    } else if head.count >= 9, head[8] == UInt8(ascii: "{"), head[4..<8].allSatisfy({ $0 == 0 }) {
      // A header's length in eight bytes, then the header.
      self = .safetensors
    } else if head.count >= 2, head[0] == 0x80, 2...5 ~= head[1] {
      self = .pickle
    } else if head.count >= 262, head[257..<262].elementsEqual("ustar".utf8) {
      self = .tar
    } else if head.first(where: { !" \t\r\n".utf8.contains($0) }) == UInt8(ascii: "{") {
      self = .json
    } else if head.count >= 2, head[0] == 0x08, 1...32 ~= head[1] {
      // Field 1 of an ONNX model is its ir_version.
      self = .protobuf
    } else {
      self = .other
    }
  }
}
