import Foundation
import LSTMCheckpoints

@testable import LSTMLayers

/// Layers in double precision, one sequence, step and value at a time, straight from the formulas.
struct LayerTwin {
  /// By sequence, step (one alone for a row a sequence) and feature.
  typealias Rows = [[[Double]]]

  let configuration: ModelConfiguration
  var parameters: [String: [Double]]
  /// Whether batch normalization uses the statistics of the batch.
  var isTraining = false

  func callAsFunction(_ x: Rows) -> Rows {
    var values = [x]
    for (index, layer) in configuration.layers.enumerated() {
      let inputs = configuration.sources[index].map { values[$0] }
      let channels = configuration.inputs(ofLayer: index)[0].grid?.channels
      values.append(compute(layer, inputs, channels))
    }
    return values[values.count - 1]
  }

  private func compute(_ layer: Layer, _ x: [Rows], _ channels: Int?) -> Rows {
    func parameter(_ name: String) -> [Double]? { parameters["\(layer.name).\(name)"] }
    switch layer.kind {
    case let kind as Layer.Dense:
      let (w, b) = (parameter("weight") ?? [], parameter("bias"))
      return map(x[0]) { activate(kind.activation, nil, affine(w, b, $0, rows: kind.size)) }
    case let kind as Layer.Readout: return x[0].map { [kind.take == .last ? $0[$0.count - 1] : $0[0]] }
    case let kind as Layer.ActivationLayer: return map(x[0]) { activate(kind.activation, kind.alpha, $0) }
    case is Layer.Rescale:
      let (scale, offset, center) = (parameter("scale") ?? [], parameter("offset") ?? [], parameter("center"))
      return map(x[0]) { row in row.indices.map { (row[$0] - (center?[$0] ?? 0)) * scale[$0] + offset[$0] } }
    case let kind as Layer.BatchNorm: return batchNorm(kind, layer.name, x[0], channels)
    case let kind as Layer.LayerNorm:
      let (w, b) = (parameter("weight"), parameter("bias"))
      return map(x[0]) { row in
        let mean = row.reduce(0, +) / Double(row.count)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
        let inverse = 1 / (variance + Double(kind.epsilon)).squareRoot()
        return row.indices.map { (row[$0] - mean) * inverse * (w?[$0] ?? 1) + (b?[$0] ?? 0) }
      }
    case let kind as Layer.Attention: return attention(kind, layer.name, x[0])
    case let kind as Layer.DotAttention:
      let scale = parameter("scale")
      func part(_ rows: [[Double]], _ head: Int) -> [[Double]] {
        rows.map { row in
          let size = row.count / kind.heads
          return Array(row[head * size..<(head + 1) * size])
        }
      }
      return zip(x[0], zip(x[1], x.count > 2 ? x[2] : x[1])).map { queries, pair in
        let heads = (0..<kind.heads).map { head in
          attend(part(queries, head), part(pair.1, head), part(pair.0, head), isCausal: kind.isCausal) { q, k in
            let terms = q.indices.map { j in
              kind.isAdditive ? (scale?[j] ?? 1) * tanh(q[j] + k[j]) : (scale?[0] ?? 1) * q[j] * k[j]
            }
            return terms.reduce(0, +) / (kind.isScaled ? Double(q.count).squareRoot() : 1)
          }
        }
        return queries.indices.map { row in heads.flatMap { $0[row] } }
      }
    case let kind as Layer.SelfAttention: return selfAttention(kind, layer.name, x[0])
    default: return x[0]
    }
  }

  private func map(_ x: Rows, _ body: ([Double]) -> [Double]) -> Rows { x.map { $0.map(body) } }

  private func affine(_ w: [Double], _ b: [Double]?, _ x: [Double], rows: Int) -> [Double] {
    (0..<rows).map { o in
      var sum = b?[o] ?? 0
      for i in x.indices { sum += w[o * x.count + i] * x[i] }
      return sum
    }
  }

  private func batchNorm(_ kind: Layer.BatchNorm, _ name: String, _ x: Rows, _ channels: Int?) -> Rows {
    let width = x[0][0].count
    let height = channels.map { width / $0 } ?? 1
    var (mean, variance) = (parameters["\(name).running_mean"] ?? [], parameters["\(name).running_var"] ?? [])
    if isTraining {
      for channel in mean.indices {
        let values = x.joined().flatMap { $0[channel * height..<(channel + 1) * height] }
        mean[channel] = values.reduce(0, +) / Double(values.count)
        variance[channel] = values.reduce(0) { $0 + pow($1 - mean[channel], 2) } / Double(values.count)
      }
    }
    let (w, b) = (parameters["\(name).weight"], parameters["\(name).bias"])
    return map(x) { row in
      row.indices.map { j in
        let c = j / height
        return (row[j] - mean[c]) / (variance[c] + Double(kind.epsilon)).squareRoot() * (w?[c] ?? 1) + (b?[c] ?? 0)
      }
    }
  }

