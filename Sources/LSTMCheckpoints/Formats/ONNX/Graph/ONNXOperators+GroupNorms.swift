import FileIO

extension ONNXOperators {
  static let groupNorm = Family(["InstanceNormalization", "GroupNormalization"]) { t, node throws(ONNXRefusal) in
    node.operation == "GroupNormalization" ? try t.groupNorm(node) : try t.instanceNorm(node)
  }
}

extension ONNXTranslator {
  /// Statistics of each channel over all steps; PyTorch's exporter writes those of groups as of channels that are a group
  /// side by side.
  fileprivate mutating func instanceNorm(_ node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]? {
    guard let gain = weight(node, 1), let bias = weight(node, 2), gain.shape.count == 1, bias.shape == gain.shape
    else { return nil }
    let epsilon = number(node, "epsilon") ?? 1e-5
    if let reshape = origin(node, 0), reshape.operation == "Reshape", let whole = reshape.inputs.first,
      let rows = rows(named: realName(whole)), isOfGroups(reshape, rows, gain.shape[0])
    {
      guard isAll(1, gain), isAll(0, bias) else { return nil }
      let made = try normalized(rows, groups: gain.shape[0], epsilon, nil, nil, node)
      return [.grouped(made)]
    }
    guard let rows = rows(node) else { return nil }
    return [.rows(try normalized(rows, groups: nil, epsilon, gain, bias, node))]
  }

  /// (N, C, ...) as (N, groups, rest).
  private func isOfGroups(_ reshape: ONNXModel.Node, _ rows: ONNXRows, _ groups: Int) -> Bool {
    guard let target = numbers(reshape, 1)?.values, target.count == 3, let batch = target[0] else { return false }
    return target[1]?.known == groups && (batch.known == 0 || batch == size(of: .batch, rows))
      && rows.axes.count >= 3 && rows.axes[0] == .batch && rows.axes[1] == .row(0) && rows.factors[0] % groups == 0
  }

  fileprivate mutating func groupNorm(_ node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]? {
    guard let rows = rows(node), let groups = integer(node, "num_groups"), groups > 0, var gain = weight(node, 1),
      var bias = weight(node, 2), let channels = rows.factors.first
    else { return nil }
    // Up to version 20 there is one for each group.
    if model.opset < 21, groups != channels {
      guard gain.shape == [groups], bias.shape == [groups], channels % groups == 0 else { return nil }
      func spread(_ one: ONNXConstant) -> ONNXConstant? {
        one.with(
          one.value.gathering((0..<groups).flatMap { [Range<Int>](repeating: $0..<$0 + 1, count: channels / groups) }))
      }
      guard let a = spread(gain), let b = spread(bias) else { return nil }
      (gain, bias) = (a, b)
    }
    return [.rows(try normalized(rows, groups: groups, number(node, "epsilon") ?? 1e-5, gain, bias, node))]
  }

  private mutating func normalized(
    _ rows: ONNXRows, groups: Int?, _ epsilon: Float, _ gain: ONNXConstant?, _ bias: ONNXConstant?,
    _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard rows.axes.count >= 3, rows.axes[0] == .batch, rows.axes[1] == .row(0), rows.axes[2...].contains(.time),
      draft[rows.source].value.isPerStep, let channels = rows.factors.first, rows.factors.count <= 2,
      rows.factors.count == 1 || rows.axes[2...].contains(.row(1))
    else {
      throw ONNXRefusal(detail: "it normalizes over other axes than all steps of each channel", isAboutAxes: true)
    }
    let count = groups ?? channels
    guard count > 0, channels % count == 0 else { throw ONNXRefusal(detail: "its groups do not divide its channels") }
    let read = rows.factors.count == 1 ? try plain(rows.source, node) : try grid(rows.source, channels: channels, node)
    var kind = Layer.GroupNorm(groups: count, epsilon: epsilon)
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    (kind.hasScale, kind.hasOffset) = (false, false)
    for (name, usual, found) in [("weight", 1.0, gain), ("bias", 0, bias)] {
      guard let found, !(found.sources.isEmpty && isAll(usual, found)) else { continue }
      guard found.shape == [channels] else { throw ONNXRefusal(detail: "its constants are not one for each channel") }
      if name == "weight" { kind.hasScale = true } else { kind.hasOffset = true }
      parameters[.init(name: name)] = parameter(found)
    }
    return rows.of(try layer(kind, [read], parameters, node))
  }

  /// The channels as they were before they were put into groups.
  func ungrouped(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.operation == "Reshape", case .grouped(let rows)? = meaning(node), let target = numbers(node, 1)?.values,
      target.count == rows.axes.count
    else { return nil }
    var open = 0
    for (place, (axis, wanted)) in zip(rows.axes, target).enumerated() {
      if wanted == nil || wanted?.known == -1 {
        open += 1
      } else if wanted != size(of: axis, rows), !(wanted?.known == 0 && place == 0) {
        return nil
      }
    }
    return open <= 1 ? .rows(rows) : nil
  }

  /// Gain and offset that follow a normalization of groups.
  mutating func afterGroupNorm(
    _ rows: ONNXRows, _ constant: ONNXConstant, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    let entry = draft[rows.source]
    guard var kind = entry.kind as? Layer.GroupNorm, !kind.hasOffset, let channels = rows.factors.first,
      let place = rows.axes.firstIndex(of: .row(0)), constant.tensor.elementCount == channels
    else { return nil }
    let behind = rows.axes.count - 1 - place
    guard constant.shape.count > behind, constant.shape[constant.shape.count - 1 - behind] == channels,
      let vector = constant.with(constant.value.reshaped([channels]))
    else { return nil }
    var parameters = entry.parameters
    guard let name = gainOrOffset(node, &kind.hasScale, &kind.hasOffset) else { return nil }
    parameters[.init(name: name)] = parameter(vector)
    return rows.of(try layer(kind, entry.reads, parameters, node))
  }
}
