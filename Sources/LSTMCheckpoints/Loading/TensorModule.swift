import FileIO

/// Tensors of a file that lie in one module, under the names that a layer's parameters have: `weight`, `running_mean`,
/// `weight_hh_reverse`. Of a recurrent module each layer is one.
struct TensorModule {
  /// What the tensors can be, by their names and shapes.
  enum Content: Equatable {
    case recurrent(Layer.Recurrent, inputSize: Int)
    /// A matrix (O, I), which may be an embedding's.
    case linear(outputs: Int, inputs: Int)
    /// (O, C / groups, kernel ...)
    case convolution(outputs: Int, inputs: Int, kernel: [Int])
    case batchNorm(Int)
    case layerNorm(Int)
    /// By its name.
    case groupNorm(Int)
    /// Heads of self-attention over E values.
    case selfAttention(Int)
    case crf(Int)
    /// The slopes of PyTorch's PReLU: one, or one for each feature.
    case slope(Int)
    /// A tensor by itself that is no weight: an initial state, an attention's vector.
    case lone
    /// Nothing that is known, or a shape that none of these has.
    case unknown
  }

  /// Dotted, after prefix and rules; without the name of a tensor.
  let path: String
  /// Of a recurrent module.
  var layer = 0
  /// The name in the layer -> the tensor.
  var parts: [String: Candidate] = [:]
  /// Where its first tensor lies in the file.
  let position: Int
  var content = Content.unknown

  init(path: String, layer: Int = 0, position: Int) {
    (self.path, self.layer, self.position) = (path, layer, position)
  }

  /// What it is called in the file.
  var name: String {
    let first = parts.values.min { isNaturallyBefore($0.tensor.name, $1.tensor.name) }
    guard let source = first?.tensor.name, let ending = first?.name.dropFirst(path.count), !path.isEmpty,
      source.count > ending.count
    else { return path.isEmpty ? first?.tensor.name ?? "" : path }
    return content == .lone ? source : String(source.dropLast(ending.count))
  }

  var shapes: [String: [Int]] { parts.mapValues(\.shape) }
  var hasBias: Bool { parts["bias"] != nil }
  var recurrent: (kind: Layer.Recurrent, inputSize: Int)? {
    if case .recurrent(let kind, let inputSize) = content { (kind, inputSize) } else { nil }
  }

  // MARK: - Taking tensors together

  /// The modules of a file, in its order, and the tensors that are none's.
  static func modules(of candidates: [Candidate], _ kinds: TensorKinds) -> (found: [TensorModule], others: [LeftOver]) {
    var collection = Collection()
    let attentions = Set(candidates.lazy.map(\.name.moduleAndLeaf).filter { $0.leaf == "in_proj_weight" }.map(\.module))
    for (position, candidate) in candidates.enumerated() {
      let kind = kinds.kind(of: candidate)
      if kind.effect == .none {
        collection.others.append(
          .init(candidate: candidate, reason: kind.reason, isHarmless: kind == .counter, kind: kind))
      } else if let name = PyTorchName(candidate.name) {
        collection.add(candidate, name, position)
      } else {
        let (module, leaf) = candidate.name.moduleAndLeaf
        if leaf == "weight" || leaf == "bias", module.moduleAndLeaf.leaf == "out_proj",
          attentions.contains(module.moduleAndLeaf.module)
        {
          collection.add(candidate, "out_proj." + leaf, module.moduleAndLeaf.module, position)
        } else if let known = names[leaf] {
          collection.add(candidate, known, module, position)
        } else {
          collection.add(candidate, "weight", candidate.name, position)
        }
      }
    }
    for index in collection.modules.indices { collection.modules[index].settle() }
    return (collection.modules, collection.others)
  }

  /// The names of tensors in a module -> those in a layer.
  private static let names = [
    "weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var",
    "gamma": "weight", "beta": "bias", "in_proj_weight": "in_proj_weight", "in_proj_bias": "in_proj_bias",
    "transitions": "transitions", "start_transitions": "start_transitions", "end_transitions": "end_transitions",
    "trans_matrix": "transitions", "start_trans": "start_transitions", "end_trans": "end_transitions",
  ]

