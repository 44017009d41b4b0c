/// The pieces of a model's line.
enum LineToken: Equatable {
  /// A keyword, a number or a name.
  case word(String)
  /// A name in quotes, which is no keyword.
  case quoted(String)
  /// `->` or `→`
  case arrow
  case comma, colon, semicolon

  /// The text of a word that is not quoted.
  var word: String? { if case .word(let text) = self { text } else { nil } }

  /// The name that it stands for.
  var name: String? {
    switch self {
    case .word(let text), .quoted(let text): text
    default: nil
    }
  }

  /// As it is written.
  var text: String {
    switch self {
    case .word(let text): text
    case .quoted(let name): LineName.text(name, isQuoted: true)
    case .arrow: "->"
    case .comma: ","
    case .colon: ":"
    case .semicolon: ";"
    }
  }

  /// - Throws: `LineError` for a quotation mark that is not closed, or an escape that is none.
  static func tokens(of line: String) throws(ModelLineError) -> [LineToken] {
    var scanner = LineScanner(scalars: Array(line.unicodeScalars))
    var tokens: [LineToken] = []
    while let token = try scanner.next() { tokens.append(token) }
    return tokens
  }
}

private struct LineScanner {
  let scalars: [Unicode.Scalar]
  var at = 0

  mutating func next() throws(ModelLineError) -> LineToken? {
    while at < scalars.count, scalars[at].properties.isWhitespace { at += 1 }
    guard at < scalars.count else { return nil }
    if isArrow {
      at += scalars[at] == "→" ? 1 : 2
      return .arrow
    }
    switch scalars[at] {
    case ",": return punctuation(.comma)
    case ":": return punctuation(.colon)
    case ";": return punctuation(.semicolon)
    case "\"": return .quoted(try name())
    default: break
    }
    var word = String.UnicodeScalarView()
    while at < scalars.count, !isArrow, !scalars[at].properties.isWhitespace,
      !",:;\"".unicodeScalars.contains(scalars[at])
    {
      word.append(scalars[at])
      at += 1
    }
    return .word(String(word))
  }

  private var isArrow: Bool {
    scalars[at] == "→" || scalars[at] == "-" && at + 1 < scalars.count && scalars[at + 1] == ">"
  }

  private mutating func punctuation(_ token: LineToken) -> LineToken {
    at += 1
    return token
  }

  /// A name up to its closing quotation mark.
  private mutating func name() throws(ModelLineError) -> String {
    var name = String.UnicodeScalarView()
    at += 1
    while at < scalars.count {
      let scalar = scalars[at]
      at += 1
      if scalar == "\"" { return String(name) }
      name.append(scalar == "\\" ? try escaped() : scalar)
    }
    throw .init(detail: "a quotation mark is not closed")
  }

  /// `\"`, `\\` or `\u{a}`, after the backslash.
  private mutating func escaped() throws(ModelLineError) -> Unicode.Scalar {
    let error = ModelLineError(detail: "in quotes a backslash stands before \", \\ or u{...}")
    guard at < scalars.count else { throw error }
    let scalar = scalars[at]
    at += 1
    if scalar == "\"" || scalar == "\\" { return scalar }
    guard scalar == "u", at < scalars.count, scalars[at] == "{",
      let end = scalars[at...].prefix(10).firstIndex(of: "}")
    else { throw error }
    let digits = String(String.UnicodeScalarView(scalars[(at + 1)..<end]))
    at = end + 1
    guard let value = UInt32(digits, radix: 16), let found = Unicode.Scalar(value) else { throw error }
    return found
  }
}
