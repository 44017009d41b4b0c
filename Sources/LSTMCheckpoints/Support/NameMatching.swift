/// Whether a name matches a glob: `*` any run, `?` any one character, `[abc]`, `[a-c]` and `[!abc]` one of a set.
/// Dots and slashes are ordinary characters, so `lstm*` matches everything below `lstm`. A bracket that is not
/// closed stands for itself.
package func matches(_ name: String, glob: String) -> Bool {
  let text = Array(name), pattern = Array(glob)
  // Iterative matching with one backtracking point: linear in practice, and no recursion on hostile input.
  var (t, p) = (0, 0)
  var (star, mark) = (-1, 0)
  while t < text.count {
    if p < pattern.count, pattern[p] == "*" {
      (star, mark) = (p, t)
      p += 1
    } else if p < pattern.count, let next = matchOne(text[t], pattern, p) {
      t += 1
      p = next
    } else if star >= 0 {
      mark += 1
      (t, p) = (mark, star + 1)
    } else {
      return false
    }
  }
  while p < pattern.count, pattern[p] == "*" { p += 1 }
  return p == pattern.count
}

/// The pattern position after one matched character, or nil.
private func matchOne(_ character: Character, _ pattern: [Character], _ at: Int) -> Int? {
  if pattern[at] == "[", let end = pattern[at...].firstIndex(of: "]"), end > at + 1 {
    var set = pattern[(at + 1)..<end]
    let isNegated = set.count > 1 && set.first == "!"
    if isNegated { set.removeFirst() }
    return contains(set, character) != isNegated ? end + 1 : nil
  }
  return pattern[at] == "?" || pattern[at] == character ? at + 1 : nil
}

private func contains(_ set: ArraySlice<Character>, _ character: Character) -> Bool {
  var at = set.startIndex
  while at < set.endIndex {
    if at + 2 < set.endIndex, set[at + 1] == "-" {
      if set[at] <= character, character <= set[at + 2] { return true }
      at += 3
    } else {
      if set[at] == character { return true }
      at += 1
    }
  }
  return false
}

/// The edits between two names: insertions, deletions, substitutions and swaps of neighbors (the optimal string
/// alignment distance), over at most 256 bytes each.
package func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.utf8.prefix(256)), Array(b.utf8.prefix(256)))
  var earlier: [Int] = []
  var above = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var least = min(above[j] + (a[i] == b[j] ? 0 : 1), min(above[j + 1], row[j]) + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { least = min(least, earlier[j - 1] + 1) }
      row.append(least)
    }
    (earlier, above) = (above, row)
  }
  return above[b.count]
}

/// The candidates that come close enough to be what was meant, the nearest first: within a third of the name's
/// length in edits, or one within the other. Capitals do not count.
package func nearestNames(to name: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
  let wanted = name.lowercased()
  let length = wanted.utf8.count
  let bound = length < 5 ? 1 : max(2, length / 3)
  var scored: [(distance: Int, name: String)] = []
  // A file may hold a hundred thousand names; beyond these no typing error is looked for.
  for candidate in candidates.prefix(2000) {
    let other = candidate.lowercased()
    let holds =
      length > 2 && other.utf8.count > 2 && (wanted.contains(other) || other.contains(wanted))
    // The lengths alone are that many edits.
    guard holds || abs(min(other.utf8.count, 256) - min(length, 256)) <= bound else { continue }
    let distance = editDistance(wanted, other)
    if holds || distance <= bound { scored.append((distance, candidate)) }
  }
  return scored.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(limit).map(\.name)
}

/// Compares names as people order them: `rnns.2` before `rnns.10`.
func isNaturallyBefore(_ a: String, _ b: String) -> Bool {
  let (x, y) = (naturalParts(a), naturalParts(b))
  for (left, right) in zip(x, y) where left != right {
    if let l = Int(left), let r = Int(right), l != r { return l < r }
    return left < right
  }
  return x.count < y.count
}

private func naturalParts(_ name: String) -> [String] {
  var parts: [String] = []
  for character in name {
    if let last = parts.last?.last, last.isNumber == character.isNumber {
      parts[parts.count - 1].append(character)
    } else {
      parts.append(String(character))
    }
  }
  return parts
}
