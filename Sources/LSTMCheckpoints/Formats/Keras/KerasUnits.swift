import FileIO

/// A Keras file whose layers are known by the names and shapes of their tensors alone: weights without a model.
struct KerasUnits: FileReading {
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
  private let candidates: [Candidate]
  let file: String
  private let options: LoadOptions
  private var reading: KerasReading
  private var notes: [Message] = []
  private var assumed: [Assumption] = []

  init(
    _ structure: KerasStructure, _ candidates: [Candidate], file: String, options: LoadOptions
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
    try KerasEvidence(structure, file: file, options: options).check()
    try refuseOthers(units)
    let stack = try inOrder(units.filter { $0.kind == .recurrent })
    guard !stack.isEmpty else {
      throw ambiguous("holds no LSTM layer: found \(nameList(reading.tensors.keys.sorted()))")
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
    if options.given == nil {
      try askForActivation(units)
      assume(stack, units)
    }
    reading.leaveOutTheRest(candidates, because: "no part of an LSTM, a dense layer or an embedding")
    reading.translation.layout = reading.layout
    reading.translation.notes += notes
    reading.translation.assumed += assumed
    reading.translation.tellsGates = true
    return reading.translation
  }

  /// The activation between dense layers, with whole models to choose from where these are known.
  private func askForActivation(_ units: [Unit]) throws(CheckpointError) {
    let dense = units.filter { $0.kind == .dense }
    guard dense.count > 1, options.activation == nil else { return }
    let lines = structure.usualLines(candidates, file: file, options: options, isAsked: true)
    guard !lines.isEmpty else { return }
    throw .ambiguous(
      file: file,
      detail:
        "the head has \(dense.count) dense layers (\(nameList(dense.map { $0.directions[0][0] }))) and the tensors do not show which "
        + "activation is between them (\(.activation))", advice: kerasModelAdvice(lines))
  }

  /// What a file of weights cannot tell.
  private mutating func assume(_ stack: [Unit], _ units: [Unit]) {
    let isSigmoid = options.gates == nil || options.gates == .sigmoid
    let isSure = stack.allSatisfy { isCuDNN($0) }
    if !isSure {
      assumed.add(
        isSigmoid
          ? "tanh, sigmoid in the gates, and steps from the first to the last, of \(nameList(stack.map(\.name)))\(because)"
          : "tanh, and steps from the first to the last, of \(nameList(stack.map(\.name)))",
        change: options.gates == nil
          ? "\(.gates, "hard_sigmoid"), or a word such as relu or reversed after its size in \(.model, "LINE")"
          : "a word such as relu or reversed after its size in \(.model, "LINE")")
    }
    if stack.contains(where: { $0.directions.count == 2 }) {
      assumed.add("the outputs of two directions side by side (merge_mode concat)")
    }
    if case .objects = structure.weights, units.contains(where: { $0.kind == .dense }) {
      assumed.add("every dense layer comes after the LSTM")
    }
    let hasMasking = KerasEvidence(structure, file: file, options: options).hasMasking
    if hasMasking || units.contains(where: { $0.kind == .embedding }) {
      assumed.add(
        hasMasking
          ? "no step is masked: the file has a layer for it, but does not say which it hides"
          : "token 0 is one like any other (no mask_zero)",
        change: "a \(.configuration, "FILE") with \"mask\": " + (hasMasking ? "{\"value\": 0}" : "{\"token\": 0}"))
    }
    let lines = structure.usualLines(candidates, file: file, options: options, isAsked: false)
    if !lines.isEmpty { assumed.add(kerasIsNoOther, change: kerasOthers(lines)) }
  }

  private var because: String {
    structure.version.isKnown ? ", the default in Keras \(structure.version.text)" : ", the default since Keras 2.3"
  }

  /// Tensors that compute, of layers that have no counterpart here: without them the numbers are others.
  private func refuseOthers(_ units: [Unit]) throws(CheckpointError) {
    for unit in units {
      let shapes = unit.directions.joined().map { reading.tensors[$0]?.shape ?? [] }
      guard !unit.directions.joined().allSatisfy(KerasStructure.isHarmless),
        let what = Self.computing(unit, shapes)
      else { continue }
      throw unsupported("layer \(unit.name) is \(what), and \(kerasWeightsSayLittle)", kerasWholeAdvice)
    }
    guard case .layers = structure.weights, let first = units.firstIndex(where: { $0.kind == .recurrent }),
      let last = units.lastIndex(where: { $0.kind == .recurrent })
    else { return }
    if let dense = units[..<last].first(where: { $0.kind == .dense }) {
      let place = units[..<first].contains { $0.name == dense.name } ? "before the first LSTM" : "between two LSTMs"
      throw unsupported(
        "layer \(dense.name), a dense layer, comes \(place), and \(kerasWeightsSayLittle)", kerasWholeAdvice)
    }
  }

  /// What tensors of these shapes are, by their shapes and names.
  private static func computing(_ unit: Unit, _ shapes: [[Int]]) -> String? {
    if unit.kind == .recurrent {
      guard shapes.count > 1, shapes[1].count == 2, shapes.count != 12, shapes.count != 24 else { return nil }
      let (hidden, wide) = (shapes[1][0], shapes[1][1])
      if hidden > 0, wide == 3 * hidden { return "a GRU (\(wide) = 3 x \(hidden))" }
      if hidden > 0, wide == hidden { return "a plain RNN, a SimpleRNN (\(hidden) x \(hidden))" }
      return nil
    }
    guard unit.kind == .other else { return nil }
    if let className = KerasLayerKinds.className(ofUsualName: unit.name),
      let what = KerasLayerKinds.computing(className)
    {
      return "one that computes (\(className): \(what))"
    }
    if shapes.allSatisfy({ $0.count == 1 && $0 == shapes[0] }) {
      if shapes.count == 4 || shapes.count == 3 { return "a batch normalization" }
      if shapes.count == 2 { return "a normalization" }
    }
    let isWithin = unit.name.contains("time_distributed")
    if shapes.contains(where: { $0.count == 3 }) {
      return "a convolution \(isWithin ? "within each step" : "over the steps")"
    }
    if shapes.contains(where: { $0.count == 4 }) { return "a convolution over pictures" }
    return nil
  }

  private func isCuDNN(_ unit: Unit) -> Bool {
    let bias = unit.directions[0].count == 3 ? reading.tensors[unit.directions[0][2]]?.shape.first : nil
    let hidden = reading.tensors[unit.directions[0][1]]?.shape.first
    return bias != nil && hidden != nil && (bias ?? 0) / 8 == hidden
  }

  private func isLeftOut(_ name: String) -> Bool {
    options.allowedUnexpected.contains { matches(name, glob: $0) || matches(name.dotted, glob: $0) }
  }

  // MARK: - Gates

  /// A file of weights does not say them: by version, or by the user.
  private func gates(_ unit: Unit) throws(CheckpointError) -> PlainStack.GateActivation {
    if let given = options.gates { return given }
    if options.given != nil { return .sigmoid }
    if isCuDNN(unit) { return .sigmoid }
    let version = structure.version
    guard version.defaultsToSigmoid else {
      throw ambiguous(
        "it holds no model, and Keras \(version.text) gave LSTMs hard_sigmoid gates unless told otherwise: "
          + "the gates of \(unit.text) are not known",
        "say them with \(.gates, "hard_sigmoid") or \(.gates, "sigmoid"), or describe the model with \(.configuration, "FILE")"
      )
    }
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
      // A wrapper of two directions calls them forward_NAME and backward_NAME; cells within count on and on.
      if unit.kind == .recurrent, let last = result.indices.last, result[last].kind == .recurrent,
        result[last].directions.count == 1, Self.areDirections(result[last].name, unit.name)
      {
        result[last].directions += unit.directions
        result[last].sizes = result[last].sizes.map { ($0.input, 2 * $0.output) }
      } else {
        result.append(unit)
      }
    }
    return result
  }

