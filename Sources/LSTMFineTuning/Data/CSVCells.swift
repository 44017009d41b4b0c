/// Where each cell of a CSV text lies.
///
/// A row's cells are kept as the distances of their ends from the row's start, four bytes a cell.
struct CSVCells: Sendable {
  /// The offset of each row's first byte.
  private(set) var rowStarts: [Int] = []
  /// The physical line, counted from 1, on which each row starts.
  private(set) var rowLines: [Int] = []
  /// For each cell of each row, its end relative to the row's start; the separator follows it.
  private(set) var cellEnds: [UInt32] = []
  /// The cells in each row.
  private(set) var columnCount = 0

  var rowCount: Int { rowStarts.count }

  private static let quote = UInt8(ascii: "\"")
  private static let lineFeed: UInt8 = 0x0a
  private static let carriageReturn: UInt8 = 0x0d

  /// Finds the cells from `start` on.
  ///
  /// - Parameter rowLimit: How many rows to read at most.
  init(
    _ bytes: [UInt8], start: Int, separator: CSVSeparator, file: String, rowLimit: Int = .max
  ) throws(CSVError) {
    let failure = bytes.withUnsafeBufferPointer {
      scan($0, start: start, separator: separator.byte, file: file, rowLimit: rowLimit)
    }
    if let failure { throw failure }
    guard rowCount > 0 else { throw CSVError(.empty, file: file) }
  }

  private mutating func scan(
    _ text: UnsafeBufferPointer<UInt8>, start: Int, separator: UInt8, file: String, rowLimit: Int
  ) -> CSVError? {
    let end = text.count
    var position = start
    var line = 1
    // A blank line is an error only when a row follows it.
    var blankLine: Int?
    while position < end, rowCount < rowLimit {
      let rowStart = position
      let rowLine = line
      let firstCell = cellEnds.count
      var isBlank = false
      cells: while true {
        let cellStart = position
        while position < end, !Self.isSpecial(text[position], separator) { position += 1 }
        if position < end, text[position] == Self.quote {
          if Self.isBlank(text, cellStart..<position) {
            let quoteLine = line
            switch Self.skipQuoted(text, &position, separator, &line) {
            case .closed: break
            case .unterminated:
              return CSVError(.unterminatedQuote, file: file, line: quoteLine)
            case .textAfter:
              return CSVError(
                .textAfterQuote, file: file, line: line,
                advice: ["write a quote inside a quoted cell twice"])
            }
          } else {
            // A quote within an unquoted cell stands for itself.
            while position < end, !Self.endsCell(text[position], separator) { position += 1 }
          }
        }
        cellEnds.append(UInt32(truncatingIfNeeded: position - rowStart))
        guard position < end, text[position] == separator else {
          isBlank = cellEnds.count == firstCell + 1 && Self.isBlank(text, cellStart..<position)
          break cells
        }
        position += 1
      }
      guard position - rowStart <= Int(UInt32.max) else {
        return CSVError(.rowTooLong, file: file, line: rowLine)
      }
      if position < end {
        position +=
          text[position] == Self.carriageReturn && position + 1 < end
            && text[position + 1] == Self.lineFeed ? 2 : 1
        line += 1
      }
      if isBlank, columnCount != 1 {
        cellEnds.removeLast()
        if blankLine == nil { blankLine = rowLine }
        continue
      }
      let found = cellEnds.count - firstCell
      if rowCount == 0 { columnCount = found }
      if let blankLine {
        return CSVError(
          .raggedRow(expected: columnCount, found: 0), file: file, line: blankLine,
          advice: ["remove the line"])
      }
      guard found == columnCount else {
        return raggedRow(found, separator: separator, file: file, line: rowLine)
      }
      if rowCount == 0 {
        // The first row's length tells how much there is to come; at most a cell every two bytes.
        let rows = min((end - start) / max(position - rowStart, 1), (end - start) / (2 * found)) + 1
        cellEnds.reserveCapacity(min(rows, rowLimit) * found)
      }
      rowStarts.append(rowStart)
      rowLines.append(rowLine)
    }
    dropBlankRowsAtEnd(text)
    return nil
  }

  /// In a table of one column a blank line is a missing value, except at the end.
  private mutating func dropBlankRowsAtEnd(_ text: UnsafeBufferPointer<UInt8>) {
    guard columnCount == 1 else { return }
    while let start = rowStarts.last, let length = cellEnds.last,
      Self.isBlank(text, start..<(start + Int(length)))
    {
      rowStarts.removeLast()
      rowLines.removeLast()
      cellEnds.removeLast()
    }
  }

  private func raggedRow(_ found: Int, separator: UInt8, file: String, line: Int) -> CSVError {
    var advice: [String] = []
    if separator == UInt8(ascii: ","), found > columnCount {
      advice = [
        "quote cells that hold a comma; where the comma is the decimal mark, separate cells by \";\""
      ]
    }
    return CSVError(
      .raggedRow(expected: columnCount, found: found), file: file, line: line, advice: advice)
  }

