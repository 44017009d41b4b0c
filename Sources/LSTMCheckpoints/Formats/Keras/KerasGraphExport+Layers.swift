import FileIO

/// What each kind of layer is in Keras.
extension KerasGraphExport {
  var grid: [KerasValue.Axis] { timeIsSecond ? [.height, .time, .channel] : [.time, .height, .channel] }

  mutating func addInput(_ input: ModelConfiguration.Input, named known: String?, _ index: Int) {
    let isOld = target == .legacy
    let name = known ?? fresh(index == 0 ? isOld ? "input_1" : "input_layer" : input.name)
    var axes = input.isPerSequence ? KerasValue.row : KerasValue.steps
    var shape: [Int?] = input.isPerSequence ? [input.width] : [input.steps, input.width]
    if input.vocabulary != nil {
      axes = input.isPerSequence ? [] : [.time]
      shape = input.isPerSequence ? [] : [input.steps]
    } else if let channels = input.channels {
      axes = grid
      let height = input.width / channels
      shape = timeIsSecond ? [height, input.steps, channels] : [input.steps, height, channels]
    }
    let dimensions = [KerasJSON.null] + shape.map { $0.map { .number(Double($0)) } ?? .null }
    let node = add(
      "InputLayer", name,
      [
        isOld ? "batch_input_shape" : "batch_shape": .array(dimensions),
        "dtype": input.vocabulary != nil ? "int32" : "float32",
      ], reading: [])
    var value = Value(node: node, axes: axes, shape: shape)
    if index == 0, case .value(let number)? = configuration.mask {
      let name = sourceLayer("mask")?.name ?? fresh("masking")
      value.node = add(
        "Masking", name, ["mask_value": .number(Double("\(number)") ?? Double(number))], reading: [value])
    }
    values[input.name] = value
  }

  mutating func add(_ layer: Layer, _ index: Int) throws {
    // Readouts that their recurrent layer gives.
    if values[layer.name] != nil { return }
    if let own = heads[layer.name] { return try addHeads(layer, own) }
    if heads.values.contains(where: { ($0.projections + [$0.products]).contains { $0.name == layer.name } }) { return }
    var read: [Value] = []
    for place in configuration.sources[index] {
      let name = configuration.name(ofValue: place)
      // What only gives its last output has no value of its own.
      read.append(try value(of: name))
    }
    let value = configuration.values[configuration.inputs.count + index]
    switch layer.kind {
    case let kind as Layer.Embedding: try addEmbedding(layer, kind, read[0])
    case let kind as Layer.Recurrent: try addRecurrent(layer, kind, read[0])
    case let kind as Layer.Dense: try addDense(layer, kind, read[0])
    case let kind as Layer.Convolution: try addConvolution(layer, kind, read[0], value)
    case let kind as Layer.Pooling: try addPooling(layer, kind, read[0], value)
    case let kind as Layer.BatchNorm: try addBatchNorm(layer, kind, read[0])
    case let kind as Layer.LayerNorm: try addLayerNorm(layer, kind, try rows(read[0], layer))
    case let kind as Layer.GroupNorm: try addGroupNorm(layer, kind, read[0])
    case let kind as Layer.ActivationLayer:
      var input = read[0]
      if !kind.activation.isElementwise { input = try rows(input, layer) }
      try addActivation(layer, kind, input, name(for: layer, "Activation"))
    case let kind as Layer.PReLU: try addPReLU(layer, kind, read[0])
    case let kind as Layer.Rescale: try addRescale(layer, kind, read[0])
    case is Layer.Magnitude: addMagnitude(layer, try rows(read[0], layer), value.width)
    case is Layer.L2: pass(layer, "UnitNormalization", [:], try rows(read[0], layer))
    case let kind as Layer.Dropout:
      let names: [Layer.Dropout.Form: String] = [
        .plain: "Dropout", .spatial: "SpatialDropout1D", .gaussian: "GaussianDropout",
      ]
      pass(
        layer, names[kind.form] ?? "Dropout", ["rate": .number(Double("\(kind.rate)") ?? Double(kind.rate))], read[0])
    case let kind as Layer.Readout: try addReadout(layer, kind, read[0])
    case let kind as Layer.Merge: try addMerge(layer, kind, read, value)
    case let kind as Layer.Repeat:
      let node = add(
        "RepeatVector", name(for: layer, "RepeatVector"), ["n": .number(Double(kind.count))], reading: read)
      values[layer.name] = Value(node: node, axes: KerasValue.steps, shape: [kind.count, value.width])
    case let kind as Layer.Flatten: try addFlatten(layer, kind, read[0], value)
    case let kind as Layer.Reshape: try addReshape(layer, kind, read[0], value)
    case let kind as Layer.Slice:
      addPart(layer, try rows(read[0], layer), time: nil, features: kind.first..<kind.first + kind.count)
    case let kind as Layer.ZeroPadding:
      try addZeroPadding(layer, kind, try steps(try rows(read[0], layer), layer))
    case let kind as Layer.Unmask: try addUnmask(layer, kind, read[0], index)
    case is Layer.Remask: values[layer.name] = read[0]
    case let kind as Layer.Attention: try addAttention(layer, kind, try steps(read[0], layer), value)
    case let kind as Layer.DotAttention: try addDotAttention(layer, kind, read, value)
    case let kind as Layer.SelfAttention: try addSelfAttention(layer, kind, try steps(read[0], layer))
    default: throw refused(layer, "the kind \(layer.kind.kind)")
    }
  }

