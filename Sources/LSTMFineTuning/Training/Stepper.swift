import LSTMLayers

/// What one optimiser step needs, made once for a run. A step on a batch no larger than one before allocates nothing.
final class Stepper {
  private let tuner: FineTuner
  private let network: Network
  private let plan: GradientPlan
  private let runner: BatchRunner
  private let updates: ParameterUpdates
  let gradients: ParameterStore
  private let optimiser: Optimiser

  init(_ tuner: FineTuner, _ network: Network, _ kernels: Kernels) {
    self.tuner = tuner
    self.network = network
    plan = GradientPlan(network.configuration, trainable: tuner.plan.trainable)
    runner = BatchRunner(network, loss: tuner.loss)
    updates = ParameterUpdates(kernels)
    gradients = ParameterStore(network.configuration.parameters)
    optimiser = Optimiser(
      tuner.optimiser, weights: network.weights, trainable: tuner.plan.trainable, kernels: kernels)
  }

  /// Forward, loss, backward, clipping, update.
  /// - Parameter cache: what the frozen prefix gives for all of `data`, or nil to compute it.
  /// - Returns: the loss and the gradient's norm before clipping; nil, with nothing moved, when no target of these
  ///   examples counts.
  /// - Throws: `FineTuningError.diverged` before the weights are touched.
  func step(
    _ data: SequenceData, cache: PrefixCache? = nil, _ examples: ArraySlice<Int>, epoch: Int, step: Int
  ) throws -> (loss: Loss.Sum, norm: Double)? {
    let trainable = plan.trainable
    let draw = Regularisation.Draw(
      tuner.options.regularisation, seed: tuner.options.seed, step: epoch << 32 | step)
    let (_, loss) = try runner.run(data, cache, examples, for: plan, regularisation: draw)
    guard loss.weight > 0 else { return nil }
    guard loss.mean.isFinite else {
      throw FineTuningError.diverged(epoch: epoch, step: step, detail: "the loss is \(plain(loss.mean))")
    }
    zeroGradients()
    network.backward(runner.gradient.pointer, into: gradients, plan)
    let norm = updates.norm(gradients, where: trainable)
    guard norm.isFinite else {
      throw FineTuningError.diverged(epoch: epoch, step: step, detail: "the gradient's norm is \(plain(norm))")
    }
    if let limit = tuner.options.clipNorm, limit / (norm + 1e-6) < 1 {
      updates.scale(gradients, by: Float(limit / (norm + 1e-6)), where: trainable)
    }
    optimiser.step(network.weights, gradients)
    network.weightsChanged(trainable)
    return (loss, norm)
  }

  /// Of what trains alone: the others never get any, and a frozen embedding may be most of the model.
  private func zeroGradients() {
    for (slot, trains) in zip(gradients.slots, plan.trainable) where trains {
      (gradients.pointer + slot.offset).update(repeating: 0, count: slot.count)
    }
  }

  /// The model with the weights as they are now.
  /// - Throws: `FineTuningError.diverged` when one of them is not finite: gates saturate, so that the loss alone may
  ///   not show it.
  func weights(in model: LSTMModel, epoch: Int, step: Int) throws(FineTuningError) -> LSTMModel {
    guard updates.norm(network.weights, where: plan.trainable).isFinite else {
      throw .diverged(epoch: epoch, step: step, detail: "a weight is no longer a finite number")
    }
    return model.replacing(weights: network.weights, changed: plan.trainable)
  }
}

/// A number that is not finite, without the sign that some NaNs have.
func plain(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }
