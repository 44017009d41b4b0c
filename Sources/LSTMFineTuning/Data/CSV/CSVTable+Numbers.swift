import FileIO
import LSTMCheckpoints

extension CSVTable {
  /// Whether a column exists, holds at least one number and otherwise only numbers and missing values.
  public func isNumeric(_ column: String) -> Bool {
    guard let index = columnNames.firstIndex(of: column) else { return false }
    return cells.isNumeric(
      bytes, column: index, rows: rows, tokens: CSVMissingTokens(options.missingValues, as: Double.self))
  }

  /// The names of the columns for which `isNumeric(_:)` holds, in order.
  public var numericColumns: [String] { columnNames.filter(isNumeric) }

  /// A column as double precision, each cell correctly rounded; `rowCount` numbers.
  ///
  /// - Parameters:
  ///   - column: The column's name.
  ///   - missing: How missing cells are treated.
  /// - Throws: `CSVError` naming the line for a cell that is no number, mixed decimal marks, numbers that read two ways,
  ///   numbers that seem to mark missing values, a missing cell under `.error`, or a column without any number; kind
  ///   `unknownColumn` when there is no such column.
  public func numbers(column: String, missing: MissingValuePolicy = .error) throws(CSVError) -> [Double] {
    try values(column, missing, as: Double.self)
  }

  /// A column as single precision; parameters and errors as `numbers(column:missing:)`.
  public func floats(column: String, missing: MissingValuePolicy = .error) throws(CSVError) -> [Float] {
    try values(column, missing, as: Float.self)
  }

  func position(of column: String) throws(CSVError) -> Int {
    if let index = columnNames.firstIndex(of: column) { return index }
    var listed = columnNames.prefix(20).joined(separator: ", ")
    if columnNames.count > 20 { listed += ", … (\(columnNames.count) in all)" }
    var advice: [Message] = ["available: \(listed)"]
    if let nearest = nearestNames(to: column, among: columnNames, limit: 1).first {
      advice.insert("did you mean \"\(nearest)\"?", at: 0)
    }
    throw CSVError(.unknownColumn, file: file, column: column, advice: advice)
  }

  private func values<Number: CSVNumber>(
    _ column: String, _ policy: MissingValuePolicy, as: Number.Type
  ) throws(CSVError) -> [Number] {
    let index = try position(of: column)
    var notes: [CSVNote] = []
    var found = Found<Number>()
    let isAsked = options.decimal != nil || options.thousands != nil
    var style = CSVNumberStyle.usual(separator)
    if !isAsked { found = read(index, style, policy) }
    if isAsked || isDoubtful(found) {
      if let row = textRow(index) {
        found.failure = (row, .text)
      } else {
        let convention = try convention(index)
        style = convention.style
        found = read(index, style, policy)
        if let note = note(on: convention, index) { notes.append(note) }
      }
    } else if let note = guess(found, index) {
      notes.append(note)
    }
    if let failure = found.failure { throw unusable(failure.value, row: failure.row, column: index) }
    if let marks = found.suspects(options, rows: rows) { throw suspected(marks, style, column: index) }
    if found.spreadsheetErrors > 0 {
      let row = found.firstSpreadsheetError
      let text = cells.trimmedText(bytes, row: row, column: index)
      notes.append(
        CSVNote(
          .spreadsheetErrors, file: file, line: cells.line(bytes, row: row, column: index), column: column,
          count: found.spreadsheetErrors,
          "\(text)\(found.spreadsheetErrors == 1 ? "" : " and its like, \(found.spreadsheetErrors) cells,") read as missing"
        ))
    }
    if found.marked > 0 {
      notes.append(
        CSVNote(
          .missingMarks, file: file, column: column, count: found.marked,
          "\(found.marked) \(found.marked == 1 ? "cell" : "cells") with \(options.missingValues.joined(separator: " or ")) read as missing"
        ))
    }
    readings.note(notes, column: index)
    guard found.gaps.isEmpty || policy == .zero else {
      guard found.gaps.count < found.values.count else {
        throw CSVError(.noValues, file: file, column: column, advice: ["leave this column out"])
      }
      CSVGaps.fill(&found.values, found.gaps, interpolating: policy == .interpolate)
      return found.values
    }
    return found.values
  }

