import FileIO

/// What tensors leave open and no assumption is good enough for: asked, with the models that it may be.
struct GraphQuestions {
  private let options: LoadOptions
  private let take: Layer.Readout.Take
  private let chain: GraphChain?
  private let parts: GraphParts
  private let kinds: TensorKinds

  init(
    _ parts: GraphParts, _ chain: GraphChain?, _ kinds: TensorKinds, _ options: LoadOptions, _ take: Layer.Readout.Take
  ) {
    (self.parts, self.chain, self.kinds, self.options, self.take) = (parts, chain, kinds, options, take)
  }

  /// nil when nothing is to be asked; the draft then has what a user said.
  func question(of draft: inout GraphDraft) -> GraphReading.Outcome? {
    let steps = draft.steps
    let convolutions = steps.indices.filter { steps[$0].kind is Layer.Convolution }
    let inner = Self.inner(draft)
    if !convolutions.isEmpty { return ask(convolutions, inner, draft) }
    if let products = parts.products, let question = ask(products) { return question }
    if parts.isAttentionOpen { return askAttention(draft.activated(inner, by: usual)) }
    if let index = steps.firstIndex(where: { $0.kind is Layer.SelfAttention }) { return askHeads(index, draft) }
    if let joined = chain?.joined { return ask(joined, draft.activated(inner, by: usual)) }
    if let halves = chain?.halves { return askHalves(halves, draft.activated(inner, by: usual)) }
    if chain?.hasSeveralHeads ?? false {
      let names = nameList(draft.outputs.compactMap { steps[$0].source })
      return .arrangement(
        "\(draft.outputs.count) dense layers read the same values: \(names)",
        proposals([draft.activated(inner, by: usual)]))
    }
    guard !inner.isEmpty else { return nil }
    if let activation = options.activation {
      draft = draft.activated(inner, by: activation.general)
      return nil
    }
    let names = nameList(inner.compactMap { steps[$0].source })
    return .question(
      "the tensors do not show which activation is after \(names)",
      proposals([Activation.relu, .tanh].map { draft.activated(inner, by: $0) }))
  }

  /// Dense layers with another one behind them.
  private static func inner(_ draft: GraphDraft) -> [Int] {
    let steps = draft.steps
    return steps.indices.filter { index in
      guard steps[index].kind is Layer.Dense else { return false }
      // What an attention reads is no head.
      let isRead = steps[(index + 1)...].contains {
        $0.kind is Layer.DotAttention && $0.reads?.contains(index) ?? false
      }
      let next = steps[(index + 1)...].first { $0.reads == nil && ($0.isLinear || $0.isRecurrent) }
      return !isRead && next?.isLinear ?? false
    }
  }

  private var usual: Activation { options.activation?.general ?? .relu }

  private func proposals(_ drafts: [GraphDraft]) -> [ModelConfiguration] {
    drafts.compactMap { try? $0.taking(take).configuration() }
  }

  private func ask(_ convolutions: [Int], _ inner: [Int], _ draft: GraphDraft) -> GraphReading.Outcome {
    func variant(_ padding: Layer.Convolution.Padding, _ activation: Activation) -> GraphDraft {
      var copy = draft
      for index in convolutions {
        guard var kind = copy.steps[index].kind as? Layer.Convolution else { continue }
        kind.padding = padding
        copy.steps[index].kind = kind
      }
      return copy.activated(convolutions, by: activation).activated(
        inner.filter { !convolutions.contains($0) }, by: usual)
    }
    let names = nameList(convolutions.compactMap { draft.steps[$0].source })
    let what = convolutions.count == 1 ? "is a convolution" : "are convolutions"
    return .question(
      "\(names) \(what), of which tensors do not tell the padding and stride, nor what follows before the next layer: an "
        + "activation (\(.activation, usual.rawValue)), a pooling",
      proposals([variant(.same, usual), variant(.valid, usual)]))
  }

  private func askAttention(_ draft: GraphDraft) -> GraphReading.Outcome? {
    guard let index = draft.steps.firstIndex(where: { $0.kind is Layer.Attention }),
      var form = draft.steps[index].kind as? Layer.Attention
    else { return nil }
    var plain = draft
    form.scoreActivation = .none
    plain.steps[index].kind = form
    let size = draft.steps[index].parts["weight"]?.shape[0] ?? 1
    let source = draft.steps[index].source ?? ""
    let what: Message =
      "\(source) (\(size), \(size)) is an attention of a form that tensors do not tell: a softmax over time for each "
      + "feature, with tanh or without, or the product of each step with the last"
    // Scores of each step with the last one, of which a bias is nobody's habit.
    if !form.hasBias, let square = parts.squareAttention,
      case .question(_, let models)? = ask(GraphAttention(general: square))
    {
      return .question(what, models)
    }
    return .question(what, proposals([draft, plain]))
  }

