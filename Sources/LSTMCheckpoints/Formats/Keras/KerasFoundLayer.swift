import FileIO

/// A layer of a file of weights that describes no model: its class by its name and the names and shapes of its tensors.
struct KerasFoundLayer {
  var name: String
  var className: String
  /// What shapes tell of its `config`, and Keras' defaults.
  var config: [String: KerasJSON] = [:]
  var weights: [String] = []
  /// Width of what it reads; nil for any.
  var reads: Int?
  /// Width of what it gives; nil for that of what it reads.
  var gives: Int?
  /// What it reads each time that it is used; nil for a layer of a line, which reads the one before.
  var calls: [[Reference]]?

  /// What a use of a layer gives; of a recurrent layer the first is its output, then its state.
  struct Reference {
    let layer: String
    var node = 0
    var tensor = 0
  }

  var isRecurrent: Bool { Self.recurrents.contains(className) }
  var isConvolution: Bool { className.hasSuffix("Conv1D") }
  var isPooling: Bool { ["MaxPooling1D", "AveragePooling1D"].contains(className) }
  var isGlobalPooling: Bool { className.hasPrefix("Global") }
  var isNormalization: Bool {
    ["BatchNormalization", "LayerNormalization", "GroupNormalization"].contains(className)
  }
  var isFunction: Bool { ["Activation", "ReLU", "LeakyReLU", "ELU", "PReLU"].contains(className) }
  var isAttention: Bool { ["Attention", "AdditiveAttention", "MultiHeadAttention"].contains(className) }
  var isDense: Bool { className == "Dense" || className == "TimeDistributed" }
  /// Whether it reads a sequence.
  var isStepwise: Bool {
    isRecurrent || isConvolution || isPooling || isGlobalPooling
      || [
        "TimeDistributed", "MultiHeadAttention", "Attention", "AdditiveAttention", "Flatten", "UpSampling1D",
        "ZeroPadding1D",
        "Cropping1D", "GroupNormalization",
      ].contains(className)
  }
  /// `layer conv1d_1 (Conv1D)`
  var text: String { "\(name) (\(className))" }

  /// Layers without weights that have one place in a line of layers.
  private static let light = KerasLayerKinds.idle.union([
    "GlobalAveragePooling1D", "GlobalMaxPooling1D", "MaxPooling1D", "AveragePooling1D", "Activation", "ReLU", "Softmax",
    "LeakyReLU", "ELU", "Flatten", "RepeatVector", "Masking", "UnitNormalization", "ZeroPadding1D", "Cropping1D",
    "UpSampling1D", "Attention", "Permute",
  ]).union(KerasFoundJoins.merges)

  /// The mean and the maximum over the steps side by side: three layers without weights.
  static let pools = "GlobalPools"

  private static let recurrents: Set<String> = ["LSTM", "CuDNNLSTM", "GRU", "SimpleRNN", "Bidirectional"]

  /// A class by the usual name of its layers: `lstm_1`, `max_pooling1d`.
  static func className(ofUsualName name: String) -> String? {
    let last = name.split(separator: "/").last.map(String.init) ?? name
    return usual[KerasTree.stem(last)]
  }

  private static let usual: [String: String] = {
    let classes =
      Array(KerasLayerKinds.weightless) + [
        "LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed", "Dense", "Embedding", "Conv1D",
        "SeparableConv1D", "DepthwiseConv1D", "BatchNormalization", "LayerNormalization", "GroupNormalization",
        "Normalization", "PReLU", "MultiHeadAttention", "Rescaling", "Attention", "AdditiveAttention",
      ]
    return Dictionary(classes.map { (kerasSnakeCase($0), $0) } + [("p_re_lu", "PReLU")]) { first, _ in first }
      .merging(["input": "InputLayer"]) { first, _ in first }
  }()
}

