import FileIO

/// What is needed of an ONNX model: its nodes in order, constants, inputs and outputs.
struct ONNXModel: Sendable {
  /// Where what is written keeps its configuration.
  static let configurationKey = "lstm_ft_configuration"

  struct Node: Sendable {
    var name = ""
    var operation = ""
    /// Empty for ONNX's own operators.
    var domain = ""
    var inputs: [String] = []
    var outputs: [String] = []
    var attributes: [String: Attribute] = [:]

    /// For messages: `LSTM "/lstm/LSTM"`.
    var description: String {
      let name = name.isEmpty ? outputs.first { !$0.isEmpty } ?? "" : name
      return (domain.isEmpty ? "" : domain + ".") + "\(operation) \"\(name)\""
    }
  }

  enum Attribute: Sendable {
    case float(Float)
    case integer(Int)
    case text(String)
    case floats([Float])
    case integers([Int])
    case texts([String])
    case tensor(ONNXTensor)
    /// A branch of `If`.
    indirect case graph(Subgraph)
    /// What a function's caller gives under this name.
    case reference(String)
    /// Sparse tensors, graphs within graphs within graphs: not read.
    case other
  }

  struct Subgraph: Sendable {
    let nodes: [Node]
    let constants: [ONNXTensor]
    let outputs: [String]
    let inputs: [String]
  }

  struct Input: Sendable {
    let name: String
    /// nil where a size is a symbol or absent; nil altogether where the model does not say.
    let shape: [Int?]?
    /// Whether its values are integers.
    var isWhole = false
    /// ONNX's number of its type.
    var typeCode = 0
  }

  var nodes: [Node] = []
  /// Also those of `Constant` nodes, under the name of what they give.
  var constants: [ONNXTensor] = []
  /// Constants of a kind that is not read, with the number of their type.
  var unreadable: [ONNXTensor.Unreadable] = []
  /// Without those that only name a constant.
  var inputs: [Input] = []
  var outputs: [String] = []
  var opset = 0
  var producer = ""
  var metadata: [String: String] = [:]

  /// Functions of its own, until they are written out.
  var functions: [Function] = []

  /// How many graphs it lies in.
  private var depth = 0
  private static let depthLimit = 6
  static let countLimit = 100_000
  private static let functionLimit = 10_000
  private static let listLimit = 65536

  typealias Failure = ProtobufReader.Failure

  init(_ source: ByteSource) throws(Failure) {
    var reader = ProtobufReader(source)
    var hasGraph = false
    while let field = try reader.next() {
      switch (field.number, field.wire) {
      case (ONNXField.Model.producerName, .bytes): producer = try reader.text()
      case (ONNXField.Model.graph, .bytes):
        guard !hasGraph else { throw Failure("it has two graphs") }
        hasGraph = true
        var graph = try reader.message()
        try readGraph(&graph)
      case (ONNXField.Model.opsetImport, .bytes):
        var set = try reader.message()
        let (domain, version) = try Self.operatorSet(&set)
        if domain.isEmpty || domain == "ai.onnx" { opset = version }
      case (ONNXField.Model.metadataProps, .bytes):
        var entry = try reader.message()
        let (key, value) = try Self.entry(&entry)
        guard metadata.count < 1000 else { throw Failure("it has more than 1000 entries of metadata") }
        metadata[key] = value
      case (ONNXField.Model.functions, .bytes):
        guard functions.count < Self.functionLimit else {
          throw Failure("it has more than \(Self.functionLimit) functions")
        }
        var message = try reader.message()
        functions.append(try Self.function(&message))
      case (ONNXField.Model.graph, _), (ONNXField.Model.opsetImport, _), (ONNXField.Model.metadataProps, _):
        throw Failure("field \(field.number) is of wire type \(field.wire.rawValue)")
      default: try reader.skip(field)
      }
    }
    guard hasGraph else { throw Failure("it has no graph") }
    guard 1...1000 ~= opset else { throw Failure("it does not say which version of the operators it uses") }
    try writeOutFunctions()
    try liftConstants()
  }

  static func operatorSet(_ reader: inout ProtobufReader) throws(Failure) -> (String, Int) {
    var (domain, version) = ("", 0)
    while let field = try reader.next() {
      switch (field.number, field.wire) {
      case (ONNXField.OperatorSet.domain, .bytes): domain = try reader.text()
      case (ONNXField.OperatorSet.version, .varint): version = Int(truncatingIfNeeded: try reader.varint())
      default: try reader.skip(field)
      }
    }
    return (domain, version)
  }

