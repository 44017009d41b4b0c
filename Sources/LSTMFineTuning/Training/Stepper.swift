import FileIO
import LSTMCheckpoints
import LSTMLayers

/// What one optimizer step needs, made once for a run. A step on a batch no larger than one before allocates nothing.
final class Stepper {
  private let tuner: FineTuner
  private let network: Network
  /// For each phase of the freeze plan.
  private let plans: [GradientPlan]
  private let runner: BatchRunner
  private let updates: ParameterUpdates
  let gradients: ParameterStore
  private let optimizer: OptimizerState
  /// For each phase, the parameters that the optimizer moves itself.
  private let dense: [[Bool]]
  private var lowRank: LowRankTraining?
  /// For each phase and parameter, its rate before the schedule.
  private let phaseRates: [[Double]]
  private var rates: [Double]
  /// For each parameter, the sum of its squared gradients in the last step.
  private(set) var squares: [Double]

  /// The low-rank adapters, and what moves them.
  private struct LowRankTraining {
    let adapters: LowRankAdapters
    let optimizer: OptimizerState
    /// For each of the adapters' parameters.
    var active: [Bool]
    var rates: [Double]
  }

  /// - Throws: `FineTuningError` when the plan's adapters do not fit the network, `ShapeError` for losses of outputs that it
  ///   does not have.
  init(_ tuner: FineTuner, _ network: Network, _ kernels: Kernels) throws {
    self.tuner = tuner
    self.network = network
    let plan = tuner.plan
    plans = plan.phases.map { GradientPlan(network.configuration, trainable: $0.trainable) }
    runner = try BatchRunner(network, tuner.objective)
    updates = ParameterUpdates(kernels)
    gradients = ParameterStore(network.configuration.parameters)
    // Running statistics move, but by no gradient; and what only an output without a loss depends on gets none.
    let counts = network.configuration.countingParameters(for: tuner.objective)
    let isMovedHere = plan.parameters.indices.map {
      !plan.adapted[$0] && plan.parameters[$0].part.isTrainable && counts[$0]
    }
    dense = plan.phases.map { zip($0.trainable, isMovedHere).map { $0 && $1 } }
    optimizer = OptimizerState(
      tuner.optimizer, weights: network.weights, trainable: zip(plan.trainable, isMovedHere).map { $0 && $1 },
      parts: plan.parts, decays: plan.parameters.map { tuner.options.decaysBiases || $0.shape.count > 1 },
      kernels: kernels)
    phaseRates = plan.phases.indices.map { plan.rates(base: tuner.optimizer.learningRate, phase: $0) }
    rates = phaseRates[0]
    squares = plan.parameters.map { _ in 0 }
    if plan.lora != nil {
      let adapters = try LowRankAdapters(network, plan: plan, seed: tuner.options.seed)
      lowRank = LowRankTraining(
        adapters: adapters,
        optimizer: OptimizerState(
          tuner.optimizer, weights: adapters.parameters, trainable: adapters.all, kernels: kernels),
        active: adapters.all, rates: adapters.all.map { _ in 0 })
    } else {
      lowRank = nil
    }
  }

  /// Where in the run a step is.
  struct Place {
    /// From 1.
    var epoch: Int
    /// From 1, in the epoch.
    var step: Int
    var factors = Schedule.Factors(rate: 1)
  }

  /// Forward, loss, backward, clipping, update.
  /// - Parameters:
  ///   - cache: cached outputs of frozen layers for all of `data`, or nil to compute it.
  ///   - carried: the states of streams, to go on from and to leave there.
  /// - Returns: the loss, the gradient's norm before clipping, and the highest of the learning rates; nil, with nothing
  ///   moved, when no target of these examples counts.
  /// - Throws: `FineTuningError.diverged` before the weights are touched.
  func step(
    _ data: some ExampleRows, cache: PrefixCache? = nil, _ examples: ArraySlice<Int>, _ place: Place,
    carrying carried: CarriedState? = nil
  ) throws -> (loss: Loss.Sum, norm: Double, learningRate: Double)? {
    let phase = tuner.plan.phase(ofEpoch: place.epoch)
    let plan = plans[phase]
    let trainable = plan.trainable
    let (_, loss) = try runner.run(
      data, cache, examples, for: plan, carrying: carried, regularization: tuner.draw(place))
    guard loss.weight > 0 else { return nil }
    guard loss.mean.isFinite else {
      throw FineTuningError.diverged(
        epoch: place.epoch, step: place.step, detail: "the loss is \(plain(loss.mean))")
    }
    zeroGradients(trainable)
    network.backward(runner.gradients.first, others: runner.gradients.others, into: gradients, plan)
    var (square, fastest) = (0.0, 0.0)
    for index in trainable.indices where trainable[index] {
      rates[index] = phaseRates[phase][index] * place.factors.rate
      fastest = max(fastest, rates[index])
      squares[index] = 0
      if dense[phase][index] {
        for part in tuner.plan.parts[index] { squares[index] += updates.sumOfSquares(gradients, index, part) }
      }
      square += squares[index]
    }
    square += projectOnAdapters(trainable)
    let norm = square.squareRoot()
    guard norm.isFinite else {
      throw FineTuningError.diverged(
        epoch: place.epoch, step: place.step, detail: "the gradient's norm is \(plain(norm))")
    }
    if let limit = tuner.options.clipNorm, limit / (norm + 1e-6) < 1 {
      updates.scale(gradients, by: Float(limit / (norm + 1e-6)), where: dense[phase], parts: tuner.plan.parts)
      if let lowRank {
        updates.scale(lowRank.adapters.gradients, by: Float(limit / (norm + 1e-6)), where: lowRank.active)
      }
    }
    optimizer.step(network.weights, gradients, active: dense[phase], rates: rates, momentum: place.factors.momentum)
    if let lowRank {
      lowRank.optimizer.step(
        lowRank.adapters.parameters, lowRank.adapters.gradients, active: lowRank.active, rates: lowRank.rates,
        momentum: place.factors.momentum)
      lowRank.adapters.apply(to: network.weights)
    }
    network.weightsChanged(trainable)
    return (loss, norm, fastest)
  }

  /// Makes the adapters' gradients of the matrices', and settles which of them move and how fast.
  /// - Returns: the sum of their squares.
  private func projectOnAdapters(_ trainable: [Bool]) -> Double {
    guard let adapters = lowRank?.adapters else { return 0 }
    adapters.project(gradients)
    var sum = 0.0
    for pair in adapters.pairs {
      for place in [pair.a, pair.b] {
        lowRank?.active[place] = trainable[pair.owner]
        lowRank?.rates[place] = rates[pair.owner]
      }
      guard trainable[pair.owner] else { continue }
      let square = updates.sumOfSquares(adapters.gradients, pair.a) + updates.sumOfSquares(adapters.gradients, pair.b)
      squares[pair.owner] += square
      sum += square
    }
    return sum
  }

  // MARK: - Resuming

  /// The optimizers' steps for each parameter, those of adapters last.
  var optimizerSteps: [Int] { optimizer.steps + (lowRank?.optimizer.steps ?? []) }

  /// The optimizers' moments, and the adapters.
  var stateTensors: [StoredTensor] {
    guard let lowRank else { return optimizer.moments }
    return optimizer.moments + lowRank.optimizer.moments + lowRank.adapters.parameters.tensors("training/adapters/")
  }

  /// Restores what `stateTensors` returned; not the network's weights, which have to be those of a network that had the
  /// run's first ones when this was made.
  /// - Throws: `CheckpointError.corrupt`.
  func restore(_ tensors: [StoredTensor], steps: [Int]) throws {
    let count = optimizer.steps.count
    guard let lowRank else { return try optimizer.restore(tensors, steps: steps) }
    guard steps.count >= count else {
      throw CheckpointError.corrupt(tensor: "training/state", detail: "the optimizer's steps are of another model")
    }
    try optimizer.restore(tensors, steps: Array(steps[..<count]))
    try lowRank.optimizer.restore(tensors, steps: Array(steps[count...]))
    try lowRank.adapters.parameters.restore(
      "training/adapters/", orThrow: "the adapter is missing or of another shape"
    ) { name in tensors.first { $0.name == name } }
  }

  /// For each layer that the last step's gradient went through, from the input up, its gates' gradient norms by time step.
  func gateNorms(epoch: Int) -> [String: [Double]] {
    var norms: [String: [Double]] = [:]
    let layers = network.configuration.recurrentLayers
    for layer in plans[tuner.plan.phase(ofEpoch: epoch)].recurrentLayers {
      norms[layers[layer].name] = network.gateGradientNorms(layer: layer)
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

extension FineTuner {
  /// What regularization draws for a step.
  func draw(_ place: Stepper.Place) -> Regularization.Draw {
    Regularization.Draw(options.regularization, seed: options.seed, step: place.epoch << 32 | place.step)
  }
}
