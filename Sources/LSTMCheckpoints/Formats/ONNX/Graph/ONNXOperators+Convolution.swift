import FileIO

/// Where a convolution or a pooling slides: time and height, with their places among a node's spatial axes.
struct ONNXWindow {
  /// Of time; nil where each step is alone.
  var time: Int?
  /// Of height; nil where a row has none.
  var height: Int?
  /// Of channels; nil where they are an axis of 1.
  var channels: Int
  /// What it reads, a grid where there is a height.
  var source: Int
  var rows: ONNXRows
}

extension ONNXOperators {
  static let convolution = Family(["Conv", "FusedConv"], domains: ["", "com.microsoft"]) {
    t, node throws(ONNXRefusal) in
    guard node.operation == "FusedConv" else { return try t.convolution(node).map { [.rows($0)] } }
    // ONNX Runtime's own, with an activation.
    guard t.isAbsent(node, 3), let rows = try t.convolution(node) else { return nil }
    return try t.fusedActivation(rows, node).map { [.rows($0)] }
  }

  /// Values around rows, which only a convolution or a pooling reads.
  static let pads = Family(["Pad"]) { t, node throws(ONNXRefusal) in
    guard let rows = t.rows(node), let list = t.integers(node, "pads", input: 1) else { return nil }
    var pad = ONNXPad(
      before: [Int](repeating: 0, count: rows.axes.count), after: [Int](repeating: 0, count: rows.axes.count),
      reflects: false)
    switch t.text(node, "mode") ?? "constant" {
    case "constant":
      guard t.isAbsent(node, 2) || t.scalar(node, 2) == 0, t.number(node, "value") ?? 0 == 0 else {
        throw ONNXRefusal(detail: "it fills with another number than 0")
      }
    case "reflect": pad.reflects = true
    case let mode: throw ONNXRefusal(detail: "it fills by \(mode); known are constant and reflect")
    }
    var axes = Array(rows.axes.indices)
    if let given = t.numbers(node, 3)?.known {
      axes = given.compactMap { t.axis($0, rows.axes.count) }
      guard axes.count == given.count else { return nil }
    }
    guard list.count == 2 * axes.count, list.allSatisfy({ 0...ModelConfiguration.sizeLimit ~= $0 }) else { return nil }
    for (index, axis) in axes.enumerated() {
      (pad.before[axis], pad.after[axis]) = (list[index], list[axes.count + index])
    }
    if list.allSatisfy({ $0 == 0 }) { return [.rows(rows)] }
    return try t.paddedSteps(rows, pad, node).map { [.rows($0)] } ?? [.padded(rows, pad)]
  }
}

extension ONNXTranslator {
  /// Zeros before and after the steps, where no window slides over them; nil otherwise.
  fileprivate mutating func paddedSteps(
    _ rows: ONNXRows, _ pad: ONNXPad, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    guard !pad.reflects, let time = rows.axes.firstIndex(of: .time), !isUnderWindow(node),
      rows.axes.indices.allSatisfy({ $0 == time || pad.before[$0] + pad.after[$0] == 0 })
    else { return nil }
    let kind = Layer.ZeroPadding(before: pad.before[time], after: pad.after[time])
    return rows.of(try layer(kind, [rows.source], node))
  }

  /// Whether a convolution or a pooling reads what a node gives, perhaps with its axes in another order.
  private func isUnderWindow(_ node: ONNXModel.Node) -> Bool {
    var (names, isFound) = (Set(node.outputs), false)
    for next in model.nodes where next.inputs.contains(where: names.contains) {
      switch next.operation {
      case "Conv", "FusedConv", "MaxPool", "AveragePool": isFound = true
      case "Transpose", "Unsqueeze", "Squeeze", "Identity", "Cast", "Reshape": names.formUnion(next.outputs)
      default: break
      }
    }
    return isFound
  }

