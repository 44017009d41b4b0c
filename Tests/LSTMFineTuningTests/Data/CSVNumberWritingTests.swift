import FileIO
import Foundation
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// How numbers are written, decided by column and file.
@Suite struct CSVNumberWritingTests {
  /// A column with the values that are right; nil where a question is.
  struct Column: Sendable, CustomTestStringConvertible {
    let what: String
    let text: String
    let values: [Double]?
    /// Whether the way of writing is worth a note.
    var isNoted = false

    init(_ what: String, _ text: String, _ values: [Double]?, noted: Bool = false) {
      (self.what, self.text, self.values, isNoted) = (what, text, values, noted)
    }
    var testDescription: String { what }
  }

  static let columns = [
    Column("three decimals between commas", "t,v\nx,50.104\ny,52.885\n", [50.104, 52.885]),
    Column("three decimals and fewer", "t,v\nx,12.345\ny,7.1\n", [12.345, 7.1]),
    Column("below one", "t;v\nx;0.123\ny;12.345\n", [0.123, 12.345]),
    Column("four digits before the mark", "t;v\nx;1234.567\ny;12.345\n", [1234.567, 12.345]),
    Column("zero and whole numbers between commas", "t,v\nx,0\ny,12.345\nz,8\n", [0, 12.345, 8]),
    Column("an exponent", "t;v\nx;1.234e3\ny;1.002\n", [1234, 1.002]),
    Column("points in a file of semicolons", "t;v\nx;1.002\ny;998\nz;1.015\n", nil),
    Column("points without whole numbers", "t;v\nx;1.854\ny;2.491\n", nil),
    Column("a series that passes 1000 between commas", "t,v\nx,987\ny,1.002\nz,995\n", nil),
    Column("a series that passes 1000, with commas", "t;v\nx;987\ny;1,002\nz;995\n", nil),
    Column("commas between tabs", "t\tv\nx\t1,002\ny\t1,015\n", nil),
    Column("a comma decimal elsewhere", "t;v;w\nx;1.854;50,1\ny;2.491;7\n", [1854, 2491], noted: true),
    Column("a point decimal elsewhere", "t;v;w\nx;1.854;50.1\ny;2.491;7\n", [1.854, 2.491], noted: true),
    Column("both elsewhere", "t;v;w;u\nx;1.854;50.1;5,25\ny;2.491;7;8\n", nil),
    Column("a comma decimal elsewhere, but four digits without a mark", "t;v;w\nx;1.854;50,1\ny;1854;7\n", nil),
    Column("a point decimal elsewhere, but 998 beside 1.002", "t;v;w\nx;1.002;50.1\ny;998;7\n", nil),
    Column("a comma in the same column", "t;v\nx;1.854\ny;12,5\n", [1854, 12.5], noted: true),
    Column("two marks in one number", "t;v\nx;1.234,567\ny;12.345\n", [1234.567, 12345], noted: true),
    Column("the same mark twice", "t;v\nx;1.234.567\ny;12.345\n", [1_234_567, 12345], noted: true),
    Column(
      "the same mark twice between commas", "t,v\nx,\"1,234,567\"\ny,\"12,345\"\n", [1_234_567, 12345], noted: true),
    Column("quoted commas", "t,v\nx,\"1,002\"\ny,998\nz,\"1,015\"\n", [1002, 998, 1015], noted: true),
    Column("quoted commas alone", "t,v\nx,\"1,854\"\ny,\"2,491\"\n", [1854, 2491], noted: true),
    Column("quoted commas beside European dates", "t,v\n25.03.2024,\"1,854\"\n26.03.2024,\"2,491\"\n", nil),
    Column("quoted decimal commas", "t,v\nx,\"1,85\"\ny,\"2,491\"\n", [1.85, 2.491], noted: true),
    Column(
      "quoted decimal commas elsewhere", "t,v,w\nx,1.854,\"7,5\"\ny,2.491,8\n", [1854, 2491], noted: true),
    Column(
      "lakhs", "t,v\nx,\"12,34,567.5\"\ny,\"1,23,456\"\nz,\"45,678\"\n", [1_234_567.5, 123_456, 45678], noted: true),
    Column("apostrophes", "t;v\nx;1'002\ny;998\nz;1’234’567.25\n", [1002, 998, 1_234_567.25], noted: true),
    Column("apostrophes and three decimals", "t;v\nx;1'002.345\ny;1.015\n", [1002.345, 1.015], noted: true),
    Column(
      "spaces", "t;v\nx;1 002\ny;998\nz;1\u{a0}015,5\nu;1\u{202f}234\u{2009}567\n", [1002, 998, 1015.5, 1_234_567],
      noted: true),
    Column("a typographic minus", "t,v\nx,\u{2212}5\ny,3.5\n", [-5, 3.5]),
    Column("decimal commas between tabs", "t\tv\nx\t1,5\ny\t1,015\n", [1.5, 1.015], noted: true),
    Column("three decimals between tabs", "t\tv\nx\t50.104\ny\t52.885\n", [50.104, 52.885], noted: true),
    Column("three decimals with commas", "t;v\nx;50,104\ny;52,885\n", [50.104, 52.885], noted: true),
  ]

