import LSTMCheckpoints
import LSTMLayers

/// Examples as the training loop reads them, where they lie in memory: independent sequences, or the pieces that streams
/// are cut into.
protocol ExampleRows {
  var count: Int { get }
  /// T: no example is longer.
  var steps: Int { get }
  /// Valid steps over all examples.
  var stepCount: Int { get }
  var hasLengths: Bool { get }
  var hasTargetPerStep: Bool { get }
  /// Of the whole.
  var targets: SequenceData.Targets { get }
  /// Whether the targets are the tokens of a text.
  var isText: Bool { get }
  /// For each target column, the naive forecast's error that MASE divides by; nil where there is none.
  var seasonalScale: [Double]? { get }
  /// Steps of the targets of each example, where they are not those of the inputs.
  var targetSteps: Int? { get }
  /// What the model's further inputs read, and its further outputs should give.
  var others: [SequenceData.NamedInput] { get }
  var otherTargets: [SequenceData.NamedTargets] { get }
  /// Sequences or streams, as metrics count them.
  var sequenceCount: Int { get }

  /// What a mask hid of the sequences, by the place of an example among all; nil for nothing.
  var hiddenSteps: HiddenSteps? { get }

  /// The input row and the target row at which an example begins.
  func inputRow(_ example: Int) -> Int
  func targetRow(_ example: Int) -> Int
  /// The place of an example among all, for further inputs and targets.
  func place(_ example: Int) -> Int
  /// Valid steps of an example.
  func length(_ example: Int) -> Int

  /// What takes an example's targets to the data's own units, where not all have the same; else nil.
  func targetScaler(_ example: Int) -> Scaler?
  var hasOwnScalers: Bool { get }

  /// Runs of examples that are taken together, of `size` at most where they may be split at will.
  func batches(of size: Int) -> [Range<Int>]

  /// Zero states to carry through the batches, in their order; nil where every example begins at zero.
  /// - Throws: `ShapeError` when the model can carry none.
  func makeCarriedState(_ configuration: ModelConfiguration) throws(ShapeError) -> CarriedState?

  /// The stream whose state an example begins with and the one whose state it leaves; -1 for zero and for none.
  func streams(_ example: Int) -> (from: Int, to: Int)

  /// Lends all inputs as rows: a row for each step.
  func withInputRows<Result>(
    _ body: (SequenceRows.Values) throws(ShapeError) -> Result
  ) throws(ShapeError) -> Result
}

extension ExampleRows {
  /// Streams have one input and one output.
  var others: [SequenceData.NamedInput] { [] }
  var otherTargets: [SequenceData.NamedTargets] { [] }
  var targetSteps: Int? { nil }
  var hiddenSteps: HiddenSteps? { nil }
  func place(_ example: Int) -> Int { example }

  /// Rows of the targets of each example.
  var targetRowCount: Int { hasTargetPerStep ? targetSteps ?? steps : 1 }
  /// Those of an example that count.
  func targetLength(_ example: Int) -> Int { hasTargetPerStep ? targetSteps ?? length(example) : 1 }

  func targetScaler(_ example: Int) -> Scaler? { nil }
  var hasOwnScalers: Bool { false }
}
