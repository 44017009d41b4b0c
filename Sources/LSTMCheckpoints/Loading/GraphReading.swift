import FileIO

/// Puts a graph together of the tensors of a file that has none, such as a state_dict: by names, by shapes, and by the
/// order in the file.
struct GraphReading: FileReading {
  /// What came of it.
  enum Outcome {
    /// One model, with what was assumed.
    case model(ResolvedModel)
    /// Several are as likely.
    case question(Message, [ModelConfiguration])
    /// The same, where who looked for a plain stack may have asked already.
    case arrangement(Message, [ModelConfiguration])
    /// Something is not known, or nothing fits.
    case unknown
  }

  let file: String
  private let modules: [TensorModule]
  private let idle: [LeftOver]
  let kinds: TensorKinds
  let options: LoadOptions
  private let keepsOrder: Bool

  /// - Parameter candidates: what the model may be made of; without what is allowed to be left out.
  init(_ candidates: [Candidate], file: String, options: LoadOptions, keepsOrder: Bool) {
    (self.file, self.options, self.keepsOrder) = (file, options, keepsOrder)
    kinds = TensorKinds(candidates)
    (modules, idle) = TensorModule.modules(of: candidates, kinds)
  }

  func outcome() -> Outcome {
    guard modules.count <= 200, var parts = GraphParts(modules, kinds) else { return .unknown }
    if idle.contains(where: { $0.effect == .unknown && !$0.isHarmless }) { return .unknown }
    let recurrent = parts.sequence.filter { $0.recurrent != nil }
    if let pairs = GraphPairs(parts, recurrent, kinds, options, take) {
      return .arrangement("its recurrent layers may be arranged in several ways", pairs.proposals)
    }
    func chains(_ orders: [[TensorModule]]) -> [GraphChain] {
      orders.compactMap { order in
        parts.sequence = order
        return GraphChain(parts, kinds, options)
      }
    }
    var found = chains(keepsOrder ? [parts.sequence] : [])
    if found.isEmpty { found = chains(ModuleOrder.orders(of: parts.sequence, kinds)) }
    // Heads side by side have no order.
    if found.allSatisfy(\.hasSeveralHeads) { found = Array(found.prefix(1)) }
    guard let chain = found.first else { return .unknown }
    if found.count > 1 {
      let proposals = found.prefix(3).flatMap { chain -> [ModelConfiguration] in
        var draft = chain.draft
        if case .question(_, let models)? = GraphQuestions(parts, chain, options, take).question(of: &draft) {
          return Array(models.prefix(1))
        }
        return (try? draft.taking(take).configuration()).map { [$0] } ?? []
      }
      return proposals.isEmpty ? .unknown : .arrangement("its layers may be arranged in several ways", proposals)
    }
    return settled(chain, parts)
  }

  /// What is proposed where the readout is open.
  var take: Layer.Readout.Take {
    options.readout.flatMap { Layer.Readout.Take(rawValue: $0.rawValue) } ?? .last
  }

