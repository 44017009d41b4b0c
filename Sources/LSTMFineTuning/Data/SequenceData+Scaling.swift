extension SequenceData {
  /// Fits a scaler of the inputs on this selection; nil for tokens. Rows that several windows share count once, and
  /// padding does not count.
  public func fitInputScaler() -> Scaler? {
    switch inputs {
    case .windows(let rows, let size, let starts, let steps):
      var end = 0
      var covered: [Range<Int>] = []
      for start in places.map({ starts[$0] }).sorted() {
        let range = max(start, end)..<max(start + steps, end)
        if !range.isEmpty { covered.append(range) }
        end = max(end, start + steps)
      }
      return Scaler(fitting: covered.lazy.joined().map { rows[$0 * size..<($0 + 1) * size] }, columns: size)
    case .features(let values, let steps, let size):
      let valid = places.lazy.flatMap { place in
        (0..<(lengths?[place] ?? steps)).lazy.map { place * steps + $0 }
      }
      return Scaler(fitting: valid.map { values[$0 * size..<($0 + 1) * size] }, columns: size)
    case .tokens:
      return nil
    }
  }

  /// Fits a scaler of real-valued targets on this selection; nil for classes.
  public func fitTargetScaler() -> Scaler? {
    guard case .values(let values, let size, let perStep) = targets else { return nil }
    let rows = places.lazy.flatMap { place in
      perStep ? (0..<(lengths?[place] ?? steps)).map { place * steps + $0 } : [place]
    }
    return Scaler(fitting: rows.map { values[$0 * size..<($0 + 1) * size] }, columns: size)
  }

  /// The same examples with standardised inputs and targets. A scaler of fewer columns than the targets have is
  /// repeated: a horizon of several rows has one entry per target column.
  public func scaled(inputs inputScaler: Scaler?, targets targetScaler: Scaler?) -> SequenceData {
    var result = self
    if let inputScaler {
      switch inputs {
      case .windows(var rows, let size, let starts, let steps):
        inputScaler.apply(&rows)
        result.inputs = .windows(rows: rows, size: size, starts: starts, steps: steps)
      case .features(var values, let steps, let size):
        inputScaler.apply(&values)
        result.inputs = .features(values, steps: steps, size: size)
      case .tokens: break
      }
    }
    if let targetScaler, case .values(var values, let size, let perStep) = targets {
      targetScaler.apply(&values)
      result.targets = .values(values, size: size, perStep: perStep)
    }
    return result
  }
}
