import ArgumentParser
import LSTMFineTuning
import LSTMReports

/// How the threshold of anomalies is found.
struct AnomalyArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --reconstruct: the model keeps the error that this fraction of the training examples lie below, and predict "
        + "takes what is above it as an anomaly. (default: 0.99)", valueName: "fraction"))
  var anomalyQuantile: Double?

  func apply(to settings: inout RunSettings) throws {
    guard let anomalyQuantile else { return }
    guard 0...1 ~= anomalyQuantile else {
      throw InputError.usage("--anomaly-quantile \(short(anomalyQuantile)): expected a number from 0 to 1")
    }
    settings.anomalyQuantile = anomalyQuantile
  }
}
