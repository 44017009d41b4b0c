/// The physical line, counted from 1, on which each row starts.
///
/// Most rows take one line each, so only the places are kept where that changes.
struct CSVRowLines: Sendable {
  private var changes: [(row: Int, line: Int)] = []
  private(set) var count = 0

  mutating func append(_ line: Int) {
    let isNext = changes.last.map { $0.line + count - $0.row == line } ?? false
    if !isNext { changes.append((count, line)) }
    count += 1
  }

  mutating func removeLast() {
    count -= 1
    if changes.last?.row == count { changes.removeLast() }
  }

  subscript(row: Int) -> Int {
    precondition(row < count)
    var (low, high) = (0, changes.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if changes[middle].row <= row { low = middle } else { high = middle }
    }
    return changes[low].line + row - changes[low].row
  }
}
