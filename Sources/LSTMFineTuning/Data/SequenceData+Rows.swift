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
    switch inputs {
    case .windows(let values, let size, _, _), .features(let values, _, let size):
      return try values.withUnsafeBufferPointer { values throws(ShapeError) in
        guard let base = values.baseAddress else { throw Self.empty }
        return try body(.features(base, width: size))
      }
    case .tokens(let tokens, _), .tokenWindows(let tokens, _, _):
      return try tokens.withUnsafeBufferPointer { tokens throws(ShapeError) in
        guard let base = tokens.baseAddress else { throw Self.empty }
        return try body(.tokens(base))
      }
    }
  }

  private static var empty: ShapeError {
    ShapeError(what: "input", expected: "at least one sequence of one step", found: "nothing")
  }

  /// The input row at which an example of this selection begins.
  // For each example of a step, which may be as short as the call.
  @inline(__always)
  func inputRow(_ example: Int) -> Int {
    switch inputs {
    case .windows(_, _, let starts, _), .tokenWindows(_, let starts, _): starts[places[example]]
    default: places[example] * steps
    }
  }

  /// The target row at which an example begins.
  func targetRow(_ example: Int) -> Int {
    if case .labels(_, let width) = targets { return places[example] * width }
    return places[example] * (hasTargetPerStep ? steps : 1)
  }

  var hasTargetPerStep: Bool {
    switch targets {
    case .values(_, _, let perStep), .classes(_, let perStep): perStep
    case .labels, .none: false
    }
  }

  var hasOwnScalers: Bool { groupScalers != nil }

  func targetScaler(_ example: Int) -> Scaler? {
    guard let groupScalers, let groups else { return groupScalers?.first?.targets }
    return groupScalers[Int(groups[places[example]])].targets
  }

  /// Valid steps of an example.
  func length(_ example: Int) -> Int { lengths?[places[example]] ?? steps }
}
