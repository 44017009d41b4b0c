/// Reads a model's line: see `ModelConfiguration+Line.swift` for its grammar.
struct LineReader {
  private typealias LineError = ModelConfiguration.LineError

  private let parts: [ArraySlice<LineToken>]
  private let clauses: [ArraySlice<LineToken>]

  init(_ line: String) throws(ModelConfiguration.LineError) {
    let tokens = try LineToken.tokens(of: line)
    let sections = tokens.split(separator: .semicolon, omittingEmptySubsequences: false)
    parts = sections[0].split(separator: .arrow, omittingEmptySubsequences: false)
    // A semicolon at the end does no harm.
    clauses = sections.dropFirst().filter { !$0.isEmpty }
  }

  func model() throws(ModelConfiguration.LineError) -> ModelConfiguration {
    if parts[0].isEmpty {
      throw LineError(detail: "expected what the model reads first, such as 8 features or 465 tokens")
    }
    var (inputs, mask) = try inputs(parts[0])
    var rest = parts.dropFirst()
    if let part = rest.first, part.first?.word?.lowercased() == "masked", mask == nil {
      mask = try LineInput.mask(part, of: inputs[0])
      rest.removeFirst()
    }
    if rest.isEmpty {
      throw LineError(detail: "expected layers after the input, such as 8 features -> LSTM 64 -> last")
    }
    guard rest.count <= ModelConfiguration.depthLimit else {
      throw LineError(detail: "expected at most \(ModelConfiguration.depthLimit) layers, found \(rest.count)")
    }
    var written: [LineLayer] = []
    for part in rest { written.append(try LineLayer(part)) }
    let layers = Self.named(written, inputs)
    let outputs = try outputs()
    var model: ModelConfiguration
    do throws(ModelConfiguration.GraphError) {
      model = try ModelConfiguration(inputs: inputs, layers: layers, outputs: outputs, mask: mask)
    } catch {
      throw LineError(detail: error.description)
    }
    for clause in clauses where !Self.isOutputs(clause) {
      do throws(TieError) {
        try model.tie(tied(clause))
      } catch {
        throw LineError(clause.text, detail: error.detail)
      }
    }
    return model
  }

  /// Layers that are not named get their usual names.
  private static func named(_ written: [LineLayer], _ inputs: [ModelConfiguration.Input]) -> [Layer] {
    let names = ModelConfiguration.defaultNames(of: written.map(\.kind))
    var layers: [Layer] = []
    for (part, name) in zip(written, names) {
      if part.readsAll {
        let below = layers.first { $0.kind is Layer.Embedding }?.name ?? inputs[0].name
        let recurrent = layers.filter { $0.kind is Layer.Recurrent }.map(\.name)
        layers.append(Layer(part.name ?? "skip", part.kind, from: [below] + recurrent))
      } else {
        layers.append(Layer(part.name ?? name, part.kind, from: part.from))
      }
    }
    return layers
  }

  private func inputs(
    _ part: ArraySlice<LineToken>
  ) throws(ModelConfiguration.LineError) -> ([ModelConfiguration.Input], ModelConfiguration.Mask?) {
    let pieces = part.split(separator: .comma, omittingEmptySubsequences: false)
    var inputs: [ModelConfiguration.Input] = []
    var mask: ModelConfiguration.Mask?
    for (index, piece) in pieces.enumerated() {
      let input = try LineInput(piece, defaultName: ModelConfiguration.defaultInputName(index, of: pieces.count))
      if let found = input.mask {
        if index > 0 { throw LineError(piece.text, detail: "the mask is of the first input") }
        mask = found
      }
      inputs.append(input.input)
    }
    return (inputs, mask)
  }

  private static func isOutputs(_ clause: ArraySlice<LineToken>) -> Bool {
    ["outputs", "output"].contains(clause.first?.word?.lowercased())
  }

  /// `outputs a, b`
  private func outputs() throws(ModelConfiguration.LineError) -> [String] {
    let said = clauses.filter(Self.isOutputs)
    guard let clause = said.first else { return [] }
    if said.count > 1 { throw LineError(said[1].text, detail: "outputs are named twice") }
    var words = LineCursor(clause)
    words.advance()
    let names = try words.names()
    if let token = words.current {
      throw LineError(clause.text, detail: "expected a comma, found \(token.text.shortened)")
    }
    return names
  }

