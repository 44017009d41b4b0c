import FileIO

/// An encoder and a decoder, as their modules are called: the decoder starts from the encoder's state and reads an input of
/// its own, or reads what is left of the sequence at every step, as autoencoders do.
struct GraphEncoderDecoder {
  private(set) var proposals: [ModelConfiguration] = []
  private(set) var detail: Message = ""
  private let kinds: TensorKinds
  private let options: LoadOptions

  /// nil when there are no two parts of these names that go together.
  init?(_ parts: GraphParts, _ kinds: TensorKinds, _ options: LoadOptions, keepsOrder: Bool) {
    (self.kinds, self.options) = (kinds, options)
    guard parts.attention == nil, parts.products == nil, parts.crf == nil, parts.states.isEmpty else { return nil }
    var encoder = parts.sequence.filter { $0.says("enc") && !$0.says("dec") }
    var decoder = parts.sequence.filter { $0.says("dec") && !$0.says("enc") }
    guard encoder.contains(where: { $0.recurrent != nil }), decoder.contains(where: { $0.recurrent != nil }) else {
      return nil
    }
    for module in parts.sequence.reversed() where module.isLinear && !module.hasBias {
      if encoder.contains(where: { $0.path == module.path }) || decoder.contains(where: { $0.path == module.path }) {
        continue
      }
      if Self.isTable(module, of: encoder, called: ["src", "source", "inp", "input"]) { encoder.insert(module, at: 0) }
      if Self.isTable(module, of: decoder, called: ["tgt", "trg", "target", "out", "output"]) {
        decoder.insert(module, at: 0)
      }
    }
    if !keepsOrder {
      encoder = Self.sorted(encoder)
      decoder = Self.sorted(decoder)
      // What reads the encoder's values and gives the decoder's lies between them.
      let (given, wanted) = (encoder.last?.gives, decoder.first { $0.recurrent != nil }?.reads)
      let between = decoder.filter { $0.isLinear && $0.hasBias && $0.reads == given && $0.gives == wanted }
      decoder = between + decoder.filter { module in !between.contains { $0.path == module.path } }
    }
    let rest = parts.sequence.filter { module in
      !encoder.contains { $0.path == module.path } && !decoder.contains { $0.path == module.path }
    }
    guard rest.allSatisfy({ $0.isLinear || $0.isNormalization }) else { return nil }
    let (cells, others) = (encoder.filter { $0.recurrent != nil }, decoder.filter { $0.recurrent != nil })
    let decoderFirst = decoder.firstIndex { $0.recurrent != nil } ?? 0
    let repeated = repeating(encoder, decoder, decoderFirst, rest)
    let carried = carrying(encoder, decoder, cells, others, decoderFirst, rest)
    let drafts = [repeated, carried].compactMap { $0 }
    guard !drafts.isEmpty else { return nil }
    proposals = drafts.compactMap { try? $0.named().configuration() }
    let name = (nameList(Self.names(cells)), nameList(Self.names(others)))
    var detail: Message =
      "\(name.0) and \(name.1) are an encoder and a decoder by their names: tensors do not tell what the decoder reads, nor "
      + "where it starts from"
    if repeated != nil {
      detail += " (N stands for a number of steps)"
      if encoder.allSatisfy({ $0.recurrent != nil }), decoderFirst == 0 {
        let modules = Self.names(cells + others).joined(separator: ",")
        detail += "; if each layer reads all that the one before gives: \(.stack, modules)"
      }
    }
    self.detail = detail
    if proposals.isEmpty { return nil }
  }

  /// A table beside both modules whose name says which of them reads it.
  private static func isTable(_ module: TensorModule, of side: [TensorModule], called names: Set<String>) -> Bool {
    let words = TensorKinds.words(module.path)
    return TensorKinds.saysEmbedding(module.path) && words.contains(where: names.contains)
      && side.first { $0.recurrent != nil }?.reads == module.reads && side.first?.recurrent != nil
  }

  /// As the file has them.
  private static func names(_ modules: [TensorModule]) -> [String] {
    modules.grouped(by: \.path).map { $0.members[0].name }
  }

  /// For a file that does not keep an order: tables, recurrent layers, all else.
  private static func sorted(_ modules: [TensorModule]) -> [TensorModule] {
    modules.sorted { $0.recurrent != nil ? 1 : $0.isLinear && !$0.hasBias ? 0 : 2 }
  }

