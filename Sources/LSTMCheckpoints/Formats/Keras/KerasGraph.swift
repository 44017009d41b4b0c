import FileIO

/// A layer of a Keras model with its weights, in the order of computation.
struct KerasLayer: Sendable {
  let className: String
  private(set) var name: String
  /// Its `config`.
  private(set) var config: KerasJSON
  /// Names of its tensors in Keras' order; both directions', all cells'.
  var weights: [String] = []
  /// A concatenation of what the stack reads and of what each of its layers gives.
  var joinsAll = false
  /// Where its class is from, which tells an operation from a layer of the same name.
  private(set) var module = ""

  /// For messages: `layer encoder (LSTM)`.
  var text: String { "layer \(name) (\(className))" }

  /// An operation on tensors rather than a layer.
  var isOperation: Bool {
    module.hasPrefix("keras.src.ops") || module.hasPrefix("keras.ops") || className == "TFOpLambda"
      || className == "SlicingOpLambda" || module.isEmpty && Self.maskOperations.contains(className)
  }

  /// What Keras 3 computes of masks, in HDF5 files, too, which do not say where a class is from.
  private static let maskOperations: Set<String> = [
    "NotEqual", "Any", "LogicalOr", "LogicalAnd", "ExpandDims", "ZerosLike", "OnesLike",
  ]

  /// Called as the wrapper is whose weights it has.
  mutating func rename(_ name: String) { self.name = name }

  /// Of a layer that is wrapped to run on each step, whose axes are one less: the last by its usual number.
  mutating func countAxesFromTheEnd(_ rank: Int) {
    guard case .object(var object) = config, let axis = object["axis"], axis != .null,
      (axis.array ?? [axis]).map(\.integer) == [rank - 1]
    else { return }
    object["axis"] = .number(-1)
    config = .object(object)
  }

  var usesBias: Bool { config["use_bias"]?.bool ?? config["bias"]?.bool ?? true }

  /// The layer that a wrapper wraps, or a cell of an RNN.
  func inner(_ key: String) -> KerasLayer? { config[key].flatMap { KerasLayer(wrapped: $0, in: name) } }

  /// Of an `RNN` layer.
  var cells: [KerasLayer] {
    guard let cell = config["cell"] else { return [] }
    let list = cell.array ?? cell["config"]?["cells"]?.array ?? [cell]
    return list.compactMap { KerasLayer(wrapped: $0, in: name) }
  }

  /// How many tensors it has; nil for a class that is not known.
  /// - Parameter keras1: gates apart.
  func weightCount(keras1: Bool) -> Int? {
    func flag(_ key: String) -> Int { config[key]?.bool ?? true ? 1 : 0 }
    switch className {
    case "LSTM", "LSTMCell", "CuDNNLSTM": return keras1 && className == "LSTM" ? 12 : usesBias ? 3 : 2
    case "GRU": return keras1 ? 9 : usesBias ? 3 : 2
    case "GRUCell", "CuDNNGRU", "SimpleRNN", "SimpleRNNCell", "SeparableConv1D", "SeparableConv2D":
      return usesBias ? 3 : 2
    case "Conv1D", "Conv2D", "Convolution1D", "Convolution2D", "DepthwiseConv1D", "DepthwiseConv2D":
      return usesBias ? 2 : 1
    case "BatchNormalization": return flag("scale") + flag("center") + 2
    case "LayerNormalization", "GroupNormalization": return flag("scale") + flag("center")
    case "MultiHeadAttention": return usesBias ? 8 : 4
    case "AdditiveAttention": return flag("use_scale")
    case "Attention" where config["score_mode"] != nil || config["use_scale"] != nil:
      return (config["use_scale"]?.bool == true ? 1 : 0) + (config["score_mode"]?.string == "concat" ? 1 : 0)
    case "PReLU": return 1
    case "Bidirectional": return inner("layer")?.weightCount(keras1: keras1).map { 2 * $0 }
    case "TimeDistributed": return inner("layer")?.weightCount(keras1: keras1)
    case "RNN":
      return cells.reduce(0 as Int?) { sum, cell in
        sum.flatMap { sum in cell.weightCount(keras1: keras1).map { sum + $0 } }
      }
    case "Dense": return usesBias ? 2 : 1
    case "Embedding": return 1
    case "Normalization": return config["mean"] == nil ? 3 : 0
    case "Rescaling": return 0
    default: return KerasLayerKinds.weightless.contains(className) ? 0 : nil
    }
  }

