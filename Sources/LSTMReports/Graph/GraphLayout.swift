/// Places the boxes of a graph in rows from top to bottom, each below those that it reads, and leads the edges around
/// boxes in between (after Sugiyama, Tagawa and Toda).
struct GraphLayout {
  struct Size {
    var width: Double
    var height: Double
  }

  struct Edge: Hashable {
    /// Place of a node.
    var from: Int
    var to: Int
  }

  struct Point: Equatable {
    var x: Double
    var y: Double
  }

  /// The middle of each node's box.
  private(set) var centers: [Point] = []
  /// For each edge, where it passes each row in between: from the row's top to its bottom.
  private(set) var paths: [[(x: Double, top: Double, bottom: Double)]] = []
  private(set) var width = 0.0
  private(set) var height = 0.0

  private static let rowGap = 34.0
  private static let boxGap = 28.0
  private static let laneGap = 18.0
  /// Beyond these, edges go straight.
  private static let laneLimit = 20_000

  /// What stands in a row: a box, or an edge on its way.
  private struct Slot {
    var node: Int?
    var width: Double
    var row: Int
    var x = 0.0
    var above: [Int] = []
    var below: [Int] = []
    /// Boxes stay where they are, and edges give way.
    var weight: Double { node == nil ? 1 : 1e5 }
  }

  private var slots: [Slot] = []
  private var rows: [[Int]] = []
  /// For each edge the slots that it passes.
  private var lanes: [[Int]] = []

  /// - Parameters:
  ///   - sizes: of each node's box.
  ///   - edges: from nodes to later ones.
  ///   - mayMove: nodes that read nothing and go right above those that read them.
  init(sizes: [Size], edges: [Edge], mayMove: Set<Int> = []) {
    let ranks = Self.ranks(count: sizes.count, edges, mayMove)
    makeSlots(sizes, edges, ranks)
    sortRows()
    placeRows()
    finish(sizes)
  }

  /// One more than the lowest row of what a node reads.
  private static func ranks(count: Int, _ edges: [Edge], _ mayMove: Set<Int>) -> [Int] {
    var ranks = [Int](repeating: 0, count: count)
    for edge in edges.sorted(by: { ($0.to, $0.from) < ($1.to, $1.from) }) {
      ranks[edge.to] = max(ranks[edge.to], ranks[edge.from] + 1)
    }
    for node in mayMove {
      let readers = edges.filter { $0.from == node }.map { ranks[$0.to] }
      if let first = readers.min() { ranks[node] = max(first - 1, 0) }
    }
    return ranks
  }

  private mutating func makeSlots(_ sizes: [Size], _ edges: [Edge], _ ranks: [Int]) {
    rows = Array(repeating: [], count: (ranks.max() ?? 0) + 1)
    for (node, size) in sizes.enumerated() {
      slots.append(Slot(node: node, width: size.width, row: ranks[node]))
      rows[ranks[node]].append(node)
    }
    for edge in edges {
      var lane: [Int] = []
      var last = edge.from
      if slots.count < sizes.count + Self.laneLimit {
        for row in (ranks[edge.from] + 1)..<max(ranks[edge.to], ranks[edge.from] + 1) {
          slots.append(Slot(node: nil, width: 0, row: row))
          let slot = slots.count - 1
          rows[row].append(slot)
          link(last, slot)
          lane.append(slot)
          last = slot
        }
      }
      link(last, edge.to)
      lanes.append(lane)
    }
  }

  private mutating func link(_ upper: Int, _ lower: Int) {
    slots[upper].below.append(lower)
    slots[lower].above.append(upper)
  }

