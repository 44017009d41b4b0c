import FileIO

/// Attention, by its layers and by the products of sequences that people write it with.
extension KerasGraphReading {
  /// `Dot` of a query with each key, or of their softmax with each value.
  mutating func readDot(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    let refusal = unsupported(layer, "has no counterpart here: its products are not those of an attention")
    guard use.read.count == 2, layer.config["normalize"]?.bool != true else { throw refusal }
    let said =
      layer.config["axes"]?.array?.compactMap(\.integer) ?? layer.config["axes"]?.integer.map { [$0, $0] } ?? []
    guard said.count == 2 else { throw refusal }
    var (pair, axes) = (use.read, said)
    if let result = try readWeightedSum(pair, axes, layer) { return result }
    if case .scores? = pair[1].special {
      pair.swapAt(0, 1)
      axes.swapAt(0, 1)
    }
    if case .scores(let query, let key, let isSoftmax)? = pair[0].special {
      guard isSoftmax else { throw refusal }
      let value = try steps(pair[1], layer)
      let isSequence = values[query]?.isPerStep ?? false
      let rank = isSequence ? 3 : 2
      let (own, other) = (axes[0] < 0 ? axes[0] + rank : axes[0], axes[1] < 0 ? axes[1] + 3 : axes[1])
      guard own == rank - 1, other == 1 else { throw refusal }
      // Keras' product sees all steps.
      mixesSteps(value, layer)
      let from = value.name == key ? [query, value.name] : [query, value.name, key]
      let name = try add(Layer.DotAttention(), layer.name, of: layer, reading: from, key: "")
      remember(layer, name)
      guard isSequence else { return KerasValue(name: name, axes: KerasValue.row) }
      let isTurned = use.read[1].isScores
      return KerasValue(name: name, axes: isTurned ? [.feature, .time] : KerasValue.steps)
    }
    var (query, key) = (try rows(pair[0], layer), try rows(pair[1], layer))
    if query.axes == KerasValue.steps, key.axes == KerasValue.row {
      swap(&query, &key)
      axes.swapAt(0, 1)
    }
    let ranks = [query.axes.count + 1, 3]
    let places = zip(axes, ranks).map { $0 < 0 ? $0 + $1 : $0 }
    guard key.axes == KerasValue.steps, places == [ranks[0] - 1, 2], !query.isReversed, !key.isReversed else {
      throw refusal
    }
    mixesSteps(key, layer)
    remember(layer)
    return KerasValue(special: .scores(query: query.name, key: key.name, isSoftmax: false))
  }

  // MARK: - Weights of steps

  /// A softmax over the steps of one score each; nil for more.
  mutating func stepWeights(_ value: KerasValue, _ layer: KerasLayer) -> KerasValue? {
    guard value.axes == KerasValue.steps, let index = layers.firstIndex(where: { $0.name == value.name }),
      let dense = layers[index].kind as? Layer.Dense, dense.activation.isElementwise
    else { return nil }
    // One score of each step, or one of each feature.
    guard dense.size == 1 || layers[index].from.first.flatMap({ values[$0]?.width }) == dense.size else { return nil }
    remember(layer)
    return KerasValue(axes: KerasValue.steps, special: .stepWeights(dense: value.name))
  }

  /// `Multiply` of steps and their weights.
  mutating func weighted(_ read: [KerasValue], _ layer: KerasLayer) throws(CheckpointError) -> KerasValue? {
    guard read.count == 2 else { return nil }
    for (own, other) in [(0, 1), (1, 0)] {
      guard case .stepWeights(let dense)? = read[own].special else { continue }
      let rows = try steps(read[other], layer)
      remember(layer)
      return KerasValue(axes: KerasValue.steps, special: .weighted(name: rows.name, dense: dense))
    }
    return nil
  }

