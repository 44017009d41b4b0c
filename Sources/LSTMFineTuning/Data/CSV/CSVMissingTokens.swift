/// What marks a missing value by request: numbers, compared by value, and words.
struct CSVMissingTokens<Number: CSVNumber> {
  private var numbers: [Number] = []
  private var singles: [Float] = []
  private var words: Set<String> = []

  init(_ tokens: [String], as: Number.Type) {
    for token in tokens {
      let text = token.trimmed
      let plain = Array(text.utf8).withUnsafeBufferPointer { CSVNumberShape($0)?.plain(.any) }
      if let plain, let number = Number.slow(String(decoding: plain, as: UTF8.self)), number.isFinite {
        numbers.append(number)
        singles.append(Float(number))
      } else {
        words.insert(text)
      }
    }
  }

  var isEmpty: Bool { numbers.isEmpty && words.isEmpty }

  /// Compared in single precision as well, so that what a table is read into makes no difference.
  func contains(_ value: Number) -> Bool {
    !numbers.isEmpty && (numbers.contains(value) || singles.contains(Float(value)))
  }

  func contains(word: String) -> Bool { words.contains(word) }
}