  /// A layer of a usual shape: what it gives is like what it reads.
  mutating func pass(_ layer: Layer, _ className: String, _ config: [String: KerasJSON], _ read: Value) {
    var value = read
    value.node = add(className, name(for: layer, className), config, reading: [read])
    value.output = 0
    values[layer.name] = value
  }

  // MARK: - Values

  /// Rows of features; of a grid its channels one after the other, as they lie here.
  mutating func rows(_ value: Value, _ layer: Layer) throws(CheckpointError) -> Value {
    guard value.axes.count == 3 else { return value }
    return row(ofGrid: value, [.time, .channel, .height], name: fresh("\(layer.name)_row"))
  }

  func steps(_ value: Value, _ layer: Layer) throws(CheckpointError) -> Value {
    guard value.axes == KerasValue.steps else { throw refused(layer, "an input of \(value.axes.count) axes") }
    return value
  }

  func size(_ value: Value, _ axis: KerasValue.Axis) -> Int? {
    value.axes.firstIndex(of: axis).flatMap { value.shape[$0] }
  }

  /// Axes in an order, and all but time as one.
  private mutating func row(ofGrid value: Value, _ order: [KerasValue.Axis], name: String) -> Value {
    let turned = permuted(value, order, for: name)
    let width = (size(value, .height) ?? 1) * (size(value, .channel) ?? 1)
    let steps = size(value, .time)
    let node = add("Reshape", name, ["target_shape": shape([steps, width])], reading: [turned])
    return Value(node: node, axes: KerasValue.steps, shape: [steps, width], isReversed: value.isReversed)
  }

  private func shape(_ sizes: [Int?]) -> KerasJSON { .array(sizes.map { .number(Double($0 ?? -1)) }) }

  private mutating func permuted(_ value: Value, _ order: [KerasValue.Axis], for name: String) -> Value {
    let places = order.compactMap { value.axes.firstIndex(of: $0) }
    if places == Array(value.axes.indices) { return value }
    let node = add(
      "Permute", fresh("\(name)_order"), ["dims": .array(places.map { .number(Double($0 + 1)) })], reading: [value])
    return Value(
      node: node, axes: order, shape: places.map { value.shape[$0] }, isReversed: value.isReversed)
  }

  // MARK: - Kinds

  private mutating func addEmbedding(
    _ layer: Layer, _ kind: Layer.Embedding, _ read: Value
  ) throws(CheckpointError) {
    let table = try tensor(layer, "weight")
    var masks = false
    if case .token(let token)? = configuration.mask {
      masks = configuration.sources[configuration.index(of: layer.name) ?? 0] == [0]
      guard token == 0 || !masks else { throw refused(layer, "a mask of token \(token): theirs is token 0") }
    }
    let node = add(
      "Embedding", name(for: layer, "Embedding"),
      [
        "input_dim": .number(Double(table.shape[0])), "output_dim": .number(Double(kind.size)),
        "mask_zero": .bool(masks),
      ], reading: [read])
    put(table, node, "embeddings", 0, source: [layer.parameterName("weight")])
    values[layer.name] = Value(node: node, axes: read.axes + [.feature], shape: read.shape + [kind.size])
  }

  /// An activation that a layer holds, or that must be one of its own.
  func inside(_ activation: Activation) -> String? { KerasActivation.name(activation, isThree: isThree) }

