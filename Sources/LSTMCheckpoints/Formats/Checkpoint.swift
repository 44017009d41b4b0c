import FileIO
import Foundation

/// The tensors of a file by name, and what the file says about them. Nothing is read until a tensor's bytes are
/// asked for.
///
///     let checkpoint = try Checkpoint(contentsOf: url)
///     for tensor in checkpoint.tensors { print(tensor.name, tensor.shape, tensor.dataType) }
public struct Checkpoint: Sendable {
  public enum Format: String, Sendable, Codable, CaseIterable {
    /// The project's own: an ordinary HDF5 file with PyTorch's names and JSON attributes.
    case native = "lstm-ft"
    /// A PyTorch state_dict in HDF5, with dotted names or nested groups.
    case pytorchHDF5 = "pytorch-h5"
    /// What `torch.save` writes: a ZIP archive, or the stream of pickles that came before.
    case pt
    case safetensors
    case npz
    case npy
    /// Keras' HDF5: weights alone or a whole model, by Keras 1, 2 or 3 (`legacy`).
    case kerasH5 = "keras-h5"
    /// Keras 3's `.weights.h5`.
    case kerasWeights = "keras-weights"
    /// Keras 3's `.keras` archive.
    case kerasArchive = "keras"
    case onnx
    /// safetensors as MLX names and shapes LSTMs.
    case mlx
    /// What RTNeural parses. Written only.
    case rtneural = "rtneural-json"

    /// What `write` can make.
    public static var writable: [Format] { allCases.filter { $0 != .npy } }
  }

  /// Something in the file that is not a tensor of numbers.
  public struct Skipped: Sendable, Equatable {
    public let name: String
    public let reason: String
  }

  /// In the file's order.
  public var tensors: [StoredTensor]
  public var configuration: ModelConfiguration?
  /// JSON: scaler, vocabulary, window. Carried along; the fine-tuning module reads it.
  public var preprocessing: String?
  public var provenance: Provenance?
  public var skipped: [Skipped]
  /// The names of tensors that are one in the file, in groups.
  public var sharing: [[String]] = []
  /// What a native file holds besides the model, such as the training state of a run.
  public var extras: [StoredTensor] = []
  /// What the file says of itself in plain texts: the `__metadata__` of safetensors.
  public var metadata: [String: String] = [:]
  /// The keys of a `.pt` file, joined by dots, that its one state_dict was found under: `model_state`. Tensors' names begin
  /// with them.
  public var stateKey: String?
  /// Scalers that lie beside the tensors, which a file of Python objects may hold.
  public internal(set) var foundScalers: [FoundScaler] = []
  /// What was decided while the file was read, for the report.
  var notes: [Message] = []
  /// What was taken for granted then.
  var assumed: [LoadReport.Assumption] = []
  /// Where it was read from.
  public let path: String?
  public let format: Format
  /// The program that wrote the file, when it is known for storing columns first.
  var columnMajorWriter: String?
  /// What the file says about its model beside the tensors, when it does.
  var structure: (any ModelStructure)?
  /// Bytes of the file.
  public internal(set) var byteCount: Int

  public init(
    tensors: [StoredTensor], configuration: ModelConfiguration? = nil, preprocessing: String? = nil,
    provenance: Provenance? = nil, skipped: [Skipped] = [], path: String? = nil, format: Format = .native,
    byteCount: Int = 0
  ) {
    self.tensors = tensors
    self.configuration = configuration
    self.preprocessing = preprocessing
    self.provenance = provenance
    self.skipped = skipped
    self.path = path
    self.format = format
    self.byteCount = byteCount
  }

  public subscript(name: String) -> StoredTensor? { tensors.first { $0.name == name } }

  /// Opens a file of any known format. Tensors are listed, not read.
  /// - Throws: `CheckpointError` naming the file and what it is instead.
  public init(contentsOf url: URL) throws { try self.init(path: url.path) }

  /// The same from a path.
  /// - Parameter allowsExternalData: whether an ONNX model may keep weights in other files beside it.
  public init(path: String, allowsExternalData: Bool = false) throws {
    if let foreign = ForeignFile(path: path) { throw foreign.error(file: path) }
    switch FileSignature(path: path) {
    case .zip: self = try Checkpoint(zip: path)
    case .npy: self = try Checkpoint(npy: path)
    case .pickle: self = try Checkpoint(pickle: path)
    case .tar: throw PTError(.tar, file: path)
    case .safetensors: self = try Checkpoint(safetensors: path)
    case .json:
      self = try path.hasSuffix(".weights.json") ? Checkpoint(kerasShards: path) : Checkpoint(shardIndex: path)
    case .protobuf: self = try Checkpoint(onnx: path, allowsExternalData: allowsExternalData)
    case .hdf5, .other: self = try Checkpoint(hdf5: path)
    }
  }

