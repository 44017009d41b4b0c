import FileIO

/// A graph of layers as Keras' layers: `Sequential` where it is one line, functional where it branches.
///
/// Layers of a Keras source keep their names, so that `load_weights` finds them.
struct KerasGraphExport {
  /// What a layer of Keras gives, by its axes there.
  struct Value {
    var node: Int
    /// Which of its outputs.
    var output = 0
    var axes: [KerasValue.Axis]
    /// The sizes of the axes; nil where free.
    var shape: [Int?]
    var isReversed = false
  }

  /// A layer of Keras, called once.
  struct Node {
    var className: String
    var name: String
    var config: [String: KerasJSON]
    var module = "keras.layers"
    var reads: [Value] = []
    /// Whether it is given what it reads as one list.
    var isList = false
    /// What it is called with beside its values: states, indices, flags.
    var states: [Value] = []
    var keywords: [String: KerasJSON] = [:]
    var index: KerasJSON?
    /// A second place of what it reads, which Keras 2 wants by name.
    var namedReads: [String: Value] = [:]
  }

  /// A tensor of a layer: within the layer's own group or object.
  struct Part {
    var node: Int
    /// Of the older format: `lstm_cell/kernel`.
    var legacy: [String]
    /// Of Keras 3's: `cell/vars/0`.
    var object: [String]
    var tensor: StoredTensor
    /// The project's names of what it holds.
    var source: [String]
  }

  let model: StoredModel
  let file: String
  let options: WriteOptions
  let target: KerasExport.Target
  let isThree: Bool
  var configuration: ModelConfiguration { model.configuration }
  private(set) var nodes: [Node] = []
  private(set) var parts: [Part] = []
  var values: [String: Value] = [:]
  /// First halves of separable convolutions, by the second.
  var depthwise: [String: (layer: Layer, kind: Layer.Convolution, read: Value)] = [:]
  /// The nodes of recurrent layers.
  var states: [String: Int] = [:]
  private var tensors: [String: StoredTensor] = [:]
  private var taken = Set<String>()
  private(set) var outputs: [Value] = []
  /// The source's layers by what they are here.
  private let source: [String: Provenance.SourceLayer]
  /// Images whose second axis is time.
  let timeIsSecond: Bool
  /// Attentions with their projections, by the last layer of each.
  private(set) var heads: [String: Heads] = [:]
  /// Who reads each value.
  let readers: [String: [Layer]]

  /// Whether statistics are weights even where no source had them so.
  let adaptsNormalizations: Bool

  /// - Parameter adaptsNormalizations: whether statistics are weights even where no source had them so.
  /// - Throws: `CheckpointError.refused` naming the layer that Keras has not.
  init(
    _ model: StoredModel, to file: String, options: WriteOptions, _ target: KerasExport.Target,
    adaptsNormalizations: Bool = false
  ) throws {
    self.adaptsNormalizations = adaptsNormalizations
    (self.model, self.file, self.options, self.target) = (model, file, options, target)
    let layers = model.provenance?.layers ?? []
    source = Dictionary(layers.compactMap { layer in layer.part.map { ($0, layer) } }) { first, _ in first }
    timeIsSecond = layers.contains { $0.kind == "InputLayer" && $0.values?["time_axis"] == 2 }
    taken = Set(layers.map(\.name))
    isThree = target != .legacy || Self.needsThree(model.configuration)
    var readers: [String: [Layer]] = [:]
    for (index, layer) in model.configuration.layers.enumerated() {
      for place in model.configuration.sources[index] {
        readers[model.configuration.name(ofValue: place), default: []].append(layer)
      }
    }
    self.readers = readers
    let source = source
    heads = Self.heads(in: model.configuration, readers) { source[$0.name]?.kind == "MultiHeadAttention" }
    tensors = Dictionary(model.tensors.map { ($0.name, $0) }) { first, _ in first }
    for group in configuration.validTies {
      for name in group.dropFirst() { tensors[name] = tensors[group[0]] }
    }
    try checkLayout()
    try checkMask()
    let inputs = layers.filter { $0.kind == "InputLayer" }
    for (index, input) in configuration.inputs.enumerated() {
      addInput(input, named: inputs.count == configuration.inputs.count ? inputs[index].name : nil, index)
    }
    for (index, layer) in configuration.layers.enumerated() { try add(layer, index) }
    let last = configuration.layers.last?.name ?? configuration.inputs[0].name
    for name in configuration.outputs.isEmpty ? [last] : configuration.outputs {
      outputs.append(try inTime(try value(of: name), "output"))
    }
    // Keras 3 knows operations in its own archive alone.
    if target == .legacy, isThree, let operation = nodes.first(where: { $0.module != "keras.layers" }) {
      throw refused(
        "\(operation.className) in an HDF5 file of Keras 3, which the model's activations need",
        "write \(.format, "keras")")
    }
  }

  // MARK: - For each kind of layer

  func refused(_ what: Message, _ advice: Message...) -> CheckpointError {
    .refused(file: file, detail: "Keras' own layers have no \(what)", advice: advice)
  }

  func refused(_ layer: Layer, _ what: Message, _ advice: Message...) -> CheckpointError {
    .refused(file: file, detail: "layer \(layer.name) has \(what), which Keras' layers have not", advice: advice)
  }

