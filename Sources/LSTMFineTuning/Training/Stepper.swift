import LSTMLayers

/// What one optimiser step needs, made once for a run.
final class Stepper {
  private let tuner: FineTuner
  private let network: Network
  private let updates: ParameterUpdates
  private let gradients: ParameterStore
  private let optimiser: Optimiser

  init(_ tuner: FineTuner, _ network: Network, _ kernels: Kernels) {
    self.tuner = tuner
    self.network = network
    updates = ParameterUpdates(kernels)
    gradients = ParameterStore(network.configuration.parameters)
    optimiser = Optimiser(
      tuner.optimiser, weights: network.weights, trainable: tuner.plan.trainable, kernels: kernels)
  }

  /// Forward, loss, backward, clipping, update.
  /// - Returns: the loss and the gradient's norm before clipping; nil, with nothing moved, when no target of these
  ///   examples counts.
  /// - Throws: `FineTuningError.diverged` before the weights are touched.
  func step(
    _ data: SequenceData, _ examples: ArraySlice<Int>, epoch: Int, step: Int
  ) throws -> (loss: Loss.Value, norm: Double)? {
    let trainable = tuner.plan.trainable
    let output = try network.forward(data.batch(examples), output: tuner.loss.outputForm)
    let value = try tuner.loss.evaluate(output, data.targetBatch(examples), lengths: data.lengthBatch(examples))
    guard value.count > 0 else { return nil }
    guard value.mean.isFinite else {
      throw FineTuningError.diverged(epoch: epoch, step: step, detail: "the loss is \(plain(value.mean))")
    }
    zeroGradients()
    try network.backward(value.gradient, into: gradients, trainable: trainable)
    let norm = updates.norm(gradients, where: trainable)
    guard norm.isFinite else {
      throw FineTuningError.diverged(epoch: epoch, step: step, detail: "the gradient's norm is \(plain(norm))")
    }
    if let limit = tuner.options.clipNorm, limit / (norm + 1e-6) < 1 {
      updates.scale(gradients, by: Float(limit / (norm + 1e-6)), where: trainable)
    }
    optimiser.step(network.weights, gradients)
    network.weightsChanged(trainable)
    return (value, norm)
  }

  /// Of what trains alone: the others never get any, and a frozen embedding may be most of the model.
  private func zeroGradients() {
    for (slot, trains) in zip(gradients.slots, tuner.plan.trainable) where trains {
      (gradients.pointer + slot.offset).update(repeating: 0, count: slot.count)
    }
  }

  /// The model with the weights as they are now.
  /// - Throws: `FineTuningError.diverged` when one of them is not finite: gates saturate, so that the loss alone may
  ///   not show it.
  func weights(in model: LSTMModel, epoch: Int, step: Int) throws(FineTuningError) -> LSTMModel {
    let trainable = tuner.plan.trainable
    guard updates.norm(network.weights, where: trainable).isFinite else {
      throw .diverged(epoch: epoch, step: step, detail: "a weight is no longer a finite number")
    }
    return model.replacing(weights: network.weights, changed: trainable)
  }
}

/// A number that is not finite, without the sign that some NaNs have.
func plain(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }
