import Foundation
import LSTMCheckpoints
import LSTMFineTuning

extension RunLog {
  /// The metric that is shown beside the loss.
  package enum Metric: Sendable {
    case bitsPerToken, mae, accuracy, errorRate

    package init?(_ metrics: Metrics?) {
      if metrics?.bitsPerToken != nil {
        self = .bitsPerToken
      } else if metrics?.mae != nil {
        self = .mae
      } else if metrics?.accuracy != nil {
        self = .accuracy
      } else if metrics?.errorRate != nil {
        self = .errorRate
      } else {
        return nil
      }
    }

    package func value(_ metrics: Metrics?) -> Double? {
      switch self {
      case .bitsPerToken: metrics?.bitsPerToken
      case .mae: metrics?.mae
      case .accuracy: metrics?.accuracy
      case .errorRate: metrics?.errorRate
      }
    }

    package func text(_ metrics: Metrics?) -> String {
      value(metrics).map { self == .accuracy || self == .errorRate ? percent($0) : digits($0) } ?? "-"
    }

    /// `MAE`, `accuracy`, `bits per character`
    package func name(_ unit: Vocabulary.Unit?) -> String {
      switch self {
      case .bitsPerToken: "bits per \(unit?.noun ?? "token")"
      case .mae: "MAE"
      case .accuracy: "accuracy"
      case .errorRate: "error rate"
      }
    }
  }

  package var metric: Metric? { Metric(start) ?? Metric(epochs.first?.validation) }

  /// Training and validation loss by epoch; epoch 0 is the model before the first step.
  public func lossChart() -> LineChart {
    let epochs = epochs
    var series = [LineChart.Series("training", x: epochs.map { Double($0.number) }, y: epochs.map(\.trainingLoss))]
    var annotations: [LineChart.Annotation] = []
    let validated = epochs.filter { $0.validation != nil }
    if let baseline = start?.loss, !validated.isEmpty {
      series.append(
        LineChart.Series(
          "validation", x: [0] + validated.map { Double($0.number) },
          y: [baseline] + validated.compactMap(\.validation?.loss)))
      if baseline.isFinite { annotations.append(.point(x: 0, y: baseline, startName)) }
      if let best, let loss = best.validation?.loss {
        annotations.append(.point(x: Double(best.number), y: loss, "best: epoch \(best.number)"))
      }
    }
    return LineChart(title: "Loss", xLabel: "epoch", yLabel: "loss", series: series, annotations: annotations)
  }

  /// The norms of the gates' gradients by time step, layer by layer, at the end of the newest epoch; nil when no gradient
  /// went through a layer, or there is one step only.
  public func gradientChart() -> LineChart? {
    guard let norms = gateGradientNorms, norms.values.contains(where: { $0.count > 1 }) else { return nil }
    var chart = LineChart(
      title: "Gradients through time", xLabel: "time step", yLabel: "norm of the gates' gradient",
      series: inOrder(norms.keys).map { name in LineChart.Series(name, y: norms[name] ?? [], startingAt: 1) })
    // One line has no legend.
    if chart.series.count == 1 { chart.subtitle = chart.series[0].name }
    chart.yScale = .logarithmic
    return chart
  }

  /// The metric on the validation data, by epoch; nil without one.
  func metricChart() -> LineChart? {
    guard let metric else { return nil }
    let validated = epochs.filter { metric.value($0.validation) != nil }
    guard !validated.isEmpty else { return nil }
    let name = metric.name(record?.unit)
    var chart = LineChart(title: name.prefix(1).uppercased() + name.dropFirst(), xLabel: "epoch", yLabel: name)
    var points = validated.compactMap { epoch in
      metric.value(epoch.validation).map { LineChart.Series.Point(x: Double(epoch.number), y: $0) }
    }
    if let value = metric.value(start) {
      points.insert(.init(x: 0, y: value), at: 0)
      if value.isFinite { chart.annotations.append(.point(x: 0, y: value, startName)) }
    }
    if let best, let value = metric.value(best.validation), value.isFinite {
      chart.annotations.append(.point(x: Double(best.number), y: value, "best: epoch \(best.number)"))
    }
    chart.series = [.init("validation", points: points)]
    return chart
  }

  /// Loss, learning rate and gradient norm by step; none before the first step.
  func stepCharts() -> [LineChart] {
    guard stepCount > 0 else { return [] }
    var loss = LineChart(title: "Loss by step", xLabel: "step", yLabel: "batch loss")
    loss.series = [.init("each step", points: losses.points), .init("smoothed", points: smoothedLosses.points)]
    var rate = LineChart(title: "Learning rate by step", xLabel: "step", yLabel: "highest of all parts")
    rate.series = [.init("learning rate", points: learningRates.points)]
    var norm = LineChart(title: "Gradient norm by step", xLabel: "step", yLabel: "norm before clipping")
    norm.series = [.init("gradient norm", points: gradientNorms.points)]
    norm.yScale = .logarithmic
    return constantRate == nil ? [loss, rate, norm] : [loss, norm]
  }

  /// The learning rate, when it never changed.
  var constantRate: Double? {
    let points = learningRates.points
    return points.allSatisfy { $0.y == points.first?.y } ? points.first?.y : nil
  }

  /// The most parts in one chart: more lines could not be distinguished.
  private static let partLimit = 12

  /// The gradient's norm in each part of the model by epoch; nil before the first epoch.
  func partChart() -> LineChart? {
    let names = inOrder(partNorms.keys)
    guard !names.isEmpty else { return nil }
    var chart = LineChart(
      title: "Gradient norm of each part", xLabel: "epoch", yLabel: "root mean square",
      series: names.prefix(Self.partLimit).map { .init($0, points: partNorms[$0]?.points ?? []) })
    if names.count == 1 { chart.subtitle = names[0] }
    if names.count > Self.partLimit { chart.subtitle = "the first \(Self.partLimit) of \(names.count) parts" }
    chart.yScale = .logarithmic
    return chart
  }

  /// From the input up, by the plan.
  private func inOrder(_ names: some Sequence<String>) -> [String] {
    let places = Dictionary((record?.plan ?? []).enumerated().map { ($1.name, $0) }) { first, _ in first }
    return names.sorted { one, other in
      let (first, second) = (places[one] ?? .max, places[other] ?? .max)
      return first == second ? one.localizedStandardCompare(other) == .orderedAscending : first < second
    }
  }
}

extension Sample.Forecast {
  /// The forecast beside the truth.
  func chart(title: String) -> LineChart {
    LineChart(
      title: title, xLabel: "row", yLabel: column,
      series: [.init("truth", y: truth, startingAt: 1), .init("forecast", y: forecast, startingAt: 1)])
  }
}
