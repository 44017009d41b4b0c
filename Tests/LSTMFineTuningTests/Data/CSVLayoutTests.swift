import FileIO
import Foundation
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// What people have around a table.
@Suite struct CSVLayoutTests {
  struct Junk: Sendable, CustomTestStringConvertible {
    let what: String
    let text: String
    let notes: [String]
    var rows = 2

    init(_ what: String, _ text: String, rows: Int = 2, _ notes: String...) {
      (self.what, self.text, self.notes, self.rows) = (what, text, notes, rows)
    }
    var testDescription: String { what }
  }

  /// Each is a table of columns d and v, and v is 1.5, 2.5 and so on.
  static let junk = [
    Junk("nothing", "d,v\n2024-01-01,1.5\n2024-01-02,2.5\n"),
    Junk("blank lines first", "\n\nd,v\n2024-01-01,1.5\n2024-01-02,2.5\n"),
    Junk("sep=", "sep=;\nd;v\n2024-01-01;1,5\n2024-01-02;2,5\n", "line 1: it says what separates the cells"),
    Junk("quoted sep=", "\"sep=,\"\r\nd,v\r\nx,1.5\r\ny,2.5\r\n", "line 1: it says what separates the cells"),
    Junk("SEP= of a tab", "SEP=\t\nd\tv\nx\t1.5\ny\t2.5\n", "line 1: it says what separates the cells"),
    Junk("a comment", "# made by hand\nd,v\nx,1.5\ny,2.5\n", "line 1: a comment, passed over"),
    Junk(
      "comments", "// a; b\n// c\n\nd;v\nx;1,5\ny;2,5\n", "line 1: 2 lines of comment, passed over"),
    Junk("a percent sign", "% a, b, c\nd,v\nx,1.5\ny,2.5\n", "line 1: a comment, passed over"),
    Junk(
      "a comment among the rows", "# a\nd,v\nx,1.5\n# 2024, broken\ny,2.5\n", "line 1: a comment, passed over",
      "line 4: a comment among the rows, passed over"),
    Junk(
      "names in a comment", "# d v\n# d,v\n1,1.5\n2,2.5\n", "line 1: a comment, passed over",
      "line 2: the names of the columns are taken from this comment"),
    Junk(
      "names in the only comment", "#d,v\n1,1.5\n2,2.5\n",
      "line 1: the names of the columns are taken from this comment"),
    Junk(
      "a title", "Station 12\nd,v\nx,1.5\ny,2.5\n", "line 1: a line above the table, passed over: \"Station 12\""),
    Junk(
      "titles and a blank line", "Station,12\nHeight,450 m\n\nd,v\n1,1.5\n2,2.5\n",
      "line 1: 2 lines above the table, passed over: \"Station 12\" ..."),
    Junk(
      "a title with the separators of the table", "Station 12,\nd,v\nx,1.5\ny,2.5\n",
      "line 1: a line above the table, passed over: \"Station 12\""),
    Junk(
      "a title with more commas", "Rain, snow, hail, all of it\nd,v\nx,1.5\ny,2.5\n",
      "line 1: a line above the table, passed over: \"Rain snow hail all of it\""),
    Junk("units", "d,v\n,°C\n1,1.5\n2,2.5\n", "line 2: a row of units, passed over: \"°C\""),
    Junk(
      "units for all", "d;v\nyyyy-mm-dd;[mm]\nx;1,5\ny;2,5\n",
      "line 2: a row of units, passed over: \"yyyy-mm-dd [mm]\""),
    Junk(
      "two rows of units", "d,v\nTS,Volts\n,Avg\nx,1.5\ny,2.5\n", "line 2: 2 rows of units, passed over: \"TS Volts\""),
    Junk(
      "a sum", "d,v\n2024-01-01,1.5\n2024-01-02,2.5\nTotal,4.0\n",
      "line 4: a line below the table, passed over: \"Total 4.0\""),
    Junk(
      "a source", "d,v\n2024-01-01,1.5\n2024-01-02,2.5\n\nSource: the office, the town, 2024\n",
      "line 5: a line below the table, passed over: \"Source: the office, the town, 2024\""),
    Junk(
      "a sentence", "d,v\n1,1.5\n2,2.5\n(2 rows)\n", "line 4: a line below the table, passed over: \"(2 rows)\""),
    Junk(
      "several lines below", "d,v\n1,1.5\n2,2.5\nMean,2.0\nSum,4.0\n# end\n",
      "line 4: 3 lines below the table, passed over: \"Mean 2.0\" ..."),
    Junk(
      "separators at the ends", "d,v,\nx,1.5,\ny,2.5,\n", "line 1: separators at the ends of lines make no columns"),
    Junk(
      "many separators at the ends", "d;v;;;\nx;1,5;;;\ny;2,5;;;\n",
      "line 1: separators at the ends of lines make no columns"),
    Junk(
      "separators at the ends of the rows alone", "d,v\nx,1.5,\ny,2.5,\n",
      "line 2: separators at the ends of lines make no columns"),
    Junk(
      "a separator at the end of the header alone", "d,v,\nx,1.5\ny,2.5\n",
      "line 1: separators at the ends of lines make no columns"),
    Junk(
      "nearly all of it", "sep=;\nStation 12;;\n\nd;v;\n;mm;\n01.01.2024;1,5;\n02.01.2024;2,5;\n\nSumme;4,0;\n",
      "line 1: it says what separates the cells", "line 2: a line above the table, passed over: \"Station 12\"",
      "line 5: a row of units, passed over: \"mm\"", "line 4: separators at the ends of lines make no columns",
      "line 9: a line below the table, passed over: \"Summe 4,0\""),
  ]

