/// One cell that tells a time, taken apart; which of its numbers is the day may be open.
struct TimeText {
  /// How a date's numbers follow each other.
  enum Shape: UInt8, Sendable {
    /// 2024-03-25
    case yearFirst
    /// 25/03/2024 or 03/25/2024
    case yearLast
    /// 24-03-25: any of the three
    case short
    /// 25 March 2024, March 25, 2024 or 2024-Mar-25: nothing is open
    case named
    /// 2024-03, 03/2024, March 2024
    case month
    /// 2024-Q1
    case quarter
    /// 14:30 alone
    case clock
  }

  /// A piece of a cell, for writing others like it.
  enum Piece: Sendable, Equatable {
    case literal(String)
    /// The first, second and third number of a date whose order is open.
    case number(Int)
    case year(digits: Int)
    case month
    case monthName(isLong: Bool, isUpper: Bool)
    case day
    case weekday(isLong: Bool)
    case quarter
    case hour
    case hour12
    case halfDay(isUpper: Bool)
    case minute
    case second
    case fraction(digits: Int)
    case zone(hasColon: Bool, hasMinutes: Bool)
  }

  /// What is told least of all.
  enum Precision: Comparable, Sendable { case year, quarter, month, day, hour, minute, second }

  private(set) var shape = Shape.clock
  /// As written; year, month and day where nothing is open.
  private(set) var numbers = (0, 0, 0)
  /// Of the day, in microseconds.
  private(set) var clock: Int64 = 0
  /// Minutes east of UTC; nil where no zone is written.
  private(set) var offset: Int?
  private(set) var precision = Precision.day
  /// Whether the date's numbers stand between full stops.
  private(set) var hasDots = false
  /// Whether a day or month, or an hour, is written with one digit.
  private(set) var hasShortDate = false
  private(set) var hasShortHour = false
  private(set) var pieces: [Piece] = []

  /// nil when the text is no date and no time.
  /// - Parameter keepsPieces: whether it is to be a pattern for others.
  init?(_ text: String, keepsPieces: Bool = false) {
    var text = text
    let result: TimeText? = text.withUTF8 { bytes in
      var reader = Reader(bytes, keepsPieces: keepsPieces)
      return reader.read() ? reader.result : nil
    }
    guard let result else { return nil }
    self = result
  }

  fileprivate init() {}

  /// The instant, in microseconds since 1970: of UTC where a zone is written, else by the clock on the wall.
  /// - Returns: nil when there is no such day.
  func instant(_ order: DateOrder) -> Int64? {
    var date: CivilDate?
    switch shape {
    case .clock: return clock
    case .named, .month, .quarter: date = CivilDate(year: numbers.0, month: numbers.1, day: numbers.2)
    case .yearFirst, .yearLast, .short:
      switch order {
      case .yearFirst: date = CivilDate(year: Self.year(numbers.0, shape), month: numbers.1, day: numbers.2)
      case .dayFirst: date = CivilDate(year: Self.year(numbers.2, shape), month: numbers.1, day: numbers.0)
      case .monthFirst: date = CivilDate(year: Self.year(numbers.2, shape), month: numbers.0, day: numbers.1)
      }
    }
    return date.map { $0.microseconds + clock - Int64(offset ?? 0) * 60_000_000 }
  }

  /// The orders that a date of this shape may have.
  var orders: [DateOrder] {
    switch shape {
    case .yearLast: [.dayFirst, .monthFirst]
    case .short: [.dayFirst, .monthFirst, .yearFirst]
    case .yearFirst, .named, .month, .quarter, .clock: [.yearFirst]
    }
  }

  /// Two digits as POSIX reads them: 69 to 99 are of the last century.
  private static func year(_ number: Int, _ shape: Shape) -> Int {
    shape == .short && number < 100 ? number + (number < 69 ? 2000 : 1900) : number
  }

