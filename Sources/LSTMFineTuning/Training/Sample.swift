import LSTMCheckpoints
import LSTMLayers

/// A sample of a model's output, to look at beside its metrics: made before the first step and after every epoch.
public enum Sample: Sendable, Equatable {
  /// How a language model continues a prompt.
  case text(prompt: String, continuation: String)
  /// A forecast of a series beside the actual values.
  case forecast(Forecast)

  /// Actual and predicted values, row by row.
  public struct Forecast: Sendable, Equatable {
    /// The first target's name.
    public var column: String
    /// In the data's own units.
    public var truth: [Float]
    /// As many as the truth, in the same units.
    public var forecast: [Float]

    /// A column's values and what the model predicts for them.
    public init(column: String, truth: [Float], forecast: [Float]) {
      self.column = column
      self.truth = truth
      self.forecast = forecast
    }
  }
}

extension SeriesData {
  /// A model's forecasts of the last rows of some windows of this series, end to end: of 48 rows, or a horizon where that
  /// is more.
  /// - Parameters:
  ///   - windows: as `split` or `examples` returned them, standardized as the model reads them.
  ///   - targetScaler: what takes its outputs to the data's own units.
  public func sample(
    of model: LSTMModel, _ windows: SequenceData, targetScaler: Scaler?, kernels: Kernels = .best
  ) throws -> Sample {
    // Of one series, the last.
    let last = partIndex(ofRow: windows.inputRow(windows.count - 1))
    var own = 1
    while own < min(48, windows.count), partIndex(ofRow: windows.inputRow(windows.count - 1 - own)) == last { own += 1 }
    let count = min(max(48 / horizon, 1), (own - 1) / horizon + 1)
    let chosen = windows.selecting((0..<count).map { windows.count - 1 - (count - 1 - $0) * horizon })
    let evaluator = Evaluator(
      Network(model, kernels: kernels), loss: .meanSquaredError, targetScaler: targetScaler, batchSize: count)
    let said = try evaluator.predict(chosen)
    let width = targets.count
    var sample = Sample.Forecast(column: targets[0], truth: [], forecast: [])
    for place in 0..<count {
      for step in 0..<horizon {
        sample.forecast.append(said.values[(place * horizon + step) * width])
        sample.truth.append(targetRows[(chosen.inputRow(place) + window + step) * width])
      }
    }
    return .forecast(sample)
  }

  /// A stateful model's forecasts of the last 48 rows, a horizon at a time, or of one horizon where that is more; it reads
  /// some hundred rows before them at most.
  public func streamedSample(
    of model: LSTMModel, inputScaler: Scaler?, targetScaler: Scaler?, kernels: Kernels = .best
  ) throws -> Sample {
    let own = parts.last?.rows ?? 0..<rowCount
    let count = max(min(48 / horizon, (own.count - 1) / horizon), 1)
    let first = max(rowCount - count * horizon - 256, own.lowerBound)
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
