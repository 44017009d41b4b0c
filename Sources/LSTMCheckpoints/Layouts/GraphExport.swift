import FileIO

/// The tensors of a graph as a state_dict: under the source's own names where it had PyTorch's, else under the project's.
struct GraphExport {
  private let file: String
  private let configuration: ModelConfiguration
  private let options: WriteOptions
  private let names: StateDictNames
  private var stored: [String: StoredTensor]
  private var result: [NamedTensor] = []

  /// - Throws: `CheckpointError.cannotWrite` when a tensor is missing.
  init(_ model: StoredModel, to file: String, options: WriteOptions) throws(CheckpointError) {
    (self.file, self.options, configuration) = (file, options, model.configuration)
    names = StateDictNames(provenance: model.provenance, configuration: model.configuration)
    stored = Dictionary(model.tensors.map { ($0.name, $0) }) { first, _ in first }
    // Each place of a tied parameter has it.
    for group in configuration.validTies {
      for name in group.dropFirst() { stored[name] = stored[group[0]]?.renamed(name) }
    }
    for place in configuration.places where stored[place.name]?.shape != place.shape {
      throw .cannotWrite(file: file, detail: "the model has no \(place.name) \(shapeText(place.shape))")
    }
  }

  /// In the order of the layers.
  func tensors() throws(CheckpointError) -> [NamedTensor] {
    var copy = self
    for (index, layer) in configuration.layers.enumerated() {
      let places = configuration.parameters(ofLayer: index)
      switch layer.kind {
      case let kind as Layer.Recurrent: copy.add(kind, places)
      case is Layer.BatchNorm: copy.addBatchNorm(places)
      case is Layer.Attention: copy.addAttention(places)
      case is Layer.DotAttention: copy.addScores(places)
      case let kind as Layer.Convolution where kind.kernel.count == 2:
        // PyTorch's images are (C, height, width), and steps run along the width.
        for place in places {
          let isKernel = place.shape.count == 4
          copy.add(place.name, isKernel ? copy.stored[place.name]?.swappingLastAxes() : copy.stored[place.name])
        }
      default: for place in places { copy.add(place.name) }
      }
    }
    copy.addStates()
    var seen = Set<String>()
    if let twice = copy.result.first(where: { !seen.insert($0.name).inserted }) {
      throw .cannotWrite(file: file, detail: "two tensors are called \(twice.name)")
    }
    return names.completed(copy.result)
  }

  private func typed(_ tensor: StoredTensor) -> StoredTensor {
    options.dataType.map { tensor.converted(to: $0) } ?? tensor
  }

  private mutating func add(_ place: String, as name: String? = nil, _ other: StoredTensor? = nil, how: String? = nil) {
    guard let tensor = other ?? stored[place] else { return }
    result.append(NamedTensor(name: name ?? names.name(of: place), tensor: typed(tensor), source: place, how: how))
  }

  // MARK: - Kinds that the frameworks keep otherwise

  /// PyTorch's modules have two biases or none; what else is added to a gate goes into the first.
  private mutating func add(_ kind: Layer.Recurrent, _ places: [ParameterSpecification]) {
    for place in places {
      guard case .cell(let part) = place.part, part != .initialHidden, part != .initialCell else { continue }
      guard part == .inputBias, let bias = stored[place.name] else {
        add(place.name)
        continue
      }
      let wantsOne = options.bias == .single
      var one = bias
      var how: String?
      let other = place.name.replacing("bias_ih", with: "bias_hh")
      // A GRU's two biases act in two places.
      if wantsOne, kind.bias == .dual, kind.cell != .gru, let recurrent = stored[other] {
        one = bias.adding(recurrent)
        how = "two biases summed"
        stored[other] = .zeros(other, like: recurrent)
      }
      if kind.forgetOffset != 0 {
        one = one.adding(kind.forgetOffset, to: kind.size..<2 * kind.size)
        how = (how.map { $0 + "; " } ?? "") + "\(kind.forgetOffset) added to the forget gate's, rounded once"
      }
      add(place.name, one, how: how)
      if kind.bias == .single, !names.isFromPyTorch {
        add(other, .zeros(other, like: bias), how: "zeros, there was one bias")
      }
    }
  }

  private mutating func add(_ place: String, _ tensor: StoredTensor?, how: String? = nil) {
    add(place, as: nil, tensor, how: how)
  }

  /// PyTorch counts the batches beside the statistics.
  private mutating func addBatchNorm(_ places: [ParameterSpecification]) {
    for place in places { add(place.name) }
    guard let mean = places.first(where: { $0.name.hasSuffix("running_mean") }) else { return }
    let name = names.name(of: mean.name).moduleAndLeaf.module
    let counter = (name.isEmpty ? "" : name + ".") + "num_batches_tracked"
    let zero = StoredTensor(name: counter, shape: [], dataType: .int64) { [UInt8](repeating: 0, count: 8) }
    result.append(NamedTensor(name: counter, tensor: zero, source: mean.name, how: "0, which evaluation does not read"))
  }

  private mutating func addAttention(_ places: [ParameterSpecification]) {
    for place in places {
      guard var tensor = stored[place.name] else { continue }
      var name = names.name(of: place.name)
      if name == place.name {
        // A layer of its own inside, as `nn.Linear`.
        if let stem = name.droppingSuffix(".score") { name = stem + ".score.weight" }
        if let stem = name.droppingSuffix(".score_bias") { name = stem + ".score.bias" }
      } else if name.moduleAndLeaf.leaf != "weight", name.moduleAndLeaf.leaf != "bias" {
        // A parameter by itself is multiplied from the right.
        let known = shape(of: place.name)
        if tensor.shape.count == 2, tensor.shape[0] > 1 { tensor = tensor.transposed() }
        if let known, elementCount(known) == tensor.elementCount { tensor = tensor.reshaped(known) }
      } else if let known = shape(of: place.name), elementCount(known) == tensor.elementCount {
        tensor = tensor.reshaped(known)
      }
      add(place.name, as: name, tensor)
    }
  }

  /// Scores of products: a vector by itself, or a layer of its own with one output.
  private mutating func addScores(_ places: [ParameterSpecification]) {
    for place in places {
      guard let tensor = stored[place.name] else { continue }
      let known = shape(of: place.name)
      let isOther = known.map { elementCount($0) == tensor.elementCount } ?? false
      add(place.name, isOther ? tensor.reshaped(known ?? tensor.shape) : tensor)
    }
  }

  /// The shape that the source has it in, where that is another.
  private func shape(of place: String) -> [Int]? { names.sourceShape(of: place) }

  /// Learned first states, together where the source had them so, else for each layer (D, 1, H).
  private mutating func addStates() {
    let places = configuration.places.filter { place in
      place.part == .cell(.initialHidden) || place.part == .cell(.initialCell)
    }
    func isNamed(_ place: ParameterSpecification) -> Bool {
      names.isFromPyTorch && names.provenance?.mapping[place.name] != nil
    }
    let groups = places.grouped { place in
      isNamed(place)
        ? names.name(of: place.name)
        : place.role.layer + (place.part == .cell(.initialHidden) ? "_h0" : "_c0")
    }
    for (name, members) in groups {
      let tensors = members.compactMap { stored[$0.name] }
      guard let width = tensors.first?.shape.last else { continue }
      let isAlone = members.count == 1 && isNamed(members[0])
      let shape = shape(of: members[0].name) ?? (isAlone ? [width] : [tensors.count, 1, width])
      var joined = StoredTensor.concatenating(tensors.map { $0.reshaped([1, width]) })
      if elementCount(shape) == joined.elementCount { joined = joined.reshaped(shape) }
      result.append(
        NamedTensor(name: name, tensor: typed(joined), source: members.map(\.name).joined(separator: " + ")))
    }
  }
}

extension StoredTensor {
  /// (..., R, C) -> (..., C, R)
  func swappingLastAxes() -> StoredTensor {
    let rank = shape.count
    guard rank > 1 else { return self }
    let (rows, columns, width) = (shape[rank - 2], shape[rank - 1], dataType.byteCount)
    var made = shape
    made.swapAt(rank - 2, rank - 1)
    let one = self
    return StoredTensor(name: name, shape: made, dataType: dataType, isBigEndian: isBigEndian) {
      let bytes = try one.bytes()
      let area = rows * columns * width
      guard area > 0 else { return bytes }
      var swapped: [UInt8] = []
      swapped.reserveCapacity(bytes.count)
      for plane in 0..<bytes.count / area {
        for column in 0..<columns {
          for row in 0..<rows {
            let at = plane * area + (row * columns + column) * width
            swapped += bytes[at..<at + width]
          }
        }
      }
      return swapped
    }
  }
}
