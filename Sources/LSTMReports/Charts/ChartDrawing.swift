/// Lays out a `LineChart` and writes it down.
struct ChartDrawing {
  /// How a series looks.
  struct Look {
    var color: String
    var dash: String
  }

  /// Okabe and Ito's palette without its yellow, which is too faint on white.
  static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#3c4043"]
  private static let dashes = ["", "8 4", "2 4", "10 4 2 4", "14 5", "5 3", "10 3 2 3 2 3"]

  /// What each color becomes on a dark page.
  static let darkColors: KeyValuePairs = [
    paper: "#0d1117", ink: "#e6edf3", quiet: "#9198a1", grid: "#2a313c", faintGrid: "#1c2129", axis: "#6e7681",
    colors[0]: "#4ea8e8", colors[1]: "#ff8a3d", colors[2]: "#2ec495", colors[3]: "#e39cc8", colors[4]: "#f0b840",
    colors[5]: "#7cc7f2", colors[6]: "#c4cad1",
  ]

  static let paper = "#ffffff"
  static let ink = "#1f2328"
  static let quiet = "#59636e"
  private static let grid = "#e7eaee"
  private static let faintGrid = "#f3f5f7"
  static let axis = "#8c959f"
  private static let margin = 24.0
  private static let tickSize = 12.0
  private static let labelSize = 13.0
  private static let titleSizes = [19.0, 17, 15.5, 14]

  private let chart: LineChart
  private let width: Double
  private let height: Double
  private var svg = SVG()

  // The plot's edges in pixels.
  private var left = 0.0
  private var right = 0.0
  private var top = 0.0
  private var bottom = 0.0

  init(_ chart: LineChart) {
    self.chart = chart
    width = Double(max(chart.width, 240))
    height = Double(max(chart.height, 180))
  }

  private static func look(_ index: Int) -> Look {
    Look(
      color: colors[index % colors.count], dash: dashes[(index + index / colors.count) % dashes.count]
    )
  }

  private func number(_ value: Double) -> String { SVG.number(value) }

