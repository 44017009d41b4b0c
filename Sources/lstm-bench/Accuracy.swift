import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Compares whole networks over 200 steps with double-precision ones, written directly from the formulas.
struct Accuracy {
  static let limit = 1e-5
  private static let steps = 200
  private static let batch = 3

  struct Result: Encodable {
    let model: String
    /// The largest difference, relative to the largest value.
    let error: Double
    var isWithinLimit: Bool { error <= Accuracy.limit }
  }

  static func run(_ kernels: Kernels) throws -> [Result] {
    func layer(_ hidden: Int, both: Bool = false) -> PlainStack.Layer {
      .init(hiddenSize: hidden, isBidirectional: both)
    }
    let models = [
      PlainStack(input: .features(size: 8), layers: [layer(64)], readout: .all, head: [.init(size: 1)]),
      PlainStack(
        input: .features(size: 16), layers: [layer(128), layer(128)], readout: .all, head: [.init(size: 24)]),
      PlainStack(
        input: .features(size: 40), layers: [layer(256), layer(256), layer(256)], readout: .all),
      PlainStack(input: .features(size: 512), layers: [layer(512), layer(512)], readout: .all),
      PlainStack(
        input: .features(size: 300), layers: [layer(256, both: true), layer(256, both: true)], readout: .all,
        head: [.init(size: 20)]),
    ]
    return try models.map { configuration in
      let model = LSTMModel(ModelConfiguration(configuration), seed: 1)
      var random = RandomNumbers(seed: 2)
      let shape = [batch, steps, configuration.input.size]
      let x = Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in random.normal() })
      let output = try Network(model, kernels: kernels).forward(SequenceBatch(x))
      let exact = DoubleNetwork(model, configuration).run(x)
      let largest = exact.reduce(0) { max($0, abs($1)) }
      let error = zip(output.values, exact).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
      return Result(model: configuration.summary, error: error / largest)
    }
  }
}

/// A stack of LSTM and dense layers in double precision: one sequence and one unit at a time.
private struct DoubleNetwork {
  private let configuration: PlainStack
  private let weights: [String: [Double]]

  init(_ model: LSTMModel, _ configuration: PlainStack) {
    self.configuration = configuration
    weights = Dictionary(
      uniqueKeysWithValues: configuration.parameters.map { parameter in
        (parameter.name, model[parameter.name]?.values.map(Double.init) ?? [])
      })
  }

  /// x (N, T, I) -> (N, T, O), in C order.
  func run(_ x: Tensor) -> [Double] {
    let (count, steps, width) = (x.shape[0], x.shape[1], x.shape[2])
    return (0..<count).flatMap { n in
      var rows = (0..<steps).map { t in
        x.values[(n * steps + t) * width..<(n * steps + t + 1) * width].map(Double.init)
      }
      for (index, layer) in configuration.layers.enumerated() {
        let ahead = direction("_l\(index)", layer.hiddenSize, rows)
        guard layer.isBidirectional else {
          rows = ahead
          continue
        }
        let back = direction("_l\(index)_reverse", layer.hiddenSize, rows.reversed())
        rows = zip(ahead, back.reversed()).map { $0 + $1 }
      }
      for index in configuration.head.indices {
        rows = rows.map { product(weights["head.\(index).weight"] ?? [], $0, weights["head.\(index).bias"] ?? []) }
      }
      return rows.flatMap { $0 }
    }
  }

  private func direction(_ suffix: String, _ hidden: Int, _ rows: [[Double]]) -> [[Double]] {
    func weight(_ kind: String) -> [Double] { weights["lstm.\(kind)\(suffix)"] ?? [] }
    let (input, recurrent) = (weight("weight_ih"), weight("weight_hh"))
    let (inputBias, recurrentBias) = (weight("bias_ih"), weight("bias_hh"))
    var (h, c) = ([Double](repeating: 0, count: hidden), [Double](repeating: 0, count: hidden))
    return rows.map { x in
      let sums = zip(product(input, x, inputBias), product(recurrent, h, recurrentBias)).map { $0 + $1 }
      for j in 0..<hidden {
        func sigmoid(_ gate: Int) -> Double { 1 / (1 + exp(-sums[gate * hidden + j])) }
        c[j] = sigmoid(1) * c[j] + sigmoid(0) * tanh(sums[2 * hidden + j])
        h[j] = sigmoid(3) * tanh(c[j])
      }
      return h
    }
  }

  /// W x + b
  private func product(_ weight: [Double], _ x: [Double], _ bias: [Double]) -> [Double] {
    weight.withUnsafeBufferPointer { weight in
      x.withUnsafeBufferPointer { x in
        bias.enumerated().map { row, bias in
          var sum = bias
          for k in x.indices { sum += weight[row * x.count + k] * x[k] }
          return sum
        }
      }
    }
  }
}
