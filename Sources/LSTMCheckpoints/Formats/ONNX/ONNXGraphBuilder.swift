/// The nodes and constants of a graph being written.
struct ONNXGraphBuilder {
  enum Attribute {
    case integer(Int)
    case integers([Int])
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

  private static let float = 1
  private static let int64 = 7

  private static func typeCode(_ type: DataType) -> Int {
    switch type {
    case .float16: 10
    case .bfloat16: 16
    case .float64: 11
    default: float
    }
  }

  /// Adds a node.
  /// - Returns: the names of what it gives; with one output, that of the model's where one is asked for.
  @discardableResult
  mutating func node(
    _ operation: String, _ inputs: [String], outputs: [String]? = nil,
    _ attributes: KeyValuePairs<String, Attribute> = [:]
  ) -> String {
    names += 1
    let given = outputs ?? ["\(operation.lowercased())_\(names)"]
    var node = ProtobufMessage()
    for input in inputs { node.text(1, input) }
    for output in given { node.text(2, output) }
    node.text(3, "\(operation)_\(names)")
    node.text(4, operation)
    for (name, value) in attributes { node.message(5, Self.attribute(name, value)) }
    nodes.append(node)
    return given[0]
  }

  private static func attribute(_ name: String, _ value: Attribute) -> ProtobufMessage {
    var message = ProtobufMessage()
    message.text(1, name)
    switch value {
    case .integer(let value):
      message.integer(3, value)
      message.integer(20, 2)
    case .text(let value):
      message.text(4, value)
      message.integer(20, 3)
    case .floats(let list):
      for value in list { message.float(7, value) }
      message.integer(20, 6)
    case .integers(let list):
      for value in list { message.integer(8, value) }
      message.integer(20, 7)
    case .texts(let list):
      for value in list { message.text(9, value) }
      message.integer(20, 8)
    }
    return message
  }

  /// A weight in its own type.
  /// - Returns: the name of its float32 value: kernels of other types are few.
  mutating func weight(_ name: String, _ tensor: StoredTensor, source: String) -> String {
    add(name, tensor.shape, Self.typeCode(tensor.dataType)) { $0.elements(9, tensor) }
    written.append(WrittenTensor(source: source, target: name, shape: tensor.shape, dataType: tensor.dataType))
    return tensor.dataType == .float32 ? name : node("Cast", [name], ["to": .integer(Self.float)])
  }

  /// A constant of integers: a list, or one number.
  mutating func integers(_ list: [Int], isScalar: Bool = false) -> String {
    names += 1
    let name = "constant_\(names)"
    add(name, isScalar ? [] : [list.count], Self.int64) { message in for value in list { message.integer(7, value) } }
    return name
  }

  private mutating func add(_ name: String, _ shape: [Int], _ type: Int, _ elements: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    for size in shape { message.integer(1, size) }
    message.integer(2, type)
    message.text(8, name)
    elements(&message)
    constants.append(message)
  }

  enum Size {
    case symbol(String)
    case number(Int)
  }

  mutating func input(_ name: String, _ sizes: [Size], isInteger: Bool = false) {
    inputs.append(Self.value(name, sizes, isInteger ? Self.int64 : Self.float))
  }

  mutating func output(_ name: String, _ sizes: [Size]) { outputs.append(Self.value(name, sizes, Self.float)) }

  private static func value(_ name: String, _ sizes: [Size], _ type: Int) -> ProtobufMessage {
    var shape = ProtobufMessage()
    for size in sizes {
      var dimension = ProtobufMessage()
      switch size {
      case .symbol(let symbol): dimension.text(2, symbol)
      case .number(let number): dimension.integer(1, number)
      }
      shape.message(1, dimension)
    }
    var tensor = ProtobufMessage()
    tensor.integer(1, type)
    tensor.message(2, shape)
    var described = ProtobufMessage()
    described.message(1, tensor)
    var value = ProtobufMessage()
    value.text(1, name)
    value.message(2, described)
    return value
  }

  /// The model. The operators' version comes last, without which no reader takes a file that is cut short.
  func model(opset: Int, irVersion: Int, metadata: KeyValuePairs<String, String>) -> ProtobufMessage {
    var graph = ProtobufMessage()
    for node in nodes { graph.message(1, node) }
    graph.text(2, "lstm-ft")
    for constant in constants { graph.message(5, constant) }
    for input in inputs { graph.message(11, input) }
    for output in outputs { graph.message(12, output) }
    var model = ProtobufMessage()
    model.integer(1, irVersion)
    model.text(2, "lstm-ft")
    for (key, value) in metadata {
      var entry = ProtobufMessage()
      entry.text(1, key)
      entry.text(2, value)
      model.message(14, entry)
    }
    model.message(7, graph)
    var operators = ProtobufMessage()
    operators.text(1, "")
    operators.integer(2, opset)
    model.message(8, operators)
    return model
  }
}
