import FileIO

// Group normalizations, of which a state_dict has the gains alone.

extension GraphQuestions {
  /// The two numbers of groups that are usual for a width; one where the name says that each feature is a group.
  static func groups(_ module: TensorModule, _ width: Int) -> [Int] {
    groups(name: module.path, width)
  }

  private static func groups(name: String, _ width: Int) -> [Int] {
    if TensorKinds.saysInstances(name) { return [width] }
    let usual = width > 64 ? [32, 8, 4] : width > 16 ? [8, 4, 2] : [4, 2, 3]
    return Array((usual.filter { width % $0 == 0 && width > $0 } + [1]).prefix(2))
  }

  /// `gn is a group normalization over 12 values, ...`; nil where names tell all groups.
  func openGroups(_ draft: GraphDraft) -> Message? {
    let open = draft.steps.filter { step in
      step.kind is Layer.GroupNorm && !TensorKinds.saysInstances(step.source ?? "")
    }
    guard let first = open.first, let width = first.parts["weight"]?.shape.first else { return nil }
    let names = nameList(open.compactMap(\.source))
    let counts = (1...min(width, 64)).filter { width % $0 == 0 }.map(String.init)
    let what = open.count == 1 ? "is a group normalization" : "are group normalizations"
    return "\(names) \(what) over \(width) values, and tensors do not tell the number of groups (groups "
      + "\(counts.joined(separator: ", ")))"
  }

  /// The same with the other usual numbers of groups.
  func regrouped(_ draft: GraphDraft) -> GraphDraft {
    var copy = draft
    for (index, step) in draft.steps.enumerated() {
      guard var norm = step.kind as? Layer.GroupNorm, let width = step.parts["weight"]?.shape.first else { continue }
      norm.groups = Self.groups(name: step.source ?? "", width).last ?? 1
      copy.steps[index].kind = norm
    }
    return copy
  }
}
