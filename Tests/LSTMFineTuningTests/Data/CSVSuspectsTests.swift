import FileIO
import Foundation
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Numbers that stand for missing values.
@Suite struct CSVSuspectsTests {
  private func column(_ cells: [String]) -> [UInt8] { Array(("v\n" + cells.joined(separator: "\n") + "\n").utf8) }

  /// Temperatures of 0 to 29.
  private static let usual = (0..<60).map { "\($0 % 30).5" }

  @Test(arguments: [
    "-9999", "-999", "-99.9", "-999.9", "-9999.00", "-32768", "9999", "999.9", "99999", "1e20", "9.96921e+36",
    "9.969209968386869e+36", "1E36", "-3.4028235e+38", "-8888", "2147483647",
  ])
  func areAskedAbout(_ mark: String) throws {
    var cells = Self.usual
    for place in [7, 8, 40] { cells[place] = mark }
    let t = try CSVTable(bytes: column(cells), name: "mine.csv")
    let plain = String(mark.dropFirst(mark.hasPrefix("+") ? 1 : 0))
    for error in [
      #expect(throws: CSVError.self) { try t.floats(column: "v") },
      #expect(throws: CSVError.self) { try t.numbers(column: "v") },
    ] {
      #expect(error?.kind == .suspectedMissing(marks: [plain], count: 3, range: "0.5 to 29.5"))
      #expect(error?.line == 9)
    }
    #expect(
      try #require(#expect(throws: CSVError.self) { try t.floats(column: "v") }).description
        == "mine.csv line 9, column \"v\": \(plain) (3 times) lies far outside the other values, 0.5 to 29.5: "
        + "does it mark missing values?")

    var options = CSVOptions()
    options.missingValues = [plain]
    let marked = try CSVTable(bytes: column(cells), name: "mine.csv", options: options)
    #expect(try marked.floats(column: "v", missing: .interpolate)[7..<9].allSatisfy { 6.5...9.5 ~= $0 })
    #expect(try marked.missing(column: "v").enumerated().filter(\.element).map(\.offset) == [7, 8, 40])
    #expect(marked.notes.map(\.kind) == [.missingMarks])
    #expect(marked.notes.first?.count == 3)
    #expect(throws: CSVError.self) { try marked.floats(column: "v") }

    options = CSVOptions()
    options.acceptsSentinelValues = true
    #expect(try CSVTable(bytes: column(cells), name: "x", options: options).numbers(column: "v")[7] == Double(mark))
  }

  @Test func severalAreAskedAboutAtOnce() throws {
    var cells = Self.usual
    for (place, mark) in [(3, "-9999"), (4, "-8888"), (5, "-9999")] { cells[place] = mark }
    let t = try CSVTable(bytes: column(cells), name: "mine.csv")
    let error = #expect(throws: CSVError.self) { try t.floats(column: "v") }
    #expect(error?.kind == .suspectedMissing(marks: ["-9999", "-8888"], count: 3, range: "0.5 to 29.5"))
  }

  @Test func oneIsEnoughWhereItIsCertain() throws {
    for (mark, isAsked) in [("-9999", true), ("1e36", true), ("999", false), ("-99", false)] {
      var cells = Self.usual
      cells[20] = mark
      let t = try CSVTable(bytes: column(cells), name: "mine.csv")
      #expect(((try? t.floats(column: "v")) == nil) == isAsked, "\(mark)")
    }
  }

  @Test func nothingElseInTheColumn() throws {
    let t = try CSVTable(bytes: column(["-9999", "-9999"]), name: "mine.csv")
    let error = #expect(throws: CSVError.self) { try t.floats(column: "v") }
    #expect(error?.kind == .suspectedMissing(marks: ["-9999"], count: 2, range: nil))
  }

  /// Numbers that are measured.
  @Test(arguments: [
    ["999", "998", "1001", "999", "1000"], ["-999", "-1200", "800", "-999", "1500"], ["99.9", "100", "97.3", "99.9"],
    ["0", "999", "0", "999"], ["-99", "-60", "20", "-99", "-80", "45"], ["1e20", "2e20", "3e20", "1e20"],
    ["65535", "0", "32767", "12000", "65535", "40000"], ["9999", "12000", "8000", "9999"], ["1", "2", "999"],
    ["-9999", "5000", "-20000", "30000"],
  ])
  func measurementsAreNotAskedAbout(_ cells: [String]) throws {
    let t = try CSVTable(bytes: column(cells), name: "mine.csv")
    #expect(try t.numbers(column: "v") == cells.compactMap(Double.init))
    #expect(try t.floats(column: "v") == cells.compactMap(Float.init))
  }

  @Test func wordsMayBeMarked() throws {
    var options = CSVOptions()
    options.missingValues = ["///", "-99,9"]
    let t = try CSVTable(bytes: Array("d;v\nx;1,5\ny;///\nz;-99,9\n".utf8), name: "x", options: options)
    #expect(t.isNumeric("v"))
    #expect(try t.numbers(column: "v", missing: .forwardFill) == [1.5, 1.5, 1.5])
    #expect(try t.missing(column: "v") == [false, true, true])
  }
}
