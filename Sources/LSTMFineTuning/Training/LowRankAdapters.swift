import FileIO
import LSTMCheckpoints
import LSTMLayers

/// The low-rank adapters of a network: for each adapted W (O, I), or kernels (O, C, K) with I = C K, a pair A (r, I) and B (O, r), of which the network's own
/// weights are W + (alpha / r) B A. So the network runs, and is exported, as if it had no adapters.
///
/// A starts as Kaiming's uniform with a = sqrt(5), U(-1/sqrt(I), 1/sqrt(I)), and B at zero, as in Hu et al. 2021
/// (arXiv:2106.09685): before the first step the network's weights are the base's, bit by bit.
///
///     let adapters = try LowRankAdapters(lora, network, trainable: plan.trainable, seed: 0)
///     let backward = GradientPlan(network.configuration, trainable: adapters.needsGradient)
///     let dense = OptimizerState(rule, weights: network.weights, trainable: adapters.trainsItself)
///     let lowRank = OptimizerState(rule, weights: adapters.parameters, trainable: adapters.all)
///     // each step, after network.backward(..., into: gradients, backward):
///     adapters.project(gradients)
///     dense.step(network.weights, gradients)
///     lowRank.step(adapters.parameters, adapters.gradients)
///     adapters.apply(to: network.weights)
///     network.weightsChanged(adapters.needsGradient)
///
/// To resume, put back what `base` and `parameters` held and call `apply`: the weights are the same bits.
public final class LowRankAdapters {
  /// Rank, alpha and targets.
  public let lora: LoRA
  /// A and B of each adapted parameter, under names such as `lora.lstm.weight_ih_l1.A`.
  public let parameters: ParameterStore
  /// Of `parameters`; written by `project`.
  public let gradients: ParameterStore
  /// W of each adapted parameter, under its own name. It does not move.
  public let base: ParameterStore
  /// For each of the model's parameters whether it has an adapter.
  public let isAdapted: [Bool]
  /// Whether the model's optimizer moves it: it trains and has no adapter.
  public let trainsItself: [Bool]
  /// Whether the backward pass has to make its gradient: it trains, or its adapter does.
  public let needsGradient: [Bool]
  /// True for each of `parameters`: the `trainable` of their optimizer.
  public let all: [Bool]

  /// One for each adapted matrix, in the model's order: who wants to know which adapter is for which matrix looks here.
  public let pairs: [Pair]
  private let products: LowRankProducts

  /// The adapter of a matrix (O, I).
  public struct Pair: Sendable {
    /// The matrix, by its number among the model's parameters.
    public let owner: Int
    /// A, by its number among `LowRankAdapters.parameters`.
    public let a: Int
    /// B, by its number among `LowRankAdapters.parameters`.
    public let b: Int
    fileprivate let rows: Int
    fileprivate let columns: Int
    /// Where they begin, in floats: in the model's weights, in `parameters` and in `base`.
    fileprivate let offsets: (weights: Int, a: Int, b: Int, base: Int)
  }

  /// On everything that the targets select.
  /// - Parameters:
  ///   - network: its weights, as they are now, become the base.
  ///   - trainable: for each of the model's parameters whether it trains. What has an adapter need not: it moves through
  ///     that alone.
  ///   - seed: of A.
  /// - Throws: `FineTuningError` when a target matches nothing, or the rank or alpha make no sense.
  public convenience init(
    _ lora: LoRA, _ network: Network, trainable: [Bool], seed: UInt64 = 0
  ) throws(FineTuningError) {
    let chosen = try lora.adapted(of: network.configuration)
    self.init(lora, network, on: network.weights.slots.indices.map(chosen.contains), trainable: trainable, seed: seed)
  }

  /// On what a freeze plan puts them on, which may be less than the targets name.
  /// - Throws: `FineTuningError.invalidOption` when the plan has none.
  public convenience init(_ network: Network, plan: FreezePlan, seed: UInt64 = 0) throws(FineTuningError) {
    guard let lora = plan.lora else {
      throw .invalidOption("the freeze plan was made without low-rank adapters", advice: [])
    }
    self.init(lora, network, on: plan.adapted, trainable: plan.trainable, seed: seed)
  }

  private init(_ lora: LoRA, _ network: Network, on isAdapted: [Bool], trainable: [Bool], seed: UInt64) {
    let slots = network.weights.slots
    precondition(trainable.count == slots.count, "\(trainable.count) choices for \(slots.count) parameters")
    precondition(isAdapted.count == slots.count, "\(isAdapted.count) choices for \(slots.count) parameters")
    let adapted = slots.indices.filter { isAdapted[$0] }
    self.lora = lora
    self.isAdapted = isAdapted
    products = LowRankProducts(network.kernels)
    base = ParameterStore(adapted.map { slots[$0].specification })
    parameters = ParameterStore(
      adapted.flatMap { index in
        let (name, specification) = (slots[index].name, slots[index].specification)
        let (rows, columns) = specification.matrix
        return [
          ParameterSpecification(name: "lora.\(name).A", shape: [lora.rank, columns], role: specification.role),
          ParameterSpecification(name: "lora.\(name).B", shape: [rows, lora.rank], role: specification.role),
        ]
      })
    gradients = ParameterStore(parameters.slots.map(\.specification))
    all = parameters.slots.map { _ in true }
    trainsItself = zip(trainable, isAdapted).map { $0 && !$1 }
    needsGradient = zip(trainable, isAdapted).map { $0 || $1 }

    var pairs: [Pair] = []
    for (place, index) in adapted.enumerated() {
      let (rows, columns) = slots[index].specification.matrix
      let (a, b) = (2 * place, 2 * place + 1)
      let pair = Pair(
        owner: index, a: a, b: b, rows: rows, columns: columns,
        offsets: (
          slots[index].offset, parameters.slots[a].offset, parameters.slots[b].offset, base.slots[place].offset
        ))
      pairs.append(pair)
      products.reserve(rows: pair.rows, columns: pair.columns, rank: lora.rank)
      (base.pointer + pair.offsets.base).update(
        from: network.weights.pointer + pair.offsets.weights, count: slots[index].count)
      var random = RandomNumbers(seed: seed, name: parameters.slots[a].name)
      let bound = 1 / Float(pair.columns).squareRoot()
      for j in 0..<lora.rank * pair.columns { (parameters.pointer + pair.offsets.a)[j] = random.uniform(bound) }
    }
    self.pairs = pairs
  }

  /// Computes the adapters' gradients, dA = s B^T dW and dB = s dW A^T, from those of the matrices.
  /// - Parameter dense: the gradients of the network's weights, in their layout. It is only read.
  public func project(_ dense: ParameterStore) {
    for pair in pairs {
      products.project(
        dense.pointer + pair.offsets.weights, parameters.pointer + pair.offsets.a,
        parameters.pointer + pair.offsets.b, scale: Float(lora.scale), rows: pair.rows, columns: pair.columns,
        rank: lora.rank, intoA: gradients.pointer + pair.offsets.a, intoB: gradients.pointer + pair.offsets.b)
    }
  }

  /// Writes W + s B A to the network's weights. Call the network's `weightsChanged` afterwards.
  public func apply(to weights: ParameterStore) {
    for pair in pairs {
      products.add(
        base.pointer + pair.offsets.base, parameters.pointer + pair.offsets.a, parameters.pointer + pair.offsets.b,
        scale: Float(lora.scale), rows: pair.rows, columns: pair.columns, rank: lora.rank,
        into: weights.pointer + pair.offsets.weights)
    }
  }
}
