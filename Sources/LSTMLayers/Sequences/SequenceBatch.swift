/// Whether batch or time is the first axis of a tensor of sequences.
public enum SequenceOrder: String, Sendable {
  /// (N, T, I), or (T, N, I).
  case batchFirst, timeMajor
}

/// A model's input: sequences of features or tokens, of equal or different lengths.
public struct SequenceBatch: Sendable {
  /// The values of all sequences, padded to T steps, in C order.
  public enum Input: Sendable {
    /// (N, T, I)
    case features([Float], size: Int)
    /// (N, T)
    case tokens([Int32])
  }

  /// N, the number of sequences.
  public let count: Int
  /// T, padding included.
  public let steps: Int
  /// The features or tokens.
  public let input: Input
  /// The number of valid steps of each sequence (1 to T); nil if all have T. Padded steps are not computed and do not count.
  public let lengths: [Int]?
  /// What a mask hid, where the visible steps have been moved together; nil for nothing.
  package var hidden: HiddenSteps?

  /// Sequences of features from a tensor (N, T, I), or (T, N, I) with `order: .timeMajor`.
  /// - Throws: `ShapeError` when x does not have three axes or the lengths are invalid.
  public init(_ x: Tensor, order: SequenceOrder = .batchFirst, lengths: [Int]? = nil) throws(ShapeError) {
    guard x.shape.count == 3 else {
      throw ShapeError(
        what: "input", expected: order == .batchFirst ? "(N, T, I)" : "(T, N, I)", found: "\(x.shape)")
    }
    switch order {
    case .batchFirst:
      try self.init(
        count: x.shape[0], steps: x.shape[1], input: .features(x.values, size: x.shape[2]), lengths: lengths)
    case .timeMajor:
      let swapped = x.swappingFirstAxes()
      try self.init(
        count: x.shape[1], steps: x.shape[0], input: .features(swapped.values, size: x.shape[2]), lengths: lengths)
    }
  }

  /// Sequences of tokens, (N, T) in C order.
  /// - Throws: `ShapeError` when the sizes or the lengths are invalid.
  public init(tokens: [Int32], count: Int, steps: Int, lengths: [Int]? = nil) throws(ShapeError) {
    try self.init(count: count, steps: steps, input: .tokens(tokens), lengths: lengths)
  }

  /// N sequences of up to T steps.
  /// - Throws: `ShapeError` when the sizes or the lengths are invalid.
  public init(count: Int, steps: Int, input: Input, lengths: [Int]?) throws(ShapeError) {
    guard count > 0, steps > 0 else {
      throw ShapeError(what: "input", expected: "at least one sequence of one step", found: "\(count) of \(steps)")
    }
    let (elements, width) =
      switch input {
      case .features(let values, let size): (values.count, size)
      case .tokens(let values): (values.count, 1)
      }
    guard elements == count * steps * width else {
      throw ShapeError(what: "input", expected: "\(count * steps * width) values", found: "\(elements)")
    }
    if let lengths {
      guard lengths.count == count, lengths.allSatisfy({ 1...steps ~= $0 }) else {
        throw ShapeError(
          what: "lengths", expected: "\(count) numbers from 1 to \(steps)", found: "\(lengths.prefix(8))")
      }
    }
    self.count = count
    self.steps = steps
    self.input = input
    self.lengths = lengths
  }
}
