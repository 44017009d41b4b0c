import FileIO

/// Layers over neighboring steps, and over the height of a grid.
extension KerasGraphReading {
  /// One number for each axis; nil where the configuration says none that are known here.
  private func numbers(_ json: KerasJSON?, _ count: Int, usual: [Int]) -> [Int]? {
    guard let json else { return usual }
    let list = json.integer.map { [Int](repeating: $0, count: count) } ?? json.array?.compactMap(\.integer) ?? []
    return list.count == count && list.allSatisfy { 1...ModelConfiguration.sizeLimit ~= $0 } ? list : nil
  }

  /// The axes of the project, time and height, of what a layer of some axes says.
  /// - Parameter wrapper: the layer that runs it on each step, over the height alone.
  private func axes(_ list: [Int], of value: KerasValue, _ wrapper: KerasLayer?) -> [Int] {
    if wrapper != nil { return [1] + list }
    return value.axes.first == .height ? list.reversed() : list
  }

  private func input(
    _ value: KerasValue, _ layer: KerasLayer, _ count: Int, _ wrapper: KerasLayer?
  ) throws(CheckpointError) -> KerasValue {
    let isGrid = [[.time, .height, .channel], [.height, .time, .channel]].contains(value.axes)
    guard count == 1 && wrapper == nil ? value.axes == KerasValue.steps : isGrid else {
      throw unsupported(layer, "has no counterpart here: it reads \(Self.text(value.axes))")
    }
    guard (layer.config["data_format"]?.string ?? "channels_last") == "channels_last" else {
      throw unsupported(layer, "has channels before steps (data_format), which has no counterpart here")
    }
    return value
  }

  mutating func readConvolution(
    _ layer: KerasLayer, _ given: KerasValue, _ path: String, overHeight wrapper: KerasLayer?
  ) throws(CheckpointError) -> KerasValue {
    guard !isKeras1 else { throw unsupported(layer, "has no counterpart here: Keras 1's convolution is not read") }
    let count = layer.className.hasSuffix("1D") ? 1 : 2
    let isDepthwise = layer.className.hasPrefix("Depthwise"), isSeparable = layer.className.hasPrefix("Separable")
    let owner = wrapper ?? layer
    let tensors = try weights(of: layer, (layer.usesBias ? 2 : 1) + (isSeparable ? 1 : 0), owner: owner)
    let kernel = tensors[0]
    try kernel.requireRank(count + 2, "a convolution's kernel (\(count == 1 ? "k" : "k, k"), I, O)")
    var (given, pad) = (given, nil as [Int]?)
    let padsItself = count == 1 && layer.config["padding"]?.string ?? "valid" != "valid"
    if case .padded(let name, let axes, let zeros, _)? = given.special, zeros.count == 2 * count, wrapper == nil,
      !padsItself
    {
      (given, pad) = (KerasValue(name: name, axes: axes), zeros)
    }
    let value = try input(try settled(given, layer, width: kernel.shape[count]), layer, count, wrapper)
    let ones = [Int](repeating: 1, count: count)
    guard let strides = numbers(layer.config["strides"], count, usual: ones),
      let dilation = numbers(layer.config["dilation_rate"], count, usual: ones),
      let padding = Layer.Convolution.Padding(rawValue: layer.config["padding"]?.string ?? "valid"),
      padding != .causal || count == 1 && wrapper == nil
    else { throw unsupported(layer, "has strides, a dilation or a padding that has no counterpart here") }
    let groups = layer.config["groups"]?.integer ?? 1
    guard groups >= 1, groups <= kernel.shape[count + 1] else { throw unsupported(layer, "has \(groups) groups") }
    let activation = try own(layer, layer.config["activation"])
    var kind = Layer.Convolution(size: 1, kernel: axes(Array(kernel.shape.prefix(count)), of: value, wrapper))
    kind.stride = axes(strides, of: value, wrapper)
    kind.dilation = axes(dilation, of: value, wrapper)
    kind.padding = padding
    if let pad {
      guard padding == .valid else { throw unsupported(layer, "pads steps that have zeros around them already") }
      kind.pad = pad
    }
    let isPointwise = kind.kernel[0] == 1 && kind.stride[0] == 1 && pad == nil
    if !isPointwise {
      try refuseReversed(value, layer)
      mixesSteps(value, layer)
    }
    // (k, I, O) -> (O, I, k)
    var turned: StoredTensor
    let spatial = value.axes.first == .height && wrapper == nil ? Array((0..<count).reversed()) : Array(0..<count)
    if isDepthwise || isSeparable {
      let (read, times) = (kernel.shape[count], kernel.shape[count + 1])
      let (size, overflows) = read.multipliedReportingOverflow(by: times)
      guard !overflows, size <= ModelConfiguration.sizeLimit else { throw unsupported(layer, "has too many channels") }
      (kind.size, kind.groups) = (size, read)
      turned = kernel.reshaped(kernel.shape.prefix(count) + [size]).permutingAxes([count] + spatial)
    } else {
      (kind.size, kind.groups) = (kernel.shape[count + 1], groups)
      turned = kernel.permutingAxes([count + 1, count] + spatial)
    }
    turned = turned.reshaped([kind.size, isDepthwise || isSeparable ? 1 : kernel.shape[count]] + kind.kernel)
    let isLast = !isSeparable
    kind.hasBias = isLast && layer.usesBias
    kind.activation = isLast && activation.alpha == nil ? activation.activation : .none
    if kind.activation != .none, !kind.activation.isElementwise, value.axes.count == 3 {
      throw unsupported(layer, "applies \(kind.activation.rawValue) to the channels of a grid")
    }
    var list: [Named] = [("weight", false, turned, "axes put in order")]
    if kind.hasBias, let bias = tensors.last {
      try bias.require([kind.size], "the bias", "a kernel \(shapeText(kernel.shape))")
      list.append(("bias", false, bias, nil))
    }
    var name = try add(
      kind, isSeparable ? "\(owner.name)_depthwise" : owner.name, of: owner, reading: [value.name], key: path,
      parameters: list)
    if isSeparable {
      let point = tensors[1]
      try point.requireRank(count + 2, "the second kernel (1, I, O)")
      var second = Layer.Convolution(size: point.shape[count + 1], kernel: kind.kernel.map { _ in 1 })
      second.hasBias = layer.usesBias
      second.activation = activation.alpha == nil ? activation.activation : .none
      guard point.elementCount == kind.size * second.size else {
        throw .misshapen(
          tensor: point.name, expected: "(1, \(kind.size), O)", found: shapeText(point.shape))
      }
      list = [
        (
          "weight", false,
          point.reshaped([kind.size, second.size]).transposed().reshaped([second.size, kind.size] + second.kernel),
          "transposed"
        )
      ]
      if layer.usesBias { list.append(("bias", false, tensors[2], nil)) }
      name = try add(second, owner.name, of: owner, reading: [name], key: path + "/pointwise", parameters: list)
    }
    remember(owner, name)
    var result = value.given(by: name)
    result.hasMask = false
    return try activated(layer, owner, result, activation)
  }

