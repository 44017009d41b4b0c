import LSTMCheckpoints

/// A picture of a model's graph: a box for each input and layer with its kind, name, output shape and number of parameters,
/// colored by kind, and arrows from what a layer reads. It draws itself as SVG, without any dependency.
///
///     let text = GraphPicture(model.configuration, title: "model.h5").svg
///
/// Like a `LineChart` it carries its own white background, a text alternative and no fonts or scripts. Equal models give
/// equal pictures.
public struct GraphPicture: Sendable {
  /// What stands in the picture.
  struct Node {
    enum Shape { case input, layer, output }

    var shape: Shape
    /// `biLSTM 64`
    var title: String
    /// `layer0`
    var name = ""
    /// `T × 128`
    var output = ""
    /// `37,376 parameters`
    var parameters = ""
    var color: String
  }

  /// An arrow; of a state that a recurrent layer starts from it is dashed.
  struct Arrow: Hashable {
    var edge: GraphLayout.Edge
    var isState: Bool
  }

  /// Above the picture; may be empty.
  public var title: String
  let nodes: [Node]
  let arrows: [Arrow]
  /// Below the title.
  let subtitle: String
  /// Below the boxes.
  let notes: [String]
  let line: String

  /// The picture of a model.
  public init(_ configuration: ModelConfiguration, title: String = "") {
    self.title = title
    let rows = configuration.rows
    let places = Dictionary(rows.enumerated().map { ($1.name, $0) }) { first, _ in first }
    var nodes = rows.map { row in
      Node(
        shape: row.kind == "input" ? .input : .layer, title: row.words, name: row.name,
        output: row.output.replacing(" x ", with: " × "),
        parameters: row.parameters == 0 ? "" : plural(row.parameters, "parameter"), color: Self.color(row.kind))
    }
    var arrows: [Arrow] = []
    var known = Set<Arrow>()
    func add(_ from: Int, _ to: Int, isState: Bool = false) {
      let arrow = Arrow(edge: .init(from: from, to: to), isState: isState)
      if known.insert(arrow).inserted { arrows.append(arrow) }
    }
    for (index, row) in rows.enumerated() {
      for name in row.reads { places[name].map { add($0, index) } }
    }
    for (index, layer) in configuration.layers.enumerated() {
      for name in layer.kind.references {
        places[name].map { add($0, configuration.inputs.count + index, isState: true) }
      }
    }
    for (index, row) in rows.enumerated() where row.isOutput {
      nodes.append(Node(shape: .output, title: "output", color: Self.color("output")))
      add(index, nodes.count - 1)
    }
    self.nodes = nodes
    self.arrows = arrows
    subtitle =
      plural(configuration.layers.count, "layer") + ", "
      + plural(configuration.parameterCount, "parameter")
    var notes = configuration.validTies.map { $0.joined(separator: " is ") }
    if rows.contains(where: { $0.output.hasPrefix("T") }) {
      let isChanged = rows.contains { $0.output.hasPrefix("T'") }
      notes.append("T: steps of a sequence" + (isChanged ? "; T', T'': other numbers of steps" : ""))
    }
    self.notes = notes
    line = configuration.line
  }

  /// What kinds of layers are colored alike, in Okabe and Ito's palette.
  static func color(_ kind: String) -> String {
    let colors = ChartDrawing.colors
    switch kind {
    case "lstm", "gru", "rnn": return colors[0]
    case "dense", "crf": return colors[1]
    case "convolution", "max_pooling", "average_pooling": return colors[2]
    case "embedding": return colors[3]
    case "batch_norm", "layer_norm", "rescale", "l2", "magnitude": return colors[4]
    case "readout", "attention", "dot_attention", "self_attention": return colors[5]
    case "input", "output": return colors[6]
    default: return ChartDrawing.axis
    }
  }
}
