import LSTMCheckpoints

/// Scalers of all rows, or of each part's own.
extension SeriesData {
  /// For each part, scalers of some of its rows; where there are none, of all that it has.
  public func ownScalers(_ rows: [Range<Int>]) -> [String: ScalerPair] {
    var found: [String: ScalerPair] = [:]
    for (part, rows) in zip(parts, rows) { found[part.name] = scalers([rows.isEmpty ? part.rows : rows]) }
    return found
  }

  /// Windows of these series with each part's own scalers.
  /// - Parameter known: by the parts' names; a part that has none is standardized by its own rows.
  /// - Returns: `unknown` are the parts that had none.
  public func scaled(_ data: SequenceData, by known: [String: ScalerPair]) -> (data: SequenceData, unknown: [String]) {
    var unknown: [String] = []
    let pairs = parts.map { part in
      if let pair = known[part.name] { return pair }
      unknown.append(part.name)
      return scalers([part.rows])
    }
    var result = data
    if case .windows(var rows, let size, let starts, let steps) = data.inputs {
      for (part, pair) in zip(parts, pairs) {
        let range = part.rows.lowerBound * size..<part.rows.upperBound * size
        var values = Array(rows[range])
        pair.inputs.apply(&values)
        rows.replaceSubrange(range, with: values)
      }
      result.inputs = .windows(rows: rows, size: size, starts: starts, steps: steps)
    }
    if case .values(var values, let size, let perStep) = data.targets {
      for place in 0..<values.count / max(size, 1) {
        let pair = pairs[data.groups.map { Int($0[perStep ? place / data.steps : place]) } ?? 0]
        var own = Array(values[place * size..<(place + 1) * size])
        pair.targets.apply(&own)
        values.replaceSubrange(place * size..<(place + 1) * size, with: own)
      }
      result.targets = .values(values, size: size, perStep: perStep)
    }
    result.groupScalers = pairs
    return (result, unknown)
  }
}

extension SequenceData {
  /// Takes the training data's seasonal scale, so that scaled errors of a separate validation file are comparable.
  package mutating func keepSeasonalScale(of training: SequenceData) { seasonalScale = training.seasonalScale }
}
