/// Where a model comes from and what was done to it. Stored as JSON in the native file.
public struct Provenance: Sendable, Codable, Equatable {
  /// Something that was done to the model.
  public struct Event: Sendable, Codable, Equatable {
    /// ISO 8601.
    public var date: String
    /// `import`, `finetune`, ...
    public var action: String
    /// With what: file, epochs, ...
    public var details: [String: String]

    /// - Parameter date: ISO 8601.
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
  /// The shapes of the source's tensors in `mapping` whose shape is another than the parameter's.
  public var shapes: [String: [Int]]?
  /// Second names of the source's tensors, `LoadPlan.twins`.
  public var twins: [String: String]?
  /// What the source said of itself, `Checkpoint.metadata`.
  public var metadata: [String: String]?
  /// What was done to the model, the oldest first.
  public var history: [Event]
  /// The source's layers in their order, where it said them: Keras' names and layers are kept for its own formats.
  public var layers: [SourceLayer]?

  /// How a program carries the source's states from call to call.
  public var interface: Interface?

  /// A layer of the source.
  public struct SourceLayer: Sendable, Codable, Equatable {
    /// What the source calls it.
    public var name: String
    /// Its class: `LSTM`, `Dropout`.
    public var kind: String
    /// What of the model it is: `embedding`, `layer0`, `head.0`, `mask`, `scaler`, `readout`; nil for what changes nothing.
    public var part: String?
    /// What it was made with: `rate`, `mask_value`.
    public var values: [String: Double]?
    /// What it holds that is no parameter: `mean`, `variance` and `count` of Keras' Normalization.
    public var lists: [String: [Double]]?
  }

  /// What is not given is not known.
  public init(
    source: String, sha256: String, format: String? = nil, layout: String, mapping: [String: String],
    stateKey: String? = nil, twins: [String: String]? = nil, metadata: [String: String]? = nil, history: [Event] = [],
    layers: [SourceLayer]? = nil, shapes: [String: [Int]]? = nil,
    interface: Interface? = nil
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
    self.shapes = shapes
    self.interface = interface
  }
}