  private mutating func addDense(_ layer: Layer, _ kind: Layer.Dense, _ given: Value) throws(CheckpointError) {
    let read = try rows(given, layer)
    var config: [String: KerasJSON] = [
      "units": .number(Double(kind.size)), "use_bias": .bool(kind.hasBias),
      "activation": .string(inside(kind.activation) ?? "linear"),
    ]
    let node: Int
    let isWrapped = sourceLayer(layer.name)?.kind == "TimeDistributed" && read.axes == KerasValue.steps
    if isWrapped {
      config["name"] = "dense"
      config["dtype"] = "float32"
      let inner: KerasJSON = [
        "module": "keras.layers", "class_name": "Dense", "config": .object(config), "registered_name": nil,
      ]
      node = add("TimeDistributed", name(for: layer, "TimeDistributed"), ["layer": inner], reading: [read])
    } else {
      node = add("Dense", name(for: layer, "Dense"), config, reading: [read])
    }
    let under: (legacy: [String], object: [String]) = isWrapped ? ([], ["layer"]) : ([], [])
    put(
      try tensor(layer, "weight").transposed(), node, "kernel", 0, under: under, source: [layer.parameterName("weight")]
    )
    if kind.hasBias {
      put(try tensor(layer, "bias"), node, "bias", 1, under: under, source: [layer.parameterName("bias")])
    }
    var value = read
    (value.node, value.output, value.shape[value.shape.count - 1]) = (node, 0, kind.size)
    values[layer.name] = value
    if inside(kind.activation) == nil {
      try addActivation(layer, .init(kind.activation), value, fresh("\(layer.name)_activation"))
    }
  }

  mutating func addActivation(
    _ layer: Layer, _ kind: Layer.ActivationLayer, _ read: Value, _ name: String
  ) throws(CheckpointError) {
    let alpha = (kind.alpha ?? kind.activation.usualAlpha).map { Double("\($0)") ?? Double($0) }
    var value = read
    value.output = 0
    switch (kind.activation, alpha) {
    case (.leakyReLU, let alpha?):
      value.node = add("LeakyReLU", name, [isThree ? "negative_slope" : "alpha": .number(alpha)], reading: [read])
    case (.elu, let alpha?) where alpha != 1:
      value.node = add("ELU", name, ["alpha": .number(alpha)], reading: [read])
    default:
      guard let function = inside(kind.activation) else {
        throw refused(layer, "the activation \(kind.activation.rawValue)")
      }
      value.node = add("Activation", name, ["activation": .string(function)], reading: [read])
    }
    values[layer.name] = value
  }

