import Foundation
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A table from text.
func table(
  _ text: String, separator: CSVSeparator? = nil, header: Bool? = nil
) throws(CSVError) -> CSVTable {
  try CSVTable(
    bytes: Array(text.utf8), name: "mine.csv", options: .init(separator: separator, header: header))
}

@Suite struct CSVTableTests {
  @Test func readsAPlainTable() throws {
    let t = try table("date,temp,wind\n2010/01/01 00:00,39.4,1\n2010/01/01 01:00,39.2,-2.5e1\n")
    #expect(t.columnNames == ["date", "temp", "wind"])
    #expect(t.rowCount == 2)
    #expect(t.separator == .comma)
    #expect(t.hasHeader)
    #expect(try t.floats(column: "temp") == [39.4, 39.2])
    #expect(try t.numbers(column: "wind") == [1, -25])
    #expect(try t.strings(column: "date") == ["2010/01/01 00:00", "2010/01/01 01:00"])
    #expect(t.numericColumns == ["temp", "wind"])
    #expect(t.firstLine(ofRow: 1) == 3)
  }

  @Test(arguments: ["\n", "\r\n", "\r"], ["", "\u{feff}"])
  func lineEndsAndByteOrderMark(_ end: String, _ mark: String) throws {
    for endsLast in [true, false] { try check(end, mark, endsLast) }
  }

  private func check(_ end: String, _ mark: String, _ endsLast: Bool) throws {
    let text = mark + ["a,b", "1,2", "3,4"].joined(separator: end) + (endsLast ? end : "")
    let t = try table(text)
    #expect(t.columnNames == ["a", "b"])
    #expect(try t.numbers(column: "b") == [2, 4])
    #expect(t.firstLine(ofRow: 1) == 3)
  }

  @Test func quotesHoldSeparatorsLineEndsAndQuotes() throws {
    let t = try table(
      "\"na\"\"me\",\"x, y\",z\r\n\"a\nb\",\"1\",\"\"\r\n\"c,\"\"d\"\"\", \"2\" ,it\"s\n\"e\r\nf\rg\",3,\"\"\"\"\n"
    )
    #expect(t.columnNames == ["na\"me", "x, y", "z"])
    #expect(try t.strings(column: "na\"me") == ["a\nb", "c,\"d\"", "e\r\nf\rg"])
    #expect(try t.numbers(column: "x, y") == [1, 2, 3])
    #expect(try t.strings(column: "z") == ["", "it\"s", "\""])
    #expect((0..<3).map(t.firstLine) == [2, 4, 5])
  }

  @Test(arguments: CSVSeparator.allCases)
  func separatorsAreDetected(_ separator: CSVSeparator) throws {
    let s = separator.rawValue
    let t = try table("time\(s)temp\(s)note\n1\(s)2.5\(s)a b\n2\(s)3.5\(s)\"x\(s)y\"\n")
    #expect(t.separator == separator)
    #expect(try t.numbers(column: "temp") == [2.5, 3.5])
  }

  @Test func otherSeparatorsWithinTextDoNotMislead() throws {
    #expect(try table("a,b\n\"x;y\",1\n\"z;w\",2\n").separator == .comma)
    #expect(try table("x;y,1,2\nz;w,3,4\n", header: false).separator == .comma)
    #expect(try table("a|b,c|d\n1,2\n3,4\n").separator == .comma)
    #expect(try table("lonely\n1\n2\n").columnNames == ["lonely"])
  }

