import FileIO

/// Rows of layers that stand side by side, each with an input of its own, and a module that reads as much as they give
/// together: features beside an embedding, two embeddings, a convolutional branch beside an LSTM, values of each sequence
/// through layers of their own.
struct GraphBranches {
  private(set) var proposals: [ModelConfiguration] = []
  /// For each proposal another.
  private(set) var others: [ModelConfiguration] = []
  let detail: Message

  /// nil when nothing reads what several rows give together.
  init?(
    _ parts: GraphParts, _ kinds: TensorKinds, _ options: LoadOptions, _ take: Layer.Readout.Take, keepsOrder: Bool
  ) {
    guard parts.attention == nil, parts.products == nil, parts.states.isEmpty else { return nil }
    let tables = parts.sequence.filter { Self.isTable($0, kinds) }
    guard parts.sequence.count > 2, tables.count > 1 || GraphChain(parts, kinds, options) == nil else { return nil }
    let orders = keepsOrder ? [parts.sequence] : Self.orders(parts.sequence, kinds)
    for modules in orders.map(Self.pairingNormalizations) {
      for (join, splits) in modules.indices.dropFirst(2).flatMap({ [($0, false), ($0, true)] }) {
        let above = modules[join]
        guard above.isLinear || above.recurrent != nil, let reads = above.reads else { continue }
        let rows = Self.rows(Array(modules[..<join]), kinds, splits: splits)
        let widths = rows.map { $0.last { $0.gives != nil }.flatMap { Self.width($0, kinds) } ?? 0 }
        guard 2...3 ~= rows.count, widths.reduce(0, +) == reads, !widths.contains(0) else { continue }
        let builder = Builder(rest: Array(modules[join...]), parts: parts, kinds: kinds, options: options, take: take)
        func models(_ drafts: [GraphDraft?]) -> [ModelConfiguration] {
          drafts.compactMap { try? $0?.named().taking(take).configuration() }
        }
        let reversed = Array(rows.reversed())
        if rows.contains(where: { $0.contains(where: \.isFront) }) {
          let paddings = [Layer.Convolution.Padding.same, .valid]
          proposals = models(paddings.map { builder.draft(rows, isShared: true, $0) })
          others = models(paddings.map { builder.draft(reversed, isShared: true, $0) })
        } else {
          proposals = models([rows, reversed].map { builder.draft($0, isShared: true) })
          others = models([rows, reversed].map { builder.draft($0, isShared: false) })
          if others == proposals { others = [] }
        }
        guard !proposals.isEmpty else { continue }
        let names = zip(rows, widths).map { "\($0.last?.name ?? "") (\($1))" }
        let isOfSteps = proposals[0].inputs.contains { $0.steps == GraphReading.unknownNumber }
        detail =
          "\(above.name) reads \(reads) values, as many as \(names.joined(separator: " and ")) give together: side by side, "
          + "in an order that tensors do not tell\(isOfSteps ? " (N stands for the number of steps)" : "")"
        return
      }
    }
    return nil
  }

  // MARK: - Rows

  private static func isTable(_ module: TensorModule, _ kinds: TensorKinds) -> Bool {
    module.isLinear && !module.hasBias && module.parts.values.contains { kinds.kind(of: $0) == .embedding }
  }

  /// The width of what it gives, an embedding included.
  private static func width(_ module: TensorModule, _ kinds: TensorKinds) -> Int? {
    isTable(module, kinds) ? module.reads : module.gives
  }

  /// Modules one after the other, as far as each reads what the one before gives.
  /// - Parameter splits: whether a dense layer behind a recurrent one has an input of its own, though it could read it.
  private static func rows(_ modules: [TensorModule], _ kinds: TensorKinds, splits: Bool) -> [[TensorModule]] {
    var rows: [[TensorModule]] = []
    for module in modules {
      if let last = rows.last?.last(where: { $0.gives != nil }), !isTable(module, kinds),
        module.reads == nil || module.reads == width(last, kinds),
        last.recurrent == nil || !module.isFront && !(splits && module.isLinear)
      {
        rows[rows.count - 1].append(module)
      } else {
        rows.append([module])
      }
    }
    return rows
  }

  /// As many normalizations as convolutions before them stand behind each.
  private static func pairingNormalizations(_ modules: [TensorModule]) -> [TensorModule] {
    var result: [TensorModule] = []
    var at = 0
    while at < modules.count {
      let fronts = Array(modules[at...].prefix(while: \.isFront))
      let norms = Array(modules[(at + fronts.count)...].prefix(while: \.isNormalization))
      if fronts.count > 1, fronts.count == norms.count, zip(fronts, norms).allSatisfy({ $0.gives == $1.reads }) {
        result += zip(fronts, norms).flatMap { [$0, $1] }
        at += 2 * fronts.count
      } else {
        result.append(modules[at])
        at += 1
      }
    }
    return result
  }