  fileprivate mutating func convolution(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    var pad: ONNXPad?
    var input: ONNXRows
    switch meaning(node) {
    case .rows(let rows) where !rows.isWhole: input = rows
    case .padded(let rows, let around): (input, pad) = (rows, around)
    default: return nil
    }
    guard let weight = weight(node, 1) else { return nil }
    let spatial = weight.shape.count - 2
    guard 1...2 ~= spatial else { throw ONNXRefusal(detail: "it is over \(spatial) axes; known here are one and two") }
    // Without a batch the first axis is a channel.
    if input.axes.count == spatial + 1 {
      input = input.under([.one] + input.axes)
      if var around = pad {
        around.before.insert(0, at: 0)
        around.after.insert(0, at: 0)
        pad = around
      }
    }
    let groups = integer(node, "group") ?? 1
    let window = try window(input, spatial: spatial, node)
    let shape = weight.shape
    guard 1...ModelConfiguration.sizeLimit ~= groups, shape.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 }),
      window.channels == shape[1] * groups
    else {
      throw ONNXRefusal(detail: "its weights are for \(shape[1]) channels a group, but it reads \(window.channels)")
    }
    let kernel = Array(shape[2...])
    let settings = try spans(node, kernel)
    var kind = Layer.Convolution(size: shape[0])
    kind.groups = groups
    var matrix = weight
    // An axis of 1 that it slides over is none.
    func along(_ place: Int?, _ list: [Int], _ usual: Int) -> Int { place.map { list[$0] } ?? usual }
    for place in 0..<spatial where place != window.time && place != window.height {
      guard
        kernel[place] == 1
          || settings.before[place] == settings.after[place] && kernel[place] == 2 * settings.before[place] + 1
      else { throw ONNXRefusal(detail: "it slides over an axis of size 1 with a window of \(kernel[place])") }
    }
    let order = [0, 1] + [window.time, window.height].compactMap { $0.map { $0 + 2 } }
    var tensor = weight.value
    // Of a window over an axis of 1 only the middle meets anything.
    for place in 0..<spatial where place != window.time && place != window.height && kernel[place] > 1 {
      let middle = settings.before[place]
      tensor = tensor.gathering([middle..<middle + 1], axis: place + 2)
    }
    let rest = (2..<weight.shape.count).filter { !order.contains($0) }
    tensor = tensor.permuted(order + rest)
    let hasHeight = window.height != nil
    let sizes =
      (hasHeight ? [along(window.time, kernel, 1)] : window.time.map { [kernel[$0]] } ?? [1])
      + (window.height.map { [kernel[$0]] } ?? [])
    tensor = tensor.reshaped(Array(tensor.shape[..<2]) + sizes)
    guard let viewed = weight.with(tensor) else { return nil }
    matrix = tensor.shape == weight.shape && order == Array(weight.shape.indices) ? weight : viewed
    kind.kernel = sizes
    kind.stride =
      [along(window.time, settings.stride, 1)] + (hasHeight ? [along(window.height, settings.stride, 1)] : [])
    kind.dilation =
      [along(window.time, settings.dilation, 1)] + (hasHeight ? [along(window.height, settings.dilation, 1)] : [])
    try fill(&kind, window, settings, pad, input, node)
    kind.hasBias = !isAbsent(node, 2)
    if case .zeros? = meaning(node, 2) { kind.hasBias = false }
    var parameters = [
      ONNXDraft.Key(name: "weight"): parameter(
        matrix, matrix.shape == weight.shape ? nil : "the window's axes put in order")
    ]
    if kind.hasBias {
      guard let bias = self.weight(node, 2), let vector = vector(bias, shape[0]) else { return nil }
      parameters[.init(name: "bias")] = parameter(vector)
    }
    if window.time == nil, !hasHeight, groups == 1, let flat = weight.with(tensor.reshaped([shape[0], shape[1]])) {
      // A window of one step is a dense layer.
      parameters[.init(name: "weight")] = parameter(flat, "a window of one step")
      let dense = Layer.Dense(size: shape[0], hasBias: kind.hasBias)
      let made = try layer(dense, [window.source], parameters, node)
      return given(made, window)
    }
    let made = try layer(kind, [window.source], parameters, node)
    return given(made, window)
  }

  private func fill(
    _ kind: inout Layer.Convolution, _ window: ONNXWindow, _ settings: ONNXSpans, _ pad: ONNXPad?, _ input: ONNXRows,
    _ node: ONNXModel.Node
  ) throws(ONNXRefusal) {
    var around: [Int] = []
    for place in [window.time] + (window.height == nil ? [] : [window.height]) {
      guard let place else {
        around += [0, 0]
        continue
      }
      let axis = input.axes.count - settings.before.count + place
      let (before, after) = (pad?.before[axis] ?? 0, pad?.after[axis] ?? 0)
      let own = settings.before[place] + settings.after[place]
      if own > 0, pad?.reflects == true, before + after > 0 { throw ONNXRefusal(detail: "it pads what was padded") }
      around += [before + settings.before[place], after + settings.after[place]]
    }
    if let pad {
      let slid = [window.time, window.height].compactMap { $0.map { input.axes.count - settings.before.count + $0 } }
      guard input.axes.indices.allSatisfy({ slid.contains($0) || pad.before[$0] == 0 && pad.after[$0] == 0 }) else {
        throw ONNXRefusal(detail: "it reads what was padded along other axes than its own")
      }
      kind.reflects = pad.reflects
    }
    if settings.isSame { kind.padding = .same }
    if around.contains(where: { $0 != 0 }) { kind.pad = around }
  }

  /// What a convolution or a pooling gives: channels, time and height where they were.
  func given(_ source: Int, _ window: ONNXWindow) -> ONNXRows {
    let value = draft[source].value
    var factors = [value.width]
    if window.height != nil, let grid = value.grid { factors = [grid.channels, grid.height] }
    var axes = window.rows.axes
    let first = axes.count - window.rows.spatial
    axes[first - 1] = .row(0)
    if let height = window.height { axes[first + height] = .row(1) }
    return ONNXRows(source: source, axes: axes, factors: factors)
  }

  // MARK: - Axes and settings

  mutating func window(
    _ input: ONNXRows, spatial: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXWindow {
    guard input.axes.count == spatial + 2 else {
      throw ONNXRefusal(detail: "it reads \(input.axes.count) axes; expected batch, channels and \(spatial) more")
    }
    guard !input.axes[0].isRow else {
      throw ONNXRefusal(detail: "the first axis that it reads is neither batch nor time")
    }
    var input = input
    // Steps of what is given once, each with its channels.
    if !draft[input.source].value.isPerStep, !input.hasTime, input.factors.count > 1, input.axes[1] != .row(0),
      let place = input.axes.indices.first(where: { $0 > 1 && input.axes[$0] == .row(0) })
    {
      input = try stepsApart(input, at: place, node)
    }
    var rows = input
    rows.spatial = spatial
    var window = ONNXWindow(channels: 1, source: input.source, rows: rows)
    for place in 0..<spatial {
      switch input.axes[2 + place] {
      case .one: break
      case .time: window.time = place
      case .row: window.height = place
      default: throw ONNXRefusal(detail: "it slides over the batch")
      }
    }
    let used = [1] + [window.height].compactMap { $0.map { $0 + 2 } }
    let factors = used.compactMap { place -> Int? in
      if case .row(let factor) = input.axes[place] { factor } else { nil }
    }
    guard input.axes[1] == .one || input.axes[1].isRow, factors.count == input.factors.count else {
      throw ONNXRefusal(detail: "what it takes for channels is no part of a row")
    }
    if case .row(let factor) = input.axes[1] { window.channels = input.factors[factor] }
    if window.height != nil {
      // Height before channels is turned first.
      if factors == [1, 0] {
        let turned = try turned(input.source, channels: input.factors[0], node)
        window.source = try grid(turned, channels: window.channels, node)
      } else {
        window.source = try grid(input.source, channels: window.channels, node)
      }
    } else {
      window.source = try plain(input.source, node)
    }
    return window
  }

  /// Strides, dilations and padding of a window's axes.
  func spans(_ node: ONNXModel.Node, _ kernel: [Int]) throws(ONNXRefusal) -> ONNXSpans {
    let count = kernel.count
    func list(_ attribute: String, _ usual: Int, _ wanted: Int) throws(ONNXRefusal) -> [Int] {
      let found = integers(node, attribute) ?? [Int](repeating: usual, count: wanted)
      guard found.count == wanted, found.allSatisfy({ usual...ModelConfiguration.sizeLimit ~= $0 }) else {
        throw ONNXRefusal(detail: "its \(attribute) are \(found), expected \(wanted) numbers of at least \(usual)")
      }
      return found
    }
    if let said = integers(node, "kernel_shape"), said != kernel {
      throw ONNXRefusal(detail: "its kernel_shape is \(said), but its weights are for \(kernel)")
    }
    let pads = try list("pads", 0, 2 * count)
    var spans = ONNXSpans(
      stride: try list("strides", 1, count), dilation: try list("dilations", 1, count),
      before: Array(pads[..<count]), after: Array(pads[count...]))
    switch text(node, "auto_pad") ?? "NOTSET" {
    case "NOTSET", "": break
    case "VALID": (spans.before, spans.after) = ([Int](repeating: 0, count: count), [Int](repeating: 0, count: count))
    case "SAME_UPPER":
      spans.isSame = true
      (spans.before, spans.after) = ([Int](repeating: 0, count: count), [Int](repeating: 0, count: count))
    case let way:
      // Of an odd number the more comes first; where it is even there is no difference.
      let isEven = (0..<count).allSatisfy { spans.stride[$0] == 1 && (kernel[$0] - 1) * spans.dilation[$0] % 2 == 0 }
      guard way == "SAME_LOWER", isEven else { throw ONNXRefusal(detail: "its auto_pad is \(way)") }
      spans.isSame = true
      (spans.before, spans.after) = ([Int](repeating: 0, count: count), [Int](repeating: 0, count: count))
    }
    return spans
  }
}

struct ONNXSpans {
  var stride: [Int]
  var dilation: [Int]
  var before: [Int]
  var after: [Int]
  var isSame = false
}

extension ONNXRows.Axis {
  var isRow: Bool { if case .row = self { true } else { false } }
}
