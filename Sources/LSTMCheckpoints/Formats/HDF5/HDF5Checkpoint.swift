import FileIO
import Foundation
import HDF5

extension Checkpoint {
  /// A state_dict in HDF5, the native file, or one of Keras', told apart by their attributes and names.
  init(hdf5 path: String) throws {
    try self.init(try Self.hdf5 { () throws(HDF5Error) in try HDF5File(reading: path) }, path: path)
  }

  /// - Parameter archive: what a `.keras` archive says beside this file.
  init(_ file: HDF5File, path: String, archive: (version: KerasVersion, model: KerasJSON)? = nil) throws {
    let root = try Self.hdf5 { () throws(HDF5Error) in try file.contents() }
    let keepsBFloat = archive != nil || root.attribute("model_config")?.string?.contains("bfloat16") ?? false
    if root.attribute("PYTABLES_FORMAT_VERSION") != nil, Self.holdsPandas(root) {
      throw CheckpointError.unknownFormat(
        file: path, detail: "holds a table that pandas wrote (to_hdf), which is data and no weights",
        advice: ["save it as text, in Python: pandas.read_hdf(\"\(path)\").to_csv(\"data.csv\")"])
    }
    var tensors: [StoredTensor] = []
    var extras: [StoredTensor] = []
    var skipped: [Skipped] = []
    let isNative = root.attribute(Self.versionAttribute) != nil
    for dataset in root.allDatasets() {
      let name = String(dataset.path.drop { $0 == "/" })
      guard let type = DataType(dataset.type) ?? dataset.opaqueType(isKnownBFloat: keepsBFloat) else {
        skipped.append(Skipped(name: name, reason: "its elements are of type \(dataset.type.description)"))
        continue
      }
      let tensor = StoredTensor(
        name: name, shape: dataset.shape, dataType: type, isBigEndian: dataset.byteOrder == .bigEndian,
        source: HDF5Tensor(dataset: dataset))
      // Training state is for exact resume; it is no part of the model.
      if isNative, name.hasPrefix("training/") { extras.append(tensor) } else { tensors.append(tensor) }
    }
    let keras =
      isNative ? nil : try KerasStructure(root, readable: Set(tensors.map(\.name)), file: path, archive: archive)
    let format: Format = isNative ? .native : keras.map { $0.format(isArchive: archive != nil) } ?? .pytorchHDF5
    self.init(tensors: tensors, skipped: skipped, path: path, format: format, byteCount: file.byteCount)
    self.extras = extras
    structure = keras
    columnMajorWriter = isNative ? nil : Self.columnMajorWriter(root)
    if isNative { try readNativeAttributes(root) }
  }

  private static func holdsPandas(_ group: HDF5Group, depth: Int = 0) -> Bool {
    group.attribute("pandas_type") != nil
      || depth < 8 && group.groups.contains { holdsPandas($0, depth: depth + 1) }
  }

  /// What a writer leaves at its datasets.
  private static func columnMajorWriter(_ root: HDF5Group) -> String? {
    let datasets = root.allDatasets()
    if datasets.contains(where: { $0.attribute("MATLAB_class") != nil }) { return "MATLAB" }
    return datasets.contains { $0.attribute("rhdf5-NA.OK") != nil } ? "R" : nil
  }

  static let versionAttribute = "lstm_ft_version"

  private mutating func readNativeAttributes(_ root: HDF5Group) throws {
    let file = path ?? ""
    guard let version = root.attribute(Self.versionAttribute)?.integer, version >= 1 else {
      throw CheckpointError.unknownFormat(
        file: file, detail: "its \(Self.versionAttribute) attribute is not a version number", advice: [])
    }
    guard version == 1 else {
      throw CheckpointError.unknownFormat(
        file: file, detail: "written by a newer lstm-ft (file version \(version); this one reads 1)",
        advice: ["update lstm-ft"])
    }
    func text(_ name: String) throws(CheckpointError) -> String? {
      guard let attribute = root.attribute(name) else { return nil }
      guard let text = attribute.string else {
        throw .unknownFormat(file: file, detail: "its \(name) attribute is not one text", advice: [])
      }
      return text
    }
    if let json = try text("configuration") {
      configuration = try ModelConfiguration(json: Data(json.utf8), file: file)
    }
    preprocessing = try text("preprocessing")
    if let json = try text("provenance") {
      do {
        provenance = try JSONDecoder().decode(Provenance.self, from: Data(json.utf8))
      } catch {
        throw CheckpointError.unknownFormat(
          file: file, detail: "its provenance attribute is not what lstm-ft writes: \(describe(error))", advice: [])
      }
    }
  }

