/// Guesses at a CSV text's header, and at rows that are none, from its first and last rows.
enum CSVDetection {
  private static let sampleRows = 64

  /// Whether the first row names the columns.
  ///
  /// It does when it has text above a column of numbers, or when it holds no number at all. A number in the
  /// first row is data, unless text elsewhere in the row stands above numbers.
  static func hasHeader(_ bytes: [UInt8], _ cells: CSVCells) -> Bool {
    let sample = min(1, cells.rowCount)..<min(sampleRows, cells.rowCount)
    var firstRowHasNumber = false
    for column in 0..<cells.columnCount {
      let isNumber = cells.isNumeric(bytes, column: column, rows: 0..<1)
      if isNumber {
        firstRowHasNumber = true
      } else if isText(bytes, cells, 0, column),
        cells.isNumeric(bytes, column: column, rows: sample)
      {
        return true
      }
    }
    return !firstRowHasNumber
  }

  /// Whether a cell is neither a number nor a missing value.
  private static func isText(_ bytes: [UInt8], _ cells: CSVCells, _ row: Int, _ column: Int) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      var marks = CSVNumberParser.Marks()
      let value = cells.value(text, row: row, column: column, style: .any, marks: &marks, as: Double.self)
      return if case .text = value { true } else { false }
    }
  }

  /// How many columns there are without those at the end that have neither name nor value: every line ends in separators.
  static func usedColumns(_ bytes: [UInt8], _ cells: CSVCells) -> Int {
    var used = cells.columnCount
    while used > 1, cells.isBlank(bytes, column: used - 1) { used -= 1 }
    return used
  }

  /// How many rows below the header hold units of measurement: above numbers stands nothing but units, and at least one.
  static func unitRows(_ bytes: [UInt8], _ cells: CSVCells, columns: Int) -> Int {
    for count in stride(from: min(3, cells.rowCount - 2), to: 0, by: -1) {
      let sample = (count + 1)..<min(cells.rowCount, count + 1 + sampleRows)
      let numeric = (0..<columns).filter { cells.isNumeric(bytes, column: $0, rows: sample) }
      if (1...count).allSatisfy({ isUnitRow(bytes, cells, $0, numeric, columns, sample) }) { return count }
    }
    return 0
  }

  private static func isUnitRow(
    _ bytes: [UInt8], _ cells: CSVCells, _ row: Int, _ numeric: [Int], _ columns: Int, _ sample: Range<Int>
  ) -> Bool {
    var hasUnit = false
    for column in 0..<columns {
      let text = cells.trimmedText(bytes, row: row, column: column)
      if numeric.contains(column) {
        if text.isEmpty || !isText(bytes, cells, row, column) {
          guard text.isEmpty || text == "-" || text == "--" else { return false }
          continue
        }
        guard CSVUnit.isUnit(text) else { return false }
        hasUnit = true
      } else if text.contains(where: \.isNumber)
        || (!text.isEmpty && sample.contains { cells.trimmedText(bytes, row: $0, column: column) == text })
      {
        return false
      }
    }
    return hasUnit
  }

  /// How many of the last rows sum up those above, or tell where they come from.
  static func footerRows(_ bytes: [UInt8], _ cells: CSVCells, columns: Int, above first: Int) -> Int {
    var count = 0
    while count < 20, cells.rowCount - count - 1 > first,
      isFooter(bytes, cells, cells.rowCount - count - 1, columns, first)
    { count += 1 }
    return count
  }

  private static func isFooter(_ bytes: [UInt8], _ cells: CSVCells, _ row: Int, _ columns: Int, _ first: Int) -> Bool {
    let texts = (0..<columns).map { column in cells.trimmedText(bytes, row: row, column: column) }
    guard let place = texts.firstIndex(where: { !$0.isEmpty }) else { return false }
    let isAlone = texts.count { !$0.isEmpty } == 1 && columns > 1
    guard CSVSummary.isSummary(texts[place]) || (isAlone && CSVSummary.isSentence(texts[place])) else { return false }
    let others = first..<min(first + sampleRows, row)
    let above = others.map { cells.trimmedText(bytes, row: $0, column: place) }
    // A column of dates or numbers holds no words.
    let values = above.filter { !CSVSummary.isSummary($0) }
    if !values.isEmpty, values.allSatisfy({ !CSVSummary.isSentence($0) }) { return true }
    guard !above.contains(texts[place]), CSVSummary.isSummary(texts[place]) else { return false }
    // Words among words: something is empty that never is elsewhere.
    return texts.indices.contains { column in
      texts[column].isEmpty && others.allSatisfy { !cells.trimmedText(bytes, row: $0, column: column).isEmpty }
    }
  }
}

/// Fills the gaps of a column.
enum CSVGaps {
  /// Replaces the values at `gaps`, ascending positions, by their neighbors' line or the one before them.
  static func fill<Number: CSVNumber>(_ values: inout [Number], _ gaps: [Int], interpolating: Bool) {
    var next = 0
    while next < gaps.count {
      // One run of neighboring gaps at a time.
      let first = gaps[next]
      var last = first
      while next + 1 < gaps.count, gaps[next + 1] == last + 1 {
        next += 1
        last = gaps[next]
      }
      next += 1
      let before = first > 0 ? values[first - 1] : values[last + 1]
      let after = last + 1 < values.count ? values[last + 1] : before
      for index in first...last {
        guard interpolating, first > 0 else {
          values[index] = before
          continue
        }
        let share = Double(index - first + 1) / Double(last - first + 2)
        values[index] = Number(Double(before) * (1 - share) + Double(after) * share)
      }
    }
  }
}
