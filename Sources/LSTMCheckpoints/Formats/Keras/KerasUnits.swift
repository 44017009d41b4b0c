/// A Keras file whose layers are known by the names and shapes of their tensors alone: weights without a model.
struct KerasUnits {
  /// One LSTM layer, dense layer or embedding.
  fileprivate struct Unit {
    enum Kind { case recurrent, dense, embedding, attention, other }

    var kind: Kind
    let name: String
    /// Of each direction.
    var directions: [[String]]
    /// I and D * H of a recurrent unit.
    var sizes: (input: Int, output: Int)?
  }

  private let structure: KerasStructure
  private let candidates: [Translation.Candidate]
  private let file: String
  private let options: LoadOptions
  private var reading: KerasReading
  private var notes: [String] = []

  init(
    _ structure: KerasStructure, _ candidates: [Translation.Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) {
    self.structure = structure
    self.candidates = candidates
    self.file = file
    self.options = options
    reading = KerasReading(structure, candidates, file: file)
  }

  func translation() throws(CheckpointError) -> Translation {
    var copy = self
    return try copy.translate()
  }

  private mutating func translate() throws(CheckpointError) -> Translation {
    let units = try found().filter { unit in unit.directions.joined().contains { !isLeftOut($0) } }
    let stack = try inOrder(units.filter { $0.kind == .recurrent })
    guard !stack.isEmpty else {
      throw .ambiguous(
        file: file, detail: "holds no LSTM layer: found " + nameList(reading.tensors.keys.sorted()), advice: [])
    }
    for unit in stack {
      let gates = try gates(unit)
      _ = try reading.addLayer(unit.directions, of: unit.text, gates: gates)
    }
    for unit in units {
      switch unit.kind {
      case .embedding: _ = try reading.addEmbedding(unit.directions[0], of: unit.text)
      case .attention: try reading.addAttention(unit.directions[0][0])
      case .dense: _ = try reading.addDense(unit.directions[0], of: unit.text)
      case .recurrent, .other: break
      }
    }
    if options.configuration == nil, units.contains(where: { $0.kind == .dense }) {
      notes.append(
        "a file of weights does not say the last dense layer's activation: it is taken to have none; "
          + "--config decides otherwise")
    }
    reading.leaveOutTheRest(candidates, because: "no part of an LSTM, a dense layer or an embedding")
    reading.translation.layout = reading.layout
    reading.translation.notes += notes
    return reading.translation
  }

  private func isLeftOut(_ name: String) -> Bool {
    options.allowedUnexpected.contains { matches(name, glob: $0) || matches(name.replacing("/", with: "."), glob: $0) }
  }

  // MARK: - Gates

  /// A file of weights does not say them: by version, or by the user.
  private mutating func gates(_ unit: Unit) throws(CheckpointError) -> ModelConfiguration.GateActivation {
    if let given = options.gates { return given }
    if options.configuration != nil { return .sigmoid }
    let bias = unit.directions[0].count == 3 ? reading.tensors[unit.directions[0][2]]?.shape.first : nil
    let hidden = reading.tensors[unit.directions[0][1]]?.shape.first
    if let bias, let hidden, bias / 8 == hidden { return .sigmoid }
    let version = structure.version
    guard version.defaultsToSigmoid else {
      throw .ambiguous(
        file: file,
        detail: "it holds no model, and Keras \(version.text) gave LSTMs hard_sigmoid gates unless told otherwise: "
          + "the gates of \(unit.text) are not known",
        advice: ["say them with --gates hard_sigmoid or --gates sigmoid, or describe the model with --config FILE"])
    }
    let reason =
      version.isKnown ? "the default in Keras \(version.text)" : "the default since Keras 2.3"
    let note = "a file of weights does not say the LSTMs' gates: taken as sigmoid, \(reason); --gates decides otherwise"
    if !notes.contains(note) { notes.append(note) }
    return .sigmoid
  }

  // MARK: - Finding

  private func found() throws(CheckpointError) -> [Unit] {
    switch structure.weights {
    case .layers(let groups):
      return groups.flatMap { group in units(of: group.weights.filter { reading.tensors[$0] != nil }) }
    case .objects(let tree):
      var list: [Unit] = []
      collect(tree, "", &list)
      return list
    }
  }

  /// A name without Keras 1's or Keras 2's endings: the layer, and the tensor's role in it.
  private static func parts(_ name: String) -> (module: String, role: String) {
    let path = name.split(separator: "/", omittingEmptySubsequences: false)
    let folder = path.dropLast().joined(separator: "/")
    var leaf = String(path.last ?? "")
    if let colon = leaf.lastIndex(of: ":") { leaf = String(leaf[..<colon]) }
    let words = leaf.split(separator: "_", omittingEmptySubsequences: false)
    // `lstm_1_W_i` and `dense_1_W`, as Keras 1 has them.
    for count in [2, 1] where words.count > count {
      let role = words.suffix(count)
      let isGate = count == 1 || ["i", "c", "f", "o"].contains(role.last ?? "")
      if isGate, ["W", "U", "b"].contains(role.first ?? "") {
        return (folder + "/" + words.dropLast(count).joined(separator: "_"), role.joined(separator: "_"))
      }
    }
    return (folder, leaf)
  }

  /// The layers among the weights of one group, which may be a model's within the model.
  private func units(of names: [String]) -> [Unit] {
    var runs: [(module: String, names: [String], roles: [String])] = []
    for name in names {
      let (module, role) = Self.parts(name)
      if let last = runs.indices.last, runs[last].module == module {
        runs[last].names.append(name)
        runs[last].roles.append(role)
      } else {
        runs.append((module, [name], [role]))
      }
    }
    var result: [Unit] = []
    for run in runs {
      let unit = unit(run.module, run.names, Set(run.roles))
      // A wrapper of two directions calls them forward_NAME and backward_NAME.
      if unit.kind == .recurrent, let last = result.indices.last, result[last].kind == .recurrent,
        result[last].directions.count == 1, unit.name == Self.backward(result[last].name)
      {
        result[last].directions += unit.directions
        result[last].sizes = result[last].sizes.map { ($0.input, 2 * $0.output) }
      } else {
        result.append(unit)
      }
    }
    return result
  }

  private static func backward(_ name: String) -> String? {
    var parts = name.split(separator: "/").map(String.init)
    guard let index = parts.lastIndex(where: { $0.hasPrefix("forward_") }) else { return nil }
    parts[index] = "backward_" + parts[index].dropFirst(8)
    return parts.joined(separator: "/")
  }

  private func unit(_ module: String, _ names: [String], _ roles: Set<String>) -> Unit {
    let name = module.split(separator: "/").joined(separator: "/")
    let shape = reading.tensors[names[0]]?.shape ?? []
    let says = name.lowercased()
    let kind: Unit.Kind
    if roles.contains("recurrent_kernel") || roles.contains("U") || roles.contains("U_i") {
      kind = .recurrent
    } else if roles == ["embeddings"] || roles == ["W"] && says.contains("embed") {
      kind = .embedding
    } else if names.count == 1, shape.count == 2, shape[1] == 1, roles == ["W"], says.contains("att") {
      kind = .attention
    } else if shape.count == 2, roles.isSubset(of: ["kernel", "bias"]) || roles.isSubset(of: ["W", "b"]) {
      kind = .dense
    } else {
      kind = .other
    }
    return recurrent(Unit(kind: kind, name: name, directions: [names]))
  }

  /// Depth first, by the objects' names.
  private func collect(_ tree: KerasTree, _ path: String, _ list: inout [Unit]) {
    let top = path.split(separator: "/").first ?? ""
    if ["optimizer", "metrics", "_metrics"].contains(top) { return }
    if let forward = tree.children["forward_layer"], let backward = tree.children["backward_layer"] {
      list.append(recurrent(Unit(kind: .recurrent, name: path, directions: [forward.inOrder, backward.inOrder])))
      return
    }
    if !tree.weights.isEmpty, tree.weights.allSatisfy({ reading.tensors[$0] != nil }) {
      let shapes = tree.weights.map { reading.tensors[$0]?.shape ?? [] }
      let says = (path + " " + (tree.label ?? "")).lowercased()
      let kind: Unit.Kind =
        switch shapes.map(\.count) {
        case [2, 2], [2, 2, 1]: .recurrent
        case [2, 1]: .dense
        case [2] where shapes[0][1] == 1 && says.contains("att"): .attention
        case [2] where says.contains("emb"): .embedding
        case [2]: .dense
        default: .other
        }
      list.append(recurrent(Unit(kind: kind, name: path, directions: [tree.weights])))
    }
    for (name, child) in tree.children.sorted(by: { isNaturallyBefore($0.key, $1.key) }) {
      collect(child, path.isEmpty ? name : path + "/" + name, &list)
    }
  }

  private func recurrent(_ unit: Unit) -> Unit {
    guard unit.kind == .recurrent, let first = unit.directions.first, first.count >= 2 else { return unit }
    var unit = unit
    let (kernel, other) = (reading.tensors[first[0]]?.shape ?? [], reading.tensors[first[1]]?.shape ?? [])
    if kernel.count == 2, other.count == 2 {
      let hidden = first.count == 12 ? other[1] : other[0]
      let (output, overflow) = hidden.multipliedReportingOverflow(by: unit.directions.count)
      unit.sizes = overflow ? nil : (kernel[0], output)
    }
    return unit
  }

  // MARK: - Order

  /// A file by layers is in order. One by objects has only numbers within a class (`lstm`, `lstm_1`); between classes
  /// the sizes must decide: each layer reads what the one before gives.
  private func inOrder(_ units: [Unit]) throws(CheckpointError) -> [Unit] {
    guard case .objects = structure.weights, units.count > 1 else { return units }
    guard units.count <= ModelConfiguration.depthLimit else {
      throw .ambiguous(file: file, detail: "holds \(units.count) LSTM layers", advice: [])
    }
    var families: [String: [Unit]] = [:]
    for unit in units {
      let stem = unit.name.split(separator: "/").map { KerasTree.stem(String($0)) }.joined(separator: "/")
      families[stem, default: []].append(unit)
    }
    var search = Search(queues: families.sorted { $0.key < $1.key }.map(\.value), wanted: wanted(units.count))
    search.run([], width: nil)
    if search.found.count == 1, search.isExhaustive { return search.found[0] }
    let names = nameList(units.map(\.name))
    throw .ambiguous(
      file: file,
      detail: search.found.isEmpty
        ? "holds \(units.count) LSTM layers that do not make one stack, each reading what the one before gives: \(names)"
        : "does not say in which order its \(units.count) LSTM layers come, and their sizes fit in several: \(names)",
      advice: [
        search.found.isEmpty
          ? "leave those of another part out with --allow unexpected='GLOB'"
          : "describe the model with --config FILE, or save it whole as .keras, which says the order"
      ])
  }

  /// Widths that a given configuration wants, layer by layer.
  private func wanted(_ count: Int) -> [(input: Int, output: Int)]? {
    guard let given = options.configuration, given.layers.count == count else { return nil }
    return given.layers.indices.map { (given.inputSize(ofLayer: $0), given.layers[$0].outputSize) }
  }

  private struct Search {
    var queues: [[Unit]]
    let wanted: [(input: Int, output: Int)]?
    var found: [[Unit]] = []
    /// Orders tried: a file may hold many classes of equal layers.
    private var steps = 0
    private static let stepLimit = 20_000
    /// Otherwise there may be more than were found.
    var isExhaustive: Bool { steps < Self.stepLimit }

    init(queues: [[Unit]], wanted: [(input: Int, output: Int)]?) {
      self.queues = queues
      self.wanted = wanted
    }

    mutating func run(_ chosen: [Unit], width: Int?) {
      steps += 1
      guard found.count < 2, isExhaustive else { return }
      guard queues.contains(where: { !$0.isEmpty }) else {
        found.append(chosen)
        return
      }
      for index in queues.indices {
        guard let next = queues[index].first, let sizes = next.sizes, width == nil || width == sizes.input else {
          continue
        }
        if let wanted, wanted[chosen.count] != sizes { continue }
        queues[index].removeFirst()
        run(chosen + [next], width: sizes.output)
        queues[index].insert(next, at: 0)
      }
    }
  }
}

extension KerasUnits.Unit {
  fileprivate var text: String { "layer \"\(name)\"" }
}