  /// `embedding.weight is head.0.weight`
  private func tied(_ clause: ArraySlice<LineToken>) throws(TieError) -> [String] {
    let words = Array(clause)
    let isTie =
      words.count > 2 && words.count % 2 == 1
      && words.indices.allSatisfy { $0 % 2 == 0 ? words[$0].name != nil : words[$0].word?.lowercased() == "is" }
    guard isTie else {
      throw TieError(
        detail: "expected outputs and names of layers, or one parameter is another; after a ; come no layers")
    }
    return stride(from: 0, to: words.count, by: 2).compactMap { words[$0].name }
  }
}

/// An input of a line.
struct LineInput {
  private(set) var input: ModelConfiguration.Input
  private(set) var mask: ModelConfiguration.Mask?

  init(_ part: ArraySlice<LineToken>, defaultName: String) throws(ModelConfiguration.LineError) {
    var words = LineCursor(part)
    let name = try words.label() ?? defaultName
    let expected = "expected a number of features or tokens, such as 8 features"
    guard words.current != nil else { throw .init(part.isEmpty ? nil : part.text, detail: expected) }
    guard let text = words.word(), text.first?.isNumber ?? false else {
      throw .init(part.text, detail: expected + ", found \(words.current?.text.shortened ?? "")")
    }
    let size = try Self.size(text, part)
    words.advance()
    switch words.word() {
    case "feature", "features": input = .init(.features(size: size), name: name)
    case "token", "tokens": input = .init(.tokens(vocabulary: size), name: name)
    case let other: throw .init(part.text, detail: expected + (other.map { ", found \($0.shortened)" } ?? ""))
    }
    words.advance()
    while let token = words.current {
      if words.skip("once", "a", "sequence") || words.skip("once", "per", "sequence") {
        input.isPerSequence = true
      } else if words.skip("of") {
        input.steps = try Self.counted("step", &words, part)
      } else if words.skip("in") {
        input.channels = try Self.counted("channel", &words, part)
      } else if words.word() == "masked" {
        mask = try Self.mask(part[(part.startIndex + words.at)...].prefix(2), of: input)
        words.advance(by: 2)
      } else {
        throw .init(
          part.text,
          detail: "expected of 10 steps, in 3 channels, once a sequence, masked 0 or ->, found \(token.text.shortened)")
      }
    }
  }

  private static func size(
    _ text: String, _ part: ArraySlice<LineToken>
  ) throws(ModelConfiguration.LineError) -> Int {
    let limit = ModelConfiguration.sizeLimit
    guard let size = Int(text), 1...limit ~= size else {
      throw .init(part.text, detail: "expected a size from 1 to \(limit), found \(text.shortened)")
    }
    return size
  }

  /// `10 steps`, after `of`
  private static func counted(
    _ unit: String, _ words: inout LineCursor, _ part: ArraySlice<LineToken>
  ) throws(ModelConfiguration.LineError) -> Int {
    guard let text = words.word(), let found = words.word(1), found == unit || found == unit + "s" else {
      throw .init(part.text, detail: "expected a number of \(unit)s, such as 3 \(unit)s")
    }
    words.advance(by: 2)
    return try size(text, part)
  }

  /// `masked 0`
  static func mask(
    _ part: ArraySlice<LineToken>, of input: ModelConfiguration.Input
  ) throws(ModelConfiguration.LineError) -> ModelConfiguration.Mask {
    let text = part.count == 2 ? part.last?.word ?? "" : ""
    switch input.content {
    case .tokens(let vocabulary):
      guard let token = Int(text), 0..<vocabulary ~= token else {
        throw .init(part.text, detail: "expected masked and a token from 0 to \(vocabulary - 1)")
      }
      return .token(token)
    case .features:
      guard let value = Float(inWords: text) else { throw .init(part.text, detail: "expected masked and a number") }
      return .value(value)
    }
  }
}
