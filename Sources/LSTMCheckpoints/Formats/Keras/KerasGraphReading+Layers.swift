import FileIO

/// What each class of layer means.
extension KerasGraphReading {
  typealias Named = (name: String, isReverse: Bool, tensor: StoredTensor, how: String?)

  mutating func apply(_ use: KerasUse) throws(CheckpointError) -> [KerasValue] {
    let layer = use.layer
    if layer.computesInHalf, !half.contains(layer.name) { half.append(layer.name) }
    if let mask = try maskValue(use) { return [mask] }
    var use = use
    try takeMasks(&use)
    if use.layer.isOperation { return [try applyOperation(use)] }
    if layer.className == "Minimum" { return [try minimum(use)] }
    if Self.merges[layer.className] != nil || layer.className == "Merge" { return [try merge(use)] }
    if Self.recurrents.contains(layer.className) { return try readRecurrent(use) }
    switch layer.className {
    case "Dot": return [try readDot(use)]
    case "Attention", "AdditiveAttention": return [try readAttention(use)]
    case "MultiHeadAttention": return [try readSelfAttention(use)]
    default: break
    }
    // Everything else reads one value.
    guard use.read.count == 1, let value = use.read.first else {
      throw unsupported(layer, "reads \(use.read.count) values, which has no counterpart here")
    }
    return [try applyToOne(layer, value, use.path)]
  }

  private mutating func applyToOne(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    switch layer.className {
    case "Embedding": return try readEmbedding(layer, value, path)
    case "Masking": return try readMasking(layer, value)
    case "Dense": return try readDense(layer, value, path)
    case "TimeDistributed": return try readEachStep(layer, value, path)
    case "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D":
      return try readConvolution(layer, value, path, overHeight: nil)
    case "MaxPooling1D", "AveragePooling1D", "MaxPooling2D", "AveragePooling2D", "MaxPool1D", "AvgPool1D", "MaxPool2D",
      "AvgPool2D":
      return try readPooling(layer, value, path, overHeight: nil)
    case "GlobalAveragePooling1D", "GlobalAvgPool1D", "GlobalMaxPooling1D", "GlobalMaxPool1D":
      return try readGlobalPooling(layer, value)
    case "BatchNormalization": return try readBatchNorm(layer, value, path)
    case "LayerNormalization": return try readLayerNorm(layer, value, path)
    case "GroupNormalization": return try readGroupNorm(layer, value, path)
    case "UnitNormalization":
      let row = try lastAxis(layer, value)
      let name = try add(Layer.L2(), layer.name, of: layer, reading: [row.name], key: path)
      remember(layer, name)
      return row.given(by: name)
    case "Normalization", "Rescaling": return try readRescale(layer, value, path)
    case "Activation":
      return try activate(layer, value, KerasActivation(layer.config["activation"], version), layer.name)
    case "ReLU": return try activate(layer, value, KerasActivation.relu(layer.config), layer.name)
    case "LeakyReLU": return try activate(layer, value, KerasActivation.leaky(layer.config), layer.name)
    case "ELU": return try activate(layer, value, KerasActivation.elu(layer.config), layer.name)
    case "PReLU": return try readPReLU(layer, value, path)
    case "Softmax": return try readSoftmax(layer, value)
    case "Dropout", "SpatialDropout1D", "GaussianDropout": return try readDropout(layer, value)
    case "Flatten": return try flatten(layer, value)
    case "Reshape": return try reshape(layer, value)
    case "Permute": return try permute(layer, value)
    case "RepeatVector": return try repeated(layer, value)
    case "UpSampling1D": return try upsampled(layer, value)
    case "Cropping1D": return try cropped(layer, value)
    case "ZeroPadding1D", "ZeroPadding2D": return try padded(layer, value)
    case "Lambda": return try readLambda(layer, value)
    default:
      if KerasLayerKinds.idle.contains(layer.className) { return passOver(layer, value) }
      if let attention = try readOwnAttention(layer, value, path) { return attention }
      throw refusal(of: layer)
    }
  }

  func refusal(of layer: KerasLayer) -> CheckpointError {
    switch layer.className {
    case "Lambda":
      return unsupported(
        "\(layer.text) has no counterpart here: it runs a function of Python's", kerasConfigAdvice)
    default: break
    }
    if let what = KerasLayerKinds.computing(layer.className) {
      return unsupported(layer, "has no counterpart here: \(what)")
    }
    return unsupported(
      "\(layer.text) has no counterpart here: its class is none of Keras' own, and the file does not say what "
        + "it computes", kerasConfigAdvice)
  }

