// A model as one line. Layers stand in order, each reading the one before it:
//
//     8 features -> conv 32 kernel 5 relu -> batch norm -> biLSTM 64 -> LSTM 64 -> last -> relu -> dense 3 softmax
//
//     line     inputs "->" layer "->" ... [";" "outputs" names] [";" parameter "is" parameter] ...
//     inputs   input "," input ...
//     input    [name ":"] number ("features" | "tokens") ["of" number "steps"] ["in" number "channels"]
//              ["once a sequence"] ["masked" value]
//     layer    [name ":"] kind settings ["from" name "," name ...]
//     settings the words of `LayerDescription`: `kernel 5`, `kernel 3x3`, `without bias`, `relu`, `padding causal`
//     name     letters, digits and _./- or any text in "quotes", with \" \\ and \u{a}
//
// What has its usual value is not written, and names only where they are not `defaultNames(of:)`. Reading knows other
// words that people use (`ModelConfiguration+LineAliases.swift`), and no capitals outside of names.

extension ModelConfiguration {
  /// Why a line describes no model.
  public typealias LineError = ModelLineError

  /// A model from its line, such as `8 features -> biLSTM 64 -> last -> dense 3 softmax`; see `docs/models.md`.
  /// - Throws: `LineError` naming the word at fault.
  public init(line: String) throws(LineError) {
    self = try LineReader(line).model()
  }

  /// The model as one line, from which ``init(line:)`` makes the same model.
  public var line: String {
    let names = Self.defaultNames(of: layers.map(\.kind))
    var parts = [inputs.indices.map { inputText($0) }.joined(separator: ", ")]
    for (layer, name) in zip(layers, names) { parts.append(layer.line(calling: name)) }
    var clauses = [parts.joined(separator: " -> ")]
    if !outputs.isEmpty { clauses.append("outputs " + outputs.inWords) }
    clauses += validTies.map { $0.map { LineName.text($0) }.joined(separator: " is ") }
    return clauses.joined(separator: "; ")
  }

  /// One line for people; of a plain stack in full words: `1 feature -> LSTM 64 -> last step -> dense 1`.
  public var summary: String { stack?.summary ?? line }

  /// - Parameter isNamed: whether a name that is not the usual one stands before it.
  func inputText(_ index: Int, isNamed: Bool = true) -> String {
    let input = inputs[index]
    let isUsual = !isNamed || input.name == Self.defaultInputName(index, of: inputs.count)
    var text = isUsual ? "" : LineName.text(input.name) + ": "
    switch input.content {
    case .features(let size): text += "\(size) feature" + (size == 1 ? "" : "s")
    case .tokens(let vocabulary): text += "\(vocabulary) token" + (vocabulary == 1 ? "" : "s")
    }
    if let steps = input.steps { text += " of \(steps) step" + (steps == 1 ? "" : "s") }
    if let channels = input.channels { text += " in \(channels) channel" + (channels == 1 ? "" : "s") }
    if input.isPerSequence { text += " once a sequence" }
    switch mask {
    case .token(let token) where index == 0: text += " masked \(token)"
    case .value(let value) where index == 0: text += " masked \(value.inWords)"
    default: break
    }
    return text
  }
}

extension Layer {
  /// The kind with its settings, as in a line: `conv 32 kernel 5 relu`, `biLSTM 64`.
  public var words: String {
    var kind = kind
    var writer = LayerWordsWriter(kind)
    // Settings that contradict each other are written like any others.
    try? kind.describe(&writer)
    var pieces = [kind.words] + writer.pieces
    if kind is Recurrent, let place = pieces.firstIndex(of: "bidirectional") {
      pieces.remove(at: place)
      pieces[0] = "bi" + pieces[0]
    }
    return pieces.filter { !$0.isEmpty }.joined(separator: " ")
  }

  /// - Parameter name: what it is called when nothing is said.
  fileprivate func line(calling name: String) -> String {
    (name == self.name ? "" : LineName.text(self.name) + ": ") + words
      + (from.isEmpty ? "" : " from " + from.inWords)
  }
}

extension [String] {
  fileprivate var inWords: String { map { LineName.text($0) }.joined(separator: ", ") }
}
