import FileIO

/// Which module of a file each layer of a graph has its parameters from: by shapes first, then by what names say, then by
/// order.
struct GraphPlaces: FileReading {
  /// Parameters that lie in one module of a file: a layer's, or a part of them.
  private struct Unit {
    let layer: Layer
    /// The name in the module -> the place.
    var places: [(part: String, place: ParameterSpecification)]
    /// Whether it has another name than its kind gives.
    let isNamed: Bool
    /// What modules of this unit are called, when they say it.
    var wanted: TensorKind?

    var shapes: [String: [Int]] { Dictionary(places.map { ($0.part, $0.place.shape) }) { first, _ in first } }
    var name: String { layer.name }
  }

  let file: String
  /// The project's name -> the tensor.
  private(set) var mapping: [String: Candidate] = [:]
  private(set) var notes: [Message] = []
  private(set) var assumed: [Assumption] = []
  private(set) var expectedNames: [String: String] = [:]
  private var units: [Unit] = []
  private var states: [(layer: Layer, places: [ParameterSpecification])] = []
  private let kinds: TensorKinds
  private let keepsOrder: Bool

  init(_ graph: ModelConfiguration, taken: Set<String>, kinds: TensorKinds, file: String, keepsOrder: Bool) {
    (self.file, self.kinds, self.keepsOrder) = (file, kinds, keepsOrder)
    let usual = ModelConfiguration.defaultNames(of: graph.layers.map(\.kind))
    for (index, layer) in graph.layers.enumerated() {
      let isNamed = layer.name != usual[index]
      let places = graph.parameters(ofLayer: index).filter { !taken.contains($0.name) }
      guard !places.isEmpty else { continue }
      func part(_ place: ParameterSpecification) -> String {
        if case .cell(let part) = place.part { return part.rawValue + (place.role.isReverse ? "_reverse" : "") }
        return place.name.dropping(module: layer.name) ?? place.name
      }
      func isState(_ place: ParameterSpecification) -> Bool {
        place.part == .cell(.initialHidden) || place.part == .cell(.initialCell)
      }
      let initial = places.filter(isState)
      if !initial.isEmpty { states.append((layer, initial)) }
      let own = places.filter { !isState($0) }
      if layer.kind is Layer.Attention {
        let scores = own.filter { part($0).hasPrefix("score") }
        let weights = own.filter { !part($0).hasPrefix("score") }
        if !weights.isEmpty {
          units.append(
            Unit(layer: layer, places: weights.map { (part($0), $0) }, isNamed: isNamed, wanted: .attention))
        }
        if !scores.isEmpty {
          let parts = scores.map { (part($0) == "score" ? "weight" : "bias", $0) }
          units.append(Unit(layer: layer, places: parts, isNamed: isNamed, wanted: .attention))
        }
      } else if !own.isEmpty {
        var unit = Unit(layer: layer, places: own.map { (part($0), $0) }, isNamed: isNamed)
        if layer.kind is Layer.Embedding { unit.wanted = .embedding }
        units.append(unit)
      }
    }
  }

  /// - Returns: the modules that no layer has.
  /// - Throws: `CheckpointError.ambiguous` when modules of the same shapes are more than the layers that could have them,
  ///   or nothing tells their order.
  mutating func assign(_ modules: [TensorModule]) throws(CheckpointError) -> [TensorModule] {
    var rest = modules
    takeStates(&rest)
    var open = units
    // What is called like a layer is that layer's.
    for unit in open {
      if let index = only(rest.indices.filter { isNamed(unit, rest[$0]) }) { take(unit, &rest, index, &open) }
    }
    for (_, alike) in open.grouped(by: \.shapes) {
      guard open.contains(where: { $0.shapes == alike[0].shapes }) else { continue }
      for wanted in [TensorKind.attention, .embedding] {
        let own = alike.filter { $0.wanted == wanted }
        let found = rest.indices.filter { fits(alike[0], rest[$0]) && says(rest[$0], wanted) }
        if !own.isEmpty, own.count == found.count { try match(own, found, &rest, &open) }
      }
      let left = open.filter { $0.shapes == alike[0].shapes }
      let found = rest.indices.filter { fits(alike[0], rest[$0]) }
      if !left.isEmpty, !found.isEmpty { try match(left, found, &rest, &open) }
    }
    pairWhatDiffers(&rest, &open)
    for unit in open { expect(unit) }
    return rest
  }

  private func only(_ indices: [Int]) -> Int? { indices.count == 1 ? indices[0] : nil }

  private func says(_ module: TensorModule, _ wanted: TensorKind) -> Bool {
    module.parts.values.contains { kinds.kind(of: $0) == wanted }
  }

