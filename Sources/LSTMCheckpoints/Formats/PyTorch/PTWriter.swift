import FileIO

/// Writes what `torch.save` writes of a state_dict: a zip archive whose pickle `torch.load(weights_only=True)` takes.
enum PTWriter {
  static func write(_ tensors: [NamedTensor], to path: String) throws -> [WrittenTensor] {
    // PyTorch names it after the file; a fixed name gives equal files for equal tensors.
    let root = "archive/"
    let stored = tensors.filter { $0.sharedWith == nil }
    let dataByteCount = try ContainerFile.byteCount(of: stored)
    let pickle = Self.pickle(tensors)
    let byteCount = dataByteCount + pickle.count + 128 * tensors.count
    try ContainerFile.write(to: path, byteCount: byteCount) { file in
      var zip = ZipFileWriter(file, archive: path)
      try zip.add(root + "data.pkl", pickle)
      // Version 1 would promise PyTorch's own lengths of headers, from which it may compute offsets without reading.
      try zip.add(root + ".format_version", Array("0".utf8))
      try zip.add(root + ".storage_alignment", Array("64".utf8))
      try zip.add(root + "byteorder", Array("little".utf8))
      for (key, item) in stored.enumerated() {
        try zip.add(root + "data/\(key)", size: item.tensor.byteCount) { try file.write(item.tensor) }
      }
      try zip.add(root + "version", Array("3\n".utf8))
      try zip.finish()
    }
    return tensors.map(WrittenTensor.init)
  }

  /// An `OrderedDict` of contiguous tensors, each with a storage of its own but for those that are one, in protocol 2.
  private static func pickle(_ tensors: [NamedTensor]) -> [UInt8] {
    var writer = PickleWriter()
    writer.global("collections", "OrderedDict")
    writer.code(")R(")
    var keys: [String: Int] = [:]
    for item in tensors where item.sharedWith == nil { keys[item.name] = keys.count }
    for item in tensors {
      writer.text(item.name)
      add(item.tensor, key: keys[item.sharedWith ?? item.name] ?? 0, to: &writer)
    }
    writer.code("u.")
    return writer.bytes
  }

  private static func add(_ tensor: StoredTensor, key: Int, to writer: inout PickleWriter) {
    let type = tensor.dataType
    // Types that came late have no storage of their own: the tensor says the type instead.
    let storage = Pickle.ElementType.storageNames[type] ?? nil
    writer.global("torch._utils", storage == nil ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2")
    writer.code("((")
    writer.text("storage")
    writer.global(storage == nil ? "torch.storage" : "torch", storage ?? "UntypedStorage")
    writer.text(String(key))
    writer.text("cpu")
    writer.integer(storage == nil ? tensor.byteCount : tensor.elementCount)
    writer.code("tQ")
    writer.integer(0)
    writer.tuple(tensor.shape)
    var strides: [Int] = []
    var stride = 1
    for size in tensor.shape.reversed() {
      strides.append(stride)
      // It wraps round only where another dimension is 0 and strides mean nothing.
      stride &*= max(size, 1)
    }
    writer.tuple(strides.reversed())
    // requires_grad, and no hooks.
    writer.code("\u{89}")
    writer.global("collections", "OrderedDict")
    writer.code(")R")
    if storage == nil { writer.global("torch", type.rawValue) }
    writer.code("tR")
  }
}

/// Instructions of pickle's protocol 2.
private struct PickleWriter {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func code(_ codes: String) { bytes += codes.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } }

  mutating func global(_ module: String, _ name: String) {
    code("c")
    bytes += Array("\(module)\n\(name)\n".utf8)
  }

  mutating func text(_ text: String) {
    code("X")
    bytes.append(littleEndian: UInt32(text.utf8.count))
    bytes += text.utf8
  }

  mutating func integer(_ value: Int) {
    if let narrow = Int32(exactly: value) {
      code("J")
      bytes.append(littleEndian: narrow)
    } else {
      code("\u{8a}")
      bytes.append(8)
      bytes.append(littleEndian: Int64(value))
    }
  }

  mutating func tuple(_ values: [Int]) {
    code("(")
    for value in values { integer(value) }
    code("t")
  }
}
