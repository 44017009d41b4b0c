import LSTMCheckpoints

extension Vocabulary {
  /// The same with more tokens, at the end.
  /// - Parameter first: the number of the first of them; those before it that are no token's stand for nothing.
  /// - Throws: as `init`.
  public func extended(by more: [String], from first: Int? = nil) throws(CheckpointError) -> Vocabulary {
    let gap = [String?](repeating: nil, count: max((first ?? count) - count, 0))
    return try Vocabulary(unit, tokens: tokens + gap + more, padding: padding, unknown: unknown, rules: rules)
  }

  // MARK: - Text to numbers

  /// A text in numbers.
  public struct Encoding: Sendable, Equatable {
    public var tokens: [Int32] = []
    /// Characters or words of the text.
    public var count = 0
    /// Those that are no token.
    public var unknownCount = 0

    /// The part of the text that is no token.
    public var unknownRate: Double { count == 0 ? 0 : Double(unknownCount) / Double(count) }
  }

  /// A text in numbers, without start and end. What is no token gets the unknown token's number; without one the
  /// padding's, as in textgenrnn; and with neither it is left out.
  public func encode(_ text: String) -> Encoding {
    var encoding = Encoding()
    let substitute = (unknown ?? (rules == nil ? padding : nil)).map { Int32($0) }
    func add(_ number: Int32?) {
      encoding.count += 1
      if number == nil { encoding.unknownCount += 1 }
      if let number = number ?? substitute { encoding.tokens.append(number) }
    }
    switch unit {
    case .characters:
      encoding.tokens.reserveCapacity(text.utf8.count)
      for scalar in (rules?.characters(text) ?? text).unicodeScalars { add(scalars[scalar.value]) }
    case .words: forEachWord(text) { add(numbers[Array($0.utf8)]) }
    }
    return encoding
  }

  /// Characters or words of a text that are no token, the most frequent first.
  public func missing(in text: String) -> [String] {
    var counts: [[UInt8]: Int] = [:]
    switch unit {
    case .characters:
      for scalar in (rules?.characters(text) ?? text).unicodeScalars where scalars[scalar.value] == nil {
        counts[Array(String(scalar).utf8), default: 0] += 1
      }
    case .words:
      forEachWord(text) { word in
        let bytes = Array(word.utf8)
        if numbers[bytes] == nil { counts[bytes, default: 0] += 1 }
      }
    }
    return Self.byFrequency(counts)
  }

  private static func byFrequency(_ counts: [[UInt8]: Int]) -> [String] {
    counts.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key.lexicographicallyPrecedes($1.key) }
      .map { String(decoding: $0.key, as: UTF8.self) }
  }

  /// Words are what stands between blanks. What is no token as a whole is taken apart: letters and digits, with the
  /// apostrophes and hyphens within them, are a word, and every other character is one by itself.
  private func forEachWord(_ text: String, _ body: (Substring) -> Void) {
    if let rules { return rules.forEachWord(text, body) }
    let lineEndName = lineEnd.flatMap { tokens[$0] }
    WordSplitter.forEachChunk(text) { chunk in
      if chunk == "\n" {
        if let lineEndName { body(lineEndName[...]) }
      } else if numbers[Array(chunk.utf8)] != nil {
        body(chunk)
      } else {
        WordSplitter.forEachPiece(chunk, body)
      }
    }
  }

  // MARK: - Numbers to text

  /// What a token adds to a text: a word has a blank before it, except at the beginning of a line.
  /// - Parameter previous: the token before it, nil at the beginning of a text.
  public func text(of token: Int, after previous: Int?) -> String {
    guard tokens.indices ~= token, let text = tokens[token], token != padding else { return "" }
    guard unit == .words else { return text }
    if token == lineEnd { return "\n" }
    return previous == nil || previous == lineEnd || previous == start ? text : " " + text
  }

  /// The numbers as a text.
  public func decode(_ numbers: some Sequence<Int32>) -> String {
    var previous: Int?
    var result = ""
    for number in numbers {
      result += text(of: Int(number), after: previous)
      previous = Int(number)
    }
    return result
  }
}

extension Vocabulary {
  /// The tokens of a text, for a new model: the reserved ones first, then the most frequent.
  /// - Parameters:
  ///   - limit: how many tokens there may be; when the text has more, `<unk>` stands for the others.
  ///   - reserving: such as `<pad>` and `<s>`.
  /// - Throws: `CheckpointError.invalidOption` when there is nothing to make tokens of.
  public init(
    _ unit: Unit, of text: String, limit: Int? = nil, reserving: [String] = []
  ) throws(CheckpointError) {
    var counts: [[UInt8]: Int] = [:]
    switch unit {
    case .characters:
      var scalars: [UInt32: Int] = [:]
      for scalar in text.unicodeScalars { scalars[scalar.value, default: 0] += 1 }
      for (value, count) in scalars {
        if let scalar = Unicode.Scalar(value) { counts[Array(String(scalar).utf8)] = count }
      }
    case .words:
      WordSplitter.forEachChunk(text) { chunk in
        if chunk == "\n" {
          counts[[0x0a], default: 0] += 1
        } else {
          WordSplitter.forEachPiece(chunk) { counts[Array($0.utf8), default: 0] += 1 }
        }
      }
    }
    for name in reserving { counts[Array(name.utf8)] = nil }
    let found = Self.byFrequency(counts)
    let room = max((limit ?? Self.limit) - reserving.count, 0)
    var tokens = reserving + found
    if found.count > room {
      let unknown = reserving.contains("<unk>") ? [] : ["<unk>"]
      tokens = reserving + unknown + found.filter { $0 != "<unk>" }.prefix(max(room - unknown.count, 0))
    }
    try self.init(unit, tokens: tokens)
  }
}

/// Takes text apart into words.
enum WordSplitter {
  /// What stands between blanks, and "\n" for each line's end.
  static func forEachChunk(_ text: String, _ body: (Substring) -> Void) {
    let scalars = text.unicodeScalars
    var begin: String.Index?
    var index = scalars.startIndex
    while index < scalars.endIndex {
      let scalar = scalars[index]
      let next = scalars.index(after: index)
      if scalar.properties.isWhitespace {
        if let start = begin { body(Substring(scalars[start..<index])) }
        begin = nil
        if scalar == "\n" { body(Substring(scalars[index..<next])) }
      } else if begin == nil {
        begin = index
      }
      index = next
    }
    if let start = begin { body(Substring(scalars[start...])) }
  }

  /// Runs of letters and digits, with the apostrophes and hyphens within them; every other character by itself.
  static func forEachPiece(_ chunk: Substring, _ body: (Substring) -> Void) {
    let scalars = chunk.unicodeScalars
    var index = scalars.startIndex
    while index < scalars.endIndex {
      let begin = index
      let isWord = isLetterLike(scalars[index])
      index = scalars.index(after: index)
      while isWord, index < scalars.endIndex {
        let next = scalars.index(after: index)
        if isLetterLike(scalars[index]) {
          index = next
        } else if joiners.contains(scalars[index]), next < scalars.endIndex, isLetterLike(scalars[next]) {
          index = scalars.index(after: next)
        } else {
          break
        }
      }
      body(Substring(scalars[begin..<index]))
    }
  }

  private static let joiners: Set<Unicode.Scalar> = ["'", "\u{2019}", "-"]

  private static func isLetterLike(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      return "a"..."z" ~= scalar || "A"..."Z" ~= scalar || "0"..."9" ~= scalar || scalar == "_"
    }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .nonspacingMark,
      .spacingMark, .enclosingMark, .decimalNumber, .letterNumber:
      return true
    default: return false
    }
  }
}
