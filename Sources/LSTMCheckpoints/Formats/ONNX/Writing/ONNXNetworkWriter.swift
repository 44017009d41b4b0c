import FileIO

/// Writes a graph of layers as a model that runs: its inputs (batch, time, ...), its outputs, and beside them the last
/// states of its recurrent layers.
///
/// Between layers, values are (batch, time, features), or (batch, features) where a sequence has one row.
struct ONNXNetworkWriter {
  private static let opset = 17
  private static let irVersion = 8

  let file: String
  let configuration: ModelConfiguration
  let options: WriteOptions
  var builder = ONNXGraphBuilder()
  /// What the configuration says of what is written: a forget gate's offset has gone into its bias.
  var written: [Layer]
  /// Of each input and layer, the name of its value.
  var names: [String: String] = [:]
  /// Of each recurrent layer, the names of its last states.
  var states: [String: (hidden: String, cell: String)] = [:]
  /// Of each recurrent layer whose states a caller gives, the names of h and c before the first step.
  var carried: [String: [String]] = [:]
  private let interface: Provenance.Interface?
  private let tensors: [String: StoredTensor]
  private var weights: [String: String] = [:]

  static func write(_ model: StoredModel, to path: String, options: WriteOptions) throws -> [WrittenTensor] {
    var writer = try ONNXNetworkWriter(model, to: path, options: options)
    try writer.build(OwnScalers(model.preprocessing, model.provenance))
    let described = try ModelConfiguration(
      inputs: writer.configuration.inputs, layers: writer.written, outputs: writer.configuration.outputs,
      ties: writer.configuration.ties)
    let message = writer.builder.model(
      opset: opset, irVersion: irVersion, metadata: [ONNXModel.configurationKey: try described.json])
    guard message.byteCount <= ProtobufMessage.limit else {
      throw CheckpointError.refused(
        file: path, detail: "the model has \(message.byteCount) bytes, and an ONNX file holds 2 GiB at most",
        advice: ["write it smaller with \(.dataType, "float16"), or in another format"])
    }
    try atomicallyWriteFile(to: path) { try message.write(to: $0) }
    return writer.builder.written
  }

  private init(_ model: StoredModel, to path: String, options: WriteOptions) throws(CheckpointError) {
    file = path
    configuration = model.configuration
    written = configuration.layers
    self.options = options
    interface = model.interface(options)
    let owned = Dictionary(model.tensors.map { ($0.name, $0) }) { first, _ in first }
    var all: [String: StoredTensor] = [:]
    for place in configuration.places {
      guard let tensor = owned[configuration.parameterName(of: place.name)], tensor.shape == place.shape else {
        throw .cannotWrite(file: path, detail: "the model has no \(place.name) \(shapeText(place.shape))")
      }
      all[place.name] = options.dataType.map { tensor.converted(to: $0) } ?? tensor
    }
    tensors = all
  }

  // MARK: - The graph

  private mutating func build(_ scalers: OwnScalers) throws {
    if let interface { takeInputs(interface) }
    for input in configuration.inputs where interface == nil {
      var sizes: [ONNXGraphBuilder.Size] = [.symbol("batch")]
      if !input.isPerSequence { sizes.append(input.steps.map { .number($0) } ?? .symbol("time")) }
      let isToken = input.vocabulary != nil
      if !isToken { sizes.append(.number(input.width)) }
      builder.input(input.name, sizes, isInteger: isToken)
      names[input.name] = input.name
    }
    let first = configuration.inputs[0]
    if let scaler = scalers.input, first.vocabulary == nil {
      var value = builder.node("Sub", [names[first.name] ?? first.name, number("input.mean", scaler.mean)])
      value = builder.node("Div", [value, number("input.deviation", scaler.deviation)])
      names[first.name] = value
    }
    for index in configuration.layers.indices {
      let layer = configuration.layers[index]
      let reads = configuration.sources[index].map { configuration.name(ofValue: $0) }
      let place = ONNXPlace(
        index: index, layer: layer, inputs: reads.map { names[$0] ?? $0 }, values: configuration.inputs(ofLayer: index),
        value: configuration.values[configuration.inputs.count + index], reads: reads)
      names[layer.name] = try write(place)
    }
    let outputs =
      configuration.outputs.isEmpty ? [configuration.layers.last?.name ?? first.name] : configuration.outputs
    for (index, name) in outputs.enumerated() {
      let value = configuration.value(of: name) ?? configuration.output
      var written = names[name] ?? name
      if index == 0, let scaler = scalers.target {
        written = builder.node("Mul", [written, number("output.deviation", scaler.deviation)])
        written = builder.node("Add", [written, number("output.mean", scaler.mean)])
      }
      if let interface {
        give(written, as: interface.outputs[index], of: value)
        continue
      }
      let given = outputs.count == 1 ? "output" : "output." + name
      builder.node("Identity", [written], outputs: [given])
      var sizes: [ONNXGraphBuilder.Size] = [.symbol("batch")]
      if value.isPerStep { sizes.append(.symbol(value.clock == 0 ? "time" : "steps_\(name)")) }
      builder.output(given, sizes + [.number(value.width)])
    }
    if let interface { giveStates(interface) } else { giveStates() }
  }

