import FileIO
import LSTMCheckpoints
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Tables whose rows have times and ids.
@Suite struct TableOrderTests {
  static func table(_ text: String) throws -> CSVTable { try CSVTable(bytes: Array(text.utf8), name: "mine.csv") }

  static func ordered(_ text: String, _ choice: TableChoice = .init()) throws -> OrderedTable {
    try OrderedTable(table(text), choice)
  }

  static func wild(_ name: String, _ choice: TableChoice = .init()) throws -> OrderedTable {
    try OrderedTable(CSVTable(contentsOf: fixtures.appendingPathComponent("wild/csv/\(name).csv").path), choice)
  }

  static func hourly(_ count: Int, _ line: (Int, String) -> String) -> [String] {
    (0..<count).map { line($0, TimeFormat(.digits(12)).text(Int64($0) * 3_600_000_000 + 1_704_067_200_000_000)) }
  }

  // MARK: - Finding times

  @Test(arguments: [
    ("date,a\n2024-01-01,1\n2024-01-02,2\n", ["date"]),
    ("a,when\n1,25.03.2024 10:00\n2,25.03.2024 11:00\n", ["when"]),
    ("Date;Time;a\n16/12/2006;17:24:00;1\n16/12/2006;17:25:00;2\n", ["Date", "Time"]),
    ("day,hour,a\n2024-01-01,0,1\n2024-01-01,1,2\n2024-01-01,2,2\n", ["day", "hour"]),
    ("ymd,hour,a\n20240101,23,1\n20240101,22,2\n20240101,21,2\n", ["ymd", "hour"]),
    ("No,year,month,day,hour,pm\n1,2010,1,1,0,5\n2,2010,1,1,1,6\n3,2010,1,1,2,6\n", ["year", "month", "day", "hour"]),
    ("timestamp,a\n1711324800,1\n1711328400,2\n", ["timestamp"]),
    ("Month,Passengers\n1949-01,112\n1949-02,118\n", ["Month"]),
    ("period,a\n202401,1\n202402,2\n", ["period"]),
    ("time_ms,a\n1711324800000,1\n1711328400000,2\n", ["time_ms"]),
    ("Year,Sunspots\n1700,5\n1701,11\n1702,16\n1703,23\n1704,36\n1705,58\n1706,29\n1707,20\n1708,10\n", ["Year"]),
  ])
  func areFound(_ text: String, _ names: [String]) throws {
    #expect(try Self.ordered(text).time?.names == names)
  }

  /// Columns of numbers that are none, and targets.
  @Test(arguments: [
    "a,b\n1,2\n3,4\n5,6\n", "temp\n12\n13\n14\n", "count,b\n1711324800,2\n1511328400,3\n1611328400,1\n",
    "code,b\n20241301,1\n20240101,2\n", "hour,b\n1,2\n2,3\n3,4\n", "name,b\nx,1\ny,2\n", "v\n1.25\n2.25\n3.24\n",
  ])
  func aPlainTableIsTakenAsItStands(_ text: String) throws {
    let table = try Self.ordered(text)
    #expect(table.time == nil && table.notes.isEmpty && table.findings == nil && table.parts.count == 1)
    #expect(table.parts[0].rows == Array(0..<table.table.rowCount))
  }

  @Test func targetsAreNoTimes() throws {
    let text = "timestamp,a\n1711324800,1\n1711328400,2\n"
    #expect(try Self.ordered(text, .init(reserved: ["timestamp"])).time == nil)
    #expect(try Self.ordered(text, .init(time: .none)).time == nil)
  }

  @Test func aNamedColumnMayCount() throws {
    let table = try Self.ordered("t,a\n3,1\n1,2\n2,3\n", .init(time: .named(["t"])))
    #expect(table.parts[0].rows == [1, 2, 0] && table.findings?.step == "1" && table.findings?.last == "3")
    let time = try #require(table.time)
    #expect(time.texts(try #require(time.step).advance(3_000_000, by: 2)) == ["5"])
  }

  // MARK: - Days and months

  @Test func theWholeColumnDecides() throws {
    let months = "date,a\n" + (1...12).map { "01/\($0 < 10 ? "0" : "")\($0)/2023,1\n" }.joined() + "13/01/2024,1\n"
    #expect(try Self.ordered(months).time?.order == .dayFirst)
    #expect(try Self.ordered("date,a\n1/12/2024,1\n1/13/2024,2\n").time?.order == .monthFirst)
  }

  /// Hourly rows of a few days: read the other way they jump by months.
  @Test func evenStepsDecide() throws {
    let rows = (1...5).flatMap { day in (0..<24).map { "0\(day)/02/2020 \($0 < 10 ? "0" : "")\($0):00,1" } }
    let table = try Self.ordered("date,a\n" + rows.joined(separator: "\n") + "\n")
    #expect(table.time?.order == .dayFirst)
    #expect(table.findings?.last == "05/02/2020 23:00")
    let swapped = (1...5).flatMap { day in (0..<24).map { "02/0\(day)/2020 \($0 < 10 ? "0" : "")\($0):00,1" } }
    #expect(try Self.ordered("date,a\n" + swapped.joined(separator: "\n") + "\n").time?.order == .monthFirst)
  }

