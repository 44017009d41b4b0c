import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Runs of the loop with low-rank adapters.
@Suite struct LowRankTrainingTests {
  @Test func onlyTheAdaptedMatricesAndTheHeadMove() throws {
    let (model, data) = (featureModel(), try featureData(10))
    let plan = try FreezePlan(model, lora: LoRA(rank: 2, alpha: 4, targets: ["layer1"]))
    let tuner = FineTuner(plan, optimizer: .adam(learningRate: 0.01), options: .init(epochs: 2, batchSize: 4))
    let run = try tuner.fit(model, data)
    for parameter in model.configuration.parameters {
      let moves =
        parameter.name.hasPrefix("head") || parameter.name.hasPrefix("lstm.weight_") && parameter.name.contains("_l1")
      #expect((run.last[parameter.name] != model[parameter.name]) == moves, "\(parameter.name)")
    }
  }

  /// W - W0 has the adapters' rank: every 3 x 3 minor of it is nearly zero.
  @Test func theDifferenceHasTheRankOfTheAdapters() throws {
    let (model, data) = (featureModel(), try featureData(10))
    let plan = try FreezePlan(model, lora: LoRA(rank: 2, alpha: 4, targets: ["layer1"]))
    let run = try FineTuner(plan, optimizer: .adam(learningRate: 0.05), options: .init(epochs: 5, batchSize: 4)).fit(
      model, data)
    let (new, old) = (try #require(run.last["lstm.weight_hh_l1"]), try #require(model["lstm.weight_hh_l1"]))
    let columns = new.shape[1]
    let d = zip(new.values, old.values).map { Double($0) - Double($1) }
    let size = d.reduce(0) { max($0, abs($1)) }
    #expect(columns >= 3 && size > 1e-3)
    func m(_ i: Int, _ j: Int) -> Double { d[i * columns + j] / size }
    for i in 0..<new.shape[0] - 2 {
      let minor =
        m(i, 0) * (m(i + 1, 1) * m(i + 2, 2) - m(i + 1, 2) * m(i + 2, 1))
        - m(i, 1) * (m(i + 1, 0) * m(i + 2, 2) - m(i + 1, 2) * m(i + 2, 0))
        + m(i, 2) * (m(i + 1, 0) * m(i + 2, 1) - m(i + 1, 1) * m(i + 2, 0))
      #expect(abs(minor) < 1e-4, "rows from \(i)")
    }
  }

  @Test func thePlanCountsAdapters() throws {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)], readout: .last,
      head: [.init(size: 2)])
    let plan = try FreezePlan(configuration, lora: LoRA(rank: 2, alpha: 2, targets: ["layer1"]))
    // Two matrices (16, 4) with a rank of 2, and the head.
    #expect(plan.trainableCount == 2 * 2 * (16 + 4) + 10)
    #expect(plan.groups.map(\.status) == [.frozen, .lowRank, .trainable])
  }
}
