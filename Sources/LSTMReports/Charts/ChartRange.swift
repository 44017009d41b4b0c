/// What a chart's data spans.
struct ChartRange {
  /// The least and greatest x that are drawn; nil without any point.
  private(set) var x: ClosedRange<Double>?
  /// The least and greatest y that are drawn; nil without any point.
  private(set) var y: ClosedRange<Double>?
  /// Whether y is drawn on a logarithmic scale.
  let isLogarithmic: Bool
  /// Whether every x is a whole number, as epochs are.
  private(set) var isWhole = true

  init(_ chart: LineChart) {
    let hasPositive = chart.series.contains { series in
      series.points.contains { Self.isUsable($0.x) && Self.isPositive($0.y) }
    }
    isLogarithmic = chart.yScale == .logarithmic && hasPositive
    for series in chart.series {
      for point in series.points { include(point.x, point.y) }
    }
    guard x != nil else { return }
    // What is remarked on must be in the picture.
    for annotation in chart.annotations {
      switch annotation.place {
      case .point(let x, let y): include(x, y)
      case .verticalLine(let x):
        if let y { include(x, y.lowerBound) }
      }
    }
  }

  /// Whether a value can be drawn: differences of larger ones would overflow.
  static func isUsable(_ value: Double) -> Bool { abs(value) < 1e150 }

  /// Whether a value has a logarithm that can be drawn.
  private static func isPositive(_ value: Double) -> Bool { value > 1e-150 && value < 1e150 }

  /// Whether a point has a place in the picture.
  func shows(_ x: Double, _ y: Double) -> Bool {
    Self.isUsable(x) && (isLogarithmic ? Self.isPositive(y) : Self.isUsable(y))
  }

  private mutating func include(_ newX: Double, _ newY: Double) {
    guard shows(newX, newY) else { return }
    if newX != newX.rounded() { isWhole = false }
    x = x.map { min($0.lowerBound, newX)...max($0.upperBound, newX) } ?? newX...newX
    y = y.map { min($0.lowerBound, newY)...max($0.upperBound, newY) } ?? newY...newY
  }

  /// The chart in words, for readers who do not see it.
  func summary(_ chart: LineChart) -> String {
    let lines = chart.series.prefix(8).map { series -> String in
      let drawn = series.points.filter { shows($0.x, $0.y) }
      guard let first = drawn.first, let last = drawn.last else { return "\(series.name): no data" }
      return "\(series.name) from \(short(first.y)) to \(short(last.y))"
    }
    let remarks = chart.annotations.prefix(8).map(\.text)
    let parts = [chart.title, chart.subtitle].filter { !$0.isEmpty } + lines + remarks
    return "Line chart. " + parts.joined(separator: "; ")
  }
}

/// Finds places for annotations' texts where they cover neither lines nor one another.
struct LabelPlacer {
  struct Box {
    var left: Double
    var top: Double
    var width: Double
    var height = 16.0

    func overlaps(_ other: Box) -> Bool {
      left < other.left + other.width && other.left < left + width && top < other.top + other.height
        && other.top < top + height
    }

    func contains(_ point: ChartPath.Point) -> Bool {
      point.x >= left - 3 && point.x <= left + width + 3 && point.y >= top - 3
        && point.y <= top + height + 3
    }
  }

  private let left: Double
  private let right: Double
  private let top: Double
  private let bottom: Double
  private var samples: [ChartPath.Point] = []
  private var taken: [Box] = []

  init(left: Double, right: Double, top: Double, bottom: Double, paths: [ChartPath]) {
    self.left = left
    self.right = right
    self.top = top
    self.bottom = bottom
    // Lines are sampled every few pixels, so that a box between two points is seen to be crossed.
    for run in paths.flatMap(\.runs) {
      samples += run
      for (a, b) in zip(run, run.dropFirst()) {
        let steps = Int(max(abs(b.x - a.x), abs(b.y - a.y)) / 5)
        guard steps > 1 else { continue }
        for step in 1..<steps {
          let share = Double(step) / Double(steps)
          samples.append(.init(x: a.x + (b.x - a.x) * share, y: a.y + (b.y - a.y) * share))
        }
      }
    }
  }

  /// Keeps later labels off a marker.
  mutating func avoid(x: Double, y: Double, radius: Double) {
    taken.append(Box(left: x - radius, top: y - radius, width: 2 * radius, height: 2 * radius))
  }

  /// The best place near a point, or along a vertical line.
  mutating func place(x: Double, y: Double, width: Double, isLine: Bool) -> Box {
    var candidates: [Box] = []
    if isLine {
      for offset in stride(from: 0.0, to: max(bottom - y - 30, 1), by: 18) {
        candidates.append(Box(left: x + 6, top: y - 4 + offset, width: width))
        candidates.append(Box(left: x - 6 - width, top: y - 4 + offset, width: width))
      }
    } else {
      // Nearest first, since of equal places the first is taken.
      for reach in [0.0, 12, 24, 40] {
        candidates += [
          Box(left: x - width / 2, top: y - 27 - reach, width: width),
          Box(left: x + 9 + reach / 2, top: y - 21 - reach, width: width),
          Box(left: x - width - 9 - reach / 2, top: y - 21 - reach, width: width),
          Box(left: x + 12 + reach, top: y - 8, width: width),
          Box(left: x - width - 12 - reach, top: y - 8, width: width),
          Box(left: x + 9 + reach / 2, top: y + 5 + reach, width: width),
          Box(left: x - width - 9 - reach / 2, top: y + 5 + reach, width: width),
          Box(left: x - width / 2, top: y + 11 + reach, width: width),
        ]
      }
    }
    var best = candidates[0]
    var bestCost = Int.max
    for (order, box) in candidates.enumerated() {
      var cost = order
      if box.left < left + 2 || box.left + box.width > right + 4 { cost += 20_000 }
      if box.top < top - 14 || box.top + box.height > bottom - 2 { cost += 20_000 }
      cost += 3_000 * taken.count { $0.overlaps(box) }
      cost += 10 * samples.count { box.contains($0) }
      if cost < bestCost { (best, bestCost) = (box, cost) }
    }
    taken.append(best)
    return best
  }
}