  /// Writes the native file.
  func writeNative(to path: String, options: WriteOptions, sourceDigest: FileDigest?) throws -> [WrittenTensor] {
    var document = HDF5Document()
    var provenance = provenance
    if let sourceDigest {
      // Nobody can have put these digits into another attribute.
      let placeholder = (0..<4).map { _ in
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
      }.joined()
      provenance?.sha256 = placeholder
      if provenance != nil { document.complete(placeholder) { try sourceDigest.value() } }
    }
    document.setAttribute(Self.versionAttribute, .integers([1]))
    if let configuration { document.setAttribute("configuration", .strings([try json(configuration)])) }
    if let preprocessing { document.setAttribute("preprocessing", .strings([preprocessing])) }
    if let provenance { document.setAttribute("provenance", .strings([try json(provenance)])) }
    let typed = tensors.map { tensor in options.dataType.map { tensor.converted(to: $0) } ?? tensor }
    for tensor in typed { document.add(tensor, at: tensor.name) }
    for tensor in extras { document.add(tensor, at: tensor.name) }
    try HDF5Writing.write(document, to: path)
    return typed.map { WrittenTensor(source: $0.name, target: $0.name, shape: $0.shape, dataType: $0.dataType) }
  }

  static func hdf5<Value>(_ body: () throws(HDF5Error) -> Value) throws(CheckpointError) -> Value {
    do throws(HDF5Error) {
      return try body()
    } catch {
      throw error.kind == .notHDF5 ? .unrecognized(file: error.file, detail: Message(error.detail)) : .container(error)
    }
  }
}

/// Named tensors in a plain HDF5 file.
enum HDF5Writing {
  static func write(_ tensors: [NamedTensor], to path: String) throws -> [WrittenTensor] {
    var document = HDF5Document()
    for item in tensors { document.add(item.tensor, at: item.name) }
    try write(document, to: path)
    return tensors.map(WrittenTensor.init)
  }

  static func write(_ document: HDF5Document, to path: String) throws { try document.write(to: path) }
}

private struct HDF5Tensor: TensorSource {
  let dataset: HDF5Dataset

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try Checkpoint.hdf5 { () throws(HDF5Error) in try dataset.readBytes(into: buffer) }
    return true
  }

  func bytes() throws -> [UInt8] { try Checkpoint.hdf5 { () throws(HDF5Error) in try dataset.readBytes() } }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    do {
      try dataset.forEachPiece(body)
    } catch let error as HDF5Error {
      throw CheckpointError.container(error)
    }
  }
}

extension ModelConfiguration {
  /// Whether one `nn.LSTM` can hold the stack: equal sizes and directions all the way up.
  var fitsOneModule: Bool { layers.allSatisfy { $0 == layers[0] } }
}

extension HDF5Document {
  mutating func add(_ tensor: StoredTensor, at path: String) {
    addDataset(
      path, shape: tensor.shape, type: tensor.dataType.hdf5Type,
      byteOrder: tensor.isBigEndian ? .bigEndian : .littleEndian
    ) { try tensor.forEachPiece($0) }
  }
}

extension HDF5Dataset {
  /// Keras keeps bfloat16 as two bytes without meaning, and says so in an attribute, or only in the model's configuration.
  fileprivate func opaqueType(isKnownBFloat: Bool) -> DataType? {
    guard case .opaque(2) = type else { return nil }
    return attribute("dtype").map { $0.string == "bfloat16" } ?? isKnownBFloat ? .bfloat16 : nil
  }
}

extension KerasStructure {
  fileprivate func format(isArchive: Bool) -> Checkpoint.Format {
    if isArchive { return .kerasArchive }
    if case .layers = weights { return .kerasH5 }
    return .kerasWeights
  }
}

extension DataType {
  init?(_ type: HDF5ScalarType) {
    switch type {
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .float32: self = .float32
    case .float64: self = .float64
    case .int8: self = .int8
    case .int16: self = .int16
    case .int32: self = .int32
    case .int64: self = .int64
    case .uint8: self = .uint8
    case .uint16: self = .uint16
    case .uint32: self = .uint32
    case .uint64: self = .uint64
    case .bool: self = .bool
    case .string, .opaque, .unsupported: return nil
    }
  }

  var hdf5Type: HDF5ScalarType {
    switch self {
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .float32: .float32
    case .float64: .float64
    case .int8: .int8
    case .int16: .int16
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .uint16: .uint16
    case .uint32: .uint32
    case .uint64: .uint64
    case .bool: .bool
    }
  }
}
