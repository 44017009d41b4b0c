/// The first lines of a text, cut at a separator without any demands on them.
struct CSVSample {
  struct Row {
    var line: Int
    var range: Range<Int>
    /// The cells without quotes and blanks around them; empty for a blank line.
    var cells: [String]

    var isBlank: Bool { cells.allSatisfy(\.isEmpty) && cells.count < 2 }
    var filled: Int { cells.count { !$0.isEmpty } }
    /// Whether the last cell is empty, so that the separator before it makes no column.
    var endsEmpty: Bool { cells.count > 1 && cells.last == "" }
    /// The first cell that holds something.
    var first: String { cells.first { !$0.isEmpty } ?? "" }
  }

  private(set) var rows: [Row] = []
  /// The most frequent number of cells above one; 1 when there is none.
  private(set) var width = 1

  /// - Parameter limit: how many lines to look at.
  init(_ bytes: [UInt8], _ frame: CSVCells.Frame, _ separator: CSVSeparator, limit: Int) {
    bytes.withUnsafeBufferPointer { read($0, frame, separator.byte, limit) }
    var counts: [Int: Int] = [:]
    for row in rows where row.cells.count > 1 { counts[row.cells.count, default: 0] += 1 }
    width = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 1
  }

  private mutating func read(
    _ text: UnsafeBufferPointer<UInt8>, _ frame: CSVCells.Frame, _ separator: UInt8, _ limit: Int
  ) {
    let quote = UInt8(ascii: "\"")
    var (position, line) = (frame.start, frame.line)
    // Very wide rows: a few tell enough.
    while position < text.count, rows.count < limit, rows.count < 8 || position - frame.start < 1 << 20 {
      let (start, first) = (position, line)
      var cells: [String] = []
      var cell = position
      var isQuoted = false
      while position < text.count {
        let byte = text[position]
        if isQuoted {
          if byte == quote { isQuoted = false }
          if byte == 0x0a { line += 1 }
        } else if byte == quote,
          text[cell..<position].allSatisfy(CSVNumberParser.isBlank) || text[position - 1] == quote
        {
          // A quote that never ends, as in a title, is a character.
          isQuoted = text[(position + 1)...].prefix(1 << 16).contains(quote)
        } else if byte == separator {
          cells.append(CSVCells.unquoted(String(decoding: text[cell..<position], as: UTF8.self)))
          cell = position + 1
        } else if byte == 0x0a || byte == 0x0d {
          break
        }
        position += 1
      }
      let end = position
      cells.append(CSVCells.unquoted(String(decoding: text[cell..<end], as: UTF8.self)))
      if position < text.count {
        position += text[position] == 0x0d && position + 1 < text.count && text[position + 1] == 0x0a ? 2 : 1
        line += 1
      }
      if let mark = frame.comment, cells.first?.utf8.starts(with: mark) == true { continue }
      rows.append(Row(line: first, range: start..<end, cells: cells))
    }
  }

  // MARK: Where the table begins

  /// Whether a row has as many cells as most.
  func matches(_ row: Row) -> Bool {
    row.cells.count == width || (row.cells.count == width + 1 && row.endsEmpty && width > 1)
  }

  /// The row with which the table begins; those before it are titles.
  ///
  /// Nothing is taken for a title unless names stand below it with numbers under them, or a blank line.
  var tableStart: Int {
    guard let first = rows.firstIndex(where: { !$0.isBlank }) else { return 0 }
    var lastBlank: Int?
    for (index, row) in rows.enumerated().dropFirst(first) {
      if row.isBlank {
        lastBlank = index
        continue
      }
      if matches(row), isHeader(index) { return areTitles(first..<index) ? index : first }
      // A row of the table, or a title of as many cells?
      if beginsWithDigit(row) {
        guard matches(row), lastBlank == index - 1, index > first, areTitles(first..<index),
          rows[first..<index].allSatisfy({ !matches($0) || $0.isBlank })
        else { return first }
        return index
      }
    }
    return first
  }

  /// Names of columns, with numbers in one of the next rows.
  private func isHeader(_ index: Int) -> Bool {
    let cells = rows[index].endsEmpty ? rows[index].cells.dropLast() : rows[index].cells[...]
    guard !cells.contains(""), !cells.contains(where: Self.isNumber), Set(cells).count == cells.count,
      !cells.contains(where: { CSVComment.mark(of: $0) != nil })
    else { return false }
    let below = rows.dropFirst(index + 1).prefix(3)
    for row in below {
      guard matches(row) || row.cells.count == width - 1, !row.isBlank else { return false }
      // A title with the table's separators behind it names too few.
      if row.cells.contains(where: Self.isNumber) { return cells.count >= row.filled }
    }
    return false
  }

  private func areTitles(_ range: Range<Int>) -> Bool {
    let titles = rows[range].filter { !$0.isBlank }
    if titles.isEmpty { return true }
    // A table with names and numbers of its own is none.
    guard !titles.contains(where: beginsWithDigit) else { return false }
    let isApart = rows[range.upperBound - 1].isBlank
    return titles.allSatisfy { row in
      isApart || row.filled < width || row.cells.count != width
    } && (width > 1 || isApart)
  }

  private func beginsWithDigit(_ row: Row) -> Bool {
    guard let first = row.first.unicodeScalars.first else { return false }
    return "0"..."9" ~= first || first == "-" || first == "+"
  }

  static func isNumber(_ cell: String) -> Bool {
    var marks = CSVNumberParser.Marks()
    return Array(cell.utf8).withUnsafeBufferPointer {
      if case .number = CSVNumberParser.parse($0, style: .any, marks: &marks, as: Double.self) { return true }
      return false
    }
  }

  // MARK: How well the separator splits

  /// How evenly, into how many numbers, and into how many cells; nil when it splits nothing.
  var score: (evenness: Double, numbers: Double, cells: Int)? {
    guard width > 1 else { return nil }
    let table = rows[tableStart...].filter { !$0.isBlank }
    guard let last = table.lastIndex(where: matches) else { return nil }
    let matching = table[...last].filter(matches)
    // A few lines below the table are no fault of the separator.
    let below = max(table.count - 1 - last - min(matching.count / 3, 5), 0)
    let evenness = Double(matching.count) / Double(last + 1 + below)
    let body = matching.count > 1 ? matching[1...] : matching[...]
    let numbers = body.reduce(0) { $0 + $1.cells.count(where: Self.isNumber) }
    return (evenness, Double(numbers) / Double(body.count * width), width)
  }
}
