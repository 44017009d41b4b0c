import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension Examples {
  /// The same without the steps that the model's mask hides. To come before scalers: what is hidden is told by the data's
  /// own values.
  func hiding(_ configuration: ModelConfiguration) throws -> Examples {
    guard case .sequences(let data) = self else { return self }
    return .sequences(try data.hiding(configuration.mask, for: configuration))
  }

  /// For people: what the mask did.
  func maskNote(_ configuration: ModelConfiguration) -> String? {
    let hidden = sequences.hiddenCount
    guard let mask = configuration.mask, hidden > 0 else { return nil }
    return
      "mask: \(plural(hidden, "step")) of \(mask.summary) hidden, as in Keras; \(hidden == 1 ? "it is" : "they are")"
      + " no part of a sequence"
  }
}

extension SeriesData {
  /// Refuses rows that a model passes over, where a state is carried from row to row.
  func requireVisible(_ configuration: ModelConfiguration) throws {
    guard let mask = configuration.mask, rowCount > 0 else { return }
    let data = try SequenceData(
      inputs: .features(featureRows, steps: rowCount, size: features.count), targets: .none)
    guard try data.hiding(mask, for: configuration).hiddenCount > 0 else { return }
    throw FineTuningError.badData(
      file: file, detail: "it has rows that the model's mask hides (\(mask.summary)), and is read on and on",
      advice: ["read it in windows: --window ROWS"])
  }
}
