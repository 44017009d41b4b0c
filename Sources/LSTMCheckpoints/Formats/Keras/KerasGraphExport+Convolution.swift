import FileIO

/// Windows over time, and over the height of a grid.
extension KerasGraphExport {
  /// Of time and height, in the order of the axes that a value has.
  private func inOrder(_ list: [Int], _ value: Value) -> [Int] { value.axes.first == .height ? list.reversed() : list }

  private func json(_ list: [Int]) -> KerasJSON { .array(list.map { .number(Double($0)) }) }

  mutating func addConvolution(
    _ layer: Layer, _ kind: Layer.Convolution, _ given: Value, _ value: LayerValue
  ) throws(CheckpointError) {
    if let next = readers[layer.name]?.first, readers[layer.name]?.count == 1, next.kind is Layer.Convolution,
      sourceLayer(next.name)?.kind.hasPrefix("SeparableConv") == true, sourceLayer(layer.name) == nil
    {
      depthwise[next.name] = (layer, kind, given)
      values[layer.name] = given
      return
    }
    let is2D = kind.kernel.count == 2
    var read = is2D ? given : try steps(try rows(given, layer), layer)
    guard !is2D || read.axes == grid else { throw refused(layer, "two axes of windows over what is no grid") }
    guard !kind.reflects else { throw refused(layer, "padding by reflection") }
    if kind.kernel[0] > 1 { read = try inTime(read, layer.name) }
    if try addSeparable(layer, kind, read, value) { return }
    if try addDenseOfGrid(layer, kind, read, value) { return }
    var padding = kind.padding
    if is2D, padding == .causal, !read.isReversed {
      // Theirs is of steps alone.
      var pad = kind.pad.isEmpty ? [0, 0, 0, 0] : kind.pad
      pad[0] += (kind.kernel[0] - 1) * kind.dilation[0]
      read = padded(read, pad)
      padding = .valid
    } else if kind.pad.contains(where: { $0 != 0 }) {
      // Half of a window on each side, and no strides: what Keras calls the same.
      let isSame = kind.kernel.indices.allSatisfy { axis in
        let reach = (kind.kernel[axis] - 1) * kind.dilation[axis]
        return kind.pad[2 * axis] == reach / 2 && kind.pad[2 * axis + 1] == reach - reach / 2
      }
      let isCausal = !is2D && kind.pad == [(kind.kernel[0] - 1) * kind.dilation[0], 0]
      if kind.padding == .valid, isSame && kind.stride.allSatisfy({ $0 == 1 }) || isCausal {
        padding = isCausal ? .causal : .same
      } else {
        guard kind.padding == .valid, !read.isReversed else {
          throw refused(layer, "padding of its own beside a convolution")
        }
        read = padded(read, kind.pad)
      }
    }
    guard padding != .causal || !is2D else { throw refused(layer, "causal padding over a grid") }
    let weight = try tensor(layer, "weight")
    let sourceKind = sourceLayer(layer.name)?.kind
    let isWrapped =
      is2D && !timeIsSecond && kind.kernel[0] == 1 && kind.stride[0] == 1
      // Of a model that ran on each step too.
      && ["TimeDistributed", "Conv1D", "DepthwiseConv1D"].contains(sourceKind)
    let channels = kind.groups * weight.shape[1]
    let isDepthwise = sourceKind?.hasPrefix("DepthwiseConv") == true && kind.groups == channels
    let axes = isWrapped ? 1...1 : is2D ? 0...1 : 0...0
    func said(_ list: [Int]) -> KerasJSON {
      json(inOrder(Array(list[axes]), isWrapped ? Value(node: 0, axes: [], shape: []) : read))
    }
    var config: [String: KerasJSON] = [
      "kernel_size": said(kind.kernel), "strides": said(kind.stride), "dilation_rate": said(kind.dilation),
      "padding": .string(padding.rawValue), "use_bias": .bool(kind.hasBias),
      "activation": .string(inside(kind.activation) ?? "linear"),
    ]
    if isDepthwise {
      config["depth_multiplier"] = .number(Double(kind.size / max(channels, 1)))
    } else {
      config["filters"] = .number(Double(kind.size))
      config["groups"] = .number(Double(kind.groups))
    }
    let className = (isDepthwise ? "DepthwiseConv" : "Conv") + (is2D && !isWrapped ? "2D" : "1D")
    let node: Int
    if isWrapped {
      config["name"] = "conv1d"
      config["dtype"] = "float32"
      let inner: KerasJSON = [
        "module": "keras.layers", "class_name": .string(className), "config": .object(config), "registered_name": nil,
      ]
      node = add("TimeDistributed", name(for: layer, "TimeDistributed"), ["layer": inner], reading: [read])
    } else {
      node = add(className, name(for: layer, className), config, reading: [read])
    }
    // (O, I, k) -> (k, I, O)
    let spatial = Array(2..<weight.shape.count)
    var kernel = weight.permutingAxes(inOrder(spatial, read) + [1, 0])
    let window = kernel.shape[(isWrapped ? 1 : 0)..<spatial.count]
    if isWrapped { kernel = kernel.reshaped(Array(kernel.shape.dropFirst())) }
    if isDepthwise { kernel = kernel.reshaped(window + [channels, kind.size / max(channels, 1)]) }
    let under: (legacy: [String], object: [String]) = isWrapped ? ([], ["layer"]) : ([], [])
    put(
      kernel, node, isDepthwise ? "depthwise_kernel" : "kernel", 0, under: under,
      source: [layer.parameterName("weight")])
    if kind.hasBias {
      put(try tensor(layer, "bias"), node, "bias", 1, under: under, source: [layer.parameterName("bias")])
    }
    try finish(layer, kind, windowed(read, node, value, kind.size))
  }

