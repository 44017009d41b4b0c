import LSTMCheckpoints
import LSTMFineTuning
import LSTMReports

extension Preprocessing {
  /// `reads temp, predicts temp, 48 rows in, 24 out; scaler mean 49.44, deviation 2.558`.
  var summary: String {
    var parts: [String] = []
    if let features { parts.append("reads " + features.joined(separator: ", ")) }
    if let targets { parts.append("predicts " + targets.joined(separator: ", ")) }
    if let vocabulary { parts.append("\(plural(vocabulary.count, "token")): \(vocabulary.unit.rawValue)") }
    if let window, vocabulary != nil { parts.append("\(plural(window, "token")) at a time") }
    if let window, vocabulary == nil {
      parts.append("\(plural(window, "row")) in" + (horizon.map { ", \($0) out" } ?? ""))
    }
    if let classes {
      parts.append(
        "\(grouped(classes.count)) class\(classes.count == 1 ? "" : "es"): \(classes.prefix(6).joined(separator: ", "))\(classes.count > 6 ? ", ..." : "")"
      )
    }
    if reconstructs == true { parts.append("gives back what it reads") }
    if let anomalyThreshold { parts.append("errors above \(digits(anomalyThreshold)) are anomalies") }
    if let inputScaler { parts.append("scaler " + inputScaler.summary) }
    return parts.joined(separator: "; ")
  }

  /// How inputs and outputs are scaled, for those who run the model elsewhere.
  func scalingLines(numbers limit: Int) -> [String] {
    func list(_ scaler: Scaler, _ names: [String]?) -> String {
      if scaler.columns > 1, (1..<scaler.columns).allSatisfy({ scaler.words($0) == scaler.words(0) }) {
        return "\(scaler.words(0)) in all columns"
      }
      let shown = (0..<min(scaler.columns, limit)).map { column in
        let name = names.flatMap { $0.indices ~= column ? $0[column] : nil } ?? "\(column)"
        return "\(name): \(scaler.words(column))"
      }
      return shown.joined(separator: "; ") + (scaler.columns > limit ? "; ... (all with --json)" : "")
    }
    if let entityScalers {
      return [
        "the model reads numbers standardized separately for each of \(entityScalers.count) ids, and so are its outputs; --json has all means and deviations"
      ]
    }
    var lines: [String] = []
    if let inputScaler { lines.append("the model reads standardized inputs: \(list(inputScaler, features))") }
    if let targetScaler {
      lines.append(
        "its outputs are standardized, too; to invert: \(list(targetScaler, reconstructs == true ? features : targets))"
      )
    }
    return lines
  }
}