  mutating func draw() -> String {
    let visible = ChartRange(chart)
    svg.open(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 \(number(width)) \(number(height))",
        "width": number(width), "height": number(height), "role": "img",
        "aria-label": visible.summary(chart),
        "font-family": "system-ui, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif",
      ])
    svg.leaf("title", [:], chart.title)
    svg.leaf("desc", [:], visible.summary(chart))
    svg.empty("rect", ["width": number(width), "height": number(height), "fill": Self.paper])
    drawHeading()
    if let x = visible.x, let y = visible.y {
      drawPlot(x, y, visible)
    } else {
      drawText(
        "no data", x: width / 2, y: (top + height) / 2, size: Self.labelSize, color: Self.quiet,
        anchor: "middle")
    }
    svg.close("svg")
    return svg.text
  }

  private mutating func drawText(
    _ text: String, x: Double, y: Double, size: Double, color: String, anchor: String = "start",
    weight: String = "400"
  ) {
    svg.leaf(
      "text",
      [
        "x": number(x), "y": number(y), "font-size": number(size), "fill": color,
        "text-anchor": anchor, "font-weight": weight,
      ], text)
  }

  // MARK: Heading and legend

  private mutating func drawHeading() {
    let room = width - 2 * Self.margin
    top = Self.margin
    if !chart.title.isEmpty {
      // Bold text is about a twelfth wider than the estimate for regular text.
      let boldRoom = room / 1.08
      let size = Self.titleSizes.first { TextWidth.of(chart.title, size: $0) <= boldRoom } ?? 14
      let title = TextWidth.fitted(chart.title, size: size, width: boldRoom)
      top += size - 3
      drawText(title, x: Self.margin, y: top, size: size, color: Self.ink, weight: "600")
      top += 7
    }
    if !chart.subtitle.isEmpty {
      top += Self.labelSize + 1
      let subtitle = TextWidth.fitted(chart.subtitle, size: Self.labelSize, width: room)
      drawText(subtitle, x: Self.margin, y: top, size: Self.labelSize, color: Self.quiet)
      top += 6
    }
    if chart.series.count > 1 { drawLegend(room) }
    top += 16
  }

  private mutating func drawLegend(_ room: Double) {
    let sample = 28.0
    var x = Self.margin
    top += 20
    for (index, series) in chart.series.enumerated() {
      let look = Self.look(index)
      let name = TextWidth.fitted(series.name, size: Self.labelSize, width: room - sample - 8)
      let itemWidth = sample + 8 + TextWidth.of(name, size: Self.labelSize)
      if x > Self.margin, x + itemWidth > Self.margin + room {
        x = Self.margin
        top += 20
      }
      svg.empty(
        "line",
        [
          "x1": number(x), "y1": number(top - 4.5), "x2": number(x + sample), "y2": number(top - 4.5),
          "stroke": look.color, "stroke-width": "2.5",
          "stroke-dasharray": look.dash.isEmpty ? "none" : look.dash,
        ])
      drawText(name, x: x + sample + 8, y: top, size: Self.labelSize, color: Self.ink)
      x += itemWidth + 22
    }
  }

  // MARK: Plot

  private mutating func drawPlot(
    _ xValues: ClosedRange<Double>, _ yValues: ClosedRange<Double>, _ visible: ChartRange
  ) {
    bottom = height - Self.margin - 22 - (chart.xLabel.isEmpty ? 0 : Self.labelSize + 8)
    bottom = max(bottom, top + 40)
    let yAxis = ChartAxis(
      yValues, isLogarithmic: visible.isLogarithmic, tickCount: max(2, Int((bottom - top) / 52)),
      isPadded: true)
    let tickWidth = yAxis.ticks.map { TextWidth.of($0.label, size: Self.tickSize) }.max() ?? 0
    left = Self.margin + tickWidth + 8 + (chart.yLabel.isEmpty ? 0 : Self.labelSize + 9)
    let xAxis = fittedXAxis(xValues, isWhole: visible.isWhole)

    drawGrid(xAxis, yAxis)
    drawAxisLabels()
    let paths = chart.series.map { series in
      ChartPath(
        series.points.map { point in
          visible.shows(point.x, point.y)
            ? ChartPath.Point(x: xPixel(point.x, xAxis), y: yPixel(point.y, yAxis))
            : ChartPath.Point(x: .nan, y: .nan)
        })
    }
    // The lines that mark places go below the data, their texts and the rings above it.
    let marks = chart.annotations.compactMap { mark($0, xAxis, yAxis, visible) }
    for mark in marks where mark.isLine {
      svg.empty(
        "line",
        [
          "x1": number(mark.x), "y1": number(top), "x2": number(mark.x), "y2": number(bottom),
          "stroke": Self.quiet, "stroke-width": "1.25", "stroke-dasharray": "2 3",
        ])
    }
    for (index, path) in paths.enumerated() { drawSeries(path, index) }
    drawMarks(marks, paths)
  }

  /// The horizontal axis with as many ticks as its labels leave room for; sets the right edge.
  private mutating func fittedXAxis(_ values: ClosedRange<Double>, isWhole: Bool) -> ChartAxis {
    right = width - Self.margin
    var tickCount = max(2, Int((right - left) / 70))
    while true {
      let axis = ChartAxis(values, tickCount: tickCount, isPadded: false, isWhole: isWhole)
      let widest = axis.ticks.map { TextWidth.of($0.label, size: Self.tickSize) }.max() ?? 0
      if let last = axis.ticks.last {
        // The last label is centered on its tick and must end inside the picture.
        let overhang = TextWidth.of(last.label, size: Self.tickSize) / 2
        right = width - max(Self.margin, overhang + 8)
      }
      let room = (right - left) / Double(max(axis.ticks.count, 1))
      if widest + 14 <= room || tickCount <= 1 { return axis }
      tickCount -= 1
    }
  }

  private func xPixel(_ value: Double, _ axis: ChartAxis) -> Double {
    left + axis.share(value) * (right - left)
  }
  private func yPixel(_ value: Double, _ axis: ChartAxis) -> Double {
    bottom - axis.share(value) * (bottom - top)
  }

  private mutating func drawGrid(_ xAxis: ChartAxis, _ yAxis: ChartAxis) {
    func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String) {
      svg.empty(
        "line",
        [
          "x1": number(x1), "y1": number(y1), "x2": number(x2), "y2": number(y2), "stroke": color,
          "stroke-width": "1",
        ])
    }
    svg.open("g", ["shape-rendering": "crispEdges"])
    for tick in xAxis.ticks {
      line(xPixel(tick.value, xAxis), top, xPixel(tick.value, xAxis), bottom, Self.faintGrid)
    }
    for value in yAxis.minorValues {
      line(left, yPixel(value, yAxis), right, yPixel(value, yAxis), Self.faintGrid)
    }
    for tick in yAxis.ticks {
      line(left, yPixel(tick.value, yAxis), right, yPixel(tick.value, yAxis), Self.grid)
    }
    line(left, bottom, right, bottom, Self.axis)
    for tick in xAxis.ticks {
      line(xPixel(tick.value, xAxis), bottom, xPixel(tick.value, xAxis), bottom + 5, Self.axis)
    }
    svg.close("g")
    for tick in yAxis.ticks {
      drawText(
        tick.label, x: left - 8, y: yPixel(tick.value, yAxis) + 4.2, size: Self.tickSize,
        color: Self.quiet, anchor: "end")
    }
    for tick in xAxis.ticks {
      drawText(
        tick.label, x: xPixel(tick.value, xAxis), y: bottom + 19, size: Self.tickSize,
        color: Self.quiet,
        anchor: "middle")
    }
  }

  private mutating func drawAxisLabels() {
    if !chart.xLabel.isEmpty {
      let label = TextWidth.fitted(chart.xLabel, size: Self.labelSize, width: right - left)
      drawText(
        label, x: (left + right) / 2, y: height - Self.margin + 4, size: Self.labelSize,
        color: Self.ink,
        anchor: "middle")
    }
    if !chart.yLabel.isEmpty {
      let label = TextWidth.fitted(chart.yLabel, size: Self.labelSize, width: bottom - top)
      let x = number(Self.margin + Self.labelSize - 4)
      let y = number((top + bottom) / 2)
      svg.leaf(
        "text",
        [
          "transform": "translate(\(x) \(y)) rotate(-90)", "font-size": number(Self.labelSize),
          "fill": Self.ink, "text-anchor": "middle",
        ], label)
    }
  }

  private mutating func drawSeries(_ path: ChartPath, _ index: Int) {
    guard path.pointCount > 0 else { return }
    let look = Self.look(index)
    svg.open("g", ["fill": look.color])
    svg.leaf("title", [:], chart.series[index].name)
    svg.empty(
      "path",
      [
        "d": path.data, "fill": "none", "stroke": look.color,
        "stroke-width": path.pointCount > 400 ? "1.5" : "2.25",
        "stroke-dasharray": look.dash.isEmpty ? "none" : look.dash,
        "stroke-linejoin": "round", "stroke-linecap": look.dash.isEmpty ? "round" : "butt",
      ])
    // Few points are shown one by one; a point between two gaps could not be seen otherwise.
    let showsAll = path.pointCount <= 30
    for run in path.runs where showsAll || run.count == 1 {
      for point in run {
        svg.empty(
          "circle",
          [
            "cx": number(point.x), "cy": number(point.y), "r": "3", "stroke": Self.paper,
            "stroke-width": "1",
          ])
      }
    }
    svg.close("g")
  }

  // MARK: Annotations

  private struct Mark {
    var x: Double
    var y: Double
    var isLine: Bool
    var text: String
  }

  private func mark(
    _ annotation: LineChart.Annotation, _ xAxis: ChartAxis, _ yAxis: ChartAxis, _ visible: ChartRange
  ) -> Mark? {
    switch annotation.place {
    case .point(let x, let y):
      guard visible.shows(x, y) else { return nil }
      return Mark(x: xPixel(x, xAxis), y: yPixel(y, yAxis), isLine: false, text: annotation.text)
    case .verticalLine(let x):
      guard ChartRange.isUsable(x) else { return nil }
      return Mark(x: xPixel(x, xAxis), y: top + 8, isLine: true, text: annotation.text)
    }
  }

  private mutating func drawMarks(_ marks: [Mark], _ paths: [ChartPath]) {
    for mark in marks where !mark.isLine {
      svg.empty(
        "circle",
        [
          "cx": number(mark.x), "cy": number(mark.y), "r": "5.5", "fill": Self.paper,
          "stroke": Self.ink, "stroke-width": "2",
        ])
    }
    var placer = LabelPlacer(left: left, right: right, top: top, bottom: bottom, paths: paths)
    for mark in marks where !mark.isLine { placer.avoid(x: mark.x, y: mark.y, radius: 7) }
    for mark in marks {
      let text = TextWidth.fitted(mark.text, size: Self.tickSize, width: (right - left) * 0.6)
      let textWidth = TextWidth.of(text, size: Self.tickSize) * 1.05
      let box = placer.place(x: mark.x, y: mark.y, width: textWidth, isLine: mark.isLine)
      svg.leaf(
        "text",
        [
          "x": number(box.left + box.width / 2), "y": number(box.top + 12),
          "font-size": number(Self.tickSize), "font-weight": "600", "fill": Self.ink,
          "text-anchor": "middle", "stroke": Self.paper, "stroke-width": "4",
          "stroke-linejoin": "round", "paint-order": "stroke",
        ], text)
    }
  }
}

extension LineChart {
  /// The picture as the text of a standalone SVG file, which can also stand within an HTML page.
  ///
  /// Series of more than 2000 points are thinned to the least and greatest value per pixel column, so that
  /// no peak is lost.
  public func svg() -> String {
    var drawing = ChartDrawing(self)
    return drawing.draw()
  }
}
