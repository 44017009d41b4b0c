import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DataSettings {
  /// Checks that the model's head gives as many rows and columns as requested: nothing else makes a forecast longer.
  func checkHorizon(_ series: SeriesData, _ model: LSTMModel, file: String, isStreamed: Bool) throws {
    guard horizon != nil || !targets.isEmpty else { return }
    let (width, columns) = (
      model.configuration.flatOutputSize ?? model.configuration.outputSize, series.targets.count
    )
    // What the file of a model that was never fine-tuned lacks.
    let finetune =
      "lstm-ft finetune \(shellPath(file)) --data \(shellPath(series.file)) --target \(shellWord(series.targets.joined(separator: ",")))"
      + (isStreamed ? "" : " --window \(series.window)") + " --horizon \(series.horizon)"
    guard model.configuration.lastDense != nil else {
      guard let horizon else { return }
      throw InputError.usage(
        "--horizon \(horizon): the model has no head, and outputs the LSTM's \(plural(width, "value")) instead of a forecast",
        advice: ["leave out --horizon, or fine-tune the model first:", Message(finetune)])
    }
    guard width != columns * series.horizon else { return }
    let rows = width % columns == 0 ? width / columns : nil
    let gives =
      rows.map { "\(plural($0, "row")) of \(series.targets.joined(separator: ", "))" } ?? plural(width, "value")
    let asked = horizon.map { "--horizon \($0)" } ?? "--target \(shellWord(series.targets.joined(separator: ",")))"
    throw InputError.usage(
      "\(asked): the model's head predicts \(gives)\(isStreamed ? "" : " for each window")",
      advice: [
        horizon == nil ? "leave out --target" : "leave out --horizon to predict that",
        "for another horizon, train a new head: \(finetune) --head new:\(columns * series.horizon)",
      ])
  }
}