  /// Whether two names part in `forward_` and `backward_` first: those of one wrapper, whatever is within it.
  private static func areDirections(_ forward: String, _ backward: String) -> Bool {
    let (a, b) = (forward.split(separator: "/"), backward.split(separator: "/"))
    for (x, y) in zip(a, b) where x != y { return isDirection(x, "forward") && isDirection(y, "backward") }
    return false
  }

  /// `forward_lstm_3`, `forward`; `lstm_1_forward` of older versions.
  private static func isDirection(_ part: Substring, _ word: String) -> Bool {
    part == word || part.hasPrefix(word + "_") || part.hasSuffix("_" + word)
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
    guard units.count <= PlainStack.depthLimit else { throw ambiguous("holds \(units.count) LSTM layers") }
    let families = Dictionary(grouping: units) { unit in
      unit.name.split(separator: "/").map { KerasTree.stem(String($0)) }.joined(separator: "/")
    }
    var search = Search(queues: families.sorted { $0.key < $1.key }.map(\.value), wanted: wanted(units.count))
    search.run([], width: nil)
    if search.found.count == 1, search.isExhaustive { return search.found[0] }
    let names = nameList(units.map(\.name))
    if !search.found.isEmpty {
      if let order = orderWithHead(units) { return order }
      let lines = structure.usualLines(candidates, file: file, options: options, isAsked: true)
      if !lines.isEmpty {
        throw .ambiguous(
          file: file,
          detail: "does not say in which order its \(units.count) LSTM layers come, and their sizes fit in several: "
            + "\(names)",
          advice: kerasModelAdvice(lines))
      }
    }
    throw ambiguous(
      search.found.isEmpty
        ? "holds \(units.count) LSTM layers that do not make one stack, each reading what the one before gives: \(names)"
        : "does not say in which order its \(units.count) LSTM layers come, and their sizes fit in several: \(names)",
      search.found.isEmpty
        ? "describe the whole model with \(.model, "LINE"), or save it whole as .keras, which says how they are joined"
        : "describe the model with \(.configuration, "FILE"), or save it whole as .keras, which says the order")
  }

  /// The order that the layers around the LSTMs leave, where it is one.
  private func orderWithHead(_ units: [Unit]) -> [Unit]? {
    guard options.given == nil,
      let graph = KerasEvidenceGraph(structure, candidates, file: file, options: options, acceptsPlain: true),
      graph.orders.count == 1
    else { return nil }
    let order = graph.layers.compactMap { layer in
      units.first { unit in layer.weights.contains(unit.directions[0][0]) }
    }
    return order.count == units.count ? order : nil
  }

  /// Widths that a given configuration wants, layer by layer.
  private func wanted(_ count: Int) -> [(input: Int, output: Int)]? {
    guard let given = options.given, given.layers.count == count else { return nil }
    return given.layers.indices.map { (given.inputSize(ofLayer: $0), given.layers[$0].outputSize) }
  }

  private struct Search {
    var queues: [[Unit]]
    let wanted: [(input: Int, output: Int)]?
    var found: [[Unit]] = []
    /// Orders tried: a file may hold many classes of equal layers.
    var steps = 0
    private static let stepLimit = 20_000
    /// Otherwise there may be more than were found.
    var isExhaustive: Bool { steps < Self.stepLimit }

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
