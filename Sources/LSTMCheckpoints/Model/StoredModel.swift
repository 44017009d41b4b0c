/// A whole model as it is written: its configuration, its parameters, and what belongs to them.
///
/// `LoadPlan.imported()` makes it of a file in any layout without reading a value, `LSTMModel.stored` of a model in memory.
public struct StoredModel: Sendable {
  /// The network's description.
  public var configuration: ModelConfiguration
  /// The parameters under the project's names; a tied one once.
  public var tensors: [StoredTensor]
  /// What is done to data before the model reads it.
  public var preprocessing: Preprocessing
  /// Where the weights come from.
  public var provenance: Provenance?
  /// What the native file keeps beside the model, such as the training state of a run.
  package var extras: [StoredTensor] = []

  /// - Parameter tensors: the parameters under the project's names, a tied one once.
  public init(
    _ configuration: ModelConfiguration, tensors: [StoredTensor], preprocessing: Preprocessing = Preprocessing(),
    provenance: Provenance? = nil
  ) {
    self.configuration = configuration
    self.tensors = tensors
    self.preprocessing = preprocessing
    self.provenance = provenance
  }

  /// A parameter by the project's name; nil when there is none, or it is another place of a tied one.
  public subscript(name: String) -> StoredTensor? { tensors.first { $0.name == name } }
}
