import FileIO

/// The tensors of a pickle by name, and which of them are a model's.
///
/// A checkpoint is often a state_dict beside other things: the state of an optimizer, counters, statistics, objects. Names
/// are the keys on the way, joined by dots. A whole module is the tree of its parameters, buffers and modules.
struct PTState {
  struct Leaf {
    enum Content {
      case tensor(Pickle.Tensor)
      /// Not read, and why.
      case unread(String)
    }

    let name: String
    let content: Content
    fileprivate let container: Int
    fileprivate(set) var isKept = true
  }

  /// A module of a model that was saved whole, in the order in which the modules were made.
  struct Module {
    /// The keys that lead to it; empty for the whole file.
    let path: String
    /// Not a part of another one.
    let isWhole: Bool
    let type: Pickle.Name
    /// Has parameters, buffers or modules of its own.
    let hasContent: Bool
    fileprivate let container: Int
  }

  /// An object that is passed over.
  struct Closed {
    let path: String
    let type: Pickle.Name
    fileprivate let node: Int
  }

  /// Nested dictionaries and lists, one in the other.
  static let depthLimit = 64
  /// Values that are visited; a value may be reached on many ways.
  static let visitLimit = 1_000_000
  static let nameLimit = 1024
  static let tensorLimit = 100_000

  private(set) var leaves: [Leaf] = []
  private(set) var leftOut: [Checkpoint.Skipped] = []
  /// The keys that all that is kept lies under, when that is one state_dict.
  private(set) var stateKey: String?
  /// The modules that what is kept is in, when there are any.
  private(set) var modules: [Module] = []
  private(set) var closed: [Closed] = []
  /// Objects in whose attributes tensors were found.
  private(set) var opened: [Closed] = []

  /// A dictionary, list or module that tensors are found in.
  private struct Container {
    let path: String
    /// Where training state begins, when this is part of it.
    let training: String?
    /// Holds names such as weight_ih_l0.
    var hasRecurrentWeights = false
    /// Holds what a layer is made of: a `weight` or a `bias`.
    var hasWeights = false
  }

  private var containers: [Container] = []
  private var hasModel: Bool { containers.contains { $0.hasRecurrentWeights && $0.training == nil } }
  private let pickle: Pickle
  private let file: String
  private let opensObjects: Bool
  private var visits = 0

  init(_ pickle: Pickle, file: String) throws(PTError) {
    var state = try PTState(pickle, file: file, opensObjects: false)
    if !state.hasModel, let first = state.firstWithTensors(state.closed) {
      // No model lies open: it may be an attribute of something that trains it.
      let other = try PTState(pickle, file: file, opensObjects: true)
      if other.hasModel || state.leaves.isEmpty { state = other }
      if state.leaves.isEmpty {
        throw PTError(.closed(type: first.type.full, key: first.path.isEmpty ? nil : first.path), file: file)
      }
    }
    state.choose()
    self = state
  }

  private init(_ pickle: Pickle, file: String, opensObjects: Bool) throws(PTError) {
    self.pickle = pickle
    self.file = file
    self.opensObjects = opensObjects
    let container = addContainer("", training: nil)
    if let content = content(of: pickle.root) {
      try add(content, name: "x", to: container)
    } else {
      try walk(pickle.root, path: "", depth: 0, training: nil)
    }
  }

  private func content(of value: Pickle.Value) -> Leaf.Content? {
    switch pickle.node(value) {
    case .tensor(let tensor): .tensor(tensor)
    case .unread(let reason): .unread(reason)
    default: nil
    }
  }

  private mutating func addContainer(_ path: String, training: String?) -> Int {
    containers.append(Container(path: path, training: training))
    return containers.count - 1
  }

  private func tooMuch(_ what: String, _ limit: Int) -> PTError { PTError(.tooMuch(what, limit: limit), file: file) }

  private mutating func add(_ content: Leaf.Content, name: String, to container: Int) throws(PTError) {
    guard name.utf8.count <= Self.nameLimit else { throw tooMuch("bytes in a name", Self.nameLimit) }
    guard leaves.count < Self.tensorLimit else { throw tooMuch("tensors", Self.tensorLimit) }
    leaves.append(Leaf(name: name, content: content, container: container))
    if PyTorchName(name) != nil { containers[container].hasRecurrentWeights = true }
    if ["weight", "bias"].contains(name.split(separator: ".").last) { containers[container].hasWeights = true }
  }

  private mutating func descend(_ name: String, depth: Int, count: Int) throws(PTError) {
    guard name.utf8.count <= Self.nameLimit else { throw tooMuch("bytes in a name", Self.nameLimit) }
    guard depth < Self.depthLimit else { throw tooMuch("values, one in the other", Self.depthLimit) }
    visits += count
    guard visits <= Self.visitLimit else { throw tooMuch("values", Self.visitLimit) }
  }

