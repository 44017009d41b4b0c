import FileIO

/// Tensors that a user leaves out, module by module, and what the output then is not.
struct LeftOutParts {
  private var modules: [String] = []
  private var kinds: [String: TensorKind] = [:]

  mutating func add(_ item: LeftOver) {
    guard item.effect != .none else { return }
    let name = item.candidate.tensor.name
    let stem = name.lastIndex { $0 == "." || $0 == "/" }.map { String(name[..<$0]) } ?? name
    let module = item.kind == .unknown ? name : stem
    if kinds.updateValue(kinds[module] ?? item.kind, forKey: module) == nil { modules.append(module) }
  }

  /// One for each module; those of a kind that is not known together.
  var assumptions: [Assumption] {
    var list: [Assumption] = []
    for module in modules {
      guard let kind = kinds[module], kind.effect == .changesOutput else { continue }
      list.add(
        "\(module) (\(kind.noun)) is left out as you allow: the output is then that of the model without it, not "
          + "the source's")
    }
    let unknown = modules.filter { kinds[$0] == .unknown }
    if !unknown.isEmpty {
      list.add(
        unknown.count == 1
          ? "\(unknown[0]) takes no part in the output, as you allow to leave it out"
          : "\(nameList(unknown)) take no part in the output, as you allow to leave them out")
    }
    return list
  }
}
