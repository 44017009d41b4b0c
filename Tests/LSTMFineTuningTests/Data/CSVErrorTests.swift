import FileIO
import Foundation
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// One test for each way in which a CSV file fails.
@Suite struct CSVErrorTests {
  private func failure<T>(
    _ location: SourceLocation = #_sourceLocation, _ body: () throws -> T
  ) -> CSVError? {
    #expect(throws: CSVError.self, sourceLocation: location) { _ = try body() }
  }

  @Test func notANumber() throws {
    let rows = (2...16).map { "\($0),1.5" }.joined(separator: "\n")
    let t = try table("t,temp\n\(rows)\n17,warm\n")
    let error = failure { try t.numbers(column: "temp") }
    #expect(error?.description == "mine.csv line 17, column \"temp\": expected a number, found \"warm\"")
    #expect(error?.line == 17)
    #expect(error?.column == "temp")
    #expect(error?.kind == .notANumber(found: "warm"))
  }

  @Test func notANumberBelowQuotedLineEnds() throws {
    let t = try table("a,b\n\"x\ny\r\nz\",1\n\"p\nq\",oops\n")
    #expect(failure { try t.floats(column: "b") }?.line == 6)
  }

  @Test func longOrOddTextIsShortened() throws {
    let t = try table(
      "a,b\n1,2\n\"\(String(repeating: "x", count: 100))\",2\n\"e\u{1b}[2J\nf\",3\n", header: true)
    let message = failure { try t.numbers(column: "a") }?.description
    #expect(
      message
        == "mine.csv line 3, column \"a\": expected a number, found \"\(String(repeating: "x", count: 39))…\""
    )
    let odd = CSVError(.notANumber(found: "e\u{1b}[2J\nf"), file: "x")
    #expect(odd.description == "x: expected a number, found \"e [2J f\"")
  }

  @Test func numberOutOfRange() throws {
    let t = try table("a\n1\n1e39\n")
    #expect(failure { try t.floats(column: "a") }?.kind == .numberOutOfRange(found: "1e39"))
    #expect(try t.numbers(column: "a") == [1, 1e39])
  }

  @Test func missingValue() throws {
    let t = try table("a,b\n1,2\n,3\nNA,3\n")
    let error = failure { try t.numbers(column: "a") }
    #expect(error?.description == "mine.csv line 3, column \"a\": expected a number, found an empty cell")
    #expect(error?.advice.isEmpty == false)
  }

  @Test func noValues() throws {
    let t = try table("a,b\n,1\nNA,2\n")
    #expect(failure { try t.numbers(column: "a", missing: .interpolate) }?.kind == .noValues)
    #expect(failure { try t.numbers(column: "a", missing: .forwardFill) }?.kind == .noValues)
    #expect(try t.numbers(column: "a", missing: .zero) == [0, 0])
  }

  @Test func mixedDecimalMarks() throws {
    let t = try table("a;b\n1;2,5\n1;2.5\n")
    let error = failure { try t.numbers(column: "b") }
    #expect(error?.kind == .mixedDecimalMarks(found: "2.5"))
    #expect(error?.line == 3)
  }

  @Test func unknownColumn() throws {
    let t = try table("date,temp,wind\nx,1,2\n")
    let error = failure { try t.numbers(column: "tmep") }
    #expect(error?.description == "mine.csv column \"tmep\": no such column")
    #expect(failure { try t.numbers(column: "Temp") }?.advice.first == "did you mean \"temp\"?")
    #expect(
      failure { try t.strings(column: "winds") }?.advice == [
        "did you mean \"wind\"?", "available: date, temp, wind",
      ])
    #expect(failure { try t.numbers(column: "humidity") }?.advice == ["available: date, temp, wind"])
  }

  @Test func raggedRow() {
    let error = failure { try table("a,b\n1,2\n3,4,5\n") }
    #expect(error?.description == "mine.csv line 3: expected 2 cells, found 3")
    #expect(failure { try table("a,b\n1,2\n\"x\ny\",4\n5\n") }?.line == 5)
    #expect(
      failure { try table("a,b\n1,2\n3\n", separator: .comma) }?.kind == .raggedRow(expected: 2, found: 1)
    )
  }

  @Test func raggedRowAfterManyIsStillFound() {
    let rows = String(repeating: "1,2\n", count: 500)
    #expect(failure { try table("a,b\n" + rows + "1;2,3,4\n") }?.line == 502)
  }

  @Test func blankLineAmongRows() {
    let error = failure { try table("a,b\n1,2\n\n3,4\n") }
    #expect(error?.description == "mine.csv line 3: a blank line among the rows, expected 2 cells")
    #expect(failure { try table("a,b\n1,2\n\nc,d\n3,4\n") }?.line == 3)
  }

  @Test func unterminatedQuote() {
    let error = failure { try table("a,b\n1,2\n\"x,3\n4,5\n") }
    #expect(error?.kind == .unterminatedQuote)
    #expect(error?.line == 3)
  }

  @Test func textAfterQuote() {
    #expect(failure { try table("a,b\n\"x\"y,2\n") }?.kind == .textAfterQuote)
  }

  @Test func columnNames() {
    let twice = failure { try table("a,b,a\n1,2,3\n") }
    #expect(twice?.description == "mine.csv line 1, column \"a\": two columns have this name")
    #expect(failure { try table(",a\n0,1\n") }?.kind == .emptyColumnName(position: 1))
    #expect(
      failure { try table("a,b,\n1,2,3\n") }?.description
        == "mine.csv line 1: column 3 has no name in the header")
  }

  @Test(arguments: ["", "\u{feff}", "\n\n", "  \n"])
  func emptyFile(_ text: String) {
    #expect(failure { try table(text) }?.kind == .empty)
  }

  @Test func headerOnly() {
    #expect(failure { try table("a,b\n") }?.kind == .headerOnly)
    #expect(failure { try table("1,2", header: true) }?.kind == .headerOnly)
  }

  @Test func binary() throws {
    let error = failure { try CSVTable(bytes: [0x50, 0x4b, 3, 4, 0, 0], name: "book.xlsx") }
    #expect(error?.kind == .binary)
    #expect(error?.advice.first?.contains("spreadsheet") == true)
  }

  @Test(
    arguments: [
      [0x81], [0xc3, 0xa4, 0xe9], [0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80],
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82],
    ] as [[UInt8]])
  func notUTF8(_ bad: [UInt8]) {
    let error = failure { try CSVTable(bytes: Array("a,b\n1,2\n".utf8) + bad, name: "x") }
    #expect(error?.kind == .notUTF8)
    #expect(error?.line == 3)
  }

  @Test(
    arguments: [
      [0xff, 0xfe, 0x61, 0, 0x62], [0xff, 0xfe, 0x00, 0xd8, 0x61, 0], [0xfe, 0xff, 0, 0x61, 0, 0],
      [0xff, 0xfe, 0, 0, 0x61, 0, 0, 0],
    ] as [[UInt8]])
  func damagedUTF16(_ bytes: [UInt8]) {
    #expect(failure { try CSVTable(bytes: bytes, name: "x") }?.kind == .notUTF8)
  }

  @Test func missingFileDirectoryAndPipe() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "lstm-ft-csv-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let pipe = folder.appendingPathComponent("pipe").path
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(failure { try CSVTable(contentsOf: folder.path + "/none") }?.kind == .notFound)
    #expect(failure { try CSVTable(contentsOf: folder.path) }?.kind == .isDirectory)
    #expect(failure { try CSVTable(contentsOf: pipe) }?.kind == .notRegularFile)
    let file = folder.appendingPathComponent("ok.csv")
    try Data("a\n1\n".utf8).write(to: file)
    #expect(try CSVTable(contentsOf: file.path).numbers(column: "a") == [1])
  }

  @Test func randomBytesEitherReadOrThrow() {
    var generator = SplitMix(state: 3)
    let alphabet = Array("a1,;\t|\"\n\r .-é".utf8)
    for _ in 0..<5000 {
      let count = Int.random(in: 0...40, using: &generator)
      let bytes = (0..<count).map { _ in alphabet.randomElement(using: &generator) ?? 0 }
      guard let t = try? CSVTable(bytes: bytes, name: "x") else { continue }
      for name in t.columnNames {
        #expect((try? t.strings(column: name))?.count == t.rowCount)
        _ = try? t.floats(column: name, missing: .interpolate)
      }
      _ = (0..<t.rowCount).map(t.firstLine)
    }
  }
}
