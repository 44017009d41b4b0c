import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// What is frozen neither moves nor counts.
@Suite struct FrozenParameterTests {
  static let rules: [Optimizer] = [
    .sgd(learningRate: 0.1, momentum: 0.9, isNesterov: true, weightDecay: 0.1),
    .adam(learningRate: 0.01, weightDecay: 0.1), .adamW(learningRate: 0.01, weightDecay: 0.5, isAMSGrad: true),
  ]

  @Test(arguments: rules, ["layer0", "layer1", "head", "lstm.weight_hh_*", "lstm"])
  func frozenParametersNeitherMoveNorDecay(_ rule: Optimizer, _ selector: String) throws {
    let (model, data) = (featureModel(), try featureData(10))
    let tuner = try makeTuner(model, freezing: [selector], optimizer: rule)
    let run = try tuner.fit(model, data)
    for (parameter, trains) in zip(tuner.plan.parameters, tuner.plan.trainable) {
      let (before, after) = (model[parameter.name], run.last[parameter.name])
      #expect((before?.values.map(\.bitPattern) == after?.values.map(\.bitPattern)) != trains, "\(parameter.name)")
    }
  }

  @Test func frozenParametersHaveNoGradientNoStateAndNoPartInTheNorm() throws {
    let (model, data) = (featureModel(), try featureData(6))
    let frozen = try plan(model, freezing: ["layer0", "head.0.bias"])
    let everything = try plan(model)
    func gradients(_ plan: FreezePlan) throws -> ParameterStore {
      let network = Network(model)
      let store = ParameterStore(model.configuration.parameters)
      let output = try network.forward(data.batch(0..<6))
      let value = try Loss.meanSquaredError.evaluate(output, data.targetBatch(0..<6), lengths: nil)
      try network.backward(value.gradient, into: store, trainable: plan.trainable)
      return store
    }
    let (some, all) = (try gradients(frozen), try gradients(everything))
    var square = 0.0
    for (index, trains) in frozen.trainable.enumerated() {
      #expect(some.values(index) == (trains ? all.values(index) : some.values(index).map { _ in 0 }))
      if trains { square += all.values(index).reduce(0) { $0 + Double($1) * Double($1) } }
    }
    var report = FineTunerTests.Report()
    let tuner = try makeTuner(model, freezing: ["layer0", "head.0.bias"]) { ($0.batchSize, $0.shuffles) = (6, false) }
    _ = try tuner.fit(model, data) { report.add($0) }
    #expect(abs(report.norms[0] - square.squareRoot()) <= 1e-6 * square.squareRoot())
    let full = try gradients(everything).slots.indices.reduce(0.0) { sum, index in
      sum + all.values(index).reduce(0) { $0 + Double($1) * Double($1) }
    }
    #expect(full.squareRoot() > report.norms[0] * 1.01, "the frozen part would have shown")
    let network = Network(model)
    let optimizer = OptimizerState(.adam(isAMSGrad: true), weights: network.weights, trainable: frozen.trainable)
    #expect(optimizer.stateCount == 3 * frozen.trainableCount)
  }

  @Test func clippingScalesByTheNormOfWhatTrains() throws {
    let (model, data) = (featureModel(), try featureData(6))
    func firstStep(clip: Double?) throws -> (norm: Double, moved: [Float]) {
      let tuner = try makeTuner(model, freezing: ["layer0"], optimizer: .sgd(learningRate: 1)) {
        ($0.batchSize, $0.epochs, $0.clipNorm) = (6, 1, clip)
      }
      var report = FineTunerTests.Report()
      let run = try tuner.fit(model, data) { report.add($0) }
      let name = "lstm.weight_ih_l1"
      let moved = zip(try #require(run.last[name]).values, try #require(model[name]).values).map { $0 - $1 }
      return (report.norms[0], moved)
    }
    let free = try firstStep(clip: nil)
    let limit = free.norm / 10
    let clipped = try firstStep(clip: limit)
    #expect(clipped.norm == free.norm, "the norm before clipping")
    let factor = Float(limit / (free.norm + 1e-6))
    #expect(relativeDifference(clipped.moved, free.moved.map { $0 * factor }) <= 1e-4)
    #expect(try firstStep(clip: free.norm * 2).moved == free.moved)
  }

  @Test func aFrozenLayerLetsTheGradientThroughToWhatLiesBelow() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 6, size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)], readout: .mean,
      head: [.init(size: 3, activation: .tanh), .init(size: 1)])
    let model = LSTMModel(configuration, seed: 3)
    let data = try SequenceData(
      inputs: .tokens([0, 1, 2, 3, 1, 2], steps: 3), targets: .values([1, -1], size: 1, perStep: false))
    let changed = { (freezing: [String]) in
      let run = try makeTuner(model, freezing: freezing).fit(model, data)
      return Set(allValues(model).filter { run.last[$0.key]?.values != $0.value }.keys)
    }
    #expect(try changed(["lstm", "head"]) == ["embedding.weight"])
    #expect(try changed(["embedding", "layer1", "head"]) == Set(allValues(model).keys.filter { $0.hasSuffix("_l0") }))
    #expect(try changed(["embedding", "lstm", "head.1"]) == ["head.0.weight", "head.0.bias"])
    // The rows of tokens that do not occur stay.
    let run = try makeTuner(model, freezing: ["lstm", "head"]).fit(model, data)
    let (before, after) = (
      try #require(model["embedding.weight"]).values, try #require(run.last["embedding.weight"]).values
    )
    for token in 0..<6 {
      let rows = token * 3..<(token + 1) * 3
      #expect((before[rows] == after[rows]) == (token > 3), "token \(token)")
    }
  }
}
