import FileIO
import Foundation

extension Checkpoint {
  /// A safetensors file: the header's length in eight bytes, the header, and the tensors without a hole between them.
  init(safetensors path: String) throws {
    func fail(_ kind: SafetensorsError.Kind, _ tensor: String? = nil) -> SafetensorsError {
      SafetensorsError(kind, file: path, tensor: tensor)
    }
    let source: ByteSource
    let header: SafetensorsHeader
    let dataOffset: Int
    do {
      source = .file(try RegularFile(path: path))
      let claimed = try source.bytes(at: 0, count: 8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard claimed <= SafetensorsHeader.byteLimit else {
        throw fail(.headerTooLong(claimed: claimed, limit: SafetensorsHeader.byteLimit))
      }
      let count = Int(claimed)
      guard count <= source.byteCount - 8 else {
        throw fail(.truncatedHeader(expected: count, found: source.byteCount - 8))
      }
      header = try SafetensorsHeader(source.bytes(at: 8, count: count), file: path)
      dataOffset = 8 + count
    } catch let failure as UnreadableReason {
      throw fail(.unreadable(failure))
    }
    guard header.dataByteCount == source.byteCount - dataOffset else {
      let (expected, overflow) = dataOffset.addingReportingOverflow(header.dataByteCount)
      throw fail(.fileSize(expected: overflow ? .max : expected, found: source.byteCount))
    }
    var tensors: [StoredTensor] = []
    var skipped: [Skipped] = []
    for entry in header.entries {
      guard let type = DataType(safetensors: entry.dtype) else {
        skipped.append(Skipped(name: entry.name, reason: "its elements are of type \(entry.dtype)"))
        continue
      }
      guard let byteCount = elementCount(entry.shape + [type.byteCount]) else {
        throw fail(.sizeOverflow(entry.shape), entry.name)
      }
      guard byteCount == entry.end - entry.start else {
        throw fail(.size(expected: byteCount, found: entry.end - entry.start), entry.name)
      }
      let run = FileRun(source: source, offset: dataOffset + entry.start, byteCount: byteCount, file: path)
      tensors.append(
        StoredTensor(
          name: entry.name, shape: entry.shape, dataType: type, isBigEndian: false, source: FileTensor(run: run)))
    }
    self.init(tensors: tensors, skipped: skipped, path: path, format: .safetensors, byteCount: source.byteCount)
    metadata = header.metadata
    addRemoved()
  }

  /// `safetensors.torch.save_model` stores what is shared once, and says under which name others go: removed -> kept.
  private mutating func addRemoved() {
    let stored = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    let groups = Dictionary(grouping: metadata.filter { stored[$0.key] == nil && stored[$0.value] != nil }, by: \.value)
    for tensor in tensors {
      guard let removed = groups[tensor.name]?.map(\.key).sorted(by: isNaturallyBefore) else { continue }
      tensors += removed.map(tensor.renamed)
      sharing.append([tensor.name] + removed)
    }
  }

  /// The tensors of the safetensors files that an index (`model.safetensors.index.json`) names, which lie beside it.
  init(shardIndex path: String) throws {
    let weightMap: [String: String]
    do {
      let source = ByteSource.file(try RegularFile(path: path))
      guard source.byteCount <= SafetensorsHeader.byteLimit else {
        throw SafetensorsError(.tooMuch("bytes of JSON", limit: SafetensorsHeader.byteLimit), file: path)
      }
      weightMap = try Self.weightMap(Data(source.bytes(at: 0, count: source.byteCount)), file: path)
    } catch let failure as UnreadableReason {
      throw SafetensorsError(.unreadable(failure), file: path)
    }
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    let byShard = Dictionary(grouping: weightMap, by: \.value).sorted { isNaturallyBefore($0.key, $1.key) }
    let parts = try byShard.map { shard, members in
      let names = Set(members.map(\.key))
      let isFileName = !shard.isEmpty && shard != "." && shard != ".." && !shard.contains { "/\\\0".contains($0) }
      guard isFileName else { throw SafetensorsError(.unsafeShard(shard), file: path) }
      let part = try Checkpoint(safetensors: folder.appendingPathComponent(shard).path)
      let held = Set(part.tensors.map(\.name) + part.skipped.map(\.name))
      if let absent = names.subtracting(held).min() {
        throw SafetensorsError(.notInShard(shard), file: path, tensor: absent)
      }
      let again = part.sharing.flatMap { $0.dropFirst() }
      if let stranger = held.subtracting(names).subtracting(again).min() {
        throw SafetensorsError(.notInIndex(shard: shard), file: path, tensor: stranger)
      }
      return part
    }
    self.init(
      tensors: parts.flatMap(\.tensors), skipped: parts.flatMap(\.skipped), path: path, format: .safetensors,
      byteCount: parts.reduce(0) { $0 + $1.byteCount })
    sharing = parts.flatMap(\.sharing)
  }

  /// `{"metadata": {...}, "weight_map": {tensor: file}}`
  private struct ShardIndex: Decodable {
    let weightMap: [String: String]
    enum CodingKeys: String, CodingKey { case weightMap = "weight_map" }
  }

  private static func weightMap(_ data: Data, file: String) throws(SafetensorsError) -> [String: String] {
    func fail(_ detail: String, _ advice: [Message] = []) -> SafetensorsError {
      SafetensorsError(.noIndex(detail, advice: advice), file: file)
    }
    do {
      return try JSONDecoder().decode(ShardIndex.self, from: data).weightMap
    } catch {
      let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
      guard let keys = object.map({ Set($0.keys) }) else {
        throw fail("is text that begins like JSON, but is none; a checkpoint was expected")
      }
      if keys.contains("weight_map") { throw fail("its weight_map does not give a file's name for each tensor") }
      if keys.isSuperset(of: ["input", "layers"]) {
        throw fail(
          "is a model's configuration, which holds no weights",
          ["give the weights first, and this file as \(.configuration, file)"])
      }
      if let foreign = object.flatMap({ ForeignFile(json: $0, file: file) }) {
        throw fail("is \(foreign.what)", foreign.advice)
      }
      throw fail(
        "is JSON, but not the index of a safetensors checkpoint: it has no weight_map",
        ["it has \(nameList(keys.sorted()))"])
    }
  }
}

extension DataType {
  private static let safetensorsNames: [(name: String, type: DataType)] = [
    ("F64", .float64), ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16), ("I64", .int64), ("I32", .int32),
    ("I16", .int16), ("I8", .int8), ("U64", .uint64), ("U32", .uint32), ("U16", .uint16), ("U8", .uint8),
    ("BOOL", .bool),
  ]

  init?(safetensors name: String) {
    guard let found = Self.safetensorsNames.first(where: { $0.name == name }) else { return nil }
    self = found.type
  }

  var safetensorsName: String { Self.safetensorsNames.first { $0.type == self }?.name ?? rawValue }
}
