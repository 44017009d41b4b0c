import FileIO

/// Where each cell of a CSV text lies.
///
/// A row's cells are kept as the distances of their ends from the row's start, four bytes a cell.
struct CSVCells: Sendable {
  /// The offset of each row's first byte.
  private(set) var rowStarts: [Int] = []
  /// The physical line, counted from 1, on which each row starts.
  private(set) var rowLines = CSVRowLines()
  /// For each cell of each row, its end relative to the row's start; the separator follows it.
  private(set) var cellEnds: [UInt32] = []
  /// The cells in each row.
  private(set) var columnCount = 0

  var rowCount: Int { rowStarts.count }

  private static let quote = UInt8(ascii: "\"")
  private static let lineFeed: UInt8 = 0x0a
  private static let carriageReturn: UInt8 = 0x0d

  /// Lines that are no rows.
  struct Skipped: Sendable {
    var line: Int
    var range: Range<Int>
  }
  /// Comment lines among the rows.
  private(set) var comments: [Skipped] = []
  /// What follows the last row and has other numbers of cells.
  private(set) var tail: [Skipped] = []
  /// Rows that had a separator too many at their end, the first one's line and their number.
  private(set) var trailing: (line: Int, count: Int)?

  /// Where the rows begin, and what to pass over.
  struct Frame: Sendable {
    var start: Int
    var line = 1
    /// What a comment line begins with.
    var comment: [UInt8]?
  }

  /// The first blank line that a row follows, and that row.
  private(set) var blank: (line: Int, row: Int)?

  private static let tailLimit = 100
  /// The most cells of a row.
  static let columnLimit = 1_000_000

  /// Finds the cells from `frame.start` on.
  ///
  /// - Parameter rowLimit: How many rows to read at most.
  init(
    _ bytes: [UInt8], _ frame: Frame, separator: CSVSeparator, file: String, rowLimit: Int = .max
  ) throws(CSVError) {
    let failure = bytes.withUnsafeBufferPointer {
      scan($0, frame, separator: separator.byte, file: file, rowLimit: rowLimit)
    }
    if let failure { throw failure }
    guard rowCount > 0 else { throw CSVError(.empty, file: file) }
  }

