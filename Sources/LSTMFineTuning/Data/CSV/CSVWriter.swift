import FileIO

/// Builds a CSV text: a header, then rows of numbers.
///
/// Numbers are the shortest text that reads back as the same value, so `CSVTable` returns them bit for bit.
/// NaN is written as "nan", which reads back as missing. Names and labels are quoted where RFC 4180 asks for it.
/// One that a spreadsheet would take for a formula gets a `'` before it, as it may come from a file of somebody else's.
public struct CSVWriter: Sendable {
  /// The columns' names in order, labels first.
  public let columnNames: [String]
  /// The text so far, UTF-8 with LF line ends.
  public private(set) var bytes: [UInt8] = []

  private let separator: CSVSeparator
  private let file: String
  private var line = 1

  /// Starts a text with its header.
  ///
  /// - Parameters:
  ///   - columnNames: The names in order.
  ///   - separator: What goes between cells.
  ///   - file: What to call the text in errors.
  public init(columnNames: [String], separator: CSVSeparator = .comma, file: String = "table") {
    self.columnNames = columnNames
    self.separator = separator
    self.file = file
    for (index, name) in columnNames.enumerated() {
      if index > 0 { bytes.append(separator.byte) }
      appendQuoting(name)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Appends a row.
  ///
  /// - Parameters:
  ///   - row: The row's numbers.
  ///   - labels: Text for the columns before them, such as a date.
  /// - Throws: `CSVError` of kind `raggedRow` when labels and numbers together do not fill the columns.
  public mutating func append(_ row: [Float], labels: [String] = []) throws(CSVError) {
    line += 1
    let found = row.count + labels.count
    guard found == columnNames.count else {
      throw CSVError(.raggedRow(expected: columnNames.count, found: found), file: file, line: line)
    }
    for (index, label) in labels.enumerated() {
      if index > 0 { bytes.append(separator.byte) }
      appendQuoting(label)
    }
    for (index, number) in row.enumerated() {
      if index + labels.count > 0 { bytes.append(separator.byte) }
      bytes += number.description.utf8
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// The text so far as a string.
  public var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Whether a spreadsheet would compute it: it begins as a formula does, and is no number.
  private static func isFormula(_ text: String) -> Bool {
    // What a spreadsheet passes over before it looks.
    let text = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" }
    guard let first = text.unicodeScalars.first, text.unicodeScalars.count > 1 else { return false }
    return "=+-@\u{FF1D}\u{FF0B}\u{FF0D}\u{FF20}".unicodeScalars.contains(first) && Double(text) == nil
  }

  private mutating func appendQuoting(_ text: String) {
    let cell = Self.isFormula(text) ? "'" + text : text
    let special: Set<UInt8> = [separator.byte, UInt8(ascii: "\""), 0x0a, 0x0d]
    // Blanks at the ends would be lost to readers that trim; a lone empty cell would be a blank line.
    let hasOuterBlank = cell.first == " " || cell.last == " " || cell.isEmpty
    guard hasOuterBlank || cell.utf8.contains(where: special.contains) else {
      bytes += cell.utf8
      return
    }
    bytes.append(UInt8(ascii: "\""))
    for byte in cell.utf8 {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
