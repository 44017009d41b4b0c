import CLSTMKernels
import LSTMCheckpoints

/// The regularization of the current pass, and its buffers.
///
/// A place is a layer whose output is dropped for everything that reads it: place k is what recurrent layer k reads, and
/// the last one is the last recurrent layer.
final class RegularizedPass {
  /// nil for a pass without regularization.
  private(set) var draw: Regularization.Draw?
  private var sites = Regularization.Sites.everywhere(0)
  /// The penalties of the pass.
  private(set) var penalty = Regularization.Penalty()
  /// h[t] - h[t-1] of the last recurrent layer (R, S), zero at first steps.
  private let differences = FloatBuffer()
  private let rowSums = AlignedBuffer<Double>()

  private let nodes: [NetworkLayer]
  private let recurrent: [RecurrentLayer]
  private let embeddings: [EmbeddingLayer]
  /// What the first dense layer above the recurrent ones reads.
  private let headInput: NetworkLayer?
  private var top: RecurrentLayer? { recurrent.last }
  private var isOn: Bool { draw != nil }

  init(_ nodes: [NetworkLayer], _ recurrent: [RecurrentLayer]) {
    (self.nodes, self.recurrent) = (nodes, recurrent)
    embeddings = nodes.compactMap { $0 as? EmbeddingLayer }
    let last = nodes.lastIndex { $0 is RecurrentLayer } ?? -1
    headInput = nodes.dropFirst(last + 1).first { $0 is DenseLayer }?.sources[0]
  }

  func turnOff() {
    guard draw != nil else { return }
    draw = nil
    penalty = Regularization.Penalty()
    for layer in recurrent {
      layer.mask.turnOff()
      layer.sources[0].mask.turnOff()
    }
    headInput?.mask.turnOff()
    for embedding in embeddings { embedding.dropNothing() }
  }

  /// Draws the masks of a pass.
  func turnOn(_ draw: Regularization.Draw, _ sites: Regularization.Sites) {
    (self.draw, self.sites) = (draw, sites)
    let (rule, count) = (draw.regularization, recurrent.count)
    for (place, layer) in recurrent.enumerated() where sites.inputs[place] {
      let source = layer.sources[0]
      if source.mask.isOn { continue }
      drawMask(
        of: source, place, locked: place == 0 ? rule.inputDropout : rule.hiddenDropout,
        probability: place == 0 ? 0 : rule.dropout)
    }
    if sites.dropsHeadInput, let headInput {
      drawMask(of: headInput, count, locked: rule.outputDropout, probability: 0)
    } else if sites.output, let top {
      drawMask(of: top, count, locked: rule.outputDropout, probability: 0)
    }
    if sites.inputs.first ?? false, rule.embeddingDropout > 0 {
      for embedding in embeddings where !nodes.contains(where: { $0.isSettled && $0.sources.first === embedding }) {
        embedding.dropRows(draw)
      }
    }
  }

  private func drawMask(of layer: NetworkLayer, _ place: Int, locked: Float, probability: Float) {
    guard let draw else { return }
    layer.mask.draw(
      draw, place: place, width: layer.width, shape: layer.shape.packed, lockedProbability: locked,
      probability: probability, kernels: layer.kernels)
  }

  /// Makes a layer's directions use their recurrent weights or, with weight drop, dropped copies.
  func chooseWeights(_ layer: RecurrentLayer) {
    for (place, direction) in layer.directions.enumerated() {
      if let draw, draw.regularization.weightDrop > 0, sites.inputs[layer.number] {
        direction.dropRecurrentWeight(draw, index: layer.firstDirection + place)
      } else {
        direction.useRecurrentWeight(dropped: false)
      }
    }
  }

  // MARK: - Forward

  /// Drops what a layer has just given, and measures the penalties on it.
  func drop(_ layer: NetworkLayer) {
    guard isOn else { return }
    if layer.mask.isOn {
      let (x, width, mask) = (layer.output, layer.width, layer.mask)
      mask.rows.reserve(layer.rowCount * width)
      let to = mask.rows.pointer
      layer.forEachRow { row, sequence, _ in
        let factors = mask.factors(row: row, sequence: sequence, width: width)
        for j in 0..<width { to[row * width + j] = x[row * width + j] * factors[j] }
      }
    }
    if layer === top { measurePenalty(layer) }
  }

  /// Computes the penalties on the last recurrent layer's output, and keeps h[t] - h[t-1] for the gradient.
  private func measurePenalty(_ layer: NetworkLayer) {
    guard penalizes(layer), let rule = draw?.regularization else { return }
    let (table, width, shape) = (layer.kernels.table.pointee, layer.width, layer.shape.packed)
    rowSums.reserve(shape.rows)
    let sums = rowSums.pointer
    func sum() -> Double {
      var sum = 0.0
      for row in 0..<shape.rows { sum += sums[row] }
      return sum
    }
    if rule.activationRegularization > 0 {
      let y = layer.outputRead
      layer.forEachRow { row, _, _ in sums[row] = table.sum_of_squares(width, y + row * width) }
      penalty.activation = Double(rule.activationRegularization) * sum() / Double(shape.rows * width)
    }
    // The number of steps that have a previous step.
    let pairs = shape.rows - shape.count
    if rule.temporalActivationRegularization > 0, pairs > 0 {
      let h = layer.output
      differences.reserve(shape.rows * width)
      let differences = differences.pointer
      layer.forEachRow(work: 2 * width) { row, _, step in
        let d = differences + row * width
        if step == 0 {
          d.update(repeating: 0, count: width)
        } else {
          let before = h + (shape.offsets[step - 1] + row - shape.offsets[step]) * width
          for j in 0..<width { d[j] = h[row * width + j] - before[j] }
        }
        sums[row] = table.sum_of_squares(width, d)
      }
      penalty.temporalActivation = Double(rule.temporalActivationRegularization) * sum() / Double(pairs * width)
    }
  }

  // MARK: - Backward

  /// Whether there is a penalty on a layer's output.
  func penalizes(_ layer: NetworkLayer) -> Bool {
    guard layer === top, sites.penalizes, let rule = draw?.regularization else { return false }
    return rule.activationRegularization > 0 || rule.temporalActivationRegularization > 0
  }

  /// Turns the gradient of a layer's output after dropout into that of its output before, penalties included.
  func undrop(_ layer: NetworkLayer) {
    guard isOn else { return }
    let (mask, penalizes) = (layer.mask, penalizes(layer))
    guard mask.isOn || penalizes, let rule = draw?.regularization else { return }
    let (width, gradient, y, shape) = (layer.width, layer.gradient, layer.outputRead, layer.shape.packed)
    let pairs = shape.rows - shape.count
    let activation = penalizes ? 2 * rule.activationRegularization / Float(shape.rows * width) : 0
    let temporal = penalizes && pairs > 0 ? 2 * rule.temporalActivationRegularization / Float(pairs * width) : 0
    let differences = differences.pointer
    layer.forEachRow(work: 2 * width) { row, sequence, step in
      let (to, at) = (gradient + row * width, row * width)
      if activation > 0 { for j in 0..<width { to[j] += activation * y[at + j] } }
      if mask.isOn {
        let factors = mask.factors(row: row, sequence: sequence, width: width)
        for j in 0..<width { to[j] *= factors[j] }
      }
      guard temporal > 0 else { return }
      for j in 0..<width { to[j] += temporal * differences[at + j] }
      let b = row - shape.offsets[step]
      guard step + 1 < shape.lengths[b] else { return }
      let next = differences + (shape.offsets[step + 1] + b) * width
      for j in 0..<width { to[j] -= temporal * next[j] }
    }
  }
}