extension KerasFoundLayer {
  /// nil when its tensors are those of no layer that is known here.
  /// - Parameters:
  ///   - hint: the class that its name says, if it says one.
  ///   - roles: what each tensor is called, such as `recurrent_kernel`; empty where they are numbered.
  init?(_ name: String, hint: String?, weights: [String], roles: [String], shapes: [[Int]]) {
    self.init(name: name, className: hint ?? "", weights: weights)
    if weights.isEmpty {
      guard let hint, Self.light.contains(hint) else { return nil }
      return
    }
    // With weights it has scales, or is of a class of somebody's own.
    if hint == "Attention" { return nil }
    let ranks = shapes.map(\.count)
    func has(_ role: String) -> Bool { roles.contains(role) }
    if hint != "TimeDistributed",
      has("recurrent_kernel") || ["LSTM", "GRU", "SimpleRNN", "Bidirectional"].contains(hint)
    {
      guard readRecurrent(shapes) else { return nil }
    } else if has("embeddings") || hint == "Embedding" {
      guard ranks == [2] else { return nil }
      (className, gives) = ("Embedding", shapes[0][1])
      config = ["input_dim": .number(Double(shapes[0][0])), "output_dim": .number(Double(shapes[0][1]))]
    } else if has("moving_mean") || hint == "BatchNormalization" {
      guard readNormalization("BatchNormalization", roles, shapes, statistics: 2) else { return nil }
    } else if hint == "Normalization" {
      guard 2...3 ~= shapes.count, shapes[0] == shapes[1], shapes[0].count <= 1 else { return nil }
      reads = shapes[0].first
      config = ["axis": shapes[0].isEmpty ? .null : .array([.number(-1)])]
    } else if hint == "AdditiveAttention" {
      guard ranks == [1] else { return nil }
      (reads, gives, config) = (shapes[0][0], shapes[0][0], ["use_scale": true])
    } else if hint == "GroupNormalization" {
      guard readNormalization("GroupNormalization", roles, shapes, statistics: 0) else { return nil }
    } else if hint == "PReLU" || roles == ["alpha"] {
      guard shapes.count == 1, let width = shapes[0].last else { return nil }
      className = "PReLU"
      if width > 1 { reads = width }
      // One slope for all steps, or one for each.
      if shapes[0].count == 2, shapes[0][0] == 1 { config = ["shared_axes": .array([.number(1)])] }
    } else if hint == "TimeDistributed", ranks.count == 4 || ranks.count == 2, ranks.allSatisfy({ $0 == 1 }) {
      let isBatch = ranks.count == 4
      let name = isBatch ? "BatchNormalization" : "LayerNormalization"
      guard readNormalization(name, roles, shapes, statistics: isBatch ? 2 : 0) else { return nil }
    } else if has("gamma") || hint == "LayerNormalization" {
      guard readNormalization("LayerNormalization", roles, shapes, statistics: 0) else { return nil }
    } else if hint == "MultiHeadAttention" {
      guard shapes.count == 8 || shapes.count == 4, ranks[0] == 3 else { return nil }
      (reads, gives) = (shapes[0][0], shapes[0][0])
      config = [
        "num_heads": .number(Double(shapes[0][1])), "key_dim": .number(Double(shapes[0][2])),
        "use_bias": .bool(shapes.count == 8),
      ]
    } else if ranks.first == 3 {
      guard readConvolution(hint, roles, shapes) else { return nil }
    } else {
      guard ranks == [2] || ranks == [2, 1], ranks.count == 1 || shapes[1] == [shapes[0][1]],
        roles.isEmpty || has("kernel"), [nil, "Dense", "TimeDistributed"].contains(hint)
      else { return nil }
      (reads, gives) = (shapes[0][0], shapes[0][1])
      let dense: [String: KerasJSON] = [
        "units": .number(Double(shapes[0][1])), "use_bias": .bool(ranks.count == 2), "activation": "linear",
      ]
      className = hint ?? "Dense"
      config = className == "Dense" ? dense : ["layer": ["class_name": "Dense", "config": .object(dense)]]
    }
  }