  private struct Collection {
    var modules: [TensorModule] = []
    var others: [LeftOver] = []
    private var places: [String: Int] = [:]
    private var raw = Set<String>()

    mutating func add(_ candidate: Candidate, _ part: String, _ path: String, layer: Int? = nil, _ position: Int) {
      let key = path + "|" + (layer.map(String.init) ?? "")
      let at = places[key] ?? modules.count
      if at == modules.count {
        places[key] = at
        modules.append(TensorModule(path: path, layer: layer ?? 0, position: position))
      }
      if let earlier = modules[at].parts[part] {
        others.append(
          .init(candidate: candidate, reason: "\(earlier.tensor.name) already has its place", kind: .unknown))
      } else {
        modules[at].parts[part] = candidate
      }
    }

    mutating func add(_ candidate: Candidate, _ name: PyTorchName, _ position: Int) {
      let part = name.kind.rawValue + (name.isReverse ? "_reverse" : "")
      let key = name.module + "|\(name.layer)"
      // Weight drop stores the true weight as `_raw` and a dropped copy beside it.
      if let at = places[key], let earlier = modules[at].parts[part], name.isRaw != raw.contains(earlier.name) {
        let copy = name.isRaw ? earlier : candidate
        others.append(
          .init(
            candidate: copy, reason: "a copy with dropout applied; the true weight is the one with _raw",
            isHarmless: true))
        if name.isRaw { modules[at].parts[part] = candidate }
      } else {
        add(candidate, part, name.module, layer: name.layer, position)
      }
      if name.isRaw { raw.insert(candidate.name) }
    }
  }

  // MARK: - What it is

  private mutating func settle() {
    if parts.keys.contains(where: { $0.hasPrefix("weight_ih") || $0.hasPrefix("weight_hh") }) {
      content = recurrentContent ?? .unknown
      return
    }
    let shapes = shapes.filter { $0.value.allSatisfy { 1...ModelConfiguration.sizeLimit ~= $0 } }
    guard shapes.count == parts.count else { return }
    if let mean = shapes["running_mean"], mean.count == 1 {
      let isOne = shapes.values.allSatisfy { $0 == mean } && parts["running_var"] != nil
      content =
        isOne && Set(shapes.keys).isSubset(of: ["weight", "bias", "running_mean", "running_var"])
        ? .batchNorm(mean[0]) : .unknown
    } else if let weight = shapes["in_proj_weight"] {
      guard weight.count == 2, weight[0] == 3 * weight[1], shapes["out_proj.weight"] == [weight[1], weight[1]],
        shapes["in_proj_bias"] == nil
          || shapes["in_proj_bias"] == [3 * weight[1]]
            && shapes["out_proj.bias"] == [weight[1]]
      else { return }
      content = .selfAttention(weight[1])
    } else if let transitions = shapes["transitions"] {
      guard transitions.count == 2, transitions[0] == transitions[1],
        ["start_transitions", "end_transitions"].allSatisfy({ shapes[$0] == nil || shapes[$0] == [transitions[0]] })
      else { return }
      content = .crf(transitions[0])
    } else if let weight = shapes["weight"], Set(shapes.keys).isSubset(of: ["weight", "bias"]) {
      content = contentOfWeight(weight, bias: shapes["bias"])
    }
  }

  private func contentOfWeight(_ weight: [Int], bias: [Int]?) -> Content {
    guard parts["weight"]?.name != path else { return .lone }
    switch weight.count {
    case 1 where bias == nil: return contentOfVector(weight[0])
    case 1 where bias == weight: return TensorKinds.saysGroups(path) ? .groupNorm(weight[0]) : .layerNorm(weight[0])
    case 1: return .unknown
    case 2 where bias == nil || bias == [weight[0]]: return .linear(outputs: weight[0], inputs: weight[1])
    case 3, 4:
      guard bias == nil || bias == [weight[0]] else { return .unknown }
      return .convolution(outputs: weight[0], inputs: weight[1], kernel: Array(weight[2...]))
    default: return .unknown
    }
  }

