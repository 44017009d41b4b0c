/// Whether a name matches a glob: `*` any run, `?` any one character, `[abc]` one of a set. Dots and slashes are
/// ordinary characters, so `lstm*` matches everything below `lstm`.
public func matches(_ name: String, glob: String) -> Bool {
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
    return pattern[(at + 1)..<end].contains(character) ? end + 1 : nil
  }
  return pattern[at] == "?" || pattern[at] == character ? at + 1 : nil
}

/// The Levenshtein distance between two names.
public func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a.utf8.prefix(256)), Array(b.utf8.prefix(256)))
  var row = Array(0...b.count)
  for i in 0..<a.count {
    var diagonal = row[0]
    row[0] = i + 1
    for j in 0..<b.count {
      let above = row[j + 1]
      row[j + 1] = min(diagonal + (a[i] == b[j] ? 0 : 1), min(above, row[j]) + 1)
      diagonal = above
    }
  }
  return row[b.count]
}

/// The candidates that come close enough to be what was meant, the nearest first.
public func nearestNames(to name: String, among candidates: some Sequence<String>, limit: Int = 3) -> [String] {
  let bound = max(2, name.count / 3)
  return
    candidates.map { (editDistance(name.lowercased(), $0.lowercased()), $0) }
    .filter { $0.0 <= bound || ($0.1.count > 2 && name.contains($0.1)) || (name.count > 2 && $0.1.contains(name)) }
    .sorted { $0 < $1 }
    .prefix(limit).map(\.1)
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
