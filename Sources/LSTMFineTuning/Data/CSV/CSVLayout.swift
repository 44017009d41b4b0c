import FileIO

/// Where a text's table lies, what separates its cells, and what stands above it.
struct CSVLayout {
  var frame: CSVCells.Frame
  var separator: CSVSeparator = .comma
  /// Whether the first row was found in a comment.
  var hasCommentedHeader = false
  var notes: [CSVNote] = []

  private static let sampleRows = 200

  /// - Parameter start: the first byte after a byte-order mark.
  init(_ bytes: [UInt8], start: Int, file: String, options: CSVOptions) throws(CSVError) {
    frame = CSVCells.Frame(start: start)
    for _ in 0..<options.skippedLines {
      guard let next = Self.nextLine(bytes, frame.start) else { throw CSVError(.empty, file: file) }
      (frame.start, frame.line) = (next, frame.line + 1)
    }
    var said: CSVSeparator?
    if let (found, next) = try Self.separatorLine(bytes, frame, file: file) {
      said = found
      notes.append(CSVNote(.separatorLine, file: file, line: frame.line, "it says what separates the cells"))
      (frame.start, frame.line) = (next, frame.line + 1)
    }
    let comments = passComments(bytes, options)
    if comments.isEmpty, options.comment == nil { frame.comment = nil }

    let fixed = options.separator ?? said
    var best: (separator: CSVSeparator, sample: CSVSample, score: (Double, Double, Int))?
    // Where all else is equal, tabs and semicolons are rarer in text than commas.
    for candidate in fixed.map({ [$0] }) ?? [.tab, .semicolon, .bar, .comma] {
      let sample = CSVSample(bytes, frame, candidate, limit: Self.sampleRows)
      guard let score = sample.score else { continue }
      if let best, score <= best.score { continue }
      best = (candidate, sample, score)
    }
    separator = best?.separator ?? fixed ?? .comma
    let sample = best?.sample ?? CSVSample(bytes, frame, separator, limit: Self.sampleRows)
    if commentedHeader(bytes, comments, sample, options) {
      notes.append(
        CSVNote(.commentedHeader, file: file, line: frame.line, "the names of the columns are taken from this comment"))
    } else {
      begin(sample, file, mayHaveTitles: options.header != false)
    }
    let passed = hasCommentedHeader ? comments.dropLast() : comments[...]
    if let first = passed.first {
      notes.append(
        CSVNote(
          .comments, file: file, line: first.line, count: passed.count,
          passed.count == 1 ? "a comment, passed over" : "\(passed.count) lines of comment, passed over"))
    }
    notes.sort { ($0.line ?? 0) < ($1.line ?? 0) }
  }

  /// Lets the table begin below its titles.
  private mutating func begin(_ sample: CSVSample, _ file: String, mayHaveTitles: Bool) {
    guard let first = sample.rows.firstIndex(where: { !$0.isBlank }) else { return }
    let start = mayHaveTitles ? sample.tableStart : first
    frame.start = sample.rows[start].range.lowerBound
    frame.line = sample.rows[start].line
    let titles = sample.rows[first..<start].filter { !$0.isBlank }
    guard let title = titles.first else { return }
    let text = CSVError.quoted(title.cells.filter { !$0.isEmpty }.joined(separator: " "))
    notes.append(
      CSVNote(
        .titles, file: file, line: title.line, count: titles.count,
        (titles.count == 1 ? "a line" : "\(titles.count) lines") + " above the table, passed over: \(text)"
          + (titles.count == 1 ? "" : " ...")))
  }

  private struct Comment {
    var line: Int
    /// What follows the mark.
    var content: Range<Int>
    var mark: String
  }