  /// The last state of the encoder, at every step.
  private func repeating(
    _ encoder: [TensorModule], _ decoder: [TensorModule], _ first: Int, _ rest: [TensorModule]
  ) -> GraphDraft? {
    var chain = GraphChain(kinds, options)
    guard let top = encoder.lastIndex(where: { $0.recurrent != nil }) else { return nil }
    for index in 0...top {
      guard chain.add(encoder[index], next: encoder.dropFirst(index + 1).first) else { return nil }
    }
    let isBidirectional = encoder[top].recurrent?.kind.isBidirectional ?? false
    guard chain.put(Layer.Readout(isBidirectional ? .final : .last)) else { return nil }
    for module in encoder[(top + 1)...] + decoder[..<first] { guard chain.add(module, next: nil) else { return nil } }
    guard chain.put(Layer.Repeat(count: GraphReading.unknownNumber)) else { return nil }
    return finished(&chain, Array(decoder[first...]), rest)
  }

  /// The encoder's state as the decoder's first.
  private func carrying(
    _ encoder: [TensorModule], _ decoder: [TensorModule], _ cells: [TensorModule], _ others: [TensorModule],
    _ first: Int, _ rest: [TensorModule]
  ) -> GraphDraft? {
    guard cells.count == others.count, encoder.last?.recurrent != nil,
      zip(cells, others).allSatisfy({ a, b in
        guard let a = a.recurrent?.kind, let b = b.recurrent?.kind else { return false }
        return a.cell == b.cell && a.size == b.size && a.stateSize == b.stateSize && a.directions == b.directions
      })
    else { return nil }
    var chain = GraphChain(kinds, options)
    for (index, module) in encoder.enumerated() {
      guard chain.add(module, next: encoder.dropFirst(index + 1).first) else { return nil }
    }
    guard chain.addInput(decoder[0], next: decoder.dropFirst().first) else { return nil }
    guard let draft = finished(&chain, Array(decoder.dropFirst()), rest) else { return nil }
    var copy = draft
    let recurrent = copy.steps.indices.filter { copy.steps[$0].isRecurrent }
    guard recurrent.count == 2 * cells.count else { return nil }
    for (from, to) in zip(recurrent, recurrent.dropFirst(cells.count)) { copy.steps[to].startsFrom = from }
    return copy.value == nil ? nil : copy
  }

  /// The decoder, and what is above it.
  private func finished(_ chain: inout GraphChain, _ decoder: [TensorModule], _ rest: [TensorModule]) -> GraphDraft? {
    if let readout = options.readout, let take = Layer.Readout.Take(rawValue: readout.rawValue), take != .all,
      let top = decoder.lastIndex(where: { $0.recurrent != nil })
    {
      for module in decoder[...top] { guard chain.add(module, next: nil) else { return nil } }
      guard chain.put(Layer.Readout(take)) else { return nil }
      for module in decoder[(top + 1)...] + rest { guard chain.add(module, next: nil) else { return nil } }
    } else {
      for module in decoder + rest { guard chain.add(module, next: nil) else { return nil } }
    }
    guard chain.isPlain else { return nil }
    let draft = chain.draft
    let active = draft.activated(GraphQuestions.inner(draft), by: options.activation ?? .relu)
    return options.outputActivation.map(active.ending) ?? active
  }
}

extension TensorModule {
  /// Whether a word of its name begins so.
  fileprivate func says(_ word: String) -> Bool { TensorKinds.words(path).contains { $0.hasPrefix(word) } }
}

extension GraphChain {
  /// Puts on a layer without tensors.
  mutating func put(_ kind: any LayerKind) -> Bool {
    arrange { draft, _ in
      draft.steps.append(.init(kind))
      return draft.value != nil
    }
  }

  /// A second input, and the module that reads it: an embedding, or what a module of features is.
  mutating func addInput(_ module: TensorModule, next: TensorModule?) -> Bool {
    guard let width = module.reads, var step = Self.step(module) else { return false }
    return arrange { draft, _ in
      draft.inputs[0].name = "input1"
      if case .linear(let outputs, let inputs) = module.content, !module.hasBias, next?.reads == inputs {
        step = .init(Layer.Embedding(size: inputs, paddingToken: nil), module)
        draft.inputs.append(.init(.tokens(vocabulary: outputs), name: "input2"))
      } else {
        draft.inputs.append(.init(.features(size: width), name: "input2"))
      }
      step.reads = [-2]
      draft.steps.append(step)
      return draft.value != nil
    }
  }
}