  @Test(arguments: junk)
  func isPassedOverAndSaid(_ junk: Junk) throws {
    for (bytes, encoding) in [
      (Array(junk.text.utf8), nil), (utf16(junk.text, isBig: false), "the text is UTF-16"),
      (utf16(junk.text, isBig: true), "the text is UTF-16"),
    ] {
      let t = try CSVTable(bytes: bytes, name: "mine.csv")
      #expect(t.columnNames == ["d", "v"])
      #expect(t.rowCount == junk.rows)
      #expect(try t.numbers(column: "v") == [1.5, 2.5])
      #expect(try t.strings(column: "d").count == junk.rows)
      let said = t.notes.map { String($0.description.dropFirst("mine.csv ".count)) }
      #expect(said == (encoding.map { ["line 1: " + $0] } ?? []) + junk.notes)
    }
  }

  private func utf16(_ text: String, isBig: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    for unit in ("\u{feff}" + text).utf16 {
      let (high, low) = (UInt8(unit >> 8), UInt8(unit & 0xff))
      bytes += isBig ? [high, low] : [low, high]
    }
    return bytes
  }

  /// Rows are never passed over for looking a little different.
  @Test(arguments: [
    ("a row too long", "a,b\n1,2\n3,4,5\n", 3), ("a row too short in the middle", "a,b\n1,2\n3\n4,5\n", 3),
    ("a row cut short", "d,v\n2024-01-01,1\n2024-01-02,2\n2024-01-0", 4),
    ("a name cut short", "s,d,v\nA,1,2\nB,2,3\nB", 4), ("a header that is too long", "a,b,c\n1,2\n3,4\n", 2),
    ("a blank line", "a,b\n1,2\n\n3,4\n", 3), ("two tables", "a,b\n1,2\n3,4\n\nc,d\n5,6\n", 4),
    ("two tables of words and numbers", "n,v\nann,1\nbob,2\n\nn,w\nann,3\n", 4),
    ("text between the rows", "a,b\n1,2\nSource: x\n3,4\n", 3),
  ])
  func whatIsRaggedIsNamed(_ what: String, _ text: String, _ line: Int) {
    let error = #expect(throws: CSVError.self) { try table(text) }
    guard case .raggedRow = error?.kind else {
      Issue.record("\(error.map { "\($0)" } ?? "read")")
      return
    }
    #expect(error?.line == line)
  }

  @Test(arguments: [
    ("a first row of words", "t,v\nx,warm\ny,1\nz,2\n", 3), ("ids that begin with #", "id,v\n#1,1\n#2,2\n", 2),
    ("ids and no header", "#1,1\n#2,2\n", 2), ("totals of a text", "text,v\nTotal waste,1\nfine,2\nTotal joy,3\n", 3),
    ("a name called Total", "who,v\nAnn,1\nTotal,2\n", 2), ("a gap in the last row", "d,v\n1,1\n2,\n", 2),
    ("years as names", "a,2019\nx,1\ny,2\n", 2),
  ])
  func rowsStay(_ what: String, _ text: String, _ rows: Int) throws {
    #expect(try table(text, header: what == "ids and no header" ? false : true).rowCount == rows)
  }

  @Test func aWordAmongNumbersBelowTheHeaderIsNamed() throws {
    let t = try table("temp\nwarm\n1\n3\n")
    let error = #expect(throws: CSVError.self) { try t.floats(column: "temp") }
    #expect(error?.line == 2)
    #expect(error?.kind == .notANumber(found: "warm"))
  }

  @Test func separatorsThatAreNotReadAreNamed() {
    let error = #expect(throws: CSVError.self) { try table("sep=:\na:b\n1:2\n") }
    #expect(error?.description == "mine.csv line 1: separator \":\", expected one of , ; | or a tab")
  }