  /// For a file that does not keep an order: tables, recurrent layers, convolutions and normalizations, and dense layers,
  /// of which one may read what the others give.
  private static func orders(_ modules: [TensorModule], _ kinds: TensorKinds) -> [[TensorModule]] {
    func rank(_ module: TensorModule) -> Int {
      if isTable(module, kinds) { return 0 }
      if module.recurrent != nil { return 1 }
      return module.isFront ? 2 : module.isNormalization ? 3 : 4
    }
    let sorted = modules.sorted(by: rank)
    let dense = sorted.filter { rank($0) == 4 }
    let rest = sorted.filter { rank($0) < 4 }
    // A dense layer that nothing gives to may have an input of its own.
    return [sorted]
      + dense.indices.map { index in
        var others = dense
        let join = others.remove(at: index)
        var after: [TensorModule] = []
        while let next = others.firstIndex(where: { $0.reads == (after.last ?? join).gives }) {
          after.append(others.remove(at: next))
        }
        return rest + others + [join] + after
      }
  }

  // MARK: - As layers

  private struct Builder {
    let rest: [TensorModule]
    let parts: GraphParts
    let kinds: TensorKinds
    let options: LoadOptions
    let take: Layer.Readout.Take

    /// - Parameter isShared: whether rows that read as much read the same.
    func draft(
      _ rows: [[TensorModule]], isShared: Bool, _ padding: Layer.Convolution.Padding = .same
    ) -> GraphDraft? {
      let usual = options.activation ?? .relu
      let isPerStep = rest[0].recurrent != nil
      var draft = GraphDraft(inputs: [])
      var tops: [Int] = []
      for row in rows {
        guard let first = row.first, let reads = first.reads else { return nil }
        let begin = draft.steps.count
        let hasCell = row.contains { $0.recurrent != nil }
        let isSteps = hasCell || isPerStep || row.contains(where: \.isFront)
        let same = draft.inputs.firstIndex { input in
          isShared && input.vocabulary == nil && input.width == reads && isSteps && !input.isPerSequence
        }
        if same == nil {
          let name = "input\(draft.inputs.count + 1)"
          // Inputs that go together step by step have one number of steps.
          let steps = isPerStep ? GraphReading.unknownNumber : nil
          if isTable(first, kinds) {
            draft.inputs.append(.init(.tokens(vocabulary: first.gives ?? 1), name: name, steps: steps))
          } else {
            draft.inputs.append(.init(.features(size: reads), name: name, steps: steps, isPerSequence: !isSteps))
          }
        }
        draft.steps += steps(row)
        guard draft.steps.count == begin + row.count else { return nil }
        draft.steps[begin].reads = [same.map { -1 - $0 } ?? -draft.inputs.count]
        let active = draft.steps.indices.filter { $0 >= begin && draft.steps[$0].isLinear }
        for index in active {
          guard var kind = draft.steps[index].kind as? Layer.Convolution else { continue }
          kind.padding = padding
          draft.steps[index].kind = kind
        }
        draft = draft.activated(active, by: usual)
        let isBackward = Self.runBackward(row, among: rows)
        if isBackward {
          for index in begin..<draft.steps.count {
            guard var cell = draft.steps[index].kind as? Layer.Recurrent else { continue }
            cell.isReversed = true
            draft.steps[index].kind = cell
          }
        }
        if !isPerStep, isSteps {
          draft.steps.append(.init(Layer.Readout(isBackward && take == .last ? .final : hasCell ? take : .mean)))
        }
        tops.append(draft.steps.count - 1)
      }
      let merge = draft.steps.count
      draft.steps.append(.init(Layer.Merge(.concatenate), nil, reads: tops))
      let top = rest.lastIndex { $0.recurrent != nil }
      for (index, module) in rest.enumerated() {
        guard let step = GraphChain.step(module) else { return nil }
        draft.steps.append(step)
        if index == top, parts.crf == nil, rest[index...].contains(where: \.isLinear) {
          draft.steps.append(.init(Layer.Readout()))
        }
      }
      if let crf = parts.crf { draft.steps.append(.init(Layer.CRF(), crf)) }
      if draft.inputs.count == 1 { draft.inputs[0].name = "input" }
      guard draft.value != nil else { return nil }
      // What is among the rows has its activations.
      let active = draft.activated(GraphQuestions.inner(draft).filter { $0 > merge }, by: usual)
      return options.outputActivation.map(active.ending) ?? active
    }

    /// Whether a row is the one of two that begins at the end, by their names.
    private static func runBackward(_ row: [TensorModule], among rows: [[TensorModule]]) -> Bool {
      func says(_ row: [TensorModule], _ names: Set<String>) -> Bool {
        row.contains { $0.recurrent != nil && TensorKinds.words($0.path).contains(where: names.contains) }
      }
      return rows.count == 2 && rows.contains { says($0, ["fw", "fwd", "forward"]) }
        && says(row, ["bw", "bwd", "backward", "rev", "reverse", "reversed"])
    }

    private func steps(_ row: [TensorModule]) -> [GraphDraft.Step] {
      row.enumerated().compactMap { index, module in
        if index == 0, isTable(module, kinds), let size = module.reads {
          return .init(Layer.Embedding(size: size, paddingToken: nil), module)
        }
        return GraphChain.step(module)
      }
    }
  }
}
