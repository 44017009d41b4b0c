import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMReports

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// The picture of a model's graph.
@Suite struct GraphPictureTests {
  static let lines = [
    "1 feature -> LSTM 64 -> LSTM 64 -> last -> dense 24",
    "8 features -> conv 32 kernel 5 relu -> batch norm -> max pool 2 -> biLSTM 64 -> LSTM 64 -> last -> relu -> dense 3",
    "source: 80 tokens, target: 60 tokens -> a: embedding 16 -> encoder: LSTM 8 -> b: embedding 16 from target"
      + " -> decoder: LSTM 8 initial from encoder -> attention: dot attention from decoder, encoder"
      + " -> joined: concatenate from decoder, attention -> dense 60 softmax",
    "4 features -> LSTM 16 -> last -> LSTM 16 from input -> last -> LSTM 32 from input -> mean"
      + " -> concatenate from readout1, readout2, readout3 -> dense 1; outputs head.0, readout3",
    "6 features -> dense 32 -> LSTM 32 -> add from layer0, dense1 -> layer norm -> LSTM 32 -> add from layer1, norm1"
      + " -> layer norm -> concatenate from norm2, norm1, dense1 -> attention tanh size 16 -> dense 5 softmax",
    "series: 8 features, static: 5 features once a sequence -> LSTM 16 -> last -> dense 8 relu from static"
      + " -> concatenate from readout, head.0 -> dense 1",
    "100 tokens masked 0 -> embedding 64 -> LSTM 64 -> all -> dense 100; embedding.weight is head.0.weight",
  ]

  @Test(arguments: lines) func everyLayerIsDrawnOnce(_ line: String) throws {
    let model = try ModelConfiguration(line: line)
    let svg = GraphPicture(model, title: "model.h5").svg
    #expect(XMLParser(data: Data(svg.utf8)).parse())
    for row in model.rows {
      let name = "font-size=\"11.5\" fill=\"#59636e\" text-anchor=\"start\" font-weight=\"400\">\(row.name)</text>"
      #expect(svg.components(separatedBy: name).count == 2, "\(row.name)")
      let words = ">" + SVG.escaped(row.words) + "</text>"
      #expect(svg.components(separatedBy: words).count == 1 + model.rows.filter { $0.words == row.words }.count)
      #expect(svg.contains(">" + SVG.escaped(row.output.replacing("x", with: "×")) + "</text>"), "\(row.output)")
    }
    #expect(svg.contains("\(model.layers.count) layers, \(grouped(model.parameterCount)) parameters"))
    #expect(GraphPicture(model, title: "model.h5").svg == svg)
  }

  private func overlap(_ a: GraphDrawing.Box, _ b: GraphDrawing.Box) -> Bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
  }

  private func check(_ model: ModelConfiguration) {
    let picture = GraphPicture(model)
    let boxes = GraphDrawing(picture).boxes
    #expect(boxes.count == picture.nodes.count)
    for (index, box) in boxes.enumerated() {
      #expect(box.x >= 0 && box.y >= 0)
      for other in boxes[..<index] where overlap(box, other) { Issue.record("boxes overlap in \(model.line)") }
    }
    // Arrows lead down.
    for arrow in picture.arrows { #expect(boxes[arrow.edge.from].y < boxes[arrow.edge.to].y) }
  }

  @Test(arguments: lines) func noBoxesOverlap(_ line: String) throws { check(try ModelConfiguration(line: line)) }

  /// Random graphs of additions, which read any layers.
  @Test(arguments: 0..<20) func noBoxesOverlapInRandomGraphs(_ seed: UInt64) throws {
    var random = SplitMix(state: seed)
    var layers: [Layer] = []
    var names = ["input"]
    for index in 0..<30 {
      let from = (0..<Int.random(in: 1...3, using: &random)).map { _ in
        names.suffix(8).randomElement(using: &random) ?? "input"
      }
      layers.append(Layer("l\(index)", Layer.Merge(.add), from: from))
      names.append("l\(index)")
    }
    check(try ModelConfiguration(inputs: [.init(.features(size: 3))], layers: layers))
  }

  /// A path from above ends in each box, and none crosses a box that it passes.
  @Test func edgesGoAroundBoxes() throws {
    let model = try ModelConfiguration(line: "6 features -> dense 6 -> dense 6 -> dense 6 -> add from input, head.2")
    let picture = GraphPicture(model)
    let drawing = GraphDrawing(picture)
    let layout = GraphLayout(
      sizes: drawing.boxes.map { .init(width: $0.width, height: $0.height) }, edges: picture.arrows.map(\.edge))
    let long = try #require(picture.arrows.firstIndex { $0.edge == .init(from: 0, to: 4) })
    #expect(layout.paths[long].count == 3)
    for (place, node) in zip(layout.paths[long], 1...3) {
      #expect(abs(place.x - layout.centers[node].x) > drawing.boxes[node].width / 2)
    }
    // The way that the layers go is straight.
    #expect(Set(layout.centers.prefix(5).map { SVG.number($0.x) }).count == 1)
  }

  @Test func namesFromFilesAreEscapedAndCut() throws {
    let name = "<script>" + String(repeating: "long ", count: 200)
    let model = try ModelConfiguration(
      inputs: [.init(.features(size: 3))], layers: [Layer(name, Layer.Recurrent(.lstm, size: 3))])
    let svg = GraphPicture(model, title: "a&b").svg
    #expect(XMLParser(data: Data(svg.utf8)).parse())
    #expect(!svg.contains("<script>"))
    #expect(GraphDrawing(GraphPicture(model)).boxes.allSatisfy { $0.width <= 400 })
  }

  @Test func deepGraphsTakeNoTime() throws {
    var layers: [Layer] = []
    for index in 0..<1500 {
      layers.append(
        Layer("l\(index)", Layer.Merge(.add), from: index < 2 ? ["input"] : ["l\(index - 1)", "l\(index / 2)"]))
    }
    let model = try ModelConfiguration(inputs: [.init(.features(size: 3))], layers: layers)
    let start = ContinuousClock.now
    #expect(GraphPicture(model).svg.count > 100_000)
    #expect(ContinuousClock.now - start < .seconds(60))
  }
}
