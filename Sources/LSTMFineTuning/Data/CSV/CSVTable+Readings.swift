extension CSVTable {
  /// How a column's numbers are written, from all of the file.
  func decision(_ column: Int) -> CSVDecision {
    let survey = survey
    return CSVJudge(
      evidence: survey.evidence, separator: separator, decimal: options.decimal,
      thousands: options.thousands, hasEuropeanDates: survey.hasEuropeanDates
    ).decide(column)
  }

  /// The first row in which a column holds what is no number in any way of writing.
  func textRow(_ column: Int) -> Int? { survey.evidence[column].textRow }

  private var survey: CSVReadings.Survey {
    readings.survey { .init(evidence: columnNames.indices.map(evidence), hasEuropeanDates: hasEuropeanDates) }
  }

  private func evidence(_ column: Int) -> CSVEvidence {
    var found = CSVEvidence()
    let tokens = CSVMissingTokens(options.missingValues, as: Double.self)
    bytes.withUnsafeBufferPointer { buffer in
      for row in rows {
        var marks = CSVNumberParser.Marks()
        let value = cells.value(buffer, row: row, column: column, style: .any, marks: &marks, as: Double.self)
        switch value {
        case .missing: continue
        case .text:
          if tokens.contains(word: cells.trimmedText(bytes, row: row, column: column)) { continue }
          found.textRow = row
          return
        case .tooLarge: continue
        case .number(let number):
          if tokens.contains(number) { continue }
          if found.add(marks, number, row: row) { continue }
          let cell = cells.content(buffer, row: row, column: column)
          if let shape = CSVNumberShape(cell) { found.add(shape, number, row: row) }
        }
      }
    }
    return found
  }

  /// Whether some column begins with dates such as 25.03.2024.
  private var hasEuropeanDates: Bool {
    columnNames.indices.contains { column in
      let text = cells.trimmedText(bytes, row: rows.lowerBound, column: column)
      let parts = text.split(separator: " ").first?.split(separator: ".", omittingEmptySubsequences: false) ?? []
      return parts.count == 3 && parts.map(\.count).elementsEqual([2, 2, 4])
        && parts.allSatisfy { $0.allSatisfy(\.isNumber) }
    }
  }
}
