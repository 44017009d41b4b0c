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
    if let chain, chain.isBeside { return askBeside(chain, inner) }
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
    return .question("the tensors do not show which activation is after \(names)", proposals(activated(draft, inner)))
  }

  /// The two likeliest drafts with activations in the head.
  private func activated(_ draft: GraphDraft, _ inner: [Int]) -> [GraphDraft] {
    let likely = draft.activated(inner, by: .relu)
    let steps = draft.steps
    // Where there is one in the head, there may be one below the recurrent layers, too, or before a normalization.
    let below = steps.indices.filter { index in
      steps[index].kind is Layer.Dense && steps[(index + 1)...].first { $0.source != nil }?.isRecurrent ?? false
    }
    if !below.isEmpty { return [draft.activated(inner + below, by: .relu), likely] }
    guard inner.contains(where: { $0 + 1 < steps.count && steps[$0 + 1].isNormalization }) else {
      return [likely, draft.activated(inner, by: .tanh)]
    }
    var before = draft
    for index in inner.reversed() { before.insert(.init(Layer.ActivationLayer(.relu)), at: index + 1) }
    return [likely, before]
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
      let isOut = steps[index].reads?.contains { $0 >= 0 && steps[$0].kind is Layer.DotAttention } ?? false
      return !isRead && !isOut && next?.isLinear ?? false
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
    let question: Message =
      "\(names) \(what), of which tensors do not tell the padding and stride, nor what follows before the next layer: an "
      + "activation, a pooling"
    let kernels = convolutions.compactMap { (draft.steps[$0].kind as? Layer.Convolution)?.kernel.max() }
    if kernels.allSatisfy({ $0 == 1 }), options.activation == nil {
      return .question(question, proposals([variant(.valid, .relu), variant(.valid, .none)]))
    }
    var drafts = [variant(.same, usual), variant(.valid, usual)]
    if hasPoolings(convolutions, draft) { drafts = drafts.map { Self.pooled($0) } }
    return .question(question, proposals(drafts))
  }

  /// Whether convolutions of one `nn.Sequential` have more than an activation between them, by their numbers.
  private func hasPoolings(_ convolutions: [Int], _ draft: GraphDraft) -> Bool {
    func place(_ index: Int) -> (String, Int)? {
      guard let path = draft.steps[index].parts["weight"]?.name.moduleAndLeaf.module.moduleAndLeaf,
        let number = Int(path.leaf)
      else { return nil }
      return (path.module, number)
    }
    guard convolutions.count > 1 else { return false }
    return zip(convolutions, convolutions.dropFirst()).allSatisfy { one, next in
      guard let (module, first) = place(one), let (other, second) = place(next), module == other else { return false }
      // Normalizations between them have numbers, too.
      return second - first - 1 - (next - one - 1) >= 2
    }
  }

  /// The same with the maximum of every two steps behind each convolution.
  private static func pooled(_ draft: GraphDraft) -> GraphDraft {
    var copy = draft
    for index in draft.steps.indices.reversed() where draft.steps[index].kind is Layer.Convolution {
      var last = index
      while last + 1 < draft.steps.count,
        draft.steps[last + 1].isNormalization || draft.steps[last + 1].kind is Layer.ActivationLayer
      {
        last += 1
      }
      copy.insert(.init(Layer.Pooling(.max, window: [2])), at: last + 1)
    }
    return copy
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
      // A normalization behind it is that of what is added, step by step.
      if index + 2 < copy.steps.count, copy.steps[index + 1].kind is Layer.Readout,
        copy.steps[index + 2].isNormalization, copy.steps[index].reads == nil, index > 0
      {
        copy.steps.swapAt(index + 1, index + 2)
        copy.insert(.init(Layer.Merge(.add), nil, reads: [index, index - 1]), at: index + 1)
      }
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

  /// A dense layer reads what comes with each sequence beside what is read of the steps, in either order.
  private func askBeside(_ chain: GraphChain, _ inner: [Int]) -> GraphReading.Outcome? {
    let draft = chain.draft.activated(inner, by: usual)
    guard let at = draft.steps.firstIndex(where: { $0.reads?.contains(-2) ?? false }) else { return nil }
    var other = draft
    let head = draft.steps[(at + 1)...].first { $0.source != nil }?.source ?? ""
    let count = draft.inputs[1].width
    var what: Message = "\(head) reads \(count) values more than what is read of the steps: of an input once a sequence"
    if count == draft.inputs[0].width, draft.inputs[0].vocabulary == nil {
      // The last step of the input is as wide.
      what += ", or the input's last step"
      other.inputs.removeLast()
      other.inputs[0].name = "input"
      other.steps[at].reads = other.steps[at].reads.map { $0.map { $0 == -2 ? at : $0 } }
      other.insert(.init(Layer.Readout(.last), nil, reads: [-1]), at: at)
      other.steps[at + 1].reads = [at - 1, at]
    } else {
      other.steps[at].reads?.reverse()
    }
    return .question(what, proposals([draft, other]))
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
