/// The times of one column's cells.
struct TimeCells {
  /// By row; of a clock's time or a date's part, what it adds.
  var instants: [Int64]
  var format: TimeFormat
  /// Minutes east of UTC by row; empty where no zone is written.
  var offsets: [Int] = []
  /// Whether the order of its dates' numbers was open until all were looked at.
  var isOrderOpen = false

  enum Outcome {
    case found(TimeCells)
    /// The first row that is none.
    case notATime(row: Int)
    case open([DateOrder])
  }

  // MARK: - Text

  /// - Parameter order: as asked for, or as the model was fine-tuned with.
  static func text(_ cells: [String], order: DateOrder?) -> Outcome {
    guard let first = cells.first.flatMap({ TimeText($0) }) else { return .notATime(row: 0) }
    var orders = first.orders
    let isOpen = orders.count > 1
    if isOpen, let order, orders.contains(order) { orders = [order] }
    var instants = orders.map { _ in [Int64]() }
    for place in orders.indices { instants[place].reserveCapacity(cells.count) }
    // Where each order first fails.
    var failures = [Int?](repeating: nil, count: orders.count)
    var offsets: [Int] = []
    var (isPadded, isHourPadded, isDotted) = (true, true, true)
    var (finest, finestRow) = (first.precision, 0)
    for (row, cell) in cells.enumerated() {
      guard let text = row == 0 ? first : TimeText(cell), text.shape == first.shape,
        (text.offset == nil) == (first.offset == nil)
      else { return .notATime(row: row) }
      isPadded = isPadded && !text.hasShortDate
      isHourPadded = isHourPadded && !text.hasShortHour
      isDotted = isDotted && text.hasDots
      if text.precision > finest { (finest, finestRow) = (text.precision, row) }
      if let offset = text.offset { offsets.append(offset) }
      for place in orders.indices where failures[place] == nil {
        if let instant = text.instant(orders[place]) {
          instants[place].append(instant)
        } else {
          failures[place] = row
        }
      }
      if !failures.contains(where: { $0 == nil }) { return .notATime(row: failures.compactMap { $0 }.max() ?? row) }
    }
    var left = orders.indices.filter { failures[$0] == nil }
    // Full stops stand between the numbers of European dates.
    if isDotted, left.count > 1, let day = left.first(where: { orders[$0] == .dayFirst }) { left = [day] }
    guard let place = left.count == 1 ? left[0] : mostRegular(left, instants) else {
      return .open(left.map { orders[$0] })
    }
    guard let pattern = TimeText(cells[finestRow], keepsPieces: true) else { return .notATime(row: finestRow) }
    var format = TimeFormat(
      .text, order: orders[place], pieces: pattern.pieces, precision: finest, padsDate: isPadded,
      padsHour: isHourPadded)
    format.shortYear = first.shape == .short
    return .found(TimeCells(instants: instants[place], format: format, offsets: offsets, isOrderOpen: isOpen))
  }

  /// Of several readings the one whose steps are by far the most even; nil when none is.
  private static func mostRegular(_ places: [Int], _ instants: [[Int64]]) -> Int? {
    let scored = places.map { ($0, irregular(instants[$0])) }.sorted { $0.1 < $1.1 }
    guard scored.count > 1, scored[0].1 * 3 < scored[1].1 else { return nil }
    return scored[0].0
  }

  /// How many steps between the distinct instants are not the usual one.
  static func irregular(_ instants: [Int64]) -> Int {
    var distinct = instants.sorted()
    var count = 0
    for instant in distinct where count == 0 || distinct[count - 1] != instant {
      distinct[count] = instant
      count += 1
    }
    distinct.removeLast(distinct.count - count)
    guard let step = TimeStep.find([distinct]) else { return distinct.count }
    return zip(distinct, distinct.dropFirst()).count { step.distance($0, $1) != 1 }
  }

  // MARK: - Numbers

  /// A cell as a number in millionths.
  struct Number {
    var whole: Int64 = 0
    var millionths: Int64 = 0
    var digits = 0
    var decimals = 0
    var isNegative = false
    var isPadded = false

    init?(_ cell: String) {
      var isOpen = false
      for byte in cell.utf8 {
        switch byte {
        case 0x20, 0x09:
          if digits > 0 || isNegative { isOpen = true }
        case _ where isOpen: return nil
        case 0x2d where digits == 0 && !isNegative: isNegative = true
        case 0x2e where decimals == 0 && digits > 0: decimals = 1
        case 0x30...0x39:
          if decimals > 0 {
            if decimals <= 6 { millionths = millionths * 10 + Int64(byte - 0x30) }
            decimals += 1
          } else {
            guard digits < 19, !whole.multipliedReportingOverflow(by: 10).overflow else { return nil }
            if digits == 0, byte == 0x30 { isPadded = true }
            whole = whole &* 10 &+ Int64(byte - 0x30)
            guard whole >= 0 else { return nil }
            digits += 1
          }
        default: return nil
        }
      }
      guard digits > 0 else { return nil }
      decimals = max(decimals - 1, 0)
      for _ in min(decimals, 6)..<6 { millionths *= 10 }
      if isNegative { (whole, millionths) = (-whole, -millionths) }
    }
  }