  /// How many of them no gradient moves; they come last.
  var statisticCount: Int {
    switch className {
    case "BatchNormalization": 2
    case "Normalization": config["mean"] == nil ? 3 : 0
    case "TimeDistributed": inner("layer")?.statisticCount ?? 0
    default: 0
    }
  }
}

extension KerasLayer {
  private init?(wrapped json: KerasJSON, in name: String) {
    guard let className = json["class_name"]?.string else { return nil }
    self.init(className: className, name: json["config"]?["name"]?.string ?? name, config: json["config"] ?? .null)
    module = json["module"]?.string ?? ""
  }

  /// A layer of a model's list.
  /// - Parameter index: its place there, which names one that has no name.
  init?(listed json: KerasJSON, _ index: Int) {
    self.init(wrapped: json, in: "\(index)")
    if let name = json["name"]?.string { self.name = name }
  }
}

/// The layers of a model whose graph is one straight line, models within it laid out.
struct KerasGraph: FileReading {
  let structure: KerasStructure
  let file: String

  func layers() throws(CheckpointError) -> [KerasLayer] {
    guard let model = structure.model else { return [] }
    return try layers(of: model, place)
  }

  /// Where the model's own layers have their weights.
  var place: Place {
    switch structure.weights {
    case .layers(let groups): .groups(Dictionary(groups.map { ($0.name, $0.weights) }) { first, _ in first })
    case .objects(let tree): .tree(tree)
    }
  }

  /// Where the weights of a model's layers are found.
  enum Place {
    case groups([String: [String]])
    /// A model within a model: all its weights in one list.
    case list([String])
    case tree(KerasTree)
  }

  struct Entry {
    var layer: KerasLayer
    let json: KerasJSON
    /// Not nil for a model, and for one that a wrapper runs on each step.
    var inside: Place?

    /// The model that it is, or wraps.
    var model: KerasJSON {
      if layer.className == "TimeDistributed", let inner = json["config"]?["layer"] { return inner }
      return json
    }
  }

  static let modelClasses: Set<String> = ["Sequential", "Functional", "Model"]

  private func layers(of model: KerasJSON, _ place: Place) throws(CheckpointError) -> [KerasLayer] {
    let (entries, config) = try entries(of: model, place)
    let chain = model["class_name"]?.string == "Sequential" ? entries : try line(entries, config)
    var result: [KerasLayer] = []
    for entry in chain {
      if let inside = entry.inside {
        guard entry.layer.className != "TimeDistributed" else {
          throw unsupported("\(entry.layer.text) runs a model on each step")
        }
        result += try layers(of: entry.json, inside)
      } else {
        result.append(entry.layer)
      }
    }
    return result
  }

  /// The layers of a model in the order of its list, with their weights, and its `config`.
  func entries(of model: KerasJSON, _ place: Place) throws(CheckpointError) -> ([Entry], config: KerasJSON) {
    let className = model["class_name"]?.string ?? "?"
    guard Self.modelClasses.contains(className), let config = model["config"] else {
      throw unsupported(
        "the model is of the class \(className), whose layers its configuration does not tell", kerasConfigAdvice)
    }
    guard let list = config["layers"]?.array ?? config.array else {
      throw unknownFormat("its model configuration lists no layers")
    }
    var entries: [Entry] = []
    for json in list {
      guard let layer = KerasLayer(listed: json, entries.count) else {
        throw unknownFormat("layer \(entries.count) of its model configuration has no class")
      }
      entries.append(Entry(layer: layer, json: json))
    }
    try place.give(to: &entries, self)
    return (entries, config)
  }

