import FileIO
import Foundation

/// The tensors of a file by name, and what the file says about them. Nothing is read until a tensor's bytes are
/// asked for.
///
///     let checkpoint = try Checkpoint(contentsOf: url)
///     for tensor in checkpoint.tensors { print(tensor.name, tensor.shape, tensor.dataType) }
public struct Checkpoint: Sendable {
  /// What kind of file it was read from. Those that are known are in `FormatRegistry`.
  public struct Format: Sendable, Hashable {
    /// What it is called at the command line and in a model's provenance.
    public let rawValue: String

    init(_ identifier: String) { rawValue = identifier }
  }

  /// Something in the file that is not a tensor of numbers.
  public struct Skipped: Sendable, Equatable {
    public let name: String
    public let reason: String
  }

  /// In the file's order.
  public var tensors: [StoredTensor]
  public var configuration: ModelConfiguration?
  /// Scalers, vocabulary, window: what is done to data before the model reads it.
  public var preprocessing: Preprocessing
  /// Why the file's preprocessing cannot be read: `LoadPlan` throws it.
  package var preprocessingError: CheckpointError?
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
  var assumed: [Assumption] = []
  /// Where it was read from.
  public let path: String?
  public internal(set) var format: Format
  /// Whether the file has its tensors in the order in which the model names its parts. HDF5 and safetensors sort them.
  var keepsOrder = false
  /// The program that wrote the file, when it is known for storing columns first.
  var columnMajorWriter: String?
  /// What the file says about its model beside the tensors, when it does.
  var structure: (any ModelStructure)?
  /// Bytes of the file.
  public internal(set) var byteCount: Int

  public init(
    tensors: [StoredTensor], configuration: ModelConfiguration? = nil, preprocessing: Preprocessing = Preprocessing(),
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
}

extension Checkpoint {
  /// What a native file carries of the source's metadata: what is long is none of the model's.
  public var ownMetadata: [String: String]? {
    if format == .native { return provenance?.metadata }
    let byteCount = metadata.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    return metadata.isEmpty || byteCount > 16 << 10 ? nil : metadata
  }
}
