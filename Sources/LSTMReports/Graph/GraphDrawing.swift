/// Lays out a `GraphPicture` and writes it down.
struct GraphDrawing {
  /// A node's place in pixels.
  struct Box: Equatable {
    var x: Double
    var y: Double
    var width: Double
    var height: Double
  }

  private static let margin = 24.0
  private static let padding = 14.0
  private static let titleSize = 14.0
  private static let detailSize = 11.5
  private static let noteSize = 12.0

  private let picture: GraphPicture
  private let layout: GraphLayout
  private let headHeight: Double
  private let width: Double
  private let height: Double
  let boxes: [Box]
  /// For each arrow, where it meets the upper edge of its box.
  private let entries: [Double]
  private var svg = SVG()

  init(_ picture: GraphPicture) {
    self.picture = picture
    let sizes = Self.sizes(picture.nodes)
    layout = GraphLayout(
      sizes: sizes, edges: picture.arrows.map(\.edge),
      mayMove: Set(picture.nodes.indices.filter { picture.nodes[$0].shape == .input }))
    headHeight = (picture.title.isEmpty ? 0 : 24) + 30
    let texts = [picture.title: 19, picture.subtitle: 13].map { TextWidth.of($0.key, size: $0.value) }
    width = max(layout.width, min(texts.max() ?? 0, 420)) + 2 * Self.margin
    height = headHeight + layout.height + 2 * Self.margin + Double(picture.notes.count) * 18 + 4
    let left = (width - layout.width) / 2, top = headHeight + Self.margin
    let boxes = zip(layout.centers, sizes).map { center, size in
      Box(
        x: left + center.x - size.width / 2, y: top + center.y - size.height / 2, width: size.width, height: size.height
      )
    }
    self.boxes = boxes
    entries = Self.entries(picture.arrows, boxes, layout)
  }

  /// Boxes of layers are all as wide as the widest needs.
  private static func sizes(_ nodes: [GraphPicture.Node]) -> [GraphLayout.Size] {
    let widest =
      nodes.map { node in
        let first = boldWidth(node.title) + gapped(node.parameters),
          second = detailWidth(node.name) + gapped(node.output)
        return max(first, second) + 2 * inset(node)
      }.max() ?? 0
    let width = min(max(widest, 170), 400).rounded(.up)
    return nodes.map { $0.shape == .output ? .init(width: 92, height: 28) : .init(width: width, height: 52) }
  }

  private static func inset(_ node: GraphPicture.Node) -> Double { node.shape == .input ? padding + 6 : padding }

  /// Bold text against the estimate for regular text: an eighth wider in Helvetica, a fifth in the DejaVu of Linux.
  private static let bold = 1.2
  private static func boldWidth(_ text: String) -> Double { TextWidth.of(text, size: titleSize) * bold }
  /// A layer's words, without the last ones where there is no room for them.
  private static func fittedTitle(_ text: String, width: Double) -> String {
    guard boldWidth(text) > width else { return text }
    var words = text.split(separator: " ")
    while words.count > 1, boldWidth(words.joined(separator: " ") + " …") > width { words.removeLast() }
    return TextWidth.fitted(words.joined(separator: " ") + " …", size: titleSize * bold, width: width)
  }

  private static func detailWidth(_ text: String) -> Double { TextWidth.of(text, size: detailSize) }
  private static func gapped(_ text: String) -> Double { text.isEmpty ? 0 : detailWidth(text) + 22 }

  private func number(_ value: Double) -> String { SVG.number(value) }

