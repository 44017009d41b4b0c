import FileIO

/// The text of an `nn.Module` that is being put together: what its `__init__` makes, and what its `forward` computes.
struct PyTorchSource {
  /// A layer that is being written.
  struct Use {
    let index: Int
    let layer: Layer
    /// What it reads, as Python's names.
    let inputs: [String]
    let values: [LayerValue]
    let output: LayerValue
    /// The name that its value gets.
    let target: String

    var input: String { inputs[0] }
    var value: LayerValue { values[0] }
  }

  let file: String
  let configuration: ModelConfiguration
  /// The project's name of a parameter -> its name and shape in the state_dict.
  let tensors: [String: NamedTensor]
  var tree = PyTorchTree()
  private(set) var forward: [String] = []
  /// Functions that are called, by name.
  private(set) var helpers: Set<String> = []
  /// Final states of recurrent layers that others start from: layer -> Python's names.
  var states: [String: [String]] = [:]
  /// Of the value of each input and layer, as Python's names.
  private let variables: [String]

  init(_ configuration: ModelConfiguration, _ tensors: [String: NamedTensor], file: String) {
    (self.configuration, self.tensors, self.file) = (configuration, tensors, file)
    variables = Self.variables(configuration)
  }

  // MARK: - Variables

  /// `x` for what the next layer alone reads, else the layer's own name.
  private static func variables(_ configuration: ModelConfiguration) -> [String] {
    var readers = [[Int]](repeating: [], count: configuration.values.count)
    for (index, sources) in configuration.sources.enumerated() {
      for source in sources { readers[source].append(index + configuration.inputs.count) }
    }
    let several = configuration.inputs.count > 1
    var taken: Set<String> = [
      "x", "self", "torch", "nn", "F", "state", "scores", "query", "later", "inside", "before", "after", "backward",
    ]
    let kept = Set(configuration.outputs)
    return configuration.values.indices.map { place in
      let name = configuration.name(ofValue: place)
      let isChained = readers[place].allSatisfy { $0 == place + 1 } && !kept.contains(name)
      if isChained, !(several && place < configuration.inputs.count) { return "x" }
      var variable = pythonName(name)
      while !taken.insert(variable).inserted { variable += "_" }
      return variable
    }
  }

  var arguments: [String] { Array(variables.prefix(configuration.inputs.count)) }

  func use(_ index: Int) -> Use {
    let offset = configuration.inputs.count
    return Use(
      index: index, layer: configuration.layers[index], inputs: configuration.sources[index].map { variables[$0] },
      values: configuration.inputs(ofLayer: index), output: configuration.values[offset + index],
      target: variables[offset + index])
  }

  var result: String {
    let names = configuration.outputs.compactMap { name -> String? in
      configuration.index(of: name).map { variables[configuration.inputs.count + $0] }
    }
    return names.isEmpty ? variables.last ?? "x" : names.joined(separator: ", ")
  }

  // MARK: - Statements

  /// Puts a statement into `forward`.
  mutating func say(_ text: String) { forward.append(text) }

  /// Puts a call into `forward`, its arguments in lines of a bearable width.
  mutating func say(_ start: String, arguments: [String]) {
    var lines = [start + "("]
    var line = "    "
    for (index, argument) in arguments.enumerated() {
      let text = argument + (index + 1 < arguments.count ? "," : ")")
      if line.utf8.count > 4, line.utf8.count + text.utf8.count > 100 {
        lines.append(line)
        line = "    "
      }
      line += (line.utf8.count > 4 ? " " : "") + text
    }
    forward += lines + [line]
  }

  /// Has a function of `PyTorchHelpers` stand above the class.
  mutating func need(_ helper: String) { helpers.insert(helper) }

  // MARK: - Modules and parameters

  func refused(_ use: Use, _ detail: String) -> CheckpointError {
    .refused(file: file, detail: "layer \(use.layer.name) \(detail)")
  }

  /// The name and shape of a layer's parameter in the state_dict.
  func tensor(_ use: Use, _ parameter: String, isReverse: Bool = false) throws(CheckpointError) -> NamedTensor {
    let place = use.layer.parameterName(parameter, isReverse: isReverse)
    guard let found = tensors[place] else { throw refused(use, "has no \(place)") }
    return found
  }

  /// Makes the module whose `weight` and so on a layer's parameters are, when they are called so.
  /// - Parameter names: the layer's parameters, and what the module calls them.
  /// - Returns: how the module is called in Python; nil when the parameters lie elsewhere.
  mutating func module(
    _ use: Use, _ text: String, _ names: KeyValuePairs<String, String>, beside: [String] = []
  ) throws(CheckpointError) -> String? {
    var path: String?
    for (parameter, leaf) in names {
      let name = try tensor(use, parameter).name
      guard name == leaf || name.hasSuffix("." + leaf) else { return nil }
      let module = String(name.dropLast(leaf.count + 1))
      guard path == nil || path == module, !module.isEmpty else { return nil }
      path = module
    }
    guard let path else { return nil }
    tree.add(module: path, text, names: names.map(\.value) + beside)
    return tree.expression(path)
  }

  /// A parameter by itself, by its name in the state_dict.
  mutating func parameter(
    _ use: Use, _ parameter: String, isReverse: Bool = false, isBuffer: Bool = false
  ) throws(CheckpointError) -> String {
    let found = try tensor(use, parameter, isReverse: isReverse)
    return self.parameter(found, isBuffer: isBuffer)
  }

  mutating func parameter(_ found: NamedTensor, isBuffer: Bool = false) -> String {
    tree.add(parameter: found.name, shape: found.tensor.shape, isBuffer: isBuffer)
    return tree.expression(parameter: found.name)
  }

  mutating func alias(_ name: String, of other: String) { tree.add(alias: name, of: other) }
}

/// A name that Python takes.
func pythonName(_ name: String) -> String {
  var text = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
  if text.first?.isNumber ?? true { text = "_" + text }
  return pythonKeywords.contains(text) ? text + "_" : text
}

func isPythonName(_ name: String) -> Bool { !name.isEmpty && pythonName(name) == name }

private let pythonKeywords: Set<String> = [
  "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else", "except",
  "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise",
  "return", "try", "while", "with", "yield", "None", "True", "False",
]

/// A tuple of numbers: `(2, 3)`, `(2,)`.
func pythonTuple(_ values: [Int]) -> String {
  values.count == 1 ? "(\(values[0]),)" : "(" + values.map(String.init).joined(separator: ", ") + ")"
}

/// One number, or a tuple of several.
func pythonNumbers(_ values: [Int]) -> String { values.count == 1 ? "\(values[0])" : pythonTuple(values) }
