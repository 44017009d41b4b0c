/// Reads tokens one after the other.
struct LineCursor {
  let tokens: [LineToken]
  private(set) var at = 0

  init(_ tokens: some Sequence<LineToken>) { self.tokens = Array(tokens) }

  var current: LineToken? { at < tokens.count ? tokens[at] : nil }
  var text: String { tokens[...].text }
  mutating func advance(by count: Int = 1) { at += count }

  /// A word at some distance, in small letters.
  func word(_ offset: Int = 0) -> String? {
    at + offset < tokens.count ? tokens[at + offset].word?.lowercased() : nil
  }

  /// Moves on if the next words are these.
  mutating func skip(_ words: String...) -> Bool {
    guard words.indices.allSatisfy({ word($0) == words[$0] }) else { return false }
    at += words.count
    return true
  }

  /// The longest run of words that `find` knows, as one word, and how many they are.
  func longest<Found>(_ find: (String) -> Found?) -> (found: Found, count: Int)? {
    var best: (found: Found, count: Int)?
    var words = ""
    for count in 1...LineWords.longest {
      guard let word = word(count - 1) else { break }
      words += LineWords.joined(word)
      if let found = find(words) { best = (found, count) }
    }
    return best
  }

  /// `name:`
  mutating func label() throws(ModelConfiguration.LineError) -> String? {
    guard at + 1 < tokens.count, tokens[at + 1] == .colon, let name = tokens[at].name else { return nil }
    guard !name.isEmpty, name.utf8.count <= 1000 else {
      throw .init(text, detail: "expected a name of 1 to 1000 bytes")
    }
    at += 2
    return name
  }

  /// `a, b`
  mutating func names() throws(ModelConfiguration.LineError) -> [String] {
    var names: [String] = []
    repeat {
      if !names.isEmpty { at += 1 }
      guard let name = current?.name else { throw .init(text, detail: "expected the name of a layer") }
      names.append(name)
      at += 1
    } while current == .comma
    return names
  }
}

extension ArraySlice<LineToken> {
  /// As it is written, with one space between words.
  var text: String {
    reduce(into: "") { text, token in
      let isJoined = token == .comma || token == .colon || text.isEmpty
      text += (isJoined ? "" : " ") + token.text
    }
  }
}
