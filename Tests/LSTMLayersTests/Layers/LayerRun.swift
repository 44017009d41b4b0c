import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// A model of one or a few layers, with weights that are not the usual ones.
struct LayerRun {
  var model: LSTMModel
  var batch: SequenceBatch
  var isTraining = false

  /// What a pass forward and backward gives.
  struct Result: Equatable {
    var output: [Float]
    var input: [Float] = []
    var gradients: [String: [Float]] = [:]
    var after: [String: [Float]] = [:]
  }

  init(_ model: LSTMModel, _ batch: SequenceBatch, isTraining: Bool = false) {
    (self.model, self.batch, self.isTraining) = (model, batch, isTraining)
  }

  /// Random weights and inputs.
  init(
    _ layers: [Layer], features: Int, channels: Int? = nil, count: Int, steps: Int, lengths: [Int]? = nil,
    isTraining: Bool = false, seed: UInt64 = 1
  ) throws {
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: features), channels: channels)], layers: layers)
    var (model, random) = (LSTMModel(configuration), RandomNumbers(seed: seed))
    for slot in model.parameters.slots {
      let values = (0..<slot.count).map { _ in
        slot.name.hasSuffix("running_var")
          ? 0.2 + random.uniform() : random.normal() / Float(slot.shape.last ?? 1).squareRoot()
      }
      try model.set(slot.name, to: Tensor(shape: slot.shape, values: values))
    }
    let x = Tensor(
      shape: [count, steps, features], values: (0..<count * steps * features).map { _ in random.normal() })
    self.init(model, try SequenceBatch(x, lengths: lengths), isTraining: isTraining)
  }

  /// A weighting of the output, so that the loss is their product.
  func weighting(_ shape: [Int]) -> Tensor {
    var random = RandomNumbers(seed: 77)
    return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in random.normal() })
  }

  func callAsFunction(_ kernels: Kernels = .best, outputGradient: Tensor? = nil) throws -> Result {
    let network = Network(model, kernels: kernels)
    let output = try network.forward(batch, isTraining: isTraining)
    let gradients = ParameterStore(model.configuration.parameters)
    let back = try network.backward(
      outputGradient ?? weighting(output.shape), into: gradients,
      trainable: gradients.slots.map { $0.specification.part.isTrainable }, wantsInput: true)
    var result = Result(output: output.values, input: back?.input.values ?? [])
    for (index, slot) in gradients.slots.enumerated() {
      result.gradients[slot.name] = gradients.values(index)
      result.after[slot.name] = network.weights.values(index)
    }
    return result
  }
}

extension ParameterStore.Slot {
  var shape: [Int] { specification.shape }
}

extension Kernels {
  /// Every path of this machine, on one thread and on several.
  static var all: [Kernels] {
    available.flatMap { kernels in
      [1, 3].map { threads in
        var kernels = kernels
        kernels.threads = threads
        return kernels
      }
    }
  }
}
