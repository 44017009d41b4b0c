import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// A few layers, and the shape of a batch for them.
struct LayerCase: Sendable, CustomTestStringConvertible {
  let name: String
  let layers: [Layer]
  var features = 7
  var channels: Int?
  var count = 4
  var steps = 5
  var lengths: [Int]? = [5, 2, 1, 4]
  var isTraining = false
  var testDescription: String { name }

  init(_ name: String, _ layers: [Layer], features: Int = 7, channels: Int? = nil, isTraining: Bool = false) {
    (self.name, self.layers) = (name, layers)
    (self.features, self.channels, self.isTraining) = (features, channels, isTraining)
  }

  /// With sequences of these lengths.
  func of(_ lengths: Int...) -> LayerCase {
    var test = self
    (test.count, test.steps, test.lengths) = (lengths.count, lengths.max() ?? 1, lengths)
    return test
  }

  func run(seed: UInt64 = 1) throws -> LayerRun {
    try LayerRun(
      layers, features: features, channels: channels, count: count, steps: steps, lengths: lengths,
      isTraining: isTraining, seed: seed)
  }

  /// A layer between dense ones, so that its gradients come from and go to others.
  private static func between(_ kind: any LayerKind, size: Int = 5) -> [Layer] {
    [
      Layer("below", Layer.Dense(size: size)), Layer("middle", kind),
      Layer("above", Layer.Dense(size: 3, activation: .tanh)),
    ]
  }

  private static func with<Kind>(_ kind: Kind, _ change: (inout Kind) -> Void) -> Kind {
    var kind = kind
    change(&kind)
    return kind
  }

  static let all = activations + norms + pools + products + heads

  // MARK: - Kinds

  static let activations: [LayerCase] = {
    var list: [LayerCase] = []
    for activation in Activation.allCases {
      list.append(LayerCase("\(activation)", [Layer("act", Layer.ActivationLayer(activation))], features: 17))
      list.append(LayerCase("dense \(activation)", [Layer("dense", Layer.Dense(size: 5, activation: activation))]))
    }
    for (activation, alpha) in [(Activation.leakyReLU, Float(0.3)), (.leakyReLU, -0.5), (.elu, 0.4)] {
      list.append(
        LayerCase("\(activation) \(alpha)", between(Layer.ActivationLayer(activation, alpha: alpha), size: 129)))
    }
    list.append(LayerCase("rescale", between(Layer.Rescale())))
    list.append(LayerCase("rescale with center", between(Layer.Rescale(hasCenter: true), size: 129)))
    return list
  }()

  static let norms: [LayerCase] = {
    var list: [LayerCase] = []
    let grid = with(Layer.BatchNorm(epsilon: 0.01)) { $0.hasScale = false }
    for isTraining in [false, true] {
      let name = isTraining ? "training " : ""
      for size in [1, 7, 129] {
        list.append(
          LayerCase("\(name)batch norm \(size)", between(Layer.BatchNorm(), size: size), isTraining: isTraining))
      }
      list.append(
        LayerCase("\(name)batch norm of a grid", [Layer("n", grid)], features: 12, channels: 3, isTraining: isTraining))
    }
    let unbiased = with(Layer.BatchNorm()) { $0.hasOffset = false }
    list.append(
      LayerCase(
        "training batch norm of a row a sequence", [Layer("last", Layer.Readout(.last)), Layer("n", unbiased)],
        isTraining: true))
    list.append(LayerCase("batch norm of one row", [Layer("n", Layer.BatchNorm())]).of(1))
    for size in [1, 7, 129] {
      list.append(LayerCase("layer norm \(size)", between(Layer.LayerNorm(), size: size)))
    }
    let plain = with(Layer.LayerNorm(epsilon: 0.1)) { ($0.hasScale, $0.hasOffset) = (false, false) }
    list.append(LayerCase("layer norm without weights", between(plain)))
    list.append(LayerCase("layer norm of one row", [Layer("n", Layer.LayerNorm())]).of(1))
    return list
  }()

