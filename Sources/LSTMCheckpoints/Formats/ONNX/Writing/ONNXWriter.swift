import FileIO

/// Writes a model that runs as it is: from features (batch, time, I) or tokens (batch, time) to `output`, and beside it the
/// final states `h_n` and `c_n` as PyTorch has them.
///
/// Inside, values are (time, batch, features), as the operator LSTM wants them.
enum ONNXWriter {
  /// Old enough for everything that runs ONNX today, and the last in which reductions are alike.
  private static let opset = 17
  private static let irVersion = 8

  private static let capabilities = Capabilities(
    target: "ONNX' LSTM", biases: [.none, .dual], gates: Set(PlainStack.GateActivation.allCases),
    peepholes: true)

  static func write(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    var graph = ModelGraph(model, cells: try model.cells(capabilities))
    try graph.build()
    let configuration = try ModelConfiguration(graph.writtenConfiguration).json
    let message = graph.builder.model(
      opset: opset, irVersion: irVersion, metadata: [ONNXModel.configurationKey: configuration])
    guard message.byteCount <= ProtobufMessage.limit else {
      throw CheckpointError.refused(
        file: path, detail: "the model has \(message.byteCount) bytes, and an ONNX file holds 2 GiB at most",
        advice: ["write it smaller with \(.dataType, "float16"), or in another format"])
    }
    try atomicallyWriteFile(to: path) { try message.write(to: $0) }
    return graph.builder.written
  }
}

private struct ModelGraph {
  typealias Size = ONNXGraphBuilder.Size

  let model: Exportable
  let cells: [[RecurrentCell]]
  var builder = ONNXGraphBuilder()
  private let configuration: PlainStack
  /// What the value of each weight is called.
  private var weights: [String: String] = [:]

  /// Of each layer: (T, B, D*H); (D, B, H); (D, B, H).
  private struct LayerOutput {
    let steps: String
    let hidden: String
    let cell: String
    let layer: PlainStack.Layer
  }

  init(_ model: Exportable, cells: [[RecurrentCell]]) {
    self.model = model
    self.cells = cells
    configuration = model.configuration
  }

  /// The model as a reader of the file finds it: an offset of the forget gate has gone into the bias.
  var writtenConfiguration: PlainStack {
    var written = configuration
    for (index, cells) in cells.enumerated() {
      let kept = model.options.bias ?? configuration.layers[index].bias
      written.layers[index].bias = cells[0].inputBias == nil ? .none : kept == .single ? .single : .dual
      written.layers[index].forgetOffset = 0
    }
    // The graph reads every step.
    written.mask = nil
    return written
  }

  mutating func build() throws {
    var value = try input()
    let first = value
    var layers: [LayerOutput] = []
    for index in cells.indices {
      let layer = lstm(index, value)
      value = layer.steps
      layers.append(layer)
    }
    if configuration.skip { value = builder.node("Concat", [first] + layers.map(\.steps), ["axis": .integer(2)]) }
    let isPerStep = configuration.readout == .all || configuration.readout == nil
    value = activated(try readout(value, first, layers), configuration.readoutActivation)
    value = try head(value)
    if configuration.normalizesOutput {
      value = builder.node("LpNormalization", [value], ["axis": .integer(-1), "p": .integer(2)])
    }
    if let scaler = model.scalers.target {
      value = builder.node("Mul", [value, numbers("output.deviation", scaler.deviation)])
      value = builder.node("Add", [value, numbers("output.mean", scaler.mean)])
    }
    builder.node("Identity", [value], outputs: ["output"])
    let size = Size.number(configuration.outputSize)
    builder.output("output", isPerStep ? [.symbol("batch"), .symbol("time"), size] : [.symbol("batch"), size])
    states(layers)
  }

  /// (T, B, I)
  private mutating func input() throws -> String {
    var value = "input"
    switch configuration.input {
    case .features(let size):
      builder.input("input", [.symbol("batch"), .symbol("time"), .number(size)])
      if let scaler = model.scalers.input {
        value = builder.node("Sub", [value, numbers("input.mean", scaler.mean)])
        value = builder.node("Div", [value, numbers("input.deviation", scaler.deviation)])
      }
    case .tokens:
      builder.input("input", [.symbol("batch"), .symbol("time")], isInteger: true)
      value = builder.node("Gather", [try weight("embedding.weight"), value], ["axis": .integer(0)])
    }
    return builder.node("Transpose", [value], ["perm": .integers([1, 0, 2])])
  }

