/// A number type that decimal text is read into, correctly rounded.
protocol CSVNumber: BinaryFloatingPoint {
  /// The value of `mantissa` x 10^`exponent` where one rounding gives it, else nil.
  static func exact(mantissa: UInt64, exponent: Int) -> Self?
  /// The value of plain decimal text; slow, right in every case and free of the locale.
  static func slow(_ text: String) -> Self?
}

extension Double: CSVNumber {
  private static let powers: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
  ]

  // W. D. Clinger, "How to read floating point numbers accurately" (1990): when mantissa and power are
  // both exact, their product or quotient is rounded once.
  static func exact(mantissa: UInt64, exponent: Int) -> Double? {
    guard mantissa <= 1 << 53, (-22...22).contains(exponent) else { return nil }
    return exponent < 0 ? Double(mantissa) / powers[-exponent] : Double(mantissa) * powers[exponent]
  }

  static func slow(_ text: String) -> Double? { Double(text) }
}

extension Float: CSVNumber {
  private static let powers: [Float] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10]

  static func exact(mantissa: UInt64, exponent: Int) -> Float? {
    if mantissa <= 1 << 24, (-10...10).contains(exponent) {
      return exponent < 0 ? Float(mantissa) / powers[-exponent] : Float(mantissa) * powers[exponent]
    }
    guard let double = Double.exact(mantissa: mantissa, exponent: exponent) else { return nil }
    // Rounding twice goes wrong only where the first result is half-way between two floats; below the
    // normal floats that place moves, so those are left to the slow path too.
    let isHalfWay = double.bitPattern & 0x1fff_ffff == 0x1000_0000
    guard !isHalfWay, double == 0 || double >= Double(Float.leastNormalMagnitude) else { return nil }
    return Float(double)
  }

  static func slow(_ text: String) -> Float? { Float(text) }
}

/// What a cell's bytes are, read as a number.
enum CSVCellValue<Number: CSVNumber> {
  case number(Number)
  case missing
  case tooLarge
  case text
}

/// Reads decimal numbers and missing-value tokens from bytes.
enum CSVNumberParser {
  /// What the marks in a column's numbers tell, as far as it was read.
  struct Marks {
    /// A mark that can only be decimal: not followed by three digits, or below 1, or behind four digits.
    var surePoint = false
    var sureComma = false
    /// One to three digits, a mark and three digits.
    var eitherPoint = false
    var eitherComma = false
    /// Whole numbers without marks, of three digits at most and of more.
    var short = false
    var long = false

    var hasPoint: Bool { surePoint || eitherPoint }
    var hasComma: Bool { sureComma || eitherComma }
  }

  private static let missingTokens: Set<String> = [
    "na", "n/a", "n.a.", "nan", "-nan", "nat", "null", "(null)", "nil", "none", "missing", "-", "--", "?", "<na>",
    "\\n", "1.#qnan", "-1.#ind", "1.#ind",
  ]
  /// What spreadsheets show instead of a value.
  private static let spreadsheetErrors: Set<String> = [
    "#n/a", "#n/a n/a", "#nv", "#na", "#div/0!", "#value!", "#wert!", "#ref!", "#bezug!", "#name?", "#num!", "#zahl!",
    "#null!", "#valeur!", "#nom?", "#nombre!",
  ]

