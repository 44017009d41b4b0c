import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Which rule moves the weights, with its numbers; exactly as in `torch.optim`.
public enum Optimizer: Sendable, Equatable, Codable {
  /// Stochastic gradient descent, maybe with (Nesterov) momentum: `torch.optim.SGD`.
  case sgd(
    learningRate: Double, momentum: Double = 0, dampening: Double = 0, isNesterov: Bool = false, weightDecay: Double = 0
  )
  /// Adam with L2 regularization (Kingma and Ba 2014): `torch.optim.Adam`.
  case adam(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0, isAMSGrad: Bool = false)
  /// Adam with decoupled weight decay (Loshchilov and Hutter 2017): `torch.optim.AdamW`.
  case adamW(
    learningRate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    weightDecay: Double = 0.01, isAMSGrad: Bool = false)

  /// Before schedule and recipe.
  public var learningRate: Double {
    switch self {
    case .sgd(let rate, _, _, _, _), .adam(let rate, _, _, _, _, _), .adamW(let rate, _, _, _, _, _): rate
    }
  }

  /// `adam`, `sgd`, ...
  public var name: String {
    switch self {
    case .sgd: "sgd"
    case .adam: "adam"
    case .adamW: "adamw"
    }
  }
}

/// The state of one rule over the trainable parameters. Frozen ones have none, and are never touched.
public final class OptimizerState {
  /// The rule, with its learning rate before schedule and recipe.
  public let rule: Optimizer
  /// For each of the trainable parameters, the steps that it has taken: fewer for those that were unfrozen later.
  public private(set) var steps: [Int]
  private let trainable: [Bool]
  private let updates: ParameterUpdates
  // First and second moment (and AMSGrad's maximum), or the momentum; of trainable parameters only.
  private let first: ParameterStore
  private let second: ParameterStore?
  private let largest: ParameterStore?

  /// For each of the model's parameters.
  private let decays: [Bool]
  /// For each of them, the elements that move.
  private let parts: [[Range<Int>]]

  /// - Parameters:
  ///   - weights: gives the parameters' shapes.
  ///   - trainable: which of them move, at any time.
  ///   - parts: for each parameter, the elements that move; nil for all.
  ///   - decays: which of them the weight decay is for; nil for all.
  public init(
    _ rule: Optimizer, weights: ParameterStore, trainable: [Bool], parts: [[Range<Int>]]? = nil,
    decays: [Bool]? = nil, kernels: Kernels = .best
  ) {
    self.rule = rule
    self.trainable = trainable
    self.decays = decays ?? trainable
    self.parts = parts ?? weights.slots.map { [0..<$0.count] }
    updates = ParameterUpdates(kernels)
    steps = trainable.filter(\.self).map { _ in 0 }
    let moving = zip(weights.slots, trainable).filter(\.1).map(\.0.specification)
    first = ParameterStore(moving)
    switch rule {
    case .sgd: (second, largest) = (nil, nil)
    case .adam(_, _, _, _, _, let isAMSGrad), .adamW(_, _, _, _, _, let isAMSGrad):
      second = ParameterStore(moving)
      largest = isAMSGrad ? ParameterStore(moving) : nil
    }
  }

  /// One step. `gradients` has the layout of `weights`.
  /// - Parameters:
  ///   - active: of the trainable parameters, those that move now; nil for all. The others keep their moments.
  ///   - rates: for each of the model's parameters; nil for the rule's own.
  ///   - momentum: in place of the rule's momentum or beta1.
  public func step(
    _ weights: ParameterStore, _ gradients: ParameterStore, active: [Bool]? = nil, rates: [Double]? = nil,
    momentum: Double? = nil
  ) {
    var place = -1
    for (index, slot) in weights.slots.enumerated() where trainable[index] {
      place += 1
      guard active?[index] ?? true else { continue }
      steps[place] += 1
      for part in parts[index] {
        let state = first.slots[place].offset + part.lowerBound
        let w = weights.pointer + slot.offset + part.lowerBound
        let g = gradients.pointer + slot.offset + part.lowerBound
        switch rule {
        case .sgd(let rate, let own, let dampening, let isNesterov, let decay):
          updates.sgd(
            part.count, g, momentum: first.pointer + state, w, learningRate: rates?[index] ?? rate,
            momentumFactor: momentum ?? own, dampening: dampening, isNesterov: isNesterov,
            weightDecay: decays[index] ? decay : 0, isFirst: steps[place] == 1)
        case .adam(let rate, let beta1, let beta2, let epsilon, let decay, _),
          .adamW(let rate, let beta1, let beta2, let epsilon, let decay, _):
          guard let second else { continue }
          var isDecoupled = false
          if case .adamW = rule { isDecoupled = true }
          updates.adam(
            part.count, g, first: first.pointer + state, second: second.pointer + state,
            largest: largest.map { $0.pointer + state }, w, learningRate: rates?[index] ?? rate,
            beta1: momentum ?? beta1, beta2: beta2, epsilon: epsilon, weightDecay: decays[index] ? decay : 0,
            isDecoupled: isDecoupled, step: steps[place])
        }
      }
    }
  }

  // MARK: - Resuming

  private var stores: [(prefix: String, store: ParameterStore)] {
    [("training/first/", first), ("training/second/", second), ("training/largest/", largest)].compactMap {
      prefix, store in store.map { (prefix, $0) }
    }
  }

  /// Everything between two steps, as tensors `training/first/<parameter>` and so on.
  var moments: [StoredTensor] { stores.flatMap { $0.store.tensors($0.prefix) } }

  /// Restores what `moments` returned.
  /// - Throws: `CheckpointError` when a tensor is missing or of another shape.
  func restore(_ tensors: [StoredTensor], steps: [Int]) throws {
    let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
    for (prefix, store) in stores {
      try store.restore(prefix, orThrow: "the optimizer's state is missing or of another shape") { byName[$0] }
    }
    guard steps.count == self.steps.count else {
      throw CheckpointError.corrupt(tensor: "training/state", detail: "the optimizer's steps are of another model")
    }
    self.steps = steps
  }
}
