import LSTMLayers

/// What one optimiser step needs, made once for a run. A step on a batch no larger than one before allocates nothing.
final class Stepper {
  private let tuner: FineTuner
  private let network: Network
  /// For each phase of the freeze plan.
  private let plans: [GradientPlan]
  private let runner: BatchRunner
  private let updates: ParameterUpdates
  let gradients: ParameterStore
  let optimiser: Optimiser
  /// For each phase and parameter, its rate before the schedule.
  private let phaseRates: [[Double]]
  private var rates: [Double]
  /// For each parameter, the sum of its squared gradients in the last step.
  private(set) var squares: [Double]

  init(_ tuner: FineTuner, _ network: Network, _ kernels: Kernels) {
    self.tuner = tuner
    self.network = network
    let plan = tuner.plan
    plans = plan.phases.map { GradientPlan(network.configuration, trainable: $0.trainable) }
    runner = BatchRunner(network, loss: tuner.loss)
    updates = ParameterUpdates(kernels)
    gradients = ParameterStore(network.configuration.parameters)
    optimiser = Optimiser(
      tuner.optimiser, weights: network.weights, trainable: plan.trainable,
      decays: plan.parameters.map { tuner.options.decaysBiases || $0.shape.count > 1 }, kernels: kernels)
    phaseRates = plan.phases.indices.map { plan.rates(base: tuner.optimiser.learningRate, phase: $0) }
    rates = phaseRates[0]
    squares = plan.parameters.map { _ in 0 }
  }

  /// Where in the run a step is.
  struct Place {
    /// From 1.
    var epoch: Int
    /// From 1, in the epoch.
    var step: Int
    var pace = Schedule.Pace(rate: 1)
  }

  /// Forward, loss, backward, clipping, update.
  /// - Parameter cache: what the frozen prefix gives for all of `data`, or nil to compute it.
  /// - Returns: the loss, the gradient's norm before clipping, and the highest of the learning rates; nil, with nothing
  ///   moved, when no target of these examples counts.
  /// - Throws: `FineTuningError.diverged` before the weights are touched.
  func step(
    _ data: SequenceData, cache: PrefixCache? = nil, _ examples: ArraySlice<Int>, _ place: Place
  ) throws -> (loss: Loss.Sum, norm: Double, learningRate: Double)? {
    let phase = tuner.plan.phase(ofEpoch: place.epoch)
    let plan = plans[phase]
    let trainable = plan.trainable
    let (_, loss) = try runner.run(data, cache, examples, for: plan)
    guard loss.count > 0 else { return nil }
    guard loss.mean.isFinite else {
      throw FineTuningError.diverged(
        epoch: place.epoch, step: place.step, detail: "the loss is \(plain(loss.mean))")
    }
    zeroGradients(trainable)
    network.backward(runner.gradient.pointer, into: gradients, plan)
    var (square, fastest) = (0.0, 0.0)
    for index in trainable.indices where trainable[index] {
      squares[index] = updates.sumOfSquares(gradients, index)
      square += squares[index]
      rates[index] = phaseRates[phase][index] * place.pace.rate
      fastest = max(fastest, rates[index])
    }
    let norm = square.squareRoot()
    guard norm.isFinite else {
      throw FineTuningError.diverged(
        epoch: place.epoch, step: place.step, detail: "the gradient's norm is \(plain(norm))")
    }
    if let limit = tuner.options.clipNorm, limit / (norm + 1e-6) < 1 {
      updates.scale(gradients, by: Float(limit / (norm + 1e-6)), where: trainable)
    }
    optimiser.step(network.weights, gradients, active: trainable, rates: rates, momentum: place.pace.momentum)
    network.weightsChanged(trainable)
    return (loss, norm, fastest)
  }

  /// For each layer that the last step's gradient went through, from the input up, its gates' gradient norms by time step.
  func gateNorms(epoch: Int) -> [String: [Double]] {
    var norms: [String: [Double]] = [:]
    for layer in plans[tuner.plan.phase(ofEpoch: epoch)].layers {
      norms["layer\(layer)"] = network.gateGradientNorms(layer: layer)
    }
    return norms
  }

  /// Of what trains alone: the others never get any, and a frozen embedding may be most of the model.
  private func zeroGradients(_ trainable: [Bool]) {
    for (slot, trains) in zip(gradients.slots, trainable) where trains {
      (gradients.pointer + slot.offset).update(repeating: 0, count: slot.count)
    }
  }

  /// The model with the weights as they are now.
  /// - Throws: `FineTuningError.diverged` when one of them is not finite: gates saturate, so that the loss alone may
  ///   not show it.
  func weights(in model: LSTMModel, epoch: Int, step: Int) throws(FineTuningError) -> LSTMModel {
    guard updates.norm(network.weights, where: tuner.plan.trainable).isFinite else {
      throw .diverged(epoch: epoch, step: step, detail: "a weight is no longer a finite number")
    }
    return model.replacing(weights: network.weights, changed: tuner.plan.trainable)
  }
}

/// A number that is not finite, without the sign that some NaNs have.
func plain(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }
