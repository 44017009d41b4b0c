import LSTMLayers

/// Which rule moves the weights, with its numbers; exactly as in `torch.optim`.
public enum OptimiserRule: Sendable, Equatable {
  case sgd(
    learningRate: Double, momentum: Double = 0, dampening: Double = 0, isNesterov: Bool = false, weightDecay: Double = 0
  )
  case adam(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, isAMSGrad: Bool = false)
  case adamW(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0.01, isAMSGrad: Bool = false)

  public var learningRate: Double {
    switch self {
    case .sgd(let rate, _, _, _, _), .adam(let rate, _, _, _, _, _), .adamW(let rate, _, _, _, _, _): rate
    }
  }

  public var name: String {
    switch self {
    case .sgd: "sgd"
    case .adam: "adam"
    case .adamW: "adamw"
    }
  }
}

/// The state of one rule over the trainable parameters. Frozen ones have none, and are never touched.
public final class Optimiser {
  public let rule: OptimiserRule
  public private(set) var steps = 0
  private let trainable: [Bool]
  private let updates: ParameterUpdates
  // First and second moment (and AMSGrad's maximum), or the momentum; of trainable parameters only.
  private let first: ParameterStore
  private let second: ParameterStore?
  private let largest: ParameterStore?

  /// - Parameter weights: gives the parameters' shapes; `trainable` says which of them move.
  public init(_ rule: OptimiserRule, weights: ParameterStore, trainable: [Bool], kernels: Kernels = .best) {
    self.rule = rule
    self.trainable = trainable
    updates = ParameterUpdates(kernels)
    let moving = zip(weights.slots, trainable).filter(\.1).map(\.0.specification)
    first = ParameterStore(moving)
    switch rule {
    case .sgd: (second, largest) = (nil, nil)
    case .adam(_, _, _, _, _, let isAMSGrad), .adamW(_, _, _, _, _, let isAMSGrad):
      second = ParameterStore(moving)
      largest = isAMSGrad ? ParameterStore(moving) : nil
    }
  }

  /// Numbers kept between steps.
  var stateCount: Int {
    [first, second, largest].compactMap(\.self).flatMap(\.slots).reduce(0) { $0 + $1.count }
  }

  /// One step. `gradients` has the layout of `weights`.
  public func step(_ weights: ParameterStore, _ gradients: ParameterStore) {
    steps += 1
    var place = 0
    for (index, slot) in weights.slots.enumerated() where trainable[index] {
      let state = first.slots[place].offset
      place += 1
      let w = weights.pointer + slot.offset
      let g = gradients.pointer + slot.offset
      switch rule {
      case .sgd(let rate, let momentum, let dampening, let isNesterov, let decay):
        updates.sgd(
          slot.count, g, momentum: first.pointer + state, w, learningRate: rate, momentumFactor: momentum,
          dampening: dampening, isNesterov: isNesterov, weightDecay: decay, isFirst: steps == 1)
      case .adam(let rate, let beta1, let beta2, let epsilon, let decay, _),
        .adamW(let rate, let beta1, let beta2, let epsilon, let decay, _):
        guard let second else { continue }
        var isDecoupled = false
        if case .adamW = rule { isDecoupled = true }
        updates.adam(
          slot.count, g, first: first.pointer + state, second: second.pointer + state,
          largest: largest.map { $0.pointer + state }, w, learningRate: rate, beta1: beta1, beta2: beta2,
          epsilon: epsilon,
          weightDecay: decay, isDecoupled: isDecoupled, step: steps)
      }
    }
  }
}
