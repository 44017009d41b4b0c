import FileIO
import LSTMCheckpoints

extension Preprocessing {
  /// Takes back what says how data is read, for data that is read in another way.
  mutating func forgetReading() {
    (classes, blank, chunk) = (nil, nil, nil)
    (reconstructs, anomalyThreshold) = (nil, nil)
    (textColumn, labelColumn, sequenceColumn) = (nil, nil, nil)
  }

  /// Checks that the scalers go with some data.
  /// - Parameters:
  ///   - features: numbers a step, nil for tokens.
  ///   - targets: numbers a row of targets, nil for classes.
  /// - Throws: `FineTuningError.badData`.
  package func checkScalers(features: Int?, targets: Int?, file: String) throws(FineTuningError) {
    if let features, let inputScaler, inputScaler.columns != features {
      throw .badData(
        file: file, detail: "the model's scaler is for \(inputScaler.columns) features, the data has \(features)",
        advice: ["fit a new one with \(.scaler, "refit")"])
    }
    if let targets, let targetScaler, targetScaler.columns == 0 || targets % targetScaler.columns != 0 {
      throw .badData(
        file: file, detail: "the model's scaler is for \(targetScaler.columns) targets, the data has \(targets)",
        advice: ["fit a new one with \(.scaler, "refit")"])
    }
  }
}
