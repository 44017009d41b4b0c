import FileIO

extension ONNXNetworkWriter {
  mutating func dense(_ kind: Layer.Dense, _ place: ONNXPlace) throws(CheckpointError) -> String {
    var value = builder.node("MatMul", [place.input, transposed(try weight("weight", place), [1, 0])])
    if kind.hasBias { value = builder.node("Add", [value, try weight("bias", place)]) }
    return activated(value, kind.activation, nil)
  }

  mutating func activated(_ value: String, _ activation: Activation, _ alpha: Float?) -> String {
    func number(_ value: Float) -> String { builder.floats([value], isScalar: true) }
    switch activation {
    case .none: return value
    case .relu: return builder.node("Relu", [value])
    case .tanh: return builder.node("Tanh", [value])
    case .sigmoid: return builder.node("Sigmoid", [value])
    case .softmax: return builder.node("Softmax", [value], ["axis": .integer(-1)])
    case .logSoftmax: return builder.node("LogSoftmax", [value], ["axis": .integer(-1)])
    case .hardSigmoid: return builder.node("HardSigmoid", [value], ["alpha": .float(0.2), "beta": .float(0.5)])
    case .hardSigmoidKeras3: return builder.node("HardSigmoid", [value], ["alpha": .float(1 / 6), "beta": .float(0.5)])
    case .hardTanh: return builder.node("Clip", [value, number(-1), number(1)])
    case .leakyReLU: return builder.node("LeakyRelu", [value], ["alpha": .float(alpha ?? 0.01)])
    case .elu: return builder.node("Elu", [value], ["alpha": .float(alpha ?? 1)])
    case .selu: return builder.node("Selu", [value])
    case .gelu:
      let scaled = builder.node("Div", [value, number(Float(2).squareRoot())])
      let sum = builder.node("Add", [builder.node("Erf", [scaled]), number(1)])
      return builder.node("Mul", [builder.node("Mul", [value, sum]), number(0.5)])
    case .geluTanh:
      let cube = builder.node("Mul", [builder.node("Pow", [value, number(3)]), number(0.044715)])
      let inner = builder.node("Mul", [builder.node("Add", [value, cube]), number((2 / Float.pi).squareRoot())])
      let sum = builder.node("Add", [builder.node("Tanh", [inner]), number(1)])
      return builder.node("Mul", [builder.node("Mul", [value, sum]), number(0.5)])
    case .softplus: return builder.node("Softplus", [value])
    case .softsign: return builder.node("Softsign", [value])
    case .swish: return builder.node("Mul", [value, builder.node("Sigmoid", [value])])
    case .mish: return builder.node("Mul", [value, builder.node("Tanh", [builder.node("Softplus", [value])])])
    case .relu6: return builder.node("Clip", [value, number(0), number(6)])
    case .hardSwish: return builder.node("HardSwish", [value])
    case .exponential: return builder.node("Exp", [value])
    }
  }

  mutating func batchNorm(_ kind: Layer.BatchNorm, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let count = place.values[0].grid?.channels ?? place.values[0].width
    func parameter(_ name: String, _ has: Bool, _ usual: Float) throws(CheckpointError) -> String {
      has ? try weight(name, place) : builder.floats([Float](repeating: usual, count: count))
    }
    let scale = try parameter("weight", kind.hasScale, 1)
    let bias = try parameter("bias", kind.hasOffset, 0)
    let statistics = [try weight("running_mean", place), try weight("running_var", place)]
    return channelsFirst(place.input, place.values[0]) { writer, value in
      writer.builder.node(
        "BatchNormalization", [value, scale, bias] + statistics,
        ["epsilon": .float(kind.epsilon), "momentum": .float(1 - kind.momentum)])
    }
  }

