import FileIO

/// PyTorch's `MultiheadAttention` of keys and values of other widths than the queries: three matrices of its own with one
/// bias, read as dense layers `q_proj`, `k_proj` and `v_proj`.
enum SplitProjections {
  /// The candidates with such parts under the names of dense layers.
  static func expanding(_ candidates: [Candidate]) -> [Candidate] {
    guard candidates.contains(where: { $0.name.hasSuffix("q_proj_weight") }) else { return candidates }
    var shapes: [String: [String: [Int]]] = [:]
    for candidate in candidates {
      let (module, leaf) = candidate.name.moduleAndLeaf
      shapes[module, default: [:]][leaf] = candidate.shape
    }
    /// E of a module that has all three.
    func width(_ module: String) -> Int? {
      guard let leaves = shapes[module],
        let rows = leaves["q_proj_weight"]?.first,
        ["q", "k", "v"].allSatisfy({ leaves["\($0)_proj_weight"].map { $0.count == 2 && $0[0] == rows } ?? false }),
        leaves["in_proj_bias"].map({ $0 == [3 * rows] }) ?? true, rows > 0
      else { return nil }
      return rows
    }
    return candidates.flatMap { candidate -> [Candidate] in
      let (module, leaf) = candidate.name.moduleAndLeaf
      guard leaf.contains("_proj_"), let rows = width(module) else { return [candidate] }
      let (stem, source) = (module.isEmpty ? "" : module + ".", candidate.tensor.name)
      let outer = source.droppingSuffix(leaf) ?? stem
      func part(_ letter: String, _ name: String, _ tensor: StoredTensor, _ how: String?) -> Candidate {
        let own = "\(letter)_proj.\(name)"
        return Candidate(name: stem + own, tensor: tensor.renamed(outer + own), how: how)
      }
      if let letter = ["q", "k", "v"].first(where: { leaf == "\($0)_proj_weight" }) {
        return [part(letter, "weight", candidate.tensor, source)]
      }
      guard leaf == "in_proj_bias" else { return [candidate] }
      let parts = candidate.tensor.reshaped([3, rows])
      return zip(["q", "k", "v"], 0...).map { part($0, "bias", parts.element($1), "row \($1) of \(source)") }
    }
  }
}
