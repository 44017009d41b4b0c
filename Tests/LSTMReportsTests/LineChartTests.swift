import Foundation
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

/// Checks that tags nest and close and that nothing unescaped is between them; nil when all is well.
func xmlProblem(_ text: String) -> String? {
  var stack: [Substring] = []
  var rest = text[...]
  while let open = rest.firstIndex(of: "<") {
    if let content = rest[..<open].firstIndex(where: { $0 == ">" }) {
      return "stray > at \(rest[content...].prefix(20))"
    }
    for part in rest[..<open].split(separator: "&", omittingEmptySubsequences: false).dropFirst()
    where !["amp;", "lt;", "gt;", "quot;", "#39;"].contains(where: part.hasPrefix) {
      return "stray & before \(part.prefix(20))"
    }
    guard let close = rest[open...].firstIndex(of: ">") else { return "unclosed tag" }
    let tag = rest[rest.index(after: open)..<close]
    if tag.contains("<") { return "< inside tag \(tag)" }
    if tag.count(where: { $0 == "\"" }) % 2 != 0 { return "odd quotes in \(tag)" }
    if tag.hasPrefix("/") {
      guard stack.popLast() == tag.dropFirst() else { return "\(tag) closes nothing" }
    } else if !tag.hasSuffix("/") {
      stack.append(tag.prefix { $0 != " " })
    }
    rest = rest[rest.index(after: close)...]
  }
  return stack.isEmpty ? nil : "unclosed \(stack)"
}

@Suite struct LineChartTests {
  static let odd: [LineChart] = [
    LineChart(title: ""),
    LineChart(title: "no points", series: [.init("empty", y: [Double]())]),
    LineChart(title: "only gaps", series: [.init("gaps", y: [.nan, .infinity, -.infinity] as [Double])]),
    LineChart(title: "one point", xLabel: "x", yLabel: "y", series: [.init("one", y: [0.5] as [Double])]),
    LineChart(title: "zero", series: [.init("zero", y: [0, 0, 0] as [Double])]),
    LineChart(title: "constant", series: [.init("c", y: [-3, -3] as [Float])], yScale: .logarithmic),
    LineChart(title: "constant log", series: [.init("c", y: [3, 3] as [Float])], yScale: .logarithmic),
    LineChart(title: "huge", series: [.init("h", y: [1e300, -1e300, 1e149, -1e149, 1] as [Double])]),
    LineChart(
      title: "tiny",
      series: [
        .init(
          "t",
          y: [.leastNonzeroMagnitude, .leastNonzeroMagnitude * 2000, .leastNormalMagnitude / 2]
            as [Double])
      ], yScale: .logarithmic),
    LineChart(
      title: "tiny linear",
      series: [
        .init(
          "t",
          y: [.leastNonzeroMagnitude, .leastNonzeroMagnitude * 2000, .leastNormalMagnitude / 2]
            as [Double])
      ]),
    LineChart(title: "close", series: [.init("t", y: [1e9, 1e9 + 1e-6] as [Double])]),
    LineChart(title: "wide", series: [.init("t", y: [1e-140, 1e140] as [Double])], yScale: .logarithmic),
    LineChart(title: "small", series: [.init("s", y: [1, 2] as [Double])], width: 0, height: -5),
    LineChart(
      title: "<script>&\"'\u{0}\u{1b}]]>", subtitle: "a<b", xLabel: "<", yLabel: "&",
      series: [.init("<s>", y: [1, 2] as [Double]), .init("&amp;", y: [2, 1] as [Double])],
      annotations: [.point(x: 0, y: 1, "<&>"), .verticalLine(x: 1, "\""), .point(x: .nan, y: 1, "lost")]),
    LineChart(
      title: String(repeating: "long title ", count: 40), subtitle: String(repeating: "sub ", count: 100),
      xLabel: String(repeating: "x", count: 500), yLabel: String(repeating: "y", count: 500),
      series: (0..<20).map { .init(String(repeating: "name ", count: $0 * 3), y: [Double($0), 1]) }),
  ]

  @Test(arguments: odd.indices)
  func oddChartsAreWellFormed(_ index: Int) {
    let svg = Self.odd[index].svg()
    #expect(xmlProblem(svg) == nil)
    #expect(svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\""))
    for word in ["nan\"", "inf\"", "<script", "\u{1b}", "\u{0}"] { #expect(!svg.contains(word)) }
  }

  @Test func theCheckFindsFaults() {
    for bad in ["<a>", "<a></b>", "<a>&</a>", "<a b=\"></a>", "<a", "a>b<c/>"] {
      #expect(xmlProblem(bad) != nil)
    }
    #expect(xmlProblem("<a b=\"1\"><c/>x &amp; y</a>\n") == nil)
  }

  @Test func carriesTitleLabelsLegendAndBackground() {
    let chart = LineChart(
      title: "Loss", subtitle: "run 1", xLabel: "epoch", yLabel: "mse",
      series: [
        .init("train", y: [3, 2, 1] as [Double]), .init("validation", y: [3, 2.5, 2] as [Double]),
      ],
      annotations: [.point(x: 0, y: 3, "pretrained")])
    let svg = chart.svg()
    for text in ["Loss", "run 1", "epoch", "mse", "train", "validation", "pretrained"] {
      #expect(svg.contains(">\(text)</text>"))
    }
    #expect(svg.contains("<title>Loss</title>"))
    #expect(
      svg.contains(
        "role=\"img\" aria-label=\"Line chart. Loss; run 1; train from 3 to 1; validation from 3 to 2; pretrained\""
      ))
    #expect(svg.contains("fill=\"#ffffff\""))
    #expect(chart.svg() == svg)
  }