  private mutating func readRecurrent(_ shapes: [[Int]]) -> Bool {
    let isBidirectional = className == "Bidirectional" || shapes.count >= 4
    guard shapes.count % (isBidirectional ? 2 : 1) == 0 else { return false }
    let each = Array(shapes.prefix(isBidirectional ? shapes.count / 2 : shapes.count))
    guard !isBidirectional || Array(shapes.suffix(each.count)) == each, 2...3 ~= each.count, each[0].count == 2,
      each[1].count == 2, each[1][0] > 0, each[0][1] == each[1][1]
    else { return false }
    let (size, wide) = (each[1][0], each[1][1])
    guard wide % size == 0, let cell = [4: "LSTM", 3: "GRU", 1: "SimpleRNN"][wide / size] else { return false }
    // CuDNN's code kept two biases of an LSTM.
    let isCuDNN = cell == "LSTM" && each.count == 3 && each[2] == [8 * size]
    var inner: [String: KerasJSON] = [
      "units": .number(Double(size)), "use_bias": .bool(each.count == 3), "activation": "tanh",
    ]
    if cell != "SimpleRNN" { inner["recurrent_activation"] = "sigmoid" }
    if cell == "GRU" { inner["reset_after"] = .bool(each.count == 2 || each[2].count == 2) }
    let name = isCuDNN ? "CuDNNLSTM" : cell
    (reads, gives) = (each[0][0], isBidirectional ? 2 * size : size)
    className = isBidirectional ? "Bidirectional" : name
    config =
      isBidirectional
      ? ["layer": ["class_name": .string(name), "config": .object(inner)], "merge_mode": "concat"] : inner
    return true
  }

  private mutating func readNormalization(
    _ className: String, _ roles: [String], _ shapes: [[Int]], statistics: Int
  ) -> Bool {
    guard let first = shapes.first, first.count == 1, shapes.allSatisfy({ $0 == first }) else { return false }
    let learned = shapes.count - statistics
    // Of one vector numbers do not say which it is.
    guard 0...2 ~= learned, learned != 1 || !roles.isEmpty else { return false }
    self.className = className
    reads = first[0]
    config = [
      "scale": .bool(learned == 2 || roles.contains("gamma")), "center": .bool(learned == 2 || roles.contains("beta")),
    ]
    return true
  }

  private mutating func readConvolution(_ hint: String?, _ roles: [String], _ shapes: [[Int]]) -> Bool {
    let isSeparable = hint == "SeparableConv1D" || roles.contains("pointwise_kernel")
    let isDepthwise = !isSeparable && (hint == "DepthwiseConv1D" || roles.contains("depthwise_kernel"))
    guard [nil, "Conv1D", "SeparableConv1D", "DepthwiseConv1D"].contains(hint) else { return false }
    let count = isSeparable ? 2 : 1
    guard count...count + 1 ~= shapes.count, shapes.prefix(count).allSatisfy({ $0.count == 3 }) else { return false }
    className = isSeparable ? "SeparableConv1D" : isDepthwise ? "DepthwiseConv1D" : "Conv1D"
    let kernel = shapes[0]
    (reads, gives) = (kernel[1], isSeparable ? shapes[1][2] : isDepthwise ? kernel[1] * kernel[2] : kernel[2])
    config = [
      "kernel_size": .array([.number(Double(kernel[0]))]), "use_bias": .bool(shapes.count > count),
      "activation": "linear", "padding": "valid",
    ]
    if isSeparable || isDepthwise { config["depth_multiplier"] = .number(Double(kernel[2])) }
    return true
  }
}

extension KerasStructure {
  /// The layers of a file of weights, in its order; nil where one is not known.
  /// - Parameter shapes: of the tensors that are looked at.
  func foundLayers(_ shapes: [String: [Int]]) -> [KerasFoundLayer]? {
    var result: [KerasFoundLayer] = []
    switch weights {
    case .layers(let groups):
      for group in groups {
        let modules = Self.modules(group.weights)
        if modules.count > 1 {
          // A model within the model, of whose layers only those with weights are named.
          for module in modules {
            guard let layer = Self.layer(module.name, module.weights, shapes) else { return nil }
            result.append(layer)
          }
        } else if group.weights.isEmpty, result.isEmpty, KerasFoundLayer.className(ofUsualName: group.name) == nil {
          result.append(KerasFoundLayer(name: group.name, className: "InputLayer"))
        } else {
          guard let layer = Self.layer(group.name, group.weights, shapes) else { return nil }
          result.append(layer)
        }
      }
    case .objects(let tree):
      guard collect(tree, shapes, &result) else { return nil }
    }
    return Self.joiningPools(result)
  }

