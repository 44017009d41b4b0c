import Foundation
import LSTMFineTuning

extension RateFinder {
  /// The smoothed loss over the decimal logarithm of the rate, with what is suggested.
  public static func chart(_ result: Result) -> LineChart {
    let x = result.points.map { log10($0.learningRate) }
    var annotations: [LineChart.Annotation] = []
    for (name, rate) in [("valley", result.valley), ("steepest", result.steepest)] {
      guard let rate, let point = result.points.last(where: { $0.learningRate <= rate * (1 + 1e-9) }) else { continue }
      annotations.append(.point(x: log10(rate), y: point.smoothed, "\(name): \(String(format: "%.1e", rate))"))
    }
    return LineChart(
      title: "Loss by learning rate", xLabel: "log10 of the learning rate", yLabel: "loss",
      series: [
        .init("smoothed", x: x, y: result.points.map(\.smoothed)),
        .init("each step", x: x, y: result.points.map(\.loss)),
      ], annotations: annotations)
  }
}