  private enum Quoted { case closed, unterminated, textAfter }

  /// Moves from an opening quote to the end of the cell.
  private static func skipQuoted(
    _ text: UnsafeBufferPointer<UInt8>, _ position: inout Int, _ separator: UInt8, _ line: inout Int
  ) -> Quoted {
    position += 1
    while position < text.count {
      let byte = text[position]
      position += 1
      if byte == quote {
        guard position < text.count, text[position] == quote else {
          while position < text.count, !endsCell(text[position], separator) {
            guard CSVNumberParser.isBlank(text[position]) else { return .textAfter }
            position += 1
          }
          return .closed
        }
        position += 1
      } else if byte == lineFeed
        || (byte == carriageReturn && !(position < text.count && text[position] == lineFeed))
      {
        line += 1
      }
    }
    return .unterminated
  }

  @inline(__always)
  private static func endsCell(_ byte: UInt8, _ separator: UInt8) -> Bool {
    byte == separator || byte == lineFeed || byte == carriageReturn
  }

  @inline(__always)
  private static func isSpecial(_ byte: UInt8, _ separator: UInt8) -> Bool {
    endsCell(byte, separator) || byte == quote
  }

  private static func isBlank(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    text[range].allSatisfy(CSVNumberParser.isBlank)
  }

  // MARK: Cells

  @inline(__always)
  private func range(row: Int, column: Int) -> Range<Int> {
    let start = rowStarts[row]
    let index = row * columnCount + column
    let from = column == 0 ? start : start + Int(cellEnds[index - 1]) + 1
    return from..<(start + Int(cellEnds[index]))
  }

  /// The cell's text with its quotes resolved; an unquoted cell is returned as it stands, blanks included.
  func text(_ bytes: [UInt8], row: Int, column: Int) -> String {
    let cell = bytes[range(row: row, column: column)]
    let content = cell.drop(while: CSVNumberParser.isBlank)
    guard content.first == Self.quote, let last = content.lastIndex(of: Self.quote) else {
      return String(decoding: cell, as: UTF8.self)
    }
    var result: [UInt8] = []
    var index = content.startIndex + 1
    while index < last {
      result.append(content[index])
      // The second of two quotes is skipped.
      index += content[index] == Self.quote ? 2 : 1
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// The cell read as a number.
  @inline(__always)
  func value<Number: CSVNumber>(
    _ text: UnsafeBufferPointer<UInt8>, row: Int, column: Int, separator: CSVSeparator,
    marks: inout CSVNumberParser.Marks, as type: Number.Type
  ) -> CSVCellValue<Number> {
    var cell = UnsafeBufferPointer(rebasing: text[range(row: row, column: column)])
    // Doubled quotes cannot occur in a number, so dropping the outer pair is enough.
    if let first = cell.first, first == Self.quote || CSVNumberParser.isBlank(first) {
      if let open = cell.firstIndex(where: { !CSVNumberParser.isBlank($0) }), cell[open] == Self.quote,
        let close = cell.lastIndex(of: Self.quote), close > open
      {
        cell = UnsafeBufferPointer(rebasing: cell[(open + 1)..<close])
      }
    }
    return CSVNumberParser.parse(cell, decimalComma: separator == .semicolon, marks: &marks, as: type)
  }

  /// Whether the rows hold at least one number in the column, and otherwise only missing values.
  func isNumeric(_ bytes: [UInt8], column: Int, rows: Range<Int>, separator: CSVSeparator) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      var marks = CSVNumberParser.Marks()
      var hasNumber = false
      for row in rows {
        switch value(
          text, row: row, column: column, separator: separator, marks: &marks, as: Double.self)
        {
        case .number: hasNumber = true
        case .missing: break
        case .tooLarge, .text: return false
        }
      }
      return hasNumber
    }
  }

  /// The physical line on which a cell starts, which for rows with line ends in quotes is not the row's.
  func line(_ bytes: [UInt8], row: Int, column: Int) -> Int {
    var line = rowLines[row]
    let start = range(row: row, column: column).lowerBound
    for index in rowStarts[row]..<start {
      let isPair = bytes[index] == Self.carriageReturn && bytes[index + 1] == Self.lineFeed
      if bytes[index] == Self.lineFeed || (bytes[index] == Self.carriageReturn && !isPair) { line += 1 }
    }
    return line
  }

  static func trimmed(_ text: String) -> String {
    let blanks: Set<Character> = [" ", "\t"]
    let head = text.drop { blanks.contains($0) }
    guard let last = head.lastIndex(where: { !blanks.contains($0) }) else { return "" }
    return String(head[...last])
  }
}
