import FileIO

/// A table of text read from a CSV file, whose columns are asked for as numbers or strings.
///
/// The format is RFC 4180: cells may be quoted and then hold separators, line ends and doubled quotes. Lines
/// end in LF, CR LF or CR; a byte-order mark and blank lines at the beginning and end are ignored. Each row must have
/// as many cells as the first. The text is kept once; cells are ranges in it.
///
/// What surrounds a table in real files is recognized and listed in `notes`: `sep=;`, comments, titles, rows of units, sums
/// below the last row, separators at the ends of lines, text in UTF-16 or Windows-1252.
///
/// Missing numbers are empty cells, NA, N/A, NaN, null, None and their like (in any case), "-", "?" and a spreadsheet's
/// errors such as #N/A. How numbers are written is decided by the whole column, the separator and the other columns;
/// where that leaves a doubt, reading the column throws an error of kind `ambiguousNumber`, which `CSVOptions` answers.
public struct CSVTable: Sendable {
  /// The file's path, or the name that it was given; used in errors.
  public let file: String
  /// The separator given or detected.
  public let separator: CSVSeparator
  /// Whether the first row of the file holds the names.
  public let hasHeader: Bool
  /// The columns' names in order, blanks around them removed.
  public let columnNames: [String]
  /// How many rows there are, the header not counted.
  public var rowCount: Int { rows.count }
  /// What was recognized: around the table, and of the numbers in the columns that were read so far.
  public var notes: [CSVNote] { layoutNotes + readings.notes }

  let options: CSVOptions
  let bytes: [UInt8]
  let cells: CSVCells
  /// The rows of data among `cells`' rows.
  let rows: Range<Int>
  let readings = CSVReadings()
  private let layoutNotes: [CSVNote]

  /// Reads the file at `path`.
  ///
  /// - Throws: `CSVError` when the file cannot be read, is not text, is empty or is malformed.
  public init(contentsOf path: String, options: CSVOptions = CSVOptions()) throws(CSVError) {
    try self.init(bytes: try CSVFile.table(path), name: path, options: options)
  }

  /// Reads a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: What to call it in errors.
  ///   - options: What is not to be detected.
  /// - Throws: `CSVError` as `init(contentsOf:options:)`.
  public init(bytes: [UInt8], name: String, options: CSVOptions = CSVOptions()) throws(CSVError) {
    if let decimal = options.decimal, decimal.asThousands == options.thousands {
      throw CSVError(
        .contradiction("\"\(decimal.rawValue)\" cannot be both the decimal mark and what separates thousands"),
        file: name)
    }
    let text = try CSVText(bytes, file: name, encoding: options.encoding)
    let layout = try CSVLayout(text.bytes, start: text.start, file: name, options: options)
    let cells = try CSVCells(text.bytes, layout.frame, separator: layout.separator, file: name)
    let columns = CSVDetection.usedColumns(text.bytes, cells)
    hasHeader =
      layout.hasCommentedHeader ? true : options.header ?? CSVDetection.hasHeader(text.bytes, cells)
    var first = hasHeader ? 1 : 0
    guard cells.rowCount > first else {
      throw CSVError(.headerOnly, file: name, line: cells.rowLines[0])
    }
    let units = hasHeader ? CSVDetection.unitRows(text.bytes, cells, columns: columns) : 0
    first += units
    let footer = CSVDetection.footerRows(text.bytes, cells, columns: columns, above: first)
    rows = first..<cells.rowCount - footer
    if let blank = cells.blank, blank.row < rows.upperBound {
      throw CSVError(
        .raggedRow(expected: cells.columnCount, found: 0), file: name, line: blank.line, advice: ["remove the line"])
    }
    columnNames =
      hasHeader
      ? try Self.names(text.bytes, cells, columns: columns, file: name) : (1...columns).map { "column\($0)" }
    file = name
    separator = layout.separator
    self.options = options
    self.bytes = text.bytes
    self.cells = cells
    layoutNotes =
      text.notes + layout.notes
      + CSVNote.around(text.bytes, cells, file: name, columns: columns, units: units, footer: footer)
  }

  private static func names(
    _ bytes: [UInt8], _ cells: CSVCells, columns: Int, file: String
  ) throws(CSVError) -> [String] {
    var names: [String] = []
    var seen = Set<String>()
    let line = cells.rowLines[0]
    for column in 0..<columns {
      let name = cells.trimmedText(bytes, row: 0, column: column)
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
  public func firstLine(ofRow row: Int) -> Int { cells.rowLines[rows.lowerBound + row] }

  /// The cells of a column as text, quotes resolved; `rowCount` strings.
  ///
  /// - Throws: `CSVError` of kind `unknownColumn`.
  public func strings(column: String) throws(CSVError) -> [String] {
    let index = try position(of: column)
    return rows.map { cells.text(bytes, row: $0, column: index) }
  }
}
