/// What constants do to each feature: (x - mean) / deviation.
struct ONNXAffine: Equatable {
  /// One for every feature, or one for all.
  var mean: [Double] = [0]
  var deviation: [Double] = [1]
  /// The axis of the input that several belong to.
  var axis: Int?

  /// The same after one more constant; nil where sizes do not go together.
  func after(_ operation: String, _ values: [Double]) -> ONNXAffine? {
    let count = max(mean.count, values.count)
    guard [1, count].contains(mean.count), [1, count].contains(values.count) else { return nil }
    func pick(_ list: [Double], _ index: Int) -> Double { list[list.count == 1 ? 0 : index] }
    var result = self
    result.mean = (0..<count).map { pick(mean, $0) }
    result.deviation = (0..<count).map { pick(deviation, $0) }
    for index in 0..<count {
      let value = pick(values, index)
      switch operation {
      case "Add": result.mean[index] -= value * result.deviation[index]
      case "Sub": result.mean[index] += value * result.deviation[index]
      case "Mul": result.deviation[index] /= value
      case "Div": result.deviation[index] *= value
      default: return nil
      }
    }
    let isSane =
      result.deviation.allSatisfy { $0 > 0 && Float($0).isNormal } && result.mean.allSatisfy { Float($0).isFinite }
    return isSane ? result : nil
  }

  func scaler(_ path: String, width: Int) -> FoundScaler? {
    guard mean.count == 1 || mean.count == width else { return nil }
    let isOne = mean.count == 1
    return FoundScaler(
      key: path, kind: "constants of the graph", mean: isOne ? [Double](repeating: mean[0], count: width) : mean,
      deviation: isOne ? [Double](repeating: deviation[0], count: width) : deviation)
  }

  /// Read the other way: what takes an output back to the data's own units.
  var undone: ONNXAffine {
    // v * s + o is (v - mean) / deviation.
    var result = self
    result.deviation = deviation.map { 1 / $0 }
    result.mean = zip(mean, deviation).map { -$0 / $1 }
    return result
  }
}

extension ONNXGraph {
  /// A constant that is added to, taken from, multiplied with or divided into the graph's input or a dense layer's output.
  mutating func scaled(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2 else { return nil }
    let places = node.operation == "Add" || node.operation == "Mul" ? [(0, 1), (1, 0)] : [(0, 1)]
    for (one, other) in places {
      guard var flow = flow(node, one, mayBeScaled: true), let constant = constant(node, other), flow.parts.count == 1,
        flow.parts[0].pick == .every || isDense(flow.parts[0]), !flow.isNormalized, !flow.isWhole,
        let values = featureValues(constant), let last = flow.axes.last
      else { continue }
      var axis: Int?
      switch flow.parts[0].source {
      case .input:
        guard layers.isEmpty, case .sequence(let ids) = last, ids.count == 1, flow.axes.count == 3 else { continue }
        axis = ids[0]
      case .dense: guard last == .features else { continue }
      default: continue
      }
      if values.count > 1 {
        guard flow.parts[0].size == values.count else { continue }
      }
      guard var affine = (flow.parts[0].affine ?? ONNXAffine()).after(node.operation, values) else { continue }
      if affine.mean.count > 1 { affine.axis = axis }
      flow.parts[0].affine = affine
      for source in constant.sources { harmless[source] = "scales the input or the output: kept as the model's scaler" }
      return .flow(flow)
    }
    return nil
  }

  private func isDense(_ part: ONNXFlow.Part) -> Bool {
    if case .dense = part.source { true } else { false }
  }

  /// One value, or one for each feature, which are the last axis.
  private func featureValues(_ constant: ONNXConstant) -> [Double]? {
    let shape = constant.shape
    guard constant.tensor.dataType.isFloatingPoint, constant.tensor.elementCount <= 1 << 16,
      shape.dropLast().allSatisfy({ $0 == 1 }), constant.tensor.elementCount > 0
    else { return nil }
    return try? constant.tensor.doubles()
  }
}
