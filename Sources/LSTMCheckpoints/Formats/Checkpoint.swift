import FileIO

/// An opened file: its tensors by name, and what it says of them. Nothing is read until a tensor's bytes are asked for.
///
///     let checkpoint = try Checkpoint(path: "weights.pt")
///     for tensor in checkpoint.tensors { print(tensor.name, tensor.shape, tensor.dataType) }
///
/// ``LoadPlan`` brings the tensors under the project's names; a ``StoredModel`` is what is written.
public struct Checkpoint: Sendable {
  /// What kind of file it is. Those that are known are in `FormatRegistry`.
  public struct Format: Sendable, Hashable {
    /// What it is called at the command line and in a model's provenance.
    public let rawValue: String

    init(_ identifier: String) { rawValue = identifier }
  }

  /// Something in the file that is not a tensor of numbers.
  public struct Skipped: Sendable, Equatable {
    /// What it is called in the file.
    public let name: String
    /// Why it was not read.
    public let reason: String
    /// What kind of reason it is.
    public let cause: Cause

    /// Why something was not read.
    public enum Cause: Sendable, Equatable {
      /// It is no tensor that a model computes with.
      case otherType
      /// It is damaged, or stored in a way that is not read: it may be a tensor all the same.
      case unreadable
      /// It is stored in a way that only libhdf5 reads.
      case needsLibrary
      /// It is only a name for something that is not in the file.
      case absent
    }

    /// The reason, and what would help.
    var explanation: Message {
      cause == .needsLibrary ? "\(reason); \(.hdf5Reader, "libhdf5") reads it" : Message(reason)
    }

    init(name: String, reason: String, cause: Cause = .otherType) {
      self.name = name
      self.reason = reason
      self.cause = cause
    }
  }

  /// Where it was read from.
  public let path: String
  /// What kind of file it is.
  public internal(set) var format: Format
  /// Bytes of the file.
  public internal(set) var byteCount: Int
  /// In the file's order.
  public internal(set) var tensors: [StoredTensor]
  /// The network's description, where the file holds one.
  public internal(set) var configuration: ModelConfiguration?
  /// What is done to data before the model reads it, where the file says so.
  public internal(set) var preprocessing: Preprocessing
  /// Why the file's preprocessing cannot be read; who makes a model of it gets the error.
  package internal(set) var preprocessingError: CheckpointError?
  /// Where its weights came from, where the file says so.
  public internal(set) var provenance: Provenance?
  /// What was not read.
  public internal(set) var skipped: [Skipped]
  /// The names of tensors that are one in the file, in groups.
  public internal(set) var sharing: [[String]] = []
  /// What lies beside the model, such as the training state of a run.
  package internal(set) var extras: [StoredTensor] = []
  /// Whether the file keeps a checksum of each tensor, with which its bytes are compared whenever they are read.
  public internal(set) var hasChecksums = false
  /// What the file says of itself in plain texts: the `__metadata__` of safetensors.
  public internal(set) var metadata: [String: String] = [:]
  /// The keys of a pickled file, joined by dots, that its one state_dict was found under: `model_state`. Tensors' names begin
  /// with them.
  public internal(set) var stateKey: String?
  /// Scalers that lie beside the tensors, which a file of Python objects may hold.
  public internal(set) var foundScalers: [FoundScaler] = []
  /// What was decided while the file was read, for the report.
  var notes: [Message] = []
  /// What was assumed then.
  var assumed: [Assumption] = []
  /// Whether the file has its tensors in the order in which the model names its parts. HDF5 and safetensors sort them.
  var keepsOrder = false
  /// The program that wrote the file, when it is known for storing columns first.
  var columnMajorWriter: String?
  /// What the file says about its model beside the tensors, when it does.
  var structure: (any ModelStructure)?

  package init(
    tensors: [StoredTensor], configuration: ModelConfiguration? = nil, preprocessing: Preprocessing = Preprocessing(),
    provenance: Provenance? = nil, skipped: [Skipped] = [], path: String, format: Format, byteCount: Int = 0
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

  /// The tensor of a name in the file; nil when there is none.
  public subscript(name: String) -> StoredTensor? { tensors.first { $0.name == name } }

  /// The most bytes of a tensor's name: comparing names of megabytes would take minutes.
  private static let nameLimit = 4096

  /// What has a longer name is no tensor of a model's.
  func withoutLongNames() -> Checkpoint {
    let isLong = { (tensor: StoredTensor) in tensor.name.utf8.count > Self.nameLimit }
    guard tensors.contains(where: isLong) else { return self }
    var result = self
    result.skipped += tensors.filter(isLong).map {
      .init(name: printable($0.name, limit: 80), reason: "its name has \($0.name.utf8.count) bytes")
    }
    result.tensors.removeAll(where: isLong)
    return result
  }

  /// Without tensors that hold nothing in a shape beyond any memory, (0, 2^62): sizes are multiplied wherever a model is understood.
  func withoutEndlessShapes() -> Checkpoint {
    let isEndless = { (tensor: StoredTensor) in
      guard let count = elementCount(tensor.shape.map { max($0, 1) }) else { return true }
      return count > 1 << 52
    }
    guard tensors.contains(where: isEndless) else { return self }
    var result = self
    result.skipped += tensors.filter(isEndless).map {
      .init(name: $0.name, reason: "its shape \(shapeText($0.shape)) is beyond any memory", cause: .unreadable)
    }
    result.tensors.removeAll(where: isEndless)
    return result
  }

  /// Throws if something in the file is there but cannot be read.
  /// - Parameter names: what is looked at; nil for everything.
  package func requireReadable(_ names: Set<String>? = nil) throws(CheckpointError) {
    for item in skipped where item.cause != .otherType && names?.contains(item.name) ?? true {
      throw .corrupt(tensor: item.name, detail: item.explanation)
    }
  }
}
