/// A curve of any length in bounded memory: the first, lowest, highest and last point of each interval, so that no peak is
/// lost.
struct ThinnedCurve: Sendable, Equatable {
  typealias Point = LineChart.Series.Point

  private struct Part: Equatable {
    var first: Point
    var least: Point
    var greatest: Point
    var last: Point
    var count: Int

    init(_ point: Point) {
      (first, least, greatest, last, count) = (point, point, point, point, 1)
    }

    mutating func take(_ next: Part) {
      if next.least.y < least.y { least = next.least }
      if next.greatest.y > greatest.y { greatest = next.greatest }
      last = next.last
      count += next.count
    }
  }

  /// The most parts; an even number.
  static let limit = 500

  private var parts: [Part] = []
  /// Points in a part.
  private var stride = 1

  /// - Parameters:
  ///   - x: larger than the one before.
  ///   - y: leaves no trace when it is not finite.
  mutating func append(x: Double, y: Double) {
    guard y.isFinite else { return }
    let new = Part(Point(x: x, y: y))
    if let last = parts.indices.last, parts[last].count < stride { return parts[last].take(new) }
    if parts.count == Self.limit {
      parts = Swift.stride(from: 0, to: Self.limit, by: 2).map { place in
        var part = parts[place]
        part.take(parts[place + 1])
        return part
      }
      stride *= 2
    }
    parts.append(new)
  }

  /// In order, at most four for each part.
  var points: [Point] {
    var points: [Point] = []
    for part in parts {
      for point in [part.first, part.least, part.greatest, part.last].sorted(by: { $0.x < $1.x })
      where points.last?.x != point.x {
        points.append(point)
      }
    }
    return points
  }
}

/// A list of any length in bounded memory: evenly thinned, with the last element and those worth keeping.
struct ThinnedList<Element: Sendable>: Sendable {
  private var kept: [(place: Int, element: Element)] = []
  private(set) var count = 0
  private var stride = 1
  /// About how many are kept at most.
  let limit: Int

  init(limit: Int) { self.limit = limit }

  var elements: [Element] { kept.map(\.element) }
  var last: Element? { kept.last?.element }
  /// Whether something was left out.
  var isThinned: Bool { kept.count < count }

  /// - Parameter isWorthKeeping: of those before.
  mutating func append(_ element: Element, keeping isWorthKeeping: (Element) -> Bool = { _ in false }) {
    func stays(_ one: (place: Int, element: Element)) -> Bool {
      one.place.isMultiple(of: stride) || isWorthKeeping(one.element)
    }
    if let last = kept.last, !stays(last) { kept.removeLast() }
    if kept.count >= limit {
      stride *= 2
      kept = kept.filter(stays)
    }
    kept.append((count, element))
    count += 1
  }

  mutating func changeAll(_ change: (inout Element) -> Void) {
    for index in kept.indices { change(&kept[index].element) }
  }
}
