import FileIO

/// Puts a graph together of the tensors of a file that has none, such as a state_dict: by names, by shapes, and by the
/// order in the file.
struct GraphReading: FileReading {
  /// What came of it.
  enum Outcome {
    /// One model, with what was assumed.
    case model(ResolvedModel)
    /// Several are as likely: models, and for each another that differs in what the question names last.
    case question(Message, [ModelConfiguration], others: [ModelConfiguration] = [])
    /// The same, where who looked for a plain stack may have asked already. `stack` names recurrent modules that may just
    /// as well stand one above the other.
    case arrangement(Message, [ModelConfiguration], stack: [String] = [])
    /// What a user says has no place.
    case invalid(Setting, Activation, Message)
    /// Something is not known, or nothing fits.
    case unknown
  }

  /// Stands in a proposal for a number that no tensor tells, and is written as N.
  static let unknownNumber = 9_973

  /// A model's line, with N for what no tensor tells.
  static func line(_ model: ModelConfiguration) -> String {
    ["stride", "repeat", "of"].reduce(model.line) { $0.replacing("\($1) \(unknownNumber)", with: "\($1) N") }
  }

  let file: String
  private let modules: [TensorModule]
  private let idle: [LeftOver]
  private let assumed: [Assumption]
  let kinds: TensorKinds
  let options: LoadOptions
  private let keepsOrder: Bool

  /// Modules that a model may have, and tensors: no module has more than 50.
  private static let (greatestModules, greatestTensors) = (200, 10_000)

  /// - Parameter given: what the model may be made of; without what is allowed to be left out.
  init(_ given: [Candidate], file: String, options: LoadOptions, keepsOrder: Bool) {
    (self.file, self.options, self.keepsOrder) = (file, options, keepsOrder)
    guard given.count <= Self.greatestTensors else {
      (modules, idle, assumed, kinds) = ([], [], [], TensorKinds(given))
      return
    }
    let (candidates, assumed) = TagTransitions.expanding(SplitProjections.expanding(given))
    self.assumed = assumed
    kinds = TensorKinds(candidates)
    let kinds = kinds
    func isIdle(_ candidate: Candidate) -> Bool {
      candidate.isLoneNumber && kinds.kind(of: candidate) == .unknown
    }
    let (modules, idle) = TensorModule.modules(of: candidates.filter { !isIdle($0) }, kinds)
    self.modules = modules
    self.idle =
      idle
      + candidates.filter(isIdle).map {
        LeftOver(candidate: $0, reason: "a single number that no layer reads", isHarmless: true)
      }
  }

  func outcome() -> Outcome {
    guard 1...Self.greatestModules ~= modules.count, var parts = GraphParts(modules, kinds) else { return .unknown }
    if idle.contains(where: { $0.effect == .unknown && !$0.isHarmless }) { return .unknown }
    let recurrent = parts.sequence.filter { $0.recurrent != nil }
    if let stack = options.stack {
      guard parts.stack(stack) else { return .unknown }
    } else if let pair = GraphEncoderDecoder(parts, kinds, options, keepsOrder: keepsOrder) {
      return .question(pair.detail, pair.proposals)
    } else if let branches = GraphBranches(parts, kinds, options, take, keepsOrder: keepsOrder) {
      return .question(branches.detail, branches.proposals, others: branches.others)
    }
    if keepsOrder, let images = GraphImages(parts, kinds, options, take) {
      return .question(images.detail, images.proposals, others: images.others)
    }
    if !keepsOrder, let order = ModuleOrder.orders(of: parts.sequence, kinds).first { parts.sequence = order }
    if options.stack == nil, let pairs = GraphPairs(parts, recurrent, kinds, options, take) {
      return .arrangement(pairs.detail, pairs.proposals, stack: pairs.stack)
    }
    if let square = parts.squareAttention, parts.readsTwice { parts = parts.with(GraphAttention(general: square)) }
    func chains(_ orders: [[TensorModule]]) -> [GraphChain] {
      orders.compactMap { order in
        parts.sequence = order
        return GraphChain(parts, kinds, options)
      }
    }
    var found = chains(keepsOrder ? [parts.sequence] : [])
    if found.isEmpty { found = chains(ModuleOrder.orders(of: parts.sequence, kinds)) }
    if found.count > 1, found.contains(where: { !$0.hasSeveralHeads }) { found.removeAll(where: \.hasSeveralHeads) }
    // Heads side by side have no order.
    if found.allSatisfy(\.hasSeveralHeads) { found = Array(found.prefix(1)) }
    guard let chain = found.first else { return .unknown }
    if found.count > 1 {
      if let question = orders(found, parts) { return question }
      let proposals = found.prefix(2).flatMap { chain -> [ModelConfiguration] in
        var draft = chain.draft
        if case .question(_, let models, _)? = GraphQuestions(parts, chain, kinds, options, take).question(of: &draft) {
          return Array(models.prefix(1))
        }
        return (try? draft.taking(take).configuration()).map { [$0] } ?? []
      }
      return proposals.isEmpty ? .unknown : .arrangement("its layers may be arranged in several ways", proposals)
    }
    return settled(chain, parts)
  }

