import FileIO

/// The model that a file's tensors make, with the tensor of each place; what a `LoadPlan` checks and reports.
struct ResolvedModel {
  var configuration: ModelConfiguration
  /// The project's name -> the candidate.
  var mapping: [String: Candidate] = [:]
  var leftOver: [LeftOver] = []
  var notes: [Message] = []
  var assumed: [Assumption] = []
  /// The project's name of a parameter -> the name it would have in the file.
  var expectedNames: [String: String] = [:]
  /// False when the first layer's input weight is missing, so that only a user can tell.
  var knowsInputSize = true
  var conflicts: [TieConflict] = []

  /// Two places that a configuration calls one parameter, and whose values in the file differ.
  struct TieConflict {
    let place: String
    let other: String
  }
}
