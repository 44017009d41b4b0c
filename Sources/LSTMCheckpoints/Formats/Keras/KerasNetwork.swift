import FileIO

/// A tensor of a Keras graph: which output of which use of a layer.
struct KerasReference: Hashable, Sendable {
  let layer: String
  let node: Int
  let tensor: Int
}

/// What a layer is called with.
indirect enum KerasArgument: Sendable {
  case tensor(KerasReference)
  case list([KerasArgument])
  case constant(KerasJSON)

  /// The tensors in it, in order.
  var references: [KerasReference] {
    switch self {
    case .tensor(let reference): [reference]
    case .list(let list): list.flatMap(\.references)
    case .constant: []
    }
  }

  func mapped(_ change: (KerasReference) -> KerasReference) -> KerasArgument {
    switch self {
    case .tensor(let reference): .tensor(change(reference))
    case .list(let list): .list(list.map { $0.mapped(change) })
    case .constant: self
    }
  }

  var constant: KerasJSON? { if case .constant(let json) = self { json } else { nil } }

  /// - Parameter json: Keras 3's `__keras_tensor__` or Keras 2's `["lstm", 0, 0]`, in lists or alone, or anything else.
  init(_ json: KerasJSON) {
    if let reference = KerasReference(json) {
      self = .tensor(reference)
    } else if case .array(let list) = json {
      let all = list.map(KerasArgument.init)
      self = all.contains { !$0.references.isEmpty } ? .list(all) : .constant(json)
    } else {
      self = .constant(json)
    }
  }
}

extension KerasReference {
  init?(_ json: KerasJSON) {
    if let history = json["config"]?["keras_history"] {
      self.init(history)
      return
    }
    guard let list = json.array, 3...4 ~= list.count, let layer = list[0].string, let node = list[1].integer,
      let tensor = list[2].integer, node >= 0, tensor >= 0
    else { return nil }
    self.init(layer: layer, node: node, tensor: tensor)
  }

  /// `["a", 0, 0]`, a list of these, or, by the names of outputs, an object of them.
  static func all(in json: KerasJSON?) -> [KerasReference] {
    switch json {
    case .array(let list):
      if let one = KerasReference(.array(list)) { return [one] }
      return list.flatMap { all(in: $0) }
    case .object(let object): return object.sorted { $0.key < $1.key }.flatMap { all(in: $0.value) }
    default: return []
    }
  }
}

/// A Keras model as a graph of calls of its layers; models within it are graphs of their own.
struct KerasNetwork: Sendable {
  /// One use of a layer.
  struct Call: Sendable {
    var arguments: [KerasArgument] = []
    var keywords: [String: KerasArgument] = [:]

    /// Every tensor that it needs.
    var references: [KerasReference] {
      arguments.flatMap(\.references) + keywords.sorted { $0.key < $1.key }.flatMap(\.value.references)
    }
  }

  struct Member: Sendable {
    let layer: KerasLayer
    let calls: [Call]
    /// The model that it is; nothing for a layer.
    let inside: [KerasNetwork]
  }

  private(set) var members: [Member] = []
  private(set) var inputs: [KerasReference] = []
  private(set) var outputs: [KerasReference] = []
  /// The shape that the model was built for, where only the model itself says it.
  private(set) var builtShape: KerasJSON?

  /// - Throws: `CheckpointError` when the configuration lists no layers, or names some that are not there.
  init(_ model: KerasJSON, _ place: KerasGraph.Place, _ graph: KerasGraph) throws(CheckpointError) {
    let (entries, config) = try graph.entries(of: model, place)
    guard entries.count <= ModelConfiguration.depthLimit else {
      throw graph.unsupported("the model has \(entries.count) layers")
    }
    let isSequential = model["class_name"]?.string == "Sequential"
    builtShape = model["build_input_shape"] ?? config["build_input_shape"]
    var previous: KerasReference?
    for entry in entries {
      let inside = try entry.inside.map { place throws(CheckpointError) in [try KerasNetwork(entry.model, place, graph)]
      }
      var calls: [Call] = []
      if isSequential {
        // The first layer is an input, or reads one that nothing names.
        let isInput = entry.layer.className == "InputLayer"
        calls = isInput ? [Call()] : [Call(arguments: [.tensor(previous ?? Self.unnamedInput)])]
        if previous == nil {
          inputs = [isInput ? .init(layer: entry.layer.name, node: 0, tensor: 0) : Self.unnamedInput]
        }
        previous = .init(layer: entry.layer.name, node: 0, tensor: 0)
      } else {
        calls = (entry.json["inbound_nodes"]?.array ?? []).map(Self.call)
        if calls.isEmpty { calls = [Call()] }
      }
      members.append(Member(layer: entry.layer, calls: calls, inside: inside ?? []))
    }
    if isSequential {
      outputs = previous.map { [$0] } ?? []
    } else {
      inputs = KerasReference.all(in: config["input_layers"])
      outputs = KerasReference.all(in: config["output_layers"])
    }
    countCallsOfModels()
    guard Set(members.map(\.layer.name)).count == members.count else {
      throw graph.unknownFormat("two layers of its model configuration have one name")
    }
    guard !outputs.isEmpty, !inputs.isEmpty else {
      throw graph.unknownFormat("its model configuration names no input or no output")
    }
  }

