import LSTMCheckpoints
import LSTMLayers

/// A series for a model that reads it from its first row to its last, with its state carried: at each row it says the
/// targets of the next `horizon`.
extension SeriesData {
  /// The whole series as streams side by side: stream k is the k-th part of it.
  /// - Parameter chunkSteps: rows through which gradients go.
  /// - Throws: `FineTuningError` when there are too few rows for so many.
  public func streams(_ count: Int = 1, chunkSteps: Int) throws -> StreamData {
    try streams(count, chunkSteps: chunkSteps, rows: 0..<rowCount, scale: seasonalScale(before: rowCount))
  }

  /// The same, split in time. What training says ends before the first row for validation, where the state is zero again.
  /// - Parameter fraction: the part of the rows, at the end, that is for validation; at least one horizon.
  public func splitStreams(
    _ count: Int = 1, chunkSteps: Int, validation fraction: Double
  ) throws -> (training: StreamData, validation: StreamData?, firstRow: Int) {
    guard 0..<1 ~= fraction else {
      throw FineTuningError.invalidOption(
        "--validation-split \(fraction): expected a number from 0 to below 1", advice: [])
    }
    guard fraction > 0 else { return (try streams(count, chunkSteps: chunkSteps), nil, rowCount) }
    let cut = max(rowCount - max(Int((Double(rowCount) * fraction).rounded()), horizon), 0)
    let scale = seasonalScale(before: cut)
    let training = try streams(count, chunkSteps: chunkSteps, rows: 0..<cut, scale: scale)
    // The row before is read to say the first one.
    let held = max(cut - 1, 0)..<rowCount
    let steps = held.count - horizon
    return (
      training, try streams(max(min(count, steps / chunkSteps), 1), chunkSteps: chunkSteps, rows: held, scale: scale),
      cut
    )
  }

  private func streams(_ count: Int, chunkSteps: Int, rows: Range<Int>, scale: [Double]?) throws -> StreamData {
    guard count >= 1 else { throw FineTuningError.invalidOption("--streams \(count): expected at least 1", advice: []) }
    let each = (rows.count - horizon) / count
    guard each >= 1 else {
      throw FineTuningError.badData(
        file: file,
        detail:
          "\(rows.count) rows are too few for \(count) stream\(count == 1 ? "" : "s") and a horizon of \(horizon)",
        advice: ["give fewer --streams, or more data"])
    }
    let (read, size, width) = (rows.lowerBound..<rows.lowerBound + each * count, features.count, targets.count)
    var values: [Float] = []
    values.reserveCapacity(read.count * horizon * width)
    for row in read { values += targetRows[(row + 1) * width..<(row + 1 + horizon) * width] }
    var data = try SequenceData(
      inputs: .features(Array(featureRows[read.lowerBound * size..<read.upperBound * size]), steps: each, size: size),
      targets: .values(values, size: horizon * width, perStep: true))
    data.seasonalScale = scale
    return try StreamData(data, chunkSteps: chunkSteps)
  }

  /// What a model says of the `horizon` rows beyond the last, after it has read them all: (horizon * targets), row by row.
  /// - Throws: `ShapeError` when the model gives no output for each step, or runs in reverse.
  public func forecast(
    _ model: LSTMModel, inputScaler: Scaler?, targetScaler: Scaler?, kernels: Kernels = .best
  ) throws -> [Float] {
    let stream = try LSTMStream(model, kernels: kernels)
    var rows = featureRows
    inputScaler?.apply(&rows)
    var state = stream.makeState()
    var output = [Float](repeating: 0, count: stream.outputSize)
    rows.withUnsafeBufferPointer { rows in
      output.withUnsafeMutableBufferPointer { output in
        for row in 0..<rowCount {
          stream.step(
            UnsafeBufferPointer(rebasing: rows[row * features.count..<(row + 1) * features.count]), &state, into: output
          )
        }
      }
    }
    targetScaler?.undo(&output)
    return output
  }

  /// What such a model says of the last 48 rows, a horizon at a time, or of one horizon where that is more; it begins at
  /// most some hundred rows before.
  public func streamedSample(
    of model: LSTMModel, inputScaler: Scaler?, targetScaler: Scaler?, kernels: Kernels = .best
  ) throws -> Sample {
    let count = max(min(48 / horizon, (rowCount - 1) / horizon), 1)
    let first = max(rowCount - count * horizon - 256, 0)
    let steps = rowCount - horizon - first
    let size = features.count
    let read = try SequenceData(
      inputs: .features(Array(featureRows[first * size..<(first + steps) * size]), steps: steps, size: size),
      targets: .none
    ).scaled(inputs: inputScaler, targets: nil)
    let evaluator = Evaluator(
      Network(model, kernels: kernels), loss: .meanSquaredError, targetScaler: targetScaler)
    let said = try evaluator.predict(read)
    let width = targets.count
    var sample = Sample.Forecast(column: targets[0], truth: [], forecast: [])
    for place in 0..<count {
      let origin = rowCount - (count - place) * horizon
      for step in 0..<horizon {
        sample.truth.append(targetRows[(origin + step) * width])
        sample.forecast.append(said.values[(origin - 1 - first) * horizon * width + step * width])
      }
    }
    return .forecast(sample)
  }
}
