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
    let clocks = configuration.outputValues.map(\.clock)
    if clocks.first == LayerValue.everyStep, hasTargetPerStep { result.targetSteps = targetSteps ?? steps }
    for place in otherTargets.indices where clocks[place + 1] == LayerValue.everyStep {
      result.otherTargets[place].steps = otherTargets[place].steps ?? steps
    }
    if let hidden = try result.hidden(by: mask) {
      try hidden.check(configuration)
      result = try result.moved(hidden)
    }
    result.isMaskSettled = true
    return result
  }

  /// Steps that a mask hid.
  public var hiddenCount: Int { hiddenSteps?.hiddenCount ?? 0 }

  /// The row at which each example of the arrays begins.
  private var allStarts: [Int] {
    switch inputs {
    case .windows(_, _, let starts, _), .tokenWindows(_, let starts, _): starts
    case .features(let values, let steps, let size): Array(stride(from: 0, to: values.count / size, by: steps))
    case .tokens(let tokens, let steps): Array(stride(from: 0, to: tokens.count, by: steps))
    }
  }

  private func hidden(by mask: ModelConfiguration.Mask) throws(ShapeError) -> HiddenSteps? {
    // Rows are looked at once, however many windows they are in.
    let isHidden: [Bool]
    switch (inputs, mask) {
    case (.tokens(let tokens, _), .token(let token)), (.tokenWindows(let tokens, _, _), .token(let token)):
      isHidden = tokens.map { $0 == token }
    case (.features(let rows, _, let size), .value(let value)), (.windows(let rows, let size, _, _), .value(let value)):
      isHidden = (0..<rows.count / size).map { row in
        rows[row * size..<(row + 1) * size].allSatisfy { $0 == value }
      }
    case (.tokens, .value), (.tokenWindows, .value), (.features, .token), (.windows, .token): return nil
    }
    let starts = allStarts
    return try HiddenSteps(count: starts.count, steps: steps, lengths: lengths) { isHidden[starts[$0] + $1] }
  }

  private func moved(_ hidden: HiddenSteps) throws(ShapeError) -> SequenceData {
    let starts = allStarts
    let made: Inputs
    switch inputs {
    case .features(let rows, let steps, let size), .windows(let rows, let size, _, let steps):
      let whole = starts.flatMap { rows[$0 * size..<($0 + steps) * size] }
      made = .features(hidden.moved(whole, width: size, filling: 0), steps: steps, size: size)
    case .tokens(let tokens, let steps), .tokenWindows(let tokens, _, let steps):
      if case .tokenWindows = inputs, let later = Self.later(starts, hidden, limit: tokens.count - steps) {
        made = .tokenWindows(tokens: tokens, starts: later, steps: steps)
      } else {
        let whole = starts.flatMap { tokens[$0..<$0 + steps] }
        made = .tokens(hidden.moved(whole, width: 1, filling: 0), steps: steps)
      }
    }
    func moved(_ targets: Targets) -> Targets {
      switch targets {
      case .values(let values, let size, true):
        .values(hidden.moved(values, width: size, filling: 0), size: size, perStep: true)
      case .classes(let classes, true):
        .classes(hidden.moved(classes, width: 1, filling: Self.ignored), perStep: true)
      case .values(_, _, false), .classes(_, false), .labels, .none: targets
      }
    }
    var otherTargets = otherTargets
    for place in otherTargets.indices where otherTargets[place].steps == nil {
      otherTargets[place].targets = moved(otherTargets[place].targets)
    }
    var result = try SequenceData(
      inputs: made, targets: targetSteps == nil ? moved(targets) : targets, lengths: hidden.lengths,
      targetSteps: targetSteps, others: others, otherTargets: otherTargets
    ).selecting(places)
    (result.classCount, result.isText, result.seasonalScale) = (classCount, isText, seasonalScale)
    result.hiddenSteps = hidden
    return result
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
