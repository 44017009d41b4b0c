import FileIO

/// Which number stands for which character or word.
///
/// Characters are Unicode scalars, as Python counts them: an accent that is written apart is a character of its own.
/// Tokens are told apart by their scalars; two spellings of one letter are two tokens.
///
/// Some tokens have a meaning by their name: `<pad>`, `<unk>`, `<s>` and `</s>`, and a few other spellings of each. A text
/// begins with the start token and ends with the end token; textgenrnn has `<s>` for both.
public struct Vocabulary: Sendable {
  /// What a token is.
  public enum Unit: String, Sendable, Codable, CaseIterable {
    case characters, words

    /// One of them, for people.
    public var noun: String { self == .characters ? "character" : "word" }
  }

  /// The most tokens there may be, which is the largest embedding.
  static let limit = 1 << 24

  public let unit: Unit
  /// The token of each number, from 0; nil for a number that stands for no text, such as Keras' padding.
  public let tokens: [String?]
  /// The number that fills sequences up.
  public let padding: Int?
  /// The number of whatever is no token.
  public let unknown: Int?
  /// The number that a text begins with.
  public let start: Int?
  /// The number that a text ends with.
  public let end: Int?
  /// Words: the number of a line's end.
  public let lineEnd: Int?
  /// How Keras' Tokenizer takes text apart, where it made the vocabulary. Then what is no token and has no number of its
  /// own is left out, and nothing begins or ends a text.
  public let rules: KerasTextRules?

  private let scalars: [UInt32: Int32]
  private let numbers: [[UInt8]: Int32]

  /// - Parameters:
  ///   - padding: the padding's number; by default that of a token called `<pad>`.
  ///   - unknown: the unknown token's number; by default that of one called `<unk>`.
  /// - Throws: `FineTuningError.invalidOption` when a token is there twice or empty, or a number is none of the tokens'.
  public init(
    _ unit: Unit, tokens: [String?], padding: Int? = nil, unknown: Int? = nil, rules: KerasTextRules? = nil
  ) throws(FineTuningError) {
    var numbers: [[UInt8]: Int32] = [:]
    var scalars: [UInt32: Int32] = [:]
    guard tokens.contains(where: { $0 != nil }) else { throw Self.bad("it has no token") }
    guard tokens.count <= Self.limit else {
      throw Self.bad("it has \(tokens.count) tokens, expected at most \(Self.limit)")
    }
    for (number, token) in tokens.enumerated() {
      guard let token else { continue }
      guard !token.isEmpty else { throw Self.bad("token \(number) is empty") }
      if let other = numbers.updateValue(Int32(number), forKey: Array(token.utf8)) {
        throw Self.bad("the token \(quoted(token)) is there twice, as \(other) and \(number)")
      }
      if unit == .characters, let scalar = token.unicodeScalars.first, token.unicodeScalars.count == 1 {
        scalars[scalar.value] = Int32(number)
      }
    }
    for number in [padding, unknown].compactMap({ $0 }) where !(tokens.indices ~= number) {
      throw Self.bad("\(number) is none of its numbers, which are 0 to \(tokens.count - 1)")
    }
    func first(_ names: [String]) -> Int? {
      names.lazy.compactMap { numbers[Array($0.utf8)] }.first.map { Int($0) }
    }
    self.unit = unit
    self.tokens = tokens
    self.padding = padding ?? first(["<pad>", "<PAD>", "[PAD]", "xxpad"])
    self.rules = rules
    self.unknown =
      unknown ?? (rules != nil ? nil : first(["<unk>", "<UNK>", "[UNK]", "xxunk", "<OOV>", "<oov>", "[OOV]"]))
    lineEnd = unit == .words && rules == nil ? first(["\n", "<eos>"]) : nil
    let start = rules != nil ? nil : first(["<s>", "<bos>", "xxbos", "<|endoftext|>"])
    let end = rules != nil ? nil : first(["</s>", "<eos>", "xxeos", "<|endoftext|>", "<s>"])
    self.start = start
    self.end = end == lineEnd ? nil : end
    self.numbers = numbers
    self.scalars = scalars
  }

  private static func bad(_ detail: String) -> FineTuningError {
    .invalidOption("the vocabulary: \(detail)", advice: [])
  }

  /// How many numbers there are: the embedding has as many rows, or more.
  public var count: Int { tokens.count }

  /// The number of a token.
  public subscript(token token: String) -> Int? { numbers[Array(token.utf8)].map { Int($0) } }

  /// The same with more tokens, at the end.
  /// - Parameter first: the number of the first of them; those before it that are no token's stand for nothing.
  /// - Throws: as `init`.
  public func extended(by more: [String], from first: Int? = nil) throws(FineTuningError) -> Vocabulary {
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
  /// - Throws: `FineTuningError.invalidOption` when there is nothing to make tokens of.
  public init(
    _ unit: Unit, of text: String, limit: Int? = nil, reserving: [String] = []
  ) throws(FineTuningError) {
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

extension Vocabulary: Equatable {
  public static func == (a: Vocabulary, b: Vocabulary) -> Bool {
    a.unit == b.unit && a.rules == b.rules && a.padding == b.padding && a.unknown == b.unknown
      && a.tokens.count == b.tokens.count
      && zip(a.tokens, b.tokens).allSatisfy { $0.map { Array($0.utf8) } == $1.map { Array($0.utf8) } }
  }
}

extension Vocabulary: Codable {
  private enum Key: String, CodingKey { case unit, tokens, padding, unknown, rules }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    do {
      try self.init(
        values.decode(Unit.self, forKey: .unit), tokens: values.decode([String?].self, forKey: .tokens),
        padding: values.decodeIfPresent(Int.self, forKey: .padding),
        unknown: values.decodeIfPresent(Int.self, forKey: .unknown),
        rules: values.decodeIfPresent(KerasTextRules.self, forKey: .rules))
    } catch let error as FineTuningError {
      throw DecodingError.dataCorruptedError(forKey: .tokens, in: values, debugDescription: error.message.description)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(unit, forKey: .unit)
    try values.encode(tokens, forKey: .tokens)
    try values.encodeIfPresent(padding, forKey: .padding)
    try values.encodeIfPresent(unknown, forKey: .unknown)
    try values.encodeIfPresent(rules, forKey: .rules)
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
