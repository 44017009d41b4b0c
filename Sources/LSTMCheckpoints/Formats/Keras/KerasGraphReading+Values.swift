import FileIO

/// Values as layers can read them.
extension KerasGraphReading {
  /// A value of rows, whatever its axes: inputs are features now, final outputs have their readout.
  mutating func settled(_ value: KerasValue, _ layer: KerasLayer, width: Int? = nil) throws(CheckpointError)
    -> KerasValue
  {
    switch value.special {
    case nil: return value
    case .input(let index): return try features(ofInput: index, width: width, layer)
    case .final(let recurrent):
      return KerasValue(name: try final(of: recurrent, layer), axes: KerasValue.row)
    case .state(let recurrent, .hidden, let direction):
      let name = try final(of: recurrent, layer)
      guard let kind = recurrentKind(recurrent), kind.isBidirectional else {
        return KerasValue(name: name, axes: KerasValue.row)
      }
      let slice = try add(
        Layer.Slice(first: direction * kind.stateSize, count: kind.stateSize),
        "\(layer.name)_\(direction == 0 ? "forward" : "backward")", of: layer, reading: [name], key: "")
      return KerasValue(name: slice, axes: KerasValue.row)
    case .joinedStates(let recurrent, .hidden, let merge):
      if let known = joined[merge.name] { return KerasValue(name: known, axes: KerasValue.row) }
      let halves = (0..<2).map { KerasValue(special: .state(layer: recurrent, part: .hidden, direction: $0)) }
      let value = try merged(halves, .concatenate, axis: -1, merge)
      joined[merge.name] = value.name
      return value
    case .state(_, .cell, _), .joinedStates(_, .cell, _):
      throw unsupported(layer, "has no counterpart here: it reads the cell state of an LSTM as features")
    case .mask: throw unsupported(layer, "has no counterpart here: it reads a mask")
    case .stepWeights, .weighted:
      throw unsupported(
        layer, "has no counterpart here: it reads a softmax over the steps, which only an attention reads")
    case .padded(let name, let axes, let pad, let padding): return try paddedSteps(name, axes, pad, padding)
    case .scores:
      throw unsupported(layer, "has no counterpart here: it reads the products of two sequences' steps")
    }
  }

  func recurrentKind(_ name: String) -> Layer.Recurrent? {
    layers.first { $0.name == name }?.kind as? Layer.Recurrent
  }

  /// The readout of a recurrent layer's last output.
  mutating func final(of recurrent: String, _ layer: KerasLayer) throws(CheckpointError) -> String {
    if let known = finals[recurrent] { return known }
    guard let kind = recurrentKind(recurrent) else { throw unsupported(layer, "reads the state of no layer") }
    if zeroed.contains(recurrent) { mixesSteps(KerasValue(name: recurrent, axes: KerasValue.steps), layer) }
    let take: Layer.Readout.Take = kind.isBidirectional || kind.isReversed ? .final : .last
    let name = try add(Layer.Readout(take), "readout", of: layer, reading: [recurrent], key: "")
    finals[recurrent] = name
    return name
  }

  /// An input as features, by the shape that the model says it has.
  private mutating func features(
    ofInput index: Int, width: Int?, _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    func refuse(_ what: String) -> CheckpointError {
      unsupported("its input \(printable(inputNames[index])) \(what)")
    }
    func size(_ json: KerasJSON?) throws(CheckpointError) -> Int? {
      guard let json, json != .null else { return nil }
      guard let size = json.integer, 1...ModelConfiguration.sizeLimit ~= size else {
        throw refuse("has a size that is none")
      }
      return size
    }
    if layer.className != "Masking" { rawReads.insert(index) }
    let dimensions = inputShapes[index]?.array.map { Array($0.dropFirst()) }
    let axes: [KerasValue.Axis]
    switch dimensions?.count {
    case nil, 2: axes = KerasValue.steps
    case 1: axes = KerasValue.row
    case 3: axes = timeAxis == 0 ? [.time, .height, .channel] : [.height, .time, .channel]
    case 4: throw refuse("has a picture at each step (4 axes beside the batch's), which has no counterpart here")
    case let rank?: throw refuse("has \(rank) axes beside the batch's; 1 to 3 are read")
    }
    if let known = inputs[index] {
      if known.vocabulary != nil { throw refuse("is read as tokens and as features") }
      return KerasValue(name: known.name, axes: axes)
    }
    let list = dimensions ?? [.null, .null]
    var sizes: [KerasValue.Axis: Int] = [:]
    for (axis, json) in zip(axes, list) { sizes[axis] = try size(json) }
    var input: ModelConfiguration.Input
    if axes.contains(.channel) {
      guard let height = sizes[.height], let channels = sizes[.channel] else {
        throw refuse("has no fixed height and channels")
      }
      guard height * channels <= ModelConfiguration.sizeLimit else {
        throw refuse("has \(height) x \(channels) values a step")
      }
      input = .init(.features(size: height * channels), channels: channels)
    } else {
      guard let size = sizes[.feature] ?? width else { throw refuse("has no fixed number of features") }
      input = .init(.features(size: size), isPerSequence: axes == KerasValue.row)
    }
    input.steps = sizes[.time]
    try setInput(index, input)
    return KerasValue(name: inputs[index]?.name ?? "", axes: axes)
  }