  static func numbers(_ cells: [String]) -> [Number]? {
    var numbers: [Number] = []
    numbers.reserveCapacity(cells.count)
    for cell in cells {
      guard let number = Number(cell) else { return nil }
      numbers.append(number)
    }
    return numbers.isEmpty ? nil : numbers
  }

  /// Numbers that are calendar times: yyyymmdd and its like, or time since 1970; nil when they are neither.
  static func calendar(_ numbers: [Number]) -> TimeCells? {
    if let digits = numbers.first?.digits, [6, 8, 10, 12, 14].contains(digits),
      numbers.allSatisfy({ $0.digits == digits && $0.decimals == 0 && !$0.isNegative }),
      let instants = compact(numbers, digits)
    {
      return TimeCells(
        instants: instants,
        format: TimeFormat(
          .digits(digits),
          precision: digits == 6 ? .month : digits == 8 ? .day : digits == 10 ? .hour : digits == 12 ? .minute : .second
        ))
    }
    // From 1973 to 2106 in seconds.
    for (scale, unit): (Int64, Int64) in [(1, 1_000_000), (1000, 1000), (1_000_000, 1), (1_000_000_000, 0)] {
      let range = 100_000_000 * scale...4_294_967_295 * scale
      guard numbers.allSatisfy({ range ~= $0.whole }) else { continue }
      let decimals = numbers.reduce(0) { max($0, $1.decimals) }
      let instants = numbers.map { number in
        unit == 0 ? number.whole / 1000 : number.whole * unit + number.millionths * unit / 1_000_000
      }
      return TimeCells(instants: instants, format: TimeFormat(.unix(unit: unit), decimals: min(decimals, 6)))
    }
    return nil
  }

  private static func compact(_ numbers: [Number], _ digits: Int) -> [Int64]? {
    var instants: [Int64] = []
    instants.reserveCapacity(numbers.count)
    for number in numbers {
      var rest = Int(number.whole)
      func take(_ digits: Int, _ from: inout Int) -> Int {
        defer { from /= 100 }
        return from % 100
      }
      let second = digits >= 14 ? take(2, &rest) : 0
      let minute = digits >= 12 ? take(2, &rest) : 0
      let hour = digits >= 10 ? take(2, &rest) : 0
      let day = digits >= 8 ? take(2, &rest) : 1
      let month = take(2, &rest)
      guard 1800...2200 ~= rest, hour < 24, minute < 60, second < 60,
        let date = CivilDate(year: rest, month: month, day: day)
      else { return nil }
      instants.append(date.microseconds + Int64((hour * 60 + minute) * 60 + second) * 1_000_000)
    }
    return instants
  }

  /// Years alone.
  static func years(_ numbers: [Number]) -> TimeCells? {
    guard numbers.allSatisfy({ $0.digits == 4 && $0.decimals == 0 && 1000...2500 ~= $0.whole }) else { return nil }
    let instants = numbers.compactMap { CivilDate(year: Int($0.whole), month: 1, day: 1)?.microseconds }
    return TimeCells(instants: instants, format: TimeFormat(.digits(4), precision: .year))
  }

  /// Numbers of anything.
  static func counts(_ numbers: [Number]) -> TimeCells? {
    var instants: [Int64] = []
    for number in numbers {
      let (scaled, overflow) = number.whole.multipliedReportingOverflow(by: 1_000_000)
      guard !overflow, abs(scaled) < 1 << 61 else { return nil }
      instants.append(scaled + number.millionths)
    }
    let decimals = numbers.reduce(0) { max($0, $1.decimals) }
    return TimeCells(instants: instants, format: TimeFormat(.count, decimals: min(decimals, 6)))
  }

  /// A clock's time as a number beside a date: 0 to 23, 1 to 24, or 930.
  static func clock(_ numbers: [Number], mayBeHourMinute: Bool) -> TimeCells? {
    guard numbers.allSatisfy({ $0.decimals == 0 || $0.millionths == 0 }) else { return nil }
    let values = numbers.map { Int($0.whole) }
    guard let low = values.min(), let high = values.max(), low >= 0 else { return nil }
    if high <= 24 {
      guard high < 24 || low > 0 else { return nil }
      // Hours that are written 24 begin with 1.
      let isFromOne = high == 24
      return TimeCells(
        instants: values.map { Int64($0) * 3_600_000_000 },
        format: TimeFormat(
          .hour(isFromOne: isFromOne), precision: .hour, padsHour: numbers.contains { $0.isPadded && $0.digits == 2 }))
    }
    guard mayBeHourMinute, high <= 2400, values.allSatisfy({ $0 % 100 < 60 }) else { return nil }
    return TimeCells(
      instants: values.map { Int64($0 / 100 * 60 + $0 % 100) * 60_000_000 },
      format: TimeFormat(.hourMinute(isPadded: numbers.allSatisfy { $0.digits == 4 }), precision: .minute))
  }
}