  private func isNamed(_ unit: Unit, _ module: TensorModule) -> Bool {
    fits(unit, module) && (module.path == unit.name || module.path.moduleAndLeaf.leaf == unit.name)
      && (unit.isNamed || !unit.name.contains(where: \.isNumber))
  }

  private func fits(_ unit: Unit, _ module: TensorModule) -> Bool {
    let (wanted, found) = (unit.shapes, module.shapes)
    if wanted == found { return true }
    // A convolution with a window of one step is a dense layer.
    if unit.layer.kind is Layer.Dense, let weight = wanted["weight"], let own = found["weight"],
      own.count > weight.count,
      Array(own.prefix(weight.count)) == weight, own.dropFirst(weight.count).allSatisfy({ $0 == 1 })
    {
      return wanted == found.merging(["weight": weight]) { $1 }
    }
    if unit.layer.kind is Layer.DotAttention, let scale = wanted["scale"], let weight = found["weight"] {
      let others = found.filter { $0.key != "weight" } == wanted.filter { $0.key != "scale" }
      return others && scale.count == 1 && weight.max() == scale[0] && elementCount(weight) == scale[0]
    }
    // A vector by itself is a matrix of one row, or of one column.
    guard wanted.count == 1, let weight = wanted["weight"], module.content == .lone || found.count == 1,
      unit.layer.kind is Layer.Attention, let own = found["weight"], weight.count == 2, weight[0] == 1
    else { return false }
    return own == [weight[1]] || own == [weight[1], 1] || own == [1, 1, weight[1]] || own == [1, weight[1]]
  }

  /// Layers and modules of the same shapes.
  private mutating func match(
    _ alike: [Unit], _ found: [Int], _ rest: inout [TensorModule], _ open: inout [Unit]
  ) throws(CheckpointError) {
    var order = found
    let names = found.map { rest[$0].path }
    let shape = alike[0].places.map { "\($0.part) \(shapeText($0.place.shape))" }.joined(separator: ", ")
    guard alike.count == found.count else {
      // One module may serve twice only where the graph says so, by a tie.
      guard found.count > alike.count else { return try matchFewer(alike, found, &rest, &open) }
      let list = nameList(found.map { rest[$0].name })
      throw ambiguous(
        "\(found.count) modules have the shapes of \(nameList(alike.map(\.name))) (\(shape)): \(list)",
        "name the one that it is: \(.rules, example(alike[0], rest[found[0]]))",
        "or give the model a layer for each")
    }
    if found.count > 1 {
      let isNumbered = Set(names.map { $0.filter { !$0.isNumber } }).count == 1
      let natural = found.sorted { rest[$0].precedes(rest[$1]) }
      order = isNumbered ? natural : found
      if !isNumbered, !keepsOrder, Set(names).count > 1 {
        throw ambiguous(
          "\(nameList(alike.map(\.name))) have the same shapes (\(shape)), and nothing tells which of "
            + "\(nameList(found.map { rest[$0].name })) each of them is",
          "say it with \(.rules, example(alike[0], rest[found[0]]))")
      }
      let pairs = zip(alike, order).map { "\($0.name) is \(rest[$1].name)" }.joined(separator: ", ")
      let reason = isNumbered ? "by their numbers" : "in the order of the file"
      if Set(names).count > 1 {
        assumed.add(
          "\(pairs): of equal shapes, taken \(reason)",
          change: "\(.rules, example(alike[0], rest[order[order.count - 1]]))")
      }
    }
    for (unit, index) in zip(alike, order) { place(unit, rest[index]) }
    let gone = Set(alike.map(\.name))
    open.removeAll { gone.contains($0.name) && $0.shapes == alike[0].shapes }
    for index in order.sorted(by: >) { rest.remove(at: index) }
  }

  private mutating func matchFewer(
    _ alike: [Unit], _ found: [Int], _ rest: inout [TensorModule], _ open: inout [Unit]
  ) throws(CheckpointError) {
    let first = Array(alike.prefix(found.count))
    try match(first, found, &rest, &open)
  }

  /// `^fc2[.]=head.0.`
  private func example(_ unit: Unit, _ module: TensorModule) -> String {
    let target = unit.places[0].place.name
    let stem = target.moduleAndLeaf.module
    guard unit.layer.kind is Layer.Recurrent else { return "^\(module.path)[.]=\(stem)." }
    return "^\(module.path)[.](.*)_l\(module.layer)=\(stem).$1_l\(Layer.number(of: unit.name) ?? 0)"
  }

  private mutating func take(_ unit: Unit, _ rest: inout [TensorModule], _ index: Int, _ open: inout [Unit]) {
    place(unit, rest[index])
    rest.remove(at: index)
    open.removeAll { $0.name == unit.name && $0.shapes == unit.shapes }
  }

