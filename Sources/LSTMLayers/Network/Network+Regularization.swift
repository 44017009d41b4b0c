import CLSTMKernels
import LSTMCheckpoints

extension Network {
  /// The penalties of the last pass, which the caller adds to the loss; `backward` adds their gradients. Zero without
  /// regularization.
  public var penalty: Regularization.Penalty { regularized.penalty }

  // MARK: - Forward

  /// Draws the dropout masks of a pass, after `begin`.
  /// - Throws: `ShapeError` when a probability is out of range.
  func beginRegularization(_ draw: Regularization.Draw?, _ sites: Regularization.Sites) throws(ShapeError) {
    guard let draw, !draw.regularization.isOff else { return }
    try draw.regularization.validate()
    let (rule, layers) = (draw.regularization, configuration.layers.count)
    regularized.turnOn(draw, sites)
    for place in 0...layers where place >= sites.firstPlace || (place == layers && sites.dropsHeadInput) {
      let isBetween = place > 0 && place < layers
      regularized.masks[place].draw(
        draw, place: place, width: sites.dropsHeadInput ? configuration.readoutSize : rowWidth(at: place), shape: shape,
        lockedProbability: isBetween ? rule.hiddenDropout : place == 0 ? rule.inputDropout : rule.outputDropout,
        probability: isBetween ? rule.dropout : 0, kernels: kernels)
    }
    if sites.firstPlace == 0, rule.embeddingDropout > 0, case .tokens(let vocabulary, _) = configuration.input {
      regularized.drawEmbedding(vocabulary: vocabulary)
    }
  }

  /// The rows after dropout at place k: the input of layer k or, if k is the number of layers, the last layer's output.
  func rowsRead(at place: Int) -> UnsafeMutablePointer<Float> {
    let mask = regularized.masks[place]
    return mask.isOn && !regularized.dropsHeadInput ? mask.rows.pointer : undroppedRows(at: place)
  }

  private func undroppedRows(at place: Int) -> UnsafeMutablePointer<Float> {
    place == 0 ? input.pointer : layerOutputs[place - 1].pointer
  }

  func rowWidth(at place: Int) -> Int {
    place == 0 ? configuration.input.size : configuration.layers[place - 1].outputSize
  }

  func drop(at place: Int) {
    guard regularized.masks[place].isOn, !regularized.dropsHeadInput else { return }
    drop(undroppedRows(at: place), place: place, width: rowWidth(at: place), at: .layer(place), rows: shape.rows)
  }

  /// If only the head is trainable, its input is dropped instead of the LSTM layers' output.
  func dropHeadInput() {
    let place = configuration.layers.count
    guard regularized.dropsHeadInput, regularized.masks[place].isOn else { return }
    drop(readoutOutput, place: place, width: configuration.readoutSize, at: .head(0), rows: readout.rows(shape))
    readoutOutput = regularized.masks[place].rows.pointer
    headOutput = readoutOutput
  }

  private func drop(_ x: UnsafePointer<Float>, place: Int, width: Int, at stage: ModelStage, rows: Int) {
    let mask = regularized.masks[place]
    mask.rows.reserve(rows * width)
    let to = mask.rows.pointer
    forEachRow(at: stage, size: width) { row, sequence, _ in
      let factors = mask.factors(row: row, sequence: sequence, width: width)
      for j in 0..<width { to[row * width + j] = x[row * width + j] * factors[j] }
    }
  }

  /// Computes the penalties on the last layer's output, and keeps h[t] - h[t-1] for the gradient.
  func measurePenalty() {
    guard regularized.penalizes, let rule = regularized.draw?.regularization else { return }
    let (layers, table) = (configuration.layers.count, kernels.table.pointee)
    let width = rowWidth(at: layers)
    let sums = regularized.rowSums
    sums.reserve(shape.rows)
    func sum() -> Double {
      var sum = 0.0
      for row in 0..<shape.rows { sum += sums.pointer[row] }
      return sum
    }
    if rule.activationRegularization > 0 {
      let y = rowsRead(at: layers)
      forEachRow(at: .layer(layers), size: width) { row, _, _ in
        sums.pointer[row] = table.sum_of_squares(width, y + row * width)
      }
      regularized.penalty.activation = Double(rule.activationRegularization) * sum() / Double(shape.rows * width)
    }
    // The number of steps that have a previous step.
    let pairs = shape.rows - shape.count
    if rule.temporalActivationRegularization > 0, pairs > 0 {
      let (h, differences) = (undroppedRows(at: layers), regularized.differences)
      differences.reserve(shape.rows * width)
      let shape = shape
      forEachRow(at: .layer(layers), size: 2 * width) { row, _, step in
        let d = differences.pointer + row * width
        if step == 0 {
          d.update(repeating: 0, count: width)
        } else {
          let before = h + (shape.offsets[step - 1] + row - shape.offsets[step]) * width
          for j in 0..<width { d[j] = h[row * width + j] - before[j] }
        }
        sums.pointer[row] = table.sum_of_squares(width, d)
      }
      regularized.penalty.temporalActivation =
        Double(rule.temporalActivationRegularization) * sum() / Double(pairs * width)
    }
  }

  // MARK: - Backward

  /// The gradient of the last layer's output, penalties included, from that of its output after dropout.
  func regularizedTopGradient(_ gradient: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
    let layers = configuration.layers.count
    let mask = regularized.masks[layers]
    let penalizes = regularized.penalizes
    guard mask.isOn || penalizes, let rule = regularized.draw?.regularization else { return gradient }
    let width = rowWidth(at: layers)
    let pairs = shape.rows - shape.count
    let activation = penalizes ? 2 * rule.activationRegularization / Float(shape.rows * width) : 0
    let temporal = penalizes && pairs > 0 ? 2 * rule.temporalActivationRegularization / Float(pairs * width) : 0
    let shape = shape
    let (top, y, skips) = (layerGradients[layers], rowsRead(at: layers), configuration.skip)
    if !skips { top.reserve(shape.rows * width) }
    let differences = regularized.differences.pointer
    forEachRow(at: .layer(layers), size: 2 * width) { row, sequence, step in
      let (to, at) = (top.pointer + row * width, row * width)
      if !skips { to.update(from: gradient + at, count: width) }
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
    return top.pointer
  }

  /// Turns the gradient of layer `place`'s input after dropout into that of its input before dropout.
  func dropGradient(at place: Int) {
    let mask = regularized.masks[place]
    guard mask.isOn else { return }
    let (width, gradient) = (rowWidth(at: place), layerGradients[place].pointer)
    forEachRow(at: .layer(place), size: width) { row, sequence, _ in
      let factors = mask.factors(row: row, sequence: sequence, width: width)
      for j in 0..<width { gradient[row * width + j] *= factors[j] }
    }
  }
}
