import LSTMCheckpoints
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Cells that tell a time, and those that do not.
@Suite struct TimeFormatTests {
  /// Seconds since 1970.
  static func seconds(_ text: String, _ order: DateOrder = .yearFirst) -> Double? {
    TimeText(text)?.instant(order).map { Double($0) / 1e6 }
  }

  // The numbers are those of Python's datetime.
  @Test(arguments: [
    ("2024-03-25", 1_711_324_800), ("2024/03/25 14:30", 1_711_377_000), ("2024-03-25T14:30:05Z", 1_711_377_005),
    ("2024-03-25 14:30:05.250", 1_711_377_005.25), ("2024-03-25T14:30:05+01:00", 1_711_373_405),
    ("2024-03-25T14:30:05-0930", 1_711_411_205), ("2024-03-25 14:30:05 UTC", 1_711_377_005),
    ("20240325T143005", 1_711_377_005), ("2024-03-25T14", 1_711_375_200), ("2024-02-29", 1_709_164_800),
    ("1969-12-31 23:59:59", -1), ("2024-03-25 24:00", 1_711_411_200), ("25 March 2024", 1_711_324_800),
    ("Mar 25, 2024", 1_711_324_800), ("25-Mar-24", 1_711_324_800), ("2024-MAR-25", 1_711_324_800),
    ("Mon, 25 Mar 2024 14:30:05 GMT", 1_711_377_005), ("2024-03", 1_709_251_200), ("03/2024", 1_709_251_200),
    ("Mar 2024", 1_709_251_200), ("2024-Q2", 1_711_929_600), (" 2024-03-25 2:30 PM ", 1_711_377_000),
    ("2024-03-25 12:05:00 am", 1_711_325_100),
  ])
  func dates(_ text: String, _ expected: Double) { #expect(Self.seconds(text) == expected) }

  @Test(arguments: [
    ("25.03.2024", DateOrder.dayFirst), ("03/25/2024", .monthFirst), ("25.3.24", .dayFirst),
    ("24-03-25", .yearFirst), ("3/25/2024", .monthFirst), ("25-03-2024", .dayFirst),
  ])
  func ordersOfNumbers(_ text: String, _ order: DateOrder) {
    #expect(Self.seconds(text, order) == 1_711_324_800)
  }

  @Test(arguments: [
    "", "12", "3.5", "2024", "1.002", "2024-13-01", "2023-02-29", "2024-03-25 25:00", "2024-03-25 14:60", "12:75",
    "2024-03-25x", "2024-03-25 14:30 EST", "25/03-2024", "2024--03", "Total", "March", "A", "NaN", "-", "10-20-30-40",
    "2024-03-25 13:00 PM", "192.168.1.1", "2024-03-25 14:30+1", "1/2", "0x10",
  ])
  func whatIsNone(_ text: String) { #expect(Self.seconds(text) == nil) }

  @Test(arguments: [
    [0, 1970, 1, 1], [-1, 1969, 12, 31], [19782, 2024, 2, 29], [11016, 2000, 2, 29], [-719_162, 1, 1, 1],
    [2_932_896, 9999, 12, 31],
  ])
  func days(_ expected: [Int]) throws {
    let date = CivilDate(days: expected[0])
    #expect([date.year, date.month, date.day] == Array(expected.dropFirst()))
    #expect(date.days == expected[0])
  }

  /// What is written is what was read, in the column's own writing.
  @Test(arguments: [
    ["2024-03-25 14:30:00", "2024-03-25 15:30:00"], ["2010/01/01 00:00:00", "2010/01/01 01:00:00"],
    ["25.03.2024", "26.03.2024"], ["3/25/2024 1:05 PM", "3/26/2024 11:00 AM"], ["2024-03", "2024-04"],
    ["Mar 25, 2024", "Mar 26, 2024"], ["2024-03-25T14:30:05.125Z", "2024-03-25T14:30:06.125Z"],
    ["25-MAR-24", "26-MAR-24"], ["2024-Q1", "2024-Q2"], ["2024-03-25T14:30:05+01:00", "2024-03-25T15:30:05+01:00"],
    ["Mon, 25 Mar 2024 14:30:05 GMT", "Tue, 26 Mar 2024 14:30:05 GMT"],
  ])
  func writesAsItReads(_ cells: [String]) throws {
    guard case .found(let found) = TimeCells.text(cells, order: nil) else { return #expect(Bool(false)) }
    let offset = found.offsets.last ?? 0
    #expect(found.instants.map { found.format.text($0, offset: offset) } == cells)
  }

  // MARK: - Steps

  static func instants(_ cells: [String]) throws -> [Int64] {
    guard case .found(let found) = TimeCells.text(cells, order: nil) else {
      throw TableError.unordered(file: "", detail: "")
    }
    return found.instants
  }

  @Test(arguments: [
    (["2024-01-01", "2024-02-01", "2024-03-01"], "month", "2024-04-01"),
    (["2024-01-31", "2024-02-29", "2024-03-31"], "month", "2024-04-30"),
    (["2024-01-01", "2024-04-01", "2024-07-01"], "quarter", "2024-10-01"),
    (["2020-06-30", "2021-06-30", "2022-06-30"], "year", "2023-06-30"),
    (["2024-03-21", "2024-03-22", "2024-03-25", "2024-03-26"], "business day", "2024-03-27"),
    (
      ["2024-03-20", "2024-03-21", "2024-03-22", "2024-03-25", "2024-03-26", "2024-03-27", "2024-03-28", "2024-03-29"],
      "business day", "2024-04-01"
    ),
    (["2024-03-22", "2024-03-23", "2024-03-24"], "day", "2024-03-25"),
    (["2024-03-01", "2024-03-08", "2024-03-15"], "week", "2024-03-22"),
    (["2024-03-25 10:00", "2024-03-25 10:15", "2024-03-25 10:30"], "15 minutes", "2024-03-25 10:45"),
  ])
  func stepsGoOn(_ cells: [String], _ words: String, _ next: String) throws {
    let times = try Self.instants(cells)
    let step = try #require(TimeStep.find([times]))
    #expect(step.words(isCalendar: true) == words)
    #expect(step.advance(try #require(times.last), by: 1) == (try Self.instants([next])[0]))
    #expect(zip(times, times.dropFirst()).allSatisfy { step.distance($0, $1) == 1 })
  }

  @Test func withoutAUsualStepThereIsNone() throws {
    #expect(TimeStep.find([try Self.instants(["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-14"])]) == nil)
    #expect(TimeStep.find([[5]]) == nil)
  }
}
