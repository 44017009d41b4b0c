/// Guesses at a CSV text's separator and header, from its first rows.
enum CSVDetection {
  private static let sampleRows = 64

  /// The separator that splits the first rows most evenly, then into most numbers, then into most cells.
  static func separator(_ bytes: [UInt8], start: Int) -> CSVSeparator {
    // Where all else is equal, tabs and semicolons are rarer in text than commas.
    let candidates: [CSVSeparator] = [.tab, .semicolon, .bar, .comma]
    var best: (separator: CSVSeparator, score: (Double, Double, Int))?
    for candidate in candidates {
      guard let score = score(bytes, start, candidate) else { continue }
      if let current = best, score <= current.score { continue }
      best = (candidate, score)
    }
    return best?.separator ?? .comma
  }

  private static func score(_ bytes: [UInt8], _ start: Int, _ candidate: CSVSeparator) -> (
    Double, Double, Int
  )? {
    var rows = sampleRows
    while rows > 0 {
      // A ragged row ends the sample: what comes before it says how even the split is.
      do throws(CSVError) {
        let cells = try CSVCells(bytes, start: start, separator: candidate, file: "", rowLimit: rows)
        guard cells.columnCount > 1 else { return nil }
        let evenness = rows == sampleRows ? 1 : Double(rows) / Double(sampleRows)
        return (evenness, numericShare(bytes, cells, candidate), cells.columnCount)
      } catch {
        rows = rows == sampleRows ? sampleRows / 2 : rows / 2
      }
    }
    return nil
  }

  private static func numericShare(_ bytes: [UInt8], _ cells: CSVCells, _ separator: CSVSeparator) -> Double {
    var count = 0
    let rows = min(1, cells.rowCount - 1)..<cells.rowCount
    bytes.withUnsafeBufferPointer { text in
      var marks = CSVNumberParser.Marks()
      for row in rows {
        for column in 0..<cells.columnCount {
          let value = cells.value(
            text, row: row, column: column, separator: separator, marks: &marks, as: Double.self)
          if case .number = value { count += 1 }
        }
      }
    }
    return Double(count) / Double(rows.count * cells.columnCount)
  }

  /// Whether the first row names the columns.
  ///
  /// It does when it has text above a column of numbers, or when it holds no number at all. A number in the
  /// first row is data, unless text elsewhere in the row stands above numbers.
  static func hasHeader(_ bytes: [UInt8], _ cells: CSVCells, _ separator: CSVSeparator) -> Bool {
    let sample = min(1, cells.rowCount)..<min(sampleRows, cells.rowCount)
    var firstRowHasNumber = false
    for column in 0..<cells.columnCount {
      let isNumber = cells.isNumeric(bytes, column: column, rows: 0..<1, separator: separator)
      if isNumber {
        firstRowHasNumber = true
      } else if isText(bytes, cells, column, separator),
        cells.isNumeric(bytes, column: column, rows: sample, separator: separator)
      {
        return true
      }
    }
    return !firstRowHasNumber
  }

  /// Whether the first row's cell is neither a number nor a missing value.
  private static func isText(
    _ bytes: [UInt8], _ cells: CSVCells, _ column: Int, _ separator: CSVSeparator
  ) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      var marks = CSVNumberParser.Marks()
      let value = cells.value(
        text, row: 0, column: column, separator: separator, marks: &marks, as: Double.self)
      if case .text = value { return true }
      return false
    }
  }
}

/// Fills the gaps of a column.
enum CSVGaps {
  /// Replaces the values at `gaps`, ascending positions, by their neighbours' line or the one before them.
  static func fill<Number: CSVNumber>(_ values: inout [Number], _ gaps: [Int], interpolating: Bool) {
    var next = 0
    while next < gaps.count {
      // One run of neighbouring gaps at a time.
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