  @Test func decimalCommasBetweenSemicolons() throws {
    let t = try table("zeit;temp\n1;3,5\n2;-0,25\n3;1,5e2\n4;7\n")
    #expect(t.separator == .semicolon)
    #expect(try t.numbers(column: "temp") == [3.5, -0.25, 150, 7])
    #expect(t.numericColumns == ["zeit", "temp"])
    #expect(try table("1,5;2,5\n3,5;4,5\n").numbers(column: "column2") == [2.5, 4.5])
    // More digits than one rounding can take: the slow path knows the comma too.
    #expect(
      try table("a;b\n1;0,12345678901234567890123\n").numbers(column: "b") == [0.12345678901234567890123])
    #expect(try table("a;b\n1;2.5\n").numbers(column: "b") == [2.5])
  }

  @Test func headersAreDetected() throws {
    #expect(try table("1,2\n3,4\n").columnNames == ["column1", "column2"])
    #expect(try table("1,2\n3,4\n").rowCount == 2)
    #expect(!(try table("2010-01-01,1.5\n2010-01-02,2.5\n").hasHeader))
    #expect(try table("a,b\nx,y\n").hasHeader)
    #expect(try table("date,2019\nx,1\n", header: true).columnNames == ["date", "2019"])
    #expect(try table("a,b\n1,2\n", header: false).rowCount == 2)
    #expect(try table("5,6\n").rowCount == 1)
    #expect(try table("a,b\n1,NA\nNA,\n").hasHeader)
  }

  @Test(arguments: ["\n", "\n\n\n", "\r\n\r\n", "\n  \n\t\n"])
  func blankLinesAtTheEndAreIgnored(_ end: String) throws {
    #expect(try table("a,b\n1,2" + end).rowCount == 1)
    #expect(try table("a\n1\n2" + end).rowCount == 2)
  }

  @Test func blankLinesInOneColumnAreMissing() throws {
    let t = try table("a\n1\n\n3\n")
    #expect(t.rowCount == 3)
    #expect(try t.numbers(column: "a", missing: .interpolate) == [1, 2, 3])
  }

  @Test(arguments: ["", "NA", "N/A", "NaN", "nan", "null", "None", "-", "?", " ", "NULL", "\"\"", "\" NA \""])
  func missingTokens(_ token: String) throws {
    let t = try table("a,b\n1,2\n\(token),3\n4,5\n")
    #expect(t.isNumeric("a"))
    #expect(try t.numbers(column: "a", missing: .zero) == [1, 0, 4])
    #expect(try t.numbers(column: "a", missing: .forwardFill) == [1, 1, 4])
    #expect(try t.numbers(column: "a", missing: .interpolate) == [1, 2.5, 4])
    let error = #expect(throws: CSVError.self) { try t.numbers(column: "a") }
    #expect(error?.line == 3)
  }

  @Test func gapsAtTheEndsHold() throws {
    let t = try table("a,b\n,1\n,1\n3,1\n,1\n,1\n9,1\n,1\n")
    #expect(try t.numbers(column: "a", missing: .interpolate) == [3, 3, 3, 5, 7, 9, 9])
    #expect(try t.floats(column: "a", missing: .interpolate) == [3, 3, 3, 5, 7, 9, 9])
    #expect(try t.numbers(column: "a", missing: .forwardFill) == [3, 3, 3, 3, 3, 9, 9])
  }

  @Test func missingCellsAreMarked() throws {
    let t = try table("a,b\n1,x\n,2\nNA,-\n4,5\n")
    #expect(try t.missing(column: "a") == [false, true, true, false])
    #expect(try t.missing(column: "b") == [true, false, true, false])
    #expect(throws: CSVError.self) { try t.missing(column: "c") }
  }

  @Test func isNumericSkipsDatesTextAndEmptyColumns() throws {
    let t = try table("date,v,empty,note\n2010-01-01,1,,a\n2010-01-02,NA,,2\n")
    #expect(t.numericColumns == ["v"])
    #expect(!t.isNumeric("none"))
  }

  @Test func cellsKeepTheirBlanksAndUnicode() throws {
    let t = try table("naïve ,日本\n x ,1\n🙂,2\n")
    #expect(t.columnNames == ["naïve", "日本"])
    #expect(try t.strings(column: "naïve") == [" x ", "🙂"])
  }

  @Test func readsTheDemonstrationsFiles() throws {
    let a = try table("date,temp\n2010/01/01 00:00,39.4\n")
    let b = try table("temp,date\n47.8,2010/01/01 00:00:00\n")
    #expect(a.numericColumns == ["temp"])
    #expect(b.numericColumns == ["temp"])
  }
}

@Suite struct CSVNumberTests {
  private func parse<Number: CSVNumber>(_ text: String, comma: Bool = false, as: Number.Type) -> Number? {
    var marks = CSVNumberParser.Marks()
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBufferPointer { cell -> Number? in
      let value = CSVNumberParser.parse(
        cell, style: .usual(comma ? .semicolon : .comma), marks: &marks, as: Number.self)
      if case .number(let number) = value { return number }
      return nil
    }
  }

