import Foundation
import LSTMCheckpoints

/// One direction of a recurrent layer in double precision, one sequence and one unit at a time, straight from the formulas.
struct RecurrentReference {
  let kind: Layer.Recurrent
  let inputSize: Int
  /// By the name of its part: `weight_ih`.
  var parameters: [String: [Double]]

  /// - Returns: h (S) of every step, where the step lies, and the final h and c.
  func run(_ x: [[Double]], hidden: [Double], cell: [Double], reverse: Bool) -> (
    outputs: [[Double]], hidden: [Double], cell: [Double]
  ) {
    var (h, c) = (hidden, cell)
    var outputs = [[Double]](repeating: [], count: x.count)
    for t in reverse ? Array(x.indices.reversed()) : Array(x.indices) {
      switch kind.cell {
      case .lstm: (h, c) = lstm(x[t], h, c)
      case .gru: h = gru(x[t], h)
      case .rnn: h = (0..<kind.size).map { f(kind.activation, input(x[t], $0) + recurrent(h, $0)) }
      }
      outputs[t] = h
    }
    return (outputs, h, c)
  }

  private func product(_ weight: String, _ bias: String, _ values: [Double], _ row: Int) -> Double {
    let start = parameters[bias].map { $0[row] } ?? 0
    guard let weight = parameters[weight] else { return start }
    return values.indices.reduce(start) { $0 + weight[row * values.count + $1] * values[$1] }
  }

  private func input(_ x: [Double], _ row: Int) -> Double { product("weight_ih", "bias_ih", x, row) }
  private func recurrent(_ h: [Double], _ row: Int) -> Double { product("weight_hh", "bias_hh", h, row) }

  /// An activation of a pre-activation, which may be clipped.
  private func f(_ activation: Activation, _ x: Double) -> Double {
    value(of: activation, clip(x, kind.inputClip))
  }

  private func clip(_ x: Double, _ bound: Float?) -> Double {
    guard let bound = bound.map(Double.init) else { return x }
    return min(max(x, -bound), bound)
  }

  private func lstm(_ x: [Double], _ h: [Double], _ c: [Double]) -> ([Double], [Double]) {
    let size = kind.size
    func pre(_ row: Int) -> Double { input(x, row) + recurrent(h, row) }
    let peephole = parameters["peephole"] ?? .init(repeating: 0, count: 3 * size)
    var (raw, cells) = ([Double](), [Double]())
    for j in 0..<size {
      let i = f(kind.gateActivation, pre(j) + peephole[j] * c[j])
      let forget = pre(size + j) + Double(kind.forgetOffset) + peephole[size + j] * c[j]
      let new = clip(
        f(kind.gateActivation, forget) * c[j] + i * f(kind.activation, pre(2 * size + j)), kind.cellClip)
      let o = f(kind.gateActivation, pre(3 * size + j) + peephole[2 * size + j] * new)
      cells.append(new)
      raw.append(o * value(of: kind.outputActivation ?? kind.activation, new))
    }
    guard let projection = parameters["weight_hr"] else { return (raw, cells) }
    let projected = (0..<kind.stateSize).map { row in
      clip((0..<size).reduce(0.0) { $0 + projection[row * size + $1] * raw[$1] }, kind.projectionClip)
    }
    return (projected, cells)
  }

  private func gru(_ x: [Double], _ h: [Double]) -> [Double] {
    let size = kind.size
    let r = (0..<size).map { f(kind.gateActivation, input(x, $0) + recurrent(h, $0)) }
    let reset = zip(r, h).map { $0 * $1 }
    return (0..<size).map { j in
      let z = f(kind.gateActivation, input(x, size + j) + recurrent(h, size + j))
      let product = kind.resetsAfter ? r[j] * recurrent(h, 2 * size + j) : recurrent(reset, 2 * size + j)
      let n = f(kind.activation, input(x, 2 * size + j) + product)
      return (1 - z) * n + z * h[j]
    }
  }
}

/// An elementwise activation, from its formula.
func value(of activation: Activation, _ x: Double) -> Double {
  func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
  func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }
  switch activation {
  case .none, .softmax, .logSoftmax: return x
  case .relu: return max(x, 0)
  case .tanh: return tanh(x)
  case .sigmoid: return sigmoid(x)
  case .hardSigmoid: return min(max(0.2 * x + 0.5, 0), 1)
  case .hardSigmoidKeras3: return min(max(x / 6 + 0.5, 0), 1)
  case .hardTanh: return min(max(x, -1), 1)
  case .leakyReLU: return x > 0 ? x : 0.01 * x
  case .elu: return x > 0 ? x : expm1(x)
  case .selu: return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x))
  case .gelu: return x * 0.5 * erfc(-x / 2.0.squareRoot())
  case .geluTanh: return x * sigmoid(2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))
  case .softplus: return softplus(x)
  case .softsign: return x / (1 + abs(x))
  case .swish: return x * sigmoid(x)
  case .mish: return x * tanh(softplus(x))
  case .relu6: return min(max(x, 0), 6)
  case .hardSwish: return x * min(max(x / 6 + 0.5, 0), 1)
  case .exponential: return exp(x)
  }
}
