/// A layer of a line.
struct LineLayer {
  private typealias LineError = ModelConfiguration.LineError

  /// Its own name, if it was given one.
  private(set) var name: String?
  private(set) var kind: any LayerKind
  private(set) var from: [String] = []
  /// Whether it reads the input or embedding and every recurrent layer: `concatenation of all`.
  private(set) var readsAll = false

  private let part: String
  private let grammar: LayerGrammar
  private var words: LineCursor
  private var values: [String: String] = [:]

  init(_ tokens: ArraySlice<LineToken>) throws(ModelConfiguration.LineError) {
    if tokens.isEmpty { throw .init(detail: "expected a layer on either side of ->") }
    part = tokens.text
    words = LineCursor(tokens)
    name = try words.label()
    let isBidirectional = words.skip("bidirectional")
    readsAll = words.skip("concatenation", "of", "all")
    let prototype = readsAll ? Layer.Merge(.concatenate) : try Self.kind(&words, part)
    kind = prototype
    grammar = LayerRegistry.grammar(of: kind)
    if isBidirectional { values["bidirectional"] = "true" }
    if let recurrent = kind as? Layer.Recurrent, recurrent.isBidirectional { values["bidirectional"] = "true" }
    while words.current != nil { try readSetting() }
    var reader = LayerWordsReader(values)
    do throws(LayerError) {
      try kind.describe(&reader)
    } catch {
      throw LineError(part, detail: (error.key.map { $0.replacing("_", with: " ") + ": " } ?? "") + error.detail)
    }
    if let key = reader.unread.sorted().first {
      throw LineError(part, detail: "\(title) has no \(key.replacing("_", with: " ")) here")
    }
  }

  /// What the kind is called in an error.
  private var title: String { kind.words.isEmpty ? kind.kind : kind.words }

  /// The kind by its first words, which are passed unless they are a choice of its own.
  private static func kind(
    _ words: inout LineCursor, _ part: String
  ) throws(ModelConfiguration.LineError) -> any LayerKind {
    // PyTorch calls a dense layer Linear, Keras an activation that does nothing.
    if words.word() == "linear", let next = words.word(1), next.first?.isNumber ?? false {
      words.advance()
      return Layer.Dense()
    }
    if let (found, count) = words.longest({ LineWords.kindByWords[$0] }) {
      if !found.isTold { words.advance(by: count) }
      return found.kind
    }
    if let word = words.word(), word.hasPrefix("bi"), var kind = recurrent(word.dropFirst(2)) {
      kind.isBidirectional = true
      words.advance()
      return kind
    }
    guard let token = words.current else { throw LineError(part, detail: "expected a layer after the name") }
    guard let word = token.word else {
      throw LineError(part, detail: "expected a layer, found \(token.text.shortened)")
    }
    throw LineError(
      part == word ? nil : part, detail: "there is no layer \"\(word.shortened)\"" + near(word, LineWords.knownLayers))
  }

  /// `lstm` of `bilstm` or `bi-LSTM`
  private static func recurrent(_ word: Substring) -> Layer.Recurrent? {
    LineWords.kindByWords[LineWords.joined(String(word))]?.kind as? Layer.Recurrent
  }