  /// Orders each row so that few edges cross: by the mean place of neighbors, down and up again.
  private mutating func sortRows() {
    var place = [Double](repeating: 0, count: slots.count)
    func number(_ row: [Int]) {
      for (index, slot) in row.enumerated() { place[slot] = Double(index) / Double(row.count) }
    }
    rows.forEach(number)
    for sweep in 0..<6 {
      let isDown = sweep % 2 == 0
      for row in isDown ? Array(rows.indices) : rows.indices.reversed() {
        let wanted = rows[row].map { slot -> Double in
          let others = isDown ? slots[slot].above : slots[slot].below
          return others.isEmpty ? place[slot] : others.reduce(0) { $0 + place[$1] } / Double(others.count)
        }
        rows[row] = rows[row].indices.sorted { (wanted[$0], $0) < (wanted[$1], $1) }.map { rows[row][$0] }
        number(rows[row])
      }
    }
  }

  private func gap(_ left: Int, _ right: Int) -> Double {
    let gap = slots[left].node == nil || slots[right].node == nil ? Self.laneGap : Self.boxGap
    return (slots[left].width + slots[right].width) / 2 + gap
  }

  /// Moves each row as close as its order allows to the mean of its neighbors, again and again.
  private mutating func placeRows() {
    for row in rows.indices { place(row, wanted: rows[row].map { _ in 0 }) }
    for sweep in 0..<16 {
      let isDown = sweep % 2 == 0
      for row in isDown ? Array(rows.indices) : rows.indices.reversed() {
        place(row, wanted: rows[row].map { wanted($0, isDown: isDown) })
      }
    }
  }

  /// The mean of a slot's neighbors. Boxes keep in line with boxes, and edges with themselves: where an edge leaves a box,
  /// it bends.
  private func wanted(_ slot: Int, isDown: Bool) -> Double {
    let (above, below) = (slots[slot].above, slots[slot].below)
    let others = isDown && !above.isEmpty || below.isEmpty ? above : below
    let same = others.filter { (slots[$0].node == nil) == (slots[slot].node == nil) }
    let kept = same.isEmpty ? others : same
    return kept.isEmpty ? slots[slot].x : kept.reduce(0) { $0 + slots[$1].x } / Double(kept.count)
  }

  /// The nearest places in the sense of least squares that keep all distances (pool adjacent violators).
  private mutating func place(_ row: Int, wanted: [Double]) {
    var offsets: [Double] = []
    var blocks: [(mean: Double, weight: Double, count: Int)] = []
    for (index, slot) in rows[row].enumerated() {
      offsets.append(index == 0 ? 0 : offsets[index - 1] + gap(rows[row][index - 1], slot))
      blocks.append((wanted[index] - offsets[index], slots[slot].weight, 1))
      while blocks.count > 1, blocks[blocks.count - 2].mean > blocks[blocks.count - 1].mean {
        let last = blocks.removeLast(), before = blocks.removeLast()
        let weight = last.weight + before.weight
        blocks.append(
          ((last.mean * last.weight + before.mean * before.weight) / weight, weight, last.count + before.count))
      }
    }
    var index = 0
    for block in blocks {
      for _ in 0..<block.count {
        slots[rows[row][index]].x = block.mean + offsets[index]
        index += 1
      }
    }
  }

  /// Turns rows into heights, and the left edge into 0.
  private mutating func finish(_ sizes: [Size]) {
    let left = slots.map { $0.x - $0.width / 2 }.min() ?? 0
    width = (slots.map { $0.x + $0.width / 2 }.max() ?? 0) - left
    var tops: [(top: Double, bottom: Double)] = []
    var y = 0.0
    for row in rows {
      let tallest = row.compactMap { slots[$0].node.map { sizes[$0].height } }.max() ?? 0
      tops.append((y, y + tallest))
      y += tallest + Self.rowGap
    }
    height = max(y - Self.rowGap, 0)
    centers = sizes.indices.map { node in
      let row = tops[slots[node].row]
      return Point(x: slots[node].x - left, y: (row.top + row.bottom) / 2)
    }
    paths = lanes.map { lane in
      lane.map { (slots[$0].x - left, tops[slots[$0].row].top, tops[slots[$0].row].bottom) }
    }
  }
}
