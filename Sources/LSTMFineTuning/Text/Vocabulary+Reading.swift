import FileIO
import Foundation
import LSTMCheckpoints

extension Vocabulary {
  /// Reads a vocabulary: a JSON object of token and number (textgenrnn, Keras, Hugging Face), a JSON list of tokens, or a
  /// plain text with one token a line, numbered from 0.
  ///
  /// Keras' `Tokenizer.to_json()` says with it how a text is taken apart.
  ///
  /// An object whose numbers begin at 1 leaves 0 to the padding, as Keras does.
  /// - Parameter unit: nil to take characters when every token is one, not counting those in angle or square brackets.
  /// - Throws: `FineTuningError.badData` naming the file, and the line or the token.
  public init(contentsOf path: String, unit: Unit? = nil) throws {
    let text = try TextFile.text(path)
    func bad(_ detail: Message, _ advice: [Message] = []) -> FineTuningError {
      .badData(file: path, detail: detail, advice: advice)
    }
    let tokens: [String?]
    if let keras = try Vocabulary(kerasTokenizer: text, file: path) {
      if let unit, unit != keras.unit {
        throw FineTuningError.invalid(
          .tokens, "\(unit.rawValue)", "\(path) is of Keras' Tokenizer, which says \(keras.unit.rawValue)", advice: [])
      }
      self = keras
      return
    }
    if path.lowercased().hasSuffix(".json") {
      do throws(TokenJSON.Problem) {
        tokens = try Self.numbered(TokenJSON(text).read())
      } catch {
        throw bad(Message(error.detail), ["expected {\"token\": number, ...} or [\"token\", ...]"])
      }
    } else {
      var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
      if lines.last == "" { lines.removeLast() }
      if let line = lines.firstIndex(of: "") {
        throw bad("line \(line + 1): a token is empty", ["a line's end can be a token in a JSON list: [\"\\n\", ...]"])
      }
      tokens = lines
    }
    let isOne = { (token: String) in
      token.unicodeScalars.count == 1
        || [("<", ">"), ("[", "]")].contains { token.hasPrefix($0.0) && token.hasSuffix($0.1) }
    }
    let found = unit ?? (tokens.allSatisfy { $0.map(isOne) ?? true } ? .characters : .words)
    let beginsAtOne = tokens.count > 1 && tokens[0] == nil && tokens[1] != nil
    do {
      try self.init(found, tokens: tokens, padding: beginsAtOne ? 0 : nil)
    } catch {
      throw bad(error.message)
    }
  }

  private static func numbered(_ entries: TokenJSON.Entries) throws(TokenJSON.Problem) -> [String?] {
    switch entries {
    case .list(let tokens): return tokens
    case .object(let pairs):
      guard let largest = pairs.map(\.number).max() else { return [] }
      guard largest < limit else { throw .init(detail: "the number \(largest) is beyond any vocabulary") }
      var tokens = [String?](repeating: nil, count: largest + 1)
      for (token, number) in pairs {
        if let other = tokens[number] {
          throw .init(detail: "\(quoted(other)) and \(quoted(token)) have the same number, \(number)")
        }
        tokens[number] = token
      }
      return tokens
    }
  }
}

/// The JSON of a vocabulary: an object of whole numbers, or a list of texts.
///
/// Foundation's dictionaries take two spellings of one letter (U+212B and U+00C5) for one key, but here they are two.
struct TokenJSON {
  enum Entries {
    case object([(token: String, number: Int)])
    case list([String])
  }

  struct Problem: Error {
    let detail: String
  }

  private let bytes: [UInt8]
  private var at = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  func read() throws(Problem) -> Entries {
    var reader = self
    let entries = try reader.entries()
    reader.skipBlanks()
    guard reader.at == bytes.count else { throw reader.expected("the end") }
    return entries
  }

  private mutating func entries() throws(Problem) -> Entries {
    skipBlanks()
    if take("{") {
      var pairs: [(token: String, number: Int)] = []
      try sequence(until: "}") { reader throws(Problem) in
        let token = try reader.string()
        reader.skipBlanks()
        guard reader.take(":") else { throw reader.expected("a colon") }
        reader.skipBlanks()
        pairs.append((token, try reader.number()))
      }
      return .object(pairs)
    }
    guard take("[") else { throw expected("{ or [") }
    var tokens: [String] = []
    try sequence(until: "]") { reader throws(Problem) in tokens.append(try reader.string()) }
    return .list(tokens)
  }

  private mutating func sequence(
    until end: Unicode.Scalar, _ element: (inout TokenJSON) throws(Problem) -> Void
  ) throws(Problem) {
    skipBlanks()
    if take(end) { return }
    while true {
      skipBlanks()
      try element(&self)
      skipBlanks()
      if take(end) { return }
      guard take(",") else { throw expected("a comma or \(end)") }
    }
  }

  private mutating func string() throws(Problem) -> String {
    let begin = at
    guard take("\"") else { throw expected("a text in quotes") }
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") { at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1 }
    guard take("\"") else { throw expected("the end of a text") }
    let content = bytes[begin + 1..<at - 1]
    guard content.contains(UInt8(ascii: "\\")) else { return String(decoding: content, as: UTF8.self) }
    // Escapes are Foundation's business; a text alone is not normalized.
    guard let text = try? JSONDecoder().decode([String].self, from: Data("[".utf8) + bytes[begin..<at] + Data("]".utf8))
    else {
      at = begin
      throw expected("a text without broken escapes")
    }
    return text[0]
  }

  private mutating func number() throws(Problem) -> Int {
    let begin = at
    while at < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[at] { at += 1 }
    guard let number = Int(String(decoding: bytes[begin..<at], as: UTF8.self)) else {
      at = begin
      throw expected("a whole number of at least 0")
    }
    return number
  }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard at < bytes.count, bytes[at] == UInt8(ascii: scalar) else { return false }
    at += 1
    return true
  }

  private mutating func skipBlanks() {
    while at < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[at]) { at += 1 }
  }

  private func expected(_ what: String) -> Problem {
    let place = min(at, bytes.count)
    let line = 1 + bytes[..<place].count { $0 == 0x0a }
    var found = "the end of the file"
    if place < bytes.count {
      found = quoted(String(decoding: bytes[place..<min(place + 12, bytes.count)], as: UTF8.self))
    }
    return Problem(detail: "line \(line): expected \(what), found \(found)")
  }
}
