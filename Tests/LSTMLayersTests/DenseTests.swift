import Foundation
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Dense layers against plain loops in double precision.
@Suite struct DenseTests {
  @Test(
    arguments: PlainStack.Activation.allCases,
    [(1, 1, 1), (1, 7, 129), (5, 129, 7), (6, 1, 129), (9, 7, 1), (16, 33, 17)])
  func matchesThePlainLoop(_ activation: PlainStack.Activation, _ sizes: (rows: Int, input: Int, size: Int))
    throws
  {
    let (rows, input, size) = sizes
    for (kernels, hasBias) in Kernels.available.flatMap({ [($0, true), ($0, false)] }) {
      var random = RandomNumbers(seed: UInt64(rows + input + size))
      let dense = Layer.Dense(size: size, hasBias: hasBias, activation: activation.general)
      let configuration = try ModelConfiguration(
        inputs: [.init(.features(size: input))], layers: [Layer("head.0", dense)])
      let weights = ParameterStore(configuration.parameters)
      for index in weights.slots.indices {
        weights.set(index, (0..<weights.slots[index].count).map { _ in random.normal() / Float(input).squareRoot() })
      }
      let network = Network(configuration, weights: weights, kernels: kernels)
      let layer = try #require(network.nodes[1] as? DenseLayer)
      let x = (0..<rows * input).map { _ in random.normal() }
      let given = (0..<rows * size).map { _ in random.normal() }
      let y = try network.forward(SequenceBatch(Tensor(shape: [rows, 1, input], values: x))).values
      let gradients = ParameterStore(configuration.parameters)
      let dx = try #require(
        try network.backward(
          Tensor(shape: [rows, 1, size], values: given), into: gradients, trainable: gradients.slots.map { _ in true },
          wantsInput: true)
      ).input.values

      let (w, b) = (weights.values(0).map(Double.init), hasBias ? weights.values(1).map(Double.init) : nil)
      var dw = [Double](repeating: 0, count: w.count)
      var db = [Double](repeating: 0, count: size)
      for row in 0..<rows {
        let x = x[row * input..<(row + 1) * input].map(Double.init)
        let z = (0..<size).map { o in x.indices.reduce(b?[o] ?? 0) { $0 + w[o * input + $1] * x[$1] } }
        let d = given[row * size..<(row + 1) * size].map(Double.init)
        let (wanted, slopes) = Self.plain(activation, z, d)
        for o in 0..<size {
          #expect(abs(Double(y[row * size + o]) - wanted[o]) <= 4e-6 * max(1, abs(wanted[o])), "\(kernels.name)")
          db[o] += slopes[o]
          for i in x.indices { dw[o * input + i] += slopes[o] * x[i] }
        }
        for i in x.indices {
          let wanted = (0..<size).reduce(0) { $0 + slopes[$1] * w[$1 * input + i] }
          #expect(abs(Double(dx[row * input + i]) - wanted) <= 1e-5, "\(kernels.name)")
        }
        var step = [Float](repeating: .nan, count: size)
        let single = x.map(Float.init)
        single.withUnsafeBufferPointer { row in
          step.withUnsafeMutableBufferPointer { step in
            guard let row = row.baseAddress, let out = step.baseAddress else { return }
            withUnsafePointer(to: row) { inputs in
              layer.step(LayerStep(inputs: inputs, output: out, state: out, scratch: out, token: -1))
            }
          }
        }
        #expect(step == Array(y[row * size..<(row + 1) * size]), "\(kernels.name): a single row")
      }
      let slopes = gradients.values(0)
      #expect(dw.indices.allSatisfy { abs(Double(slopes[$0]) - dw[$0]) <= 2e-5 }, "\(kernels.name)")
      if hasBias {
        let slopes = gradients.values(1)
        #expect(db.indices.allSatisfy { abs(Double(slopes[$0]) - db[$0]) <= 2e-5 }, "\(kernels.name)")
      }
    }
  }

  /// - Returns: y = activation(z), and dL/dz for dL/dy = d.
  static func plain(_ activation: PlainStack.Activation, _ z: [Double], _ d: [Double]) -> ([Double], [Double]) {
    switch activation {
    case .none: return (z, d)
    case .relu: return (z.map { max($0, 0) }, zip(z, d).map { $0 > 0 ? $1 : 0 })
    case .tanh: return (z.map(tanh), zip(z, d).map { (1 - tanh($0) * tanh($0)) * $1 })
    case .sigmoid:
      let y = z.map { 1 / (1 + exp(-$0)) }
      return (y, zip(y, d).map { $0 * (1 - $0) * $1 })
    case .softmax:
      let y = RowTests.softmax(z)
      let mean = zip(y, d).reduce(0) { $0 + $1.0 * $1.1 }
      return (y, zip(y, d).map { $0 * ($1 - mean) })
    }
  }

  @Test(arguments: [1, 7, 129]) func probabilitiesOfLogits(_ size: Int) {
    var random = RandomNumbers(seed: 6)
    let logits = (0..<3 * size).map { _ in 3 * random.normal() }
    for kernels in Kernels.available {
      var found = logits
      kernels.makeProbabilities(&found[size..<2 * size])
      let row = logits[size..<2 * size].map(Double.init)
      let wanted = size == 1 ? [1 / (1 + exp(-row[0]))] : RowTests.softmax(row)
      #expect(zip(found[size..<2 * size], wanted).allSatisfy { abs(Double($0) - $1) <= 1e-6 })
      #expect(found[..<size] == logits[..<size] && found[(2 * size)...] == logits[(2 * size)...])
    }
  }
}
