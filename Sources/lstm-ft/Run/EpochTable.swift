import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMReports

/// A run's epochs as a table in the terminal, a row each.
struct EpochTable {
  /// The number planned; nil when unknown.
  let epochs: Int?
  /// The unit of a text's tokens; nil for other data.
  let unit: Vocabulary.Unit?
  /// Whether the best epochs are marked.
  let marksBest: Bool
  /// The model's outputs in its order, as far as it is known.
  var outputs: [String] = []

  /// - Parameter metrics: of any epoch, for the metric's name.
  func header(_ metrics: Metrics?) -> String {
    pad("epoch", width) + right("train", 12) + right("validation", 12)
      + (metrics?.outputs == nil ? right(metricName(metrics), 12) : "") + right("norm", 10) + right("seq/s", 10)
      + right("time", 10)
  }

  /// A line; below it what each output has, of a model with several.
  func row(_ epoch: RunLog.Epoch) -> [String] {
    let number = "\(epoch.number)" + (epochs.map { "/\($0)" } ?? "")
    let each = eachOutput(epoch.validation)
    let metric = each.isEmpty ? right(metricValue(epoch.validation), 12) : ""
    let line =
      pad(number, width) + right(digits(epoch.trainingLoss), 12)
      + right(epoch.validation.map { digits($0.loss) } ?? "-", 12) + metric + right(digits(epoch.gradientNorm), 10)
      + right(epoch.sequencesPerSecond.map { String(format: "%.0f", $0) } ?? "-", 10)
      + right(epoch.seconds.map(duration) ?? "-", 10) + (epoch.isBest && marksBest ? "  best" : "")
    return [line] + Self.wrapped(each, indent: "  ")
  }

  /// `price MAE 0.12`, `kind accuracy 88.0 %`: of each output; empty for a model of one.
  private func eachOutput(_ metrics: Metrics?) -> [String] {
    guard let all = metrics?.outputs else { return [] }
    let known = outputs.filter { all[$0] != nil }
    let names = known + all.keys.filter { !known.contains($0) }.sorted()
    return names.map { name in
      let own = all[name]
      let value = RunLog.Metric(own).map { "\(metricName(own)) \($0.text(own))" } ?? "loss \(digits(own?.loss ?? .nan))"
      return "\(printable(name, limit: 40)) \(value)"
    }
  }

  /// Parts side by side, as many in a line as 80 columns hold.
  static func wrapped(_ parts: [String], indent: String) -> [String] {
    var lines: [String] = []
    for part in parts {
      if let last = lines.last, last.count + 2 + part.count < 80 {
        lines[lines.count - 1] = last + ", " + part
      } else {
        if !lines.isEmpty { lines[lines.count - 1] += "," }
        lines.append(indent + part)
      }
    }
    return lines
  }

  /// The losses of the epochs in one line; nil for fewer than two.
  func sparkline(_ losses: [Double], isValidation: Bool) -> String? {
    guard losses.count > 1 else { return nil }
    return "\(isValidation ? "validation" : "training") loss  \(Sparkline.text(losses))"
  }

  func text(_ metrics: Metrics) -> String {
    var text = "loss \(digits(metrics.loss))"
    let each = eachOutput(metrics)
    if !each.isEmpty { return text + ", " + each.joined(separator: ", ") }
    if let summary = metrics.textSummary(unit) { text += ", " + summary }
    if let mae = metrics.mae { text += ", MAE \(digits(mae))" }
    if let accuracy = metrics.accuracy { text += ", accuracy \(percent(accuracy))" }
    if let errorRate = metrics.errorRate { text += ", error rate \(percent(errorRate))" }
    return text
  }

  func metricName(_ metrics: Metrics?) -> String {
    guard let metric = RunLog.Metric(metrics) else { return "-" }
    guard metric == .bitsPerToken else { return metric.name(unit) }
    return "bits/\(unit == .characters ? "char" : "token")"
  }

  func metricValue(_ metrics: Metrics?) -> String { RunLog.Metric(metrics)?.text(metrics) ?? "-" }

  /// Wide enough for `100/100`, or for more.
  private var width: Int { max(7, 2 * String(epochs ?? 0).count + 1) }

  private func right(_ text: String, _ width: Int) -> String { pad(text, width, right: true) }
}

extension Sample {
  var isForecast: Bool { if case .forecast = self { true } else { false } }

  /// `  sample  "To be, or not"`, or the truth and the forecast as curves on one scale.
  var line: String {
    switch self {
    case .text(let prompt, let continuation): return "  sample  \"\(oneLine(prompt + continuation))\""
    case .forecast(let series):
      let curves = Sparkline.texts([series.truth.map(Double.init), series.forecast.map(Double.init)], width: 40)
      return "  truth \(curves[0])  forecast \(curves[1])  (\(oneLine(series.column, limit: 40)))"
    }
  }
}

func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
  let padding = String(repeating: " ", count: max(width - text.count, 0))
  return right ? padding + text : text + padding
}
