import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Twenty steps of gradient descent on models with masks end where Keras' do.
@Suite struct MaskTrainingTests {
  @Test(arguments: ["tagger", "pools", "front", "rows"])
  func twentySteps(_ name: String) throws {
    func path(_ file: String) -> String { fixtures.appendingPathComponent("mask-training/\(file)").path }
    let golden = try Checkpoint(path: path("\(name).npz"))
    let network = Network(try LSTMModel(Checkpoint(path: path("\(name).keras"))))
    let configuration = network.configuration
    let x = try #require(golden["x"])
    let whole =
      configuration.inputs[0].vocabulary == nil
      ? try SequenceBatch(Tensor(shape: x.shape, values: x.floats()))
      : try SequenceBatch(tokens: x.integers().map { Int32($0) }, count: x.shape[0], steps: x.shape[1])
    let batch = try whole.hiding(configuration.mask)
    let hidden = try #require(batch.hidden)
    var targets = try #require(golden["t"]).floats()
    let width = configuration.outputSize
    // Of steps that are hidden from the output nothing is asked.
    let isMasked = configuration.output.isPerStep && configuration.output.clock == 0
    if isMasked { targets = hidden.moved(targets, width: width, filling: 0) }
    let count = isMasked ? hidden.lengths.reduce(0, +) * width : targets.count
    let losses = try #require(golden["losses"]).floats()
    for step in 0..<20 {
      let y = try network.forward(batch, isTraining: true)
      var (loss, gradient) = (0.0, [Float](repeating: 0, count: y.values.count))
      for place in y.values.indices {
        if isMasked, place / width % batch.steps >= hidden.lengths[place / width / batch.steps] { continue }
        let difference = Double(y.values[place]) - Double(targets[place])
        loss += difference * difference / Double(count)
        gradient[place] = Float(2 * difference / Double(count))
      }
      #expect(abs(loss - Double(losses[step])) < 1e-5 * max(1, loss), "step \(step): \(loss), not \(losses[step])")
      let gradients = ParameterStore(configuration.parameters)
      try network.backward(
        Tensor(shape: y.shape, values: gradient), into: gradients,
        trainable: gradients.slots.map { !$0.name.contains("running") })
      for slot in gradients.slots.indices where !gradients.slots[slot].name.contains("running") {
        let (w, d) = (network.weights.pointer(slot), gradients.pointer(slot))
        for place in 0..<gradients.slots[slot].count { w[place] -= 0.1 * d[place] }
      }
      network.weightsChanged()
    }
    let after = try LSTMModel(Checkpoint(path: path("\(name)-after.keras")))
    #expect(after.configuration == configuration)
    for slot in network.weights.slots {
      let found = network.weights.values(try #require(network.weights.index(of: slot.name)))
      let wanted = try #require(after[slot.name]).values
      #expect(relativeDifference(found, wanted) <= 1e-5, "\(slot.name)")
    }
  }
}
