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
    case npz
    case npy
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
  /// What a native file holds besides the model, such as the training state of a run.
  public var extras: [StoredTensor] = []
  /// Where it was read from.
  public let path: String?
  public let format: Format
  /// Bytes of the file.
  public let byteCount: Int

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
  public init(path: String) throws {
    switch FileSignature(path: path) {
    case .zip: self = try Checkpoint(npz: path)
    case .npy: self = try Checkpoint(npy: path)
    case .hdf5, .other: self = try Checkpoint(hdf5: path)
    }
  }

  /// Writes atomically: the file is whole or was not touched.
  /// - Parameter format: `.native` or `.pytorchHDF5`, the names of which are those of the source when
  ///   `provenance` knows them.
  public func write(to url: URL, as format: Format = .native) throws { try write(path: url.path, as: format) }

  /// The same to a path.
  /// - Parameter sourceDigest: becomes `provenance.sha256` of the native file; it may still be being computed.
  public func write(path: String, as format: Format = .native, sourceDigest: FileDigest? = nil) throws {
    switch format {
    case .native: try writeNative(to: path, sourceDigest: sourceDigest)
    case .pytorchHDF5: try writePyTorchHDF5(to: path)
    case .npz, .npy:
      throw CheckpointError.cannotWrite(file: path, detail: "\(format.rawValue) is read only so far")
    }
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
  public var layout: String
  /// The project's name -> the name in the source.
  public var mapping: [String: String]
  public var history: [Event]

  public init(source: String, sha256: String, layout: String, mapping: [String: String], history: [Event] = []) {
    self.source = source
    self.sha256 = sha256
    self.layout = layout
    self.mapping = mapping
    self.history = history
  }
}