  private mutating func walk(_ value: Pickle.Value, path: String, depth: Int, training: String?) throws(PTError) {
    let items: [(key: String, value: Pickle.Value)]
    var training = training
    switch pickle.node(value) {
    case .dictionary(let dictionary):
      if depth > 0, training == nil, Self.isTrainingState(dictionary, path: path) { training = path }
      items = dictionary.pairs.map { ($0.key.keyText, $0.value) }
    case .list(let list), .tuple(let list): items = list.enumerated().map { (String($0.offset), $0.element) }
    case .object(let object):
      if pickle.isModule(object) {
        let container = addContainer(path, training: object.type.isLoss ? path : training)
        return try walk(module: object, path: path, name: "", depth: depth, container: container)
      }
      let attributes = opensObjects ? pickle.attributes(object)?.pairs ?? [] : []
      if object.items.pairs.isEmpty, object.elements.isEmpty, attributes.isEmpty {
        if case .node(let index) = value { closed.append(Closed(path: path, type: object.type, node: index)) }
        return
      }
      if !attributes.isEmpty, case .node(let index) = value {
        opened.append(Closed(path: path, type: object.type, node: index))
      }
      // A kind of dictionary or list.
      items =
        (object.items.pairs + attributes).map { ($0.key.keyText, $0.value) }
        + object.elements.enumerated().map { (String($0.offset), $0.element) }
    default: return
    }
    try descend(path, depth: depth, count: items.count)
    let container = addContainer(path, training: training)
    for (key, value) in items {
      let name = path.isEmpty ? key : path + "." + key
      if let content = content(of: value) {
        try add(content, name: name, to: container)
      } else if case .node = value {
        try walk(value, path: name, depth: depth + 1, training: training)
      }
    }
  }

  /// In the order of `state_dict()`: a module's own parameters and buffers, then its modules.
  private mutating func walk(
    module: Pickle.Object, path: String, name: String, depth: Int, container: Int
  ) throws(PTError) {
    func joined(_ first: String, _ second: String) -> String {
      first.isEmpty ? second : second.isEmpty ? first : first + "." + second
    }
    let attributes = pickle.attributes(module)
    func part(_ key: String) -> [(key: Pickle.Value, value: Pickle.Value)] {
      attributes?[key].flatMap(pickle.dictionary)?.pairs ?? []
    }
    var temporary = Set<String>()
    if let set = attributes?["_non_persistent_buffers_set"], case .set(let names) = pickle.node(set) {
      temporary = Set(names.map(\.keyText))
    }
    let (own, inner) = (part("_parameters") + part("_buffers"), part("_modules"))
    try descend(joined(path, name), depth: depth, count: own.count + inner.count + 1)
    let tensors = own.filter { content(of: $0.value) != nil }
    modules.append(
      Module(
        path: joined(path, name), isWhole: name.isEmpty, type: module.type,
        hasContent: !tensors.isEmpty || inner.contains { $0.value != .none }, container: container))
    for (key, value) in tensors where !temporary.contains(key.keyText) {
      if let content = content(of: value) {
        try add(content, name: joined(path, joined(name, key.keyText)), to: container)
      }
    }
    for (key, value) in inner {
      guard case .object(let object) = pickle.node(value), pickle.isModule(object) else { continue }
      try walk(module: object, path: path, name: joined(name, key.keyText), depth: depth + 1, container: container)
    }
  }

  /// The first of some objects that leads to a tensor.
  private func firstWithTensors(_ objects: [Closed]) -> Closed? {
    var seen = Set<Int>()
    for object in objects {
      var open = [Pickle.Value.node(object.node)]
      while let value = open.popLast() {
        guard case .node(let index) = value, seen.insert(index).inserted else { continue }
        switch pickle.nodes[index] {
        case .tensor, .unread, .storage: return object
        case .tuple(let items), .list(let items), .set(let items): open += items
        case .dictionary(let dictionary): open += dictionary.pairs.map(\.value)
        case .object(let inner):
          open += [inner.arguments, inner.state ?? .none] + inner.elements + inner.items.pairs.map(\.value)
        case .numberType, .inert: break
        }
      }
    }
    return nil
  }

  /// What training keeps for itself: an optimizer says so by its structure, the rest by where it is kept.
  private static func isTrainingState(_ dictionary: Pickle.Dictionary, path: String) -> Bool {
    if dictionary["param_groups"] != nil { return true }
    let key = path.split(separator: ".").last?.lowercased() ?? ""
    return ["optim", "scheduler", "grad_scaler", "callbacks", "hyper_parameters", "hparams", "rng_state"].contains {
      key.contains($0)
    }
  }

  /// With a state_dict found by its recurrent weights, what lies beside it and is no layer's is left out, as training
  /// state always is. Without one nothing is known: all else stays.
  private mutating func choose() {
    let states = containers.filter { $0.hasRecurrentWeights && $0.training == nil }
    for index in leaves.indices {
      let container = containers[leaves[index].container]
      leaves[index].isKept =
        container.training == nil && (states.isEmpty || container.hasRecurrentWeights || container.hasWeights)
    }
    let kept = Set(leaves.filter(\.isKept).map(\.container))
    modules.removeAll { !kept.contains($0.container) }
    if let only = kept.first, kept.count == 1, !containers[only].path.isEmpty { stateKey = containers[only].path }
    func container(_ leaf: Leaf) -> Container { containers[leaf.container] }
    leftOut = leaves.filter { !$0.isKept }.grouped { container($0).training ?? container($0).path }.map { path, group in
      let reason =
        container(group[0]).training == nil
        ? "it lies beside the state_dict and is no layer's" : "training state, no part of the model"
      if group.count == 1 { return .init(name: group[0].name, reason: reason) }
      return .init(
        name: path.isEmpty ? nameList(group.map(\.name)) : path + ".*", reason: reason + " (\(group.count) tensors)")
    }
  }
}

extension Pickle {
  /// Whether an object is a module of PyTorch's: no class needs to be known for that.
  func isModule(_ object: Object) -> Bool {
    guard let attributes = attributes(object) else { return false }
    return ["_parameters", "_modules"].allSatisfy { attributes[$0].flatMap(dictionary) != nil }
  }
}
