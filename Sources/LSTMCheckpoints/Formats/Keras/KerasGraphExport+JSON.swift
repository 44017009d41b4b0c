/// The model's description and the places of its tensors.
extension KerasGraphExport {
  var version: KerasVersion { KerasVersion(isThree ? "3.0.0" : "2.15.0") }

  /// One line from one input to one output.
  private var isSequential: Bool {
    guard configuration.inputs.count == 1, outputs.count == 1, outputs[0].node == nodes.count - 1,
      outputs[0].output == 0
    else { return false }
    return nodes.enumerated().allSatisfy { index, node in
      if index == 0 { return true }
      return node.module == "keras.layers" && node.states.isEmpty && node.namedReads.isEmpty && node.keywords.isEmpty
        && !node.isList && node.reads.count == 1 && node.reads[0].node == index - 1 && node.reads[0].output == 0
    }
  }

  /// The nodes in the order in which Keras itself lists and numbers the layers of a graph: by their depth below the
  /// outputs, then by the order in which these lead to them.
  var order: [Int] {
    if isSequential { return Array(nodes.indices) }
    func reads(_ node: Int) -> [Int] {
      (nodes[node].reads + nodes[node].states + nodes[node].namedReads.sorted { $0.key < $1.key }.map(\.value)).map(
        \.node)
    }
    var seen: [Int: Int] = [:]
    var finished: [Int] = []
    var isDone = Set<Int>()
    for output in outputs {
      // Depth first, without recursion: what is still to be visited of each node on the way.
      var stack: [(node: Int, rest: ArraySlice<Int>)] = []
      func enter(_ node: Int) {
        if isDone.contains(node) { return }
        if seen[node] == nil { seen[node] = seen.count }
        stack.append((node, reads(node)[...]))
      }
      enter(output.node)
      while let top = stack.indices.last {
        if let next = stack[top].rest.popFirst() {
          enter(next)
        } else {
          let node = stack.removeLast().node
          if isDone.insert(node).inserted { finished.append(node) }
        }
      }
    }
    // An input that no output needs is one all the same.
    for node in nodes.indices where nodes[node].className == "InputLayer" && isDone.insert(node).inserted {
      seen[node] = seen.count
      finished.append(node)
    }
    var depths: [Int: Int] = [:]
    for node in finished.reversed() {
      let depth = depths[node] ?? 0
      depths[node] = depth
      for read in reads(node) { depths[read] = max(depth + 1, depths[read] ?? 0) }
    }
    return finished.sorted { (-(depths[$0] ?? 0), seen[$0] ?? 0) < (-(depths[$1] ?? 0), seen[$1] ?? 0) }
  }

  /// - Parameter withModules: as Keras 3 writes it.
  func json(withModules: Bool) -> KerasJSON {
    func wrapped(_ className: String, _ module: String, _ config: KerasJSON) -> KerasJSON {
      withModules
        ? ["module": .string(module), "class_name": .string(className), "config": config, "registered_name": nil]
        : ["class_name": .string(className), "config": config]
    }
    let order = order
    if isSequential {
      let layers = order.map { wrapped(nodes[$0].className, nodes[$0].module, .object(nodes[$0].config)) }
      return wrapped("Sequential", "keras", ["name": "sequential", "layers": .array(layers)])
    }
    let layers = order.map { number -> KerasJSON in
      let node = nodes[number]
      var json: [String: KerasJSON] = [:]
      if case .object(let object) = wrapped(node.className, node.module, .object(node.config)) { json = object }
      if node.module != "keras.layers" { json["registered_name"] = .string(node.className) }
      json["name"] = .string(node.name)
      // Keras 3 does not find what the older form names.
      let isOld = !withModules && (!isThree || node.namedReads.isEmpty && node.states.isEmpty)
      json["inbound_nodes"] = .array(node.reads.isEmpty ? [] : [isOld ? oldCall(node) : call(node)])
      return .object(json)
    }
    func places(_ values: [Value]) -> KerasJSON {
      .array(values.map { [.string(nodes[$0.node].name), 0, .number(Double($0.output))] })
    }
    let inputs = nodes.indices.filter { nodes[$0].className == "InputLayer" }
      .map { Value(node: $0, axes: [], shape: []) }
    return wrapped(
      "Functional", "keras.src.models.functional",
      [
        "name": "functional", "trainable": true, "layers": .array(layers), "input_layers": places(inputs),
        "output_layers": places(outputs),
      ])
  }

