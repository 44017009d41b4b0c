import FileIO

extension Translation {
  /// In the layout that the user names, else that of the container, else that of the names.
  /// - Throws: `CheckpointError.ambiguous` naming the flag that decides, when several layouts have these names.
  init(
    _ candidates: [Candidate], of checkpoint: Checkpoint, options: LoadOptions, file: String
  ) throws(CheckpointError) {
    if checkpoint.format.holdsWholeModel {
      self.init(.pytorch, candidates: candidates, evidence: ["lstm-ft wrote it"])
    } else if let structure = checkpoint.structure {
      self = try structure.translate(candidates, file: file, options: options)
    } else if let structure = FormatRegistry.standard.structure(
      of: candidates.map(\.tensor.name), layout: options.layout)
    {
      self = try structure.translate(candidates, file: file, options: options)
    } else if let gates = try GateNames.translate(candidates, file: file, options: options) {
      self = gates
    } else {
      self = try NamedLayout.translate(candidates, file: file, options: options)
    }
  }
}