  /// - Returns: nil when names tell it all.
  private func ask(_ products: GraphAttention) -> GraphReading.Outcome? {
    var parts = parts
    if let chain { parts.sequence = chain.sequence }
    func variant(_ products: GraphAttention, _ choice: GraphAttention.Choice) -> GraphDraft? {
      guard let draft = GraphChain(parts.with(products), kinds, options, choice)?.draft else { return nil }
      var activation = usual
      if case .general = products.form { activation = options.activation?.general ?? .tanh }
      return draft.activated(Self.inner(draft), by: activation)
    }
    func choice(_ change: (inout GraphAttention.Choice) -> Void) -> GraphAttention.Choice {
      var choice = GraphAttention.Choice()
      change(&choice)
      return choice
    }
    let joins = parts.readsTwice
    let names = products.names
    switch products.form {
    case .products(let query, _, let value, let out):
      let take = options.readout == nil ? Layer.Readout.Take.mean : take
      let width = [query.gives ?? 1, value.gives ?? 1].min() ?? 1
      let counts = out == nil ? [1] : Self.heads(width)
      var drafts = counts.map { count in variant(products, choice { $0.heads = count }) }
      if out == nil { drafts.append(variant(products, choice { $0.isScaled = false })) }
      return .question(
        "\(names) are the query, key and value of an attention of each step to all: tensors tell neither its heads, nor "
          + "whether scores are divided by the root of a head's width, nor what of the steps is read on",
        drafts.compactMap { try? $0?.taking(take).configuration() })
    case .additive:
      if products.isNamed, !joins { return nil }
      let other =
        products.isNamed ? variant(products, choice { $0.stateFirst = true }) : variant(products.exchanged, .init())
      let what: Message =
        products.isNamed
        ? "the next layer reads what the attention of \(names) gives beside the last state, and nothing tells which of them comes first"
        : "\(names) are an attention of the last state to each step, and nothing tells which matrix is whose"
      return .question(what, proposals([variant(products, .init()), other].compactMap { $0 }))
    case .general:
      let drafts = [
        variant(products, choice { $0.turnsSteps = false }), variant(products, choice { $0.stateFirst = joins }),
      ]
      return .question(
        "\(names) is an attention of the last state to each step, and nothing tells which of them it multiplies"
          + (joins ? ", nor which comes first where the next layer reads both" : ""),
        proposals(drafts.compactMap { $0 }))
    }
  }

  /// The two numbers of heads that are usual for a width.
  private static func heads(_ width: Int) -> [Int] {
    let usual = width > 64 ? [8, 4, 2] : width > 16 ? [4, 8, 2] : [2, 4]
    return Array((usual.filter { width % $0 == 0 } + [1]).prefix(2))
  }

  private func askHeads(_ index: Int, _ draft: GraphDraft) -> GraphReading.Outcome? {
    let width = draft.steps[index].parts["out_proj.weight"]?.shape[0] ?? 1
    let drafts = Self.heads(width).map { count in
      var copy = draft
      guard var kind = copy.steps[index].kind as? Layer.SelfAttention else { return copy }
      kind.heads = count
      copy.steps[index].kind = kind
      return copy
    }
    return .question(
      "\(draft.steps[index].source ?? "") is self-attention over \(width) values, and tensors tell neither its number of "
        + "heads nor whether its input is added to what it gives",
      drafts.compactMap { try? $0.taking(options.readout == nil ? .mean : take).configuration() })
  }

  private func ask(_ joined: (step: Int, count: Int), _ draft: GraphDraft) -> GraphReading.Outcome {
    let drafts = GraphChain.joins(joined.count).prefix(2).map { takes in
      var copy = draft
      for (offset, take) in takes.enumerated() { copy.steps[joined.step + offset].kind = Layer.Readout(take) }
      return copy
    }
    let head = draft.steps[(joined.step + joined.count)...].first { $0.source != nil }
    return .question(
      "\(head?.source ?? "") reads \(joined.count) times what a step has: \(joined.count) readouts side by side",
      proposals(drafts))
  }

  private func askHalves(_ index: Int, _ draft: GraphDraft) -> GraphReading.Outcome? {
    guard var kind = draft.steps[index].kind as? Layer.Recurrent else { return nil }
    var first = draft
    kind.merge = .concatenate
    first.steps[index].kind = kind
    first.insert(.init(Layer.Slice(first: 0, count: kind.stateSize)), at: index + 1)
    let source = draft.steps[index].source ?? ""
    return .question(
      "the next layer reads one half of what the two directions of \(source) give: their sum, or one of them",
      proposals([draft, first]))
  }
}