  private mutating func addBatchNorm(
    _ layer: Layer, _ kind: Layer.BatchNorm, _ read: Value
  ) throws(CheckpointError) {
    func decimal(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
    let momentum = ((1 - decimal(kind.momentum)) * 1e9).rounded() / 1e9
    pass(
      layer, "BatchNormalization",
      [
        "axis": -1, "epsilon": .number(decimal(kind.epsilon)), "momentum": .number(momentum),
        "scale": .bool(kind.hasScale), "center": .bool(kind.hasOffset),
      ], read)
    try putAll(
      layer,
      (kind.hasScale ? [("weight", "gamma")] : []) + (kind.hasOffset ? [("bias", "beta")] : [])
        + [("running_mean", "moving_mean"), ("running_var", "moving_variance")])
  }

  mutating func putAll(_ layer: Layer, _ roles: [(part: String, role: String)]) throws(CheckpointError) {
    guard let node = values[layer.name]?.node else { return }
    for (number, (part, role)) in roles.enumerated() {
      put(try tensor(layer, part), node, role, number, source: [layer.parameterName(part)])
    }
  }

  private mutating func addReadout(_ layer: Layer, _ kind: Layer.Readout, _ given: Value) throws(CheckpointError) {
    if kind.take == .all || kind.take == .undecided {
      values[layer.name] = given
      return
    }
    let read = try steps(try rows(given, layer), layer)
    switch kind.take {
    case .mean, .max:
      let className = kind.take == .mean ? "GlobalAveragePooling1D" : "GlobalMaxPooling1D"
      let node = add(className, name(for: layer, className), [:], reading: [read])
      values[layer.name] = Value(node: node, axes: KerasValue.row, shape: [read.shape[1]])
    // The final state of what is no recurrent layer is its last step.
    case .last, .first,
      .final where kind.take != .final || isWindows(layer):
      guard configuration.mask == nil || readsEveryStep(layer) else {
        throw refused(layer, "a readout of one step where a mask hides some")
      }
      // The only step goes with every step that it is merged with, as it is.
      if read.shape[0] == 1, readers[layer.name]?.allSatisfy(goesWithEachStep) == true {
        values[layer.name] = read
        return
      }
      addPart(layer, read, time: (kind.take != .first) != read.isReversed ? -1 : 0, features: nil)
    case .sum where configuration.mask == nil || readsEveryStep(layer): addSum(layer, read)
    default:
      throw refused(layer, "the readout \(kind.take.rawValue) of what is no recurrent layer")
    }
  }

  private func isWindows(_ readout: Layer) -> Bool {
    guard let place = configuration.index(of: readout.name).map({ configuration.sources[$0][0] }),
      place >= configuration.inputs.count
    else { return false }
    let below = configuration.layers[place - configuration.inputs.count].kind
    return below is Layer.Convolution || below is Layer.Pooling
  }

  private func readsEveryStep(_ layer: Layer) -> Bool {
    configuration.index(of: layer.name).map {
      configuration.inputs(ofLayer: $0).allSatisfy { $0.clock == LayerValue.everyStep }
    } ?? false
  }

  /// The sum of all steps.
  mutating func addSum(_ layer: Layer, _ read: Value) {
    let node = addOperation(
      "Sum", "math.reduce_sum", isThree ? ["axis": 1, "keepdims": false] : ["axis": 1], reading: read)
    values[layer.name] = Value(node: node, axes: KerasValue.row, shape: [read.shape.last ?? nil])
  }

  /// The root of the sum of two squares.
  private mutating func addMagnitude(_ layer: Layer, _ read: Value, _ half: Int) {
    let squares = [0, half].map { first in
      var square = part(of: read, features: first..<first + half)
      square.node = add("Multiply", fresh("\(layer.name)_square"), [:], reading: [square, square], isList: true)
      square.output = 0
      return square
    }
    var sum = squares[0]
    sum.node = add("Add", fresh("\(layer.name)_sum"), [:], reading: squares, isList: true)
    sum.node = addOperation("Sqrt", "math.sqrt", [:], reading: sum)
    values[layer.name] = sum
  }

  /// `x[:, -1]` and `x[..., 2:5]`
  private mutating func addPart(_ layer: Layer, _ read: Value, time: Int?, features: Range<Int>?) {
    values[layer.name] = part(of: read, time: time, features: features)
  }

  mutating func part(of read: Value, time: Int? = nil, features: Range<Int>?) -> Value {
    func slice(_ range: Range<Int>?) -> KerasJSON {
      let bounds: [String: KerasJSON] = [
        "start": range.map { .number(Double($0.lowerBound)) } ?? .null,
        "stop": range.map { .number(Double($0.upperBound)) } ?? .null, "step": .null,
      ]
      return isThree ? ["class_name": "__slice__", "config": .object(bounds)] : .object(bounds)
    }
    let isSequence = read.axes == KerasValue.steps
    var index = [slice(nil)]
    if isSequence { index.append(time.map { .number(Double($0)) } ?? slice(nil)) }
    index.append(slice(features))
    let className = isThree ? "GetItem" : "SlicingOpLambda"
    let node = add(className, fresh(isThree ? "get_item" : "tf.__operators__.getitem"), [:], reading: [read])
    let three = isThree
    change(node) { node in
      node.module = three ? "keras.src.ops.numpy" : "tf_keras.src.layers.core.tf_op_layer"
      node.index = .array(index)
      if three { node.config = ["name": .string(node.name)] } else { node.config["function"] = "__operators__.getitem" }
    }
    let width = features?.count ?? read.shape.last ?? nil
    return time == nil && isSequence
      ? Value(node: node, axes: KerasValue.steps, shape: [read.shape[0], width], isReversed: read.isReversed)
      : Value(node: node, axes: KerasValue.row, shape: [width])
  }

  private mutating func addMerge(
    _ layer: Layer, _ kind: Layer.Merge, _ given: [Value], _ value: LayerValue
  ) throws(CheckpointError) {
    var read = given
    let isGrid = read.allSatisfy { $0.axes.count == 3 }
    if !isGrid { for index in read.indices { read[index] = try rows(read[index], layer) } }
    if read.count == 1 {
      values[layer.name] = read[0]
      return
    }
    func isPerStep(_ value: Value) -> Bool { value.axes.contains(.time) && size(value, .time) != 1 }
    guard var first = read.first(where: isPerStep) ?? read.first(where: { $0.axes.contains(.time) }) ?? read.first
    else { return }
    var perStep = read.filter { $0.axes.contains(.time) }
    if !perStep.allSatisfy({ $0.isReversed == first.isReversed }) {
      for index in read.indices { read[index] = try inTime(read[index], layer.name) }
      first = read.first(where: isPerStep) ?? read.first(where: { $0.axes.contains(.time) }) ?? first
      perStep = read.filter { $0.axes.contains(.time) }
    }
    // What is given once goes with each step.
    if !perStep.isEmpty {
      for index in read.indices where read[index].axes == KerasValue.row {
        var count = 1
        let node: Int
        if let steps = value.steps ?? size(first, .time) {
          count = steps
          node = add(
            "RepeatVector", fresh("\(layer.name)_repeat"), ["n": .number(Double(count))], reading: [read[index]])
        } else if kind.operation != .concatenate {
          // One step, which theirs repeat.
          node = add("Reshape", fresh("\(layer.name)_step"), ["target_shape": shape([1, -1])], reading: [read[index]])
        } else {
          throw refused(layer, "one row a sequence beside steps of no fixed number")
        }
        read[index] = Value(node: node, axes: KerasValue.steps, shape: [count] + read[index].shape)
      }
    }
    let names: [Layer.Merge.Operation: String] = [
      .concatenate: "Concatenate", .add: "Add", .multiply: "Multiply", .average: "Average", .maximum: "Maximum",
      .subtract: "Subtract",
    ]
    let className = names[kind.operation] ?? "Add"
    let node = add(
      className, name(for: layer, className), kind.operation == .concatenate ? ["axis": -1] : [:], reading: read,
      isList: true)
    var result = first
    (result.node, result.output) = (node, 0)
    if kind.operation == .concatenate {
      let sizes = read.map { $0.shape.last ?? nil }
      result.shape[result.shape.count - 1] = sizes.allSatisfy { $0 != nil } ? sizes.reduce(0) { $0 + ($1 ?? 0) } : nil
    } else if !isGrid {
      result.shape[result.shape.count - 1] = value.width
    }
    values[layer.name] = result
  }

  /// Whether it puts what is given once together with each step, value by value.
  private func goesWithEachStep(_ layer: Layer) -> Bool {
    guard let merge = layer.kind as? Layer.Merge, merge.operation != .concatenate else { return false }
    return configuration.index(of: layer.name).map { configuration.values[configuration.inputs.count + $0].isPerStep }
      ?? false
  }

  private mutating func addFlatten(
    _ layer: Layer, _ kind: Layer.Flatten, _ given: Value, _ value: LayerValue
  ) throws(CheckpointError) {
    guard given.axes.contains(.time) else {
      values[layer.name] = given
      return
    }
    var read = try inTime(try rows(given, layer), layer.name)
    if kind.isFeatureFirst { read = permuted(read, [.feature, .time], for: layer.name) }
    let node = add("Flatten", name(for: layer, "Flatten"), [:], reading: [read])
    values[layer.name] = Value(node: node, axes: KerasValue.row, shape: [value.width])
  }

  private mutating func addReshape(
    _ layer: Layer, _ kind: Layer.Reshape, _ given: Value, _ value: LayerValue
  ) throws(CheckpointError) {
    func target(_ name: String, _ read: Value, _ sizes: [Int?], _ axes: [KerasValue.Axis]) -> Value {
      let node = add("Reshape", name, ["target_shape": shape(sizes)], reading: [read])
      return Value(node: node, axes: axes, shape: sizes, isReversed: read.isReversed)
    }
    let own = name(for: layer, "Reshape")
    let (steps, width) = (size(given, .time), value.width)
    switch kind.form {
    case .steps where given.axes == KerasValue.steps: values[layer.name] = given
    case .steps:
      values[layer.name] = target(own, given, [kind.steps, width], KerasValue.steps)
    case .split:
      values[layer.name] = target(
        own, try inTime(try rows(given, layer), layer.name), [value.steps, width], KerasValue.steps)
    case .row where given.axes.count == 3:
      values[layer.name] = row(ofGrid: given, [.time, .channel, .height], name: own)
    case .channelsLast where given.axes.count == 3:
      values[layer.name] = row(ofGrid: given, [.time, .height, .channel], name: own)
    case .row, .channelsLast: values[layer.name] = given
    case .grid, .gridChannelsLast:
      guard given.axes.contains(.time) else { throw refused(layer, "a grid without steps") }
      let height = width / kind.channels
      let flat = try rows(given, layer)
      let isLast = kind.form == .gridChannelsLast
      let made = target(
        own, flat, isLast ? [steps, height, kind.channels] : [steps, kind.channels, height],
        isLast ? [.time, .height, .channel] : [.time, .channel, .height])
      values[layer.name] = permuted(made, grid, for: layer.name)
    }
  }
}