  private func settled(_ chain: GraphChain, _ parts: GraphParts) -> Outcome {
    var draft = chain.draft
    if let plain = try? draft.configuration(), plain.stack != nil { return .unknown }
    if let question = GraphQuestions(parts, chain, options, take).question(of: &draft) { return question }
    let padding = settlePadding(&draft)
    guard let configuration = try? draft.configuration(), configuration.stack == nil else { return .unknown }
    var model = ResolvedModel(configuration: configuration, mapping: draft.mapping(configuration))
    model.leftOver = idle
    describe(draft, configuration, &model)
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

  // MARK: - What is said

  private func describe(_ draft: GraphDraft, _ configuration: ModelConfiguration, _ model: inout ResolvedModel) {
    let steps = draft.steps
    for (index, step) in steps.enumerated() {
      guard let source = step.source else { continue }
      let layer = configuration.layers[index]
      let shape = step.parts["weight"].map { " " + shapeText($0.shape) } ?? ""
      let level = step.level > 0 ? ", level \(step.level + 1)" : ""
      model.notes.append("\(layer.name) is \(source)\(shape)\(level): \(step.noun)\(step.evidence)")
    }
    let line = (try? draft.taking(take).configuration())?.line ?? configuration.line
    let names = steps.filter { $0.level == 0 }.compactMap(\.source)
    model.assumed.add(
      "the layers follow each other \(keepsOrder ? "in the order of the file" : "as their widths go"): "
        + "\(names.joined(separator: ", "))", change: "\(.model, line)")
    for (index, step) in steps.enumerated() where step.isNormalization {
      let before =
        steps[..<index].last { $0.source != nil }?.source.map { "reads what \($0) gives" } ?? "reads the input"
      let after = steps[(index + 1)...].first { $0.source != nil }?.source.map { ", before \($0)" } ?? ""
      model.assumed.add("\(step.source ?? "") (\(step.noun)) \(before)\(after)")
    }
    for (index, step) in steps.enumerated() where step.kind is Layer.Dense && index + 1 < steps.count {
      let dense = step.kind as? Layer.Dense
      guard dense?.activation == Activation.none, let next = steps[(index + 1)...].first(where: { $0.source != nil }),
        next.isRecurrent
      else { continue }
      model.assumed.add(
        "no activation between \(step.source ?? "") and \(next.source ?? "")",
        change: "a word such as relu after its size in \(.model, "LINE")")
    }
    if steps.contains(where: { $0.kind as? Layer.Readout == Layer.Readout(.undecided) }) {
      model.assumed.add(
        "what of the steps is read on is left open: finetune and evaluate settle it from the data",
        change: "\(.readout, "last"), final, all, mean or max")
    }
    if let recurrent = steps.lastIndex(where: \.isRecurrent), recurrent + 1 < steps.count,
      let next = steps[(recurrent + 1)...].first(where: { $0.source != nil })?.source, options.readoutActivation == nil
    {
      model.assumed.add(
        "nothing between \(steps[recurrent].source ?? "") and \(next)",
        change: "\(.readoutActivation) relu, tanh or sigmoid")
    }
    if let last = steps.last, let dense = last.kind as? Layer.Dense, options.outputActivation == nil {
      if dense.activation == .none {
        model.assumed.add(
          "no activation after \(last.source ?? "")", change: "\(.outputActivation) sigmoid, softmax, relu or tanh")
      }
    }
    for step in steps {
      guard let attention = step.kind as? Layer.Attention, attention.form == .tanh else { continue }
      model.assumed.add(
        "attention as the sum of the steps, weighted by the softmax over time of a score of each, which has tanh inside "
          + "(\(step.source ?? ""))")
    }
    for case let norm as Layer.BatchNorm in steps.map(\.kind) {
      model.assumed.add(
        "batch normalization adds \(norm.epsilon) to variances, as PyTorch's", change: "epsilon in \(.model, "LINE")")
      break
    }
  }
}

extension GraphDraft.Step {
  fileprivate var noun: String {
    switch kind {
    case let recurrent as Layer.Recurrent:
      (recurrent.isBidirectional ? "a bidirectional " : recurrent.cell == .lstm ? "an " : "a ")
        + (recurrent.cell == .rnn ? "plain RNN" : recurrent.cell.rawValue.uppercased())
    case is Layer.BatchNorm: "a batch normalization"
    case is Layer.LayerNorm: "a layer normalization"
    case is Layer.Convolution: "a convolution"
    case is Layer.Embedding: "an embedding"
    case is Layer.Attention, is Layer.SelfAttention: "an attention"
    case is Layer.CRF: "a conditional random field (CRF)"
    default: "a dense layer"
    }
  }

  /// Why it is that.
  fileprivate var evidence: String {
    switch kind {
    case let recurrent as Layer.Recurrent where recurrent.cell == .gru:
      ", as weight_hh has 3H = \(3 * recurrent.size) rows"
    case let recurrent as Layer.Recurrent where recurrent.cell == .rnn: ", as weight_hh has H = \(recurrent.size) rows"
    case is Layer.BatchNorm: ", as it has running_mean"
    case is Layer.LayerNorm: ", as weight and bias are vectors of one width"
    default: ""
    }
  }
}
