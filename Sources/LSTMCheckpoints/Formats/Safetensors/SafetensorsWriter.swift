import FileIO

/// Writes a safetensors file.
enum SafetensorsWriter {
  /// A model as `safetensors.torch.save_model` writes it: of tensors that are one, the first by name, and in the metadata
  /// which others it stands for.
  static func writeModel(
    _ tensors: [NamedTensor], metadata: [String: String], to path: String
  ) throws -> [WrittenTensor] {
    var metadata = metadata
    // What the source said of a tie need not be so any more.
    for item in tensors { metadata[item.name] = nil }
    let groups = Dictionary(grouping: tensors) { $0.sharedWith ?? $0.name }
    var (stored, removed) = ([NamedTensor](), [NamedTensor]())
    for item in tensors {
      let kept = groups[item.sharedWith ?? item.name]?.map(\.name).min() ?? item.name
      var item = item
      item.sharedWith = kept == item.name ? nil : kept
      if kept == item.name {
        stored.append(item)
      } else {
        metadata[item.name] = kept
        removed.append(item)
      }
    }
    return try write(stored, metadata: metadata, to: path) + removed.map(WrittenTensor.init)
  }

  /// - Parameter metadata: texts to keep beside the tensors; `format` says which framework's conventions they follow.
  static func write(
    _ tensors: [NamedTensor], metadata: [String: String] = [:], to path: String
  ) throws -> [WrittenTensor] {
    _ = try ContainerFile.byteCount(of: tensors)
    // Wide elements first keep every tensor at a multiple of its elements' size: readers map them as they lie.
    let widths = Set(tensors.map(\.tensor.dataType.byteCount)).sorted(by: >)
    let ordered = widths.flatMap { width in tensors.filter { $0.tensor.dataType.byteCount == width } }
    var members = ["\"__metadata__\":" + (try json(metadata.merging(["format": "pt"]) { first, _ in first }))]
    var position = 0
    var names: Set = ["__metadata__"]
    for item in ordered {
      guard names.insert(item.name).inserted else {
        throw CheckpointError.cannotWrite(file: path, detail: "two tensors are called \(item.name)")
      }
      let end = position + item.tensor.byteCount
      let shape = item.tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        try json(item.name)
          + ":{\"dtype\":\"\(item.tensor.dataType.safetensorsName)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(position),\(end)]}")
      position = end
    }
    var header = Array(("{" + members.joined(separator: ",") + "}").utf8)
    header += repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= SafetensorsHeader.byteLimit else {
      throw CheckpointError.cannotWrite(
        file: path, detail: "its header would have \(header.count) bytes, more than safetensors allows")
    }
    try ContainerFile.write(to: path, byteCount: 8 + header.count + position) { file in
      var length: [UInt8] = []
      length.append(littleEndian: UInt64(header.count))
      try file.write(length + header)
      for item in ordered { try file.write(item.tensor) }
    }
    return ordered.map(WrittenTensor.init)
  }
}
