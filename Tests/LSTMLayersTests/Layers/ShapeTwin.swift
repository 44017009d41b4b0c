import Foundation
import LSTMCheckpoints

/// Layers that change shapes in double precision, one value at a time, straight from the formulas.
struct ShapeTwin {
  /// By sequence, step (one alone for a row a sequence) and feature.
  typealias Rows = [[[Double]]]

  let configuration: ModelConfiguration
  var parameters: [String: [Double]]

  func callAsFunction(_ x: Rows) -> Rows {
    var values = [x]
    for (index, layer) in configuration.layers.enumerated() {
      let inputs = configuration.sources[index].map { values[$0] }
      values.append(compute(layer, inputs, configuration.inputs(ofLayer: index)))
    }
    return values[values.count - 1]
  }

  private func compute(_ layer: Layer, _ x: [Rows], _ inputs: [LayerValue]) -> Rows {
    func parameter(_ name: String) -> [Double]? { parameters["\(layer.name).\(name)"] }
    switch layer.kind {
    case let kind as Layer.Dense:
      let (w, b) = (parameter("weight") ?? [], parameter("bias"))
      return map(x[0]) { row in
        (0..<kind.size).map { o in
          Self.activate(kind.activation, row.indices.reduce(b?[o] ?? 0) { $0 + w[o * row.count + $1] * row[$1] })
        }
      }
    case let kind as Layer.Readout: return x[0].map { [kind.take == .last ? $0[$0.count - 1] : $0[0]] }
    case let kind as Layer.Convolution:
      let convolution = Convolution(
        kind: kind, channels: kind.kernel.count == 2 ? inputs[0].grid?.channels ?? 1 : inputs[0].width,
        weight: parameter("weight") ?? [], bias: parameter("bias"))
      return x[0].map { convolution($0) }
    case let kind as Layer.Pooling:
      return x[0].map { pool(kind, kind.window.count == 2 ? inputs[0].grid?.channels ?? 1 : inputs[0].width, $0) }
    case let kind as Layer.Repeat: return x[0].map { Array(repeating: $0[0], count: kind.count) }
    case let kind as Layer.Flatten:
      guard inputs[0].isPerStep else { return x[0] }
      return x[0].map { steps in
        kind.isFeatureFirst ? [steps[0].indices.flatMap { j in steps.map { $0[j] } }] : [Array(steps.joined())]
      }
    case let kind as Layer.Reshape: return reshape(kind, x[0], inputs[0].grid)
    case let kind as Layer.Slice: return map(x[0]) { Array($0[kind.first..<kind.first + kind.count]) }
    case let kind as Layer.Merge: return merge(kind.operation, x, inputs)
    default: return x[0]
    }
  }

  private func map(_ x: Rows, _ body: ([Double]) -> [Double]) -> Rows { x.map { $0.map(body) } }

