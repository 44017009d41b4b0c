import FileIO

/// A layer that a file has under a second name.
struct Twin {
  let candidate: Candidate
  /// What the tensor is called that stays.
  let kept: String
  /// Whether the file stores the two as one; otherwise their values are the same.
  let isProven: Bool
  /// Why it is taken for the same.
  var reason: Message {
    isProven ? "it is \(kept), under a second name" : "it holds the values of \(kept), under a second name"
  }
}

extension RewrittenNames {
  /// The candidates without layers that a file has under a second name: a module that was registered twice, as fast.ai
  /// has its encoder.
  ///
  /// A weight alone may be tied, an LSTM or a square layer may be used twice: these stay.
  func withoutTwins(_ sharing: [[String]]) -> (candidates: [Candidate], twins: [Twin]) {
    var group: [String: Int] = [:]
    for (number, names) in sharing.enumerated() { for name in names { group[name] = number } }
    let twins = sharing.isEmpty ? [] : secondModules(group)
    let all = twins + secondEmbeddings(group)
    let gone = Set(all.map(\.candidate.name))
    return (gone.isEmpty ? candidates : candidates.filter { !gone.contains($0.name) }, all)
  }

  /// Dense layers and norms of which every tensor is another one's.
  private func secondModules(_ group: [String: Int]) -> [Twin] {
    var kept: [[String: Int]: [String: Candidate]] = [:]
    var twins: [Twin] = []
    for (_, module) in candidates.grouped(by: \.name.moduleAndLeaf.module) {
      let members = Dictionary(module.map { ($0.name.moduleAndLeaf.leaf, $0) }) { _, last in last }
      // The group of each tensor by its last name; -1 for what is not shared.
      let parts = members.mapValues { group[$0.tensor.name] ?? -1 }
      let mayGo = module.allSatisfy { candidate in
        let isSquare = candidate.shape.count == 2 && candidate.shape[0] == candidate.shape[1]
        return PyTorchName(candidate.name) == nil && !isSquare
      }
      guard parts.count > 1, mayGo, !parts.values.contains(-1) else { continue }
      guard let first = kept[parts] else {
        kept[parts] = members
        continue
      }
      twins += members.sorted { $0.key < $1.key }.compactMap { leaf, candidate in
        first[leaf].map { Twin(candidate: candidate, kept: $0.tensor.name, isProven: true) }
      }
    }
    return twins
  }

  /// Embeddings of one name beside another that are one matrix.
  private func secondEmbeddings(_ group: [String: Int]) -> [Twin] {
    let names = Set(candidates.map(\.name))
    let tables = candidates.filter {
      $0.isLinearWeight && $0.saysEmbedding && !names.contains($0.siblingBias)
        && PyTorchName($0.name) == nil && $0.tensor.dataType.isFloatingPoint
    }
    guard tables.count > 1 else { return [] }
    // An output layer that calls itself an embedding is none's second name: another layer has to give the output.
    func mayGo(_ table: Candidate) -> Bool {
      table.shape[0] != table.shape[1]
        && (table.name.hasSuffix("_dp.emb.weight")
          || candidates.contains { other in
            other.isLinearWeight && other.shape[1] == table.shape[1] && PyTorchName(other.name) == nil
              && !tables.contains { $0.name == other.name }
          })
    }
    var kept: [Candidate] = []
    var twins: [Twin] = []
    for table in tables {
      let first = kept.first { other in
        let (one, two) = (group[other.tensor.name], group[table.tensor.name])
        return one != nil && one == two || other.shape == table.shape && areEqual(other.tensor, table.tensor)
      }
      guard let first, mayGo(table) else {
        kept.append(table)
        continue
      }
      let isProven = group[first.tensor.name] != nil && group[first.tensor.name] == group[table.tensor.name]
      twins.append(Twin(candidate: table, kept: first.tensor.name, isProven: isProven))
    }
    return twins
  }
}

extension Candidate {
  fileprivate var saysEmbedding: Bool {
    let name = name.lowercased()
    return ["emb", "wte", "encoder"].contains(where: name.contains) && !name.contains("decoder")
  }
}
