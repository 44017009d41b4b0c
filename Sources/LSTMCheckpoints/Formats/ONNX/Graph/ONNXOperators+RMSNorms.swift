import FileIO

extension ONNXOperators {
  static let rmsNorm = Family(["RMSNormalization", "SimplifiedLayerNormalization"]) { t, node throws(ONNXRefusal) in
    guard let rows = t.rows(node), let scale = t.weight(node, 1),
      t.axis(t.integer(node, "axis") ?? -1, rows.axes.count) == rows.axes.count - 1,
      let gain = t.vector(scale, rows.width)
    else { return nil }
    return [.rows(try t.rmsNorm(rows, Double(t.number(node, "epsilon") ?? 1e-5), gain, node))]
  }
}

extension ONNXTranslator {
  /// x / sqrt(mean(x^2) + epsilon), at its division or its product.
  mutating func rootMeanSquared(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in node.operation == "Div" ? [(0, 1)] : [(0, 1), (1, 0)] {
      guard let rows = rows(node, one), rows.factors.count == 1, rows.isWholeRow(at: rows.axes.count - 1),
        let root = origin(node, other)
      else { continue }
      var inner: String?
      if node.operation == "Div" {
        inner = root.operation == "Sqrt" ? root.inputs.first : nil
      } else if root.operation == "Pow", scalar(root, 1) == -0.5 {
        inner = root.inputs.first
      } else if let place = root.operation == "Reciprocal"
        ? 0 : root.operation == "Div" && scalar(root, 0) == 1 ? 1 : nil,
        let below = origin(root, place), below.operation == "Sqrt"
      {
        inner = below.inputs.first
      }
      guard let inner, let epsilon = meanSquare(inner, of: node.inputs[one], rows) else { continue }
      return try rmsNorm(rows, epsilon, nil, node)
    }
    return nil
  }

  /// The epsilon of mean(x^2) + epsilon.
  private func meanSquare(_ name: String, of x: String, _ rows: ONNXRows) -> Double? {
    guard let sum = origin(name), sum.operation == "Add", sum.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let epsilon = scalar(sum, other), epsilon > 0, let mean = origin(sum, one), mean.operation == "ReduceMean",
        let (axes, keeps) = reduced(mean, rows.axes.count), axes == [rows.axes.count - 1], keeps,
        let squared = square(origin(mean, 0)), realName(squared) == realName(x)
      else { continue }
      return epsilon
    }
    return nil
  }

  /// The root of the mean square is the norm of the row and of one more value, sqrt(n epsilon), over sqrt(n).
  mutating func rmsNorm(
    _ rows: ONNXRows, _ epsilon: Double, _ gain: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard rows.factors.count == 1, rows.isWholeRow(at: rows.axes.count - 1), epsilon > 0, epsilon.isFinite else {
      throw ONNXRefusal(detail: "it normalizes over other axes than that of features")
    }
    let count = Double(rows.width)
    var one = rows.of(try layer(Layer.Slice(first: 0, count: 1), [rows.source], node))
    one = ONNXRows(source: one.source, axes: rows.axes, factors: [1])
    let affine = ONNXAffineRows(scale: [0], offset: [(count * epsilon).squareRoot()])
    let constant = try scaled(one, by: affine, sources: [], node)
    let both = try layer(Layer.Merge(.concatenate), [rows.source, constant.source], node)
    let unit = try layer(Layer.L2(), [both], node)
    let kept = rows.of(try layer(Layer.Slice(first: 0, count: rows.width), [unit], node))
    note("\(node.description) ends a root-mean-square normalization: its gain is kept as it is, and is not trained")
    let rooted = try scaled(kept, by: ONNXAffineRows(scale: [count.squareRoot()], offset: [0]), sources: [], node)
    guard let gain else { return rooted }
    guard let values = spread(gain, over: rooted) else {
      throw ONNXRefusal(detail: "its gain is not one for each feature")
    }
    return try scaled(rooted, by: ONNXAffineRows(scale: values, offset: [0]), sources: gain.sources, node)
  }
}