  @Test func seriesDifferInColorAndDash() {
    let chart = LineChart(
      title: "", series: (0..<40).map { LineChart.Series("\($0)", y: [Double($0), 1]) })
    let lines = chart.svg().split(separator: "\n").filter { $0.hasPrefix("<path") }
    let looks = Set(lines.map { $0.drop { $0 != "k" } })
    #expect(lines.count == 40)
    #expect(looks.count == 40)
  }

  @Test func gapsSplitLines() {
    let series = LineChart.Series("s", y: [1, 2, .nan, 3, .nan, 4, 5] as [Double])
    let svg = LineChart(title: "", series: [series]).svg()
    let path = svg.split(separator: "\n").first { $0.hasPrefix("<path") } ?? ""
    #expect(path.count { $0 == "M" } == 3)
    #expect(svg.count(of: "<circle") == 5)
  }

  @Test func manyPointsAreThinnedWithoutLosingPeaks() {
    var y = [Double](repeating: 0.5, count: 200_000)
    y[123_456] = 9
    y[50_000] = -7
    let svg = LineChart(title: "", series: [.init("s", y: y)]).svg()
    #expect(svg.utf8.count < 120_000)
    #expect(svg.contains(">10<"))
    var path = ChartPath(y.enumerated().map { .init(x: Double($0.offset) / 250, y: $0.element) })
    #expect(path.runs.count == 1)
    #expect(path.pointCount <= 4 * 801)
    #expect(path.runs[0].contains { $0.y == 9 })
    #expect(path.runs[0].contains { $0.y == -7 })
    // Every second value missing: no gap wide enough to be seen. A long one is.
    path = ChartPath(y.indices.map { .init(x: Double($0) / 250, y: $0 % 2 == 0 ? .nan : 1) })
    #expect(path.runs.count == 1)
    path = ChartPath(y.indices.map { .init(x: Double($0) / 250, y: (5000..<9000).contains($0) ? .nan : 1) })
    #expect(path.runs.count == 2)
  }
}

@Suite struct ChartAxisTests {
  @Test(arguments: [
    (0.0...1.0, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    (0.03...0.97, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    (-3.0...12.0, 4, ["−5", "0", "5", "10", "15"]),
    (53.0...69.0, 4, ["50", "55", "60", "65", "70"]),
    (0.0...40_000.0, 4, ["0", "10,000", "20,000", "30,000", "40,000"]),
    (0.0...0.0004, 4, ["0", "1×10⁻⁴", "2×10⁻⁴", "3×10⁻⁴", "4×10⁻⁴"]),
    (2.0...2.0, 4, ["1.8", "1.9", "2.0", "2.1", "2.2"]),
  ])
  func niceTicks(_ values: ClosedRange<Double>, _ count: Int, _ labels: [String]) {
    #expect(ChartAxis(values, tickCount: count, isPadded: true).ticks.map(\.label) == labels)
  }

  @Test func wholeTicksForEpochs() {
    let axis = ChartAxis(0...3, tickCount: 10, isPadded: false, isWhole: true)
    #expect(axis.ticks.map(\.label) == ["0", "1", "2", "3"])
  }

  @Test func logarithmicTicks() {
    let decades = ChartAxis(1e-5...1, isLogarithmic: true, tickCount: 3, isPadded: true)
    #expect(decades.ticks.map(\.label) == ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"])
    let one = ChartAxis(0.1...1, isLogarithmic: true, tickCount: 6, isPadded: true)
    #expect(one.ticks.map(\.label) == ["0.1", "0.2", "0.5", "1"])
    #expect(abs(one.share(0.1) + one.share(1) - 1) < 1e-9)
  }

  @Test func anyRangeGivesFewTicksWithinIt() {
    var generator = SplitMix(state: 3)
    for _ in 0..<5000 {
      let a =
        Double.random(in: -1...1, using: &generator)
        * pow(10, Double.random(in: -20...20, using: &generator))
      let b = a + pow(10, Double.random(in: -22...20, using: &generator))
      for padded in [false, true] {
        let axis = ChartAxis(a...b, tickCount: 6, isPadded: padded)
        #expect(axis.ticks.count <= 20)
        #expect(axis.lower < axis.upper)
        if padded { #expect(axis.ticks.count >= 2) }
        #expect(axis.ticks.allSatisfy { (-1e-3...1.001).contains(axis.share($0.value)) })
      }
    }
  }

  @Test func numbersOfPixels() {
    #expect(
      [0, 1.005, -2.5, 3.14159, -0.001, 1e300, .nan].map(SVG.number) == [
        "0", "1", "-2.5", "3.14", "0", "0", "0",
      ])
    #expect(SVG.number(12.05) == "12.05")
  }
}

extension String {
  func count(of part: String) -> Int { components(separatedBy: part).count - 1 }
}
