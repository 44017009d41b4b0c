import FileIO
import HDF5

/// What a Keras file says beside its tensors: which layer each belongs to, the version, and perhaps the whole model.
struct KerasStructure: Sendable {
  enum Weights: Sendable {
    /// Layers by name in the model's order, as HDF5 files had them until Keras 3.
    case layers([Group])
    /// Objects by path, as Keras 3 names them; in no order.
    case objects(KerasTree)
  }

  /// A layer's own group; its tensors in Keras' order.
  struct Group: Sendable {
    let name: String
    let weights: [String]
  }

  let weights: Weights
  var version: KerasVersion
  /// `{"class_name": ..., "config": ...}`
  var model: KerasJSON?
  /// The file that `model` is from; nil for the one that has the weights.
  var architecture: String?

  /// Weights of layers, and perhaps the model that they are of.
  init(weights: Weights, version: KerasVersion, model: KerasJSON?) {
    (self.weights, self.version, self.model) = (weights, version, model)
  }

  /// Every tensor of its layers.
  var everyWeight: [String] {
    switch weights {
    case .layers(let groups): groups.flatMap(\.weights)
    case .objects(let tree): tree.all
    }
  }

  /// nil for an HDF5 file that is not Keras'.
  /// - Parameters:
  ///   - readable: names of the tensors whose types are known.
  ///   - archive: what a `.keras` archive says beside its HDF5 file.
  init?(
    _ root: HDF5Group, readable: Set<String>, file: String, archive: (version: KerasVersion, model: KerasJSON)? = nil
  ) throws(CheckpointError) {
    if let base = Self.base(root) {
      let group = root.group(at: base) ?? root
      var found = try group.text("keras_version", file)
      if found == nil { found = try root.text("keras_version", file) }
      version = archive?.version ?? found.map(KerasVersion.init) ?? .one
      weights = .layers(try Self.groups(group, base: base, readable: readable, file: file))
    } else {
      let datasets = root.allDatasets()
      guard Self.areObjects(datasets) else { return nil }
      version = archive?.version ?? .unknown
      // They name the layers.
      if let damage = root.allUnreadableAttributes().first { throw .container(damage) }
      weights = .objects(KerasTree(root))
      for dataset in datasets { try Self.require(String(dataset.path.dropFirst()), dataset, readable) }
    }
    if let archive {
      model = archive.model
    } else if let text = try root.text("model_config", file) {
      model = try KerasJSON(Array(text.utf8), "its model_config", file: file)
    } else {
      model = nil
    }
  }

  /// Whether an HDF5 file is Keras'.
  static func isKeras(_ root: HDF5Group) -> Bool { base(root) != nil || areObjects(root.allDatasets()) }

  /// The group that lists layers.
  private static func base(_ root: HDF5Group) -> String? {
    ["", "model_weights"].first { path in
      root.group(at: path)?.attributes.contains { $0.name == "layer_names" || $0.name == "layer_names0" } ?? false
    }
  }

  private static func areObjects(_ datasets: [HDF5Dataset]) -> Bool {
    !datasets.isEmpty
      && datasets.allSatisfy { dataset in
        let parts = dataset.path.split(separator: "/")
        return parts.count >= 2 && parts[parts.count - 2] == "vars" && parts.last.flatMap { Int($0) } != nil
      }
  }

  /// The layers that `layer_names` and `weight_names` list.
  private static func groups(
    _ group: HDF5Group, base: String, readable: Set<String>, file: String
  ) throws(CheckpointError) -> [Group] {
    var index: [String: HDF5Group] = [:]
    var datasets: [String: HDF5Dataset] = [:]
    func collect(_ group: HDF5Group) {
      index[group.path] = group
      for dataset in group.datasets { datasets[dataset.path] = dataset }
      for child in group.groups { collect(child) }
    }
    collect(group)
    func path(_ parts: String...) -> String {
      "/" + parts.flatMap { $0.split(separator: "/") }.joined(separator: "/")
    }
    var result: [Group] = []
    var taken = Set<String>()
    let layerNames = try group.texts("layer_names", file)
    for name in layerNames ?? [] {
      guard !name.isEmpty, let layer = index[path(base, name)], layer.path != group.path else {
        if let reason = group.reason(toMiss: path(base, name)) { throw .container(reason) }
        throw .corrupt(tensor: name, detail: "layer_names lists this layer, but the file has no such group")
      }
      guard let names = try layer.texts("weight_names", file) else {
        throw .corrupt(tensor: name, detail: "the layer has no attribute weight_names")
      }
      var weights: [String] = []
      for weight in names {
        let place = path(base, name, weight)
        let tensor = String(place.dropFirst())
        guard let dataset = datasets[place] else {
          if let reason = group.reason(toMiss: place) { throw .container(reason) }
          throw .corrupt(tensor: tensor, detail: "weight_names lists it, but the file has no such dataset")
        }
        guard taken.insert(place).inserted else {
          throw .corrupt(tensor: tensor, detail: "weight_names lists it twice")
        }
        try require(tensor, dataset, readable)
        weights.append(tensor)
      }
      result.append(Group(name: name, weights: weights))
    }
    return result
  }