  @Test(arguments: [
    "0", "-0", "1.", ".5", "+7", "007", "1e5", "1E-5", "1e+05", "9007199254740993", "1e22", "1e23",
    "123456789012345678901234567890",
    "0.1", "2.2250738585072011e-308", "4.9406564584124654e-324", "1.7976931348623157e308",
    "0.000000000000000000000000000001",
    "1e-400", "3.4028235e38", "1.1754944e-38", "1e-45", "7.006492321624085e-46", "16777217",
    "16777217.0000000001",
    "33554435", "0.50000002980232245", "1.00000017881393432617187499", "1.00000017881393432617187500",
    "1.00000017881393432617187501",
  ])
  func isCorrectlyRounded(_ text: String) throws {
    let double = try #require(parse(text, as: Double.self))
    #expect(double.bitPattern == strtod(text, nil).bitPattern)
    #expect(
      parse(text, as: Float.self)?.bitPattern == Float(text).flatMap { $0.isFinite ? $0.bitPattern : nil }
    )
  }

  @Test func randomDecimalsAreCorrectlyRounded() throws {
    var generator = SplitMix(state: 11)
    for _ in 0..<20_000 {
      let digits = (0..<Int.random(in: 1...21, using: &generator)).map { _ in
        String(Int.random(in: 0...9, using: &generator))
      }
      let point = Int.random(in: 0...digits.count, using: &generator)
      var text = digits[..<point].joined() + "." + digits[point...].joined()
      if Bool.random(using: &generator) { text += "e\(Int.random(in: -50...30, using: &generator))" }
      let double = try #require(parse(text, as: Double.self))
      #expect(double.bitPattern == strtod(text, nil).bitPattern, "\(text)")
      if let float = parse(text, as: Float.self) {
        #expect(float.bitPattern == strtof(text, nil).bitPattern, "\(text)")
      } else {
        #expect(strtof(text, nil).isInfinite, "\(text)")
      }
    }
  }

  @Test func floatsRoundTripBitForBit() throws {
    var generator = SplitMix(state: 11)
    for _ in 0..<20_000 {
      let value = Float(bitPattern: UInt32.random(in: 0...0x7f7f_ffff, using: &generator))
      #expect(parse(value.description, as: Float.self) == value)
      let half = Double(value) + Double(value.ulp) / 2
      // The shortest text of a half-way double lies beside it, where rounding twice would go wrong.
      let expected = strtof(half.description, nil)
      #expect(parse(half.description, as: Float.self) == expected || !expected.isFinite)
    }
  }

  @Test(arguments: [
    "0x10", "inf", "-inf", "Infinity", "1e", "1e+", "1.2.3", "1,5", "--1", "+-1", "1 2", "e5", ".", "+",
    "1f", "١", "12:30",
    "2010-01-01", "1_000", "nan(1)", "1e5.5",
  ])
  func isNoNumber(_ text: String) {
    #expect(parse(text, as: Double.self) == nil)
    #expect(parse(text, as: Float.self) == nil)
  }

  @Test func overflowIsNoNumber() {
    #expect(parse("1e999", as: Double.self) == nil)
    #expect(parse("1e99999999999999999999", as: Double.self) == nil)
    #expect(parse("1e-99999999999999999999", as: Double.self) == 0)
    #expect(parse("1e39", as: Float.self) == nil)
    #expect(parse("1e39", as: Double.self) == 1e39)
  }
}

@Suite struct CSVWriterTests {
  @Test func roundTripsBitForBit() throws {
    var writer = CSVWriter(columnNames: ["when", "a,b", "say \"hi\"", " padded "])
    let values: [[Float]] = [
      [0.1, -0, .leastNonzeroMagnitude], [.greatestFiniteMagnitude, 16_777_216, 3],
      [1e20, -2.5e-7, 1.0 / 3],
    ]
    for (index, row) in values.enumerated() { try writer.append(row, labels: ["day \(index),\nnoon"]) }
    let t = try CSVTable(bytes: writer.bytes, name: "x")
    #expect(t.columnNames == ["when", "a,b", "say \"hi\"", "padded"])
    #expect(try t.strings(column: "when") == ["day 0,\nnoon", "day 1,\nnoon", "day 2,\nnoon"])
    for (index, name) in t.columnNames.dropFirst().enumerated() {
      let column = try t.floats(column: name)
      #expect(column.map(\.bitPattern) == values.map { $0[index].bitPattern })
    }
  }

  @Test func writesPlainText() throws {
    var writer = CSVWriter(columnNames: ["a", "b"], separator: .semicolon)
    try writer.append([1.5, .nan])
    #expect(writer.text == "a;b\n1.5;nan\n")
    #expect(try CSVTable(bytes: writer.bytes, name: "x").numbers(column: "b", missing: .zero) == [0])
  }

  @Test func rowOfAnotherLengthIsRefused() {
    var writer = CSVWriter(columnNames: ["a", "b"], file: "out.csv")
    let error = #expect(throws: CSVError.self) { try writer.append([1]) }
    #expect(error?.description == "out.csv line 2: expected 2 cells, found 1")
  }
}