  mutating func passOver(_ layer: KerasLayer, _ value: KerasValue) -> KerasValue {
    var numbers: [String: Double] = [:]
    for key in ["rate", "p", "stddev", "sigma", "l1", "l2"] {
      if let number = layer.config[key]?.number { numbers[key] = number }
    }
    if !["NotEqual", "Any", "Identity"].contains(layer.className) { idle.append("\(layer.name) (\(layer.className))") }
    remember(layer, nil, numbers)
    return value
  }

  // MARK: - Parts that take weights

  /// Its tensors, of which there must be as many as its settings ask for.
  mutating func weights(of layer: KerasLayer, _ count: Int, owner: KerasLayer? = nil) throws(CheckpointError)
    -> [StoredTensor]
  {
    let owner = owner ?? layer
    guard owner.weights.count == count else {
      throw .corrupt(
        tensor: owner.weights.first ?? owner.name,
        detail: "\(owner.text) has \(owner.weights.count) weights, and its settings are those of one with \(count)")
    }
    return try reading.take(owner.weights, of: owner.text)
  }

  private mutating func readEmbedding(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    let table = try weights(of: layer, 1)[0]
    try table.requireRank(2, "an embedding (V, E)")
    guard case .input(let index)? = value.special else {
      throw unsupported(layer, "looks up what another layer gives, which has no counterpart here")
    }
    let tokens = try tokens(ofInput: index, vocabulary: table.shape[0], layer)
    let name = try add(
      Layer.Embedding(size: table.shape[1]), layer.name, of: layer, reading: [tokens.name], key: path,
      parameters: [("weight", false, table, nil)])
    remember(layer, name)
    var result = KerasValue(name: name, axes: tokens.axes + [.feature])
    if layer.config["mask_zero"]?.bool == true {
      hide(.token(0), input: index, layer)
      result.hasMask = true
    }
    return result
  }

  private mutating func readMasking(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    guard case .input(let index)? = value.special else {
      throw unsupported(layer, "hides steps of what another layer gives, which has no counterpart here")
    }
    var steps = try steps(value, layer)
    let number = Float(layer.config["mask_value"]?.number ?? 0)
    guard number.isFinite else { throw unsupported(layer, "masks \(number)") }
    hide(.value(number), input: index, layer)
    steps.hasMask = true
    remember(layer, "mask", ["mask_value": Double(number)])
    return steps
  }

  /// - Parameter owner: the wrapper that has the weights.
  mutating func readDense(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String, owner: KerasLayer? = nil
  ) throws(CheckpointError) -> KerasValue {
    let owner = owner ?? layer
    let tensors = try weights(of: layer, layer.usesBias ? 2 : 1, owner: owner)
    try tensors[0].requireRank(2, "a dense layer's kernel (S, O)")
    let (read, size) = (tensors[0].shape[0], tensors[0].shape[1])
    if tensors.count == 2 { try tensors[1].require([size], "the bias", "a kernel \(shapeText(tensors[0].shape))") }
    let activation = try own(layer, layer.config["activation"])
    // Softmax and the like have their axis; an alpha has its layer.
    let inside = activation.alpha == nil ? activation.activation : .none
    let input = try settled(value, layer, width: read)
    var parameters: [Named] = []
    let name: String
    if input.axes == [.time, .height, .channel] || input.axes == [.height, .time, .channel] {
      guard inside.isElementwise else {
        throw unsupported(layer, "applies \(inside.rawValue) to the channels of a grid")
      }
      var kind = Layer.Convolution(size: size, kernel: [1, 1])
      kind.hasBias = layer.usesBias
      kind.activation = inside
      parameters = [
        ("weight", false, tensors[0].transposed().reshaped([size, read, 1, 1]), "transposed")
      ]
      if tensors.count == 2 { parameters.append(("bias", false, tensors[1], nil)) }
      name = try add(kind, owner.name, of: owner, reading: [input.name], key: path, parameters: parameters)
      remember(owner, name)
      return try activated(layer, owner, input.given(by: name), activation)
    }
    let row = try rows(input, layer)
    parameters = [("weight", false, tensors[0].transposed(), "transposed")]
    if tensors.count == 2 { parameters.append(("bias", false, tensors[1], nil)) }
    if let width = values[row.name]?.width, width != read {
      throw .misshapen(
        tensor: tensors[0].name, expected: "(\(width), O), because \(owner.text) reads \(width) values",
        found: shapeText(tensors[0].shape))
    }
    name = try add(
      Layer.Dense(size: size, hasBias: layer.usesBias, activation: inside), owner.name, of: owner, reading: [row.name],
      key: path, parameters: parameters)
    remember(owner, name)
    return try activated(layer, owner, row.given(by: name), activation)
  }