  /// Where something of each order is open, too: the lines of the first, each with one of the second.
  private func orders(_ found: [GraphChain], _ parts: GraphParts) -> Outcome? {
    let questions = found.prefix(2).map { chain -> (what: Message, models: [ModelConfiguration])? in
      var draft = chain.draft
      guard draft.steps.contains(where: { $0.kind is Layer.SelfAttention }),
        case .question(let what, let models, _)? = GraphQuestions(parts, chain, kinds, options, take).question(
          of: &draft)
      else { return nil }
      return (what, models)
    }
    guard questions.count == 2, let first = questions[0], let second = questions[1], first.models.count > 1 else {
      return nil
    }
    return .question("its layers may be arranged in several ways; \(first.what)", first.models, others: second.models)
  }

  /// What is proposed where the readout is open.
  var take: Layer.Readout.Take {
    options.readout.flatMap { Layer.Readout.Take(rawValue: $0.rawValue) } ?? .last
  }

  private func settled(_ chain: GraphChain, _ parts: GraphParts) -> Outcome {
    var draft = chain.draft
    if let activation = options.outputActivation, activation != .none, let reason = draft.outputActivationObstacle {
      return .invalid(.outputActivation, activation, reason)
    }
    // A plain stack was looked for already, by names that not every attention has.
    let mayBePlain = parts.attention != nil || chain.hasWindowOfOne
    if !mayBePlain, let plain = try? draft.configuration(), plain.stack != nil { return .unknown }
    if let question = GraphQuestions(parts, chain, kinds, options, take).question(of: &draft) { return question }
    let padding = settlePadding(&draft)
    guard let configuration = try? draft.configuration(), mayBePlain || configuration.stack == nil else {
      return .unknown
    }
    var model = ResolvedModel(configuration: configuration, mapping: draft.mapping(configuration))
    model.leftOver = idle
    model.assumed = assumed
    GraphDescription(draft, configuration, options: options, take: take, keepsOrder: keepsOrder)
      .describe(parts, &model)
    if let padding { model.assumed.append(padding) }
    if let steps = chain.flattened {
      model.assumed.add("the head reads \(steps) steps one after the other: every sequence has \(steps)")
    }
    return .model(model)
  }

  /// A row of zeros all but proves a padding row.
  private func settlePadding(_ draft: inout GraphDraft) -> Assumption? {
    guard let index = draft.steps.firstIndex(where: { $0.kind is Layer.Embedding }),
      var kind = draft.steps[index].kind as? Layer.Embedding, let table = draft.steps[index].parts["weight"]
    else { return nil }
    var found: Assumption?
    switch options.padding {
    case .absent: return nil
    case .row(let row): kind.paddingToken = row
    case nil:
      guard let row = zeroRow(of: table.tensor) else { return nil }
      kind.paddingToken = row
      found = Assumption(
        what:
          "row \(row) of \(table.tensor.name) is all zero: it stands for padding (padding_idx=\(row)) and is not trained",
        change: "\(.padding, "none")")
    }
    draft.steps[index].kind = kind
    return found
  }
}
