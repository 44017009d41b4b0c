import FileIO

/// Weights that PyTorch stores as factors, put together: weight normalization and spectral normalization, of the old hooks
/// and of `torch.nn.utils.parametrizations`.
///
/// The weight is what the module computes with in evaluation mode.
struct FoldedWeights {
  private(set) var candidates: [Candidate] = []
  private(set) var notes: [Message] = []
  /// The folded candidates' names -> their names in the file.
  private(set) var sources: [String: String] = [:]

  init(_ given: [Candidate]) {
    guard given.contains(where: { Self.factor($0.name) != nil }) else {
      candidates = given
      return
    }
    var factors: [String: [Factor: Candidate]] = [:]
    for candidate in given {
      if let (weight, factor) = Self.factor(candidate.name) { factors[weight, default: [:]][factor] = candidate }
    }
    let names = Set(given.map(\.name))
    var made: [String: (Candidate, used: Set<String>)] = [:]
    for (weight, parts) in factors where !names.contains(weight) {
      if let folded = Self.normalized(weight, parts) ?? Self.spectral(weight, parts) { made[weight] = folded }
    }
    let used = made.values.reduce(into: Set<String>()) { $0.formUnion($1.used) }
    var isPlaced = Set<String>()
    for candidate in given {
      guard used.contains(candidate.name) else {
        candidates.append(candidate)
        continue
      }
      guard let weight = Self.factor(candidate.name)?.weight, isPlaced.insert(weight).inserted,
        let (folded, used) = made[weight]
      else { continue }
      candidates.append(folded)
      sources[folded.name] = folded.tensor.name
      let parts = given.filter { used.contains($0.name) }.map(\.tensor.name).joined(separator: ", ")
      notes.append("\(folded.tensor.name) is \(folded.how ?? "") (\(parts)); an export has the one weight")
    }
  }

  private enum Factor: Hashable {
    /// Lengths and directions of weight normalization.
    case length, direction
    /// The weight before it is divided by its largest singular value, and that one's vectors.
    case original, left, right
  }

  /// The weight that a tensor is a factor of: `fc.weight` of `fc.weight_g` and of `fc.parametrizations.weight.original0`.
  private static func factor(_ name: String) -> (weight: String, factor: Factor)? {
    let (module, leaf) = name.moduleAndLeaf
    if leaf.hasPrefix("weight") {
      for (suffix, factor) in [
        ("_g", Factor.length), ("_v", .direction), ("_orig", .original), ("_u", .left),
      ] {
        if let stem = leaf.droppingSuffix(suffix) { return ((module.isEmpty ? "" : module + ".") + stem, factor) }
      }
    }
    let parts = name.split(separator: ".").map(String.init)
    guard let at = parts.lastIndex(of: "parametrizations"), at + 2 < parts.count else { return nil }
    let weight = (parts[..<at] + [parts[at + 1]]).joined(separator: ".")
    switch parts[(at + 2)...].joined(separator: ".") {
    case "original0": return (weight, .length)
    case "original1": return (weight, .direction)
    case "original": return (weight, .original)
    case "0._u": return (weight, .left)
    case "0._v": return (weight, .right)
    default: return nil
    }
  }

  /// What the file would call the weight.
  private static func source(_ weight: String, _ factor: Candidate) -> String {
    let (name, source) = (factor.name, factor.tensor.name)
    // What a prefix took off, and the file's own slashes.
    let outer = source.utf8.count > name.utf8.count ? String(source.dropLast(name.count)) : ""
    return outer + (source.contains("/") ? weight.replacing(".", with: "/") : weight)
  }

  /// g v / |v|, where lengths are along all axes but the one that g has.
  private static func normalized(_ weight: String, _ parts: [Factor: Candidate]) -> (Candidate, used: Set<String>)? {
    guard parts[.original] == nil, let g = parts[.length], let v = parts[.direction], v.shape.count >= 2,
      elementCount(v.shape) ?? 0 > 0, g.tensor.dataType.isFloatingPoint, v.tensor.dataType.isFloatingPoint
    else { return nil }
    let axis: Int?
    if g.tensor.elementCount == 1, g.shape.count != v.shape.count || v.shape[0] != 1 {
      axis = nil
    } else {
      guard g.shape.count == v.shape.count, let found = g.shape.indices.first(where: { g.shape[$0] == v.shape[$0] }),
        g.shape.indices.allSatisfy({ $0 == found || g.shape[$0] == 1 })
      else { return nil }
      // Of several axes of length 1 the first is meant.
      axis = g.shape.firstIndex { $0 > 1 } ?? found
    }
    let (count, inner) = (
      axis.map { v.shape[$0] } ?? 1, axis.map { v.shape[($0 + 1)...].reduce(1, *) } ?? v.tensor.elementCount
    )
    let (lengths, directions, type) = (g.tensor, v.tensor, v.tensor.dataType)
    let tensor = StoredTensor(
      name: source(weight, v), shape: v.shape, dataType: type, isBigEndian: directions.isBigEndian
    ) {
      let (g, v) = (try lengths.doubles(), try directions.doubles())
      var squares = [Double](repeating: 0, count: count)
      for (at, value) in v.enumerated() { squares[at / inner % count] += value * value }
      let factors = zip(g, squares).map { $0 / $1.squareRoot() }
      return ElementConversion.bytes(v.enumerated().map { $1 * factors[$0 / inner % count] }, type)
    }
    let how = "weight-normalized, folded into one weight"
    return (Candidate(name: weight, tensor: tensor, how: how), [g.name, v.name])
  }

  /// W / (u W v), as in evaluation mode.
  private static func spectral(_ weight: String, _ parts: [Factor: Candidate]) -> (Candidate, used: Set<String>)? {
    guard let w = parts[.original], let u = parts[.left], let v = parts[.right] ?? parts[.direction],
      w.shape.count >= 2, elementCount(w.shape) != nil, w.shape[0] > 0, u.shape == [w.shape[0]],
      v.shape == [w.tensor.elementCount / w.shape[0]], w.tensor.dataType.isFloatingPoint
    else { return nil }
    let (matrix, left, right, type, rest) = (w.tensor, u.tensor, v.tensor, w.tensor.dataType, v.shape[0])
    let tensor = StoredTensor(
      name: source(weight, w), shape: w.shape, dataType: type, isBigEndian: matrix.isBigEndian
    ) {
      let (w, u, v) = (try matrix.doubles(), try left.doubles(), try right.doubles())
      var sigma = 0.0
      for row in u.indices {
        var sum = 0.0
        for column in 0..<rest { sum += w[row * rest + column] * v[column] }
        sigma += u[row] * sum
      }
      return ElementConversion.bytes(w.map { $0 / sigma }, type)
    }
    let how = "spectrally normalized, divided by its largest singular value"
    return (Candidate(name: weight, tensor: tensor, how: how), [w.name, u.name, v.name])
  }
}