  static let pools: [LayerCase] = {
    var list: [LayerCase] = []
    for size in [1, 7, 129] {
      list.append(LayerCase("attention \(size)", [Layer("pool", Layer.Attention())], features: size))
      let inner = with(Layer.Attention(.tanh, size: size)) {
        ($0.hasBias, $0.hasScoreBias, $0.scoreActivation) = (true, true, .swish)
      }
      list.append(LayerCase("attention \(size), biases, swish", between(inner)))
    }
    let bounded = with(Layer.Attention()) { ($0.hasBias, $0.scoreActivation) = (true, .tanh) }
    list.append(LayerCase("attention, bias, tanh", between(bounded)))
    list.append(LayerCase("attention of one step", [Layer("pool", Layer.Attention())]).of(1))
    for size in [1, 7, 33] {
      let own = with(Layer.Attention(.feature)) { $0.hasBias = true }
      list.append(LayerCase("attention of each feature \(size)", [Layer("pool", own)], features: size))
      let squashed = with(Layer.Attention(.feature)) { $0.scoreActivation = .tanh }
      list.append(LayerCase("attention of each feature \(size), tanh", between(squashed)))
    }
    list.append(LayerCase("attention with tanh", between(Layer.Attention(.tanh, size: 6), size: 129)))
    return list
  }()

  private static func dot(_ isAdditive: Bool, _ hasScale: Bool, _ isCausal: Bool = false) -> Layer.DotAttention {
    with(Layer.DotAttention()) { ($0.isAdditive, $0.hasScale, $0.isCausal) = (isAdditive, hasScale, isCausal) }
  }

  /// Query, value and key are dense layers of the input.
  private static func reading(_ kind: Layer.DotAttention, size: Int) -> [Layer] {
    [
      Layer("query", Layer.Dense(size: size)), Layer("value", Layer.Dense(size: 3), from: ["input"]),
      Layer("key", Layer.Dense(size: size), from: ["input"]), Layer("pool", kind, from: ["query", "value", "key"]),
    ]
  }

  static let products: [LayerCase] = {
    var list: [LayerCase] = []
    let kinds = [dot(false, false), dot(false, true, true), dot(true, false, true), dot(true, true)]
    for (number, kind) in kinds.enumerated() {
      for size in [1, 7, 33] { list.append(LayerCase("dot attention \(number), \(size)", reading(kind, size: size))) }
    }
    for kind in [dot(false, true), dot(true, true)] {
      let name = kind.isAdditive ? "additive " : ""
      let itself = [Layer("x", Layer.Dense(size: 6)), Layer("pool", kind, from: ["x", "x"])]
      list.append(LayerCase("\(name)dot attention to itself", itself))
      list.append(LayerCase("\(name)dot attention of one step", itself).of(1))
      let last = [
        Layer("x", Layer.Dense(size: 6)), Layer("last", Layer.Readout(.last)),
        Layer("pool", kind, from: ["last", "x"]),
      ]
      list.append(LayerCase("\(name)dot attention of the last step", last))
    }
    for (heads, size) in [(1, 5), (2, 8), (3, 33)] {
      let scaled = with(dot(false, heads == 1, heads == 3)) { ($0.isScaled, $0.heads) = (true, heads) }
      let layers = [
        Layer("query", Layer.Dense(size: size)), Layer("value", Layer.Dense(size: 2 * heads), from: ["input"]),
        Layer("key", Layer.Dense(size: size), from: ["input"]), Layer("pool", scaled, from: ["query", "value", "key"]),
      ]
      list.append(LayerCase("scaled dot attention of \(heads) heads", layers))
    }
    list.append(LayerCase("additive attention, bias", reading(with(dot(true, true)) { $0.hasBias = true }, size: 6)))
    list.append(LayerCase("dot attention over many steps", reading(dot(false, true, true), size: 4)).of(131, 150))
    return list
  }()

  static let heads: [LayerCase] = {
    var list = [
      LayerCase("self-attention 1", [Layer("mha", Layer.SelfAttention())], features: 1),
      LayerCase("self-attention 7", between(Layer.SelfAttention(heads: 7), size: 7)),
      LayerCase("self-attention 129", [Layer("mha", Layer.SelfAttention(heads: 3))], features: 129),
      LayerCase("self-attention of one step", [Layer("mha", Layer.SelfAttention())]).of(1),
    ]
    let causal = with(Layer.SelfAttention(heads: 3)) { $0.isCausal = true }
    list.append(LayerCase("causal self-attention", between(causal, size: 12)))
    list.append(LayerCase("causal self-attention, many steps", [Layer("mha", causal)], features: 3).of(129, 65))
    let plain = with(Layer.SelfAttention()) { $0.hasBias = false }
    list.append(LayerCase("self-attention without bias", between(plain, size: 9)))
    return list
  }()
}
