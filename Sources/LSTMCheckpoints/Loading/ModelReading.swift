import FileIO

/// Finds the model that a file's tensors make: a graph that is known, else a plain stack, else a graph that names, shapes
/// and the order in the file give.
struct ModelReading {
  let translation: Translation
  let checkpoint: Checkpoint
  let options: LoadOptions
  let prefix: String
  private var file: String { checkpoint.path }

  init(_ translation: Translation, of checkpoint: Checkpoint, prefix: String, options: LoadOptions) {
    (self.translation, self.checkpoint, self.prefix, self.options) = (translation, checkpoint, prefix, options)
  }

  func model() throws(CheckpointError) -> ResolvedModel {
    if let graph = options.configuration, graph.stack == nil {
      return try GraphResolution(
        file: file, graph: try settled(graph), translation: translation, checkpoint: checkpoint, options: options
      ).model
    }
    if let (setting, activation) = options.activationsBeyondStack.first, translation.graph == nil {
      if let graph = try graph(instead: nil) { return graph }
      let known = PlainStack.Activation.allCases.map(\.rawValue).joined(separator: ", ")
      throw .invalid(
        setting, "\(activation.rawValue)", "expected \(known)",
        advice: ["for another describe the whole model with \(.model, "LINE")"])
    }
    var plain: ResolvedModel
    do throws(CheckpointError) {
      plain = try stack()
    } catch {
      guard let graph = try graph(instead: error) else { throw error }
      return graph
    }
    if options.heads != nil { plain.notes.append("\(.heads) has no effect: the model has no heads of attention") }
    if plain.isWhole(options) { return plain }
    return try graph(instead: nil) ?? plain
  }

  /// A readout that a graph leaves open is what a user says; all else it says itself.
  private func settled(_ graph: ModelConfiguration) throws(CheckpointError) -> ModelConfiguration {
    var layers = graph.layers
    var isOpen = false
    if let readout = options.readout, let take = Layer.Readout.Take(rawValue: readout.rawValue) {
      for index in layers.indices where layers[index].kind as? Layer.Readout == Layer.Readout(.undecided) {
        layers[index].kind = Layer.Readout(take)
        isOpen = true
      }
    }
    let isGiven = translation.graph == nil && !checkpoint.format.holdsWholeModel
    let settings: [(Setting, Bool)] = [
      (.readout, options.readout != nil && !isOpen), (.activation, options.activation != nil),
      (.readoutActivation, options.readoutActivation != nil), (.outputActivation, options.outputActivation != nil),
      (.heads, options.heads != nil),
    ]
    for (setting, isSaid) in settings where isGiven && isSaid {
      throw .invalid(setting, nil, "the model's description already says it")
    }
    guard isOpen, let settled = try? graph.with(layers: layers) else { return graph }
    return settled
  }

  private func stack() throws(CheckpointError) -> ResolvedModel {
    var stack = try ModelResolution(
      file: file, translation: translation, prefix: prefix, options: options, keepsOrder: checkpoint.keepsOrder,
      sharing: checkpoint.sharing)
    let conflicts = try stack.settleTies(checkpoint, translation.layout, options)
    var resolved = stack.resolved
    resolved.conflicts = conflicts
    return resolved
  }

  /// - Parameter error: why it is no plain stack.
  /// - Throws: `CheckpointError.ambiguous` with the models that it may be.
  private func graph(instead error: CheckpointError?) throws(CheckpointError) -> ResolvedModel? {
    guard translation.layout == .pytorch, checkpoint.structure == nil, !checkpoint.format.holdsWholeModel,
      options.configuration == nil, translation.configuration == nil
    else { return nil }
    let candidates = translation.candidates.filter { options.globsAllowing($0).isEmpty }
    let reading = GraphReading(candidates, file: file, options: options, keepsOrder: checkpoint.keepsOrder)
    switch reading.outcome() {
    case .unknown: return nil
    case .invalid(let setting, let activation, let reason):
      throw .invalid(
        setting, activation.rawValue, reason,
        advice: ["say it behind its layer: \(.model, "LINE") describes the whole model"])
    case .question(let detail, let models, let others):
      var lines = models.map { "\(.model, GraphReading.line($0))" as Message }
      for (index, other) in others.enumerated() where index < lines.count {
        lines[index] += ", or \(.model, GraphReading.line(other))"
      }
      throw .ambiguous(file: file, detail: detail, advice: lines)
    case .arrangement(let detail, let models, let stack):
      let lines = models.map { "\(.model, GraphReading.line($0))" as Message }
      var (what, own) = (detail, [Message]())
      if case .ambiguous(_, let detail, let advice)? = error { (what, own) = (detail, advice) }
      if !stack.isEmpty {
        let modules = stack.map { prefix.isEmpty ? $0 : prefix + "." + $0 }.joined(separator: ",")
        let above: Message = "if each reads what the one before gives, and nothing else: \(.stack, modules)"
        if lines.count > 1 { what += "; \(above)" }
        // Who asked already knows of the order, or of something likelier.
        if !lines.isEmpty || own.isEmpty { own = [above] }
      }
      throw .ambiguous(file: file, detail: what, advice: Array((lines + own).prefix(2)))
    case .model(var found):
      found.notes = translation.notes + found.notes
      found.assumed = translation.assumed + found.assumed
      found.leftOver += translation.leftOver
      let allowed = translation.candidates.filter { !options.globsAllowing($0).isEmpty }
      let kinds = TensorKinds(translation.candidates)
      found.leftOver += allowed.map {
        let kind = kinds.kind(of: $0)
        return LeftOver(
          candidate: $0, reason: "\(kind == .unknown ? "" : kind.noun + "; ")left out as allowed", kind: kind)
      }
      return GraphResolution(file: file, found: found, checkpoint: checkpoint, options: options).model
    }
  }
}

extension ResolvedModel {
  /// Whether every place has a tensor that fits, and nothing that counts is left.
  fileprivate func isWhole(_ options: LoadOptions) -> Bool {
    guard knowsInputSize, conflicts.isEmpty else { return false }
    let isLeft = leftOver.contains { !$0.isHarmless && options.globsAllowing($0.candidate).isEmpty }
    if isLeft { return false }
    return configuration.places.allSatisfy { place in
      mapping[place.name]?.shape == place.shape || configuration.parameterName(of: place.name) != place.name
        || options.allowedMissing.contains { matches(place.name, glob: $0) }
    }
  }
}
