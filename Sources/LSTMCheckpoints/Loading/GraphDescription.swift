import FileIO

/// Says of a graph that was put together of a file's tensors what each layer is, and what was taken for granted, with the
/// model's line as it would be otherwise.
struct GraphDescription {
  private let draft: GraphDraft
  private let configuration: ModelConfiguration
  private let options: LoadOptions
  private let take: Layer.Readout.Take
  private let keepsOrder: Bool
  private var steps: [GraphDraft.Step] { draft.steps }

  init(
    _ draft: GraphDraft, _ configuration: ModelConfiguration, options: LoadOptions, take: Layer.Readout.Take,
    keepsOrder: Bool
  ) {
    (self.draft, self.configuration, self.options) = (draft, configuration, options)
    (self.take, self.keepsOrder) = (take, keepsOrder)
  }

  func describe(_ parts: GraphParts, _ model: inout ResolvedModel) {
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
      "the layers follow each other \(order(parts)): \(names.joined(separator: ", "))",
      change: "the layers of \(.model, line) in another order")
    sayNormalizations(&model.assumed)
    for (index, step) in steps.enumerated() where step.kind is Layer.Dense && index + 1 < steps.count {
      let dense = step.kind as? Layer.Dense
      guard dense?.activation == Activation.none, let next = steps[(index + 1)...].first(where: { $0.source != nil }),
        next.isRecurrent
      else { continue }
      model.assumed.add(
        "no activation between \(step.source ?? "") and \(next.source ?? "")",
        change: self.line { $0 = $0.activated([index], by: .relu) })
    }
    if steps.contains(where: { $0.kind as? Layer.Readout == Layer.Readout(.undecided) }) {
      model.assumed.add(
        "what of the steps is read on is left open: finetune and evaluate settle it from the data",
        change: "\(.readout, "last"), final, all, mean or max")
    }
    if let end = draft.readoutEnd, let own = steps[...end].last(where: { $0.source != nil })?.source,
      let next = steps[(end + 1)...].first(where: { $0.source != nil })?.source, options.readoutActivation == nil
    {
      let isAttention = steps[end].kind is Layer.Attention || steps[end].kind is Layer.DotAttention
      let place = isAttention ? "the attention" : own
      model.assumed.add("nothing between \(place) and \(next)", change: "\(.readoutActivation) relu, tanh or sigmoid")
    }
    if let last = steps.last, options.outputActivation == nil, draft.outputActivationObstacle == nil,
      (last.kind as? Layer.Dense).map({ $0.activation == .none }) ?? last.isNormalization
    {
      model.assumed.add(
        "no activation after \(last.source ?? "")",
        change: Assumption.outputActivations(width: configuration.output.width))
    }
    sayAttention(&model.assumed)
    for case let norm as Layer.BatchNorm in steps.map(\.kind) {
      model.assumed.add(
        "batch normalization adds \(norm.epsilon) to variances, as PyTorch's", change: "epsilon in \(.model, "LINE")")
      break
    }
    for case let norm as Layer.LayerNorm in steps.map(\.kind) {
      model.assumed.add(
        "layer normalization adds \(norm.epsilon) to variances, as PyTorch's", change: "epsilon in \(.model, "LINE")")
      break
    }
    for (index, step) in steps.enumerated() {
      guard var cell = step.kind as? Layer.Recurrent, cell.cell == .rnn, step.level == 0 else { continue }
      cell.activation = .relu
      model.assumed.add(
        "the activation of \(step.source ?? "") is tanh",
        change: self.line { draft in
          for at in levels(from: index) {
            guard var own = draft.steps[at].kind as? Layer.Recurrent else { continue }
            own.activation = cell.activation
            draft.steps[at].kind = own
          }
        })
    }
    sayResidual(&model.assumed)
    for step in steps where step.kind is Layer.PReLU {
      guard let source = step.source else { continue }
      model.assumed.add("\(source) has the slope of a PReLU, as it is one vector by itself")
    }
  }

  /// The model's line with a change.
  private func line(_ take: Layer.Readout.Take? = nil, _ change: (inout GraphDraft) -> Void) -> Message? {
    var copy = draft
    change(&copy)
    return (try? copy.taking(take ?? self.take).configuration()).map { "\(.model, $0.line)" }
  }

  private func order(_ parts: GraphParts) -> String {
    parts.isInterleaved
      ? "as they are numbered, each recurrent layer with its normalization"
      : keepsOrder ? "in the order of the file" : "as their widths go"
  }

  private func sayNormalizations(_ assumed: inout [Assumption]) {
    for (index, step) in steps.enumerated() where step.isNormalization {
      let source = step.source ?? ""
      let before =
        steps[..<index].last { $0.source != nil }?.source.map { "reads what \($0) gives" } ?? "reads the input"
      let next = steps[(index + 1)...].first { $0.source != nil }
      assumed.add("\(source) (\(step.noun)) \(before)\(next?.source.map { ", before \($0)" } ?? "")")
      guard index > 0, step.reads == nil else { continue }
      if let readout = steps[index - 1].kind as? Layer.Readout {
        let take = readout.take == .undecided ? Layer.Readout.Take.mean : readout.take
        // The last step is the same before and after.
        if ![.last, .final, .first].contains(take) {
          assumed.add(
            "\(source) normalizes what is read of the steps, not each step before that",
            change: line(take) { $0.steps.swapAt(index - 1, index) })
        }
      }
      guard let next, next.isLinear || next.isRecurrent, steps[index + 1].source != nil else { continue }
      assumed.add(
        "no activation between \(source) and \(next.source ?? "")",
        change: line { $0.insert(.init(Layer.ActivationLayer(.relu)), at: index + 1) })
    }
    guard options.activation != nil else { return }
    for (index, step) in steps.enumerated() {
      guard let layer = step.kind as? Layer.ActivationLayer, index > 1, steps[index - 1].isNormalization,
        steps[index - 2].kind is Layer.Dense
      else { continue }
      assumed.add(
        "\(layer.activation.rawValue) is after \(steps[index - 1].source ?? ""), not before it",
        change: line { $0.steps.swapAt(index - 1, index) })
    }
  }

  private func sayAttention(_ assumed: inout [Assumption]) {
    for (index, step) in steps.enumerated() {
      let source = step.source ?? ""
      if var attention = step.kind as? Layer.Attention {
        switch attention.form {
        case .tanh:
          assumed.add(
            "attention as the sum of the steps, weighted by the softmax over time of a score of each, which has tanh "
              + "inside (\(source)); with another activation there it has no counterpart here")
        case .vector:
          attention.scoreActivation = .tanh
          assumed.add(
            "attention as the sum of the steps, weighted by the softmax over time of \(source) times each, with no "
              + "activation of that score", change: line { $0.steps[index].kind = attention })
        case .feature: break
        }
      } else if let attention = step.kind as? Layer.DotAttention, attention.isAdditive {
        let (query, key) = (step.reads?.first, step.reads?.last)
        func name(_ index: Int?) -> String { index.flatMap { steps[$0].source } ?? "" }
        assumed.add(
          "attention of the last state (\(name(query))) to each step (\(name(key))): the sum of the steps, weighted by "
            + "the softmax over time of \(source) times the tanh of both")
      }
    }
  }

  /// The layers of the recurrent module that begins there.
  private func levels(from index: Int) -> Range<Int> {
    let end = steps[(index + 1)...].firstIndex { !$0.isRecurrent || $0.level == 0 } ?? steps.count
    return index..<end
  }

  /// What a recurrent layer gives may be added to what it reads where both are as wide.
  private func sayResidual(_ assumed: inout [Assumption]) {
    let found = steps.indices.filter { index in
      let step = steps[index]
      guard let cell = step.kind as? Layer.Recurrent, cell.initialFrom == nil, step.reads == nil,
        index > 0 || draft.inputs.count == 1,
        index + 1 >= steps.count || !steps[index + 1].isRecurrent || steps[index + 1].level == 0,
        step.level == 0, let width = step.parts["weight_ih"]?.shape.last
      else { return false }
      return width == cell.outputSize
    }
    if found.isEmpty { return }
    // All of a row of blocks, or none.
    assumed.add(
      "what \(nameList(found.compactMap { steps[$0].source })) \(found.count == 1 ? "gives is not added to what it reads, which is" : "give is not added to what each reads, which is") "
        + "as wide",
      change: line { draft in
        for (moved, index) in found.enumerated() {
          let at = index + moved
          let read = normalizesForItself(index) ? at - 2 : at - 1
          draft.insert(.init(Layer.Merge(.add), nil, reads: [at, read]), at: at + 1)
        }
      })
  }

  /// Whether the normalization before a layer lies in one block with it, so that what is added is what the block reads.
  private func normalizesForItself(_ index: Int) -> Bool {
    guard index > 0, steps[index - 1].isNormalization, let norm = steps[index - 1].source, let own = steps[index].source
    else { return false }
    let block = own.moduleAndLeaf.module
    return !block.isEmpty && norm.moduleAndLeaf.module == block
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
    case is Layer.GroupNorm: "a group normalization"
    case is Layer.Convolution: "a convolution"
    case is Layer.Embedding: "an embedding"
    case is Layer.Attention, is Layer.SelfAttention, is Layer.DotAttention: "an attention"
    case is Layer.CRF: "a conditional random field (CRF)"
    case is Layer.PReLU: "a PReLU"
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
