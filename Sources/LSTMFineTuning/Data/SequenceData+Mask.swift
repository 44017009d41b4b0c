import LSTMCheckpoints
import LSTMLayers

extension SequenceData {
  /// The data without the steps that a model's mask hides, as Keras computes it: wherever they lie they are no steps, and
  /// count neither as inputs nor as targets.
  ///
  /// It is to come before a scaler, which would change the values that are looked for. A second time it does nothing.
  /// - Throws: `ShapeError` when nothing is left of a sequence, or the readout would see the hidden steps.
  public func hiding(_ mask: ModelConfiguration.Mask?, for configuration: ModelConfiguration) throws(ShapeError)
    -> SequenceData
  {
    guard let mask, !isMaskSettled else { return self }
    var result = self
    if let hidden = try hidden(by: mask) {
      try hidden.check(configuration)
      result = try moved(hidden)
    }
    result.isMaskSettled = true
    return result
  }

  /// Steps that a mask hid.
  public var hiddenCount: Int { hiddenSteps?.hiddenCount ?? 0 }

  private func hidden(by mask: ModelConfiguration.Mask) throws(ShapeError) -> HiddenSteps? {
    let steps = self.steps
    switch (inputs, mask) {
    case (.tokens(let tokens, _), .token(let token)):
      return try HiddenSteps(count: tokens.count / steps, steps: steps, lengths: lengths) {
        tokens[$0 * steps + $1] == token
      }
    case (.tokenWindows(let tokens, let starts, _), .token(let token)):
      return try HiddenSteps(count: starts.count, steps: steps, lengths: lengths) { tokens[starts[$0] + $1] == token }
    case (.features(let values, _, let size), .value(let value)):
      return try HiddenSteps(count: values.count / (steps * size), steps: steps, lengths: lengths) { sequence, step in
        let first = (sequence * steps + step) * size
        return values[first..<first + size].allSatisfy { $0 == value }
      }
    case (.windows(let rows, let size, let starts, _), .value(let value)):
      // Rows are looked at once, however many windows they are in.
      let isHidden = (0..<rows.count / size).map { row in
        rows[row * size..<(row + 1) * size].allSatisfy { $0 == value }
      }
      return try HiddenSteps(count: starts.count, steps: steps, lengths: lengths) { isHidden[starts[$0] + $1] }
    case (.tokens, .value), (.tokenWindows, .value), (.features, .token), (.windows, .token): return nil
    }
  }

  private func moved(_ hidden: HiddenSteps) throws(ShapeError) -> SequenceData {
    let inputs: Inputs
    switch self.inputs {
    case .tokens(let tokens, let steps): inputs = .tokens(hidden.moved(tokens, width: 1, filling: 0), steps: steps)
    case .features(let values, let steps, let size):
      inputs = .features(hidden.moved(values, width: size, filling: 0), steps: steps, size: size)
    case .tokenWindows(let tokens, let starts, let steps):
      if let later = Self.later(starts, hidden, limit: tokens.count - steps) {
        inputs = .tokenWindows(tokens: tokens, starts: later, steps: steps)
      } else {
        let whole = starts.flatMap { tokens[$0..<$0 + steps] }
        inputs = .tokens(hidden.moved(whole, width: 1, filling: 0), steps: steps)
      }
    case .windows(let rows, let size, let starts, let steps):
      let whole = starts.flatMap { rows[$0 * size..<($0 + steps) * size] }
      inputs = .features(hidden.moved(whole, width: size, filling: 0), steps: steps, size: size)
    }
    let targets: Targets =
      switch self.targets {
      case .values(let values, let size, true):
        .values(hidden.moved(values, width: size, filling: 0), size: size, perStep: true)
      case .classes(let classes, true):
        .classes(hidden.moved(classes, width: 1, filling: Self.ignored), perStep: true)
      case .values(_, _, false), .classes(_, false), .none: self.targets
      }
    var made = try SequenceData(inputs: inputs, targets: targets, lengths: hidden.lengths).selecting(places)
    (made.classCount, made.isText, made.seasonalScale) = (classCount, isText, seasonalScale)
    made.hiddenSteps = hidden
    return made
  }

  /// Windows that begin after what is hidden, where that is all; texts are padded so.
  private static func later(_ starts: [Int], _ hidden: HiddenSteps, limit: Int) -> [Int]? {
    var later = starts
    for sequence in starts.indices {
      later[sequence] += hidden.first(sequence)
      guard hidden.isRun(sequence), later[sequence] <= limit else { return nil }
    }
    return later
  }
}

extension StreamData {
  /// The same streams, refused when they have hidden steps: a state is carried through them row by row.
  func requiringVisible(_ mask: ModelConfiguration.Mask?) throws(ShapeError) -> StreamData {
    guard let mask else { return self }
    var plain = ModelConfiguration(input: .features(size: 1), layers: [.init(hiddenSize: 1)])
    plain.mask = mask
    guard try sequences.hiding(mask, for: plain).hiddenCount == 0 else {
      throw ShapeError(
        what: "streams", expected: "no step that the model's mask hides (\(mask.summary))", found: "some")
    }
    return settlingMask()
  }
}
