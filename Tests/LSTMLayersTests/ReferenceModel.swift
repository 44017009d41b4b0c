import Foundation
import LSTMCheckpoints
import TestSupport

@testable import LSTMLayers

/// The model's forward pass in double precision, one sequence and one unit at a time, straight from the formulas.
struct ReferenceModel {
  let configuration: ModelConfiguration
  let batch: SequenceBatch
  var masks = ReferenceMasks()

  struct Result {
    var output: [Double]
    var hidden: [[Double]]
    var cell: [[Double]]
    /// AR and TAR, alpha and beta included.
    var penalty = 0.0
  }

  /// The features, (N, T, I); empty for tokens.
  var inputValues: [Double] {
    if case .features(let values, _) = batch.input { values.map(Double.init) } else { [] }
  }

  func run(parameters: [String: [Double]], inputs: [Double], hidden: [[Double]], cell: [[Double]]) -> Result {
    let states = configuration.plain.layers.reduce(0) { $0 + $1.directions }
    var result = Result(
      output: [], hidden: .init(repeating: [], count: states), cell: .init(repeating: [], count: states))
    var parameters = parameters
    for (name, factors) in masks.weights {
      parameters[name] = parameters[name].map { zip($0, factors).map { $0 * $1 } }
    }
    var (squares, values, changes, pairs) = (0.0, 0, 0.0, 0)
    for n in 0..<batch.count {
      let length = batch.lengths?[n] ?? batch.steps
      var x: [[Double]] = (0..<length).map { t in
        switch batch.input {
        case .features(_, let size):
          return Array(inputs[(n * batch.steps + t) * size..<(n * batch.steps + t + 1) * size])
        case .tokens(let tokens):
          let size = configuration.plain.input.size
          let token = Int(tokens[n * batch.steps + t])
          let row = (parameters["embedding.weight"] ?? [])[token * size..<(token + 1) * size]
          return row.map { $0 * (masks.embedding?[token] ?? 1) }
        }
      }
      x = masks.drop(x, place: 0, sequence: n)
      var parts = [x]
      var state = 0
      for (index, layer) in configuration.plain.layers.enumerated() {
        var outputs = [[Double]](repeating: [], count: length)
        for reverse in layer.isBidirectional ? [false, true] : [false] {
          let size = layer.stateSize
          var h = Array(hidden[state][n * size..<(n + 1) * size])
          var c = Array(cell[state][n * layer.hiddenSize..<(n + 1) * layer.hiddenSize])
          for t in reverse ? Array((0..<length).reversed()) : Array(0..<length) {
            (h, c) = step(x[t], h, c, layer, "_l\(index)" + (reverse ? "_reverse" : ""), parameters)
            outputs[t] += h
          }
          result.hidden[state] += h
          result.cell[state] += c
          state += 1
        }
        x = masks.drop(outputs, place: index + 1, sequence: n)
        parts.append(x)
        guard index == configuration.plain.layers.count - 1 else { continue }
        for t in 0..<length {
          values += x[t].count
          squares += x[t].reduce(0) { $0 + $1 * $1 }
          guard t > 0 else { continue }
          pairs += x[t].count
          changes += zip(outputs[t], outputs[t - 1]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        }
      }
      if configuration.plain.skip { x = (0..<length).map { t in parts.flatMap { $0[t] } } }
      let rows = readout(x, parameters["attention.weight"] ?? []).map { row in
        switch configuration.plain.readoutActivation {
        case .relu: row.map { Swift.max($0, 0) }
        case .tanh: row.map(tanh)
        case .sigmoid: row.map { 1 / (1 + exp(-$0)) }
        case .none, .softmax: row
        }
      }
      for t in 0..<(configuration.readout ?? .all == .all ? batch.steps : 1) {
        result.output +=
          t < rows.count ? head(rows[t], parameters) : .init(repeating: 0, count: configuration.outputSize)
      }
    }
    result.penalty = masks.alpha * squares / Double(values)
    if pairs > 0 { result.penalty += masks.beta * changes / Double(pairs) }
    return result
  }

  private func step(
    _ x: [Double], _ h: [Double], _ c: [Double], _ layer: PlainStack.Layer, _ suffix: String,
    _ parameters: [String: [Double]]
  ) -> ([Double], [Double]) {
    let size = layer.hiddenSize
    func p(_ name: String) -> [Double]? { parameters["lstm.\(name)\(suffix)"] }
    let (inputBias, recurrentBias) = (p("bias_ih"), p("bias_hh"))
    let (inputWeight, recurrentWeight) = (p("weight_ih") ?? [], p("weight_hh") ?? [])
    func pre(_ row: Int) -> Double {
      var sum = (inputBias?[row] ?? 0) + (recurrentBias?[row] ?? 0)
      for j in x.indices { sum += inputWeight[row * x.count + j] * x[j] }
      for j in h.indices { sum += recurrentWeight[row * h.count + j] * h[j] }
      return sum
    }
    func gate(_ x: Double) -> Double {
      switch layer.gateActivation {
      case .sigmoid: 1 / (1 + exp(-x))
      case .hardSigmoid: min(max(0.2 * x + 0.5, 0), 1)
      case .hardSigmoidKeras3: min(max(x / 6 + 0.5, 0), 1)
      }
    }
    let peephole = p("peephole") ?? .init(repeating: 0, count: 3 * size)
    var (raw, cells) = ([Double](), [Double]())
    for j in 0..<size {
      let i = gate(pre(j) + peephole[j] * c[j])
      let f = gate(pre(size + j) + Double(layer.forgetOffset) + peephole[size + j] * c[j])
      let new = f * c[j] + i * tanh(pre(2 * size + j))
      let o = gate(pre(3 * size + j) + peephole[2 * size + j] * new)
      cells.append(new)
      raw.append(o * tanh(new))
    }
    guard let projection = p("weight_hr") else { return (raw, cells) }
    let projected = (0..<layer.stateSize).map { row in
      (0..<size).reduce(0.0) { $0 + projection[row * size + $1] * raw[$1] }
    }
    return (projected, cells)
  }

  private func readout(_ x: [[Double]], _ attention: [Double]) -> [[Double]] {
    let last = x.count - 1
    let width = x[0].count
    switch configuration.readout ?? .all {
    case .all: return x
    case .last: return [x[last]]
    case .final:
      var row: [Double] = []
      if configuration.plain.skip { row += x[last].prefix(configuration.plain.input.size) }
      for (index, layer) in configuration.plain.layers.enumerated() {
        guard configuration.plain.skip || index == configuration.plain.layers.count - 1 else { continue }
        let start = row.count
        row += x[last][start..<start + layer.stateSize]
        if layer.isBidirectional { row += x[0][start + layer.stateSize..<start + 2 * layer.stateSize] }
      }
      return [row]
    case .mean: return [(0..<width).map { j in x.reduce(0) { $0 + $1[j] } / Double(x.count) }]
    case .max: return [(0..<width).map { j in x.reduce(-Double.infinity) { max($0, $1[j]) } }]
    case .attention:
      let scores = x.map { row in exp(zip(row, attention).reduce(0) { $0 + $1.0 * $1.1 }) }
      let total = scores.reduce(0, +)
      return [(0..<width).map { j in zip(x, scores).reduce(0) { $0 + $1.0[j] * $1.1 / total } }]
    }
  }

  private func head(_ row: [Double], _ parameters: [String: [Double]]) -> [Double] {
    var row = row
    for (index, dense) in configuration.plain.head.enumerated() {
      let weight = parameters["head.\(index).weight"] ?? []
      let bias = parameters["head.\(index).bias"]
      var y = (0..<dense.size).map { o in
        (bias?[o] ?? 0) + row.indices.reduce(0.0) { $0 + weight[o * row.count + $1] * row[$1] }
      }
      switch dense.activation {
      case .none: break
      case .relu: y = y.map { max($0, 0) }
      case .tanh: y = y.map(tanh)
      case .sigmoid: y = y.map { 1 / (1 + exp(-$0)) }
      case .softmax:
        let e = y.map(exp)
        y = e.map { $0 / e.reduce(0, +) }
      }
      row = y
    }
    if configuration.normalizesOutput {
      let norm = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      row = row.map { $0 / norm }
    }
    return row
  }
}

/// What a network's last pass dropped, in the caller's order.
struct ReferenceMasks {
  /// For a place and a sequence, the factors of each valid step.
  var places: [Int: [[[Double]]]] = [:]
  var embedding: [Double]?
  /// By the parameter's name.
  var weights: [String: [Double]] = [:]
  var (alpha, beta) = (0.0, 0.0)