  /// What one pass over a column gives.
  struct Found<Number: CSVNumber> {
    var values: [Number] = []
    var gaps: [Int] = []
    /// Cells that hold what `Options.missingValues` lists.
    var marked = 0
    var spreadsheetErrors = 0
    var firstSpreadsheetError = 0
    var marks = CSVNumberParser.Marks()
    /// Where reading stopped.
    var failure: (row: Int, value: CSVCellValue<Number>)?
  }

  private func read<Number: CSVNumber>(
    _ column: Int, _ style: CSVNumberStyle, _ policy: MissingValuePolicy
  ) -> Found<Number> {
    let tokens = CSVMissingTokens(options.missingValues, as: Number.self)
    let isChecked = !tokens.isEmpty
    var values: [Number] = []
    values.reserveCapacity(rowCount)
    var found = Found<Number>()
    var marks = CSVNumberParser.Marks()
    bytes.withUnsafeBufferPointer { buffer in
      for row in rows {
        var value = cells.value(buffer, row: row, column: column, style: style, marks: &marks, as: Number.self)
        if isChecked, isMarked(value, tokens, row, column) {
          value = .missing
          found.marked += 1
        }
        switch value {
        case .number(let number): values.append(number)
        case .missing where policy != .error:
          if cells.content(buffer, row: row, column: column).first == UInt8(ascii: "#") {
            if found.spreadsheetErrors == 0 { found.firstSpreadsheetError = row }
            found.spreadsheetErrors += 1
          }
          found.gaps.append(values.count)
          values.append(0)
        default:
          found.failure = (row, value)
          return
        }
      }
    }
    found.values = values
    found.marks = marks
    return found
  }

  private func isMarked<Number: CSVNumber>(
    _ value: CSVCellValue<Number>, _ tokens: CSVMissingTokens<Number>, _ row: Int, _ column: Int
  ) -> Bool {
    switch value {
    case .number(let number): tokens.contains(number)
    case .text: tokens.contains(word: cells.trimmedText(bytes, row: row, column: column))
    case .missing, .tooLarge: false
    }
  }

  /// Whether the values of the usual way of writing may not stand.
  private func isDoubtful<Number: CSVNumber>(_ found: Found<Number>) -> Bool {
    if let failure = found.failure {
      if case .text = failure.value { return true }
      // A gap comes before what would have been read below it; the marks are judged when the gaps are seen to.
      return false
    }
    let marks = found.marks
    if !marks.hasPoint, !marks.hasComma { return false }
    if marks.hasPoint, marks.hasComma { return true }
    if marks.surePoint || marks.sureComma { return false }
    return !isUsual(marks) || marks.short || mayHaveOtherMark
  }

  private func isUsual(_ marks: CSVNumberParser.Marks) -> Bool { marks.hasComma == (separator == .semicolon) }

  /// Whether other columns may show that the usual decimal mark is none here.
  private var mayHaveOtherMark: Bool {
    switch separator {
    case .comma: bytes.contains(UInt8(ascii: "\""))
    case .semicolon: bytes.contains(UInt8(ascii: "."))
    case .tab, .bar: bytes.contains(UInt8(ascii: ","))
    }
  }

  /// The usual decimal mark was taken, and every number has three digits behind it.
  private func guess<Number: CSVNumber>(_ found: Found<Number>, _ column: Int) -> CSVNote? {
    let marks = found.marks
    guard separator != .comma, found.failure == nil, marks.hasPoint || marks.hasComma, !marks.surePoint,
      !marks.sureComma
    else { return nil }
    let mark: CSVDecimalMark = marks.hasComma ? .comma : .point
    var row: Int?
    for index in columnNames.indices {
      var marks = CSVNumberParser.Marks()
      bytes.withUnsafeBufferPointer { buffer in
        for place in rows.prefix(1000) {
          let value = cells.value(buffer, row: place, column: index, style: .any, marks: &marks, as: Double.self)
          if case .text = value {
            marks = .init()
            return
          }
          if index == column, row == nil, marks.hasPoint || marks.hasComma { row = place }
        }
      }
      // A column beside it tells.
      if mark == .comma ? marks.sureComma : marks.surePoint { return nil }
    }
    return row.flatMap { note(on: CSVConvention(mark, nil, .guess, row: $0), column) }
  }

