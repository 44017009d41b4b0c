import FileIO
import LSTMCheckpoints
import LSTMLayers

/// A series for a model that reads it from its first row to its last, with its state carried: at each row it predicts the
/// targets of the next `horizon`.
extension SeriesData {
  /// The whole series as streams side by side: stream k is the k-th part of it. Several series are a stream each.
  /// - Parameter chunkSteps: rows through which gradients go.
  /// - Throws: `FineTuningError` when there are too few rows for so many.
  public func streams(_ count: Int = 1, chunkSteps: Int) throws -> StreamData {
    try streams(count, chunkSteps: chunkSteps, rows: parts.map(\.rows), scale: seasonalScale(parts.map(\.rows)))
  }

  /// The same, split in time. Training targets end before the first row for validation, where the state is zero again.
  /// - Returns: `rows` are those of each part that training reads or predicts.
  public func splitStreams(
    _ count: Int = 1, chunkSteps: Int, _ split: SeriesSplit
  ) throws -> (training: StreamData, validation: StreamData?, rows: [Range<Int>]) {
    let cuts = try cuts(split)
    if split == .fraction(0) { return (try streams(count, chunkSteps: chunkSteps), nil, parts.map(\.rows)) }
    let rows = cuts.map(\.train)
    let scale = seasonalScale(rows)
    let training = try streams(count, chunkSteps: chunkSteps, rows: rows, scale: scale)
    // The row before is read to say the first one.
    let held = zip(parts, cuts).map { max($1.validate - 1, $0.rows.lowerBound)..<$0.rows.upperBound }
    let steps = (held.map(\.count).max() ?? 0) - horizon
    return (
      training, try streams(max(min(count, steps / chunkSteps), 1), chunkSteps: chunkSteps, rows: held, scale: scale),
      rows
    )
  }

  private func streams(_ count: Int, chunkSteps: Int, rows: [Range<Int>], scale: [Double]?) throws -> StreamData {
    try Setting.streams.requirePositive(count)
    if let filledTargets {
      // A stream reads on over every row, and measures itself at each.
      throw FineTuningError.badData(
        file: file,
        detail:
          "\(filledTargets.count { $0 }) rows have targets that were filled in, and a series that is read on and on would be measured at them",
        advice: ["take it in windows, without chunks, or leave these rows out of the file"])
    }
    guard parts.count > 1 else {
      let rows = rows[0]
      let each = (rows.count - horizon) / count
      guard each >= 1 else { throw tooFewRows(rows.count, count) }
      var data = try steps([rows.lowerBound..<rows.lowerBound + each * count], of: each)
      data.seasonalScale = scale
      return try StreamData(data, chunkSteps: chunkSteps)
    }
    guard count == 1 else {
      throw FineTuningError.invalidOption(
        "\(parts.count) series are a stream each: no number of streams can be given", advice: [])
    }
    let read = rows.filter { $0.count > horizon }.map { $0.dropLast(horizon) }
    guard let longest = read.map(\.count).max() else { throw tooFewRows(rows.map(\.count).max() ?? 0, 1) }
    var data = try steps(read, of: longest)
    data.seasonalScale = scale
    return try StreamData(data, chunkSteps: chunkSteps)
  }

  private func tooFewRows(_ rows: Int, _ count: Int) -> FineTuningError {
    .badData(
      file: file,
      detail: "\(rows) rows are too few for \(count) stream\(count == 1 ? "" : "s") and a horizon of \(horizon)",
      advice: ["give fewer \(.streams), or more data"])
  }

  /// Rows to read as sequences of so many steps, the shorter ones padded, with the next rows' targets at each.
  private func steps(_ ranges: [Range<Int>], of length: Int) throws -> SequenceData {
    let (size, width) = (features.count, targets.count)
    let isPadded = ranges.contains { $0.count < length }
    var (inputs, values): ([Float], [Float]) = ([], [])
    inputs.reserveCapacity(ranges.count * length * size)
    values.reserveCapacity(ranges.count * length * horizon * width)
    for range in ranges {
      inputs += featureRows[range.lowerBound * size..<range.upperBound * size]
      for row in range { values += targetRows[(row + 1) * width..<(row + 1 + horizon) * width] }
      guard range.count < length else { continue }
      inputs += [Float](repeating: 0, count: (length - range.count) * size)
      values += [Float](repeating: 0, count: (length - range.count) * horizon * width)
    }
    return try SequenceData(
      inputs: .features(inputs, steps: length, size: size),
      targets: .values(values, size: horizon * width, perStep: true),
      lengths: isPadded ? ranges.map(\.count) : nil)
  }

  /// What a model predicts for the `horizon` rows after each part's last real row, when it has read them all, and with
  /// `isRolling` after each of the part's rows: (N, horizon * targets), row by row.
  /// - Throws: `ShapeError` when the model gives no output for each step, or runs in reverse.
  public func streamedForecasts(
    _ model: LSTMModel, inputScaler: Scaler?, targetScaler: Scaler?, isRolling: Bool, kernels: Kernels = .best
  ) throws -> (origins: ForecastOrigins, values: [Float]) {
    var (rows, groups, warnings, values): ([Int], [Int], [String], [Float]) = ([], [], [], [])
    for (place, part) in parts.enumerated() {
      let end = realEnd(part)
      guard end > part.rows.lowerBound else { continue }
      if end < part.rows.upperBound { warnings.append(tail(part, from: end)) }
      values += try said(
        of: model, part: place, inputScaler, targetScaler, kernels, after: end, isRolling: isRolling)
      let origins = isRolling ? Array(part.rows.lowerBound + 1...end) : [end]
      rows += origins
      groups += origins.map { _ in place }
    }
    let windows = try SequenceData(
      inputs: .windows(rows: featureRows, size: features.count, starts: rows.map { $0 - 1 }, steps: 1), targets: .none)
    return (ForecastOrigins(windows: windows, rows: rows, groups: groups, warnings: warnings), values)
  }

  /// - Parameter end: behind the last row that is read.
  private func said(
    of model: LSTMModel, part place: Int, _ inputScaler: Scaler?, _ targetScaler: Scaler?, _ kernels: Kernels,
    after end: Int, isRolling: Bool
  ) throws -> [Float] {
    let stream = try LSTMStream(model, kernels: kernels)
    let size = features.count
    let first = parts[place].rows.lowerBound
    var rows = Array(featureRows[first * size..<end * size])
    inputScaler?.apply(&rows)
    var state = stream.makeState()
    var output = [Float](repeating: 0, count: stream.outputSize)
    var all: [Float] = []
    rows.withUnsafeBufferPointer { rows in
      for row in 0..<end - first {
        output.withUnsafeMutableBufferPointer { output in
          stream.step(UnsafeBufferPointer(rebasing: rows[row * size..<(row + 1) * size]), &state, into: output)
        }
        if isRolling { all += output }
      }
    }
    if !isRolling { all = output }
    targetScaler?.undo(&all)
    return all
  }
}