  mutating func layerNorm(_ kind: Layer.LayerNorm, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let width = place.values[0].width
    var inputs = [place.input]
    // ONNX's has a gain; ones that a node gives are no weight of the file.
    let ones = [Float](repeating: 1, count: width)
    inputs.append(
      kind.hasScale ? try weight("weight", place) : builder.node("Constant", [], ["value_floats": .floats(ones)]))
    if kind.hasOffset { inputs.append(try weight("bias", place)) }
    return builder.node("LayerNormalization", inputs, ["axis": .integer(-1), "epsilon": .float(kind.epsilon)])
  }

  mutating func rescale(_ place: ONNXPlace) throws(CheckpointError) -> String {
    var value = place.input
    if tensor("center", place) != nil { value = builder.node("Sub", [value, try weight("center", place)]) }
    value = builder.node("Mul", [value, try weight("scale", place)])
    return builder.node("Add", [value, try weight("offset", place)])
  }

  // MARK: - Rows

  mutating func slice(_ value: String, _ first: Int, _ count: Int) -> String {
    builder.node(
      "Slice",
      [value, builder.integers([first]), builder.integers([first + count]), builder.integers([-1])])
  }

  mutating func magnitude(_ place: ONNXPlace) -> String {
    let half = place.value.width
    var squares: [String] = []
    for first in [0, half] {
      let part = slice(place.input, first, half)
      squares.append(builder.node("Mul", [part, part]))
    }
    return builder.node("Sqrt", [builder.node("Add", squares)])
  }

  /// Rows of a sequence go with each of its steps.
  mutating func merge(_ operation: Layer.Merge.Operation, _ place: ONNXPlace) -> String {
    var inputs = place.inputs
    if let steps = place.values.firstIndex(where: \.isPerStep) {
      for (index, value) in place.values.enumerated() where !value.isPerStep {
        inputs[index] = builder.node("Unsqueeze", [inputs[index], builder.integers([1])])
        guard operation == .concatenate else { continue }
        // What is joined has to be there at each step.
        let shape = builder.node("Shape", [place.inputs[steps]])
        let count = builder.node("Slice", [shape, builder.integers([1]), builder.integers([2]), builder.integers([0])])
        let sizes = builder.node(
          "Concat", [builder.integers([1]), count, builder.integers([1])], ["axis": .integer(0)])
        inputs[index] = builder.node("Expand", [inputs[index], sizes])
      }
    }
    if inputs.count == 1 { return inputs[0] }
    switch operation {
    case .concatenate: return builder.node("Concat", inputs, ["axis": .integer(-1)])
    case .add: return inputs.dropFirst().reduce(inputs[0]) { builder.node("Add", [$0, $1]) }
    case .multiply: return inputs.dropFirst().reduce(inputs[0]) { builder.node("Mul", [$0, $1]) }
    case .average: return builder.node("Mean", inputs)
    case .maximum: return builder.node("Max", inputs)
    case .subtract: return builder.node("Sub", inputs)
    }
  }

  mutating func flatten(_ kind: Layer.Flatten, _ place: ONNXPlace) -> String {
    guard place.isPerStep else { return place.input }
    let value = kind.isFeatureFirst ? transposed(place.input, [0, 2, 1]) : place.input
    return reshaped(value, [0, place.value.width])
  }

  mutating func reshape(_ kind: Layer.Reshape, _ place: ONNXPlace) -> String {
    let width = place.values[0].width
    /// The last axis as two, the other way round, and one again.
    func turned(_ outer: Int, _ inner: Int) -> String {
      let keep = place.isPerStep ? [0, 0] : [0]
      let apart = reshaped(place.input, keep + [outer, inner])
      let order = place.isPerStep ? [0, 1, 3, 2] : [0, 2, 1]
      return reshaped(transposed(apart, order), keep + [width])
    }
    switch kind.form {
    case .grid, .row: return place.input
    case .steps: return reshaped(place.input, [0, kind.steps, width / kind.steps])
    case .split: return reshaped(place.input, [0, -1, width / kind.steps])
    case .channelsLast:
      let grid = place.values[0].grid ?? .init(channels: 1, height: width)
      return turned(grid.channels, grid.height)
    case .gridChannelsLast: return turned(width / kind.channels, kind.channels)
    }
  }
}
