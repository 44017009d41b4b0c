extension RewrittenNames {
  /// The candidates without layers that a file has under a second name, as a module that was registered twice.
  ///
  /// A weight alone may be tied, an LSTM or a square layer may be used twice: these stay.
  func withoutTwins(
    _ sharing: [[String]]
  ) -> (candidates: [ModelResolution.Candidate], twins: [ModelResolution.LeftOver]) {
    if sharing.isEmpty { return (candidates, []) }
    var group: [String: Int] = [:]
    for (number, names) in sharing.enumerated() { for name in names { group[name] = number } }
    var modules: [String: [String: Int]] = [:]
    var mayGo: [String: Bool] = [:]
    var order: [String] = []
    for candidate in candidates {
      let (module, leaf) = candidate.place
      if modules[module] == nil { order.append(module) }
      // What is not shared has no twin.
      modules[module, default: [:]][leaf] = group[candidate.tensor.name] ?? -1
      let isSquare = candidate.shape.count == 2 && candidate.shape[0] == candidate.shape[1]
      mayGo[module] = mayGo[module] ?? true && PyTorchName(candidate.name) == nil && !isSquare
    }
    var kept: [[String: Int]: String] = [:]
    var twins: [String: String] = [:]
    for module in order {
      guard let parts = modules[module], parts.count > 1, !parts.values.contains(-1), mayGo[module] == true else {
        continue
      }
      if let first = kept[parts] { twins[module] = first } else { kept[parts] = module }
    }
    let gone = candidates.filter { twins[$0.place.module] != nil }.map { candidate in
      ModelResolution.LeftOver(
        candidate: candidate, reason: "the file has this very tensor in \(twins[candidate.place.module] ?? ""), too",
        isHarmless: true)
    }
    return (candidates.filter { twins[$0.place.module] == nil }, gone)
  }
}

extension ModelResolution.Candidate {
  fileprivate var place: (module: String, leaf: String) {
    guard let dot = name.lastIndex(of: ".") else { return ("", name) }
    return (String(name[..<dot]), String(name[name.index(after: dot)...]))
  }
}
