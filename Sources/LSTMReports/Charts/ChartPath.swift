/// A series' points in pixels, split where it has gaps and thinned where it is dense.
struct ChartPath {
  struct Point: Equatable {
    var x: Double
    var y: Double
  }

  /// The most points that are drawn one by one.
  static let thinningLimit = 2000

  /// Runs of points to connect; never empty ones.
  private(set) var runs: [[Point]] = []

  /// - Parameter points: The points in pixels; one that is not finite ends a run.
  init(_ points: [Point]) {
    if points.count > Self.thinningLimit {
      thin(points)
    } else {
      split(points)
    }
  }

  var pointCount: Int { runs.reduce(0) { $0 + $1.count } }

  private mutating func split(_ points: [Point]) {
    var run: [Point] = []
    for point in points {
      if point.x.isFinite, point.y.isFinite {
        run.append(point)
      } else if !run.isEmpty {
        runs.append(run)
        run = []
      }
    }
    if !run.isEmpty { runs.append(run) }
  }

  /// Keeps the first, least, greatest and last point of each pixel column. A gap within a column or between
  /// neighbors would not be seen, so it does not end the run.
  private mutating func thin(_ points: [Point]) {
    var run: [Point] = []
    var column: [Point] = []
    var hasGap = false

    func kept(_ column: [Point]) -> [Point] {
      guard column.count > 4 else { return column }
      var least = 0
      var greatest = 0
      for index in column.indices {
        if column[index].y < column[least].y { least = index }
        if column[index].y > column[greatest].y { greatest = index }
      }
      return Set([0, least, greatest, column.count - 1]).sorted().map { column[$0] }
    }

    for point in points {
      guard point.x.isFinite, point.y.isFinite else {
        hasGap = true
        continue
      }
      if let last = column.last {
        let distance = abs(point.x.rounded(.down) - last.x.rounded(.down))
        if distance > 0 {
          run += kept(column)
          column = []
          if hasGap, distance > 1 {
            runs.append(run)
            run = []
          }
        }
      }
      hasGap = false
      column.append(point)
    }
    run += kept(column)
    if !run.isEmpty { runs.append(run) }
  }

  /// The `d` attribute of a path through every run.
  var data: String {
    var text = ""
    for run in runs {
      for (index, point) in run.enumerated() {
        text += index == 0 ? "M" : "L"
        text += "\(SVG.number(point.x)) \(SVG.number(point.y))"
      }
    }
    return text
  }
}