  /// Passes over blank lines and comments at the top; their mark is a comment's from there on.
  private mutating func passComments(_ bytes: [UInt8], _ options: CSVOptions) -> [Comment] {
    if options.comment == "none" { return [] }
    frame.comment = options.comment.map { Array($0.utf8) }
    var found: [Comment] = []
    var (position, line) = (frame.start, frame.line)
    while position < bytes.count {
      let end = bytes[position...].firstIndex { $0 == 0x0a || $0 == 0x0d } ?? bytes.count
      let text = String(decoding: bytes[position..<min(end, position + 4096)], as: UTF8.self)
      let isBlank = bytes[position..<end].allSatisfy(CSVNumberParser.isBlank)
      let plain = text.drop { $0 == "\"" || $0 == " " || $0 == "\t" }
      let mark = options.comment.map { plain.hasPrefix($0) ? $0 : nil } ?? CSVComment.mark(of: text)
      if let mark {
        let offset = text.utf8.count - plain.utf8.count + mark.utf8.count
        found.append(Comment(line: line, content: position + offset..<end, mark: mark))
      } else if !isBlank {
        break
      }
      guard let next = Self.nextLine(bytes, position) else { break }
      (position, line) = (next, line + 1)
      if mark != nil { (frame.start, frame.line) = (position, line) }
    }
    // Where every line begins so, they are no comments.
    if position >= bytes.count, options.comment == nil, let first = found.first {
      let back = bytes[..<first.content.lowerBound].lastIndex { $0 == 0x0a || $0 == 0x0d }.map { $0 + 1 }
      (frame.start, frame.line) = (max(back ?? 0, 0), first.line)
      return []
    }
    if let last = found.last { frame.comment = Array(last.mark.utf8) }
    return found
  }

  /// Takes the last comment for the names of the columns when it has as many cells as the rows, which have no names.
  private mutating func commentedHeader(
    _ bytes: [UInt8], _ comments: [Comment], _ sample: CSVSample, _ options: CSVOptions
  ) -> Bool {
    guard options.header != false, let last = comments.last, sample.width > 1 || options.header == true,
      let first = sample.rows.first(where: { !$0.isBlank }), first.cells.count == sample.width
    else { return false }
    var content = last.content
    let blanks: Set<UInt8> = [0x20, 0x09, UInt8(ascii: "#"), UInt8(ascii: "%")]
    while let byte = bytes[content].first, blanks.contains(byte) {
      content = content.lowerBound + 1..<content.upperBound
    }
    let names = CSVSample(Array(bytes[content]), .init(start: 0), separator, limit: 1).rows.first?.cells ?? []
    guard names.count == sample.width, !names.contains(""), !names.contains(where: CSVSample.isNumber),
      Set(names).count == names.count, first.cells.contains(where: CSVSample.isNumber)
    else { return false }
    hasCommentedHeader = true
    (frame.start, frame.line) = (content.lowerBound, last.line)
    return true
  }

  /// A line such as `sep=;`, with which Excel is told what separates cells.
  private static func separatorLine(
    _ bytes: [UInt8], _ frame: CSVCells.Frame, file: String
  ) throws(CSVError) -> (CSVSeparator, next: Int)? {
    let end = bytes[frame.start...].firstIndex { $0 == 0x0a || $0 == 0x0d } ?? bytes.count
    guard end - frame.start < 12 else { return nil }
    let line = String(decoding: bytes[frame.start..<end], as: UTF8.self)
    let text = line.hasPrefix("\"") ? String(line.dropFirst().prefix { $0 != "\"" }) : line
    guard text.lowercased().hasPrefix("sep=") else { return nil }
    let said = text.dropFirst(4).prefix(1)
    // Behind "sep=," Excel itself may write more separators.
    let mark = said.isEmpty ? "" : String(said)
    guard let separator = CSVSeparator(rawValue: mark) ?? (text.dropFirst(4) == "\\t" ? .tab : nil),
      let next = nextLine(bytes, frame.start)
    else {
      throw CSVError(.unknownSeparator(found: mark), file: file, line: frame.line)
    }
    return (separator, next)
  }

  /// Where the next line begins; nil at the end.
  private static func nextLine(_ bytes: [UInt8], _ start: Int) -> Int? {
    guard let end = bytes[start...].firstIndex(where: { $0 == 0x0a || $0 == 0x0d }) else { return nil }
    return bytes[end] == 0x0d && end + 1 < bytes.count && bytes[end + 1] == 0x0a ? end + 2 : end + 1
  }
}
