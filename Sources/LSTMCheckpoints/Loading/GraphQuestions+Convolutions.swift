import FileIO

// Convolutions before a recurrent layer, of which a state_dict has little more than the kernels.

extension GraphQuestions {
  /// What tensors do not tell of convolutions.
  func askFront(_ convolutions: [Int], _ inner: [Int], _ draft: GraphDraft) -> GraphReading.Outcome {
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
    let groups = openGroups(draft).map { "\($0); " as Message } ?? Self.vectors(between: convolutions, draft)
    let question: Message =
      groups
      + "\(names) \(what), of which tensors tell neither the padding (same, or pad 1x1, or nothing), nor the stride (stride 2), "
      + "nor what follows before the next layer: an activation, a pooling (max pool 2)"
    let kernels = convolutions.compactMap { (draft.steps[$0].kind as? Layer.Convolution)?.kernel.max() }
    if kernels.contains(where: { $0 >= Self.longKernel }) {
      return .question(
        question + "; N stands for the strides, and what else is not told is to be filled in",
        proposals([Self.strided(draft, convolutions, usual, inner.filter { !convolutions.contains($0) })]))
    }
    if kernels.allSatisfy({ $0 == 1 }), options.activation == nil {
      return .question(question, proposals([variant(.valid, .relu), variant(.valid, .none)]))
    }
    if hasPoolings(convolutions, draft) {
      return .question(question, proposals([variant(.same, usual), variant(.valid, usual)].map { Self.pooled($0) }))
    }
    let drafts = [variant(.same, usual), variant(.valid, usual)]
    return .question(question, proposals(drafts), others: proposals(drafts.map { Self.pooled($0) }))
  }

  /// Normalizations behind convolutions, of which a vector of gains does not tell the kind.
  private static func vectors(between convolutions: [Int], _ draft: GraphDraft) -> Message {
    let norms = convolutions.compactMap { index -> String? in
      guard index + 1 < draft.steps.count, draft.steps[index + 1].kind is Layer.LayerNorm else { return nil }
      return draft.steps[index + 1].source
    }
    if norms.isEmpty { return "" }
    return
      "\(nameList(norms)) may be of each step (layer norm) or of groups of channels over all steps (group norm groups 1, "
      + "and so on); "
  }

  /// Nobody goes step by step with a window of so many.
  private static let longKernel = 16

  /// The same with strides that are to be filled in, as long windows have.
  private static func strided(
    _ draft: GraphDraft, _ convolutions: [Int], _ activation: Activation, _ inner: [Int]
  ) -> GraphDraft {
    var copy = draft
    for index in convolutions {
      guard var kind = copy.steps[index].kind as? Layer.Convolution else { continue }
      kind.stride = kind.kernel.map { _ in GraphReading.unknownNumber }
      // `same` and PyTorch's padding are not one where the stride is not 1.
      if kind.kernel.allSatisfy({ $0 < longKernel && $0 % 2 == 1 }) {
        kind.pad = kind.kernel.flatMap { [$0 / 2, $0 / 2] }
      }
      copy.steps[index].kind = kind
    }
    // Magnitudes of a spectrum are no linear sum.
    let active = convolutions.filter { $0 + 1 >= draft.steps.count || !(draft.steps[$0 + 1].kind is Layer.Magnitude) }
    return copy.activated(active, by: activation).activated(inner, by: activation)
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
          || draft.steps[last + 1].kind is Layer.PReLU
      {
        last += 1
      }
      copy.insert(.init(Layer.Pooling(.max, window: [2])), at: last + 1)
    }
    return copy
  }
}