  private mutating func numbers(_ name: String, _ values: [Float]) -> String {
    builder.weight(name, StoredTensor(name: name, shape: [values.count], values: values), source: name)
  }

  private mutating func weight(_ place: String) throws -> String {
    let name = configuration.parameterName(of: place)
    // A tied parameter is one initializer.
    if let known = weights[name] { return known }
    guard let tensor = model[name] else {
      throw CheckpointError.cannotWrite(file: model.file, detail: "the model has no \(name)")
    }
    let places = [name] + (configuration.validTies.first { $0[0] == name }?.dropFirst() ?? [])
    weights[name] = builder.weight(name, tensor, source: places.joined(separator: " + "))
    return weights[name] ?? name
  }

  // MARK: - LSTM

  private mutating func lstm(_ index: Int, _ input: String) -> LayerOutput {
    let layer = configuration.layers[index]
    let parts = cells[index].map { cell in
      var cell = cell
      if let bias = cell.inputBias, cell.recurrentBias == nil { cell.recurrentBias = .zeros(bias.name, like: bias) }
      cell.peephole = cell.peephole?.reordering([0, 2, 1])
      return RecurrentLayout.onnx.write(cell)
    }
    let inputs = [
      input, joined("W", index, parts.compactMap(\.input.first), [.inputWeight]),
      joined("R", index, parts.compactMap(\.recurrent.first), [.recurrentWeight]),
      joined("B", index, parts.compactMap(\.inputBias.first), [.inputBias, .recurrentBias]), "", "", "",
      joined("P", index, parts.compactMap(\.peephole), [.peephole]),
    ]
    let outputs = ["Y", "Y_h", "Y_c"].map { "\($0)_l\(index)" }
    let used = Array(inputs[...(inputs.lastIndex { !$0.isEmpty } ?? 0)])
    let (d, h) = (layer.directions, layer.hiddenSize)
    let direction = ONNXGraphBuilder.Attribute.text(layer.isBidirectional ? "bidirectional" : "forward")
    let alpha: Float? =
      switch layer.gateActivation {
      case .sigmoid: nil
      case .hardSigmoid: 0.2
      case .hardSigmoidKeras3: 1 / 6
      }
    if let alpha {
      let names = (0..<d).flatMap { _ in ["HardSigmoid", "Tanh", "Tanh"] }
      builder.node(
        "LSTM", used, outputs: outputs,
        [
          "hidden_size": .integer(h), "direction": direction, "activations": .texts(names),
          "activation_alpha": .floats([Float](repeating: alpha, count: d)),
          "activation_beta": .floats([Float](repeating: 0.5, count: d)),
        ])
    } else {
      builder.node("LSTM", used, outputs: outputs, ["hidden_size": .integer(h), "direction": direction])
    }
    let steps: String
    if d == 1 {
      steps = builder.node("Squeeze", [outputs[0], builder.integers([1])])
    } else {
      let side = builder.node("Transpose", [outputs[0]], ["perm": .integers([0, 2, 1, 3])])
      steps = builder.node("Reshape", [side, builder.integers([0, 0, d * h])])
    }
    return LayerOutput(steps: steps, hidden: outputs[1], cell: outputs[2], layer: layer)
  }

  /// The directions' tensors as one (D, ...); "" when there are none.
  private mutating func joined(
    _ letter: String, _ index: Int, _ tensors: [StoredTensor], _ kinds: [RecurrentPart]
  ) -> String {
    guard !tensors.isEmpty else { return "" }
    var sources: [String] = []
    for (direction, cell) in cells[index].enumerated() {
      for kind in kinds where kind != .recurrentBias || cell.recurrentBias != nil {
        let name = PyTorchName.parameter(kind, layer: index, isReverse: direction == 1)
        // A bias that was made up has no source.
        if model[name] != nil { sources.append(name) }
      }
    }
    let stacked = StoredTensor.concatenating(tensors.map { $0.reshaped([1] + $0.shape) })
    return builder.weight("lstm.\(letter)_l\(index)", stacked, source: sources.joined(separator: " + "))
  }

