/// The nodes and constants of a graph being written.
struct ONNXGraphBuilder {
  enum Attribute {
    case integer(Int)
    case integers([Int])
    case float(Float)
    case text(String)
    case texts([String])
    case floats([Float])
  }

  private var nodes: [ProtobufMessage] = []
  private var constants: [ProtobufMessage] = []
  private var inputs: [ProtobufMessage] = []
  private var outputs: [ProtobufMessage] = []
  private var names = 0
  private(set) var written: [WrittenTensor] = []

  private static let float = typeCode(.float32)
  private static let int64 = typeCode(.int64)

  private static func typeCode(_ type: DataType) -> Int { Int(ONNXTypeCode.code(type)) }

  /// Adds a node.
  /// - Returns: the names of what it gives; with one output, that of the model's where one is asked for.
  @discardableResult
  mutating func node(
    _ operation: String, _ inputs: [String], outputs: [String]? = nil,
    _ attributes: KeyValuePairs<String, Attribute> = [:]
  ) -> String {
    node(operation, inputs, outputs: outputs, attributes.map { ($0.key, $0.value) })
  }

  @discardableResult
  mutating func node(
    _ operation: String, _ inputs: [String], outputs: [String]? = nil, _ attributes: [(String, Attribute)]
  ) -> String {
    names += 1
    let given = outputs ?? ["\(operation.lowercased())_\(names)"]
    var node = ProtobufMessage()
    for input in inputs { node.text(ONNXField.Node.input, input) }
    for output in given { node.text(ONNXField.Node.output, output) }
    node.text(ONNXField.Node.name, "\(operation)_\(names)")
    node.text(ONNXField.Node.operation, operation)
    for (name, value) in attributes { node.message(ONNXField.Node.attribute, Self.attribute(name, value)) }
    nodes.append(node)
    return given[0]
  }

  private static func attribute(_ name: String, _ value: Attribute) -> ProtobufMessage {
    var message = ProtobufMessage()
    message.text(ONNXField.Attribute.name, name)
    switch value {
    case .integer(let value):
      message.integer(ONNXField.Attribute.integer, value)
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.integer))
    case .text(let value):
      message.text(ONNXField.Attribute.text, value)
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.text))
    case .float(let value):
      message.float(ONNXField.Attribute.float, value)
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.float))
    case .floats(let list):
      for value in list { message.float(ONNXField.Attribute.floats, value) }
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.floats))
    case .integers(let list):
      for value in list { message.integer(ONNXField.Attribute.integers, value) }
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.integers))
    case .texts(let list):
      for value in list { message.text(ONNXField.Attribute.texts, value) }
      message.integer(ONNXField.Attribute.kind, Int(ONNXAttributeKind.texts))
    }
    return message
  }

  /// A weight in its own type.
  /// - Returns: the name of its float32 value: kernels of other types are few.
  mutating func weight(_ name: String, _ tensor: StoredTensor, source: String) -> String {
    add(name, tensor.shape, Self.typeCode(tensor.dataType)) { $0.elements(ONNXField.Tensor.rawData, tensor) }
    written.append(WrittenTensor(source: source, target: name, shape: tensor.shape, dataType: tensor.dataType))
    return tensor.dataType == .float32 ? name : node("Cast", [name], ["to": .integer(Self.float)])
  }

  /// A constant of integers: a list, or one number.
  mutating func integers(_ list: [Int], isScalar: Bool = false) -> String {
    names += 1
    let name = "constant_\(names)"
    add(name, isScalar ? [] : [list.count], Self.int64) { message in
      for value in list { message.integer(ONNXField.Tensor.int64s, value) }
    }
    return name
  }

  /// A constant that is no weight: one number, or a list.
  mutating func floats(_ list: [Float], isScalar: Bool = false) -> String {
    names += 1
    let name = "constant_\(names)"
    add(name, isScalar ? [] : [list.count], Self.float) { message in
      for value in list { message.float(ONNXField.Tensor.floats, value) }
    }
    return name
  }

  private mutating func add(_ name: String, _ shape: [Int], _ type: Int, _ elements: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    for size in shape { message.integer(ONNXField.Tensor.dimensions, size) }
    message.integer(ONNXField.Tensor.dataType, type)
    message.text(ONNXField.Tensor.name, name)
    elements(&message)
    constants.append(message)
  }

  enum Size {
    case symbol(String)
    case number(Int)
  }

  mutating func input(_ name: String, _ sizes: [Size], isInteger: Bool = false) {
    input(name, sizes, type: isInteger ? Self.int64 : Self.float)
  }

  /// - Parameter type: ONNX's number.
  mutating func input(_ name: String, _ sizes: [Size], type: Int) { inputs.append(Self.value(name, sizes, type)) }

  mutating func output(_ name: String, _ sizes: [Size]) { outputs.append(Self.value(name, sizes, Self.float)) }

  private static func value(_ name: String, _ sizes: [Size], _ type: Int) -> ProtobufMessage {
    var shape = ProtobufMessage()
    for size in sizes {
      var dimension = ProtobufMessage()
      switch size {
      case .symbol(let symbol): dimension.text(ONNXField.Dimension.symbol, symbol)
      case .number(let number): dimension.integer(ONNXField.Dimension.value, number)
      }
      shape.message(ONNXField.Shape.dimension, dimension)
    }
    var tensor = ProtobufMessage()
    tensor.integer(ONNXField.TensorType.elementType, type)
    tensor.message(ONNXField.TensorType.shape, shape)
    var described = ProtobufMessage()
    described.message(ONNXField.ValueType.tensor, tensor)
    var value = ProtobufMessage()
    value.text(ONNXField.ValueInfo.name, name)
    value.message(ONNXField.ValueInfo.type, described)
    return value
  }

  /// The model. The operators' version comes last, without which no reader takes a file that is cut short.
  func model(opset: Int, irVersion: Int, metadata: KeyValuePairs<String, String>) -> ProtobufMessage {
    var graph = ProtobufMessage()
    for node in nodes { graph.message(ONNXField.Graph.node, node) }
    graph.text(ONNXField.Graph.name, "lstm-ft")
    for constant in constants { graph.message(ONNXField.Graph.initializer, constant) }
    for input in inputs { graph.message(ONNXField.Graph.input, input) }
    for output in outputs { graph.message(ONNXField.Graph.output, output) }
    var model = ProtobufMessage()
    model.integer(ONNXField.Model.irVersion, irVersion)
    model.text(ONNXField.Model.producerName, "lstm-ft")
    for (key, value) in metadata {
      var entry = ProtobufMessage()
      entry.text(ONNXField.Entry.key, key)
      entry.text(ONNXField.Entry.value, value)
      model.message(ONNXField.Model.metadataProps, entry)
    }
    model.message(ONNXField.Model.graph, graph)
    var operators = ProtobufMessage()
    operators.text(ONNXField.OperatorSet.domain, "")
    operators.integer(ONNXField.OperatorSet.version, opset)
    model.message(ONNXField.Model.opsetImport, operators)
    return model
  }
}
