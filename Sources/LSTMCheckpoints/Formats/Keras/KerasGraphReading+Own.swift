import FileIO

/// Layers of somebody's own: functions of Python's, and the attention of tutorials.
extension KerasGraphReading {
  /// What its code shows, or somebody says.
  mutating func readLambda(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let shown = KerasLambda(layer.config)?.form
    guard let form = shown ?? lambda else { throw refusal(of: layer) }
    if let shown {
      reading.translation.assumed.add(
        "\(layer.text) is the \(shown.words) over the steps, as the names in its code say")
    } else {
      reading.translation.assumed.add("\(layer.text) is the \(form.words) of the steps, as is said")
    }
    if form == .sum, case .weighted(let rows, let dense)? = value.special {
      return KerasValue(name: try attention(over: rows, dense: dense, layer), axes: KerasValue.row)
    }
    let input = try steps(value, layer)
    mixesSteps(input, layer)
    let take: Layer.Readout.Take
    switch form {
    case .sum: take = .sum
    case .mean: take = .mean
    case .max: take = .max
    case .last: take = input.isReversed ? .first : .last
    case .first: take = input.isReversed ? .last : .first
    }
    let name = try add(Layer.Readout(take), layer.name, of: layer, reading: [input.name], key: "")
    remember(layer, name)
    return KerasValue(name: name, axes: KerasValue.row)
  }

  /// `AttentionLayer`, `AttentionWithContext` and the like, of which shapes decide the usual form; nil for another class.
  mutating func readOwnAttention(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue? {
    let says = layer.className.lowercased()
    guard says.contains("attention") || says.hasPrefix("att") || says.hasSuffix("att"), !layer.weights.isEmpty,
      KerasLayerKinds.computing(layer.className) == nil || layer.className == "Attention"
    else { return nil }
    for key in ["return_attention", "return_sequences", "return_scores"] where layer.config[key]?.bool == true {
      return nil
    }
    let tensors = try reading.take(layer.weights, of: layer.text)
    let input = try steps(value, layer, width: tensors[0].shape.first)
    guard let width = values[input.name]?.width, let own = Self.form(tensors, width: width) else { return nil }
    try refuseReversed(input, layer)
    passesOverHiddenSteps(input, layer)
    let name = try add(own.kind, layer.name, of: layer, reading: [input.name], key: path, parameters: own.parts)
    remember(layer, name)
    reading.translation.assumed.add(
      "\(layer.text), a class of somebody's own, is the sum of the steps, weighted by the softmax over time of \(own.words)"
    )
    return KerasValue(name: name, axes: KerasValue.row)
  }

  /// W and perhaps b and u of a score of each step.
  private static func form(
    _ tensors: [StoredTensor], width: Int
  ) -> (kind: Layer.Attention, parts: [Named], words: String)? {
    func row(_ tensor: StoredTensor) -> StoredTensor { tensor.reshaped([1, tensor.elementCount]) }
    let shapes = tensors.map(\.shape)
    let isVector = shapes[0] == [width, 1] || shapes[0] == [width]
    if isVector, shapes.count == 1 {
      return (Layer.Attention(.vector), [("weight", false, row(tensors[0]), nil)], "a product of each with its weight")
    }
    // A bias without tanh would do nothing. One of each step has no counterpart.
    if isVector, shapes.count == 2, tensors[1].elementCount == 1 {
      var kind = Layer.Attention(.vector)
      (kind.hasBias, kind.scoreActivation) = (true, .tanh)
      return (
        kind, [("weight", false, row(tensors[0]), nil), ("bias", false, tensors[1].reshaped([1]), nil)],
        "the tanh of a product of each with its weight, and its bias"
      )
    }
    guard shapes.count == 3, shapes[0].count == 2, shapes[0][0] == width, shapes[1] == [shapes[0][1]],
      shapes[2] == [shapes[0][1]] || shapes[2] == [shapes[0][1], 1]
    else { return nil }
    var kind = Layer.Attention(.tanh, size: shapes[0][1])
    (kind.hasBias, kind.hasScoreBias) = (true, false)
    return (
      kind,
      [
        ("weight", false, tensors[0].transposed(), "transposed"), ("bias", false, tensors[1], nil),
        ("score", false, row(tensors[2]), nil),
      ], "u times the tanh of W times each, and b"
    )
  }
}
