import FileIO

extension Checkpoint {
  /// The tensors as a file of names and arrays has them: in the layout asked for, else in `usual`.
  /// What was never imported is written as it is.
  func namedTensors(
    to path: String, options: WriteOptions, usual: Layout = .pytorch
  ) throws(CheckpointError) -> [NamedTensor] {
    guard configuration != nil else {
      return tensors.map { tensor in
        let typed = options.dataType.map { tensor.converted(to: $0) } ?? tensor
        return NamedTensor(name: tensor.name, tensor: typed, source: tensor.name)
      }
    }
    let model = try Exportable(self, to: path, options: options)
    let layout = options.layout ?? usual
    return layout == .pytorch ? try model.pyTorchTensors() : try NamedLayout.tensors(model, layout)
  }

  /// The layout that a file of names and arrays gets when none is asked for: the source's own where names tell it.
  var ownNamedLayout: Layout {
    guard let own = provenance?.knownLayout, LayoutRegistry.standard[own] != nil else { return .pytorch }
    return own
  }
}

extension Checkpoint {
  /// The name that a tensor of the model goes by in a state_dict.
  public func pyTorchName(of name: String) -> String {
    stateDictName(of: name, provenance: provenance, configuration: configuration)
  }
}

extension Checkpoint {
  func namedTensors(_ target: WriteTarget, usual: Layout = .pytorch) throws(CheckpointError) -> [NamedTensor] {
    try namedTensors(to: target.path, options: target.options, usual: usual)
  }

  func exportable(to target: WriteTarget) throws(CheckpointError) -> Exportable {
    try Exportable(self, to: target.path, options: target.options)
  }
}

extension Exportable {
  /// - Throws: `CheckpointError.refused` when there is no configuration or a tensor is missing.
  init(_ checkpoint: Checkpoint, to file: String, options: WriteOptions) throws(CheckpointError) {
    guard let configuration = checkpoint.configuration else {
      throw .cannotWrite(file: file, detail: "the model has no configuration: it was not imported")
    }
    try self.init(
      configuration, checkpoint.tensors, provenance: checkpoint.provenance,
      scalers: OwnScalers(checkpoint.preprocessing, checkpoint.provenance), to: file, options: options)
  }
}