  @Test(arguments: columns)
  func isReadOrAsked(_ column: Column) throws {
    let t = try table(column.text)
    #expect(t.isNumeric("v"))
    #expect(try t.missing(column: "v").allSatisfy { !$0 })
    guard let values = column.values else {
      let error = #expect(throws: CSVError.self) { try t.numbers(column: "v") }
      guard case .ambiguousNumber = error?.kind else {
        Issue.record("asked nothing: \(error.map { "\($0)" } ?? "read")")
        return
      }
      #expect(error?.line != nil)
      #expect(error?.column == "v")
      return
    }
    #expect(try t.numbers(column: "v") == values)
    #expect(try t.floats(column: "v") == values.map { Float($0) })
    #expect((t.notes.count { $0.kind == .numbers }) == (column.isNoted ? 1 : 0))
  }

  @Test func theQuestionNamesBothReadings() throws {
    let t = try table("t;v\nx;998\ny;-1.002\n")
    let error = #expect(throws: CSVError.self) { try t.floats(column: "v") }
    #expect(error?.description == "mine.csv line 3, column \"v\": \"-1.002\" can be read as -1.002 or as -1002")
    #expect(error?.kind == .ambiguousNumber(found: "-1.002", mark: .point, asDecimal: "-1.002", asThousands: "-1002"))
  }