  /// - Precondition: `read` has steps of features.
  mutating func addZeroPadding(_ layer: Layer, _ kind: Layer.ZeroPadding, _ read: Value) throws(CheckpointError) {
    // Reversed steps are to be in time's order, where their ends differ.
    let read = kind.before == kind.after ? read : try inTime(read, layer.name)
    var made = read
    made.shape[0] = read.shape[0].map { $0 + kind.before + kind.after }
    made.node = add(
      "ZeroPadding1D", name(for: layer, "ZeroPadding1D"), ["padding": json([kind.before, kind.after])], reading: [read])
    made.output = 0
    values[layer.name] = made
  }

  /// Zeros around the steps, and the height.
  private mutating func padded(_ read: Value, _ pad: [Int]) -> Value {
    var made = read
    var pairs = stride(from: 0, to: pad.count, by: 2).map { Array(pad[$0..<$0 + 2]) }
    if read.axes.first == .height { pairs.reverse() }
    for (place, pair) in pairs.enumerated() { made.shape[place] = read.shape[place].map { $0 + pair[0] + pair[1] } }
    let className = "ZeroPadding\(pairs.count)D"
    made.node = add(
      className, fresh(kerasSnakeCase(className)),
      ["padding": pairs.count == 1 ? json(pairs[0]) : .array(pairs.map { json($0) })], reading: [read])
    made.output = 0
    return made
  }

  /// Two convolutions that the source had as one layer.
  private mutating func addSeparable(
    _ layer: Layer, _ kind: Layer.Convolution, _ read: Value, _ value: LayerValue
  ) throws(CheckpointError) -> Bool {
    guard let first = depthwise[layer.name] else { return false }
    let is2D = kind.kernel.count == 2
    let weight = try tensor(first.layer, "weight")
    let spatial = Array(2..<weight.shape.count)
    let (channels, size) = (first.kind.groups, first.kind.size)
    let kernel = weight.permutingAxes(inOrder(spatial, read) + [1, 0])
    let className = is2D ? "SeparableConv2D" : "SeparableConv1D"
    let node = add(
      className, name(for: layer, className),
      [
        "filters": .number(Double(kind.size)), "kernel_size": json(inOrder(first.kind.kernel, read)),
        "strides": json(inOrder(first.kind.stride, read)), "dilation_rate": json(inOrder(first.kind.dilation, read)),
        "padding": .string(first.kind.padding.rawValue), "depth_multiplier": .number(Double(size / max(channels, 1))),
        "use_bias": .bool(kind.hasBias), "activation": .string(inside(kind.activation) ?? "linear"),
      ], reading: [read])
    put(
      kernel.reshaped(kernel.shape.prefix(spatial.count) + [channels, size / max(channels, 1)]), node,
      "depthwise_kernel", 0,
      source: [first.layer.parameterName("weight")])
    let point = try tensor(layer, "weight").reshaped([kind.size, size]).transposed()
    put(
      point.reshaped(spatial.map { _ in 1 } + [size, kind.size]), node, "pointwise_kernel", 1,
      source: [layer.parameterName("weight")])
    if kind.hasBias { put(try tensor(layer, "bias"), node, "bias", 2, source: [layer.parameterName("bias")]) }
    try finish(layer, kind, windowed(read, node, value, kind.size))
    return true
  }