  @Test func otherwiseItIsAsked() throws {
    let text = "date,a\n" + (1...9).map { "0\($0)/01/2020,\($0)\n" }.joined()
    #expect(
      message { _ = try Self.ordered(text) }
        == "mine.csv, column \"date\": \"01/01/2020\" and the others may be read with the day first or with the month first"
    )
    #expect(try Self.ordered(text, .init(order: .dayFirst)).findings?.step == "day")
    #expect(try Self.ordered(text, .init(order: .monthFirst)).findings?.step == "month")
  }

  @Test func whatLooksLikeATimeAndIsNoneIsSaid() throws {
    let text = "date,a\n" + (1...9).map { "2024-01-0\($0),\($0)\n" }.joined() + "2024-01-32,1\n"
    let table = try Self.ordered(text)
    #expect(table.time == nil)
    #expect(table.notes.count == 1 && table.notes[0].contains("line 11 holds \"2024-01-32\""))
    #expect(
      message { _ = try Self.ordered(text, .init(time: .named(["date"]))) }
        == "mine.csv line 11, column \"date\": expected a date or a time like \"2024-01-01\", found \"2024-01-32\"")
  }

  // MARK: - Order

  @Test func newestFirst() throws {
    let table = try Self.wild("newest")
    #expect(table.parts[0].rows == (0..<2000).reversed())
    #expect(table.findings?.direction == .descending)
    #expect(table.notes.contains { $0.contains("newest row to the oldest") })
    #expect(table.findings?.gaps == .init(count: 1, line: 270, time: "2010/03/14 04:00:00"))
  }

  @Test func shuffled() throws {
    let table = try Self.ordered("date,a\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n")
    #expect(table.parts[0].rows == [1, 2, 0] && table.findings?.direction == .shuffled)
    #expect(
      message { _ = try Self.ordered("date,a\n2024-01-03,3\n2024-01-01,1\n2024-01-02,2\n2024-01-01,5\n") }
        == "mine.csv: the rows are in no order of time, and 1 of them repeats a time (the first on line 5, 2024-01-01)")
  }

  @Test(arguments: [
    ("dst", "time: a gap ends on line 148 (2024-03-31 03:00:00), 1 row missing"),
    ("dup", "time: a row repeats the time before it, on line 152 (2024-03-31 05:00:00)"),
    ("gap", "time: 2 gaps end, the first on line 1002 (2010/03/04 12:00:00), 501 rows missing in all"),
  ])
  func whatIsUnevenIsReported(_ name: String, _ line: String) throws {
    #expect(try Self.wild(name).notes.contains(Message(line)))
  }

  // MARK: - Ids

  @Test func repeatingTimesAskForTheID() throws {
    #expect(
      message { _ = try Self.wild("entities") }.hasSuffix(
        "entities.csv: the same times stand under \"store\" again and again, 2024-03-25 00:00:00 2 times: these seem to be several series"
      ))
    let table = try Self.wild("entities", .init(id: .named(["store"])))
    #expect(table.parts.map(\.id) == [["A"], ["B"]] && table.parts.map(\.rows.count) == [200, 200])
    // One series of both, if that is what is asked for.
    #expect(try Self.wild("entities", .init(id: .none)).parts[0].rows == Array(0..<400))
  }

  @Test func twoColumnsTogether() throws {
    let rows = (1...8).flatMap { day in
      ["x", "y"].flatMap { store in ["1", "2"].map { "\(store),\($0),2024-01-0\(day),\(day).5" } }
    }
    let text = "store,dept,date,sales\n" + rows.joined(separator: "\n") + "\n"
    do {
      _ = try Self.ordered(text)
      Issue.record("nothing was thrown")
    } catch TableError.needsID(_, let columns, _) {
      #expect(Set(columns) == ["store", "dept"])
    }
    let table = try Self.ordered(text, .init(id: .named(["store", "dept"])))
    #expect(table.parts.map(\.id) == [["x", "1"], ["x", "2"], ["y", "1"], ["y", "2"]])
    #expect(table.findings?.step == "day" && table.findings?.direction == .ascending)
  }

  /// Patients of different times, one after another.
  @Test func timesThatRunBackAskToo() throws {
    let rows = ["p1", "p2", "p3"].enumerated().flatMap { place, patient in
      (1...9).map { "\(patient),2024-0\(7 - place * 2)-0\($0),\($0)" }
    }
    #expect(
      message { _ = try Self.ordered("patient,date,a\n" + rows.joined(separator: "\n") + "\n") }.contains(
        "under each \"patient\""))
  }

  @Test func idsAreInTheOrderOfTheirNumbers() throws {
    let text = "id,a\n10,1\n2,2\n10,3\n1,4\n"
    let table = try Self.ordered(text, .init(id: .named(["id"])))
    #expect(table.parts.map(\.id) == [["1"], ["2"], ["10"]] && table.parts.map(\.rows) == [[3], [1], [0, 2]])
  }

  @Test func hoursFromOneToTwentyFour() throws {
    let rows = (1...2).flatMap { day in (1...24).map { "2024010\(day),\($0),1" } }
    let table = try Self.ordered("date,hour,a\n" + rows.joined(separator: "\n") + "\n")
    let time = try #require(table.time)
    #expect(table.findings?.step == "hour" && table.findings?.gaps == nil && table.findings?.last == "20240102 24")
    let last = try #require(time.instants.last)
    #expect(time.texts(try #require(time.step).advance(last, by: 1)) == ["20240103", "1"])
  }
}