  /// The activation that a layer names.
  func own(_ layer: KerasLayer, _ json: KerasJSON?) throws(CheckpointError) -> KerasActivation {
    guard let activation = KerasActivation(json, version) else {
      throw unsupported(layer, "has the activation \(json?.functionName ?? "?"), which has no counterpart here")
    }
    return activation
  }

  /// An activation that its layer cannot hold, as a layer of its own.
  mutating func activated(
    _ layer: KerasLayer, _ owner: KerasLayer, _ value: KerasValue, _ activation: KerasActivation
  ) throws(CheckpointError) -> KerasValue {
    if activation.alpha == nil { return value }
    let name = try add(
      Layer.ActivationLayer(activation.activation, alpha: activation.alpha), "\(owner.name)_activation", of: owner,
      reading: [value.name], key: "")
    return value.given(by: name)
  }

  /// A layer on each step of a sequence.
  private mutating func readEachStep(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    guard var inner = layer.inner("layer") else { throw unsupported(layer, "wraps nothing") }
    inner.weights = layer.weights
    inner.rename(layer.name)
    return try readEachStep(layer, inner, value, path)
  }

  /// A layer of a model that runs on each step.
  mutating func applyToEachStep(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    if Self.merges[layer.className] != nil || use.layer.isOperation, let first = try apply(use).first { return first }
    guard use.read.count == 1, let value = use.read.first else {
      throw unsupported(layer, "reads \(use.read.count) values, which has no counterpart here")
    }
    return try readEachStep(layer, layer, value, use.path)
  }

  private mutating func readEachStep(
    _ layer: KerasLayer, _ wrapped: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    var inner = wrapped
    let input = try settled(value, layer, width: nil)
    let isGrid = input.axes == [.time, .height, .channel]
    inner.countAxesFromTheEnd(input.axes.count)
    switch inner.className {
    case "Dense": return try readDense(inner, value, path, owner: layer)
    case "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Dropout", "BatchNormalization", "GaussianDropout",
      "GaussianNoise":
      var result = try applyToOne(inner, input, path)
      result.hasMask = input.hasMask
      rememberWrapper(layer, result)
      return result
    case "LayerNormalization", "Softmax", "UnitNormalization", "Rescaling", "Identity":
      let result = try applyToOne(inner, input, path)
      rememberWrapper(layer, result)
      return result
    case "Conv1D" where isGrid, "DepthwiseConv1D" where isGrid, "SeparableConv1D" where isGrid:
      return try readConvolution(inner, input, path, overHeight: layer)
    case "MaxPooling1D" where isGrid, "AveragePooling1D" where isGrid:
      return try readPooling(inner, input, path, overHeight: layer)
    case "GlobalMaxPooling1D" where isGrid, "GlobalAveragePooling1D" where isGrid:
      return try pooledHeight(layer, inner, input)
    case "Flatten" where isGrid:
      let name = try add(Layer.Reshape(.channelsLast), layer.name, of: layer, reading: [input.name], key: path)
      remember(layer, name)
      return KerasValue(name: name, axes: KerasValue.steps, isReversed: input.isReversed, hasMask: input.hasMask)
    case "Flatten" where input.axes == KerasValue.steps:
      remember(layer)
      return input
    default:
      throw unsupported(
        layer, "has no counterpart here: it applies a layer of the class \(inner.className) to each step")
    }
  }

  private mutating func rememberWrapper(_ layer: KerasLayer, _ value: KerasValue) { remember(layer, value.name) }
}

extension KerasValue {
  /// Whether it is what a recurrent layer gives last.
  var isRecurrentOutput: Bool { if case .final? = special { true } else { false } }
}
