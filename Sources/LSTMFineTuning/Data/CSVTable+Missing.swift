import FileIO

extension CSVTable {
  /// Which rows hold no number in a column, so that what stands there was filled in; `rowCount` flags.
  ///
  /// - Throws: `CSVError` of kind `unknownColumn`.
  public func missing(column: String) throws(CSVError) -> [Bool] {
    let index = try position(of: column)
    let tokens = CSVMissingTokens(options.missingValues, as: Double.self)
    var marks = CSVNumberParser.Marks()
    // Where the way of writing is in doubt, no values are given either.
    var style = CSVNumberStyle.any
    if !tokens.isEmpty, case .convention(let convention) = readings.decision(index, self) { style = convention.style }
    return bytes.withUnsafeBufferPointer { buffer in
      rows.map { row in
        let value = cells.value(buffer, row: row, column: index, style: style, marks: &marks, as: Double.self)
        guard case .number(let number) = value else { return true }
        return tokens.contains(number)
      }
    }
  }
}

/// What a person says stands for a missing value: numbers, compared by value, and words.
struct CSVMissingTokens<Number: CSVNumber> {
  private var numbers: [Number] = []
  private var singles: [Float] = []
  private var words: Set<String> = []

  init(_ tokens: [String], as: Number.Type) {
    for token in tokens {
      let text = CSVCells.trimmed(token)
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
