/// Sequences in the caller's memory, from which a network gathers its rows. Valid as long as its pointers.
package struct SequenceRows {
  /// Features or tokens.
  package enum Values {
    /// Contiguous rows of `width` values.
    case features(UnsafePointer<Float>, width: Int)
    case tokens(UnsafePointer<Int32>)
  }

  /// The rows.
  package var values: Values
  /// N
  package var count: Int
  /// T: no sequence is longer.
  package var steps: Int
  /// The row of each sequence's first step; its other steps follow.
  package var starts: UnsafePointer<Int>
  /// The number of valid steps of each sequence (1 to T); nil if all have T.
  package var lengths: UnsafePointer<Int>?
  /// What a mask hid, for layers that read every step; nil if nothing is hidden.
  package var hidden: HiddenSteps?
  /// The place of each sequence in `hidden`; nil where they are the same.
  package var hiddenPlaces: UnsafePointer<Int>?

  /// - Parameter lengths: nil if all sequences have T steps.
  package init(
    _ values: Values, count: Int, steps: Int, starts: UnsafePointer<Int>, lengths: UnsafePointer<Int>? = nil
  ) {
    self.values = values
    self.count = count
    self.steps = steps
    self.starts = starts
    self.lengths = lengths
  }
}

extension SequenceBatch {
  /// Calls `body` with the batch as rows in memory.
  func withRows<Result>(
    _ body: (SequenceRows) throws(ShapeError) -> Result
  ) throws(ShapeError) -> Result {
    let starts = (0..<count).map { $0 * steps }
    func lend(_ values: SequenceRows.Values) throws(ShapeError) -> Result {
      try starts.withUnsafeBufferPointer { starts throws(ShapeError) in
        guard let first = starts.baseAddress else { throw .nothing }
        guard let lengths else { return try body(SequenceRows(values, count: count, steps: steps, starts: first)) }
        return try lengths.withUnsafeBufferPointer { lengths throws(ShapeError) in
          var rows = SequenceRows(values, count: count, steps: steps, starts: first, lengths: lengths.baseAddress)
          rows.hidden = hidden
          return try body(rows)
        }
      }
    }
    switch input {
    case .features(let values, let size):
      return try values.withUnsafeBufferPointer { values throws(ShapeError) in
        guard let base = values.baseAddress else { throw .nothing }
        return try lend(.features(base, width: size))
      }
    case .tokens(let tokens):
      return try tokens.withUnsafeBufferPointer { tokens throws(ShapeError) in
        guard let base = tokens.baseAddress else { throw .nothing }
        return try lend(.tokens(base))
      }
    }
  }
}

extension ShapeError {
  fileprivate static let nothing = ShapeError(
    what: "input", expected: "at least one sequence of one step", found: "nothing")
}
