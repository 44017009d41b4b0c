import FileIO

/// The LSTM layers of a file, in order, and the tensors that are none of theirs.
struct LSTMStack: FileReading {
  let file: String
  var layers: [FoundLayer] = []
  private(set) var others: [Candidate] = []
  var leftOver: [LeftOver] = []
  var notes: [Message] = []
  var assumed: [Assumption] = []

  /// - Parameter prefix: what ``LoadOptions/prefix`` took off the names, to be put back in messages.
  init(
    _ candidates: [Candidate], kinds: TensorKinds, file: String, prefix: String, options: LoadOptions
  ) throws(CheckpointError) {
    self.file = file
    collect(candidates, kinds)
    guard !layers.isEmpty else { throw noLSTM(candidates, kinds) }
    layers.sort { $0.module == $1.module ? $0.index < $1.index : isNaturallyBefore($0.module, $1.module) }
    try order(options, prefix: prefix)
    try fillGaps()
    guard layers.count <= PlainStack.depthLimit else {
      throw ambiguous(
        "holds \(layers.count) LSTM layers; a model has at most \(PlainStack.depthLimit)",
        "choose one LSTM with \(.prefix)")
    }
    if options.stack == nil {
      try checkOneStack(
        prefix: prefix, isDescribed: options.given?.layers.count == layers.count, others: others)
    }
  }

  private mutating func collect(_ candidates: [Candidate], _ kinds: TensorKinds) {
    struct Place: Hashable {
      let module: String
      let index: Int
    }
    var places: [Place: Int] = [:]
    var raw = Set<String>()
    for candidate in candidates {
      guard let name = PyTorchName(candidate.name), kinds.recurrentKind(candidate) == nil else {
        others.append(candidate)
        continue
      }
      let place = Place(module: name.module, index: name.layer)
      let at = places[place] ?? layers.count
      if at == layers.count {
        places[place] = at
        layers.append(FoundLayer(module: name.module, index: name.layer, isCell: name.isCell))
      }
      let earlier = layers[at].tensors[name.kind]?[name.isReverse]
      if let earlier {
        // Weight drop stores the true weight as `_raw` and a dropped copy beside it.
        let earlierIsRaw = raw.contains(earlier.name)
        let copy: Message = "a copy with dropout applied; the true weight is the one with _raw"
        switch (name.isRaw, earlierIsRaw) {
        case (true, false): leftOver.append(.init(candidate: earlier, reason: copy, isHarmless: true))
        case (false, true):
          leftOver.append(.init(candidate: candidate, reason: copy, isHarmless: true))
          continue
        default:
          leftOver.append(.init(candidate: candidate, reason: "\(earlier.tensor.name) already has its place"))
          continue
        }
      }
      if name.isRaw { raw.insert(candidate.name) }
      layers[at].tensors[name.kind, default: [:]][name.isReverse] = candidate
    }
  }

  /// Puts a layer of which the file has nothing between those of which it has something, so that it is reported
  /// missing and those above keep their numbers.
  private mutating func fillGaps() throws(CheckpointError) {
    var filled: [FoundLayer] = []
    for layer in layers {
      let below = filled.last.flatMap { $0.module == layer.module ? $0.index : nil } ?? -1
      let gap = layer.index - below - 1
      guard gap <= 64 else {
        throw ambiguous(
          "\(layer.name(.inputWeight, isReverse: false)) is of layer \(layer.index), but "
            + (below < 0 ? "there is none below it" : "the one below it is of layer \(below)"),
          "rename it with \(.rules, "REGEX=REPLACEMENT"), or leave it out with \(.allowedUnexpected, "GLOB")")
      }
      for index in (below + 1)..<(below + 1 + max(gap, 0)) {
        filled.append(FoundLayer(module: layer.module, index: index, assumed: layer.configuration))
      }
      filled.append(layer)
    }
    layers = filled
  }

  private func noLSTM(_ candidates: [Candidate], _ kinds: TensorKinds) -> CheckpointError {
    for candidate in candidates where candidate.shape.count == 2 {
      guard let kind = kinds.recurrentKind(candidate),
        ["weight_hh", "recurrent_kernel"].contains(where: candidate.name.contains)
      else { continue }
      return unsupported("\(candidate.tensor.name) \(shapeText(candidate.shape)): \(kind.reason)")
    }
    let names = candidates.map(\.tensor.name)
    guard !names.isEmpty else { return ambiguous("holds no tensors") }
    var advice: [Message]
    if names.contains(where: { $0.utf8.count >= 16 && $0.contains("recurrent_kernel") }) {
      advice = ["this looks like Keras, whose LSTM has a kernel beside each recurrent_kernel"]
    } else if candidates.contains(where: { PyTorchName.isWeightNormFactor($0.name) }) {
      advice = ["its weights are weight-normalized; \(Self.weightNormAdvice)"]
    } else {
      let known = LayoutRegistry.standard.named.map(\.layout.rawValue)
      advice = [
        "rename tensors with \(.rules, "REGEX=REPLACEMENT"), for example \(.rules, "^rnn_(.*)$=lstm.$1")",
        "or say whose they are with \(.layout) \(known.joined(separator: ", "))",
      ]
    }
    return .ambiguous(
      file: file, detail: "holds no LSTM: expected names like weight_ih_l0 and weight_hh_l0, found \(nameList(names))",
      advice: advice)
  }

  static let weightNormAdvice =
    "fold them with torch.nn.utils.remove_weight_norm (or parametrize.remove_parametrizations)"
    + " before saving"
}