  /// A convolution of single values that the source had as a dense layer over channels.
  private mutating func addDenseOfGrid(
    _ layer: Layer, _ kind: Layer.Convolution, _ read: Value, _ value: LayerValue
  ) throws(CheckpointError) -> Bool {
    guard sourceLayer(layer.name)?.kind == "Dense", kind.groups == 1,
      (kind.kernel + kind.stride).allSatisfy({ $0 == 1 }), kind.pad.allSatisfy({ $0 == 0 })
    else { return false }
    let weight = try tensor(layer, "weight")
    let node = add(
      "Dense", name(for: layer, "Dense"),
      [
        "units": .number(Double(kind.size)), "use_bias": .bool(kind.hasBias),
        "activation": .string(inside(kind.activation) ?? "linear"),
      ], reading: [read])
    put(
      weight.reshaped([kind.size, weight.shape[1]]).transposed(), node, "kernel", 0,
      source: [layer.parameterName("weight")])
    if kind.hasBias { put(try tensor(layer, "bias"), node, "bias", 1, source: [layer.parameterName("bias")]) }
    try finish(layer, kind, windowed(read, node, value, kind.size))
    return true
  }

  private mutating func finish(_ layer: Layer, _ kind: Layer.Convolution, _ made: Value) throws(CheckpointError) {
    values[layer.name] = made
    if inside(kind.activation) == nil {
      try addActivation(layer, .init(kind.activation), made, fresh("\(layer.name)_activation"))
    }
  }

  private func windowed(_ read: Value, _ node: Int, _ value: LayerValue, _ channels: Int) -> Value {
    var made = read
    (made.node, made.output) = (node, 0)
    for (place, axis) in made.axes.enumerated() {
      switch axis {
      case .time: made.shape[place] = value.steps
      case .height: made.shape[place] = value.grid?.height
      case .channel, .feature: made.shape[place] = channels
      }
    }
    return made
  }

  mutating func addPooling(
    _ layer: Layer, _ kind: Layer.Pooling, _ given: Value, _ value: LayerValue
  ) throws(CheckpointError) {
    let is2D = kind.window.count == 2
    var read = is2D ? given : try steps(try rows(given, layer), layer)
    guard !is2D || read.axes == grid else { throw refused(layer, "two axes of windows over what is no grid") }
    let stride = kind.stride.isEmpty ? kind.window : kind.stride
    let isUnit = stride.allSatisfy { $0 == 1 }
    guard !kind.isCeiling || isUnit else { throw refused(layer, "windows that are not whole") }
    if kind.window[0] > 1 { read = try inTime(read, layer.name) }
    var isSame = kind.isSame
    if kind.pad.contains(where: { $0 != 0 }) {
      if kind.operation == .average, kind.countsPad, !read.isReversed {
        read = padded(read, kind.pad)
      } else {
        // Windows at every step, half of each on either side: what Keras calls the same.
        isSame = kind.window.indices.allSatisfy { axis in
          kind.pad[2 * axis] == (kind.window[axis] - 1) / 2 && kind.pad[2 * axis + 1] == kind.window[axis] / 2
        }
        guard isUnit, isSame else { throw refused(layer, "padding of its own, which is not counted") }
      }
    }
    let className = (kind.operation == .max ? "MaxPooling" : "AveragePooling") + (is2D ? "2D" : "1D")
    let node = add(
      className, name(for: layer, className),
      [
        "pool_size": json(inOrder(kind.window, read)), "strides": json(inOrder(stride, read)),
        "padding": isSame ? "same" : "valid",
      ], reading: [read])
    values[layer.name] = windowed(read, node, value, value.grid?.channels ?? value.width)
  }
}