  private mutating func place(_ unit: Unit, _ module: TensorModule) {
    for (part, place) in unit.places {
      guard var candidate = module.parts[part] ?? (part == "scale" ? module.parts["weight"] : nil) else { continue }
      if candidate.shape != place.shape, candidate.tensor.elementCount == place.elementCount {
        candidate = Candidate(
          name: candidate.name, tensor: candidate.tensor.reshaped(place.shape),
          how: "read as \(shapeText(place.shape))")
      }
      mapping[place.name] = candidate
    }
  }

  /// What is left of layers and modules, each of its kind in order: their shapes differ, which is reported.
  private mutating func pairWhatDiffers(_ rest: inout [TensorModule], _ open: inout [Unit]) {
    for unit in open {
      let names = Set(unit.places.map(\.part))
      let isCell = unit.layer.kind is Layer.Recurrent
      let index = rest.firstIndex { module in
        isCell
          ? module.parts.keys.contains { $0.hasPrefix("weight_hh") }
          : Set(module.parts.keys) == names && module.shapes["weight"]?.count == unit.shapes["weight"]?.count
      }
      guard let index else { continue }
      let module = rest.remove(at: index)
      for (part, place) in unit.places { if let candidate = module.parts[part] { mapping[place.name] = candidate } }
      for (part, candidate) in module.parts where !names.contains(part) {
        rest.insert(TensorModule(candidate, position: module.position), at: min(index, rest.count))
      }
      expect(unit, in: module)
      open.removeAll { $0.name == unit.name && $0.shapes == unit.shapes }
    }
  }

  private mutating func expect(_ unit: Unit, in module: TensorModule? = nil) {
    guard let module, unit.layer.kind is Layer.Recurrent else { return }
    for (_, place) in unit.places where mapping[place.name] == nil {
      guard case .cell(let part) = place.part else { continue }
      expectedNames[place.name] = PyTorchName.text(
        module: module.path, kind: part, layer: module.layer, isReverse: place.role.isReverse)
    }
  }

  // MARK: - Initial states

  /// `h0` and `c0`, (L * D, 1, H), cut into those of each layer and direction; or `layer0_h0` of each layer.
  private mutating func takeStates(_ rest: inout [TensorModule]) {
    for part in [RecurrentPart.initialHidden, .initialCell] {
      let all = states.flatMap(\.places).filter { $0.part == .cell(part) }
      if take(all, of: nil, part, &rest) { continue }
      for (layer, places) in states { _ = take(places.filter { $0.part == .cell(part) }, of: layer.name, part, &rest) }
    }
  }

  private mutating func take(
    _ places: [ParameterSpecification], of layer: String?, _ part: RecurrentPart, _ rest: inout [TensorModule]
  ) -> Bool {
    guard let width = places.first?.shape.last, places.allSatisfy({ $0.shape == [width] }) else { return false }
    let indices = rest.indices.filter { index in
      guard let candidate = rest[index].parts["weight"], rest[index].parts.count == 1 else { return false }
      return TensorModule.state(candidate, of: layer) == part && candidate.shape.last == width
        && candidate.tensor.elementCount == places.count * width
    }
    guard let index = only(indices), let candidate = rest[index].parts["weight"] else { return false }
    rest.remove(at: index)
    let rows = candidate.tensor.reshaped([places.count, width])
    for (row, place) in places.enumerated() {
      let isWhole = places.count == 1
      mapping[place.name] = Candidate(
        name: candidate.name, tensor: rows.element(row),
        how: candidate.shape == [width] ? nil : isWhole ? "read as a vector" : "row \(row) of it")
    }
    return true
  }
}

extension TensorModule {
  /// A tensor that goes with no other.
  init(_ candidate: Candidate, position: Int) {
    self.init(path: candidate.name, position: position)
    parts["weight"] = candidate
  }

  /// Which initial state a tensor calls itself.
  /// - Parameter layer: whose name it begins with.
  static func state(_ candidate: Candidate, of layer: String? = nil) -> RecurrentPart? {
    var name = candidate.name.moduleAndLeaf.leaf
    if let layer {
      guard name.hasPrefix(layer + "_") else { return nil }
      name.removeFirst(layer.count + 1)
    }
    let leaf = name.lowercased().filter { $0 != "_" }
    if ["h0", "hinit", "inith", "inithidden", "hiddeninit", "initialhidden", "learnedh0", "initialh"].contains(leaf) {
      return .initialHidden
    }
    if ["c0", "cinit", "initc", "initcell", "cellinit", "initialcell", "learnedc0", "initialc"].contains(leaf) {
      return .initialCell
    }
    return nil
  }
}