  /// From the output back to the input, one layer reading one other.
  private func line(_ entries: [Entry], _ config: KerasJSON) throws(CheckpointError) -> [Entry] {
    let byName = Dictionary(entries.map { ($0.layer.name, $0) }) { first, _ in first }
    let outputs = Self.references(config["output_layers"] ?? .null)
    guard outputs.count == 1, let output = outputs.first else {
      throw unsupported("the model has \(outputs.count) outputs; one is read")
    }
    var (result, next, visited): ([Entry], String, Set<String>) = ([], output, [])
    while true {
      guard let entry = byName[next] else {
        throw unknownFormat("its graph names a layer \"\(next)\" that is not there")
      }
      guard visited.insert(next).inserted else { throw unsupported("the graph runs in a circle at \"\(next)\"") }
      result.append(entry)
      let nodes = entry.json["inbound_nodes"]?.array ?? []
      if nodes.isEmpty { break }
      guard nodes.count == 1 else { throw unsupported("\(entry.layer.text) is used \(nodes.count) times") }
      let sources = Self.references(nodes[0])
      if sources.count > 1, joinsAll(entry.layer, sources, byName) {
        result[result.count - 1].layer.joinsAll = true
        next = sources[sources.count - 1]
        continue
      }
      guard sources.count == 1 else {
        throw unsupported(
          "\(entry.layer.text) reads \(sources.count) others (\(nameList(sources))): the graph is not one straight line"
        )
      }
      next = sources[0]
    }
    for entry in entries where !visited.contains(entry.layer.name) {
      if entry.inside != nil || !entry.layer.weights.isEmpty {
        throw unsupported("\(entry.layer.text) is beside the straight line from input to output")
      }
    }
    return result.reversed()
  }

  /// Whether a layer puts side by side what a straight line of LSTMs reads and what each of them gives.
  private func joinsAll(_ layer: KerasLayer, _ sources: [String], _ byName: [String: Entry]) -> Bool {
    let axis = layer.config["axis"]?.integer ?? layer.config["concat_axis"]?.integer ?? -1
    let isConcatenation = layer.className == "Concatenate" || layer.config["mode"]?.string == "concat"
    guard isConcatenation, axis == -1 || axis == 2 else { return false }
    func plain(_ name: String) -> Entry? {
      var name = name
      for _ in 0..<byName.count {
        guard let entry = byName[name], KerasLayerKinds.idle.contains(entry.layer.className) else { break }
        let nodes = entry.json["inbound_nodes"]?.array ?? []
        guard nodes.count == 1, let source = Self.references(nodes[0]).first else { break }
        name = source
      }
      return byName[name]
    }
    var rest = sources[...]
    while let last = rest.popLast(), let entry = plain(last) {
      guard ["LSTM", "CuDNNLSTM", "Bidirectional"].contains(entry.layer.className) else {
        return rest.isEmpty && ["InputLayer", "Embedding"].contains(entry.layer.className)
      }
      let nodes = entry.json["inbound_nodes"]?.array ?? []
      guard nodes.count == 1, let source = Self.references(nodes[0]).first, let below = plain(source),
        let next = rest.last, plain(next)?.layer.name == below.layer.name
      else { return false }
    }
    return false
  }

  /// The layers that a node names: `["a", 0, 0, {}]` in a list or alone, or Keras 3's tensors among `args`.
  private static func references(_ json: KerasJSON) -> [String] {
    switch json {
    case .array(let list):
      if let name = list.first?.string, list.count >= 3, list[1].integer != nil, let tensor = list[2].integer {
        let extra = list.count > 3 ? list[3]["initial_state"].map(references) ?? [] : []
        return [tensor == 0 ? name : "\(name)[\(tensor)]"] + extra
      }
      return list.flatMap(references)
    case .object:
      if let history = json["config"]?["keras_history"] { return references(history) }
      if let arguments = json["args"] {
        return references(arguments) + (json["kwargs"]?["initial_state"].map(references) ?? [])
      }
      return []
    default: return []
    }
  }
}