  /// Keras 2 counts the calls of a model within a model from the one that built it, which no graph lists.
  private mutating func countCallsOfModels() {
    let listed = Dictionary(members.filter { !$0.inside.isEmpty }.map { ($0.layer.name, $0.calls.count) }) { first, _ in
      first
    }
    if listed.isEmpty { return }
    var last: [String: Int] = [:]
    let used = members.flatMap { $0.calls.flatMap(\.references) } + outputs
    for reference in used where listed[reference.layer] != nil {
      last[reference.layer] = max(last[reference.layer] ?? 0, reference.node)
    }
    func corrected(_ reference: KerasReference) -> KerasReference {
      guard let count = listed[reference.layer], let last = last[reference.layer], last >= count else {
        return reference
      }
      return .init(layer: reference.layer, node: reference.node - (last + 1 - count), tensor: reference.tensor)
    }
    outputs = outputs.map(corrected)
    members = members.map { member in
      let calls = member.calls.map { call in
        Call(
          arguments: call.arguments.map { $0.mapped(corrected) },
          keywords: call.keywords.mapValues { $0.mapped(corrected) })
      }
      return Member(layer: member.layer, calls: calls, inside: member.inside)
    }
  }

  /// What the first layer of a `Sequential` reads.
  static let unnamedInput = KerasReference(layer: "", node: 0, tensor: 0)

  private static func call(_ json: KerasJSON) -> Call {
    // Keras 3: {"args": [...], "kwargs": {...}}
    if let arguments = json["args"] {
      var keywords: [String: KerasArgument] = [:]
      if case .object(let object)? = json["kwargs"] { keywords = object.mapValues(KerasArgument.init) }
      return Call(arguments: (arguments.array ?? [arguments]).map(KerasArgument.init), keywords: keywords)
    }
    // Keras 2: [["a", 0, 0, {...}], ...], or one of these alone.
    let list = KerasReference(json) != nil ? [json] : json.array ?? []
    var call = Call()
    for entry in list {
      guard let reference = KerasReference(entry) else { continue }
      call.arguments.append(.tensor(reference))
      if case .object(let object)? = entry.array?.dropFirst(3).first {
        call.keywords.merge(object.mapValues(KerasArgument.init)) { first, _ in first }
      }
    }
    return call
  }

  /// The calls that the outputs need, each after those that it reads.
  /// - Throws: `CheckpointError` when the graph names a layer that is not there, or runs in a circle.
  func order(_ file: String) throws(CheckpointError) -> [(member: Int, call: Int)] {
    let places = Dictionary(members.enumerated().map { ($1.layer.name, $0) }) { first, _ in first }
    struct Key: Hashable { let member: Int, call: Int }
    func key(_ reference: KerasReference) throws(CheckpointError) -> Key? {
      if reference == Self.unnamedInput { return nil }
      guard let member = places[reference.layer], members[member].calls.indices.contains(reference.node) else {
        throw .unknownFormat(
          file: file, detail: "its graph names a layer \"\(printable(reference.layer))\" that is not there")
      }
      return Key(member: member, call: reference.node)
    }
    var needed = Set<Key>()
    var waiting: [Key] = []
    for output in outputs + inputs { if let key = try key(output), needed.insert(key).inserted { waiting.append(key) } }
    while let next = waiting.popLast() {
      for reference in members[next.member].calls[next.call].references {
        if let key = try key(reference), needed.insert(key).inserted { waiting.append(key) }
      }
    }
    // As the list has them, as far as each then comes after what it reads.
    var left = needed.sorted { ($0.member, $0.call) < ($1.member, $1.call) }
    var done = Set<Key>()
    var result: [(Int, Int)] = []
    while !left.isEmpty {
      var later: [Key] = []
      for next in left {
        var isReady = true
        for reference in members[next.member].calls[next.call].references {
          if let key = try key(reference), !done.contains(key) { isReady = false }
        }
        if isReady {
          done.insert(next)
          result.append((next.member, next.call))
        } else {
          later.append(next)
        }
      }
      guard later.count < left.count else {
        throw .unsupported(
          file: file, detail: "the graph runs in a circle at \"\(printable(members[later[0].member].layer.name))\"")
      }
      left = later
    }
    return result
  }
}
