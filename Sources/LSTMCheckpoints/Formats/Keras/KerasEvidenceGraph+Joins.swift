import FileIO

/// The description that Keras would have of layers that are joined to more than a line.
extension KerasEvidenceGraph {
  func joined(_ order: [KerasFoundLayer], _ choices: Choices) -> KerasJSON {
    let ranks = KerasFoundRanks(order, givesAll: options.readout == .all || choices.givesAll)
    var readers: [String: [KerasFoundLayer]] = [:]
    for layer in order {
      for call in layer.calls ?? [] { for source in call { readers[source.layer, default: []].append(layer) } }
    }
    let ends = order.filter { readers[$0.name] == nil }
    // With several outputs, one number is a forecast beside classes.
    func last(_ layer: KerasFoundLayer) -> Activation {
      ends.count > 1 && choices.last == .softmax && ranks.width(layer.name) == 1 ? .none : choices.last
    }
    var layers: [KerasJSON] = []
    for layer in order {
      var config: [String: KerasJSON]
      let all = readers[layer.name] ?? []
      if layer.className == "InputLayer" {
        config = [
          "name": .string(layer.name),
          "batch_shape": ranks.shape(ofInput: layer, all, choices.hasSteps ? Self.unknownCount : nil),
        ]
      } else {
        var choices = choices
        choices.last = last(layer)
        let next = nextComputing(layer, readers)
        let isStates =
          !all.isEmpty
          && all.allSatisfy { $0.calls?.contains { $0.contains { $0.layer == layer.name && $0.tensor > 0 } } ?? false }
        var place = Place(isLast: all.isEmpty, givesSteps: !isStates && ranks.givesSteps(layer.name))
        place.isInner = layer.isDense && !(next?.isFunction ?? all.isEmpty)
        if layer.className == "Bidirectional", let reads = next?.reads, reads * 2 == layer.gives {
          place.mode = choices.merge == "concat" ? "sum" : choices.merge
        }
        config = self.config(of: layer, at: place, choices)
        if isStates { config["return_state"] = true }
        // The scores of an attention that is written out: one number a step, whose softmax weighs the steps.
        if layer.isDense, layer.gives == 1, next?.className == "Flatten" { config["activation"] = "tanh" }
        if layer.className == "Activation", next?.className == "RepeatVector" { config["activation"] = "softmax" }
        if layer.className == "RepeatVector", let count = ranks.repeats(layer, readers) {
          config["n"] = .number(Double(count))
        }
      }
      let calls: [KerasJSON] = (layer.calls ?? []).filter { !$0.isEmpty }.map { call in
        .array(call.map { [.string($0.layer), .number(Double($0.node)), .number(Double($0.tensor)), .object([:])] })
      }
      layers.append([
        "class_name": .string(layer.className), "config": .object(config), "name": .string(layer.name),
        "inbound_nodes": .array(calls),
      ])
    }
    func references(_ list: [KerasFoundLayer]) -> KerasJSON { .array(list.map { [.string($0.name), 0, 0] }) }
    return [
      "class_name": "Functional",
      "config": [
        "layers": .array(layers), "input_layers": references(order.filter { $0.className == "InputLayer" }),
        "output_layers": references(ends),
      ],
    ]
  }

  /// The first layer above that is no normalization and changes something.
  private func nextComputing(_ layer: KerasFoundLayer, _ readers: [String: [KerasFoundLayer]]) -> KerasFoundLayer? {
    var next = readers[layer.name]?.first
    while let found = next, found.isNormalization || KerasLayerKinds.idle.contains(found.className) {
      next = readers[found.name]?.first
    }
    return next
  }
}

/// Which layers of a graph give steps and how wide they are, by what reads them.
struct KerasFoundRanks {
  /// Whether nothing reads steps that another layer gives none of.
  private(set) var isConsistent = true
  private var places: [String: Int] = [:]
  private var roots: [Int]
  private var isSteps: [Bool?]
  private var widths: [String: Int] = [:]
  private var counts: [String: Int] = [:]

  init(_ layers: [KerasFoundLayer], givesAll: Bool) {
    for (index, layer) in layers.enumerated() { places[layer.name] = index }
    roots = Array(layers.indices)
    isSteps = layers.map { _ in nil }
    findWidths(layers)
    for (index, layer) in layers.enumerated() {
      let sources = (layer.calls ?? []).joined().filter { $0.tensor == 0 }.compactMap { places[$0.layer] }
      func read(_ steps: Bool) { for source in sources { set(source, steps) } }
      switch layer.className {
      case "InputLayer": break
      case "Embedding", "TimeDistributed": set(index, true)
      case "Flatten":
        let reads = flattened(layer, layers)
        if let reads {
          read(reads.steps > 1)
        } else if layer.calls?.first?.first.map({ widths[$0.layer] }) == 1 {
          read(true)
        }
        set(index, false)
      case "RepeatVector":
        read(false)
        set(index, true)
      case _ where layer.isGlobalPooling:
        read(true)
        set(index, false)
      case _ where layer.isRecurrent:
        read(true)
        if layer.calls?.joined().contains(where: { $0.tensor > 0 }) ?? false { set(index, true) }
      case _ where layer.isStepwise:
        read(true)
        set(index, true)
      default: for source in sources { join(source, index) }
      }
      if layer.className == "TimeDistributed" { read(true) }
    }
    if givesAll {
      for (index, layer) in layers.enumerated().reversed() where layer.isRecurrent && isSteps[root(index)] == nil {
        set(index, true)
        break
      }
    }
    findCounts(layers)
  }