  private func softmax(_ x: [Double]) -> [Double] {
    let largest = x.max() ?? 0
    let e = x.map { exp($0 - largest) }
    let sum = e.reduce(0, +)
    return e.map { $0 / sum }
  }

  private func attention(_ kind: Layer.Attention, _ name: String, _ x: Rows) -> Rows {
    func parameter(_ part: String) -> [Double]? { parameters["\(name).\(part)"] }
    return x.map { steps in
      if kind.form == .feature {
        let scores = steps.map { row in
          activate(
            kind.scoreActivation, nil, affine(parameter("weight") ?? [], parameter("bias"), row, rows: row.count))
        }
        return [
          steps[0].indices.map { j in
            zip(softmax(scores.map { $0[j] }), steps).reduce(0) { $0 + $1.0 * $1.1[j] }
          }
        ]
      }
      let scores = steps.map { row in
        var inner = affine(parameter("weight") ?? [], parameter("bias"), row, rows: kind.form == .tanh ? kind.size : 1)
        if kind.form == .tanh {
          inner = affine(parameter("score") ?? [], parameter("score_bias"), inner.map(tanh), rows: 1)
        }
        return activate(kind.scoreActivation, nil, inner)[0]
      }
      let shares = softmax(scores)
      return [steps[0].indices.map { j in steps.indices.reduce(0) { $0 + shares[$1] * steps[$1][j] } }]
    }
  }

  private func attend(
    _ q: [[Double]], _ k: [[Double]], _ v: [[Double]], isCausal: Bool, _ score: ([Double], [Double]) -> Double
  ) -> [[Double]] {
    q.indices.map { i in
      let seen = isCausal ? min(i + 1, k.count) : k.count
      let shares = softmax((0..<seen).map { score(q[i], k[$0]) })
      return v[0].indices.map { j in (0..<seen).reduce(0) { $0 + shares[$1] * v[$1][j] } }
    }
  }

  private func selfAttention(_ kind: Layer.SelfAttention, _ name: String, _ x: Rows) -> Rows {
    let width = x[0][0].count
    let size = width / kind.heads
    return x.map { steps in
      let inner = steps.map {
        affine(parameters["\(name).in_proj_weight"] ?? [], parameters["\(name).in_proj_bias"], $0, rows: 3 * width)
      }
      var heads = [[Double]](repeating: [], count: steps.count)
      for head in 0..<kind.heads {
        func part(_ place: Int) -> [[Double]] {
          inner.map { Array($0[place * width + head * size..<place * width + (head + 1) * size]) }
        }
        let rows = attend(part(0), part(1), part(2), isCausal: kind.isCausal) { q, k in
          zip(q, k).reduce(0) { $0 + $1.0 * $1.1 } / Double(size).squareRoot()
        }
        for t in steps.indices { heads[t] += rows[t] }
      }
      return heads.map {
        affine(parameters["\(name).out_proj.weight"] ?? [], parameters["\(name).out_proj.bias"], $0, rows: width)
      }
    }
  }

  private func activate(_ activation: Activation, _ alpha: Float?, _ x: [Double]) -> [Double] {
    switch activation {
    case .softmax: softmax(x)
    case .logSoftmax: softmax(x).map { log($0) }
    default: x.map { Self.plain(activation, Double(alpha ?? activation.usualAlpha ?? 0), $0) }
    }
  }

  /// An activation of one value.
  static func plain(_ activation: Activation, _ alpha: Double, _ x: Double) -> Double {
    switch activation {
    case .none, .softmax, .logSoftmax: x
    case .relu: max(x, 0)
    case .tanh: tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    case .hardSigmoid: min(max(0.2 * x + 0.5, 0), 1)
    case .hardSigmoidKeras3: min(max(x / 6 + 0.5, 0), 1)
    case .hardTanh: min(max(x, -1), 1)
    case .leakyReLU: x > 0 ? x : alpha * x
    case .elu: x > 0 ? x : alpha * expm1(x)
    case .selu: 1.0507009873554804934193349852946 * (x > 0 ? x : 1.6732632423543772848170429916717 * expm1(x))
    case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
    case .geluTanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .softplus: x > 0 ? x + log1p(exp(-x)) : log1p(exp(x))
    case .softsign: x / (1 + abs(x))
    case .swish: x / (1 + exp(-x))
    case .mish: x * tanh(x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))
    case .relu6: min(max(x, 0), 6)
    case .hardSwish: x * min(max(x / 6 + 0.5, 0), 1)
    case .exponential: exp(x)
    }
  }
}