  /// `Dot(axes=1)` of steps and their weights.
  private mutating func readWeightedSum(
    _ read: [KerasValue], _ axes: [Int], _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue? {
    guard axes.allSatisfy({ $0 == 1 || $0 == -2 }), let product = try weighted(read, layer),
      case .weighted(let name, let dense)? = product.special, values[dense]?.width == 1
    else { return nil }
    let sum = try attention(over: name, dense: dense, layer)
    let step = try add(Layer.Reshape(.steps, steps: 1), "\(layer.name)_step", of: layer, reading: [sum], key: "")
    if case .stepWeights? = read[0].special { return KerasValue(name: step, axes: KerasValue.steps) }
    return KerasValue(name: step, axes: [.feature, .time])
  }

  /// The sum of steps, weighted by the softmax of what one dense layer, or two, make of each.
  mutating func attention(over name: String, dense: String, _ layer: KerasLayer) throws(CheckpointError) -> String {
    func find(_ name: String) -> (index: Int, kind: Layer.Dense, from: String)? {
      guard let index = layers.firstIndex(where: { $0.name == name }), let kind = layers[index].kind as? Layer.Dense
      else {
        return nil
      }
      return (index, kind, layers[index].from.first ?? "")
    }
    func tensor(_ index: Int, _ part: String) -> Parameter? {
      parameters.first { $0.layer == index && $0.name == part }
    }
    guard let score = find(dense) else {
      throw unsupported(layer, "weighs the steps by what is no dense layer's output")
    }
    var kind = Layer.Attention(score.kind.size == 1 ? .vector : .feature)
    var parts: [(String, Parameter?)] = []
    if score.from == name {
      (kind.hasBias, kind.scoreActivation) = (score.kind.hasBias, score.kind.activation)
      parts = [("weight", tensor(score.index, "weight")), ("bias", tensor(score.index, "bias"))]
    } else if kind.form == .vector, let inner = find(score.from), inner.from == name, inner.kind.activation == .tanh {
      kind = Layer.Attention(.tanh, size: inner.kind.size)
      (kind.hasBias, kind.hasScoreBias) = (inner.kind.hasBias, score.kind.hasBias)
      kind.scoreActivation = score.kind.activation
      parts = [
        ("weight", tensor(inner.index, "weight")), ("bias", tensor(inner.index, "bias")),
        ("score", tensor(score.index, "weight")), ("score_bias", tensor(score.index, "bias")),
      ]
    } else {
      throw unsupported(
        layer, "has no counterpart here: its weights are made of other steps than those that they weigh")
    }
    if let value = layers.first(where: { $0.name == name }).map({ _ in KerasValue(name: name) }) {
      mixesSteps(value, layer)
    }
    let made = try add(
      kind, layer.name, of: layer, reading: [name], key: "\(layer.name) over steps",
      parameters: parts.compactMap { part, found in found.map { (part, false, $0.tensor, $0.how) } })
    remember(layer, made)
    rename(part: dense, "\(made).score")
    if kind.form == .tanh { rename(part: score.from, "\(made).hidden") }
    return made
  }

  func refuseMasks(_ use: KerasUse) throws(CheckpointError) {
    if use.keywords["attention_mask"] != nil {
      throw unsupported(use.layer, "is called with a mask of its own (attention_mask), which has no counterpart here")
    }
    if use.call.keywords["return_attention_scores"]?.constant?.bool == true {
      throw unsupported(use.layer, "gives its scores, too, which has no counterpart here")
    }
  }

  func isCausal(_ use: KerasUse) -> Bool {
    use.layer.config["causal"]?.bool == true || use.call.keywords["use_causal_mask"]?.constant?.bool == true
  }

  mutating func readAttention(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    try refuseMasks(use)
    let isAdditive = layer.className == "AdditiveAttention"
    // Of somebody's own class by this name nothing is known.
    guard layer.config["use_scale"] != nil || layer.config["causal"] != nil else { throw refusal(of: layer) }
    guard (layer.config["score_mode"]?.string ?? "dot") == "dot", 2...3 ~= use.read.count else {
      throw unsupported(layer, "has scores of another form than a product, or reads other than 2 or 3 values")
    }
    var read: [KerasValue] = []
    for value in use.read { read.append(try steps(value, layer)) }
    var kind = Layer.DotAttention()
    kind.isAdditive = isAdditive
    kind.hasScale = layer.config["use_scale"]?.bool ?? isAdditive
    kind.isCausal = isCausal(use)
    if read.contains(where: \.isReversed) { try refuseReversed(read.first { $0.isReversed } ?? read[0], layer) }
    let tensors = try weights(of: layer, kind.hasScale ? 1 : 0)
    if kind.isCausal, read.dropFirst().contains(where: { $0.hasMask != read[0].hasMask }) {
      throw unsupported(
        layer, "has no counterpart here: it is causal, and a mask hides steps of its query alone, or of its value alone"
      )
    }
    // To a query without the mask every step is one.
    if !read[0].hasMask { mixesSteps(read[0], layer) }
    passesOverHiddenSteps(read[1], layer)
    if read.count == 3 { passesOverHiddenSteps(read[2].name == read[1].name ? read[1] : read[2], layer) }
    var from = read.map(\.name)
    if from.count == 3, from[2] == from[1] { from.removeLast() }
    let name = try add(
      kind, layer.name, of: layer, reading: from, key: use.path, parameters: tensors.map { ("scale", false, $0, nil) })
    remember(layer, name)
    return read[0].given(by: name)
  }
}

extension KerasValue {
  fileprivate var isScores: Bool { if case .scores? = special { true } else { false } }
}
