import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct PreparationTests {
  private static func table(_ rows: Int = 120) throws -> CSVTable {
    let text = "a,b\n" + (0..<rows).map { "\($0 % 13),\(100 + $0 % 7)\n" }.joined()
    return try CSVTable(bytes: Array(text.utf8), name: "mine.csv")
  }

  private static func series() throws -> SeriesData {
    try SeriesData(table(), features: ["a", "b"], targets: ["b"], window: 5, horizon: 2)
  }

  @Test func scalersOfATableAreFittedOnTheTrainingPartAlone() throws {
    let series = try Self.series()
    let ready = try Preparation(featureModel(2, outputs: 2), series, split: SplitChoice(fraction: 0.25))
    let parts = try series.split(.fraction(0.25))
    let scalers = series.scalers(parts.trainingRows)
    #expect(ready.preprocessing.inputScaler == scalers.inputs && ready.preprocessing.targetScaler == scalers.targets)
    #expect(ready.loss == .meanSquaredError && ready.training.sequences.count == parts.training.count)
    #expect(ready.validation?.sequences.count == parts.validation?.count)
    #expect(ready.model.preprocessing == ready.preprocessing)
  }

  @Test func scalersOfTheModelAreKept() throws {
    var model = featureModel(2, outputs: 2)
    let own = Scaler(mean: [1, 2], deviation: [3, 4])
    model.preprocessing = Preprocessing(inputScaler: own, targetScaler: Scaler(mean: [5], deviation: [6]))
    let ready = try Preparation(model, Self.series())
    #expect(ready.preprocessing.inputScaler == own)
    model.preprocessing = Preprocessing(inputScaler: Scaler(mean: [1], deviation: [1]))
    let error = #expect(throws: FineTuningError.self) { try Preparation(model, Self.series()) }
    #expect(error?.message.description == "mine.csv: the model's scaler is for 1 features, the data has 2")
  }

  @Test func aRunIsTheOneThatIsPutTogetherByHand() throws {
    let ready = try Preparation(featureModel(2, outputs: 2), Self.series())
    let tuner = FineTuner(try FreezePlan(ready.model), options: .init(epochs: 1))
    let run = try tuner.fit(ready)
    let other = try tuner.fit(
      ready.model, ready.training.sequences, validation: ready.validation?.sequences,
      targetScaler: ready.preprocessing.targetScaler)
    #expect(run.epochs.map(\.trainingLoss) == other.epochs.map(\.trainingLoss))
    #expect(run.epochs.map(\.validation) == other.epochs.map(\.validation))
  }

  @Test func aModelsFileSaysHowToReadATable() throws {
    let ready = try Preparation(featureModel(2, outputs: 2), Self.series())
    let folder = try TemporaryFolder()
    try ready.model.write(path: folder.path("m.h5"))
    let model = try LSTMModel(Checkpoint(path: folder.path("m.h5")))
    let series = try SeriesData(Self.table(5), readAs: model.preprocessing)
    let forecast = try model.predict(series)
    #expect(forecast.shape == [1, 2])
    let evaluator = Evaluator(
      Network(model), loss: .meanSquaredError, targetScaler: ready.preprocessing.targetScaler)
    let raw = try series.lastWindow().scaled(inputs: ready.preprocessing.inputScaler, targets: nil)
    #expect(try evaluator.predict(raw).values == forecast.values)
    let rolling = try model.predict(SeriesData(Self.table(9), readAs: model.preprocessing), isRolling: true)
    #expect(rolling.shape == [5, 2])
    #expect(throws: FineTuningError.self) { try SeriesData(Self.table(), readAs: Preprocessing()) }
  }

  @Test func sequencesAndStreamsDoNotMix() throws {
    let data = try featureData(4)
    let streams = try StreamData(
      SequenceData(
        inputs: .features([Float](repeating: 1, count: 8), steps: 4, size: 2),
        targets: .values([1, 2, 3, 4], size: 1, perStep: true)), chunkSteps: 2)
    let model = featureModel()
    #expect(throws: FineTuningError.self) {
      try FineTuner(try plan(model)).fit(model, data, validation: streams)
    }
  }
}