  // MARK: - Readout and head

  /// (B, T, S) for all steps, else (B, S).
  private mutating func readout(_ value: String, _ first: String, _ layers: [LayerOutput]) throws -> String {
    switch configuration.readout {
    case nil, .all: return builder.node("Transpose", [value], ["perm": .integers([1, 0, 2])])
    case .last: return last(value)
    case .mean: return builder.node("ReduceMean", [value], ["axes": .integers([0]), "keepdims": .integer(0)])
    case .max: return builder.node("ReduceMax", [value], ["axes": .integers([0]), "keepdims": .integer(0)])
    case .final:
      guard configuration.skip else { return layers.last.map { final($0) } ?? value }
      let parts = [last(first)] + layers.map { final($0) }
      return builder.node("Concat", parts, ["axis": .integer(1)])
    case .attention:
      let weight = builder.node("Transpose", [try weight("attention.weight")], ["perm": .integers([1, 0])])
      let scores = builder.node("MatMul", [value, weight])
      let shares = builder.node("Softmax", [scores], ["axis": .integer(0)])
      let weighted = builder.node("Mul", [value, shares])
      return builder.node("ReduceSum", [weighted, builder.integers([0])], ["keepdims": .integer(0)])
    }
  }

  private mutating func last(_ value: String) -> String {
    builder.node("Gather", [value, builder.integers([-1], isScalar: true)], ["axis": .integer(0)])
  }

  private mutating func final(_ layer: LayerOutput) -> String {
    guard layer.layer.isBidirectional else { return builder.node("Squeeze", [layer.hidden, builder.integers([0])]) }
    let side = builder.node("Transpose", [layer.hidden], ["perm": .integers([1, 0, 2])])
    return builder.node("Reshape", [side, builder.integers([0, layer.layer.outputSize])])
  }

  private mutating func head(_ input: String) throws -> String {
    var value = input
    for (index, dense) in configuration.head.enumerated() {
      let weight = builder.node("Transpose", [try weight("head.\(index).weight")], ["perm": .integers([1, 0])])
      value = builder.node("MatMul", [value, weight])
      if dense.hasBias { value = builder.node("Add", [value, try self.weight("head.\(index).bias")]) }
      value = activated(value, dense.activation)
    }
    return value
  }

  private mutating func activated(_ value: String, _ activation: PlainStack.Activation) -> String {
    switch activation {
    case .none: value
    case .relu: builder.node("Relu", [value])
    case .tanh: builder.node("Tanh", [value])
    case .sigmoid: builder.node("Sigmoid", [value])
    case .softmax: builder.node("Softmax", [value], ["axis": .integer(-1)])
    }
  }

  /// `h_n` and `c_n` (L*D, B, H), as `nn.LSTM` gives them; of layers that differ, one each.
  private mutating func states(_ layers: [LayerOutput]) {
    let isUniform = layers.allSatisfy {
      ($0.layer.hiddenSize, $0.layer.directions) == (layers[0].layer.hiddenSize, layers[0].layer.directions)
    }
    func add(_ name: String, _ parts: [String], _ places: Int, _ hidden: Int) {
      if parts.count == 1 {
        builder.node("Identity", parts, outputs: [name])
      } else {
        builder.node("Concat", parts, outputs: [name], ["axis": .integer(0)])
      }
      builder.output(name, [.number(places), .symbol("batch"), .number(hidden)])
    }
    for (name, part) in [("h_n", \LayerOutput.hidden), ("c_n", \LayerOutput.cell)] {
      if isUniform {
        let places = layers.reduce(0) { $0 + $1.layer.directions }
        add(name, layers.map { $0[keyPath: part] }, places, layers[0].layer.hiddenSize)
      } else {
        for (index, layer) in layers.enumerated() {
          add("\(name)_l\(index)", [layer[keyPath: part]], layer.layer.directions, layer.layer.hiddenSize)
        }
      }
    }
  }
}