  @Test func optionsPassOver() throws {
    var options = CSVOptions()
    options.skippedLines = 2
    options.comment = "!"
    let t = try CSVTable(bytes: Array("1,2,3\n4\na,b\n! no\n5,6\n".utf8), name: "x", options: options)
    #expect(t.columnNames == ["a", "b"])
    #expect(try t.numbers(column: "b") == [6])
    #expect(t.firstLine(ofRow: 0) == 5)
    options = CSVOptions(header: true)
    options.comment = "none"
    #expect(try CSVTable(bytes: Array("#a,b\n#1,6\n".utf8), name: "x", options: options).columnNames == ["#a", "b"])
  }

  @Test(arguments: ["#N/A", "#DIV/0!", "#VALUE!", "#NV", "<NA>", "\\N", "1.#QNAN", "n.a.", "(null)"])
  func otherMissingValues(_ cell: String) throws {
    let t = try table("d,v\nx,1\ny,\(cell)\nz,3\n")
    #expect(try t.numbers(column: "v", missing: .interpolate) == [1, 2, 3])
    #expect(try t.missing(column: "v") == [false, true, false])
    #expect(t.notes.map(\.kind) == (cell.hasPrefix("#") ? [.spreadsheetErrors] : []))
    let error = #expect(throws: CSVError.self) { try t.numbers(column: "v") }
    #expect(error?.kind == .missingValue(found: cell))
  }

  // MARK: Encodings

  @Test func windowsTextIsReadAndSaid() throws {
    let bytes = Array("d,Wärme °C\nx,1.5\n".unicodeScalars.map { UInt8($0.value) })
    let t = try CSVTable(bytes: bytes, name: "mine.csv")
    #expect(t.columnNames == ["d", "Wärme °C"])
    #expect(t.notes.map(\.description) == ["mine.csv line 1: not UTF-8, read as Windows-1252: \"Wärme\""])
    #expect(try CSVTable(bytes: [0x61, 0x0a, 0x80, 0x0a], name: "x").strings(column: "a") == ["€"])
  }

  @Test func theEncodingMayBeSaid() throws {
    var options = CSVOptions()
    options.encoding = .latin1
    let bytes: [UInt8] = [0x61, 0x0a, 0xc3, 0xa4, 0x0a]
    #expect(try CSVTable(bytes: bytes, name: "x").strings(column: "a") == ["ä"])
    #expect(try CSVTable(bytes: bytes, name: "x", options: options).strings(column: "a") == ["Ã¤"])
    options.encoding = .utf8
    #expect(throws: CSVError.self) { try CSVTable(bytes: [0x61, 0x0a, 0xe9], name: "x", options: options) }
    options.encoding = .utf16BigEndian
    #expect(try CSVTable(bytes: [0, 0x61, 0, 0x0a, 0, 0x31], name: "x", options: options).numbers(column: "a") == [1])
  }

  @Test func utf16WithoutAMark() throws {
    let bytes = Array("aa,bb\n1,2\n".utf8).flatMap { byte -> [UInt8] in [byte, 0] }
    #expect(try CSVTable(bytes: bytes, name: "x").numbers(column: "bb") == [2])
  }

  // MARK: Files as they are met

  @Test(arguments: [
    ("sep", "Temp", 50.10), ("footer", "temp", 50.104), ("title", "temp", 50.104), ("units", "temp", 50.104),
    ("euro_thousands", "Last", 1854), ("euro_thousands", "Temp", 50.1), ("dst", "temp", 50.104),
    ("dup", "temp", 50.104),
    ("entities", "temp", 50.104), ("gap", "temp", 47.8), ("newest", "temp", 53.0),
  ])
  func wild(_ file: String, _ column: String, _ first: Double) throws {
    let t = try CSVTable(contentsOf: fixtures.appendingPathComponent("wild/csv/\(file).csv").path)
    let values = try t.numbers(column: column)
    #expect(values.first == first)
    #expect(values.allSatisfy { $0 > 0 && $0 < 10000 })
    #expect(try t.strings(column: t.columnNames[0]).allSatisfy { !$0.hasPrefix("Total") })
  }

  @Test func wildMixedIsAsked() throws {
    let t = try CSVTable(contentsOf: fixtures.appendingPathComponent("wild/csv/mixed.csv").path)
    let error = #expect(throws: CSVError.self) { try t.numbers(column: "Last") }
    #expect(error?.kind == .ambiguousNumber(found: "1.002", mark: .point, asDecimal: "1.002", asThousands: "1002"))
    #expect(error?.line == 3)
  }

  @Test func wildMissingTailIsMarked() throws {
    let t = try CSVTable(contentsOf: fixtures.appendingPathComponent("wild/csv/tail_missing.csv").path)
    let missing = try t.missing(column: "temp")
    #expect(missing.suffix(24).allSatisfy { $0 })
    #expect(missing.dropLast(24).allSatisfy { !$0 })
  }
}
