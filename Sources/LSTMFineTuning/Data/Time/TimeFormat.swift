/// How a column writes its times: reads cells into instants, and writes instants as the column does.
package struct TimeFormat: Sendable, Equatable {
  /// What the cells are.
  enum Kind: Sendable, Equatable {
    /// Dates, times or both as text.
    case text
    /// Seconds since 1970, or thousandths and less of them: how many microseconds a unit has; 0 for nanoseconds.
    case unix(unit: Int64)
    /// yyyy, yyyymm, yyyymmdd and so on, of so many digits.
    case digits(Int)
    /// A number of anything, in millionths of it.
    case count
    /// A date's or a time's part in a column of its own.
    case year, month, day, minute, second
    /// An hour from 0 to 23, or from 1 to 24.
    case hour(isFromOne: Bool)
    /// 930 for half past nine.
    case hourMinute(isPadded: Bool)
  }

  let kind: Kind
  let order: DateOrder
  let pieces: [TimeText.Piece]
  let precision: TimeText.Precision
  /// Whether days, months and hours have two digits.
  let padsDate: Bool
  let padsHour: Bool
  /// Decimals of a number.
  let decimals: Int

  init(
    _ kind: Kind, order: DateOrder = .yearFirst, pieces: [TimeText.Piece] = [], precision: TimeText.Precision = .second,
    padsDate: Bool = true, padsHour: Bool = true, decimals: Int = 0
  ) {
    (self.kind, self.order, self.pieces, self.precision) = (kind, order, pieces, precision)
    (self.padsDate, self.padsHour, self.decimals) = (padsDate, padsHour, decimals)
  }

  /// Whether it tells a clock's time without a day, or only a part of a date.
  var isPartial: Bool {
    switch kind {
    case .text: !pieces.contains { if case .year = $0 { true } else if case .number = $0 { true } else { false } }
    case .unix, .digits, .count: false
    case .year, .month, .day, .hour, .minute, .second, .hourMinute: true
    }
  }

  /// Whether it tells a day, or a part of one's date.
  var tellsDay: Bool {
    switch kind {
    case .year, .month, .day: true
    default: !isPartial
    }
  }

  /// An instant as this column writes it.
  /// - Parameter offset: minutes east of UTC, for cells that tell them.
  package func text(_ instant: Int64, offset: Int = 0) -> String {
    let local = instant + Int64(offset) * 60_000_000
    let date = CivilDate(microseconds: local)
    let clock = local - date.microseconds
    let (hour, minute) = (Int(clock / 3_600_000_000), Int(clock / 60_000_000 % 60))
    switch kind {
    case .text: return text(date, clock, offset)
    case .unix(let unit):
      if unit == 0 { return "\(instant * 1000)" }
      return Self.decimal(instant, unit: unit, decimals)
    case .count: return Self.decimal(instant, unit: 1_000_000, decimals)
    case .digits(let count):
      let whole =
        Self.padded(date.year, 4) + Self.padded(date.month) + Self.padded(date.day) + Self.padded(hour)
        + Self.padded(minute) + Self.padded(Int(clock / 1_000_000 % 60))
      return String(whole.prefix(count))
    case .year: return "\(date.year)"
    case .month: return padsDate ? Self.padded(date.month) : "\(date.month)"
    case .day: return padsDate ? Self.padded(date.day) : "\(date.day)"
    case .hour(let isFromOne):
      let number = isFromOne && hour == 0 ? 24 : hour
      return padsHour ? Self.padded(number) : "\(number)"
    case .minute: return padsHour ? Self.padded(minute) : "\(minute)"
    case .second: return "\(clock / 1_000_000 % 60)"
    case .hourMinute(let isPadded): return isPadded ? Self.padded(hour * 100 + minute, 4) : "\(hour * 100 + minute)"
    }
  }

  private func text(_ date: CivilDate, _ clock: Int64, _ offset: Int) -> String {
    let hour = Int(clock / 3_600_000_000)
    var text = ""
    for piece in pieces {
      switch piece {
      case .literal(let literal): text += literal
      case .number(let place): text += number(date, place)
      case .year(let digits): text += digits == 2 ? Self.padded(date.year % 100) : Self.padded(date.year, 4)
      case .month: text += padsDate ? Self.padded(date.month) : "\(date.month)"
      case .monthName(let isLong, let isUpper):
        text += TimeText.monthName(date.month, isLong: isLong, isUpper: isUpper)
      case .day: text += padsDate ? Self.padded(date.day) : "\(date.day)"
      case .weekday(let isLong):
        text += TimeText.weekdayName(CivilDate.weekday(ofDay: date.days), isLong: isLong)
      case .quarter: text += "\((date.month + 2) / 3)"
      case .hour: text += padsHour ? Self.padded(hour) : "\(hour)"
      case .hour12: text += padsHour ? Self.padded((hour + 11) % 12 + 1) : "\((hour + 11) % 12 + 1)"
      case .halfDay(let isUpper): text += isUpper ? (hour < 12 ? "AM" : "PM") : (hour < 12 ? "am" : "pm")
      case .minute: text += Self.padded(Int(clock / 60_000_000 % 60))
      case .second: text += Self.padded(Int(clock / 1_000_000 % 60))
      case .fraction(let digits):
        text += (Self.padded(Int(clock % 1_000_000), 6) + String(repeating: "0", count: max(digits - 6, 0)))
          .prefix(digits)
      case .zone(let hasColon, let hasMinutes):
        text += offset < 0 ? "-" : "+"
        text += Self.padded(abs(offset) / 60)
        if hasMinutes || offset % 60 != 0 { text += (hasColon ? ":" : "") + Self.padded(abs(offset) % 60) }
      }
    }
    return text
  }

  /// A number of a date in this order.
  private func number(_ date: CivilDate, _ place: Int) -> String {
    let isYearPlace = order == .yearFirst ? place == 0 : place == 2
    if isYearPlace { return shortYear ? Self.padded(date.year % 100) : Self.padded(date.year, 4) }
    let isMonth = order == .monthFirst ? place == 0 : place == 1
    let value = isMonth ? date.month : date.day
    return padsDate ? Self.padded(value) : "\(value)"
  }

  /// Whether years have two digits.
  var shortYear = false

  private static func padded(_ number: Int, _ width: Int = 2) -> String {
    let text = "\(number)"
    return text.count < width ? String(repeating: "0", count: width - text.count) + text : text
  }

  private static func decimal(_ value: Int64, unit: Int64, _ decimals: Int) -> String {
    let isNegative = value < 0
    let magnitude = value.magnitude
    let whole = "\(isNegative ? "-" : "")\(magnitude / UInt64(unit))"
    var digits = ""
    var rest = magnitude % UInt64(unit)
    while rest > 0 || digits.count < decimals {
      rest *= 10
      digits += "\(rest / UInt64(unit))"
      rest %= UInt64(unit)
    }
    return digits.isEmpty ? whole : whole + "." + digits
  }
}