  /// A StringStringEntryProto. A long value is no concern of ours.
  static func entry(_ reader: inout ProtobufReader) throws(Failure) -> (String, String) {
    var (key, value) = ("", "")
    while let field = try reader.next() {
      switch (field.number, field.wire) {
      case (ONNXField.Entry.key, .bytes): key = try reader.text()
      case (ONNXField.Entry.value, .bytes):
        var copy = reader
        let range = try reader.range()
        if range.count <= 1 << 20 { value = try copy.text(1 << 20) }
      default: try reader.skip(field)
      }
    }
    return (key, value)
  }

  // MARK: - The graph

  private mutating func readGraph(_ reader: inout ProtobufReader) throws(Failure) {
    while let field = try reader.next(.bytes) {
      switch field {
      case ONNXField.Graph.node:
        guard nodes.count < Self.countLimit else { throw Failure("it has more than \(Self.countLimit) nodes") }
        var node = try reader.message()
        nodes.append(try Self.node(&node, depth))
      case ONNXField.Graph.initializer:
        guard constants.count < Self.countLimit else { throw Failure("it has more than \(Self.countLimit) tensors") }
        switch try ONNXTensor.read(reader.message()) {
        case .success(let tensor): constants.append(tensor)
        case .failure(let failure): unreadable.append(failure)
        }
      case ONNXField.Graph.input, ONNXField.Graph.output:
        guard inputs.count + outputs.count < Self.countLimit else { throw Failure("it has too many inputs") }
        var message = try reader.message()
        let value = try Self.value(&message)
        if field == ONNXField.Graph.input { inputs.append(value) } else { outputs.append(value.name) }
      default: _ = try reader.range()
      }
    }
  }

  /// A graph within an attribute.
  private init(subgraph reader: inout ProtobufReader, depth: Int) throws(Failure) {
    self.depth = depth
    try readGraph(&reader)
    try liftConstants()
  }

  static func node(_ reader: inout ProtobufReader, _ depth: Int) throws(Failure) -> Node {
    var node = Node()
    while let field = try reader.next(.bytes) {
      guard node.inputs.count + node.outputs.count + node.attributes.count < listLimit else {
        throw Failure("a node has more than \(listLimit) inputs, outputs and attributes")
      }
      switch field {
      case ONNXField.Node.input: node.inputs.append(try reader.text())
      case ONNXField.Node.output: node.outputs.append(try reader.text())
      case ONNXField.Node.name: node.name = try reader.text()
      case ONNXField.Node.operation: node.operation = try reader.text()
      case ONNXField.Node.attribute:
        var message = try reader.message()
        let (name, value) = try attribute(&message, depth)
        node.attributes[name] = value
      case ONNXField.Node.domain:
        let domain = try reader.text()
        node.domain = domain == "ai.onnx" ? "" : domain
      default: _ = try reader.range()
      }
    }
    return node
  }

