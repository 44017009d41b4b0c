import FileIO
import HDF5

/// An HDF5 file that was opened, whosever it is.
struct HDF5Contents {
  let file: HDF5File
  let root: HDF5Group

  /// - Parameters:
  ///   - name: used in errors instead of the path.
  ///   - reader: reads it through libhdf5; nil for this project's own reader.
  init(path: String, named name: String? = nil, reader: HDF5LibraryReader?) throws(CheckpointError) {
    try self.init(
      try Self.opening { () throws(HDF5Error) in
        if let reader { try reader.open(path, named: name) } else { try HDF5File(reading: path, named: name) }
      })
  }

  init(_ file: HDF5File) throws(CheckpointError) {
    self.file = file
    root = try Self.opening { () throws(HDF5Error) in try file.contents() }
    // The root's attributes, and Keras' of the group with its weights, say what the file is.
    for group in [root, root.group(at: "model_weights")] {
      if let damage = group?.unreadableAttributes.first(where: { $0.kind == .corrupt }) { throw .container(damage) }
    }
  }

  /// Its datasets of numbers as tensors, read late.
  /// - Parameter keepsBFloat: whether two bytes without meaning are bfloat16.
  func checkpoint(_ format: Checkpoint.Format, path: String, keepsBFloat: Bool = false) -> Checkpoint {
    var tensors: [StoredTensor] = []
    var skipped: [Checkpoint.Skipped] = []
    for dataset in root.allDatasets() {
      let name = String(dataset.path.drop { $0 == "/" })
      if let refusal = dataset.refusal {
        skipped.append(
          .init(name: name, reason: refusal.detail, cause: dataset.isForLibrary ? .needsLibrary : .unreadable))
        continue
      }
      guard let type = DataType.known(dataset.type) ?? dataset.opaqueType(isKnownBFloat: keepsBFloat) else {
        skipped.append(
          .init(
            name: name, reason: "its elements are of type \(dataset.type.description)",
            cause: dataset.isForLibrary ? .needsLibrary : .otherType))
        continue
      }
      tensors.append(
        StoredTensor(
          name: name, shape: dataset.shape, dataType: type, isBigEndian: dataset.byteOrder == .bigEndian,
          source: HDF5Tensor(dataset: dataset)))
    }
    skipped += root.allUnreadable().map { error in
      .init(
        name: String((error.object ?? "").drop { $0 == "/" }), reason: error.detail,
        cause: error.kind == .notFound ? .absent : .unreadable)
    }
    skipped += root.allUnreadableAttributes().map { error in
      .init(name: String((error.object ?? "").drop { $0 == "/" }), reason: error.detail)
    }
    return Checkpoint(tensors: tensors, skipped: skipped, path: path, format: format, byteCount: file.byteCount)
  }

  /// Throws what keeps a part of the file from being read, unless something is only left out on purpose.
  func requireWhole() throws(CheckpointError) {
    let damages = root.allUnreadable() + root.allUnreadableAttributes()
    if let damage = damages.first(where: { $0.kind != .refused && $0.kind != .notFound }) { throw .container(damage) }
  }

  /// What a writer leaves at its datasets.
  var columnMajorWriter: String? {
    let datasets = root.allDatasets()
    if datasets.contains(where: { $0.attribute("MATLAB_class") != nil }) { return "MATLAB" }
    return datasets.contains { $0.attribute("rhdf5-NA.OK") != nil } ? "R" : nil
  }

  static func opening<Value>(_ body: () throws(HDF5Error) -> Value) throws(CheckpointError) -> Value {
    do throws(HDF5Error) {
      return try body()
    } catch {
      throw error.kind == .notHDF5 ? .unrecognized(file: error.file, detail: Message(error.detail)) : .container(error)
    }
  }
}

private struct HDF5Tensor: TensorSource {
  let dataset: HDF5Dataset

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try HDF5Contents.opening { () throws(HDF5Error) in try dataset.readBytes(into: buffer) }
    return true
  }

  func bytes() throws -> [UInt8] { try HDF5Contents.opening { () throws(HDF5Error) in try dataset.readBytes() } }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    do {
      try dataset.forEachPiece(body)
    } catch let error as HDF5Error {
      throw CheckpointError.container(error)
    }
  }
}

extension HDF5Document {
  /// Named tensors as a plain file.
  static func write(_ tensors: [NamedTensor], to path: String) throws -> [WrittenTensor] {
    var document = HDF5Document()
    for item in tensors { document.add(item.tensor, at: item.name) }
    try document.write(to: path)
    return tensors.map(WrittenTensor.init)
  }

  mutating func add(_ tensor: StoredTensor, at path: String) {
    addDataset(
      path, shape: tensor.shape, type: tensor.dataType.hdf5Type,
      byteOrder: tensor.isBigEndian ? .bigEndian : .littleEndian
    ) { try tensor.forEachPiece($0) }
  }
}

extension StoredModel {
  /// Writes the tensors to an HDF5 file as h5py does with `compression="gzip"`: chunks of a few rows, level 4. For
  /// measuring how fast such a file is read.
  package func writeCompressedHDF5(path: String) throws {
    var document = HDF5Document()
    for tensor in tensors {
      let chunk = tensor.shape.enumerated().map { $0 == 0 ? max(1, $1 / 16) : $1 }
      document.addDataset(
        tensor.name, shape: tensor.shape, type: tensor.dataType.hdf5Type, chunkShape: chunk, deflate: 4
      ) { try tensor.bytes() }
    }
    try document.write(to: path)
  }
}

extension HDF5Group {
  /// An attribute that is one text; nil where there is none.
  func text(_ name: String, _ file: String) throws(CheckpointError) -> String? {
    guard let attribute = attribute(name) else {
      // It may be the one that cannot be read.
      if let damage = unreadableAttributes.first { throw .container(damage) }
      return nil
    }
    guard let text = attribute.string else {
      throw .unknownFormat(file: file, detail: "its \(name) attribute is not one text")
    }
    return text
  }
}

extension HDF5Dataset {
  /// Keras keeps bfloat16 as two bytes without meaning, and says so in an attribute, or only in the model's configuration.
  fileprivate func opaqueType(isKnownBFloat: Bool) -> DataType? {
    guard case .opaque(2) = type else { return nil }
    return attribute("dtype").map { $0.string == "bfloat16" } ?? isKnownBFloat ? .bfloat16 : nil
  }
}

extension DataType {
  private static let hdf5Types: [(type: DataType, hdf5: HDF5ScalarType)] = [
    (.float16, .float16), (.bfloat16, .bfloat16), (.float32, .float32), (.float64, .float64), (.int8, .int8),
    (.int16, .int16), (.int32, .int32), (.int64, .int64), (.uint8, .uint8), (.uint16, .uint16), (.uint32, .uint32),
    (.uint64, .uint64), (.bool, .bool),
  ]

  static func known(_ type: HDF5ScalarType) -> DataType? { hdf5Types.first { $0.hdf5 == type }?.type }

  var hdf5Type: HDF5ScalarType { Self.hdf5Types.first { $0.type == self }?.hdf5 ?? .unsupported(rawValue) }
}
