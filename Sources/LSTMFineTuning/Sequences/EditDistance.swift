/// The fewest labels to insert, delete or replace that make one sequence of another (Levenshtein).
func editDistance<Label: Equatable>(_ a: [Label], _ b: [Label]) -> Int {
  var distances = Array(0...b.count)
  for (i, label) in a.enumerated() {
    var diagonal = distances[0]
    distances[0] = i + 1
    for (j, other) in b.enumerated() {
      let replaced = diagonal + (label == other ? 0 : 1)
      diagonal = distances[j + 1]
      distances[j + 1] = min(replaced, distances[j + 1] + 1, distances[j] + 1)
    }
  }
  return distances[b.count]
}
