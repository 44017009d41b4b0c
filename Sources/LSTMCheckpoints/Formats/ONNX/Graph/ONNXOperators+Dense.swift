import FileIO

extension ONNXOperators {
  static let dense = Family(["MatMul", "Gemm"]) { t, node throws(ONNXRefusal) in
    if node.operation == "MatMul" {
      if let attended = try t.attended(node) { return [attended] }
      if let attended = try t.attendedSteps(node) { return [.rows(attended)] }
      if let scores = t.scores(node) { return [.scores(scores)] }
      if let known = t.summedPairs(node) { return [known] }
      guard node.inputs.count == 2, let rows = t.rows(node), let weight = t.weight(node, 1) else { return nil }
      return [.rows(try t.dense(rows, weight, isTransposed: false, bias: nil, node))]
    }
    guard node.inputs.count >= 2, let rows = t.rows(node), var weight = t.weight(node, 1),
      t.integer(node, "transA") ?? 0 == 0
    else { return nil }
    if let alpha = t.number(node, "alpha"), alpha != 1 {
      guard let scaled = t.times(weight, alpha) else { return nil }
      weight = scaled
    }
    var bias: ONNXConstant?
    if !t.isAbsent(node, 2) {
      guard var found = t.weight(node, 2) else { return nil }
      if let beta = t.number(node, "beta"), beta != 1 {
        guard let scaled = t.times(found, beta) else { return nil }
        found = scaled
      }
      bias = found
    }
    return [.rows(try t.dense(rows, weight, isTransposed: t.integer(node, "transB") ?? 0 != 0, bias: bias, node))]
  }
}

extension ONNXTranslator {
  fileprivate func times(_ constant: ONNXConstant, _ factor: Float) -> ONNXConstant? {
    let one = constant.value
    return constant.with(
      StoredTensor(name: one.name, shape: one.shape, dataType: .float32) {
        littleEndianBytes(try one.floats().map { $0 * factor })
      })
  }

  /// - Parameter isTransposed: whether the weight is (O, I), as PyTorch has it, rather than (I, O).
  mutating func dense(
    _ input: ONNXRows, _ matrix: ONNXConstant, isTransposed: Bool, bias: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    var weight = matrix
    if weight.shape.count == 1, !isTransposed, let column = weight.with(weight.value.reshaped([weight.shape[0], 1])) {
      // A vector gives one number and no axis for it.
      let made = try dense(input, column, isTransposed: false, bias: bias, node)
      return made.under(Array(made.axes.dropLast()))
    }
    guard weight.shape.count == 2, weight.shape.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 }) else {
      throw ONNXRefusal(detail: "its weights are \(shapeText(weight.shape)), no matrix")
    }
    if !isTransposed { weight.isTransposed.toggle() }
    let rows = try wholeRow(input, node)
    let (place, size) = (rows.axes.count - 1, weight.shape[0])
    guard rows.width == weight.shape[1] else {
      throw ONNXRefusal(detail: "its weights are for \(weight.shape[1]) values, but it reads \(rows.width)")
    }
    if let closed = try closingAttention(rows, weight, bias: bias, node) { return rows.of(closed) }
    var kind = Layer.Dense(size: size, hasBias: bias != nil)
    var parameters = [ONNXDraft.Key(name: "weight"): parameter(weight)]
    if let bias {
      if let vector = vector(bias, size) {
        parameters[.init(name: "bias")] = parameter(vector)
      } else if bias.tensor.elementCount == 1, let value = try? bias.tensor.floats() {
        let tensor = StoredTensor(
          name: bias.tensor.name, shape: [size], values: [Float](repeating: value[0], count: size))
        parameters[.init(name: "bias")] = parameter(ONNXConstant(tensor: tensor, sources: bias.sources))
      } else {
        throw ONNXRefusal(detail: "its bias is \(shapeText(bias.shape)), not one for each output")
      }
    }
    kind.hasBias = bias != nil
    let source = try layer(kind, [rows.source], parameters, node)
    return rows.replacingRow(at: place, with: source, width: size)
  }

  /// (O), perhaps with axes of 1 before.
  func vector(_ constant: ONNXConstant, _ size: Int) -> ONNXConstant? {
    let shape = constant.shape
    guard shape.last == size, shape.dropLast().allSatisfy({ $0 == 1 }) else { return nil }
    return shape.count == 1 ? constant : constant.with(constant.value.reshaped([size]))
  }

  /// Rows whose last axis is all of a row; the steps of one value each are one where a layer reads them so.
  private mutating func wholeRow(_ rows: ONNXRows, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows {
    let place = rows.axes.count - 1
    if rows.isWholeRow(at: place) { return rows }
    if place >= 0, rows.axes[place] == .time, rows.factors.isEmpty, draft[rows.source].input == nil,
      let steps = steps(of: rows.source)
    {
      draft.fix(steps: steps, of: rows.source)
      let source = try layer(Layer.Flatten(), [rows.source], node)
      return rows.replacingRow(at: place, with: source, width: steps)
    }
    // Steps that lie side by side in what is given once.
    if rows.factors.count == 2, place >= 0, rows.axes[place] == .row(1), !draft[rows.source].value.isPerStep,
      let time = rows.axes.firstIndex(of: .row(0))
    {
      let side = try plain(rows.source, node)
      let source = try layer(Layer.Reshape(.steps, steps: rows.factors[0]), [side], node)
      var axes = rows.axes
      (axes[time], axes[place]) = (.time, .row(0))
      return ONNXRows(source: source, axes: axes, factors: [rows.factors[1]])
    }
    throw ONNXRefusal(
      detail: place >= 0 && rows.axes[place] == .time
        ? "it reads steps side by side, whose number the file does not say" : "it reads only a part of each row")
  }
}