  /// Writes atomically: the file is whole or was not touched. The names are those of the source when it had the same
  /// layout.
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.refused` when the format cannot hold the model, with the option that decides.
  @discardableResult
  public func write(
    to url: URL, as format: Format = .native, options: WriteOptions = WriteOptions()
  ) throws -> [WrittenTensor] {
    try write(path: url.path, as: format, options: options)
  }

  /// The same to a path.
  /// - Parameter sourceDigest: becomes `provenance.sha256` of the native file; it may still be being computed.
  @discardableResult
  public func write(
    path: String, as format: Format = .native, options: WriteOptions = WriteOptions(), sourceDigest: FileDigest? = nil
  ) throws -> [WrittenTensor] {
    func model() throws(CheckpointError) -> Exportable { try Exportable(self, to: path, options: options) }
    switch format {
    case .native: return try writeNative(to: path, options: options, sourceDigest: sourceDigest)
    case .pytorchHDF5: return try HDF5Writing.write(try namedTensors(to: path, options: options), to: path)
    case .pt: return try PTWriter.write(try namedTensors(to: path, options: options), to: path)
    case .safetensors:
      return try SafetensorsWriter.writeModel(
        try namedTensors(to: path, options: options, usual: ownNamedLayout), metadata: ownMetadata ?? [:], to: path)
    case .npz: return try NPZWriter.write(try namedTensors(to: path, options: options, usual: ownNamedLayout), to: path)
    case .mlx:
      var options = options
      options.layout = .mlx
      try model().refuse([.float64], of: "MLX' safetensors")
      return try SafetensorsWriter.write(try namedTensors(to: path, options: options), to: path)
    case .kerasH5: return try KerasWriter.writeLegacy(model(), to: path)
    case .kerasWeights: return try KerasWriter.writeWeights(model(), to: path)
    case .kerasArchive: return try KerasWriter.writeArchive(model(), to: path)
    case .onnx: return try ONNXWriter.write(model(), to: path)
    case .rtneural: return try RTNeuralWriter.write(model(), to: path)
    case .npy: throw CheckpointError.cannotWrite(file: path, detail: "a .npy file holds one array")
    }
  }
}

extension Checkpoint {
  /// Whether the file has its tensors in the order in which the model names its parts. HDF5 and safetensors sort them.
  var keepsOrder: Bool { format == .pt || format == .npz }

  /// What a native file carries of the source's metadata: what is long is none of the model's.
  public var ownMetadata: [String: String]? {
    if format == .native { return provenance?.metadata }
    let byteCount = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    return metadata.isEmpty || byteCount > 16 << 10 ? nil : metadata
  }
}

/// Where a model comes from and what was done to it. Stored as JSON in the native file.
public struct Provenance: Sendable, Codable, Equatable {
  public struct Event: Sendable, Codable, Equatable {
    /// ISO 8601.
    public var date: String
    /// `import`, `finetune`, ...
    public var action: String
    public var details: [String: String]

    public init(date: String, action: String, details: [String: String]) {
      self.date = date
      self.action = action
      self.details = details
    }
  }

  /// The file the weights came from.
  public var source: String
  /// SHA-256 of that file, hexadecimal.
  public var sha256: String
  /// `Checkpoint.Format` of that file; nil in files written before there were several layouts.
  public var format: String?
  /// `Layout` of that file; in older files the name of the format.
  public var layout: String
  /// The project's name -> the name in the source.
  public var mapping: [String: String]
  /// What the names in `mapping` begin with because of the file, not of the model: `Checkpoint.stateKey`.
  public var stateKey: String?
  /// Second names of the source's tensors, `LoadPlan.twins`.
  public var twins: [String: String]?
  /// What the source said of itself, `Checkpoint.metadata`.
  public var metadata: [String: String]?
  public var history: [Event]
  /// The source's layers in their order, where it said them: Keras' names and layers are kept for its own formats.
  public var layers: [SourceLayer]?

  /// A layer of the source.
  public struct SourceLayer: Sendable, Codable, Equatable {
    public var name: String
    /// Its class: `LSTM`, `Dropout`.
    public var kind: String
    /// What of the model it is: `embedding`, `layer0`, `head.0`, `mask`, `scaler`, `readout`; nil for what changes nothing.
    public var part: String?
    /// What it was made with: `rate`, `mask_value`.
    public var values: [String: Double]?

    public init(name: String, kind: String, part: String? = nil, values: [String: Double]? = nil) {
      self.name = name
      self.kind = kind
      self.part = part
      self.values = values
    }
  }

  /// The layout that the names in `mapping` belong to.
  public var knownLayout: Layout { Layout(rawValue: layout) ?? .pytorch }

  public init(
    source: String, sha256: String, format: String? = nil, layout: String, mapping: [String: String],
    stateKey: String? = nil, twins: [String: String]? = nil, metadata: [String: String]? = nil, history: [Event] = [],
    layers: [SourceLayer]? = nil
  ) {
    self.source = source
    self.sha256 = sha256
    self.format = format
    self.layout = layout
    self.mapping = mapping
    self.stateKey = stateKey
    self.twins = twins.flatMap { $0.isEmpty ? nil : $0 }
    self.metadata = metadata
    self.history = history
    self.layers = layers
  }
}
