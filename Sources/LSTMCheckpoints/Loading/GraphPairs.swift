import FileIO

/// Recurrent modules of which tensors do not tell whether one reads what another gives: the models that they may make.
struct GraphPairs {
  private(set) var proposals: [ModelConfiguration] = []
  /// Modules that may as well stand one above the other, in that order.
  private(set) var stack: [String] = []
  private(set) var detail: Message = "its recurrent layers may be arranged in several ways"

  /// nil when there is one module alone, or their order is beyond doubt.
  init?(
    _ parts: GraphParts, _ recurrent: [TensorModule], _ kinds: TensorKinds, _ options: LoadOptions,
    _ take: Layer.Readout.Take
  ) {
    let groups = recurrent.grouped(by: \.path).map(\.members)
    guard groups.count > 1, let first = groups.first?.first?.reads else { return nil }
    let paths = groups.map { $0[0].path }
    let isNumbered = Set(paths.map { $0.filter { !$0.isNumber } }).count == 1
    let chains = zip(groups, groups.dropFirst()).allSatisfy { $0.last?.gives == $1.first?.reads }
    if isNumbered, chains, LSTMStack.isList(paths) || !groups.dropFirst().contains(where: { $0[0].reads == first }) {
      return nil
    }
    let sequence = parts.sequence
    guard let begin = sequence.firstIndex(where: { $0.recurrent != nil }),
      let end = sequence.lastIndex(where: { $0.recurrent != nil })
    else { return nil }
    let isWhole = sequence[begin...end].allSatisfy { $0.recurrent != nil }
    func draft(_ arrange: (inout GraphDraft, _ base: Int) -> Bool) -> GraphDraft? {
      var chain = GraphChain(kinds, options)
      for index in 0..<begin {
        guard chain.add(sequence[index], next: sequence[index + 1]) else { return nil }
      }
      if chain.isEmpty { chain.begin(width: first) }
      guard chain.arrange(arrange) else { return nil }
      let rest = sequence[(end + 1)...]
      let hasHead = rest.contains { $0.isLinear }
      guard chain.readOut(parts, hasHead: hasHead, steps: 1) else { return nil }
      for (offset, module) in rest.enumerated() {
        guard chain.add(module, next: rest.dropFirst(offset + 1).first) else { return nil }
      }
      guard chain.finish(parts), chain.isPlain else { return nil }
      return chain.draft
    }
    func add(_ groups: [[TensorModule]], _ draft: inout GraphDraft, reads: [Int?]) -> [Int] {
      var tops: [Int] = []
      for (group, from) in zip(groups, reads) {
        for (index, module) in group.enumerated() {
          guard let kind = module.recurrent?.kind else { continue }
          draft.steps.append(.init(kind, module, reads: index == 0 ? from.map { [$0] } : nil))
        }
        tops.append(draft.steps.count - 1)
      }
      return tops
    }
    var drafts: [GraphDraft?] = []
    if isWhole, chains, GraphChain(parts, kinds, options) != nil { stack = paths }
    if !isWhole, let chain = GraphChain(parts, kinds, options)?.draft {
      // What stands between them tells the order, but not the activations.
      let dense = chain.steps.indices.filter { index in
        chain.steps[index].kind is Layer.Dense && chain.steps[(index + 1)...].contains(where: \.isRecurrent)
          && chain.steps[..<index].contains(where: \.isRecurrent)
      }
      detail =
        "its recurrent layers are \(nameList(paths)), with layers between them whose activations tensors do not show"
      drafts.append(chain.activated(dense, by: options.activation ?? .relu))
      if !dense.isEmpty, options.activation == nil { drafts.append(chain) }
    }
    if isWhole, groups.allSatisfy({ $0[0].reads == first }) {
      let merges: [(Layer.Merge.Operation, isReversed: Bool)] = [
        (.add, false), (.concatenate, false), (.concatenate, true),
      ]
      for (merge, isReversed) in merges {
        drafts.append(
          draft { draft, base in
            let tops = add(groups, &draft, reads: groups.map { _ in base })
            draft.steps.append(.init(Layer.Merge(merge), nil, reads: isReversed ? tops.reversed() : tops))
            return draft.value != nil
          })
      }
    }
    if isWhole, groups.count == 2, chains, groups[0].last?.gives == groups[1].last?.gives {
      drafts.append(
        draft { draft, base in
          let tops = add(groups, &draft, reads: [base, nil])
          draft.steps.append(.init(Layer.Merge(.add), nil, reads: tops))
          return draft.value != nil
        })
    }
    if isWhole, groups.count == 2, begin == 0, !LSTMStack.isList(paths), let encoder = groups[0].first,
      let decoder = groups[1].first,
      let other = decoder.reads, Self.haveOneState(groups), encoder.recurrent?.kind.initial == .zero
    {
      drafts.append(
        draft { draft, base in
          draft.inputs[0].name = "input1"
          draft.inputs.append(.init(.features(size: other), name: "input2"))
          _ = add(groups, &draft, reads: [base, -2])
          for index in groups[0].indices { draft.steps[groups[0].count + index].startsFrom = index }
          return draft.value != nil
        })
    }
    proposals = drafts.compactMap { $0.flatMap { try? $0.named().taking(take).configuration() } }
    proposals = Array(proposals.prefix(2))
    if proposals.isEmpty, stack.isEmpty { return nil }
    // Widths leave one arrangement.
    let isSideBySide = groups.allSatisfy { $0[0].reads == first }
    let isAdded = groups.dropFirst().contains { $0[0].reads == $0.last?.gives }
    let isDecoder = Self.haveOneState(groups)
    if proposals.isEmpty, !isSideBySide, !isAdded, !isDecoder { return nil }
  }

  /// Whether the state of one could be the other's first.
  private static func haveOneState(_ groups: [[TensorModule]]) -> Bool {
    groups[0].count == groups[1].count
      && zip(groups[0], groups[1]).allSatisfy { a, b in
        guard let a = a.recurrent?.kind, let b = b.recurrent?.kind else { return false }
        return a.cell == b.cell && a.size == b.size && a.stateSize == b.stateSize && a.directions == b.directions
      }
  }
}

extension GraphChain {
  var isEmpty: Bool { draft.inputs.isEmpty }
  /// Nothing that would have to be asked beside.
  var isPlain: Bool { joined == nil && !isBeside && halves == nil && !hasSeveralHeads }
}
