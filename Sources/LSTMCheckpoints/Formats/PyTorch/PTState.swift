/// The tensors of a pickle by name, and which of them are a model's.
///
/// A checkpoint is often a state_dict beside other things: the state of an optimizer, counters, statistics. Names are the
/// keys on the way, joined by dots.
struct PTState {
  struct Leaf {
    let name: String
    let tensor: Pickle.Tensor
    fileprivate let container: Int
    fileprivate(set) var isKept = true
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

  /// A dictionary or list that tensors are found in.
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
  private let pickle: Pickle
  private let file: String
  private var visits = 0

  init(_ pickle: Pickle, file: String) throws(PTError) {
    self.pickle = pickle
    self.file = file
    if case .tensor(let tensor) = pickle.node(pickle.root) {
      containers = [Container(path: "", training: nil)]
      leaves = [Leaf(name: "x", tensor: tensor, container: 0)]
      return
    }
    try walk(pickle.root, path: "", depth: 0, training: nil)
    choose()
  }

  private mutating func walk(
    _ value: Pickle.Value, path: String, depth: Int, training: String?
  ) throws(PTError) {
    let items: [(key: String, value: Pickle.Value)]
    var training = training
    switch pickle.node(value) {
    case .dictionary(let dictionary):
      if depth > 0, training == nil, Self.isTrainingState(dictionary, path: path) { training = path }
      items = dictionary.pairs.map { (Self.text($0.key), $0.value) }
    case .list(let list), .tuple(let list): items = list.enumerated().map { (String($0.offset), $0.element) }
    default: return
    }
    func tooMuch(_ what: String, _ limit: Int) -> PTError { PTError(.tooMuch(what, limit: limit), file: file) }
    guard depth < Self.depthLimit else { throw tooMuch("values, one in the other", Self.depthLimit) }
    visits += items.count
    guard visits <= Self.visitLimit else { throw tooMuch("values", Self.visitLimit) }

    let container = containers.count
    containers.append(Container(path: path, training: training))
    for (key, value) in items {
      let name = path.isEmpty ? key : path + "." + key
      switch pickle.node(value) {
      case .tensor(let tensor):
        guard name.utf8.count <= Self.nameLimit else { throw tooMuch("bytes in a name", Self.nameLimit) }
        guard leaves.count < Self.tensorLimit else { throw tooMuch("tensors", Self.tensorLimit) }
        leaves.append(Leaf(name: name, tensor: tensor, container: container))
        if PyTorchName(name) != nil { containers[container].hasRecurrentWeights = true }
        if ["weight", "bias"].contains(name.split(separator: ".").last) { containers[container].hasWeights = true }
      case .dictionary, .list, .tuple:
        guard name.utf8.count <= Self.nameLimit else { throw tooMuch("bytes in a name", Self.nameLimit) }
        try walk(value, path: name, depth: depth + 1, training: training)
      default: break
      }
    }
  }

  private static func text(_ key: Pickle.Value) -> String {
    switch key {
    case .text(let text): text
    case .integer(let number): String(number)
    default: "?"
    }
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
    var groups: [(name: String, reason: String, tensors: [String])] = []
    var places: [String: Int] = [:]
    func leaveOut(_ leaf: Leaf, _ container: Container) {
      let reason: String
      let group: String
      if let training = container.training {
        (group, reason) = (training, "training state, no part of the model")
      } else {
        (group, reason) = (container.path, "it lies beside the state_dict and is no layer's")
      }
      let place = places[group] ?? groups.count
      if place == groups.count {
        places[group] = place
        groups.append((group, reason, []))
      }
      groups[place].tensors.append(leaf.name)
    }
    for index in leaves.indices {
      let container = containers[leaves[index].container]
      let isKept =
        container.training == nil && (states.isEmpty || container.hasRecurrentWeights || container.hasWeights)
      leaves[index].isKept = isKept
      if !isKept { leaveOut(leaves[index], container) }
    }
    let kept = Set(leaves.filter(\.isKept).map(\.container))
    if let only = kept.first, kept.count == 1, !containers[only].path.isEmpty { stateKey = containers[only].path }
    leftOut = groups.map { group in
      let count = group.tensors.count
      if count == 1 { return .init(name: group.tensors[0], reason: group.reason) }
      return .init(
        name: group.name.isEmpty ? nameList(group.tensors) : group.name + ".*",
        reason: group.reason + " (\(count) tensors)")
    }
  }
}
