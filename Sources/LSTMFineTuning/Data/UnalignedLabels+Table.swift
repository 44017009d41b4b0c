import FileIO
import LSTMCheckpoints

extension UnalignedLabels {
  /// The labels of each sequence.
  /// - Parameter rows: of each sequence.
  func read(
    _ table: CSVTable, _ column: String, rows: [[Int]], _ choice: LabeledTable.Classes
  ) throws -> (targets: SequenceData.Targets, classes: [String], blank: Int) {
    // 1. One cell a sequence.
    let cells = try table.strings(column: column).map(\.trimmed)
    var chosen: [(row: Int, text: String)] = []
    for rows in rows {
      let filled = rows.filter { !cells[$0].isEmpty }
      let first = filled.first ?? rows.first ?? 0
      if let other = filled.first(where: { cells[$0] != cells[first] }) {
        throw LabeledTable.bad(
          table, other, column, "the sequence has other labels than in line \(table.firstLine(ofRow: first))",
          advice: ["the labels of a sequence, in order, stand in one cell, on one of its rows or on all"])
      }
      chosen.append((first, cells[first]))
    }
    // 2. Its labels.
    let unit = try unit(of: chosen.map(\.text), table, column, choice)
    let labels = chosen.map { cell in
      unit == .words
        ? cell.text.split(whereSeparator: \.isWhitespace).map(String.init) : cell.text.unicodeScalars.map { String($0) }
    }
    let found = LabeledTable.names(Array(Set(labels.joined())))
    guard !found.isEmpty else {
      throw FineTuningError.badData(
        file: table.file, detail: "column \(quoted(column)): every cell is empty: there are no labels", advice: [])
    }
    // 3. Their numbers.
    let (classes, blank) = try classes(found, choice)
    let numbers = Dictionary(zip(classes, classes.indices)) { first, _ in first }
    let width = max(labels.map(\.count).max() ?? 1, 1)
    var grid = [Int32](repeating: SequenceData.ignored, count: rows.count * width)
    for (sequence, labels) in labels.enumerated() {
      for (place, label) in labels.enumerated() {
        guard let number = numbers[label], number != blank else {
          let shown = classes.prefix(8).joined(separator: ", ") + (classes.count > 8 ? ", ..." : "")
          throw LabeledTable.bad(
            table, chosen[sequence].row, column,
            numbers[label] == nil
              ? "\(quoted(label)) is none of the model's classes" : "\(quoted(label)) is the blank, which is no label",
            advice: ["they are \(shown)", "train a head for others with \(.head, "new")"])
        }
        grid[sequence * width + place] = Int32(number)
      }
    }
    return (.labels(grid, width: width), classes, blank)
  }

  private func unit(
    of cells: [String], _ table: CSVTable, _ column: String, _ choice: LabeledTable.Classes
  ) throws -> Vocabulary.Unit {
    if let unit { return unit }
    let hasSpaces = cells.contains { $0.contains(where: \.isWhitespace) }
    if case .known(let known) = choice {
      guard Self.isOfCharacters(known) else { return .words }
      return hasSpaces && !known.contains(" ") ? .words : .characters
    }
    guard hasSpaces else { return .characters }
    throw FineTuningError.badData(
      file: table.file,
      detail: "column \(quoted(column)): its cells have spaces in them, which may be labels or stand between labels",
      advice: ["choose \(.labelUnit, "characters") or \(.labelUnit, "words")"])
  }

  private func classes(
    _ found: [String], _ choice: LabeledTable.Classes
  ) throws -> (names: [String], blank: Int) {
    switch choice {
    case .known(let known): return (known, try number(among: known.count))
    case .numbered(let count):
      let blank = try number(among: count)
      let isNumbered = found.allSatisfy { name in
        Int(name).map { 0..<count ~= $0 && $0 != blank && "\($0)" == name } ?? false
      }
      if isNumbered { return ((0..<count).map { "\($0)" }, blank) }
    case .found: break
    }
    let blank = try number(among: found.count + 1)
    return (Array(found[..<blank]) + [Self.blankName] + found[blank...], blank)
  }

  private func number(among count: Int) throws -> Int {
    let number = blank < 0 ? count + blank : blank
    guard 0..<count ~= number else {
      throw FineTuningError.invalid(
        .blank, "\(blank)", "expected one of \(count) classes: from 0, or from -1 for the last down", advice: [])
    }
    return number
  }
}
