import FileIO

/// Tensors that a user leaves out, module by module, and what the output then is not.
struct LeftOutParts {
  private var items: [(module: String, kind: TensorKind)] = []

  mutating func add(_ item: LeftOver) {
    guard item.effect != .none else { return }
    let name = item.candidate.tensor.name
    let stem = name.lastIndex { $0 == "." || $0 == "/" }.map { String(name[..<$0]) } ?? name
    items.append((item.kind == .unknown ? name : stem, item.kind))
  }

  /// One for each module; those of a kind that is not known together.
  var assumptions: [Assumption] {
    var list: [Assumption] = []
    let parts = items.grouped(by: \.module).map { (module: $0.key, kind: $0.members[0].kind) }
    for (module, kind) in parts where kind.effect == .changesOutput {
      list.add(
        "\(module) (\(kind.noun)) is left out as you allow: the output is then that of the model without it, not "
          + "the source's")
    }
    let unknown = parts.filter { $0.kind == .unknown }.map(\.module)
    if !unknown.isEmpty {
      list.add(
        unknown.count == 1
          ? "\(unknown[0]) takes no part in the output, as you allow to leave it out"
          : "\(nameList(unknown)) take no part in the output, as you allow to leave them out")
    }
    return list
  }
}