extension KerasGraph.Place {
  /// Finds each layer's weights.
  fileprivate func give(to entries: inout [KerasGraph.Entry], _ graph: KerasGraph) throws(CheckpointError) {
    switch self {
    case .groups(let groups):
      for index in entries.indices {
        let weights = groups[entries[index].layer.name] ?? []
        if entries[index].isModel {
          entries[index].inside = .list(weights)
        } else {
          entries[index].layer.weights = weights
        }
      }
    case .list(let all):
      // Trainable ones come first, of all layers, then what no gradient moves.
      let isFrozen = { (entry: KerasGraph.Entry) in entry.layer.config["trainable"]?.bool == false }
      let frozen = entries.indices.filter { isFrozen(entries[$0]) || entries[$0].layer.statisticCount > 0 }
      let order = entries.indices.filter { !isFrozen(entries[$0]) }.map { ($0, false) } + frozen.map { ($0, true) }
      var rest = all[...]
      for (index, isLast) in order {
        let layer = entries[index].layer
        guard !entries[index].isModel, let all = layer.weightCount(keras1: graph.structure.version.major == 1) else {
          throw .unsupported(
            file: graph.file, detail: "\(layer.text) lies within a model within a model, or is of an unknown class")
        }
        let own = all - layer.statisticCount
        let count = !isLast ? own : isFrozen(entries[index]) ? all : layer.statisticCount
        guard count <= rest.count else {
          throw .corrupt(tensor: layer.name, detail: "expected \(count) weights, found \(rest.count)")
        }
        entries[index].layer.weights += Array(rest.prefix(count))
        rest = rest.dropFirst(count)
      }
      guard rest.isEmpty else {
        throw .corrupt(tensor: rest.first ?? "", detail: "no layer of the model's configuration has a place for it")
      }
    case .tree(let tree): try give(tree, to: &entries)
    }
  }

  /// Objects have their class's name and a number: the n-th of a class is the n-th in the configuration.
  private func give(_ tree: KerasTree, to entries: inout [KerasGraph.Entry]) throws(CheckpointError) {
    let container = tree.container
    var members: [String: [KerasTree]] = [:]
    var used: [String: Int] = [:]
    for index in entries.indices {
      let layer = entries[index].layer
      let expected = layer.weightCount(keras1: false)
      if expected == 0 { continue }
      let name = kerasSnakeCase(layer.className)
      let all = members[name] ?? container?.members(ofClass: name) ?? []
      members[name] = all
      let place = used[name, default: 0]
      used[name] = place + 1
      guard place < all.count else {
        // An unknown class may have some; the reader of the layer names it.
        if expected == nil, !entries[index].isModel { continue }
        // One of pooling layers alone, say.
        if layer.className == "TimeDistributed", expected == nil {
          entries[index].inside = .list([])
          continue
        }
        throw .corrupt(
          tensor: layer.name, detail: "the configuration has this \(layer.className), the weights have not")
      }
      let node = all[place]
      if let label = node.label, label != layer.name {
        throw .corrupt(
          tensor: layer.name, detail: "the weights in its place are those of a layer called \"\(printable(label))\"")
      }
      if entries[index].isModel {
        entries[index].inside = .tree(layer.className == "TimeDistributed" ? node.children["layer"] ?? node : node)
      } else {
        entries[index].layer.weights = node.inOrder
      }
    }
  }
}

extension KerasGraph.Entry {
  var isModel: Bool {
    KerasGraph.modelClasses.contains(layer.className)
      || layer.className == "TimeDistributed" && KerasGraph.modelClasses.contains(model["class_name"]?.string ?? "")
  }
}

extension KerasTree {
  /// The tensors of a layer in Keras' order: its own, those of what it wraps, of its cell or of each of its cells.
  var inOrder: [String] {
    if !weights.isEmpty { return weights }
    let projections = ["query", "key", "value", "output"].compactMap { name in
      children["\(name)_dense"] ?? children["_\(name)_dense"]
    }
    if projections.count == 4 { return projections.flatMap(\.weights) }
    for key in ["forward_layer", "cell", "layer"] {
      guard let child = children[key], child.hasWeights else { continue }
      return child.inOrder + (key == "forward_layer" ? children["backward_layer"]?.inOrder ?? [] : [])
    }
    let cells = children["cells"]?.children.sorted { isNaturallyBefore($0.key, $1.key) } ?? []
    return cells.flatMap(\.value.inOrder)
  }
}

/// Given where following it is allowed: a configuration may say what the file does not.
let kerasConfigAdvice: Message =
  "describe the model with \(.configuration, "FILE"); its tensors are then matched with that"

/// Of layers that are more than a stack.
let kerasWeightsSayLittle = "a file of weights does not say how its layers are joined"
let kerasWholeAdvice: Message = "describe the whole model with \(.configuration, "FILE")"
