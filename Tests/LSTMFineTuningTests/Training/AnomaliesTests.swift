import LSTMCheckpoints
import LSTMLayers
import Testing

@testable import LSTMFineTuning

/// Autoencoders: targets that are the inputs, errors of examples, and what lies above a threshold.
@Suite struct AnomaliesTests {
  /// NumPy's `quantile` of these numbers.
  @Test func quantilesAreNumPys() {
    let numbers = [3.0, 1, 4, 1, 5, 9, 2, 6]
    for (fraction, expected) in [(0, 1.0), (0.25, 1.75), (0.5, 3.5), (0.9, 6.9), (0.99, 8.79), (1, 9)] {
      #expect(abs((Anomalies.quantile(fraction, of: numbers) ?? 0) - expected) < 1e-12, "\(fraction)")
    }
    #expect(Anomalies.quantile(0.5, of: []) == nil)
    #expect(Anomalies.quantile(1.1, of: numbers) == nil)
  }

  private func table(rows: Int, faultAt fault: Int? = nil) throws -> CSVTable {
    var text = "id,a,b\n"
    for row in 0..<2 * rows {
      let isFault = row == fault
      text += "\(row < rows ? "one" : "two"),\(row % 4 + (isFault ? 50 : 0)),\(10 * (row % 2))\n"
    }
    return try CSVTable(bytes: Array(text.utf8), name: "table.csv")
  }

  @Test func windowsAreTheirOwnTargets() throws {
    let ordered = try OrderedTable(table(rows: 8), TableChoice(id: .named(["id"]), reserved: ["a", "b"]))
    let series = try SeriesData([ordered], reconstructing: ["a", "b"], window: 3)
    let all = try series.examples()
    // Six in each part, none across.
    #expect(all.count == 12)
    let batch = try all.batch([5])
    guard case .features(let read, _) = batch.input, case .values(let wanted, 2, true) = all.targetBatch([5]) else {
      Issue.record("\(batch)")
      return
    }
    #expect(read == wanted && wanted == [1, 10, 2, 0, 3, 10])
    // No validation window holds a training row.
    let parts = try series.split(.fraction(0.4))
    #expect(parts.training.count == 2 * 3 && parts.validation?.count == 2)
    // Each id's own scalers, in the targets too.
    let scaled = series.scaled(all, by: series.ownScalers(series.parts.map(\.rows))).data
    guard case .features(let z, _) = try scaled.batch([7]).input, case .values(let y, 2, true) = scaled.targetBatch([7])
    else {
      Issue.record("not scaled")
      return
    }
    #expect(z == y && z != read)
  }

  /// A model that gives back what it reads but for the first column, of which it gives back nothing.
  @Test func rowsAreAsGoodAsTheirBestWindow() throws {
    var model = LSTMModel(try ModelConfiguration(line: "2 features -> dense 2"))
    try model.set("head.0.weight", to: Tensor(shape: [2, 2], values: [0, 0, 0, 1]))
    try model.set("head.0.bias", to: Tensor(shape: [2], values: [0, 0]))
    let ordered = try OrderedTable(
      table(rows: 8, faultAt: 11), TableChoice(id: .named(["id"]), reserved: ["a", "b"]))
    let series = try SeriesData([ordered], reconstructing: ["a", "b"], window: 3)
    let errors = try model.errors(of: series)
    // Rows 0, 1 and 2 of the first column hold 0, 1 and 2, over six numbers.
    #expect(abs(errors[0] - 0.5) < 1e-6 && abs(errors[1] - 1) < 1e-6)
    #expect(throws: FineTuningError.self) { try model.anomalies(in: series) }
    let threshold = try model.setAnomalyThreshold(quantile: 0.5, of: series)
    #expect(model.preprocessing.anomalyThreshold == threshold)
    let found = try model.anomalies(in: series, threshold: 4)
    // Only row 11 is in no window without the fault; it is the second part's fourth.
    #expect(found.spans.map(\.rows) == [11..<12] && found.count == 1)
    #expect(found.spans.first?.first == "two 4")
    #expect(throws: FineTuningError.self) { try model.setAnomalyThreshold(quantile: 2, of: series) }
    // Of arrays, each sequence.
    let arrays = ArraySequences(
      try SequenceData(inputs: .features([9, 0, 9, 0, 1, 0, 1, 0], steps: 2, size: 2), targets: .none).reconstructing(),
      file: "x.npz", reconstructs: true)
    #expect(try model.anomalies(in: arrays, threshold: 1).spans.map(\.first) == ["0"])
  }

  /// A layer that learned to scale the input is not given scaled numbers.
  @Test func aModelThatScalesItsInputGetsItAsItIs() throws {
    var model = LSTMModel(try ModelConfiguration(line: "2 features -> rescale -> LSTM 3 -> last -> dense 1"))
    let data = try SeriesData(
      table(rows: 20), features: ["a", "b"], targets: ["a"], window: 3, horizon: 1)
    #expect(try Preparation(model, data).preprocessing.inputScaler != nil)
    try model.set("rescale.scale", to: Tensor(shape: [2], values: [0.5, 0.1]))
    let ready = try Preparation(model, data)
    #expect(ready.preprocessing.inputScaler == nil && ready.preprocessing.targetScaler != nil)
    #expect(ready.notes.contains { "\($0)".contains("because the model scales them itself (rescale)") })
    #expect(try Preparation(model, data, scaler: ScalerChoice(.refit)).preprocessing.inputScaler != nil)
  }
}