  private mutating func scan(
    _ text: UnsafeBufferPointer<UInt8>, _ frame: Frame, separator: UInt8, file: String, rowLimit: Int
  ) -> CSVError? {
    let end = text.count
    var position = frame.start
    var line = frame.line
    // A blank line or a ragged row is an error only when a row of data follows it.
    var blankLine: Int?
    var ragged: (line: Int, found: Int)?
    var isBroken = false
    let memory = MachineMemory.byteCount / 2
    while position < end, rowCount < rowLimit {
      let rowStart = position
      let rowLine = line
      if let mark = frame.comment, Self.begins(text, position, mark) {
        position = Self.lineEnd(text, position)
        comments.append(Skipped(line: rowLine, range: rowStart..<position))
        Self.passLineEnd(text, &position, &line)
        continue
      }
      let firstCell = cellEnds.count
      // A row with other numbers of cells is an error, and needs no place for all of them.
      let cellLimit = firstCell + (rowCount == 0 ? Self.columnLimit : columnCount + Self.columnLimit)
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
            // A quote within an unquoted cell is an ordinary character.
            while position < end, !Self.endsCell(text[position], separator) { position += 1 }
          }
        }
        cellEnds.append(UInt32(truncatingIfNeeded: position - rowStart))
        guard position < end, text[position] == separator else {
          isBlank = cellEnds.count == firstCell + 1 && Self.isBlank(text, cellStart..<position)
          break cells
        }
        guard cellEnds.count < cellLimit else {
          return CSVError(.tooManyColumns(limit: Self.columnLimit), file: file, line: rowLine)
        }
        position += 1
      }
      let rowEnd = position
      guard rowEnd - rowStart <= Int(UInt32.max) else {
        return CSVError(.rowTooLong, file: file, line: rowLine)
      }
      Self.passLineEnd(text, &position, &line)
      if isBlank, columnCount != 1 {
        cellEnds.removeLast()
        if blankLine == nil { blankLine = rowLine }
        continue
      }
      var found = cellEnds.count - firstCell
      if rowCount == 0 { columnCount = found }
      if found != columnCount {
        let isEmptyLast = found > 1 && Self.isBlank(text, rowStart + Int(cellEnds[cellEnds.count - 2]) + 1..<rowEnd)
        if found == columnCount + 1, isEmptyLast {
          cellEnds.removeLast()
          found -= 1
          trailing = (trailing?.line ?? rowLine, (trailing?.count ?? 0) + 1)
        } else if rowCount == 1, found == columnCount - 1, found > 0,
          Self.isBlank(text, lastCell(ofRow: 0))
        {
          // The header alone ends in a separator.
          cellEnds.remove(at: firstCell - 1)
          columnCount = found
          trailing = (rowLines[0], 1)
        } else {
          cellEnds.removeSubrange(firstCell...)
          if tail.isEmpty { ragged = (rowLine, found) }
          tail.append(Skipped(line: rowLine, range: rowStart..<rowEnd))
          guard tail.count <= Self.tailLimit else {
            isBroken = true
            break
          }
          continue
        }
      }
      if let line = blankLine, blank == nil, ragged == nil { blank = (line, rowCount) }
      guard ragged == nil else {
        isBroken = true
        break
      }
      if rowCount == 0 {
        // The first row's length tells how much there is to come; at most a cell every two bytes.
        let rows =
          min((end - frame.start) / max(position - rowStart, 1), (end - frame.start) / (2 * found)) + 1
        guard rows * found <= memory / MemoryLayout<UInt32>.size else {
          return CSVError(.beyondMemory(byteCount: end), file: file)
        }
        cellEnds.reserveCapacity(min(rows, rowLimit) * found)
        rowStarts.reserveCapacity(min(rows, rowLimit))
      }
      guard cellEnds.count * 4 + rowStarts.count * 8 <= memory else {
        return CSVError(.beyondMemory(byteCount: end), file: file)
      }
      rowStarts.append(rowStart)
      rowLines.append(rowLine)
    }
    if let ragged, isBroken || !isFooter(text, separator) {
      return raggedRow(ragged.found, separator: separator, file: file, line: ragged.line)
    }
    dropBlankRowsAtEnd(text)
    return nil
  }

  /// Whether what differs from the rows stands below them and is no row that was cut short.
  private func isFooter(_ text: UnsafeBufferPointer<UInt8>, _ separator: UInt8) -> Bool {
    guard rowCount > 1 else { return false }
    return tail.allSatisfy { skipped in
      let cells = text[skipped.range].split(separator: separator, omittingEmptySubsequences: false).map {
        CSVCells.unquoted(String(decoding: $0, as: UTF8.self))
      }
      let filled = cells.filter { !$0.isEmpty }
      guard let first = filled.first else { return true }
      if CSVSummary.isSummary(first) || CSVComment.mark(of: first) != nil { return true }
      // A sentence below a column of dates or numbers.
      return filled.count == 1 && CSVSummary.isSentence(first) && beginWithDigits(text)
    }
  }

  /// Whether the first cells of the last rows begin with a digit or a sign.
  private func beginWithDigits(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
    (max(rowCount - 20, 1)..<rowCount).allSatisfy { row in
      let cell = text[range(row: row, column: 0)].drop { CSVNumberParser.isBlank($0) || $0 == Self.quote }
      guard let first = cell.first else { return true }
      return first &- UInt8(ascii: "0") < 10 || first == UInt8(ascii: "-") || first == UInt8(ascii: "+")
    }
  }

  private func lastCell(ofRow row: Int) -> Range<Int> { range(row: row, column: columnCount - 1) }

  private static func begins(_ text: UnsafeBufferPointer<UInt8>, _ start: Int, _ mark: [UInt8]) -> Bool {
    var position = start
    while position < text.count, isBlank(text[position]) || text[position] == quote { position += 1 }
    return position + mark.count <= text.count && text[position..<position + mark.count].elementsEqual(mark)
  }

  @inline(__always)
  private static func isBlank(_ byte: UInt8) -> Bool { CSVNumberParser.isBlank(byte) }

  private static func lineEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    var position = start
    while position < text.count, text[position] != lineFeed, text[position] != carriageReturn { position += 1 }
    return position
  }

  @inline(__always)
  private static func passLineEnd(_ text: UnsafeBufferPointer<UInt8>, _ position: inout Int, _ line: inout Int) {
    guard position < text.count else { return }
    position +=
      text[position] == carriageReturn && position + 1 < text.count && text[position + 1] == lineFeed ? 2 : 1
    line += 1
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
    var advice: [Message] = []
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

  /// The cell's bytes without its quotes; doubled ones within stay, which no number has.
  @inline(__always)
  func content(_ text: UnsafeBufferPointer<UInt8>, row: Int, column: Int) -> UnsafeBufferPointer<UInt8> {
    let cell = UnsafeBufferPointer(rebasing: text[range(row: row, column: column)])
    if let first = cell.first, first == Self.quote || CSVNumberParser.isBlank(first) {
      if let open = cell.firstIndex(where: { !CSVNumberParser.isBlank($0) }), cell[open] == Self.quote,
        let close = cell.lastIndex(of: Self.quote), close > open
      {
        return UnsafeBufferPointer(rebasing: cell[(open + 1)..<close])
      }
    }
    return cell
  }

  /// The cell read as a number.
  @inline(__always)
  func value<Number: CSVNumber>(
    _ text: UnsafeBufferPointer<UInt8>, row: Int, column: Int, style: CSVNumberStyle,
    marks: inout CSVNumberParser.Marks, as type: Number.Type
  ) -> CSVCellValue<Number> {
    CSVNumberParser.parse(content(text, row: row, column: column), style: style, marks: &marks, as: type)
  }

  /// Whether the rows hold at least one number in the column, and otherwise only missing values.
  func isNumeric(
    _ bytes: [UInt8], column: Int, rows: Range<Int>, tokens: CSVMissingTokens<Double> = .init([], as: Double.self)
  ) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      var marks = CSVNumberParser.Marks()
      var hasNumber = false
      for row in rows {
        switch value(text, row: row, column: column, style: .any, marks: &marks, as: Double.self) {
        case .number: hasNumber = true
        case .missing: break
        case .tooLarge: return false
        case .text:
          guard tokens.contains(word: trimmedText(bytes, row: row, column: column)) else { return false }
        }
      }
      return hasNumber
    }
  }

  /// Whether a column is empty in every row.
  func isBlank(_ bytes: [UInt8], column: Int) -> Bool {
    bytes.withUnsafeBufferPointer { text in
      (0..<rowCount).allSatisfy { Self.isBlank(text, range(row: $0, column: column)) }
    }
  }

  func trimmedText(_ bytes: [UInt8], row: Int, column: Int) -> String {
    text(bytes, row: row, column: column).trimmed
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

  /// Without blanks and quotes around it, for text that is looked at before the cells are known.
  static func unquoted(_ text: String) -> String {
    let plain = text.trimmed
    guard plain.count > 1, plain.first == "\"", plain.last == "\"" else { return plain }
    return String(plain.dropFirst().dropLast()).trimmed
  }
}
