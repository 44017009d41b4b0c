/// The scores of a linear chain of K tags: a sequence of tags y has the score
///
///     start[y_0] + e_0[y_0] + sum over t > 0 of (transitions[y_t-1][y_t] + e_t[y_t]) + end[y_T-1]
///
/// where e_t are the scores of step t. Valid until the weights change.
package struct TagChain {
  /// K
  package let size: Int
  /// (K, K), from the row's tag to the column's.
  package let transitions: UnsafePointer<Float>
  /// (K); nil for zeros.
  package let start: UnsafePointer<Float>?
  /// (K); nil for zeros.
  package let end: UnsafePointer<Float>?

  package init(
    size: Int, transitions: UnsafePointer<Float>, start: UnsafePointer<Float>? = nil, end: UnsafePointer<Float>? = nil
  ) {
    self.size = size
    self.transitions = transitions
    self.start = start
    self.end = end
  }

  /// Where the gradient of the chain's scores belongs, in the same shapes.
  package struct Gradient {
    package let transitions: UnsafeMutablePointer<Float>
    package let start: UnsafeMutablePointer<Float>?
    package let end: UnsafeMutablePointer<Float>?

    package init(
      transitions: UnsafeMutablePointer<Float>, start: UnsafeMutablePointer<Float>?, end: UnsafeMutablePointer<Float>?
    ) {
      self.transitions = transitions
      self.start = start
      self.end = end
    }
  }
}

/// Which rows of a pass's output are which sequence's, longest first.
package struct OutputSequences {
  let shape: PackedShape

  /// Sequences in the batch.
  package var count: Int { shape.count }
  /// Steps of a sequence.
  package func length(_ sequence: Int) -> Int { shape.lengths[sequence] }
  /// The row of a step.
  package func row(_ sequence: Int, _ step: Int) -> Int { shape.offsets[step] + sequence }
  /// Its number in the batch.
  package func place(_ sequence: Int) -> Int { shape.order[sequence] }
}
