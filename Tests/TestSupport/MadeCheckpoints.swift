import LSTMCheckpoints

extension Checkpoint {
  /// As if a file with these tensors had been opened.
  public init(
    tensors: [StoredTensor], configuration: ModelConfiguration? = nil, preprocessing: Preprocessing = Preprocessing(),
    provenance: Provenance? = nil, path: String = "checkpoint", format: Format = .native
  ) {
    self.init(
      tensors: tensors, configuration: configuration, preprocessing: preprocessing, provenance: provenance,
      skipped: [], path: path, format: format)
  }

  /// As if a native file with this model had been opened.
  public init(_ model: StoredModel) {
    self.init(
      tensors: model.tensors, configuration: model.configuration, preprocessing: model.preprocessing,
      provenance: model.provenance)
  }
}
