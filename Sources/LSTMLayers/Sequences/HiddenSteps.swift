import LSTMCheckpoints

/// The steps of some sequences that a mask hides, wherever they lie.
///
/// An LSTM passes its state through a hidden step, so that what is left, moved together, gives the same states: the
/// outputs of a stack, its final state, and means over its steps.
public struct HiddenSteps: Sendable, Equatable {
  /// N and T.
  public let count: Int
  public let steps: Int
  /// Steps of each sequence that are read.
  public let lengths: [Int]
  /// (N, T): of each sequence the steps that are read, in order; then -1.
  private let places: [Int32]
  /// (N): steps before padding, hidden ones included.
  private let ends: [Int]

  /// - Parameters:
  ///   - lengths: steps of each sequence, or nil when all are full.
  ///   - isHidden: of a sequence and a step.
  /// - Returns: nil when no step is hidden.
  /// - Throws: `ShapeError` naming a sequence of which nothing is left.
  public init?(
    count: Int, steps: Int, lengths given: [Int]?, isHidden: (_ sequence: Int, _ step: Int) -> Bool
  ) throws(ShapeError) {
    var places = [Int32](repeating: -1, count: count * steps)
    var lengths = [Int](repeating: 0, count: count)
    var isAny = false
    for sequence in 0..<count {
      for step in 0..<(given?[sequence] ?? steps) {
        if isHidden(sequence, step) {
          isAny = true
        } else {
          places[sequence * steps + lengths[sequence]] = Int32(step)
          lengths[sequence] += 1
        }
      }
    }
    guard isAny else { return nil }
    if let empty = lengths.firstIndex(of: 0) {
      throw ShapeError(
        what: "sequence \(empty)", expected: "a step that the model's mask does not hide", found: "none")
    }
    (self.count, self.steps, self.lengths, self.places) = (count, steps, lengths, places)
    ends = given ?? [Int](repeating: steps, count: count)
  }

  /// Steps that are hidden, over all sequences.
  public var hiddenCount: Int { zip(ends, lengths).reduce(0) { $0 + $1.0 - $1.1 } }

  /// The step with which a sequence begins.
  public func first(_ sequence: Int) -> Int { Int(places[sequence * steps]) }

  /// Whether the steps that are read stand side by side.
  public func isRun(_ sequence: Int) -> Bool {
    let last = Int(places[sequence * steps + lengths[sequence] - 1])
    return last - first(sequence) + 1 == lengths[sequence]
  }

  /// (N, T, width) with what is read at the beginning of each sequence.
  public func moved<Value>(_ values: [Value], width: Int, filling: Value) -> [Value] {
    var result = [Value](repeating: filling, count: values.count)
    for sequence in 0..<count {
      for place in 0..<lengths[sequence] {
        let from = (sequence * steps + Int(places[sequence * steps + place])) * width
        let to = (sequence * steps + place) * width
        for column in 0..<width { result[to + column] = values[from + column] }
      }
    }
    return result
  }

  /// Outputs of steps that were moved together, (N, T, O), at their own places again; a hidden step has the output of
  /// the one before it, as Keras gives it.
  /// - Parameter isReverse: whether a layer runs in reverse, where a hidden step's output would be of two steps.
  /// - Throws: `ShapeError` when a hidden step has no step before it, or a layer runs in reverse.
  public func spread(_ output: Tensor, isReverse: Bool) throws(ShapeError) -> Tensor {
    let width = output.shape[2]
    var result = Tensor(shape: output.shape, values: [Float](repeating: 0, count: output.values.count))
    for sequence in 0..<count {
      var next = 0
      for step in 0..<ends[sequence] {
        if next < lengths[sequence], Int(places[sequence * steps + next]) == step {
          next += 1
        } else if isReverse || next == 0 {
          throw ShapeError(
            what: "sequence \(sequence)",
            expected: isReverse
              ? "no hidden step, where a layer runs in reverse and every step has an output"
              : "a step to read before the hidden ones, where every step has an output",
            found: "step \(step), which the model's mask hides")
        }
        let (from, to) = ((sequence * steps + next - 1) * width, (sequence * steps + step) * width)
        for column in 0..<width { result.values[to + column] = output.values[from + column] }
      }
    }
    return result
  }

  /// Refuses what a readout would make of hidden steps in another way: Keras takes the maximum over all of them, and what
  /// comes before the first step that is read is zero there.
  public func check(_ configuration: ModelConfiguration) throws(ShapeError) {
    guard configuration.readout == .max else { return }
    for sequence in 0..<count where first(sequence) > 0 || configuration.hasReverseLayers {
      throw ShapeError(
        what: "sequence \(sequence)", expected: "a step to read before the hidden ones, for a maximum over time",
        found: "one that the model's mask hides")
    }
  }
}

extension ModelConfiguration {
  package var hasReverseLayers: Bool { layers.contains(where: \.isBidirectional) }
}

extension SequenceBatch {
  /// What a mask hides of it; nil when nothing.
  func hidden(by mask: ModelConfiguration.Mask) throws(ShapeError) -> HiddenSteps? {
    let steps = self.steps
    switch (input, mask) {
    case (.tokens(let tokens), .token(let token)):
      return try HiddenSteps(count: count, steps: steps, lengths: lengths) { tokens[$0 * steps + $1] == token }
    case (.features(let values, let size), .value(let value)):
      return try HiddenSteps(count: count, steps: steps, lengths: lengths) { sequence, step in
        let first = (sequence * steps + step) * size
        return values[first..<first + size].allSatisfy { $0 == value }
      }
    case (.tokens, .value), (.features, .token): return nil
    }
  }

  /// The steps that are read, moved together.
  func moved(_ hidden: HiddenSteps) throws(ShapeError) -> SequenceBatch {
    let input: Input =
      switch input {
      case .tokens(let tokens): .tokens(hidden.moved(tokens, width: 1, filling: 0))
      case .features(let values, let size):
        .features(hidden.moved(values, width: size, filling: 0), size: size)
      }
    return try SequenceBatch(count: count, steps: steps, input: input, lengths: hidden.lengths)
  }

  /// The batch without the steps that a mask hides: what is left of each sequence, moved together.
  public func hiding(_ mask: ModelConfiguration.Mask?) throws(ShapeError) -> SequenceBatch {
    guard let mask, let hidden = try hidden(by: mask) else { return self }
    return try moved(hidden)
  }
}