  private func tensor(_ value: Value) -> KerasJSON {
    let node = nodes[value.node]
    let shape = [KerasJSON.null] + value.shape.map { $0.map { .number(Double($0)) } ?? .null }
    return [
      "class_name": "__keras_tensor__",
      "config": [
        "shape": .array(shape), "dtype": node.className == "InputLayer" ? node.config["dtype"] ?? "float32" : "float32",
        "keras_history": [.string(node.name), 0, .number(Double(value.output))],
      ],
    ]
  }

  /// As Keras 3 has it.
  private func call(_ node: Node) -> KerasJSON {
    var arguments = node.reads.map(tensor)
    if node.isList { arguments = [.array(arguments)] }
    for key in ["value", "key"] { if let value = node.namedReads[key] { arguments.append(tensor(value)) } }
    if let index = node.index { arguments.append(index) }
    var keywords = node.keywords
    if !node.states.isEmpty { keywords["initial_state"] = .array(node.states.map(tensor)) }
    return ["args": .array(arguments), "kwargs": .object(keywords)]
  }

  /// As Keras 2 has it.
  private func oldCall(_ node: Node) -> KerasJSON {
    func place(_ value: Value) -> [KerasJSON] { [.string(nodes[value.node].name), 0, .number(Double(value.output))] }
    var keywords = node.keywords
    for (key, value) in node.namedReads { keywords[key] = .array(place(value)) }
    if let index = node.index { keywords["slice_spec"] = index }
    let list = (node.reads + node.states).map { value -> KerasJSON in
      // Keras takes those of the last.
      .array(place(value) + [.object(keywords)])
    }
    // An operation is given its value itself, not a list of one, which TensorFlow would stack.
    return node.index != nil || node.className == "TFOpLambda" ? list[0] : .array(list)
  }

  // MARK: - Tensors

  /// Every tensor at its place in the file.
  var weights: [KerasExport.Weight] {
    let order = order
    var objects: [Int: String] = [:]
    var counts: [String: Int] = [:]
    for number in order {
      let stem = kerasSnakeCase(nodes[number].className)
      let count = counts[stem, default: 0]
      counts[stem] = count + 1
      objects[number] = count == 0 ? stem : "\(stem)_\(count)"
    }
    let rank = Dictionary(order.enumerated().map { ($1, $0) }) { first, _ in first }
    // Keras has no place for a layer that no output needs; the model that the weights came from may.
    let placed = parts.filter { rank[$0.node] != nil || own($0) != nil }
    let inOrder = placed.enumerated().sorted {
      (rank[$0.element.node] ?? 0, $0.offset) < (rank[$1.element.node] ?? 0, $1.offset)
    }
    var taken = Set<String>()
    return inOrder.compactMap { _, part -> KerasExport.Weight? in
      let name = nodes[part.node].name
      let path: [String]
      if let own = own(part) {
        // A layer that the source used twice has its weights once.
        guard taken.insert(own).inserted else { return nil }
        path = [own]
      } else if target == .legacy, nodes[part.node].className == "Normalization", keepsBareNames {
        path = ["model_weights", name, (part.legacy.last ?? "") + ":0"]
      } else if target == .legacy {
        path =
          ["model_weights", name, name] + part.legacy.dropLast() + [(part.legacy.last ?? "") + (isThree ? "" : ":0")]
      } else {
        path = ["layers", objects[part.node] ?? name] + part.object
      }
      return KerasExport.Weight(
        path: path.joined(separator: "/"), tensor: part.tensor, source: part.source.joined(separator: " + "))
    }
  }

  /// Where the source's own weights had a tensor, for a file of weights that goes back to its model.
  /// Keras 2 keeps the statistics of a Normalization without the name of their layer.
  private var keepsBareNames: Bool {
    guard let mapping = model.provenance?.mapping else { return true }
    return !isThree && mapping.values.contains { $0.hasSuffix(":0") }
  }

  private func own(_ part: Part) -> String? {
    guard target == .weights, let provenance = model.provenance, let first = part.source.first,
      [Checkpoint.Format.kerasWeights, .kerasArchive].map(\.rawValue).contains(provenance.format),
      let place = provenance.mapping[configuration.parameterName(of: first)],
      place.hasPrefix("layers/") || place.contains("/vars/"), !place.contains(" + ")
    else { return nil }
    return place
  }
}