  /// How the column is written, from all of the file.
  private func convention(_ column: Int) throws(CSVError) -> CSVConvention {
    switch decision(column) {
    case .convention(let convention): return convention
    case .mixed(let row):
      throw CSVError(
        .mixedDecimalMarks(found: cells.trimmedText(bytes, row: row, column: column)), file: file,
        line: cells.line(bytes, row: row, column: column), column: columnNames[column],
        advice: ["use one decimal mark throughout, and one mark between thousands or none"])
    case .doubt(let mark, let row):
      let text = cells.trimmedText(bytes, row: row, column: column)
      throw CSVError(
        .ambiguousNumber(
          found: text, mark: mark, asDecimal: plain(row, column, CSVNumberStyle(mark, nil)),
          asThousands: plain(row, column, CSVNumberStyle(mark.other, mark.asThousands))),
        file: file, line: cells.line(bytes, row: row, column: column), column: columnNames[column],
        advice: ["say which mark is for decimals and which between thousands"])
    }
  }

  private func plain(_ row: Int, _ column: Int, _ style: CSVNumberStyle) -> String {
    bytes.withUnsafeBufferPointer { buffer in
      let plain = CSVNumberShape(cells.content(buffer, row: row, column: column))?.plain(style)
      return String(decoding: plain ?? [], as: UTF8.self)
    }
  }

  private func note(on convention: CSVConvention, _ column: Int) -> CSVNote? {
    guard let row = convention.row else { return nil }
    let text = cells.trimmedText(bytes, row: row, column: column)
    var detail = "\(CSVError.quoted(text)) is read as \(plain(row, column, convention.style))"
    switch convention.reason {
    case .asked, .plain:
      // A decimal mark alone is worth a word only where it is not the usual one.
      if convention.thousands == nil, convention.decimal == .point || separator == .semicolon { return nil }
    case .column(let index): detail += ", as column \(CSVError.quoted(columnNames[index])) has its numbers"
    case .quoted: detail += ": three digits behind each comma"
    case .guess:
      let other = CSVNumberStyle(convention.decimal.other, convention.decimal.asThousands)
      detail += ", not as \(plain(row, column, other)): the column does not tell"
    }
    return CSVNote(
      .numbers, file: file, line: cells.line(bytes, row: row, column: column), column: columnNames[column], detail)
  }

  private func suspected(_ marks: CSVSuspects, _ style: CSVNumberStyle, column: Int) -> CSVError {
    CSVError(
      .suspectedMissing(
        marks: marks.rows.map { plain($0, column, style) }, count: marks.count,
        range: marks.others.map { "\(short($0.lowerBound)) to \(short($0.upperBound))" }), file: file,
      line: marks.rows.min().map { cells.line(bytes, row: $0, column: column) }, column: columnNames[column],
      advice: ["say whether they are numbers or stand for missing values"])
  }

  private func short(_ value: Double) -> String {
    let rounded = Float(value)
    return rounded == rounded.rounded() && abs(rounded) < 1e7 ? String(Int(rounded)) : "\(rounded)"
  }

  private func unusable<Number: CSVNumber>(
    _ value: CSVCellValue<Number>, row: Int, column: Int
  ) -> CSVError {
    let text = cells.trimmedText(bytes, row: row, column: column)
    let line = cells.line(bytes, row: row, column: column)
    var advice: [Message] = []
    let kind: CSVError.Kind
    switch value {
    case .number, .missing:
      kind = .missingValue(found: text)
      advice = ["fill missing values by interpolation, forward fill or zero"]
    case .tooLarge: kind = .numberOutOfRange(found: text)
    case .text: kind = .notANumber(found: text)
    }
    return CSVError(kind, file: file, line: line, column: columnNames[column], advice: advice)
  }
}
