extension CSVTable {
  /// Which rows hold no number in a column, so that its value was filled in; `rowCount` flags.
  ///
  /// - Throws: `CSVError` of kind `unknownColumn`.
  public func missing(column: String) throws(CSVError) -> [Bool] {
    let index = try position(of: column)
    let tokens = CSVMissingTokens(options.missingValues, as: Double.self)
    var marks = CSVNumberParser.Marks()
    // Where the way of writing is in doubt, no values are given either.
    var style = CSVNumberStyle.any
    if !tokens.isEmpty, case .convention(let convention) = decision(index) { style = convention.style }
    return bytes.withUnsafeBufferPointer { buffer in
      rows.map { row in
        let value = cells.value(buffer, row: row, column: index, style: style, marks: &marks, as: Double.self)
        guard case .number(let number) = value else { return true }
        return tokens.contains(number)
      }
    }
  }
}
