import FileIO

/// The description that Keras would have of the layers of a file of weights.
extension KerasEvidenceGraph {
  func read(_ order: [KerasFoundLayer], _ choices: Choices) throws(CheckpointError) -> Translation {
    let described = KerasStructure(
      weights: .layers(order.map { .init(name: $0.name, weights: $0.weights) }), version: version,
      model: model(order, choices))
    return try KerasGraphReading(described, candidates, file: file, timeAxis: 0).reading.translation
  }

  var version: KerasVersion { structure.version.isKnown ? structure.version : KerasVersion("3.0.0") }

  private func model(_ order: [KerasFoundLayer], _ choices: Choices) -> KerasJSON {
    var list: [KerasJSON] = []
    if order.contains(where: { $0.calls != nil }) { return joined(order, choices) }
    let isTokens = order.first { $0.className != "InputLayer" }?.className == "Embedding"
    let width = order.compactMap(\.reads).first
    let steps = inputSteps(order, choices)
    let shape: [KerasJSON] =
      [.null, steps.map { .number(Double($0)) } ?? .null]
      + (isTokens ? [] : [width.map { .number(Double($0)) } ?? .null])
    list.append(["class_name": "InputLayer", "config": ["name": "input of all", "batch_shape": .array(shape)]])
    let inner = Set(inner(order).map(\.name))
    for (index, layer) in order.enumerated() where layer.className != "InputLayer" {
      let place = Place(
        isInner: inner.contains(layer.name), isLast: index == order.count - 1,
        givesSteps: layer.isRecurrent && givesSteps(order, index, choices),
        mode: layer.isRecurrent ? mode(order, index, choices) : "concat")
      let config = config(of: layer, at: place, choices)
      list.append(["class_name": .string(layer.className), "config": .object(config)])
    }
    let isLine = !order.contains { $0.isAttention || $0.className == KerasFoundLayer.pools }
    return isLine ? ["class_name": "Sequential", "config": ["layers": .array(list)]] : graph(list, choices)
  }

  /// What is around a layer.
  struct Place {
    /// A dense layer that another layer with weights reads.
    var isInner = false
    var isLast = false
    var givesSteps = false
    var mode = "concat"
  }

  func config(of layer: KerasFoundLayer, at place: Place, _ choices: Choices) -> [String: KerasJSON] {
    var config = layer.config
    config["name"] = .string(layer.name)
    func activation(_ function: Activation) -> KerasJSON {
      .string(KerasActivation.name(function, isThree: true) ?? "linear")
    }
    func change(_ body: (inout [String: KerasJSON]) -> Void) {
      guard case .object(var wrapped)? = config["layer"], case .object(var own)? = wrapped["config"] else {
        return body(&config)
      }
      body(&own)
      wrapped["config"] = .object(own)
      config["layer"] = .object(wrapped)
    }
    if layer.isRecurrent {
      change {
        if $0["activation"] != nil { $0["activation"] = activation(choices.recurrent) }
        $0["return_sequences"] = .bool(place.givesSteps)
      }
      if layer.className == "Bidirectional" { config["merge_mode"] = .string(place.mode) }
    } else if layer.isDense {
      let function = place.isInner ? choices.inner : place.isLast ? choices.last : .none
      change { $0["activation"] = activation(function) }
    } else if layer.isConvolution {
      config["activation"] = activation(choices.convolution)
      config["padding"] = .string(choices.padding.rawValue)
    } else if layer.className == "Activation" {
      config["activation"] = activation(place.isLast ? choices.last : choices.function)
    } else if layer.className == "RepeatVector" {
      config["n"] = .number(Double(Self.unknownCount))
    } else if layer.className == "Embedding" {
      config["mask_zero"] = .bool(choices.masks)
    } else if layer.className == "Masking" {
      config["mask_value"] = 0
    } else if layer.className == "ZeroPadding1D" {
      config["padding"] = 1
    } else if layer.className == "UpSampling1D" {
      config["size"] = 2
    } else if layer.className == "Cropping1D" {
      config["cropping"] = 1
    } else if layer.className == "Permute" {
      config["dims"] = [2, 1]
    } else if layer.className == "GroupNormalization" {
      config["groups"] = .number(Double(layer.groups))
    } else if layer.className == "Attention" {
      config["use_scale"] = .bool(false)
    }
    return config
  }