  init() {}

  init(_ network: Network) {
    let (shape, pass) = (network.shape, network.regularized)
    let recurrent = network.recurrentLayers
    let dropped: [NetworkLayer] = recurrent.map { $0.sources[0] } + recurrent.suffix(1)
    for (place, node) in dropped.enumerated() where node.mask.isOn {
      let (width, mask) = (node.width, node.mask)
      var list = [[[Double]]](repeating: [], count: shape.count)
      for b in 0..<shape.count {
        list[shape.order[b]] = (0..<shape.lengths[b]).map { t in
          let factors = mask.factors(row: shape.offsets[t] + b, sequence: shape.order[b], width: width)
          return (0..<width).map { Double(factors[$0]) }
        }
      }
      places[place] = list
    }
    if let layer = network.nodes.lazy.compactMap({ $0 as? EmbeddingLayer }).first, let factors = layer.factors {
      let vocabulary = layer.vocabulary
      embedding = (0..<vocabulary).map { Double(factors[$0]) }
    }
    for direction in network.directions.joined() where direction.dropsRecurrentWeight {
      let slot = network.weights.slots[direction.parameters.recurrentWeight]
      weights[slot.name] = (0..<slot.count).map { Double(direction.recurrentFactors.pointer[$0]) }
    }
    alpha = Double(pass.draw?.regularization.activationRegularization ?? 0)
    beta = Double(pass.draw?.regularization.temporalActivationRegularization ?? 0)
  }

  func drop(_ rows: [[Double]], place: Int, sequence: Int) -> [[Double]] {
    guard let factors = places[place]?[sequence] else { return rows }
    return zip(rows, factors).map { zip($0, $1).map { $0 * $1 } }
  }
}