  @Test func theNoteNamesTheColumnThatTells() throws {
    let t = try table("t;v;w\nx;1.854;50,1\n")
    #expect(t.notes.isEmpty)
    _ = try t.numbers(column: "v")
    #expect(
      t.notes.map(\.description) == [
        "mine.csv line 2, column \"v\": \"1.854\" is read as 1854, as column \"w\" has its numbers"
      ])
  }

  private func asked(
    _ text: String, _ decimal: CSVDecimalMark?, _ thousands: CSVThousands?
  ) throws(CSVError) -> [Double] {
    var options = CSVOptions()
    (options.decimal, options.thousands) = (decimal, thousands)
    return try CSVTable(bytes: Array(text.utf8), name: "mine.csv", options: options).numbers(column: "v")
  }

  @Test func optionsAnswer() throws {
    let points = "t;v\nx;1.002\ny;998\n"
    #expect(try asked(points, .point, nil) == [1.002, 998])
    #expect(try asked(points, .comma, nil) == [1002, 998])
    #expect(try asked(points, nil, .point) == [1002, 998])
    #expect(try asked(points, nil, .comma) == [1.002, 998])
    #expect(try asked(points, nil, .never) == [1.002, 998])
    #expect(try asked(points, nil, .apostrophe) == [1.002, 998])
    let commas = "t,v\nx,\"1,002\"\ny,998\n"
    #expect(try asked(commas, .point, nil) == [1002, 998])
    #expect(try asked(commas, .comma, nil) == [1.002, 998])
    #expect(try asked(commas, nil, .comma) == [1002, 998])
    #expect(try asked(commas, nil, .point) == [1.002, 998])
    #expect(try asked(commas, nil, .space) == [1.002, 998])
    #expect(try asked("t;v\nx;1 002,5\n", .comma, nil) == [1002.5])
  }

  @Test(arguments: ["50,1", "1.002,5", "1.002.003"])
  func whatContradictsTheOptionsIsRefused(_ cell: String) throws {
    let error = #expect(throws: CSVError.self) { try asked("t;v\nx;1\ny;\(cell)\n", .point, .never) }
    #expect(error?.kind == .notANumber(found: cell))
    #expect(error?.line == 3)
  }

  @Test func optionsThatContradictEachOther() {
    #expect(throws: CSVError.self) { try asked("t;v\nx;1\n", .comma, .comma) }
  }

  @Test(arguments: ["1.5;1,5", "1.234.567;1.5", "1,234,567;2,25", "1'000;1.234.567", "1.5;1.234.567,5"])
  func onesOwnContradictionIsNamed(_ cells: String) throws {
    let rows = cells.split(separator: ";").map { "x;\($0)" }.joined(separator: "\n")
    let t = try table("t;v\n\(rows)\n", separator: .semicolon)
    let error = #expect(throws: CSVError.self) { try t.numbers(column: "v") }
    guard case .mixedDecimalMarks = error?.kind else {
      Issue.record("\(error.map { "\($0)" } ?? "read")")
      return
    }
    #expect(error?.line == 3)
  }

  @Test(arguments: [
    "1.2.3", "12.34.56", "0.123.456", "1,2,3", "1,2345.6", "1'2", "1''002", "1 2", "0 123", "1.234'567", "1 002 00",
    "192.168.1.1", "2024.01.02", "1 002e3", "12:30", "1.002.",
  ])
  func isNoNumber(_ cell: String) throws {
    let t = try table("t;v\nx;1\ny;\(cell)\nz;2.5\n", separator: .semicolon)
    #expect(!t.isNumeric("v"))
    #expect(throws: CSVError.self) { try t.numbers(column: "v") }
    #expect(try t.missing(column: "v") == [false, true, false])
  }

  // MARK: Conventions

  struct Convention: Sendable, CustomTestStringConvertible {
    let name: String
    let decimal: String
    let thousands: [String]
    let separators: [CSVSeparator]
    var testDescription: String { name }

    func write(_ value: Double, decimals: Int, mark: String?) -> String {
      let plain = String(format: "%.\(decimals)f", abs(value))
      let parts = plain.split(separator: ".")
      var whole = String(parts[0])
      if let mark {
        var groups: [String] = []
        while whole.count > (name == "in" && !groups.isEmpty ? 2 : 3) {
          // After the last three digits India counts in pairs.
          let length = name == "in" && !groups.isEmpty ? 2 : 3
          groups.insert(String(whole.suffix(length)), at: 0)
          whole = String(whole.dropLast(length))
        }
        whole = ([whole] + groups).joined(separator: mark)
      }
      return (value < 0 ? "-" : "") + whole + (parts.count > 1 ? decimal + parts[1] : "")
    }
  }

  static let conventions = [
    Convention(name: "us", decimal: ".", thousands: [","], separators: [.comma, .tab, .bar]),
    Convention(name: "in", decimal: ".", thousands: [","], separators: [.comma]),
    Convention(name: "de", decimal: ",", thousands: ["."], separators: [.semicolon]),
    Convention(
      name: "fr", decimal: ",", thousands: ["\u{202f}", "\u{a0}", " "], separators: [.semicolon, .tab]),
    Convention(name: "ch", decimal: ".", thousands: ["'", "\u{2019}"], separators: [.semicolon, .comma]),
  ]

  /// Whatever comes out is right, or a question; and questions are rare.
  @Test(arguments: conventions)
  func writtenAndReadBack(_ convention: Convention) throws {
    var generator = SplitMix(state: 5)
    var questions = 0
    let rounds = 400
    for round in 0..<rounds {
      let separator = convention.separators.randomElement(using: &generator) ?? .comma
      let mark = Bool.random(using: &generator) ? convention.thousands.randomElement(using: &generator) : nil
      let size = pow(10, Double.random(in: 0...7, using: &generator))
      let base = Bool.random(using: &generator) ? size : 0
      let decimals = Int.random(in: 0...4, using: &generator)
      let rows = Int.random(in: 1...30, using: &generator)
      var values: [[Double]] = [[], []]
      var text = "t\(separator.rawValue)v\(separator.rawValue)w\n"
      for row in 0..<rows {
        text += "row \(row)"
        for column in 0..<2 {
          let random = Double.random(in: -1...1, using: &generator) * size / (base == 0 ? 1 : 10) + base
          let scale = pow(10, Double(decimals))
          let value = (random * scale).rounded() / scale
          values[column].append(value)
          let cell = convention.write(value, decimals: decimals, mark: mark)
          text += separator.rawValue + (cell.contains(separator.rawValue) ? "\"\(cell)\"" : cell)
        }
        text += "\n"
      }
      let t = try table(text, separator: separator, header: true)
      for (column, name) in ["v", "w"].enumerated() {
        do throws(CSVError) {
          let read = try t.numbers(column: name)
          let isRight = zip(read, values[column]).allSatisfy { abs($0 - $1) <= 1e-9 * max(abs($1), 1) }
          #expect(isRight, "\(convention.name), round \(round): \(text.prefix(200)) gave \(read.prefix(5))")
        } catch {
          guard case .ambiguousNumber = error.kind else { throw error }
          questions += 1
        }
      }
    }
    #expect(questions < rounds / 5)
  }
}