  /// `kernel 5`, `without bias`, `relu`, `from a, b` or a number alone.
  private mutating func readSetting() throws(ModelConfiguration.LineError) {
    guard let token = words.current else { return }
    let choice = words.longest { text in bareChoice(text) }
    if let (setting, count) = words.longest({ LineWords.setting($0, in: grammar) }), count >= choice?.count ?? 0 {
      let isCounted = words.word(count)?.first.map { $0.isNumber || "+-".contains($0) } ?? false
      let isNumber = [.whole, .wholes, .real].contains(setting.form)
      // `reshape steps`, whose steps are a form, too.
      if choice == nil || isCounted || !isNumber {
        words.advance(by: count)
        // `reshape steps 5` says both.
        if let choice, isNumber, values[choice.found.key] == nil { try set(choice.found.key, choice.found.word) }
        return try read(setting)
      }
    }
    if let (found, count) = choice {
      words.advance(by: count)
      return try set(found.key, found.word)
    }
    switch words.word() {
    case "from" where !from.isEmpty: throw LineError(part, detail: "what it reads is said twice")
    case "from":
      words.advance()
      from = try words.names()
    case "without", "no":
      words.advance()
      try readAbsence()
    case "with" where words.word(1) != nil:
      words.advance()
    case let text? where text.first?.isNumber ?? false:
      guard let leading = grammar.leading, values[leading] == nil else {
        throw LineError(
          part, detail: "\"\(text.shortened)\" needs a word that says what it is; \(title) has \(settingsList)")
      }
      words.advance()
      try set(leading, text)
    default:
      let word = token.text
      throw LineError(
        part, detail: "\(title) has no setting \"\(word.shortened)\"" + Self.near(word, knownWords, settingsHint))
    }
  }

  private func bareChoice(_ text: String) -> (key: String, word: String)? {
    for (key, words) in grammar.bareChoices {
      if let word = LineWords.choice(text, among: words) { return (key, word) }
    }
    return nil
  }

  /// What follows a setting's key.
  private mutating func read(_ setting: LayerGrammar.Setting) throws(ModelConfiguration.LineError) {
    let title = setting.key.replacing("_", with: " ")
    switch setting.form {
    case .flag: return try set(setting.key, "true")
    case .choice(let known, _):
      guard let (word, count) = words.longest({ LineWords.choice($0, among: known) }) else {
        let list = known.map { $0.replacing("_", with: " ") }
        let found = words.current.map { ", found \($0.text.shortened)" } ?? ""
        throw LineError(
          part,
          detail: "\(title): expected one of \(list.joined(separator: ", "))\(found)"
            + Self.near(words.current?.text ?? "", list))
      }
      words.advance(by: count)
      try set(setting.key, word)
    case .layer:
      guard let name = words.current?.name else {
        throw LineError(part, detail: "\(title): expected the name of a layer")
      }
      words.advance()
      try set(setting.key, name)
    case .whole, .wholes, .real:
      guard let text = words.word() else {
        throw LineError(
          part, detail: "\(title): expected a number" + (setting.form == .wholes ? ", or two as 3x3" : ""))
      }
      words.advance()
      try set(setting.key, text)
    }
  }

  /// `bias`, after `without`
  private mutating func readAbsence() throws(ModelConfiguration.LineError) {
    guard let (setting, count) = words.longest({ LineWords.setting($0, in: grammar) }) else {
      let word = words.current?.text ?? ""
      throw LineError(
        part, detail: "\(title) has no setting \"\(word.shortened)\"" + Self.near(word, knownWords, settingsHint))
    }
    words.advance(by: count)
    switch setting.form {
    case .flag: try set(setting.key, "false")
    case .choice(let words, _) where words.contains("none"): try set(setting.key, "none")
    default:
      throw LineError(part, detail: "\(setting.key.replacing("_", with: " ")) cannot be left out")
    }
  }

  private mutating func set(_ key: String, _ value: String) throws(ModelConfiguration.LineError) {
    if let old = values.updateValue(value, forKey: key), key != "bidirectional" || old != value {
      throw LineError(part, detail: "\(key.replacing("_", with: " ")) is said twice")
    }
  }

  private var knownWords: [String] {
    grammar.settings.map { $0.key.replacing("_", with: " ") }
      + grammar.bareChoices.flatMap(\.words).map { $0.replacing("_", with: " ") }
  }

  private var settingsHint: String { "; it has \(settingsList)" }

  /// `kernel, stride, ...`
  private var settingsList: String {
    let keys = grammar.settings.map { $0.key.replacing("_", with: " ") }
    return keys.isEmpty ? "none" : keys.joined(separator: ", ")
  }

  private static func near(_ word: String, _ known: [String], _ otherwise: String = "") -> String {
    nearestNames(to: word, among: known, limit: 1).first.map { "; did you mean \($0)?" } ?? otherwise
  }
}