  /// Of a line of layers one in which an attention reads its sequence twice, and a mean and a maximum lie side by side.
  private func graph(_ line: [KerasJSON], _ choices: Choices) -> KerasJSON {
    var layers: [KerasJSON] = []
    func reference(_ name: String) -> KerasJSON { [.string(name), 0, 0, .object([:])] }
    func add(_ className: KerasJSON, _ config: KerasJSON, _ name: String, _ reads: [String]) {
      layers.append([
        "class_name": className, "config": config, "name": .string(name),
        "inbound_nodes": reads.isEmpty ? .array([]) : .array([.array(reads.map(reference))]),
      ])
    }
    var last: String?
    for entry in line {
      let name = entry["config"]?["name"]?.string ?? ""
      let className = entry["class_name"]?.string ?? ""
      let reads = last.map { [$0] } ?? []
      if className == KerasFoundLayer.pools {
        var pools: [String] = []
        for (key, pooling) in [("mean", "GlobalAveragePooling1D"), ("max", "GlobalMaxPooling1D")] {
          let own = entry["config"]?[key]?.string ?? key
          add(.string(pooling), ["name": .string(own)], own, reads)
          pools.append(own)
        }
        add(
          "Concatenate", ["name": .string(name), "axis": -1], name, choices.maximumFirst ? pools.reversed() : pools)
      } else {
        add(
          .string(className), entry["config"] ?? .object([:]), name,
          className.hasSuffix("Attention") ? reads + reads : reads)
      }
      last = name
    }
    let first = layers.first?["name"] ?? ""
    return [
      "class_name": "Functional",
      "config": [
        "layers": .array(layers), "input_layers": [[first, 0, 0]],
        "output_layers": [[.string(last ?? ""), 0, 0]],
      ],
    ]
  }

  /// Steps of the input where a dense layer reads a fixed number of them further on.
  private func inputSteps(_ order: [KerasFoundLayer], _ choices: Choices) -> Int? {
    guard var count = steps(order), let flatten = order.firstIndex(where: { $0.className == "Flatten" }) else {
      return nil
    }
    for layer in order[..<flatten].reversed() {
      if layer.className == "RepeatVector" { return nil }
      if layer.isPooling { count *= 2 }
      if layer.className == "ZeroPadding1D" { count -= 2 }
      guard layer.isConvolution, choices.padding == .valid else { continue }
      count += (layer.config["kernel_size"]?.array?.first?.integer ?? 1) - 1
    }
    return count > 0 ? count : nil
  }

  /// Steps that a dense layer reads one after the other.
  func steps(_ order: [KerasFoundLayer]) -> Int? {
    guard let flatten = order.firstIndex(where: { $0.className == "Flatten" }),
      let width = order[..<flatten].last(where: { $0.gives != nil })?.gives,
      let reads = order[flatten...].first(where: \.isDense)?.reads, width > 0, reads % width == 0
    else { return nil }
    return reads / width
  }

  /// Whether a recurrent layer gives every step, by what reads it.
  private func givesSteps(_ order: [KerasFoundLayer], _ index: Int, _ choices: Choices) -> Bool {
    for (place, layer) in order.enumerated().dropFirst(index + 1) {
      if layer.className == "RepeatVector" { return false }
      if layer.className == "Flatten" { return (steps(order) ?? 1) > 1 }
      if layer.isStepwise { return true }
      // A dense layer between two recurrent ones is one of each step.
      if layer.isDense, order[place...].contains(where: \.isRecurrent) {
        return !order[place...].contains { $0.className == "RepeatVector" }
      }
      if layer.isDense { break }
    }
    return options.readout == .all || choices.givesAll
  }

  private func mode(_ order: [KerasFoundLayer], _ index: Int, _ choices: Choices) -> String {
    guard let reads = order[(index + 1)...].compactMap(\.reads).first, reads * 2 == order[index].gives else {
      return "concat"
    }
    return choices.merge == "concat" ? "sum" : choices.merge
  }
}

extension KerasFoundLayer {
  /// Of a group normalization: Keras' default where it divides the features, otherwise one a feature, which stands for
  /// a number that is not known.
  var groups: Int {
    let width = reads ?? 1
    return width % KerasEvidenceGraph.usualGroups == 0 ? KerasEvidenceGraph.usualGroups : width
  }
}
