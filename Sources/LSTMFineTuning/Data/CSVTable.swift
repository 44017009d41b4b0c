import LSTMCheckpoints

/// What separates the cells of a row.
public enum CSVSeparator: String, Sendable, CaseIterable {
  /// A comma.
  case comma = ","
  /// A semicolon; decimals may then be written with a comma.
  case semicolon = ";"
  /// A tab.
  case tab = "\t"
  /// A vertical bar.
  case bar = "|"

  var byte: UInt8 {
    switch self {
    case .comma: UInt8(ascii: ",")
    case .semicolon: UInt8(ascii: ";")
    case .tab: UInt8(ascii: "\t")
    case .bar: UInt8(ascii: "|")
    }
  }
}

/// How missing cells become numbers.
public enum MissingValuePolicy: String, Sendable, CaseIterable {
  /// A missing cell is an error.
  case error
  /// On the straight line between the neighbours; gaps at either end hold the nearest number.
  case interpolate
  /// The number before it; a gap at the start holds the first number.
  case forwardFill
  /// Zero.
  case zero
}

/// A table of text read from a CSV file, whose columns are asked for as numbers or strings.
///
/// The format is RFC 4180: cells may be quoted and then hold separators, line ends and doubled quotes. Lines
/// end in LF, CR LF or CR; a UTF-8 byte-order mark and blank lines at the end are ignored. Each row must have
/// as many cells as the first. The text is kept once; cells are ranges in it.
///
/// Missing numbers are empty cells and NA, N/A, NaN, null, None (in any case), "-" and "?". With `;` as the
/// separator, "3,5" is the number 3.5.
public struct CSVTable: Sendable {
  /// How to read a file.
  public struct Options: Sendable {
    /// What separates cells; nil to detect it.
    public var separator: CSVSeparator?
    /// Whether the first row holds the columns' names; nil to detect it. A table without a header has
    /// the names "column1", "column2" and so on.
    public var header: Bool?

    /// Options of which those left out are detected.
    public init(separator: CSVSeparator? = nil, header: Bool? = nil) {
      self.separator = separator
      self.header = header
    }
  }

  /// The file's path, or the name that it was given; used in errors.
  public let file: String
  /// The separator given or detected.
  public let separator: CSVSeparator
  /// Whether the first row of the file holds the names.
  public let hasHeader: Bool
  /// The columns' names in order, blanks around them removed.
  public let columnNames: [String]
  /// How many rows there are, the header not counted.
  public let rowCount: Int

  let bytes: [UInt8]
  let cells: CSVCells
  /// The first row of data among `cells`' rows: 1 below a header.
  let firstRow: Int

  /// Reads the file at `path`.
  ///
  /// - Throws: `CSVError` when the file cannot be read, is not UTF-8 text, is empty or is malformed.
  public init(contentsOf path: String, options: Options = Options()) throws(CSVError) {
    try self.init(bytes: try CSVFile.bytes(path), name: path, options: options)
  }

  /// Reads a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: What to call it in errors.
  ///   - options: The separator and header, where they are not to be detected.
  /// - Throws: `CSVError` as `init(contentsOf:options:)`.
  public init(bytes: [UInt8], name: String, options: Options = Options()) throws(CSVError) {
    let start = try CSVFile.checkText(bytes, file: name)
    self.bytes = bytes
    file = name
    separator = options.separator ?? CSVDetection.separator(bytes, start: start)
    cells = try CSVCells(bytes, start: start, separator: separator, file: name)
    hasHeader = options.header ?? CSVDetection.hasHeader(bytes, cells, separator)
    firstRow = hasHeader ? 1 : 0
    rowCount = cells.rowCount - firstRow
    guard rowCount > 0 else {
      throw CSVError(.headerOnly, file: name, line: cells.rowLines[0])
    }
    columnNames =
      hasHeader
      ? try Self.names(bytes, cells, file: name)
      : (1...cells.columnCount).map { "column\($0)" }
  }

  private static func names(_ bytes: [UInt8], _ cells: CSVCells, file: String) throws(CSVError) -> [String] {
    var names: [String] = []
    var seen = Set<String>()
    let line = cells.rowLines[0]
    for column in 0..<cells.columnCount {
      let name = CSVCells.trimmed(cells.text(bytes, row: 0, column: column))
      guard !name.isEmpty else {
        throw CSVError(
          .emptyColumnName(position: column + 1), file: file, line: line,
          advice: column == 0
            ? [
              "name it in the header; pandas leaves its index without a name unless to_csv(index=False)"
            ]
            : ["name it in the header, or remove the separator at the end of each line"])
      }
      guard seen.insert(name).inserted else {
        throw CSVError(
          .duplicateColumn, file: file, line: line, column: name,
          advice: ["give each column its own name"])
      }
      names.append(name)
    }
    return names
  }

  /// The physical line, counted from 1, on which a row starts.
  ///
  /// - Parameter row: 0 for the first row below the header, to `rowCount` - 1.
  public func firstLine(ofRow row: Int) -> Int { cells.rowLines[firstRow + row] }

