/// Layouts that are known by the names of their tensors, whatever file these are in.
enum NamedLayout {
  static func translate(
    _ candidates: [Translation.Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation {
    Translation(pytorch: candidates, evidence: ["names like weight_ih_l0"])
  }
}
