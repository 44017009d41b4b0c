import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct SampleTests {
  @Test(arguments: [(1, 48), (5, 45), (24, 48), (60, 60)])
  func aForecastLiesBesideItsRows(_ horizon: Int, _ expected: Int) throws {
    let rows = (0..<300).map { Float($0 % 17) }
    let csv = "a,b\n" + rows.enumerated().map { "\($1),\($0)\n" }.joined()
    let folder = try TemporaryFolder()
    try csv.write(toFile: folder.path("d.csv"), atomically: true, encoding: .utf8)
    let series = try SeriesData(
      CSVTable(contentsOf: folder.path("d.csv"), options: .init()), features: ["a", "b"], targets: ["b", "a"],
      window: 7,
      horizon: horizon)
    let model = featureModel(2, outputs: 2 * horizon)
    let windows = try #require(try series.split(.fraction(0.4)).validation)
    guard case .forecast(let sample) = try series.sample(of: model, windows, targetScaler: nil) else {
      return #expect(Bool(false))
    }
    #expect(sample.column == "b" && sample.truth == (300 - expected..<300).map { Float($0) })
    // The last window's part is what the model says of it.
    let said = try Evaluator(Network(model), loss: .meanSquaredError).predict(
      windows.selecting([windows.count - 1]))
    #expect(Array(sample.forecast.suffix(horizon)) == (0..<horizon).map { said.values[$0 * 2] })
    #expect(sample.forecast.count == expected)
  }

  @Test func samplesComeBeforeTheFirstStepAndAfterEachEpoch() throws {
    let model = featureModel()
    var tuner = FineTuner(try plan(model), options: .init(epochs: 3))
    tuner.sampling = { .text(prompt: "p", continuation: "\($0.parameters.values(0)[0])") }
    let folder = try TemporaryFolder()
    let run = try RunFolder(folder.path("run"))
    var seen: [String] = []
    let result = try tuner.fit(model, featureData(4)) { event in
      try run.record(event)
      switch event {
      case .start: seen.append("start")
      case .epoch(let record): seen.append("epoch \(record.number)")
      case .sample(.text(_, let text), let epoch):
        seen.append("sample \(epoch)")
        if epoch == 0 { #expect(text == "\(model.parameters.values(0)[0])") }
      case .weights: seen.append("weights")
      case .end: seen.append("end")
      default: break
      }
    }
    let epochs = (1...3).flatMap { ["epoch \($0)", "sample \($0)", "weights"] }
    #expect(seen == ["start", "sample 0", "weights"] + epochs + ["end"])
    let lines = try String(contentsOfFile: run.path + "/log.jsonl", encoding: .utf8).split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }.filter { $0["event"] as? String == "sample" }
    #expect(lines.map { $0["epoch"] as? Int } == [0, 1, 2, 3])
    #expect(lines.last?["text"] as? String == "\(result.last.parameters.values(0)[0])")
  }
}
