import LSTMCheckpoints

extension SequenceBatch {
  /// The steps that a mask hides; nil if there are none.
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

  /// The batch of the visible steps, moved together.
  func moved(_ hidden: HiddenSteps) throws(ShapeError) -> SequenceBatch {
    let input: Input =
      switch input {
      case .tokens(let tokens): .tokens(hidden.moved(tokens, width: 1, filling: 0))
      case .features(let values, let size):
        .features(hidden.moved(values, width: size, filling: 0), size: size)
      }
    var batch = try SequenceBatch(count: count, steps: steps, input: input, lengths: hidden.lengths)
    batch.hidden = hidden
    return batch
  }

  /// The batch without the steps that a mask hides; the visible steps of each sequence are moved together.
  package func hiding(_ mask: ModelConfiguration.Mask?) throws(ShapeError) -> SequenceBatch {
    guard let mask, let hidden = try hidden(by: mask) else { return self }
    return try moved(hidden)
  }
}
