import LSTMCheckpoints
import LSTMLayers

/// Examples where they lie in memory, so that batches are gathered without arrays in between.
extension SequenceData: ExampleRows {
  var hasLengths: Bool { lengths != nil }

  var sequenceCount: Int { count }

  func batches(of size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<$0 + min(size, count - $0) }
  }

  /// Every example begins at zero.
  func makeCarriedState(_ configuration: ModelConfiguration) throws(ShapeError) -> CarriedState? { nil }

  func streams(_ example: Int) -> (from: Int, to: Int) { (-1, -1) }

  /// Lends all inputs as rows: a row for each step.
  func withInputRows<Result>(
    _ body: (SequenceRows.Values) throws(ShapeError) -> Result
  ) throws(ShapeError) -> Result {
    try inputs.withRows(body)
  }

  /// The input row at which an example of this selection begins.
  // For each example of a step, which may be as short as the call.
  @inline(__always)
  func inputRow(_ example: Int) -> Int {
    inputs.row(places[example])
  }

  /// The target row at which an example begins.
  func targetRow(_ example: Int) -> Int {
    targets.row(places[example], steps: targetSteps ?? steps)
  }

  var hasTargetPerStep: Bool { targets.isPerStep }

  var hasOwnScalers: Bool { groupScalers != nil }

  func targetScaler(_ example: Int) -> Scaler? {
    guard let groupScalers, let groups else { return groupScalers?.first?.targets }
    return groupScalers[Int(groups[places[example]])].targets
  }

  func place(_ example: Int) -> Int { places[example] }

  /// Valid steps of an example.
  func length(_ example: Int) -> Int { lengths?[places[example]] ?? steps }
}