  private static let months = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
  ]
  private static let weekdays = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

  static func monthName(_ month: Int, isLong: Bool, isUpper: Bool) -> String {
    name(months[month - 1], isLong, isUpper)
  }

  static func weekdayName(_ weekday: Int, isLong: Bool) -> String { name(weekdays[weekday], isLong, false) }

  private static func name(_ name: String, _ isLong: Bool, _ isUpper: Bool) -> String {
    let text = isLong ? name : String(name.prefix(3))
    return isUpper ? text.uppercased() : text.prefix(1).uppercased() + text.dropFirst()
  }

  // MARK: - Reading

  private struct Reader {
    let bytes: UnsafeBufferPointer<UInt8>
    let keepsPieces: Bool
    var position = 0
    let end: Int
    var result = TimeText()

    init(_ bytes: UnsafeBufferPointer<UInt8>, keepsPieces: Bool) {
      var (start, end) = (0, bytes.count)
      while start < end, CSVNumberParser.isBlank(bytes[start]) { start += 1 }
      while end > start, CSVNumberParser.isBlank(bytes[end - 1]) { end -= 1 }
      self.bytes = bytes
      self.keepsPieces = keepsPieces
      self.end = end
      position = start
    }

    mutating func read() -> Bool {
      guard position < end else { return false }
      let start = position
      if readClock() {
        // A bare number is no time.
        if result.precision >= .minute, position == end { return true }
      }
      (position, result) = (start, TimeText())
      guard readDate() else { return false }
      guard position < end else { return true }
      guard result.shape != .month, result.shape != .quarter else { return false }
      guard readGap(), readClock() else { return false }
      return readZone() && position == end
    }

    @inline(__always)
    mutating func keep(_ piece: @autoclosure () -> Piece) { if keepsPieces { result.pieces.append(piece()) } }

    @inline(__always)
    func peek(_ ahead: Int = 0) -> UInt8 { position + ahead < end ? bytes[position + ahead] : 0 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    /// Up to `limit` digits.
    @inline(__always)
    mutating func digits(_ limit: Int) -> (value: Int, count: Int) {
      var (value, count) = (0, 0)
      while count < limit, Self.isDigit(peek()) {
        value = value * 10 + Int(peek() &- 0x30)
        count += 1
        position += 1
      }
      return (value, count)
    }

    /// A name of the list, or its first three letters, in any case.
    mutating func name(_ names: [String]) -> (index: Int, isLong: Bool, isUpper: Bool)? {
      let start = position
      while peek() | 0x20 >= 0x61, peek() | 0x20 <= 0x7a { position += 1 }
      let text = text(start..<position)
      let lower = text.lowercased()
      if text.count >= 3,
        let index = names.firstIndex(where: {
          $0 == lower || $0.prefix(3) == lower || lower == "sept" && $0.hasPrefix("sept")
        })
      {
        return (index, text.count > 3 && lower != "sept", text.count > 1 && text == text.uppercased())
      }
      position = start
      return nil
    }

    mutating func literal(_ count: Int = 1) {
      if keepsPieces { result.pieces.append(.literal(text(position..<position + count))) }
      position += count
    }

    func text(_ range: Range<Int>) -> String {
      String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    mutating func readDate() -> Bool {
      if let day = name(weekdays) {
        keep(.weekday(isLong: day.isLong))
        if peek() == 0x2c { literal() }
        guard peek() == 0x20 else { return false }
        literal()
      }
      if let month = name(months) { return readNamedFirst(month) }
      let first = digits(8)
      if first.count == 8 { return readCompact(first.value) }
      guard [1, 2, 4].contains(first.count) else { return false }
      let isYear = first.count == 4
      if isYear, peek() | 0x20 == 0x71 || (peek() == 0x2d && peek(1) | 0x20 == 0x71) { return readQuarter(first.value) }
      let separator = peek()
      guard [0x2d, 0x2f, 0x2e, 0x20].contains(separator) else { return false }
      result.hasDots = separator == 0x2e
      let mark = position
      position += 1
      if let month = name(months) { return readNamedSecond(first, month, separator) }
      guard separator != 0x20 else { return false }
      position = mark
      return readNumbers(first, isYear, separator)
    }

    /// 2024-03-25, 25.03.2024, 3/25/24, 2024-03, 03/2024
    private mutating func readNumbers(_ first: (value: Int, count: Int), _ isYear: Bool, _ separator: UInt8) -> Bool {
      position += 1
      let second = digits(4)
      let text = String(decoding: [separator], as: UTF8.self)
      let endsHere = peek() != separator
      if endsHere {
        if isYear, second.count == 2 {
          result.numbers = (first.value, second.value, 1)
          keep(.year(digits: 4))
          keep(.literal(text))
          keep(.month)
        } else if first.count <= 2, second.count == 4 {
          result.numbers = (second.value, first.value, 1)
          result.hasShortDate = first.count == 1
          keep(.month)
          keep(.literal(text))
          keep(.year(digits: 4))
        } else {
          return false
        }
        (result.shape, result.precision) = (.month, .month)
        return 1...12 ~= result.numbers.1 && position == end
      }
      guard 1...2 ~= second.count else { return false }
      position += 1
      let third = digits(4)
      result.numbers = (first.value, second.value, third.value)
      if isYear {
        guard 1...2 ~= third.count else { return false }
        result.shape = .yearFirst
      } else if third.count == 4 {
        result.shape = .yearLast
      } else {
        guard third.count == 2 else { return false }
        result.shape = .short
      }
      result.hasShortDate = second.count == 1 || first.count == 1 || isYear && third.count == 1
      for place in 0..<3 {
        if place > 0 { keep(.literal(text)) }
        keep(.number(place))
      }
      return true
    }

    /// March 25, 2024; Mar 2024; Mar-24
    private mutating func readNamedFirst(_ month: (index: Int, isLong: Bool, isUpper: Bool)) -> Bool {
      keep(.monthName(isLong: month.isLong, isUpper: month.isUpper))
      if peek() == 0x2e { literal() }
      guard peek() == 0x20 || peek() == 0x2d else { return false }
      literal()
      let number = digits(4)
      if number.count == 4 || number.count == 2 && position == end {
        // "Mar-24" has no day, and a date without its year is not a date.
        let year = number.count == 4 ? number.value : TimeText.year(number.value, .short)
        result.numbers = (year, month.index + 1, 1)
        keep(.year(digits: number.count))
        (result.shape, result.precision) = (.month, .month)
        return position == end
      }
      guard 1...2 ~= number.count else { return false }
      result.hasShortDate = number.count == 1
      keep(.day)
      if peek() == 0x2c { literal() }
      while peek() == 0x20 || peek() == 0x2d { literal() }
      let year = digits(4)
      guard year.count == 4 else { return false }
      keep(.year(digits: 4))
      result.numbers = (year.value, month.index + 1, number.value)
      result.shape = .named
      return true
    }

    /// 25 March 2024, 25-Mar-24, 2024-Mar-25
    private mutating func readNamedSecond(
      _ first: (value: Int, count: Int), _ month: (index: Int, isLong: Bool, isUpper: Bool), _ separator: UInt8
    ) -> Bool {
      let text = String(decoding: [separator], as: UTF8.self)
      keep(first.count == 4 ? .year(digits: 4) : .day)
      keep(.literal(text))
      keep(.monthName(isLong: month.isLong, isUpper: month.isUpper))
      guard peek() == separator else { return false }
      literal()
      let last = digits(4)
      if first.count == 4 {
        guard 1...2 ~= last.count else { return false }
        result.numbers = (first.value, month.index + 1, last.value)
        result.hasShortDate = last.count == 1
        keep(.day)
      } else {
        guard last.count == 4 || last.count == 2 else { return false }
        result.numbers = (
          last.count == 4 ? last.value : TimeText.year(last.value, .short), month.index + 1, first.value
        )
        result.hasShortDate = first.count == 1
        keep(.year(digits: last.count))
      }
      result.shape = .named
      return true
    }

    private mutating func readQuarter(_ year: Int) -> Bool {
      keep(.year(digits: 4))
      if peek() == 0x2d { literal() }
      literal()
      keep(.quarter)
      let number = digits(1)
      guard 1...4 ~= number.value, position == end else { return false }
      result.numbers = (year, number.value * 3 - 2, 1)
      (result.shape, result.precision) = (.quarter, .quarter)
      return true
    }

    /// 20240325, before a T and a time.
    private mutating func readCompact(_ value: Int) -> Bool {
      guard peek() | 0x20 == 0x74 else { return false }
      result.numbers = (value / 10_000, value / 100 % 100, value % 100)
      result.shape = .yearFirst
      for place in 0..<3 { keep(.number(place)) }
      return true
    }

    /// A T or blanks between date and time; a comma may stand before them.
    private mutating func readGap() -> Bool {
      if peek() | 0x20 == 0x74 {
        literal()
        return true
      }
      let start = position
      if peek() == 0x2c { literal() }
      while peek() == 0x20 { literal() }
      return position > start
    }

    private mutating func readClock() -> Bool {
      let hour = digits(6)
      var (value, minute, second) = (hour.value, 0, 0)
      result.precision = .hour
      keep(.hour)
      if hour.count == 4 || hour.count == 6 {
        // 20240325T143000; without a date it is a number.
        guard result.shape != .clock else { return false }
        let whole = hour.count == 6 ? hour.value : hour.value * 100
        (value, minute, second) = (whole / 10_000, whole / 100 % 100, whole % 100)
        result.precision = hour.count == 6 ? .second : .minute
        keep(.minute)
        if hour.count == 6 { keep(.second) }
      } else {
        guard 1...2 ~= hour.count else { return false }
        result.hasShortHour = hour.count == 1
        if peek() == 0x3a {
          literal()
          let read = digits(2)
          guard read.count == 2 else { return false }
          minute = read.value
          result.precision = .minute
          keep(.minute)
          if peek() == 0x3a {
            literal()
            let read = digits(2)
            guard read.count == 2 else { return false }
            second = read.value
            result.precision = .second
            keep(.second)
          }
        }
      }
      guard value <= 24, minute < 60, second < 60 else { return false }
      result.clock = Int64((value * 60 + minute) * 60 + second) * 1_000_000
      guard value < 24 || result.clock == 86_400_000_000 else { return false }
      if result.precision == .second, peek() == 0x2e || peek() == 0x2c, Self.isDigit(peek(1)) { readFraction() }
      return readHalfDay(value)
    }

    private mutating func readFraction() {
      literal()
      var (digits, scale): (Int, Int64) = (0, 100_000)
      while Self.isDigit(peek()) {
        result.clock += Int64(peek() &- 0x30) * scale
        scale /= 10
        digits += 1
        position += 1
      }
      keep(.fraction(digits: digits))
    }

    /// AM or PM, where it is written.
    private mutating func readHalfDay(_ hour: Int) -> Bool {
      let blank = peek() == 0x20 ? 1 : 0
      let letter = peek(blank)
      guard letter | 0x20 == 0x61 || letter | 0x20 == 0x70, peek(blank + 1) | 0x20 == 0x6d else { return true }
      guard 1...12 ~= hour else { return false }
      if blank == 1 { literal() }
      if keepsPieces, let place = result.pieces.lastIndex(of: .hour) { result.pieces[place] = .hour12 }
      keep(.halfDay(isUpper: letter < 0x60))
      position += 2
      if letter | 0x20 == 0x70, hour < 12 { result.clock += 43_200_000_000 }
      if letter | 0x20 == 0x61, hour == 12 { result.clock -= 43_200_000_000 }
      if result.precision == .hour { result.precision = .minute }
      return true
    }

    private mutating func readZone() -> Bool {
      if peek() == 0x20 { literal() }
      if peek() | 0x20 == 0x7a {
        literal()
        result.offset = 0
        return true
      }
      if position + 3 == end, ["UTC", "GMT"].contains(text(position..<end)) {
        literal(3)
        result.offset = 0
        return true
      }
      guard peek() == 0x2b || peek() == 0x2d else { return position == end }
      let isWest = peek() == 0x2d
      position += 1
      let hours = digits(2)
      guard hours.count == 2, hours.value <= 15 else { return false }
      let hasColon = peek() == 0x3a
      if hasColon { position += 1 }
      let minutes = digits(2)
      guard minutes.count == 2 || minutes.count == 0 && !hasColon, minutes.value < 60 else { return false }
      let total = hours.value * 60 + minutes.value
      result.offset = isWest ? -total : total
      keep(.zone(hasColon: hasColon, hasMinutes: minutes.count == 2))
      return true
    }
  }
}

extension TimeText.Precision {
  /// The first instant after what began at another.
  func end(of instant: Int64) -> Int64 {
    let date = CivilDate(microseconds: instant)
    return switch self {
    case .year: date.adding(months: 12).microseconds
    case .quarter: date.adding(months: 3).microseconds
    case .month: date.adding(months: 1).microseconds
    case .day: instant + CivilDate.microsecondsPerDay
    case .hour: instant + 3_600_000_000
    case .minute: instant + 60_000_000
    case .second: instant + 1_000_000
    }
  }
}
