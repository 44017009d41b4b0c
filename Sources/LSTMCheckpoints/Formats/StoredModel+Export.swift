import FileIO

extension StoredModel {
  /// What a native file holds.
  /// - Throws: `CheckpointError.cannotWrite` when the file does not describe a model, as one that was never imported;
  ///   `.badPreprocessing` when its preprocessing cannot be read.
  public init(_ checkpoint: Checkpoint) throws(CheckpointError) {
    if let error = checkpoint.preprocessingError { throw error }
    guard let configuration = checkpoint.configuration else {
      throw .cannotWrite(file: checkpoint.path, detail: "the model has no configuration: it was not imported")
    }
    self.init(
      configuration, tensors: checkpoint.tensors, preprocessing: checkpoint.preprocessing,
      provenance: checkpoint.provenance)
    extras = checkpoint.extras
  }

  /// The tensors as a file of names and arrays has them: in the layout asked for, else in `usual`.
  func namedTensors(_ target: WriteTarget, usual: Layout) throws(CheckpointError) -> [NamedTensor] {
    let layout = target.options.layout ?? usual
    if layout == .pytorch, configuration.stack == nil {
      return try GraphExport(self, to: target.path, options: target.options).tensors()
    }
    let model = try Exportable(self, to: target.path, options: target.options)
    return layout == .pytorch ? try model.pyTorchTensors() : try NamedLayout.tensors(model, layout)
  }

  /// The layout that a file of names and arrays gets when none is asked for: the source's own where names tell it.
  var ownNamedLayout: Layout {
    guard let own = provenance?.knownLayout, LayoutRegistry.standard[own] != nil else { return .pytorch }
    return own
  }
}