  static func attribute(_ reader: inout ProtobufReader, _ depth: Int) throws(Failure) -> (String, Attribute) {
    var name = ""
    var value = Attribute.other
    var (floats, integers, texts, kind) = ([Float](), [Int](), [String](), UInt64(0))
    var reference: String?
    while let field = try reader.next() {
      guard max(floats.count, integers.count, texts.count) <= listLimit else {
        throw Failure("attribute \"\(name)\" has more than \(listLimit) values")
      }
      switch (field.number, field.wire) {
      case (ONNXField.Attribute.name, .bytes): name = try reader.text()
      case (ONNXField.Attribute.float, .fixed32):
        value = .float(Float(bitPattern: UInt32(truncatingIfNeeded: try reader.fixed(4))))
      case (ONNXField.Attribute.integer, .varint): value = .integer(Int(truncatingIfNeeded: try reader.varint()))
      case (ONNXField.Attribute.text, .bytes):
        // A text that is not UTF-8 or is very long is none that we know.
        var copy = reader
        let range = try reader.range()
        value = range.count <= 4096 ? .text(String(decoding: try copy.bytes(4096), as: UTF8.self)) : .other
      case (ONNXField.Attribute.tensor, .bytes):
        if case .success(let tensor) = try ONNXTensor.read(reader.message()) { value = .tensor(tensor) }
      case (ONNXField.Attribute.graph, .bytes):
        var message = try reader.message()
        guard depth < depthLimit else { continue }
        let graph = try ONNXModel(subgraph: &message, depth: depth + 1)
        value = .graph(
          Subgraph(
            nodes: graph.nodes, constants: graph.constants, outputs: graph.outputs, inputs: graph.inputs.map(\.name)))
      case (ONNXField.Attribute.floats, _):
        floats += try reader.list(field, width: 4, limit: listLimit - floats.count)
          .map { Float(bitPattern: UInt32(truncatingIfNeeded: $0)) }
      case (ONNXField.Attribute.integers, _):
        integers += try reader.list(field, limit: listLimit - integers.count).map { Int(truncatingIfNeeded: $0) }
      case (ONNXField.Attribute.texts, .bytes): texts.append(try reader.text())
      case (ONNXField.Attribute.kind, .varint): kind = try reader.varint()
      case (ONNXField.Attribute.reference, .bytes):
        let text = try reader.text()
        if !text.isEmpty { reference = text }
      default: try reader.skip(field)
      }
    }
    if let reference { return (name, .reference(reference)) }
    switch kind {
    case ONNXAttributeKind.floats: value = .floats(floats)
    case ONNXAttributeKind.integers: value = .integers(integers)
    case ONNXAttributeKind.texts: value = .texts(texts)
    case ONNXAttributeKind.unknown:
      if !floats.isEmpty { value = .floats(floats) }
      if !integers.isEmpty { value = .integers(integers) }
      if !texts.isEmpty { value = .texts(texts) }
    // A number that is 0 need not be there, nor a text that is empty.
    case ONNXAttributeKind.float: if case .other = value { value = .float(0) }
    case ONNXAttributeKind.integer: if case .other = value { value = .integer(0) }
    case ONNXAttributeKind.text: if case .other = value { value = .text("") }
    default: break
    }
    return (name, value)
  }

  /// A ValueInfoProto: name, and the sizes of a tensor.
  private static func value(_ reader: inout ProtobufReader) throws(Failure) -> Input {
    var name = ""
    var shape: [Int?]?
    var code: UInt64 = 0
    while let field = try reader.next() {
      switch (field.number, field.wire) {
      case (ONNXField.ValueInfo.name, .bytes): name = try reader.text()
      case (ONNXField.ValueInfo.type, .bytes):
        var type = try reader.message()
        guard var tensor = try type.message(in: ONNXField.ValueType.tensor) else { continue }
        var elements = tensor
        while try elements.next(.varint, number: ONNXField.TensorType.elementType) != nil {
          code = try elements.varint()
        }
        guard var dimensions = try tensor.message(in: ONNXField.TensorType.shape) else { continue }
        shape = try sizes(&dimensions)
      default: try reader.skip(field)
      }
    }
    return Input(
      name: name, shape: shape, isWhole: ONNXTypeCode.type(code).map { !$0.isFloatingPoint } ?? false,
      typeCode: Int(exactly: code) ?? 0)
  }

  private static func sizes(_ reader: inout ProtobufReader) throws(Failure) -> [Int?] {
    var shape: [Int?] = []
    while try reader.next(.bytes, number: ONNXField.Shape.dimension) != nil {
      guard shape.count < ONNXTensor.rankLimit else { throw Failure("a value has too many dimensions") }
      var dimension = try reader.message()
      var size: Int?
      while try dimension.next(.varint, number: ONNXField.Dimension.value) != nil {
        size = Int(exactly: try dimension.varint())
      }
      // Zero stands for "any" in some exporters.
      shape.append(size.flatMap { 1...PlainStack.sizeLimit ~= $0 ? $0 : nil })
    }
    return shape
  }

  // MARK: - Constants

  /// Constants in nodes join those of the graph; the names of constants are no inputs.
  private mutating func liftConstants() throws(Failure) {
    var kept: [Node] = []
    for node in nodes {
      if node.operation == "Constant", node.domain.isEmpty, let output = node.outputs.first,
        case .tensor(var tensor)? = node.attributes["value"]
      {
        guard constants.count < Self.countLimit else { throw Failure("it has more than \(Self.countLimit) tensors") }
        tensor.name = output
        constants.append(tensor)
      } else {
        kept.append(node)
      }
    }
    nodes = kept
    var names = Set<String>()
    for name in constants.map(\.name) + unreadable.map(\.name) {
      guard !name.isEmpty else { throw Failure("it has a tensor without a name") }
      guard names.insert(name).inserted else { throw Failure("it has two tensors named \"\(name)\"") }
    }
    inputs.removeAll { names.contains($0.name) }
  }
}