  /// The cells of a column as text, quotes resolved; `rowCount` strings.
  ///
  /// - Throws: `CSVError` of kind `unknownColumn`.
  public func strings(column: String) throws(CSVError) -> [String] {
    let index = try position(of: column)
    return (firstRow..<cells.rowCount).map { cells.text(bytes, row: $0, column: index) }
  }

  /// Whether a column exists, holds at least one number and otherwise only numbers and missing values.
  public func isNumeric(_ column: String) -> Bool {
    guard let index = columnNames.firstIndex(of: column) else { return false }
    return cells.isNumeric(bytes, column: index, rows: firstRow..<cells.rowCount, separator: separator)
  }

  /// The names of the columns for which `isNumeric(_:)` holds, in order.
  public var numericColumns: [String] { columnNames.filter(isNumeric) }

  /// A column as double precision, each cell correctly rounded; `rowCount` numbers.
  ///
  /// - Parameters:
  ///   - column: The column's name.
  ///   - missing: What becomes of missing cells.
  /// - Throws: `CSVError` naming the line for a cell that is no number, mixed decimal marks, a missing cell
  ///   under `.error`, or a column without any number; kind `unknownColumn` when there is no such column.
  public func numbers(column: String, missing: MissingValuePolicy = .error) throws(CSVError) -> [Double] {
    try values(column, missing, as: Double.self)
  }

  /// A column as single precision; parameters and errors as `numbers(column:missing:)`.
  public func floats(column: String, missing: MissingValuePolicy = .error) throws(CSVError) -> [Float] {
    try values(column, missing, as: Float.self)
  }

  /// Which rows hold no number in a column, so that what stands there was filled in; `rowCount` flags.
  ///
  /// - Throws: `CSVError` of kind `unknownColumn`.
  public func missing(column: String) throws(CSVError) -> [Bool] {
    let index = try position(of: column)
    var marks = CSVNumberParser.Marks()
    return bytes.withUnsafeBufferPointer { buffer in
      (firstRow..<cells.rowCount).map { row in
        let value = cells.value(
          buffer, row: row, column: index, separator: separator, marks: &marks, as: Double.self)
        if case .number = value { return false }
        return true
      }
    }
  }

  private func position(of column: String) throws(CSVError) -> Int {
    if let index = columnNames.firstIndex(of: column) { return index }
    var listed = columnNames.prefix(20).joined(separator: ", ")
    if columnNames.count > 20 { listed += ", … (\(columnNames.count) in all)" }
    var advice = ["available: \(listed)"]
    if let nearest = nearestNames(to: column, among: columnNames, limit: 1).first {
      advice.insert("did you mean \"\(nearest)\"?", at: 0)
    }
    throw CSVError(.unknownColumn, file: file, column: column, advice: advice)
  }

  private func values<Number: CSVNumber>(
    _ column: String, _ policy: MissingValuePolicy, as: Number.Type
  ) throws(CSVError) -> [Number] {
    let index = try position(of: column)
    var values: [Number] = []
    values.reserveCapacity(rowCount)
    var gaps: [Int] = []
    var marks = CSVNumberParser.Marks()
    // Where reading stopped; the error is made outside, since a typed throw does not leave the closure.
    var failure: (row: Int, value: CSVCellValue<Number>)?
    bytes.withUnsafeBufferPointer { buffer in
      for row in firstRow..<cells.rowCount {
        let value = cells.value(
          buffer, row: row, column: index, separator: separator, marks: &marks, as: Number.self)
        switch value {
        case .number(let number) where !(marks.point && marks.comma):
          values.append(number)
        case .missing where policy != .error:
          gaps.append(values.count)
          values.append(0)
        default:
          failure = (row, value)
          return
        }
      }
    }
    if let failure {
      throw unusable(failure.value, row: failure.row, column: index)
    }
    guard gaps.isEmpty || policy == .zero else {
      guard gaps.count < values.count else {
        throw CSVError(
          .noValues, file: file, column: column, advice: ["leave this column out"])
      }
      CSVGaps.fill(&values, gaps, interpolating: policy == .interpolate)
      return values
    }
    return values
  }

  private func unusable<Number: CSVNumber>(
    _ value: CSVCellValue<Number>, row: Int, column: Int
  ) -> CSVError {
    let text = CSVCells.trimmed(cells.text(bytes, row: row, column: column))
    let line = cells.line(bytes, row: row, column: column)
    var advice: [String] = []
    let kind: CSVError.Kind
    switch value {
    case .number:
      kind = .mixedDecimalMarks(found: text)
      advice = ["use one decimal mark throughout, and no marks between thousands"]
    case .missing:
      kind = .missingValue(found: text)
      advice = ["fill missing values by interpolation, forward fill or zero"]
    case .tooLarge:
      kind = .numberOutOfRange(found: text)
    case .text:
      kind = .notANumber(found: text)
      if separator != .semicolon, text.contains(","), text.allSatisfy({ "0123456789.,+-".contains($0) }) {
        advice = ["decimal commas need \";\" between the cells, and thousands no marks"]
      }
    }
    return CSVError(kind, file: file, line: line, column: columnNames[column], advice: advice)
  }
}