  private static func require(_ name: String, _ dataset: HDF5Dataset, _ readable: Set<String>) throws(CheckpointError) {
    guard readable.contains(name) else {
      if let refusal = dataset.refusal { throw .container(refusal) }
      throw .corrupt(tensor: name, detail: "its elements are of type \(dataset.type), which no weight has")
    }
  }

  /// Parts of a file that belong to no model: what an optimizer keeps, metrics, generators of random numbers.
  static func isHarmless(_ name: String) -> Bool {
    let parts = name.split(separator: "/")
    let first = parts.first.map(String.init) ?? ""
    return ["optimizer", "optimizer_weights", "metrics", "_metrics", "_optimizer"].contains(first)
      || parts.contains { $0.hasPrefix("seed_generator") }
  }
}

/// The version of Keras that wrote a file.
struct KerasVersion: Sendable, Equatable {
  let text: String
  let major: Int
  let minor: Int

  /// `2.2.4-tf` is 2.2.
  init(_ text: String) {
    let numbers = text.split(separator: ".").map { Int($0.prefix { $0.isASCII && $0.isNumber }) ?? 0 }
    self.text = text
    major = numbers.first ?? 0
    minor = numbers.count > 1 ? numbers[1] : 0
  }

  /// Keras 1 left no version in its files.
  static let one = KerasVersion("1")
  /// `.weights.h5` holds no version; the format is that of Keras 2.12 and later.
  static let unknown = KerasVersion("")

  var isKnown: Bool { !text.isEmpty }
  /// The default of `recurrent_activation` is sigmoid since 2.3.
  var defaultsToSigmoid: Bool { !isKnown || major > 2 || major == 2 && minor >= 3 }
  var hardSigmoid: PlainStack.GateActivation { major >= 3 ? .hardSigmoidKeras3 : .hardSigmoid }
}

/// The objects of a `.weights.h5` file, by attribute or class: `layers/lstm/cell/vars/0`.
struct KerasTree: Sendable {
  var children: [String: KerasTree] = [:]
  /// Names of its own tensors, in their numbers' order.
  var weights: [String] = []
  /// What the user called it, where the file says.
  var label: String?

  init(_ group: HDF5Group) {
    for child in group.groups {
      if child.name == "vars" {
        weights = child.datasets.sorted { isNaturallyBefore($0.name, $1.name) }.map { String($0.path.dropFirst()) }
        label = child.attribute("name")?.string
      } else {
        add(KerasTree(child), at: child.name.split(separator: "\\").map(String.init)[...])
      }
    }
  }

  /// Keras on Windows has written paths with backslashes as one name.
  private mutating func add(_ tree: KerasTree, at path: ArraySlice<String>) {
    guard let first = path.first else { return }
    if path.count == 1 {
      children[first] = children[first]?.merging(tree) ?? tree
    } else {
      children[first, default: KerasTree()].add(tree, at: path.dropFirst())
    }
  }

  init() {}

  /// A tensor of the object at a path.
  mutating func add(_ tensor: String, at path: ArraySlice<String>) {
    if let first = path.first {
      children[first, default: KerasTree()].add(tensor, at: path.dropFirst())
    } else {
      weights.append(tensor)
    }
  }

  /// Its tensors and those of what it holds.
  var all: [String] { weights + children.values.flatMap(\.all) }

  var hasWeights: Bool { !weights.isEmpty || children.values.contains(where: \.hasWeights) }

  /// Whether an object within it has this name.
  func holds(_ name: String) -> Bool { children[name] != nil || children.values.contains { $0.holds(name) } }

  /// Where a model keeps its layers; Keras 2.12 and 2.13 called it otherwise.
  var container: KerasTree? { children["layers"] ?? children["_layer_checkpoint_dependencies"] }

  /// Those of a class, `lstm`, `lstm_1`, ..., that have weights, in order.
  func members(ofClass name: String) -> [KerasTree] {
    children.filter { $0.value.hasWeights && Self.stem($0.key) == name }
      .sorted { isNaturallyBefore($0.key, $1.key) }.map(\.value)
  }

  /// A name without the number that tells it from others of its class.
  static func stem(_ name: String) -> String {
    guard let bar = name.lastIndex(of: "_"), Int(name[name.index(after: bar)...]) != nil else { return name }
    return String(name[..<bar])
  }
}

extension HDF5Group {
  /// A list of texts, which Keras cuts into `name0`, `name1`, ... when it is long.
  fileprivate func texts(_ name: String, _ file: String) throws(CheckpointError) -> [String]? {
    func value(_ attribute: HDF5Attribute) throws(CheckpointError) -> [String] {
      // An empty list is one of numbers: NumPy has no other.
      if let strings = attribute.strings { return strings }
      guard attribute.value.count == 0, attribute.shape == [0] else {
        throw .corrupt(tensor: path, detail: "its attribute \(attribute.name) is not a list of texts")
      }
      return []
    }
    if let whole = attribute(name) { return try value(whole) }
    guard attribute(name + "0") != nil else {
      if let damage = unreadableAttributes.first { throw .container(damage) }
      return nil
    }
    var (all, count): ([String], Int) = ([], 0)
    while let part = attribute("\(name)\(count)") {
      all += try value(part)
      count += 1
    }
    return all
  }
}
