/// How far one row of a table lies from the next.
package enum TimeStep: Sendable, Equatable {
  /// So many microseconds, or millionths of a count.
  case fixed(Int64)
  /// Months by the calendar; `lastDay` when rows stand at the ends of months.
  case months(Int, lastDay: Bool)
  /// From Monday to Friday.
  case businessDays

  /// The instant so many steps on.
  package func advance(_ instant: Int64, by count: Int) -> Int64 {
    switch self {
    case .fixed(let step): return instant &+ step &* Int64(count)
    case .months(let months, let lastDay):
      let date = CivilDate(microseconds: instant)
      return date.adding(months: months * count, keepsLast: lastDay).microseconds + instant - date.microseconds
    case .businessDays:
      var day = CivilDate.day(of: instant)
      let clock = instant - Int64(day) * CivilDate.microsecondsPerDay
      for _ in 0..<count {
        day += 1
        while CivilDate.weekday(ofDay: day) > 4 { day += 1 }
      }
      return Int64(day) * CivilDate.microsecondsPerDay + clock
    }
  }

  /// How many steps lie between two instants; nil when it is no whole number of them.
  func distance(_ from: Int64, _ to: Int64) -> Int? {
    switch self {
    case .fixed(let step): return (to - from) % step == 0 ? Int((to - from) / step) : nil
    case .months(let months, let lastDay):
      let (first, last) = (CivilDate(microseconds: from), CivilDate(microseconds: to))
      let difference = last.monthNumber - first.monthNumber
      guard difference % months == 0 else { return nil }
      let expected = first.adding(months: difference, keepsLast: lastDay).microseconds + from - first.microseconds
      return expected == to ? difference / months : nil
    case .businessDays:
      let (first, last) = (CivilDate.day(of: from), CivilDate.day(of: to))
      guard (to - from) % CivilDate.microsecondsPerDay == 0, CivilDate.weekday(ofDay: last) <= 4 else { return nil }
      return Self.businessDay(last) - Self.businessDay(first)
    }
  }

  /// Working days since some Monday.
  private static func businessDay(_ day: Int) -> Int {
    let sinceMonday = day + 3
    let week = Int((Double(sinceMonday) / 7).rounded(.down))
    return week * 5 + min(sinceMonday - week * 7, 5)
  }

  /// The step that most rows of some series keep; nil when fewer than half of them keep one.
  /// - Parameters:
  ///   - series: instants in ascending order, one list for each id.
  ///   - isCalendar: whether they are times, not counts.
  static func find(_ series: [[Int64]], isCalendar: Bool = true) -> TimeStep? {
    var counts: [Int64: Int] = [:]
    var total = 0
    for times in series {
      for (before, after) in zip(times, times.dropFirst()) where after > before {
        counts[after - before, default: 0] += 1
        total += 1
      }
    }
    // Of steps that are equally frequent, the shorter.
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) else { return nil }
    if isCalendar {
      if let months = months(series) { return months }
      if most.key == CivilDate.microsecondsPerDay, isBusiness(series) { return .businessDays }
    }
    return most.value * 2 >= total ? .fixed(most.key) : nil
  }

  private static func months(_ series: [[Int64]]) -> TimeStep? {
    guard let first = series.first(where: { !$0.isEmpty })?.first else { return nil }
    let start = CivilDate(microseconds: first)
    let clock = first - start.microseconds
    var (isSameDay, isLastDay) = (true, true)
    var counts: [Int: Int] = [:]
    var total = 0
    for times in series {
      var before: CivilDate?
      for time in times {
        let date = CivilDate(microseconds: time)
        guard time - date.microseconds == clock else { return nil }
        isSameDay = isSameDay && date.day == start.day
        isLastDay = isLastDay && date.isLastOfMonth
        guard isSameDay || isLastDay else { return nil }
        if let before, date.monthNumber > before.monthNumber {
          counts[date.monthNumber - before.monthNumber, default: 0] += 1
          total += 1
        }
        before = date
      }
    }
    guard let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }), most.value * 2 >= total else {
      return nil
    }
    return .months(most.key, lastDay: isLastDay && !isSameDay)
  }

  /// Whether no row is of a weekend and some weekend lies between two.
  private static func isBusiness(_ series: [[Int64]]) -> Bool {
    var crosses = false
    for times in series {
      var before: Int?
      for time in times {
        let day = CivilDate.day(of: time)
        let weekday = CivilDate.weekday(ofDay: day)
        guard weekday <= 4 else { return false }
        if let before, day - before >= 3, weekday < CivilDate.weekday(ofDay: before) { crosses = true }
        before = day
      }
    }
    return crosses
  }

  /// For people: `hour`, `15 minutes`, `month`.
  func words(isCalendar: Bool) -> String {
    switch self {
    case .businessDays: return "business day"
    case .months(let count, _):
      let (number, unit) =
        count % 12 == 0 ? (count / 12, "year") : count == 3 ? (1, "quarter") : (count, "month")
      return number == 1 ? unit : "\(number) \(unit)s"
    case .fixed(let step):
      guard isCalendar else {
        return step % 1_000_000 == 0 ? "\(step / 1_000_000)" : "\(Double(step) / 1e6)"
      }
      let units: [(Int64, String)] = [
        (604_800_000_000, "week"), (86_400_000_000, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"),
        (1_000_000, "second"), (1000, "millisecond"), (1, "microsecond"),
      ]
      let unit = units.first { step % $0.0 == 0 } ?? (1, "microsecond")
      return step == unit.0 ? unit.1 : "\(step / unit.0) \(unit.1)s"
    }
  }
}
