import FileIO

/// Activations and dropout.
extension KerasGraphReading {
  mutating func activate(
    _ layer: KerasLayer, _ value: KerasValue, _ activation: KerasActivation?, _ name: String
  ) throws(CheckpointError) -> KerasValue {
    guard let activation else {
      let what = layer.config["activation"]?.functionName.map { "applies \($0)" } ?? "is none of the usual forms"
      throw unsupported(layer, "\(what), which has no counterpart here")
    }
    if case .scores(let query, let key, false)? = value.special, activation.activation == .softmax {
      remember(layer)
      return KerasValue(special: .scores(query: query, key: key, isSoftmax: true))
    }
    if activation.activation == .none {
      remember(layer)
      return value
    }
    let input =
      activation.activation.isElementwise ? try settled(value, layer) : try lastAxis(layer, value)
    let made = try add(
      Layer.ActivationLayer(activation.activation, alpha: activation.alpha), name, of: layer, reading: [input.name],
      key: "")
    remember(layer, made)
    return input.given(by: made)
  }

  /// One slope, one for each feature, or one for each feature of each step.
  mutating func readPReLU(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    let slopes = try weights(of: layer, 1)[0]
    let (shape, width) = (slopes.shape, slopes.shape.last ?? 1)
    let input = try settled(value, layer, width: width == 1 ? nil : width)
    let isShared = slopes.elementCount == 1
    let features = values[input.name]?.width ?? 0
    func refusal() -> CheckpointError {
      unsupported(
        layer, "has no counterpart here: its slopes \(shapeText(shape)) are neither one nor one for each feature")
    }
    guard shape.count == input.axes.count else { throw refusal() }
    let isOfSteps = !isShared && shape.count == 2 && shape[0] > 1
    guard isShared || isRow(input) && width == features else { throw refusal() }
    var source = input.name
    if isOfSteps {
      guard input.axes == KerasValue.steps, values[input.name]?.steps == shape[0] else { throw refusal() }
      try refuseReversed(input, layer)
      mixesSteps(input, layer)
      source = try add(Layer.Flatten(), "\(layer.name)_flat", of: layer, reading: [source], key: "")
    }
    let made = try add(
      Layer.PReLU(isShared: isShared), layer.name, of: layer, reading: [source], key: path,
      parameters: [
        ("weight", false, slopes.reshaped([slopes.elementCount]), shape.count == 1 ? nil : "read as a vector")
      ])
    remember(layer, made)
    if !isOfSteps { return input.given(by: made) }
    let name = try add(
      Layer.Reshape(.steps, steps: shape[0]), "\(layer.name)_steps", of: layer, reading: [made], key: "")
    return KerasValue(name: name, axes: KerasValue.steps)
  }

  /// Rows whose last axis is their features.
  func isRow(_ value: KerasValue) -> Bool { [KerasValue.steps, KerasValue.row].contains(value.axes) }

  mutating func lastAxis(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let row = try rows(value, layer)
    if let axis = layer.config["axis"] {
      let list = axis.array?.map(\.integer) ?? [axis.integer]
      guard list == [-1] || list == [row.axes.count] else {
        let isTime = list == [1] && row.axes == KerasValue.steps
        throw unsupported(
          layer, "has no counterpart here: it acts over \(isTime ? "the steps" : "other values than a row's own")")
      }
    }
    return row
  }

  mutating func readSoftmax(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    if case .scores? = value.special, [nil, -1, 2].contains(layer.config["axis"]?.integer) {
      return try activate(layer, value, KerasActivation(.softmax), layer.name)
    }
    let row = try rows(value, layer)
    let axis = layer.config["axis"]?.integer ?? layer.config["axis"]?.array?.first?.integer ?? -1
    let isOne = (layer.config["axis"]?.array?.count ?? 1) == 1
    if isOne, axis == 1 || axis == -2, let weights = stepWeights(row, layer) { return weights }
    guard isOne, axis == -1 || axis == row.axes.count else {
      let what = isOne && axis == 1 ? "over the steps" : "over other values than a row's own"
      throw unsupported(layer, "has no counterpart here: it is a softmax \(what) (axis \(axis))")
    }
    return try activate(layer, row, KerasActivation(.softmax), layer.name)
  }

  mutating func readDropout(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let number = (layer.config["rate"] ?? layer.config["p"])?.number ?? 0.5
    let rate = Float(number)
    let shape = layer.config["noise_shape"]?.array
    // What is dropped together otherwise has no place; without training it is nothing.
    guard 0..<1 ~= rate, shape == nil, value.special == nil || value.isRecurrentOutput else {
      return passOver(layer, value)
    }
    let input = try settled(value, layer)
    var kind = Layer.Dropout(rate: rate)
    if layer.className == "SpatialDropout1D" { kind.form = .spatial }
    if layer.className == "GaussianDropout" { kind.form = .gaussian }
    let name = try add(kind, layer.name, of: layer, reading: [input.name], key: "")
    remember(layer, name, ["rate": number])
    return input.given(by: name)
  }
}
