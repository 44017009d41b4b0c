import LSTMCheckpoints

/// The sums of the metrics of each output that is measured.
struct ObjectiveTally {
  private struct Part {
    let index: Int
    let output: Objective.OutputLoss
    var tally: MetricTally
  }

  /// Whether the first output's loss is all that counts.
  private let isSingle: Bool
  private var parts: [Part] = []

  init(isSingle: Bool) { self.isSingle = isSingle }

  mutating func add(_ tally: MetricTally, of output: Objective.OutputLoss, at index: Int) {
    parts.append(Part(index: index, output: output, tally: tally))
  }

  mutating func update<E>(
    _ index: Int, _ body: (inout MetricTally, _ loss: Loss) throws(E) -> Void
  ) throws(E) {
    guard let place = parts.firstIndex(where: { $0.index == index }) else { return }
    try body(&parts[place].tally, parts[place].output.loss)
  }

  /// Whether anything counts.
  var counts: Bool { parts.contains { $0.tally.lossWeight > 0 } }
  /// How much the outputs differ from row to row, of the first output that is measured.
  var spread: Double { parts.first?.tally.spread.deviation ?? 0 }
  /// Of the first output that is measured.
  var confusion: ConfusionMatrix? { parts.first?.tally.confusion }

  func metrics(_ data: some ExampleRows) -> Metrics {
    guard let first = parts.first else { return Metrics(loss: 0, examples: data.sequenceCount) }
    guard !isSingle else { return first.tally.metrics(data, seasonalScale: data.seasonalScale) }
    var (total, all) = (0.0, [String: Metrics]())
    for part in parts where part.tally.lossWeight > 0 {
      let own = part.tally.metrics(data, seasonalScale: part.index == 0 ? data.seasonalScale : nil)
      total += part.output.weight * own.loss
      all[part.output.name] = own
    }
    var metrics = all[first.output.name] ?? Metrics(loss: total, examples: data.sequenceCount)
    (metrics.loss, metrics.outputs) = (total, all)
    return metrics
  }
}
