import LSTMCheckpoints

extension SequenceData {
  /// Fits a scaler of the inputs on this selection; nil for tokens. Rows that several windows share count once, and
  /// padding does not count.
  public func fitInputScaler() -> Scaler? {
    switch inputs {
    case .windows(let rows, let size, let starts, let steps):
      var end = 0
      var covered: [Range<Int>] = []
      let lengths = self.lengths
      for (start, length) in places.map({ (starts[$0], lengths?[$0] ?? steps) }).sorted(by: <) {
        let range = max(start, end)..<max(start + length, end)
        if !range.isEmpty { covered.append(range) }
        end = range.upperBound
      }
      return Scaler(fitting: rows, columns: size, rows: covered.joined())
    case .features(let values, _, let size):
      return Scaler(fitting: values, columns: size, rows: validSteps)
    case .tokens, .tokenWindows:
      return nil
    }
  }

  /// Fits a scaler of real-valued targets on this selection; nil for classes.
  public func fitTargetScaler() -> Scaler? {
    guard case .values(let values, let size, let perStep) = targets else { return nil }
    if perStep, let targetSteps {
      return Scaler(
        fitting: values, columns: size,
        rows: places.lazy.map { $0 * targetSteps..<($0 + 1) * targetSteps }.joined())
    }
    return perStep
      ? Scaler(fitting: values, columns: size, rows: validSteps) : Scaler(fitting: values, columns: size, rows: places)
  }

  /// Fits scalers of the further inputs and targets on this selection, by name: of numbers, not of tokens and classes.
  public func fitNamedScalers() -> [String: Scaler] {
    var found: [String: Scaler] = [:]
    for other in others where !other.isShiftedTargets {
      guard let (values, size) = other.values.numbers else { continue }
      let rows = places.lazy.map { other.values.row($0)..<other.values.row($0) + other.steps }
      found[other.name] = Scaler(fitting: values, columns: size, rows: Set(rows.joined()).sorted())
    }
    for other in otherTargets {
      guard case .values(let values, let size, let isPerStep) = other.targets else { continue }
      let count = isPerStep ? other.steps ?? steps : 1
      let rows = places.lazy.map { place in
        place * count..<place * count + (isPerStep && other.steps == nil ? lengths?[place] ?? count : count)
      }
      found[other.name] = Scaler(fitting: values, columns: size, rows: Array(rows.joined()))
    }
    return found
  }

  /// The valid steps of this selection, as places in arrays (N, T).
  private var validSteps: some Sequence<Int> {
    let (steps, lengths) = (self.steps, self.lengths)
    return places.lazy.map { $0 * steps..<$0 * steps + (lengths?[$0] ?? steps) }.joined()
  }

  /// The same examples with standardized inputs and targets. A scaler of fewer columns than the targets have is
  /// repeated: a horizon of several rows has one entry per target column.
  /// - Parameter named: scalers of further inputs and targets, by name.
  public func scaled(
    inputs inputScaler: Scaler?, targets targetScaler: Scaler?, named: [String: Scaler]? = nil
  ) -> SequenceData {
    var result = self
    for place in others.indices {
      let other = others[place]
      guard other.isShiftedTargets else {
        result.others[place].values = other.values.scaled(by: named?[other.name])
        continue
      }
      result.others[place].values = other.values.scaled(by: targetScaler)
      if other.startsAtZero { result.others[place].startAtZero() }
    }
    for place in otherTargets.indices {
      result.otherTargets[place].targets = otherTargets[place].targets.scaled(by: named?[otherTargets[place].name])
    }
    if let inputScaler {
      switch inputs {
      case .windows(var rows, let size, let starts, let steps):
        inputScaler.apply(&rows)
        result.inputs = .windows(rows: rows, size: size, starts: starts, steps: steps)
      case .features(var values, let steps, let size):
        inputScaler.apply(&values)
        result.inputs = .features(values, steps: steps, size: size)
      case .tokens, .tokenWindows: break
      }
    }
    if let targetScaler, case .values(var values, let size, let perStep) = targets {
      targetScaler.apply(&values)
      result.targets = .values(values, size: size, perStep: perStep)
    }
    return result
  }
}