  func givesSteps(_ name: String) -> Bool { places[name].flatMap { isSteps[root($0)] } ?? false }
  func width(_ name: String) -> Int? { widths[name] }

  /// - Parameter usual: the number of steps where nothing tells it.
  func shape(ofInput input: KerasFoundLayer, _ readers: [KerasFoundLayer], _ usual: Int?) -> KerasJSON {
    let steps: KerasJSON = (counts[input.name] ?? usual).map { .number(Double($0)) } ?? .null
    if readers.contains(where: { $0.className == "Embedding" }) { return [.null, steps] }
    let width: KerasJSON = widths[input.name].map { .number(Double($0)) } ?? .null
    return givesSteps(input.name) ? [.null, steps, width] : [.null, width]
  }

  /// How often a layer repeats: its values turned are as wide as what they weigh.
  func repeats(_ layer: KerasFoundLayer, _ readers: [String: [KerasFoundLayer]]) -> Int? {
    guard let turned = readers[layer.name]?.first, turned.className == "Permute",
      let merge = readers[turned.name]?.first, merge.isMerge
    else { return nil }
    return widths[merge.name]
  }

  private func root(_ index: Int) -> Int {
    var index = index
    while roots[index] != index { index = roots[index] }
    return index
  }

  private mutating func set(_ index: Int, _ steps: Bool) {
    let root = root(index)
    if isSteps[root] == !steps { isConsistent = false }
    isSteps[root] = steps
  }

  private mutating func join(_ first: Int, _ second: Int) {
    let (first, second) = (root(first), root(second))
    if first == second { return }
    if let one = isSteps[first], let other = isSteps[second], one != other { isConsistent = false }
    isSteps[first] = isSteps[first] ?? isSteps[second]
    roots[second] = first
  }

  private mutating func findWidths(_ layers: [KerasFoundLayer]) {
    for layer in layers {
      let sources = (layer.calls?.first ?? []).filter { $0.tensor == 0 }.map(\.layer)
      if let reads = layer.reads, sources.count == 1, widths[sources[0]] == nil { widths[sources[0]] = reads }
      let known = sources.compactMap { widths[$0] }
      if layer.isMerge {
        for source in sources where widths[source] == nil && layer.className != "Concatenate" {
          widths[source] = known.max()
        }
        widths[layer.name] = layer.className == "Concatenate" ? known.reduce(0, +) : known.max()
      } else {
        widths[layer.name] = layer.gives ?? layer.reads ?? known.first
      }
    }
    // What a concatenation leaves for an input that nothing else reads.
    for layer in layers where layer.className == "Concatenate" {
      let sources = (layer.calls?.first ?? []).map(\.layer)
      let open = sources.filter { widths[$0] == nil }
      let reads = layers.first { $0.calls?.joined().contains { $0.layer == layer.name } ?? false }?.reads
      if open.count == 1, let reads {
        let rest = reads - sources.compactMap { widths[$0] }.reduce(0, +)
        if rest > 0 { widths[open[0]] = rest }
      }
    }
  }

  /// Steps that are laid side by side, by the dense layer that reads them.
  private func flattened(_ layer: KerasFoundLayer, _ layers: [KerasFoundLayer]) -> (source: String, steps: Int)? {
    guard let source = layer.calls?.first?.first?.layer, let width = widths[source], width > 0 else { return nil }
    var name = layer.name
    while let next = layers.first(where: { $0.calls?.joined().contains { $0.layer == name } ?? false }) {
      if let reads = next.reads { return reads % width == 0 ? (source, reads / width) : nil }
      if next.isMerge { return nil }
      name = next.name
    }
    return nil
  }

  /// Numbers of steps from those that are flattened back to the inputs, as far as each layer keeps them.
  private mutating func findCounts(_ layers: [KerasFoundLayer]) {
    let byName = Dictionary(layers.map { ($0.name, $0) }) { first, _ in first }
    for flatten in layers where flatten.className == "Flatten" {
      let known = flattened(flatten, layers)
      // A single token, as of a place or a person.
      let below = flatten.calls?.first?.first?.layer ?? ""
      let isToken = known == nil && byName[below]?.className == "Embedding"
      guard isToken || known?.steps ?? 1 > 1 else { continue }
      let steps = isToken ? 1 : known?.steps ?? 1
      var waiting = [known?.source ?? below]
      while let name = waiting.popLast() {
        guard counts[name] == nil, let layer = byName[name], !layer.isPooling, !layer.isConvolution else { continue }
        counts[name] = steps
        if layer.className != "RepeatVector" { waiting += (layer.calls ?? []).joined().map(\.layer) }
      }
    }
  }
}