  mutating func readPooling(
    _ layer: KerasLayer, _ given: KerasValue, _ path: String, overHeight wrapper: KerasLayer?
  ) throws(CheckpointError) -> KerasValue {
    let count = layer.className.hasSuffix("1D") ? 1 : 2
    var (given, pad) = (given, nil as [Int]?)
    let isAverage = layer.className.hasPrefix("Average")
    if case .padded(let name, let axes, let zeros, _)? = given.special, zeros.count == 2 * count, wrapper == nil,
      isAverage || count == 2
    {
      guard isAverage else {
        throw unsupported(layer, "takes the largest of values and of zeros around them, which has no counterpart here")
      }
      (given, pad) = (KerasValue(name: name, axes: axes), zeros)
    }
    let value = try input(try settled(given, layer), layer, count, wrapper)
    let owner = wrapper ?? layer
    let said = layer.config["pool_size"] ?? layer.config["pool_length"]
    let two = [Int](repeating: 2, count: count)
    let padding = layer.config["padding"]?.string ?? layer.config["border_mode"]?.string ?? "valid"
    guard let window = numbers(said, count, usual: two),
      let strides = numbers(layer.config["strides"] ?? layer.config["stride"], count, usual: window),
      ["valid", "same"].contains(padding)
    else { throw unsupported(layer, "has windows, strides or a padding that has no counterpart here") }
    var kind = Layer.Pooling(
      layer.className.hasPrefix("Max") ? .max : .average, window: axes(window, of: value, wrapper))
    kind.stride = axes(strides, of: value, wrapper)
    kind.isSame = padding == "same"
    if let pad {
      guard !kind.isSame, zip(pad.indices, pad).allSatisfy({ $1 < kind.window[$0 / 2] }) else {
        throw unsupported(layer, "pools zeros alone")
      }
      (kind.pad, kind.countsPad) = (pad, true)
    }
    if kind.window[0] != 1 || kind.stride[0] != 1 || pad != nil {
      try refuseReversed(value, layer)
      mixesSteps(value, layer)
    }
    let name = try add(kind, owner.name, of: owner, reading: [value.name], key: "")
    remember(owner, name)
    var result = value.given(by: name)
    result.hasMask = wrapper != nil && value.hasMask
    return result
  }

  mutating func readGlobalPooling(_ layer: KerasLayer, _ given: KerasValue) throws(CheckpointError) -> KerasValue {
    let value = try steps(given, layer)
    guard (layer.config["data_format"]?.string ?? "channels_last") == "channels_last" else {
      throw unsupported(layer, "pools over features (data_format), which has no counterpart here")
    }
    let isMax = layer.className.contains("Max")
    // The maximum sees the steps that a mask hides; the average does not.
    if isMax { mixesSteps(value, layer) } else { passesOverHiddenSteps(value, layer) }
    var name = try add(Layer.Readout(isMax ? .max : .mean), layer.name, of: layer, reading: [value.name], key: "")
    remember(layer, name)
    guard layer.config["keepdims"]?.bool == true else { return KerasValue(name: name, axes: KerasValue.row) }
    name = try add(Layer.Reshape(.steps, steps: 1), "\(layer.name)_step", of: layer, reading: [name], key: "")
    return KerasValue(name: name, axes: KerasValue.steps)
  }
}