  /// Models within the model, of which a file names no layer that has no weights.
  var foundModels: [String] {
    guard case .layers(let groups) = weights else { return [] }
    return groups.filter { Self.modules($0.weights).count > 1 }.map(\.name)
  }

  /// With the mean and the maximum that are joined as one layer, where nothing else is.
  private static func joiningPools(_ layers: [KerasFoundLayer]) -> [KerasFoundLayer] {
    let joins = layers.filter(\.isMerge)
    let pools = layers.filter(\.isGlobalPooling)
    guard joins.count == 1, joins[0].className == "Concatenate", pools.count == 2,
      layers.count(where: { $0.className == "InputLayer" }) <= 1,
      let mean = pools.first(where: { $0.className.contains("Average") }),
      let most = pools.first(where: { $0.className.contains("Max") })
    else { return layers }
    return layers.compactMap { layer in
      if layer.isGlobalPooling { return nil }
      guard layer.className == "Concatenate" else { return layer }
      var joined = KerasFoundLayer(name: layer.name, className: KerasFoundLayer.pools)
      joined.config = ["mean": .string(mean.name), "max": .string(most.name)]
      return joined
    }
  }

  private static func layer(_ name: String, _ weights: [String], _ shapes: [String: [Int]]) -> KerasFoundLayer? {
    let found = weights.compactMap { shapes[$0] }
    guard found.count == weights.count else { return nil }
    let roles = weights.map { weight in
      let leaf = weight.split(separator: "/").last.map(String.init) ?? weight
      return leaf.split(separator: ":").first.map(String.init) ?? leaf
    }
    var hint = KerasFoundLayer.className(ofUsualName: name)
    // A class of Keras' own that has no place here.
    if hint == nil, KerasLayerKinds.className(ofUsualName: name) != nil { return nil }
    // A name is only a name: tensors say more.
    if hint.map(KerasLayerKinds.weightless.contains) == true, !weights.isEmpty { hint = nil }
    if let layer = KerasFoundLayer(name, hint: hint, weights: weights, roles: roles, shapes: found) { return layer }
    // What runs within each step is no convolution over them.
    let isWithin = hint == "TimeDistributed" && found.contains { $0.count > 2 }
    return hint == nil || hint == "Attention" || isWithin
      ? nil : KerasFoundLayer(name, hint: nil, weights: weights, roles: roles, shapes: found)
  }

  /// What lies together in a group: the layers of a model within the model, both directions of one.
  private static func modules(_ weights: [String]) -> [(name: String, weights: [String])] {
    var result: [(name: String, weights: [String])] = []
    for weight in weights {
      var path = weight.split(separator: "/").dropLast().map(String.init)
      // Cells, directions and projections are parts of their layer.
      while path.count > 1, let last = path.last,
        last.hasSuffix("_cell") || KerasTree.stem(last).hasSuffix("_cell") || last.hasPrefix("forward_")
          || last.hasPrefix("backward_") || ["query", "key", "value", "attention_output"].contains(last)
      { path.removeLast() }
      let name = path.last ?? weight
      if let last = result.indices.last, result[last].name == name {
        result[last].weights.append(weight)
      } else {
        result.append((name, [weight]))
      }
    }
    return result
  }

  private func collect(_ tree: KerasTree, _ shapes: [String: [Int]], _ list: inout [KerasFoundLayer]) -> Bool {
    for (key, child) in (tree.container?.children ?? [:]).sorted(by: { isNaturallyBefore($0.key, $1.key) }) {
      if child.container != nil {
        guard collect(child, shapes, &list) else { return false }
        continue
      }
      // Of a class that is not known, also one without weights may compute.
      guard let hint = KerasFoundLayer.className(ofUsualName: key) else { return false }
      let weights = child.inOrder
      let found = weights.compactMap { shapes[$0] }
      guard found.count == weights.count,
        let layer = KerasFoundLayer(child.label ?? key, hint: hint, weights: weights, roles: [], shapes: found)
      else { return false }
      list.append(layer)
    }
    return true
  }
}