  private mutating func giveStates() {
    for (_, name, kind) in configuration.recurrentLayers {
      guard let state = states[name] else { continue }
      let sizes: [ONNXGraphBuilder.Size] = [.number(kind.directions), .symbol("batch"), .number(kind.size)]
      builder.node("Identity", [state.hidden], outputs: ["h_n_" + name])
      builder.output("h_n_" + name, sizes)
      guard kind.cell == .lstm else { continue }
      builder.node("Identity", [state.cell], outputs: ["c_n_" + name])
      builder.output("c_n_" + name, sizes)
    }
  }

  /// The kinds that are written, a line each.
  private mutating func write(_ place: ONNXPlace) throws(CheckpointError) -> String {
    switch place.layer.kind {
    case is Layer.Embedding:
      return builder.node("Gather", [try weight("weight", place), place.input], ["axis": .integer(0)])
    case let kind as Layer.Recurrent: return try recurrent(kind, place)
    case let kind as Layer.Dense: return try dense(kind, place)
    case let kind as Layer.Convolution: return try convolution(kind, place)
    case let kind as Layer.Pooling: return pooling(kind, place)
    case let kind as Layer.BatchNorm: return try batchNorm(kind, place)
    case let kind as Layer.LayerNorm: return try layerNorm(kind, place)
    case is Layer.Rescale: return try rescale(place)
    case is Layer.PReLU: return builder.node("PRelu", [place.input, try weight("weight", place)])
    case let kind as Layer.ActivationLayer: return activated(place.input, kind.activation, kind.alpha)
    case let kind as Layer.Readout: return try readout(kind.take, place)
    case let kind as Layer.Attention: return try attention(kind, place)
    case let kind as Layer.DotAttention: return try dotAttention(kind, place)
    case let kind as Layer.SelfAttention: return try selfAttention(kind, place)
    case let kind as Layer.Merge: return merge(kind.operation, place)
    case let kind as Layer.Repeat:
      let single = builder.node("Unsqueeze", [place.input, builder.integers([1])])
      return builder.node("Expand", [single, builder.integers([1, kind.count, 1])])
    case let kind as Layer.Flatten: return flatten(kind, place)
    case let kind as Layer.Reshape: return reshape(kind, place)
    case let kind as Layer.ZeroPadding:
      return builder.node("Pad", [place.input, builder.integers([0, kind.before, 0, 0, kind.after, 0])])
    case let kind as Layer.Slice: return slice(place.input, kind.first, kind.count)
    case is Layer.L2: return builder.node("LpNormalization", [place.input], ["axis": .integer(-1), "p": .integer(2)])
    case is Layer.Magnitude: return magnitude(place)
    // Dropout is for training.
    case is Layer.Dropout: return place.input
    default:
      throw .refused(
        file: file,
        detail: "layer \(place.layer.name) is of a kind (\(place.layer.kind.kind)) that ONNX has no operator for")
    }
  }

  // MARK: - For the kinds

  func refused(_ place: ONNXPlace, _ what: String) -> CheckpointError {
    .refused(file: file, detail: "layer \(place.layer.name) has \(what), which ONNX has no operator for")
  }

  func tensor(_ name: String, _ place: ONNXPlace, isReverse: Bool = false) -> StoredTensor? {
    tensors[place.layer.parameterName(name, isReverse: isReverse)]
  }

  /// The value of a parameter; of tied ones there is one.
  mutating func weight(_ name: String, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let own = place.layer.parameterName(name)
    let owner = configuration.parameterName(of: own)
    if let known = weights[owner] { return known }
    guard let tensor = tensors[own] else {
      throw .cannotWrite(file: file, detail: "the model has no \(own)")
    }
    let places = [owner] + configuration.validTies.filter { $0.first == owner }.flatMap { $0.dropFirst() }
    let value = builder.weight(owner, tensor, source: places.joined(separator: " + "))
    weights[owner] = value
    return value
  }

  mutating func number(_ name: String, _ values: [Float]) -> String {
    builder.weight(name, StoredTensor(name: name, shape: [values.count], values: values), source: name)
  }

  mutating func transposed(_ value: String, _ order: [Int]) -> String {
    builder.node("Transpose", [value], ["perm": .integers(order)])
  }

  /// - Parameter sizes: 0 for a size that stays, -1 for what is left.
  mutating func reshaped(_ value: String, _ sizes: [Int]) -> String {
    builder.node("Reshape", [value, builder.integers(sizes)])
  }
}

/// A layer being written, with what it reads.
struct ONNXPlace {
  let index: Int
  let layer: Layer
  /// Names of the values that it reads.
  let inputs: [String]
  let values: [LayerValue]
  /// What it gives.
  let value: LayerValue
  /// Names of the layers that it reads.
  let reads: [String]

  var input: String { inputs[0] }
  var isPerStep: Bool { values[0].isPerStep }
}
