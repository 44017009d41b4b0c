import LSTMCheckpoints
import LSTMLayers

extension FineTuner {
  /// Trains a copy of the model on sequences or on streams; parameters and errors as for either.
  /// - Throws: `FineTuningError.invalidOption`, too, when one part is of sequences and the other of streams.
  public func fit(
    _ model: LSTMModel, _ data: Examples, validation: Examples? = nil, targetScaler: Scaler? = nil,
    kernels: Kernels = .best, resuming point: ResumePoint? = nil, events: (Event) throws -> Void = { _ in }
  ) throws -> Run {
    switch (data, validation) {
    case (.sequences(let data), .sequences(let validation)):
      try fit(
        model, data, validation: validation, targetScaler: targetScaler, kernels: kernels, resuming: point,
        events: events)
    case (.sequences(let data), nil):
      try fit(model, data, targetScaler: targetScaler, kernels: kernels, resuming: point, events: events)
    case (.streams(let data), .streams(let validation)):
      try fit(
        model, data, validation: validation, targetScaler: targetScaler, kernels: kernels, resuming: point,
        events: events)
    case (.streams(let data), nil):
      try fit(model, data, targetScaler: targetScaler, kernels: kernels, resuming: point, events: events)
    case (.sequences, .streams), (.streams, .sequences):
      throw FineTuningError.invalidOption("the validation data is not of the training data's kind", advice: [])
    }
  }
}

extension Evaluator {
  /// Metrics over all examples and, where the targets are classes, the answers to each class.
  /// - Throws: `ShapeError` as for sequences and for streams.
  public func report(_ data: Examples) throws(ShapeError) -> (metrics: Metrics, confusion: ConfusionMatrix?) {
    switch data {
    case .sequences(let data): try report(data)
    case .streams(let data): try report(data)
    }
  }
}

extension RateFinder {
  /// Searches on sequences or on streams.
  public func search(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: Examples, kernels: Kernels = .best,
    progress: (Point) throws -> Void = { _ in }
  ) throws -> Result {
    switch data {
    case .sequences(let data): try search(tuner, model, data, kernels: kernels, progress: progress)
    case .streams(let data): try search(tuner, model, data, kernels: kernels, progress: progress)
    }
  }
}

extension TaskFit {
  /// The same examples as the loss reads them: classes that were stored as real values become class numbers.
  public func prepared(_ data: Examples) -> Examples {
    switch data {
    case .sequences(let data): .sequences(prepared(data))
    case .streams(let data): .streams(prepared(data))
    }
  }
}