  /// A vector that has no bias: its name tells.
  private func contentOfVector(_ count: Int) -> Content {
    let words = TensorKinds.words(path)
    if words.contains(where: { $0.hasPrefix("rms") }) { return .unknown }
    if count > 1, words.contains(where: { $0.contains("norm") || $0 == "ln" }) { return .layerNorm(count) }
    let saysSlope = words.contains { $0.contains("relu") || $0.hasPrefix("act") }
    return count == 1 || saysSlope ? .slope(count) : .unknown
  }

  /// The cell by the number of its gates; nil when the shapes go with none.
  private var recurrentContent: Content? {
    guard let hidden = parts["weight_hh"]?.shape, hidden.count == 2, let input = parts["weight_ih"]?.shape,
      input.count == 2, input[0] == hidden[0], 1...4 * ModelConfiguration.sizeLimit ~= input[0],
      1...ModelConfiguration.sizeLimit ~= input[1], 1...ModelConfiguration.sizeLimit ~= hidden[1]
    else { return nil }
    let rows = input[0]
    var kind: Layer.Recurrent
    if let projection = parts["weight_hr"]?.shape {
      guard projection.count == 2, 1...ModelConfiguration.sizeLimit ~= projection[1], rows == 4 * projection[1],
        projection[0] == hidden[1]
      else { return nil }
      kind = Layer.Recurrent(.lstm, size: projection[1])
      kind.projectionSize = projection[0]
    } else {
      guard let cell = Layer.Recurrent.Cell.allCases.first(where: { $0.gateCount * hidden[1] == rows }) else {
        return nil
      }
      kind = Layer.Recurrent(cell, size: hidden[1])
    }
    kind.isBidirectional = parts.keys.contains { $0.hasSuffix("_reverse") }
    kind.hasPeepholes = parts["peephole"] != nil
    kind.bias = parts["bias_ih"] == nil ? .none : parts["bias_hh"] == nil ? .single : .dual
    let wanted = kind.parameters([LayerValue(width: input[1])])
    let names = wanted.map { $0.name + ($0.isReverse ? "_reverse" : "") }
    guard Set(names) == Set(parts.keys), zip(names, wanted).allSatisfy({ parts[$0]?.shape == $1.shape }) else {
      return nil
    }
    return .recurrent(kind, inputSize: input[1])
  }
}

extension [TensorModule] {
  /// By a rank, then by their names and layers: for a file that does not keep an order.
  func sorted(by rank: (TensorModule) -> Int) -> [TensorModule] {
    sorted { rank($0) == rank($1) ? $0.precedes($1) : rank($0) < rank($1) }
  }
}

extension TensorModule {
  func precedes(_ other: TensorModule) -> Bool {
    path == other.path ? layer < other.layer : isNaturallyBefore(path, other.path)
  }

  /// Whether a layer of a graph is the leaky relu that it is the slope of.
  func isSlope(of layer: Layer) -> Bool {
    guard let slope, let relu = layer.kind as? Layer.ActivationLayer else { return false }
    return relu.activation == .leakyReLU && (relu.alpha ?? relu.activation.usualAlpha) == slope
  }

  /// The one slope of a PReLU.
  private var slope: Float? {
    guard case .slope(1) = content, let value = try? parts["weight"]?.tensor.doubles().first else { return nil }
    return Float(value)
  }

  /// Where its slope went, of a leaky relu.
  var slopeLeftOver: LeftOver? {
    guard let slope, let weight = parts["weight"] else { return nil }
    return LeftOver(
      candidate: weight, reason: "the slope of a leaky relu (PReLU): alpha \(slope), which is not trained here",
      isHarmless: true, kind: .scaling)
  }
}