  static func activate(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .relu: max(x, 0)
    case .tanh: tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    case .swish: x / (1 + exp(-x))
    default: x
    }
  }

  // MARK: - Convolution

  private struct Convolution {
    let kind: Layer.Convolution
    let channels: Int
    let weight: [Double]
    let bias: [Double]?

    func callAsFunction(_ x: [[Double]]) -> [[Double]] {
      let height = kind.kernel.count == 2 ? x[0].count / channels : 1
      let (times, heights) = (axis(0, x.count), axis(1, height))
      let (group, taps) = (channels / kind.groups, kind.kernel.reduce(1, *))
      return times.map { time in
        var row = [[Double]](repeating: [], count: kind.size)
        for f in heights {
          for o in 0..<kind.size {
            var sum = bias?[o] ?? 0
            let first = o / (kind.size / kind.groups) * group
            for (i, t) in time.enumerated() {
              for (j, h) in f.enumerated() {
                guard let t, let h else { continue }
                for c in 0..<group {
                  sum += weight[(o * group + c) * taps + i * f.count + j] * x[t][(first + c) * height + h]
                }
              }
            }
            row[o].append(sum)
          }
        }
        if kind.activation == .softmax {
          for f in heights.indices {
            let total = row.reduce(0) { $0 + exp($1[f]) }
            for o in row.indices { row[o][f] = exp(row[o][f]) / total }
          }
          return Array(row.joined())
        }
        return row.joined().map { ShapeTwin.activate(kind.activation, $0) }
      }
    }

    /// For each window the place of each of its values; nil for zero.
    private func axis(_ axis: Int, _ count: Int) -> [[Int?]] {
      guard axis < kind.kernel.count else { return [[0]] }
      let (kernel, stride, dilation) = (kind.kernel[axis], kind.stride[axis], kind.dilation[axis])
      let reach = (kernel - 1) * dilation
      var (before, after) = kind.pad.isEmpty ? (0, 0) : (kind.pad[2 * axis], kind.pad[2 * axis + 1])
      switch kind.padding {
      case .valid: break
      case .causal: if axis == 0 { before += reach }
      case .same:
        let total = max(((count + stride - 1) / stride - 1) * stride + reach + 1 - count, 0)
        (before, after) = (before + total / 2, after + total - total / 2)
      }
      var list: [[Int?]] = []
      var start = -before
      while start + reach < count + after {
        list.append(
          (0..<kernel).map { tap in
            let at = start + tap * dilation
            if 0..<count ~= at { return at }
            guard kind.reflects else { return nil }
            return at < 0 ? -at : 2 * (count - 1) - at
          })
        start += stride
      }
      return list
    }
  }

  // MARK: - Pooling

  private func pool(_ kind: Layer.Pooling, _ channels: Int, _ x: [[Double]]) -> [[Double]] {
    let height = x[0].count / channels
    let (times, heights) = (windows(kind, 0, x.count), windows(kind, 1, height))
    return times.map { time in
      (0..<channels).flatMap { c in
        heights.map { f in
          let values = time.range.flatMap { t in f.range.map { x[t][c * height + $0] } }
          if kind.operation == .max { return values.max() ?? .nan }
          return values.reduce(0, +) / Double(kind.countsPad ? time.padded * f.padded : values.count)
        }
      }
    }
  }

  private func windows(_ kind: Layer.Pooling, _ axis: Int, _ count: Int) -> [(range: Range<Int>, padded: Int)] {
    guard axis < kind.window.count else { return [(0..<1, 1)] }
    let (window, stride) = (kind.window[axis], kind.stride.isEmpty ? kind.window[axis] : kind.stride[axis])
    var (before, after) = kind.pad.isEmpty ? (0, 0) : (kind.pad[2 * axis], kind.pad[2 * axis + 1])
    if kind.isSame {
      let total = max(((count + stride - 1) / stride - 1) * stride + window - count, 0)
      (before, after) = (total / 2, total - total / 2)
    }
    var list: [(Range<Int>, Int)] = []
    var start = -before
    while kind.isCeiling ? start < count && start - stride + window < count + after : start + window <= count + after {
      list.append((max(start, 0)..<min(start + window, count), min(start + window, count + after) - start))
      start += stride
    }
    return list
  }

  // MARK: - Rows

  private func reshape(_ kind: Layer.Reshape, _ x: Rows, _ grid: LayerValue.Grid?) -> Rows {
    func transposed(_ row: [Double], _ rows: Int) -> [Double] {
      let columns = row.count / rows
      return (0..<columns).flatMap { j in (0..<rows).map { row[$0 * columns + j] } }
    }
    switch kind.form {
    case .grid, .row: return x
    case .channelsLast: return map(x) { transposed($0, grid?.channels ?? 1) }
    case .gridChannelsLast: return map(x) { transposed($0, $0.count / kind.channels) }
    case .steps, .split:
      return x.map { rows in
        rows.flatMap { row in
          let size = row.count / kind.steps
          return (0..<kind.steps).map { Array(row[$0 * size..<($0 + 1) * size]) }
        }
      }
    }
  }

  private func merge(_ operation: Layer.Merge.Operation, _ x: [Rows], _ inputs: [LayerValue]) -> Rows {
    let longest = inputs.firstIndex(where: \.isPerStep) ?? 0
    return x[longest].indices.map { n in
      x[longest][n].indices.map { t in
        let rows = x.indices.map { x[$0][n][inputs[$0].isPerStep ? t : 0] }
        if operation == .concatenate { return Array(rows.joined()) }
        return rows[0].indices.map { j in
          let values = rows.map { $0[j] }
          switch operation {
          case .concatenate: return .nan
          case .add: return values.reduce(0, +)
          case .average: return values.reduce(0, +) / Double(values.count)
          case .multiply: return values.reduce(1, *)
          case .maximum: return values.max() ?? .nan
          case .subtract: return values[0] - values[1]
          }
        }
      }
    }
  }
}
