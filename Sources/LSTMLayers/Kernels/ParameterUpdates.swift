import CLSTMKernels
import Foundation

/// The flat loops that move weights, for whoever trains.
public struct ParameterUpdates: Sendable {
  private let kernels: Kernels

  public init(_ kernels: Kernels = .best) { self.kernels = kernels }

  /// torch.optim.Adam, or AdamW when decoupled, on `count` weights.
  public func adam(
    _ count: Int, _ gradient: UnsafePointer<Float>, first: UnsafeMutablePointer<Float>,
    second: UnsafeMutablePointer<Float>, largest: UnsafeMutablePointer<Float>?, _ weights: UnsafeMutablePointer<Float>,
    learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, isDecoupled: Bool,
    step: Int
  ) {
    var rule = lstmk_adam()
    rule.learning_rate = learningRate
    rule.beta1 = beta1
    rule.beta2 = beta2
    rule.epsilon = epsilon
    rule.weight_decay = weightDecay
    rule.decoupled = isDecoupled ? 1 : 0
    rule.bias_correction1 = 1 - pow(beta1, Double(step))
    rule.bias_correction2 = 1 - pow(beta2, Double(step))
    kernels.table.pointee.adam(&rule, count, gradient, first, second, largest, weights)
  }

  /// torch.optim.SGD on `count` weights.
  public func sgd(
    _ count: Int, _ gradient: UnsafePointer<Float>, momentum: UnsafeMutablePointer<Float>,
    _ weights: UnsafeMutablePointer<Float>, learningRate: Double, momentumFactor: Double, dampening: Double,
    isNesterov: Bool, weightDecay: Double, isFirst: Bool
  ) {
    var rule = lstmk_sgd()
    rule.learning_rate = learningRate
    rule.momentum = momentumFactor
    rule.dampening = dampening
    rule.weight_decay = weightDecay
    rule.nesterov = isNesterov ? 1 : 0
    rule.first_step = isFirst ? 1 : 0
    kernels.table.pointee.sgd(&rule, count, gradient, momentum, weights)
  }

  /// The L2 norm over some parameters of a store.
  public func norm(_ store: ParameterStore, where chosen: [Bool]) -> Double {
    var sum = 0.0
    for (slot, isChosen) in zip(store.slots, chosen) where isChosen {
      sum += kernels.table.pointee.sum_of_squares(slot.count, store.pointer + slot.offset)
    }
    return sum.squareRoot()
  }

  public func scale(_ store: ParameterStore, by factor: Float, where chosen: [Bool]) {
    for (slot, isChosen) in zip(store.slots, chosen) where isChosen {
      kernels.table.pointee.scale(slot.count, factor, store.pointer + slot.offset)
    }
  }
}