  /// Reads one cell, blanks around it ignored.
  ///
  /// The grammar is `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent, and marks
  /// between thousands where `style` has them; hexadecimal and infinity are text.
  static func parse<Number: CSVNumber>(
    _ cell: UnsafeBufferPointer<UInt8>, style: CSVNumberStyle, marks: inout Marks, as: Number.Type
  ) -> CSVCellValue<Number> {
    var start = 0
    var end = cell.count
    while start < end, isBlank(cell[start]) { start += 1 }
    while end > start, isBlank(cell[end - 1]) { end -= 1 }
    if start == end { return .missing }

    var position = start
    var isNegative = false
    if cell[position] == UInt8(ascii: "-") || cell[position] == UInt8(ascii: "+") {
      isNegative = cell[position] == UInt8(ascii: "-")
      position += 1
    }
    let firstDigit = position
    var mantissa: UInt64 = 0
    var digits = 0  // significant digits in the mantissa
    var seen = 0  // all digits
    var whole = 0  // those before the mark
    var exponent = 0
    var isTruncated = false
    var hasExponent = false
    var mark: UInt8 = 0
    while position < end {
      let byte = cell[position]
      let digit = byte &- UInt8(ascii: "0")
      if digit < 10 {
        seen += 1
        if digits < 19 {
          mantissa = mantissa &* 10 &+ UInt64(digit)
          if mantissa != 0 { digits += 1 }
          if mark != 0 { exponent -= 1 }
        } else {
          isTruncated = true
          if mark == 0 { exponent += 1 }
        }
      } else if mark == 0,
        (style.point && byte == UInt8(ascii: ".")) || (style.comma && byte == UInt8(ascii: ","))
      {
        mark = byte
        whole = seen
      } else {
        break
      }
      position += 1
    }
    guard seen > 0 else { return otherwise(cell, start, end, style) }
    if position < end, cell[position] | 0x20 == UInt8(ascii: "e") {
      position += 1
      hasExponent = true
      var isExponentNegative = false
      if position < end, cell[position] == UInt8(ascii: "-") || cell[position] == UInt8(ascii: "+") {
        isExponentNegative = cell[position] == UInt8(ascii: "-")
        position += 1
      }
      let first = position
      var value = 0
      while position < end, cell[position] &- UInt8(ascii: "0") < 10 {
        // Far outside every type's range already; more digits must not overflow.
        if value < 100_000 { value = value * 10 + Int(cell[position] &- UInt8(ascii: "0")) }
        position += 1
      }
      guard position > first else { return .text }
      exponent += isExponentNegative ? -value : value
    }
    guard position == end else { return otherwise(cell, start, end, style) }
    if mark == 0, !hasExponent {
      if seen > 3 { marks.long = true } else { marks.short = true }
    } else if mark != 0 {
      let isEither = seen - whole == 3 && 1...3 ~= whole && !hasExponent && cell[firstDigit] != UInt8(ascii: "0")
      if mark == UInt8(ascii: ".") {
        if isEither { marks.eitherPoint = true } else { marks.surePoint = true }
      } else {
        if isEither { marks.eitherComma = true } else { marks.sureComma = true }
      }
    }

    if !isTruncated, let magnitude = Number.exact(mantissa: mantissa, exponent: exponent) {
      return .number(isNegative ? -magnitude : magnitude)
    }
    let comma = UInt8(ascii: ",")
    let digitsOnly = cell[start..<end].map { $0 == comma ? UInt8(ascii: ".") : $0 }
    let text = String(decoding: digitsOnly, as: UTF8.self)
    guard let value = Number.slow(text) else { return .text }
    return value.isFinite ? .number(value) : .tooLarge
  }

  /// A number with marks between its thousands, something missing, or text.
  private static func otherwise<Number: CSVNumber>(
    _ cell: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int, _ style: CSVNumberStyle
  ) -> CSVCellValue<Number> {
    if isMissing(cell, start, end) { return .missing }
    guard let shape = CSVNumberShape(cell) else { return .text }
    if shape.isBlank { return .missing }
    guard !shape.isEmpty, let plain = shape.plain(style) else { return .text }
    var marks = Marks()
    return plain.withUnsafeBufferPointer { parse($0, style: .plain, marks: &marks, as: Number.self) }
  }

  private static func isMissing(_ cell: UnsafeBufferPointer<UInt8>, _ start: Int, _ end: Int) -> Bool {
    guard end - start <= 8 || (end - start <= 12 && cell[start] == UInt8(ascii: "#")) else { return false }
    // What begins with a digit is no token but Microsoft's old "1.#QNAN".
    if cell[start] &- UInt8(ascii: "0") < 10, !cell[start..<end].contains(UInt8(ascii: "#")) { return false }
    let text = String(decoding: UnsafeBufferPointer(rebasing: cell[start..<end]), as: UTF8.self).lowercased()
    return missingTokens.contains(text) || spreadsheetErrors.contains(text)
  }

  @inline(__always)
  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
