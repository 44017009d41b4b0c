/// How Keras' `Tokenizer` takes a text apart.
public struct KerasTextRules: Sendable, Codable, Equatable {
  /// Text is put in lower case.
  public var lower: Bool
  /// Characters that become what separates words.
  public var filters: String
  /// What separates words.
  public var split: String

  /// The arguments of the same names of Keras' Tokenizer.
  public init(lower: Bool, filters: String, split: String) {
    self.lower = lower
    self.filters = filters
    self.split = split
  }

  func characters(_ text: String) -> String { lower ? text.lowercased() : text }

  /// As `text_to_word_sequence` has them.
  func forEachWord(_ text: String, _ body: (Substring) -> Void) {
    let filtered = Set(filters.unicodeScalars)
    let separator = Array(split.unicodeScalars)
    var word: [Unicode.Scalar] = []
    // How many of the separator's characters the word ends with at the moment is found anew: it is nearly always one.
    func finish(dropping count: Int) {
      word.removeLast(count)
      if !word.isEmpty {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: word)
        body(Substring(String(view)))
      }
      word.removeAll(keepingCapacity: true)
    }
    for scalar in characters(text).unicodeScalars {
      word.append(contentsOf: filtered.contains(scalar) ? separator : [scalar])
      if word.suffix(separator.count).elementsEqual(separator) { finish(dropping: separator.count) }
    }
    finish(dropping: 0)
  }
}
