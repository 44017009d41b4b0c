import FileIO

extension ONNXModel {
  /// A function of the model's own: nodes that a node of its name stands for.
  struct Function: Sendable {
    var name = ""
    var domain = ""
    var inputs: [String] = []
    var outputs: [String] = []
    var nodes: [Node] = []
    /// Of attributes that a caller does not give.
    var defaults: [String: Attribute] = [:]
    /// The version of ONNX's own operators; 0 where it uses none.
    var opset = 0
  }

  /// Calls within calls.
  private static let callLimit = 16

  static func function(_ reader: inout ProtobufReader) throws(Failure) -> Function {
    var function = Function()
    while let field = try reader.next(.bytes) {
      guard function.nodes.count + function.inputs.count + function.outputs.count < countLimit else {
        throw Failure("function \"\(function.name)\" has more than \(countLimit) nodes")
      }
      switch field {
      case ONNXField.Function.name: function.name = try reader.text()
      case ONNXField.Function.domain: function.domain = try reader.text()
      case ONNXField.Function.input: function.inputs.append(try reader.text())
      case ONNXField.Function.output: function.outputs.append(try reader.text())
      case ONNXField.Function.node:
        var message = try reader.message()
        function.nodes.append(try node(&message, 0))
      case ONNXField.Function.defaults:
        var message = try reader.message()
        let (name, value) = try attribute(&message, 0)
        function.defaults[name] = value
      case ONNXField.Function.opsetImport:
        var message = try reader.message()
        let (domain, version) = try operatorSet(&message)
        if domain.isEmpty || domain == "ai.onnx" { function.opset = version }
      default: _ = try reader.range()
      }
    }
    return function
  }

  /// Puts a function's nodes where it is called.
  mutating func writeOutFunctions() throws(Failure) {
    guard !functions.isEmpty else { return }
    var known: [String: Function] = [:]
    for function in functions {
      // What means another thing in another version is left as it is, and is not understood.
      guard function.opset == 0 || Self.means(function.opset) == Self.means(opset) else { continue }
      guard known.updateValue(function, forKey: "\(function.domain).\(function.name)") == nil else {
        throw Failure("it has two functions \"\(function.name)\"")
      }
    }
    functions = []
    var count = 0
    nodes = try Self.writtenOut(nodes, known, 0, &count)
  }

  /// Versions in which the operators that are read here mean the same.
  private static func means(_ opset: Int) -> Int { opset < 11 ? opset : opset < 13 ? 11 : opset < 18 ? 13 : 18 }

  private static func writtenOut(
    _ nodes: [Node], _ known: [String: Function], _ depth: Int, _ count: inout Int
  ) throws(Failure) -> [Node] {
    var made: [Node] = []
    for node in nodes {
      var node = node
      for (name, value) in node.attributes {
        guard case .graph(let branch) = value else { continue }
        node.attributes[name] = .graph(
          Subgraph(
            nodes: try writtenOut(branch.nodes, known, depth, &count), constants: branch.constants,
            outputs: branch.outputs, inputs: branch.inputs))
      }
      guard let function = known["\(node.domain).\(node.operation)"] else {
        made.append(node)
        continue
      }
      guard depth < callLimit else { throw Failure("its functions call each other more than \(callLimit) deep") }
      count += 1
      let body = function.called(by: node, "\(function.name) \(count): ")
      made += try writtenOut(body, known, depth + 1, &count)
      guard made.count < countLimit, count < countLimit else {
        throw Failure("it has more than \(countLimit) nodes with its functions written out")
      }
    }
    return made
  }
}

extension ONNXModel.Function {
  /// Its nodes with a caller's values and attributes.
  /// - Parameter prefix: of names that are its own.
  fileprivate func called(by caller: ONNXModel.Node, _ prefix: String) -> [ONNXModel.Node] {
    var names: [String: String] = [:]
    for (index, name) in inputs.enumerated() {
      names[name] = caller.inputs.indices.contains(index) ? caller.inputs[index] : ""
    }
    var given: [ONNXModel.Node] = []
    for (name, output) in zip(outputs, caller.outputs) where !output.isEmpty {
      // What it gives as it was given, or twice.
      if names[name] != nil {
        var same = ONNXModel.Node()
        (same.operation, same.inputs, same.outputs) = ("Identity", [name], [output])
        given.append(same)
      } else {
        names[name] = output
      }
    }
    let attributes = defaults.merging(caller.attributes) { $1 }
    let own = names
    func renamed(_ name: String) -> String { name.isEmpty ? "" : own[name] ?? prefix + name }
    func renamed(_ node: ONNXModel.Node) -> ONNXModel.Node {
      var node = node
      node.inputs = node.inputs.map(renamed)
      node.outputs = node.outputs.map(renamed)
      for (name, value) in node.attributes {
        switch value {
        case .reference(let from): node.attributes[name] = attributes[from]
        case .graph(let branch):
          node.attributes[name] = .graph(
            ONNXModel.Subgraph(
              nodes: branch.nodes.map(renamed),
              constants: branch.constants.map { tensor in
                var tensor = tensor
                tensor.name = renamed(tensor.name)
                return tensor
              }, outputs: branch.outputs.map(renamed), inputs: branch.inputs.map(renamed)))
        default: break
        }
      }
      return node
    }
    return nodes.map { renamed($0) }
      + given.map { node in
        var node = node
        node.inputs = node.inputs.map(renamed)
        return node
      }
  }
}
