import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Rows of a series, or sequences, that a model does not expect: those that an autoencoder cannot give back, or whose
/// forecast is far off.
public struct Anomalies: Sendable {
  /// Rows one after another that are anomalies.
  public struct Span: Sendable, Equatable {
    /// The rows as they are counted in the data; of arrays, sequences.
    public let rows: Range<Int>
    /// The first and the last one's ids and time, or number.
    public let first: String
    /// The same of the last one.
    public let last: String
    /// The largest error among them.
    public let error: Double
  }

  /// The error above which a row or a sequence is an anomaly.
  public let threshold: Double
  /// Of each row of a series the smallest error of all windows that hold it: a row is no more of an anomaly than the best
  /// of its windows. nil for a row that is in no window. Of arrays, the error of each sequence.
  public let errors: [Double?]
  /// Those above the threshold, together where one follows another.
  public let spans: [Span]

  /// Whether a row or a sequence is one.
  public func isAnomaly(_ row: Int) -> Bool { errors[row].map { $0 > threshold } ?? false }

  /// How many are.
  public var count: Int { errors.indices.count { isAnomaly($0) } }

  fileprivate init(_ errors: [Double?], threshold: Double, series: SeriesData?) {
    self.errors = errors
    self.threshold = threshold
    func part(_ row: Int) -> Int { series?.partIndex(ofRow: row) ?? 0 }
    func name(_ row: Int) -> String {
      guard let series else { return "\(row)" }
      return series.labels(ofRow: row, numbersRows: true).joined(separator: " ")
    }
    var spans: [Span] = []
    for (row, error) in errors.enumerated() {
      guard let error, error > threshold else { continue }
      if let last = spans.last, last.rows.upperBound == row, part(row - 1) == part(row) {
        spans[spans.count - 1] = Span(
          rows: last.rows.lowerBound..<row + 1, first: last.first, last: name(row), error: max(last.error, error))
      } else {
        spans.append(Span(rows: row..<row + 1, first: name(row), last: name(row), error: error))
      }
    }
    self.spans = spans
  }

  /// The value that a part of the numbers lie below, interpolated between neighbors as in NumPy and R (type 7).
  /// - Parameter fraction: from 0 to 1.
  /// - Returns: nil for no numbers.
  public static func quantile(_ fraction: Double, of numbers: [Double]) -> Double? {
    guard let last = numbers.indices.last, 0...1 ~= fraction else { return nil }
    let sorted = numbers.sorted()
    let place = fraction * Double(last)
    let low = Int(place)
    return sorted[low] + (place - Double(low)) * (sorted[min(low + 1, last)] - sorted[low])
  }
}

extension LSTMModel {
  /// For each example of some data the mean absolute difference of the model's output and the targets, over all columns and
  /// valid steps, in the units that the model computes in: columns count alike, whatever their units are.
  /// - Throws: `FineTuningError` or `ShapeError` when the data does not fit the model or its scalers, or has no real values
  ///   as targets.
  public func errors(of data: any TrainingData, kernels: Kernels = .best) throws -> [Double] {
    let raw = try data.allExamples().sequences.hiding(configuration.mask, for: configuration)
    try preprocessing.checkScalers(features: raw.featureCount, targets: raw.targetSize, file: data.file)
    let scaled = try data.scaled(.sequences(raw), by: preprocessing).examples.sequences
    return try Evaluator(Network(self, kernels: kernels), loss: .meanSquaredError).errors(of: scaled)
  }

  /// Keeps the error above which something is an anomaly: the one that a part of normal data lie below.
  /// - Parameters:
  ///   - quantile: that part, from 0 to 1.
  ///   - data: without anomalies, or with few; the training data, as a rule.
  /// - Returns: the threshold, which is in `preprocessing`, too.
  /// - Throws: as `errors(of:)`; `FineTuningError.invalid` for another quantile.
  @discardableResult
  public mutating func setAnomalyThreshold(
    quantile: Double = 0.99, of data: any TrainingData, kernels: Kernels = .best
  ) throws -> Double {
    guard let threshold = Anomalies.quantile(quantile, of: try errors(of: data, kernels: kernels)) else {
      throw FineTuningError.invalid(.anomalyQuantile, "\(quantile)", "expected a number from 0 to 1", advice: [])
    }
    preprocessing.anomalyThreshold = threshold
    return threshold
  }

  /// What of some data is an anomaly.
  /// - Parameter threshold: nil for the one of the model's file.
  /// - Throws: as `errors(of:)`; `FineTuningError.invalid` when no threshold is known.
  public func anomalies(
    in data: any TrainingData, threshold: Double? = nil, kernels: Kernels = .best
  ) throws -> Anomalies {
    guard let threshold = threshold ?? preprocessing.anomalyThreshold else {
      throw FineTuningError.invalid(
        .anomalyThreshold, nil, "the model has none; it is found by fine-tuning with \(.reconstruct)", advice: [])
    }
    let errors = try errors(of: data, kernels: kernels)
    guard let series = data.series else { return Anomalies(errors, threshold: threshold, series: nil) }
    var rows = [Double?](repeating: nil, count: series.rowCount)
    for (start, error) in zip(series.starts(), errors) {
      for row in series.targetRange(ofWindow: start) { rows[row] = min(rows[row] ?? error, error) }
    }
    return Anomalies(rows, threshold: threshold, series: series)
  }
}

extension Evaluator {
  /// See `LSTMModel.errors(of:)`; of standardized data.
  /// - Throws: `ShapeError` when data and model do not fit together.
  public func errors(of data: SequenceData) throws(ShapeError) -> [Double] {
    guard case .values = data.targets else {
      throw ShapeError(what: "targets", expected: "real values", found: data.targets.words)
    }
    var errors: [Double] = []
    errors.reserveCapacity(data.count)
    for examples in data.batches(of: batchSize) {
      let output = try network.forward(data.batch(examples), forBackward: false)
      guard case .values(let targets, let size, let perStep) = data.targetBatch(examples),
        targets.count == output.values.count
      else {
        throw ShapeError(
          what: "targets", expected: "as many as the model's outputs \(output.shape)",
          found: "others: see the window and the readout")
      }
      let each = targets.count / examples.count
      for (place, example) in examples.enumerated() {
        let count = perStep ? data.length(example) * size : each
        var sum = 0.0
        for k in place * each..<place * each + count { sum += Double(abs(output.values[k] - targets[k])) }
        errors.append(sum / Double(max(count, 1)))
      }
    }
    return errors
  }
}

extension SequenceData {
  /// The same sequences, which a model is to give back.
  /// - Throws: `ShapeError` for tokens.
  public func reconstructing() throws(ShapeError) -> SequenceData {
    let made: SequenceData
    switch inputs {
    case .features(let values, _, let size):
      made = try SequenceData(inputs: inputs, targets: .values(values, size: size, perStep: true), lengths: lengths)
    case .windows(let rows, let size, let starts, let steps):
      let values = starts.flatMap { rows[$0 * size..<($0 + steps) * size] }
      made = try SequenceData(inputs: inputs, targets: .values(values, size: size, perStep: true), lengths: lengths)
    case .tokens, .tokenWindows:
      throw ShapeError(what: "inputs", expected: "features, to give back", found: "tokens")
    }
    return made.selecting(places)
  }
}
