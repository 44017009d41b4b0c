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
    /// Unicode scalars, or what stands between blanks.
    case characters, words

    /// One of them, for people.
    public var noun: String { self == .characters ? "character" : "word" }
  }

  /// The most tokens there may be, which is the largest embedding.
  package static let limit = 1 << 24

  /// What a token is.
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

  /// Numbers of tokens that are one Unicode scalar, in a vocabulary of characters.
  package let scalars: [UInt32: Int32]
  /// Numbers of tokens, by their UTF-8.
  package let numbers: [[UInt8]: Int32]

  /// - Parameters:
  ///   - padding: the padding's number; by default that of a token called `<pad>`.
  ///   - unknown: the unknown token's number; by default that of one called `<unk>`.
  /// - Throws: `CheckpointError.invalidOption` when a token is there twice or empty, or a number is none of the tokens'.
  public init(
    _ unit: Unit, tokens: [String?], padding: Int? = nil, unknown: Int? = nil, rules: KerasTextRules? = nil
  ) throws(CheckpointError) {
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

  private static func bad(_ detail: String) -> CheckpointError {
    .invalidOption("the vocabulary: \(detail)")
  }

  /// How many numbers there are: the embedding has as many rows, or more.
  public var count: Int { tokens.count }

  /// The number of a token.
  public subscript(token token: String) -> Int? { numbers[Array(token.utf8)].map { Int($0) } }
}

extension Vocabulary: Equatable {
  public static func == (a: Vocabulary, b: Vocabulary) -> Bool {
    a.unit == b.unit && a.rules == b.rules && a.padding == b.padding && a.unknown == b.unknown
      && a.tokens.count == b.tokens.count
      && zip(a.tokens, b.tokens).allSatisfy { $0.map { Array($0.utf8) } == $1.map { Array($0.utf8) } }
  }
}

extension Vocabulary: Codable {
  private enum CodingKeys: CodingKey { case unit, tokens, padding, unknown, rules }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    do {
      try self.init(
        values.decode(Unit.self, forKey: .unit), tokens: values.decode([String?].self, forKey: .tokens),
        padding: values.decodeIfPresent(Int.self, forKey: .padding),
        unknown: values.decodeIfPresent(Int.self, forKey: .unknown),
        rules: values.decodeIfPresent(KerasTextRules.self, forKey: .rules))
    } catch let error as CheckpointError {
      throw values.wrong(.tokens, error.message.description)
    }
  }
}
