import CLSTMKernels
import Foundation

/// Optimizer steps, norms and scaling: flat loops over weights and gradients.
package struct ParameterUpdates: Sendable {
  private let kernels: Kernels

  /// - Parameter kernels: the instruction set and threads to use.
  package init(_ kernels: Kernels = .best) { self.kernels = kernels }

  /// A step of torch.optim.Adam, or of AdamW if decoupled, on `count` weights.
  /// - Parameters:
  ///   - largest: the running maximum of the second moment for AMSGrad, else nil.
  ///   - step: 1 for the first step.
  package func adam(
    _ count: Int, _ gradient: UnsafePointer<Float>, first: UnsafeMutablePointer<Float>,
    second: UnsafeMutablePointer<Float>, largest: UnsafeMutablePointer<Float>?, _ weights: UnsafeMutablePointer<Float>,
    learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, isDecoupled: Bool,
    step: Int
  ) {
    var settings = lstmk_adam()
    settings.learning_rate = learningRate
    settings.beta1 = beta1
    settings.beta2 = beta2
    settings.epsilon = epsilon
    settings.weight_decay = weightDecay
    settings.decoupled = isDecoupled ? 1 : 0
    settings.bias_correction1 = 1 - pow(beta1, Double(step))
    settings.bias_correction2 = 1 - pow(beta2, Double(step))
    let rule = settings
    inParts(count) { part in
      var rule = rule
      let at = part.lowerBound
      kernels.table.pointee.adam(
        &rule, part.count, gradient + at, first + at, second + at, largest.map { $0 + at }, weights + at)
    }
  }

  /// A step of torch.optim.SGD on `count` weights.
  package func sgd(
    _ count: Int, _ gradient: UnsafePointer<Float>, momentum: UnsafeMutablePointer<Float>,
    _ weights: UnsafeMutablePointer<Float>, learningRate: Double, momentumFactor: Double, dampening: Double,
    isNesterov: Bool, weightDecay: Double, isFirst: Bool
  ) {
    var settings = lstmk_sgd()
    settings.learning_rate = learningRate
    settings.momentum = momentumFactor
    settings.dampening = dampening
    settings.weight_decay = weightDecay
    settings.nesterov = isNesterov ? 1 : 0
    settings.first_step = isFirst ? 1 : 0
    let rule = settings
    inParts(count) { part in
      var rule = rule
      let at = part.lowerBound
      kernels.table.pointee.sgd(&rule, part.count, gradient + at, momentum + at, weights + at)
    }
  }

  /// Elements are independent, so results do not depend on the split.
  private func inParts(_ count: Int, _ body: (Range<Int>) -> Void) {
    let parts = kernels.parts(count, each: 1 << 14)
    parallel(parts) { body(share(count, multiple: 16, part: $0, of: parts)) }
  }

  /// The L2 norm over the chosen parameters of a store.
  package func norm(_ store: ParameterStore, where chosen: [Bool]) -> Double {
    var sum = 0.0
    for (index, isChosen) in chosen.enumerated() where isChosen { sum += sumOfSquares(store, index) }
    return sum.squareRoot()
  }

  /// The sum of the squares of one parameter of a store.
  package func sumOfSquares(_ store: ParameterStore, _ index: Int) -> Double {
    sumOfSquares(store, index, 0..<store.slots[index].count)
  }

  /// The sum of the squares of some elements of one parameter.
  package func sumOfSquares(_ store: ParameterStore, _ index: Int, _ part: Range<Int>) -> Double {
    let computing = Computing()
    defer { computing.end() }
    return kernels.table.pointee.sum_of_squares(
      part.count, store.pointer + store.slots[index].offset + part.lowerBound)
  }

  /// Multiplies the chosen parameters of a store by a factor.
  /// - Parameter parts: for each parameter the elements to scale; nil for all.
  package func scale(
    _ store: ParameterStore, by factor: Float, where chosen: [Bool], parts: [[Range<Int>]]? = nil
  ) {
    let computing = Computing()
    defer { computing.end() }
    for (index, slot) in store.slots.enumerated() where chosen[index] {
      guard let parts else {
        kernels.table.pointee.scale(slot.count, factor, store.pointer + slot.offset)
        continue
      }
      for part in parts[index] {
        kernels.table.pointee.scale(part.count, factor, store.pointer + slot.offset + part.lowerBound)
      }
    }
  }
}
