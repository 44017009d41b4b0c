import FileIO

/// What is known of the ways in which a table's columns are written, found when it is first asked for: a column without
/// doubts never needs the others.
final class CSVReadings: Sendable {
  private struct State {
    var evidence: [CSVEvidence]?
    var hasEuropeanDates = false
    var notes: [Int: [CSVNote]] = [:]
  }

  private let state = Monitor(State())

  /// How a column's numbers are written, from all of the file.
  func decision(_ column: Int, _ table: CSVTable) -> CSVDecision {
    let (evidence, hasEuropeanDates) = survey(table)
    return CSVJudge(
      evidence: evidence, separator: table.separator, decimal: table.options.decimal,
      thousands: table.options.thousands, hasEuropeanDates: hasEuropeanDates
    ).decide(column)
  }

  /// The first row in which a column holds what is no number in any way of writing.
  func textRow(_ column: Int, _ table: CSVTable) -> Int? { survey(table).evidence[column].textRow }

  private func survey(_ table: CSVTable) -> (evidence: [CSVEvidence], hasEuropeanDates: Bool) {
    state.update { state in
      if let evidence = state.evidence { return (evidence, state.hasEuropeanDates) }
      let evidence = table.columnNames.indices.map { Self.evidence($0, table) }
      (state.evidence, state.hasEuropeanDates) = (evidence, Self.hasEuropeanDates(table))
      return (evidence, state.hasEuropeanDates)
    }
  }

  /// What was decided of the columns read so far, in their order.
  var notes: [CSVNote] { state.update { state in state.notes.sorted { $0.key < $1.key }.flatMap(\.value) } }

  func note(_ notes: [CSVNote], column: Int) { state.update { $0.notes[column] = notes } }

  private static func evidence(_ column: Int, _ table: CSVTable) -> CSVEvidence {
    var found = CSVEvidence()
    let tokens = CSVMissingTokens(table.options.missingValues, as: Double.self)
    table.bytes.withUnsafeBufferPointer { buffer in
      for row in table.rows {
        var marks = CSVNumberParser.Marks()
        let value = table.cells.value(buffer, row: row, column: column, style: .any, marks: &marks, as: Double.self)
        switch value {
        case .missing: continue
        case .text:
          if tokens.contains(word: table.cells.trimmedText(table.bytes, row: row, column: column)) { continue }
          found.textRow = row
          return
        case .tooLarge: continue
        case .number(let number):
          if tokens.contains(number) { continue }
          if found.add(marks, number, row: row) { continue }
          let cell = table.cells.content(buffer, row: row, column: column)
          if let shape = CSVNumberShape(cell) { found.add(shape, number, row: row) }
        }
      }
    }
    return found
  }

  /// Whether some column begins with dates such as 25.03.2024.
  private static func hasEuropeanDates(_ table: CSVTable) -> Bool {
    table.columnNames.indices.contains { column in
      let text = table.cells.trimmedText(table.bytes, row: table.rows.lowerBound, column: column)
      let parts = text.split(separator: " ").first?.split(separator: ".", omittingEmptySubsequences: false) ?? []
      return parts.count == 3 && parts.map(\.count).elementsEqual([2, 2, 4])
        && parts.allSatisfy { $0.allSatisfy(\.isNumber) }
    }
  }
}
