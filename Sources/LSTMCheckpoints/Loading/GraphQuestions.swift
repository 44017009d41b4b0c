import FileIO

/// What tensors leave open and no assumption is good enough for: asked, with the models that it may be.
struct GraphQuestions {
  let options: LoadOptions
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
    let below = Self.below(draft).filter { (draft.steps[$0].kind as? Layer.Dense)?.activation == Activation.none }
    let names = nameList(below.compactMap { draft.steps[$0].source })
    let isActivation = draft.outputs.count > 1
    let outcome = ask(&draft)
    if below.isEmpty || isActivation { return outcome }
    let beside: Message = "; nor do they show an activation after \(names)"
    switch outcome {
    case .question(let what, let models, let others)? where !what.description.contains(names):
      return .question(what + beside, models, others: others)
    case .arrangement(let what, let models, let stack)? where !what.description.contains(names):
      return .arrangement(what + beside, models, stack: stack)
    default: return outcome
    }
  }

  private func ask(_ draft: inout GraphDraft) -> GraphReading.Outcome? {
    let steps = draft.steps
    let convolutions = steps.indices.filter { steps[$0].kind is Layer.Convolution }
    let inner = Self.inner(draft)
    if !convolutions.isEmpty { return askFront(convolutions, inner, draft) }
    if let groups = openGroups(draft) {
      let usual = draft.activated(inner, by: usual)
      return .question(groups, proposals([usual, regrouped(usual)]))
    }
    if let products = parts.products, let question = ask(products) { return question }
    if let vector = parts.loneVector { return askVector(vector, draft) }
    if parts.isAttentionOpen { return askAttention(draft.activated(inner, by: usual)) }
    if let index = steps.firstIndex(where: { $0.kind is Layer.SelfAttention }),
      let question = askHeads(index, inner, &draft)
    {
      return question
    }
    if let norm = steps.first(where: { ($0.kind as? Layer.LayerNorm)?.hasOffset == false }) {
      return .question(
        "\(norm.source ?? "") is a vector without a bias: of a layer normalization without one, or of an RMS normalization, "
          + "which has no counterpart here", proposals([draft.activated(inner, by: usual)]))
    }
    if let chain, chain.isBeside { return askBeside(chain, inner) }
    if let joined = chain?.joined { return ask(joined, draft.activated(inner, by: usual)) }
    if let halves = chain?.halves { return askHalves(halves, draft.activated(inner, by: usual)) }
    if chain?.hasSeveralHeads ?? false {
      let names = nameList(draft.outputs.compactMap { steps[$0].source })
      let below = Self.below(draft)
      let drafts = [inner + below, inner].map { draft.activated($0, by: usual) }
      return .question(
        "\(draft.outputs.count) dense layers read the same values: \(names)"
          + (below.isEmpty
            ? "" : ", and tensors do not show the activation after \(nameList(below.compactMap { steps[$0].source }))"),
        proposals(below.isEmpty ? [drafts[1]] : drafts))
    }
    guard !inner.isEmpty else { return nil }
    if let activation = options.activation {
      draft = draft.activated(inner, by: activation)
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
    let below = Self.below(draft)
    if !below.isEmpty { return [draft.activated(inner + below, by: .relu), likely] }
    guard inner.contains(where: { $0 + 1 < steps.count && steps[$0 + 1].isNormalization }) else {
      return [likely, draft.activated(inner, by: .tanh)]
    }
    var before = draft
    for index in inner.reversed() { before.insert(.init(Layer.ActivationLayer(.relu)), at: index + 1) }
    return [likely, before]
  }

  /// Dense layers with a recurrent one behind them.
  private static func below(_ draft: GraphDraft) -> [Int] {
    let steps = draft.steps
    return steps.indices.filter { index in
      steps[index].kind is Layer.Dense && steps[(index + 1)...].first { $0.source != nil }?.isRecurrent ?? false
    }
  }

  /// Dense layers with another one behind them.
  static func inner(_ draft: GraphDraft) -> [Int] {
    let steps = draft.steps
    return steps.indices.filter { index in
      guard steps[index].kind is Layer.Dense, !draft.outputs.contains(index) else { return false }
      // The file tells what is there.
      let above = steps[(index + 1)...].first { !$0.isNormalization }?.kind
      if above is Layer.ActivationLayer || above is Layer.PReLU { return false }
      // What an attention reads is no head.
      let isRead = steps[(index + 1)...].contains {
        $0.kind is Layer.DotAttention && $0.reads?.contains(index) ?? false
      }
      let next = steps[(index + 1)...].first { $0.reads == nil && ($0.isLinear || $0.isRecurrent) }
      let isOut = steps[index].reads?.contains { $0 >= 0 && steps[$0].kind is Layer.DotAttention } ?? false
      return !isRead && !isOut && next?.isLinear ?? false
    }
  }

  var usual: Activation { options.activation ?? .relu }

  func proposals(_ drafts: [GraphDraft]) -> [ModelConfiguration] {
    drafts.compactMap { try? $0.taking(take).configuration() }
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
      case .question(_, let models, _)? = ask(GraphAttention(general: square))
    {
      return .question(what, models)
    }
    return .question(what, proposals([draft, plain]))
  }

  /// A vector by itself.
  private func askVector(_ vector: TensorModule, _ plain: GraphDraft) -> GraphReading.Outcome {
    let tanh = GraphChain(parts.with(GraphAttention(vector: vector)), kinds, options)?.draft
    let drafts = [tanh, plain].compactMap { $0 }.map { $0.activated(Self.inner($0), by: usual) }
    let active = drafts.map { draft in
      var copy = draft
      let at = draft.steps.lastIndex { $0.kind is Layer.Attention || $0.kind is Layer.DotAttention } ?? 0
      copy.insert(.init(Layer.ActivationLayer(.relu)), at: at + 1)
      return copy
    }
    return .question(
      "\(vector.name) is a vector by itself, as wide as what each step has: of an attention, with tanh of the step before the "
        + "product or without, and with relu behind the sum or without",
      proposals(drafts), others: options.readoutActivation == nil ? proposals(active) : [])
  }

  /// - Returns: nil when names tell it all.
  private func ask(_ products: GraphAttention) -> GraphReading.Outcome? {
    var parts = parts
    if let chain { parts.sequence = chain.sequence }
    func variant(_ products: GraphAttention, _ choice: GraphAttention.Choice) -> GraphDraft? {
      guard let draft = GraphChain(parts.with(products), kinds, options, choice)?.draft else { return nil }
      var activation = usual
      if case .general = products.form { activation = options.activation ?? .tanh }
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
      let counts = options.heads.map { [$0] } ?? (out == nil ? [1] : Self.heads(width))
      var drafts = counts.map { count in variant(products, choice { $0.heads = count }) }
      if counts.count == 1 {
        drafts.append(
          variant(
            products,
            choice {
              $0.heads = counts[0]
              $0.isScaled = false
            }))
      }
      return .question(
        "\(names) are the query, key and value of an attention of each step to all: tensors tell neither its heads "
          + "(\(Self.headsText(width))), nor "
          + "whether scores are divided by the root of a head's width, nor what of the steps is read on",
        drafts.compactMap { try? $0?.taking(take).configuration() },
        others: out == nil || options.heads != nil
          ? []
          : Self.rarerHeads(width).compactMap { count in
            try? variant(products, choice { $0.heads = count })?.taking(take).configuration()
          })
    case .additive:
      if products.isNamed, !joins { return nil }
      let other =
        products.isNamed ? variant(products, choice { $0.stateFirst = true }) : variant(products.exchanged, .init())
      let what: Message =
        products.isNamed
        ? "the next layer reads what the attention of \(names) gives beside the last state, and nothing tells which of them comes first"
        : "\(names) are an attention of the last state to each step, and nothing tells which matrix is whose"
      return .question(what, proposals([variant(products, .init()), other].compactMap { $0 }))
    case .vector: return nil
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

  /// Others that go with them.
  private static func rarerHeads(_ width: Int) -> [Int] {
    let usual = heads(width)
    return Array([1, 8, 2, 4, 16].filter { width % $0 == 0 && !usual.contains($0) }.prefix(usual.count))
  }

  /// - Returns: nil when all is said; the draft then has the heads.
  private func askHeads(_ index: Int, _ inner: [Int], _ draft: inout GraphDraft) -> GraphReading.Outcome? {
    let width = draft.steps[index].parts["out_proj.weight"]?.shape[0] ?? 1
    let source = draft.steps[index].source ?? ""
    func with(_ count: Int, adds: Bool? = nil) -> GraphDraft {
      var copy = draft
      guard var kind = copy.steps[index].kind as? Layer.SelfAttention else { return copy }
      kind.heads = count
      copy.steps[index].kind = kind
      // A normalization behind it is that of what is added, step by step.
      if adds ?? true, index + 2 < copy.steps.count, copy.steps[index + 1].kind is Layer.Readout,
        copy.steps[index + 2].isNormalization, copy.steps[index].reads == nil, index > 0
      {
        copy.steps.swapAt(index + 1, index + 2)
        copy.insert(.init(Layer.Merge(.add), nil, reads: [index, index - 1]), at: index + 1)
        return copy.activated(inner.map { $0 + 1 }, by: usual)
      }
      return copy.activated(inner, by: usual)
    }
    func lines(_ drafts: [GraphDraft]) -> [ModelConfiguration] {
      drafts.compactMap { try? $0.taking(options.readout == nil ? .mean : take).configuration() }
    }
    if let heads = options.heads {
      guard heads > 0, width % heads == 0 else {
        return .question(
          "\(source) is self-attention over \(width) values, which \(.heads, "\(heads)") does not divide",
          lines(Self.heads(width).map { with($0) }))
      }
      let isNormalized = draft.steps[index...].contains(where: \.isNormalization)
      if isNormalized {
        return .question(
          "tensors do not tell whether what \(source) reads is added to what it gives, before the normalization",
          lines([with(heads), with(heads, adds: false)]))
      }
      guard var kind = draft.steps[index].kind as? Layer.SelfAttention else { return nil }
      kind.heads = heads
      draft.steps[index].kind = kind
      return nil
    }
    return .question(
      "\(source) is self-attention over \(width) values, and tensors tell neither its number of heads "
        + "(\(Self.headsText(width))) nor whether its input is added to what it gives",
      lines(Self.heads(width).map { with($0) }), others: lines(Self.rarerHeads(width).map { with($0) }))
  }

  /// `heads 1, 2, 4 or 8`, as an option.
  private static func headsText(_ width: Int) -> Message {
    let counts = (1...16).filter { width % $0 == 0 }.map(String.init)
    let text =
      counts.count > 1 ? counts.dropLast().joined(separator: ", ") + " or " + (counts.last ?? "") : counts.joined()
    return "\(.heads) \(text)"
  }

  private func ask(_ joined: (step: Int, count: Int), _ draft: GraphDraft) -> GraphReading.Outcome {
    var drafts = GraphChain.joins(joined.count).prefix(2).map { takes in
      var copy = draft
      for (offset, take) in takes.enumerated() { copy.steps[joined.step + offset].kind = Layer.Readout(take) }
      return copy
    }
    let head = draft.steps[(joined.step + joined.count)...].first { $0.source != nil }
    // An attention without matrices, of the last state to each step, beside that state.
    var others: [GraphDraft] = []
    if joined.count == 2, let below = draft.steps[joined.step].reads?.first, below >= 0 {
      let isBidirectional = (draft.steps[below].kind as? Layer.Recurrent)?.isBidirectional ?? false
      for isFirst in [true, false] {
        var copy = draft
        copy.steps[joined.step].kind = Layer.Readout(isBidirectional ? .final : .last)
        copy.steps[joined.step + 1] = .init(Layer.DotAttention(), nil, reads: [joined.step, below])
        copy.steps[joined.step + 2].reads = isFirst ? [joined.step + 1, joined.step] : [joined.step, joined.step + 1]
        others.append(copy)
      }
    }
    var states: Message = ""
    if let last = lastOfEachLayer(joined, draft) {
      drafts = [last, drafts[0]]
      states = ", or the last state of each of the \(joined.count) layers"
    }
    return .question(
      "\(head?.source ?? "") reads \(joined.count) times what a step has: \(joined.count) readouts side by side\(states)"
        + (others.isEmpty ? "" : ", or the last state and its attention to each step"),
      proposals(drafts), others: proposals(others))
  }

  /// `h_n` of all layers of one module, side by side.
  private func lastOfEachLayer(_ joined: (step: Int, count: Int), _ draft: GraphDraft) -> GraphDraft? {
    guard let top = draft.steps[joined.step].reads?.first, top + 1 >= joined.count else { return nil }
    let layers = Array(top + 1 - joined.count...top)
    let isModule = zip(layers, 0...).allSatisfy { index, level in
      let step = draft.steps[index]
      let isOneWay = (step.kind as? Layer.Recurrent).map { !$0.isBidirectional } ?? false
      return isOneWay && step.level == level && (level == 0 || step.reads == nil)
    }
    guard isModule else { return nil }
    var copy = draft
    for (offset, index) in layers.enumerated() {
      copy.steps[joined.step + offset] = .init(Layer.Readout(.last), nil, reads: [index])
    }
    return copy
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
    kind.merge = .concatenate
    let isRead = index + 1 < draft.steps.count && draft.steps[index + 1].kind is Layer.Readout
    func taking(_ take: Layer.Readout.Take) -> GraphDraft {
      var copy = draft
      if isRead, options.readout == nil { copy.steps[index + 1].kind = Layer.Readout(take) }
      return copy
    }
    func half(_ first: Int) -> GraphDraft {
      // The second direction is read where it ends, as h_n[-1] is.
      var copy = taking(.final)
      copy.steps[index].kind = kind
      copy.insert(.init(Layer.Slice(first: first, count: kind.stateSize)), at: index + (isRead ? 2 : 1))
      return copy
    }
    /// The sum of both final states.
    func sum() -> GraphDraft {
      var (first, second) = (taking(.final), Layer.Slice(first: kind.stateSize, count: kind.stateSize))
      guard isRead else { return draft }
      second.first = kind.stateSize
      first.steps[index].kind = kind
      first.insert(.init(Layer.Slice(first: 0, count: kind.stateSize)), at: index + 2)
      first.insert(.init(second, nil, reads: [index + 1]), at: index + 3)
      first.insert(.init(Layer.Merge(.add), nil, reads: [index + 2, index + 3]), at: index + 4)
      return first
    }
    let source = draft.steps[index].source ?? ""
    return .question(
      "the next layer reads one half of what the two directions of \(source) give: their sum, or one of them (slice "
        + "\(kind.stateSize) is the first, slice \(kind.stateSize) first \(kind.stateSize) the second)",
      proposals([draft, half(kind.stateSize)]), others: proposals([sum(), half(0)]))
  }
}
