import FileIO

/// Turns a Keras file's tensors into the project's, cell by cell.
struct KerasReading: FileReading {
  let file: String
  let version: KerasVersion
  let tensors: [String: StoredTensor]
  var translation: Translation
  /// Layers that CuDNN's code kept, whose bias is (8H).
  private(set) var hasCuDNN = false
  private(set) var hasKeras1 = false
  private(set) var used = Set<String>()
  private(set) var layerCount = 0
  private(set) var headCount = 0

  init(_ structure: KerasStructure, _ candidates: [Candidate], file: String) {
    self.file = file
    version = structure.version
    tensors = Dictionary(candidates.map { ($0.tensor.name, $0.tensor) }) { first, _ in first }
    translation = Translation(.keras)
  }

  var layout: Layout { hasKeras1 ? .keras1 : hasCuDNN ? .kerasCuDNN : .keras }

  mutating func take(_ names: [String], of layer: String) throws(CheckpointError) -> [StoredTensor] {
    var result: [StoredTensor] = []
    for name in names {
      guard let tensor = tensors[name] else {
        throw .corrupt(tensor: name, detail: "\(layer) needs it, but it is not among the tensors looked at")
      }
      used.insert(name)
      result.append(tensor)
    }
    return result
  }

  /// What was done, for the report.
  typealias How = (matrices: String, biases: String?)

  /// A cell from its weights in Keras' order: kernel, recurrent kernel, bias, or Keras 1's twelve.
  mutating func cell(_ names: [String], of layer: String) throws(CheckpointError) -> (RecurrentCell, How) {
    let tensors = try take(names, of: layer)
    if tensors.count == 12 {
      func each(_ first: Int) -> [StoredTensor] { stride(from: first, to: 12, by: 3).map { tensors[$0] } }
      hasKeras1 = true
      let cell = try RecurrentLayout.keras1.read(.init(input: each(0), recurrent: each(1), inputBias: each(2)))
      return (cell, ("gates i c f o joined, transposed", "gates i c f o joined"))
    }
    guard tensors.count == 2 || tensors.count == 3 else {
      throw unsupported("\(layer) has \(tensors.count) weights; an LSTM has 2, 3 or, in Keras 1, 12")
    }
    let shape = tensors[1].shape
    guard shape.count == 2, shape[0] > 0, shape[1] % 4 == 0, shape[1] / 4 == shape[0] else {
      throw unsupported(
        "\(layer) is no LSTM: its recurrent weight is \(shapeText(shape)), not (H, 4H)"
          + (shape.count == 2 && shape[1] % 3 == 0 && shape[1] / 3 == shape[0]
            ? "; 3H = \(shape[1]): a GRU"
            : shape.count == 2 && shape[1] == shape[0]
              ? ", but (H, H): a plain RNN" : ""))
    }
    let isCuDNN = tensors.count == 3 && tensors[2].shape.count == 1 && tensors[2].shape[0] / 8 == shape[0]
    if isCuDNN { hasCuDNN = true }
    let cell = try (isCuDNN ? RecurrentLayout.cudnn : .keras).read(
      .init(input: [tensors[0]], recurrent: [tensors[1]], inputBias: Array(tensors.dropFirst(2))))
    return (cell, isCuDNN ? ("CuDNN's blocks turned", "half of the bias (8H)") : ("transposed", nil))
  }

  /// Adds the next LSTM layer.
  /// - Parameter directions: the weights of each, forward first.
  mutating func addLayer(
    _ directions: [[String]], of layer: String, gates: PlainStack.GateActivation
  ) throws(CheckpointError) -> [RecurrentCell] {
    var cells: [RecurrentCell] = []
    for (index, names) in directions.enumerated() {
      var (cell, how) = try cell(names, of: layer)
      cell.gateActivation = gates
      translation.add(cell, layer: layerCount, reverse: index == 1) {
        $0 == .inputBias || $0 == .recurrentBias ? how.biases : how.matrices
      }
      cells.append(cell)
    }
    layerCount += 1
    return cells
  }

  /// Adds the next dense layer of the head, (S, O) transposed.
  mutating func addDense(_ names: [String], of layer: String) throws(CheckpointError) -> [StoredTensor] {
    let tensors = try take(names, of: layer)
    guard let kernel = tensors.first, tensors.count <= 2 else {
      throw .corrupt(tensor: layer, detail: "a dense layer has a kernel and perhaps a bias, found \(tensors.count)")
    }
    try kernel.requireRank(2, "a dense layer's kernel (S, O)")
    if tensors.count == 2 {
      try tensors[1].require([kernel.shape[1]], "the bias", "a kernel \(shapeText(kernel.shape))")
    }
    translation.add("head.\(headCount).weight", kernel.transposed(), how: "transposed")
    if tensors.count == 2 { translation.add("head.\(headCount).bias", tensors[1]) }
    headCount += 1
    return tensors
  }

  mutating func addEmbedding(_ names: [String], of layer: String) throws(CheckpointError) -> StoredTensor {
    let tensors = try take(names, of: layer)
    guard tensors.count == 1 else {
      throw .corrupt(tensor: layer, detail: "an embedding has one weight, found \(tensors.count)")
    }
    try tensors[0].requireRank(2, "an embedding (V, E)")
    translation.add("embedding.weight", tensors[0])
    return tensors[0]
  }

  /// (S, 1) -> (1, S)
  mutating func addAttention(_ name: String) throws(CheckpointError) {
    for tensor in try take([name], of: "the attention") {
      translation.add("attention.weight", tensor.transposed(), how: "transposed")
    }
  }

  /// What no layer took.
  mutating func leaveOutTheRest(_ candidates: [Candidate], because reason: Message) {
    for candidate in candidates where !used.contains(candidate.tensor.name) {
      let isHarmless = KerasStructure.isHarmless(candidate.tensor.name)
      translation.leaveOut(
        candidate, reason: isHarmless ? "an optimizer's, a metric's or a generator's; no part of the model" : reason,
        isHarmless: isHarmless)
    }
  }
}

extension KerasStructure: ModelStructure {
  func translate(_ candidates: [Candidate], file: String, options: LoadOptions) throws(CheckpointError) -> Translation {
    if let layout = options.layout, !layout.isKeras {
      throw .invalid(.layout, "\(layout.rawValue)", "\(file) is Keras' and says itself which layer is which")
    }
    if model == nil {
      let counted = candidates.filter { options.globsAllowing($0).isEmpty }
      try NamedLayout.refuseNormalizedCells(counted, TensorKinds(candidates), file: file)
    }
    var translation: Translation
    var isWhole = false
    let available = Set(candidates.map(\.tensor.name))
    if let path = options.architecture {
      guard model == nil || architecture != nil else {
        throw .invalid(.architecture, path, "\(file) describes its model itself")
      }
      var options = options
      options.architecture = nil
      return try described(by: KerasArchitecture(path: path)).translate(candidates, file: file, options: options)
    }
    if let given = options.configuration, given.stack == nil, model == nil {
      translation = try KerasGraphWeights(self, candidates, file: file, given: given).translation()
    } else if model != nil, options.prefix == nil || namedWeights.allSatisfy(available.contains) {
      do throws(CheckpointError) {
        translation = try described(candidates, file: file, options: options)
        isWhole = true
      } catch {
        // A description may say what the file does not; what it does say stands.
        guard let whole = options.configuration, case .unsupported(_, _, [kerasConfigAdvice]) = error else {
          throw error
        }
        if let given = whole.stack {
          try KerasKnownParts(self, file: file).check(against: given)
          translation = try KerasUnits(self, candidates, file: file, options: options).translation()
        } else {
          translation = try KerasGraphWeights(self, candidates, file: file, given: whole).translation()
        }
        translation.notes.append("its own model configuration was not used: \(error.message)")
      }
    } else if let found = try evidence(candidates, file: file, options: options) {
      translation = found
    } else {
      translation = try KerasUnits(self, candidates, file: file, options: options).translation()
    }
    if let layout = options.layout, layout != translation.layout {
      throw .invalid(
        .layout, "\(layout.rawValue)", "the shapes of the tensors are those of \(translation.layout.rawValue)")
    }
    translation.evidence = evidence(isWhole: isWhole, translation.layout)
    return translation
  }

  /// A file of weights alone as one line of layers; nil for what is read as a plain stack.
  private func evidence(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation? {
    let beyond = options.activationsBeyondStack
    if let (setting, activation) = beyond.first(where: { $0.1 == .leakyReLU }) {
      throw .invalid(
        setting, "\(activation.rawValue)", "Keras has it with the slopes 0.3 (LeakyReLU) and 0.2 (leaky_relu)",
        advice: ["describe the whole model, with leaky relu alpha 0.3 or 0.2: \(.model, "LINE")"])
    }
    return try KerasEvidenceGraph(
      self, candidates, file: file, options: options, acceptsPlain: !beyond.isEmpty)?.translation()
  }

  /// The model that the file describes: a plain stack, or any graph of layers.
  private func described(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation {
    do throws(CheckpointError) {
      return try KerasModelReading(self, candidates, file: file, options: options).translation
    } catch {
      guard case .unsupported = error else { throw error }
    }
    do throws(CheckpointError) {
      return try KerasGraphReading(self, candidates, file: file, timeAxis: 0).reading.translation
    } catch {
      if let said = try lambdas(candidates, file: file, options: options) { return said }
      // Images may have time along their second axis.
      if case .unsupported = error,
        let other = try? KerasGraphReading(self, candidates, file: file, timeAxis: 1).reading.translation
      {
        return other
      }
      throw error
    }
  }

  /// A model with a function of Python's, of which a person says what it gives.
  /// - Throws: `CheckpointError.ambiguous` with the models that it may be; nil where that is no question.
  private func lambdas(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation? {
    var found: [(line: String, translation: Translation)] = []
    guard KerasKnownParts(self, file: file).configs("Lambda").allSatisfy({ KerasLambda($0)?.mayReadOut ?? true }) else {
      return nil
    }
    for form in KerasLambda.Form.allCases {
      guard let reading = try? KerasGraphReading(self, candidates, file: file, timeAxis: 0, lambda: form).reading,
        let line = reading.translation.graph?.line
      else { continue }
      found.append((line, reading.translation))
    }
    if found.isEmpty { return nil }
    if let given = options.configuration { return found.first { $0.line == given.line }?.translation }
    let layer = KerasKnownParts(self, file: file).first("Lambda") ?? "a Lambda"
    throw .ambiguous(
      file: file,
      detail:
        "\(layer) runs a function of Python's, which the file does not say: it may give the last step, the first, or "
        + "the mean, the sum or the maximum of all",
      advice: found.prefix(3).map { "\(.model, $0.line)" })
  }

  private var namedWeights: [String] { if case .layers = weights { everyWeight } else { [] } }

  private func evidence(isWhole: Bool, _ layout: Layout) -> [Message] {
    var list: [Message] = []
    switch weights {
    case .layers: list.append("attributes layer_names and weight_names")
    case .objects: list.append("objects with vars/0, vars/1, as Keras 3 stores them")
    }
    if version == .one { list.append("no keras_version: Keras 1") }
    if version.isKnown, version != .one { list.append("keras_version \(version.text)") }
    if layout == .kerasCuDNN { list.append("biases of 8H: CuDNNLSTM") }
    if isWhole { list.append("the model's own configuration") }
    return list
  }
}