  func value(of name: String) throws(CheckpointError) -> Value {
    guard let value = values[name] else {
      throw .refused(file: file, detail: "\(name) gives what Keras' layers do not give", advice: [])
    }
    return value
  }

  /// A parameter in the type asked for.
  func tensor(_ layer: Layer, _ part: String, isReverse: Bool = false) throws(CheckpointError) -> StoredTensor {
    let name = layer.parameterName(part, isReverse: isReverse)
    guard let tensor = tensors[name] else { throw .cannotWrite(file: file, detail: "the model has no \(name)") }
    return options.dataType.map { tensor.converted(to: $0) } ?? tensor
  }

  /// The layer of the source that a layer was, where the source was Keras.
  func sourceLayer(_ part: String) -> Provenance.SourceLayer? { source[part] }

  /// The source's name for a layer, its own, or the usual one of its class where it has the project's.
  mutating func name(for layer: Layer, _ className: String) -> String {
    // Keras 3 calls what it makes of masks like a layer of this class.
    if className == "Concatenate", configuration.mask != nil, isThree { return fresh("joined") }
    if let known = source[layer.name], !known.name.contains("/") { return known.name }
    let isOurs = Layer.number(of: layer.name) != nil || layer.name.hasPrefix("head.") || layer.name.contains(".")
    return fresh(isOurs ? kerasSnakeCase(className) : layer.name)
  }

  mutating func fresh(_ stem: String) -> String {
    let stem = String(stem.map { ($0.isASCII && ($0.isLetter || $0.isNumber)) || $0 == "_" || $0 == "-" ? $0 : "_" })
    var (name, number) = (stem, 0)
    while !taken.insert(name).inserted {
      number += 1
      name = "\(stem)_\(number)"
    }
    return name
  }

  /// Adds a layer of Keras; its number.
  mutating func add(
    _ className: String, _ name: String, _ config: [String: KerasJSON], reading reads: [Value], isList: Bool = false
  ) -> Int {
    var config = config
    config["name"] = .string(name)
    if config["dtype"] == nil { config["dtype"] = "float32" }
    nodes.append(Node(className: className, name: name, config: config, reads: reads, isList: isList))
    return nodes.count - 1
  }

  /// Steps from the first to the last.
  mutating func inTime(_ value: Value, _ reader: String) throws(CheckpointError) -> Value {
    guard value.isReversed else { return value }
    guard value.axes == KerasValue.steps else {
      throw refused("place for steps that come from the last to the first, which \(reader) reads")
    }
    var turned = value
    turned.node = addOperation("Flip", "reverse", ["axis": isThree ? 1 : [1]], reading: value)
    (turned.output, turned.isReversed) = (0, false)
    return turned
  }

  /// A function of one value: Keras 3's by its class, TensorFlow's by its name.
  mutating func addOperation(
    _ className: String, _ function: String, _ settings: [String: KerasJSON], reading value: Value
  ) -> Int {
    let three = isThree
    let name = fresh(three ? kerasSnakeCase(className) : "tf.\(function)")
    let node = add(three ? className : "TFOpLambda", name, [:], reading: [value])
    change(node) { node in
      node.module = three ? "keras.src.ops.numpy" : "tf_keras.src.layers.core.tf_op_layer"
      if three {
        node.config = settings
        node.config["name"] = .string(name)
      } else {
        node.config["function"] = .string(function)
        node.keywords = settings
      }
    }
    return node
  }

  mutating func change(_ node: Int, _ body: (inout Node) -> Void) { body(&nodes[node]) }

  /// Adds a tensor of a layer.
  mutating func put(
    _ tensor: StoredTensor, _ node: Int, _ role: String, _ number: Int,
    under: (legacy: [String], object: [String]) = ([], []),
    source: [String]
  ) {
    parts.append(
      .init(
        node: node, legacy: under.legacy + [role], object: under.object + ["vars", "\(number)"], tensor: tensor,
        source: source))
    nodes[node].config["dtype"] = tensor.dataType == .float64 ? "float64" : "float32"
  }

  // MARK: - What the whole must be

  private func checkLayout() throws(CheckpointError) {
    let layout = options.layout
    guard layout == nil || layout == .keras else {
      throw .invalid(.layout, "\(layout?.rawValue ?? "")", "a graph of layers is written in Keras' own: keras")
    }
    guard target == .legacy else { return }
    // h5py has no such type, and gives Keras bytes without meaning.
    for parameter in configuration.parameters {
      guard (options.dataType ?? tensors[parameter.name]?.dataType) == .bfloat16 else { continue }
      throw .refused(
        file: file, detail: "Keras' HDF5 cannot be loaded with bfloat16, the type of \(parameter.name)",
        advice: ["write it with \(.dataType, "float32")"])
    }
  }

  /// What Keras 2 has not.
  private static func needsThree(_ configuration: ModelConfiguration) -> Bool {
    let only: Set<Activation> = [.hardSigmoidKeras3, .hardTanh, .hardSwish]
    return configuration.layers.contains { layer in
      switch layer.kind {
      case let kind as Layer.Recurrent: !only.isDisjoint(with: [kind.gateActivation, kind.activation])
      case let kind as Layer.Dense: only.contains(kind.activation)
      case let kind as Layer.Convolution: only.contains(kind.activation)
      case let kind as Layer.ActivationLayer: only.contains(kind.activation)
      case let kind as Layer.Attention: only.contains(kind.scoreActivation)
      default: false
      }
    }
  }
}
