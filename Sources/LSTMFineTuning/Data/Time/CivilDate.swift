/// A day of the Gregorian calendar, and its place among all days.
///
/// The arithmetic is Howard Hinnant's "chrono-compatible low-level date algorithms".
struct CivilDate: Sendable, Equatable {
  var year: Int
  var month: Int
  var day: Int

  static let microsecondsPerDay: Int64 = 86_400_000_000

  /// nil when there is no such day.
  init?(year: Int, month: Int, day: Int) {
    guard 1...9999 ~= year, 1...12 ~= month, day >= 1, day <= Self.days(inMonth: month, of: year) else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// - Parameter days: since 1 January 1970.
  init(days: Int) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  /// The day that an instant lies in, in microseconds since 1970.
  init(microseconds: Int64) { self.init(days: Self.day(of: microseconds)) }

  /// Days since 1 January 1970.
  var days: Int {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  var microseconds: Int64 { Int64(days) * Self.microsecondsPerDay }

  /// Months since the year 0.
  var monthNumber: Int { year * 12 + month - 1 }

  var isLastOfMonth: Bool { day == Self.days(inMonth: month, of: year) }

  /// The same day so many months later, or the month's last where it has no such day.
  func adding(months: Int, keepsLast: Bool = false) -> CivilDate {
    var result = self
    let number = monthNumber + months
    result.year = Int((Double(number) / 12).rounded(.down))
    result.month = number - result.year * 12 + 1
    let last = Self.days(inMonth: result.month, of: result.year)
    result.day = keepsLast ? last : min(day, last)
    return result
  }

  static func days(inMonth month: Int, of year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// The day's number since 1970 of an instant.
  static func day(of microseconds: Int64) -> Int {
    Int(
      microseconds >= 0
        ? microseconds / microsecondsPerDay : (microseconds - microsecondsPerDay + 1) / microsecondsPerDay)
  }

  /// 0 for Monday to 6 for Sunday.
  static func weekday(ofDay day: Int) -> Int { ((day + 3) % 7 + 7) % 7 }
}