  mutating func draw() -> String {
    svg.open(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": "0 0 \(number(width)) \(number(height))",
        "width": number(width), "height": number(height), "role": "img", "aria-label": picture.line,
        "font-family": "system-ui, 'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif",
      ])
    svg.leaf("title", [:], picture.title.isEmpty ? "Model" : picture.title)
    svg.leaf("desc", [:], picture.line)
    svg.empty("rect", ["width": number(width), "height": number(height), "fill": ChartDrawing.paper])
    drawHeading()
    for index in picture.arrows.indices { drawArrow(index) }
    for (node, box) in zip(picture.nodes, boxes) { draw(node, box) }
    for (index, note) in picture.notes.enumerated() {
      let y = height - Self.margin - Double(picture.notes.count - 1 - index) * 18
      drawText(
        TextWidth.fitted(note, size: Self.noteSize, width: width - 2 * Self.margin), x: Self.margin, y: y,
        size: Self.noteSize, color: ChartDrawing.quiet)
    }
    svg.close("svg")
    return svg.text
  }

  private mutating func drawText(
    _ text: String, x: Double, y: Double, size: Double, color: String, anchor: String = "start", weight: String = "400"
  ) {
    if text.isEmpty { return }
    svg.leaf(
      "text",
      [
        "x": number(x), "y": number(y), "font-size": number(size), "fill": color, "text-anchor": anchor,
        "font-weight": weight,
      ], text)
  }

  private mutating func drawHeading() {
    let room = width - 2 * Self.margin
    var y = Self.margin
    if !picture.title.isEmpty {
      y += 16
      drawText(
        TextWidth.fitted(picture.title, size: 19, width: room / Self.bold), x: Self.margin, y: y, size: 19,
        color: ChartDrawing.ink, weight: "600")
      y += 8
    }
    y += 14
    drawText(
      TextWidth.fitted(picture.subtitle, size: 13, width: room), x: Self.margin, y: y, size: 13,
      color: ChartDrawing.quiet)
  }

  // MARK: Boxes

  private mutating func draw(_ node: GraphPicture.Node, _ box: Box) {
    svg.open("g")
    // What a box has no room for.
    let all = [node.title, node.name, node.output, node.parameters].filter { !$0.isEmpty }
    svg.leaf("title", [:], all.joined(separator: ", "))
    let radius = node.shape == .layer ? 8 : box.height / 2
    func frame(_ fill: String, _ opacity: String, _ stroke: String) {
      svg.empty(
        "rect",
        [
          "x": number(box.x), "y": number(box.y), "width": number(box.width), "height": number(box.height),
          "rx": number(radius), "fill": fill, "fill-opacity": opacity, "stroke": stroke, "stroke-width": "1.25",
        ])
    }
    // Paper below the tint, so that no arrow shines through.
    frame(ChartDrawing.paper, "1", "none")
    frame(node.color, node.shape == .layer ? "0.14" : "0.06", node.color)
    if node.shape == .output {
      drawText(
        node.title, x: box.x + box.width / 2, y: box.y + 18.5, size: 12.5, color: ChartDrawing.ink, anchor: "middle",
        weight: "600")
    } else {
      drawTexts(node, box)
    }
    svg.close("g")
  }

  private mutating func drawTexts(_ node: GraphPicture.Node, _ box: Box) {
    let inset = Self.inset(node)
    let left = box.x + inset, right = box.x + box.width - inset
    let room = box.width - 2 * inset
    drawText(
      Self.fittedTitle(node.title, width: room - Self.gapped(node.parameters)), x: left,
      y: box.y + 22, size: Self.titleSize, color: ChartDrawing.ink, weight: "600")
    drawText(
      node.parameters, x: right, y: box.y + 22, size: Self.detailSize, color: ChartDrawing.quiet, anchor: "end")
    let outputRoom = Self.gapped(node.output)
    drawText(
      TextWidth.fitted(node.name, size: Self.detailSize, width: max(room - outputRoom, 20)), x: left, y: box.y + 40,
      size: Self.detailSize, color: ChartDrawing.quiet)
    drawText(
      node.output, x: right, y: box.y + 40, size: Self.detailSize, color: ChartDrawing.ink, anchor: "end")
  }

  // MARK: Arrows

  private mutating func drawArrow(_ index: Int) {
    let arrow = picture.arrows[index]
    let from = boxes[arrow.edge.from], to = boxes[arrow.edge.to]
    let left = (width - layout.width) / 2, top = headHeight + Self.margin
    var x = from.x + from.width / 2, y = from.y + from.height
    let end = (x: entries[index], y: to.y - 7)
    var path = "M\(number(x)) \(number(y))"
    func curve(_ nextX: Double, _ nextY: Double) {
      if abs(nextX - x) < 0.05 {
        path += " L\(number(nextX)) \(number(nextY))"
      } else {
        let middle = number((y + nextY) / 2)
        path += " C\(number(x)) \(middle) \(number(nextX)) \(middle) \(number(nextX)) \(number(nextY))"
      }
      (x, y) = (nextX, nextY)
    }
    for lane in layout.paths[index] {
      curve(left + lane.x, top + lane.top)
      curve(left + lane.x, top + lane.bottom)
    }
    curve(end.x, end.y)
    svg.empty(
      "path",
      [
        "d": path, "fill": "none", "stroke": ChartDrawing.axis, "stroke-width": "1.5",
        "stroke-dasharray": arrow.isState ? "5 4" : "none",
      ])
    let tip = "M\(number(end.x)) \(number(to.y - 1)) l-4.5 -8 h9 z"
    svg.empty("path", ["d": tip, "fill": ChartDrawing.axis])
  }

  /// Where arrows meet the upper edges of their boxes: several stand side by side, in the order of where they come from.
  private static func entries(_ arrows: [GraphPicture.Arrow], _ boxes: [Box], _ layout: GraphLayout) -> [Double] {
    var entries = arrows.map { boxes[$0.edge.to].x + boxes[$0.edge.to].width / 2 }
    let sources = arrows.indices.map { layout.paths[$0].last?.x ?? layout.centers[arrows[$0].edge.from].x }
    for (to, group) in Dictionary(grouping: arrows.indices, by: { arrows[$0].edge.to }) where group.count > 1 {
      let gap = min(26, boxes[to].width * 0.45 / Double(group.count - 1))
      let sorted = group.sorted { (sources[$0], $0) < (sources[$1], $1) }
      // One that comes from right above stays straight.
      let straight = sorted.firstIndex { abs(sources[$0] - layout.centers[to].x) < 0.5 }
      let middle = gap * (straight.map(Double.init) ?? Double(group.count - 1) / 2)
      for (place, arrow) in sorted.enumerated() { entries[arrow] += Double(place) * gap - middle }
    }
    return entries
  }
}

extension GraphPicture {
  /// The text of a standalone SVG file, which can also stand within an HTML page.
  public var svg: String {
    var drawing = GraphDrawing(self)
    return drawing.draw()
  }
}