  /// An input as tokens, which an embedding reads.
  mutating func tokens(ofInput index: Int, vocabulary: Int, _ layer: KerasLayer) throws(CheckpointError) -> KerasValue {
    let dimensions = inputShapes[index]?.array.map { Array($0.dropFirst()) } ?? [.null]
    guard dimensions.count <= 1 else { throw unsupported(layer, "reads tokens in \(dimensions.count) axes") }
    let isPerSequence = dimensions.isEmpty
    if let known = inputs[index] {
      guard known.vocabulary == vocabulary else {
        throw unsupported(layer, "reads an input that another layer reads otherwise: \(known.vocabulary ?? 0) tokens")
      }
    } else {
      var input = ModelConfiguration.Input(.tokens(vocabulary: vocabulary), isPerSequence: isPerSequence)
      if let steps = dimensions.first?.integer, 1...ModelConfiguration.sizeLimit ~= steps { input.steps = steps }
      try setInput(index, input)
    }
    return KerasValue(name: inputs[index]?.name ?? "", axes: isPerSequence ? [] : [.time])
  }

  /// Rows of features, of each step or each sequence.
  mutating func rows(_ value: KerasValue, _ layer: KerasLayer, width: Int? = nil) throws(CheckpointError) -> KerasValue
  {
    let value = try settled(value, layer, width: width)
    switch value.axes {
    case KerasValue.steps, KerasValue.row: return value
    case [.feature, .time]: return try turned(value, layer)
    default: throw unsupported(layer, "has no counterpart here: it reads \(Self.text(value.axes))")
    }
  }

  /// Steps of features.
  mutating func steps(_ value: KerasValue, _ layer: KerasLayer, width: Int? = nil) throws(CheckpointError) -> KerasValue
  {
    let value = try rows(value, layer, width: width)
    guard value.axes == KerasValue.steps else {
      throw unsupported(layer, "has no counterpart here: it reads steps, and is given one row a sequence")
    }
    return value
  }

  /// Steps whose features have become steps: (N, S, T) of (N, T, S).
  private mutating func turned(_ value: KerasValue, _ layer: KerasLayer) throws(CheckpointError) -> KerasValue {
    guard let read = values[value.name], read.steps != nil, !value.isReversed else {
      throw unsupported(layer, "has no counterpart here: it reads features as steps, and their number is not fixed")
    }
    mixesSteps(value, layer)
    var flatten = Layer.Flatten()
    flatten.isFeatureFirst = true
    let flat = try add(flatten, "\(layer.name)_flat", of: layer, reading: [value.name], key: "")
    let steps = try add(
      Layer.Reshape(.steps, steps: read.width), "\(layer.name)_steps", of: layer, reading: [flat], key: "")
    return KerasValue(name: steps, axes: KerasValue.steps)
  }

  static func text(_ axes: [KerasValue.Axis]) -> String {
    axes.isEmpty ? "one value a sequence" : axes.map { "\($0)" }.joined(separator: " x ")
  }

  /// What the model gives.
  mutating func output(_ value: KerasValue) throws(CheckpointError) -> String {
    let layer = KerasLayer(output: "output")
    let value = try settled(value, layer)
    if !value.hasMask { openOutputs.insert(value.name) }
    guard !value.isReversed else {
      throw unsupported("the model gives its steps from the last to the first, which has no counterpart here")
    }
    switch value.axes {
    case KerasValue.steps, KerasValue.row: return value.name
    case [.time, .height, .channel]:
      return try add(Layer.Reshape(.channelsLast), "output", of: layer, reading: [value.name], key: "")
    case [.feature, .time]: return try turned(value, layer).name
    default: throw unsupported("the model gives \(Self.text(value.axes)), which has no counterpart here")
    }
  }
}

extension KerasLayer {
  /// Stands for the model's output in messages.
  fileprivate init(output name: String) { self.init(className: "output", name: name, config: .null) }
}
