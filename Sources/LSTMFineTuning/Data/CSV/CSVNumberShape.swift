/// A number's text taken apart into runs of digits and the marks between them.
struct CSVNumberShape {
  private var sign: UInt8?
  private var runs: [[UInt8]] = [[]]
  private var marks: [CSVThousands] = []
  private var exponent: [UInt8] = []

  /// Nil for what is no number in any way of writing.
  init?(_ cell: UnsafeBufferPointer<UInt8>) {
    var rest = cell[...]
    while let mark = Self.mark(rest), mark.kind == .space || rest.first == 0x09 { rest = rest.dropFirst(mark.length) }
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
      sign = rest.popFirst()
    } else if rest.starts(with: [0xe2, 0x88, 0x92]) {
      // The typographic minus.
      sign = UInt8(ascii: "-")
      rest = rest.dropFirst(3)
    }
    scan: while let byte = rest.first {
      if byte &- UInt8(ascii: "0") < 10 {
        runs[runs.count - 1].append(byte)
        rest = rest.dropFirst()
      } else if let mark = Self.mark(rest) {
        rest = rest.dropFirst(mark.length)
        marks.append(mark.kind)
        runs.append([])
      } else if byte | 0x20 == UInt8(ascii: "e") {
        exponent = Array(rest)
        while let last = exponent.last, last == 0x20 || last == 0x09 { exponent.removeLast() }
        let digits = exponent.dropFirst().drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
        guard !digits.isEmpty, exponent.count - digits.count <= 2, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 })
        else { return nil }
        break scan
      } else {
        return nil
      }
    }
    // Blanks at the end.
    while marks.last == .space, runs.last == [] {
      marks.removeLast()
      runs.removeLast()
    }
    guard isEmpty || asDecimal != nil || asGrouped != nil || (marks.isEmpty && !runs[0].isEmpty) else { return nil }
  }

  var isEmpty: Bool { marks.isEmpty && runs[0].isEmpty }
  /// Nothing but spaces, of whatever kind.
  var isBlank: Bool { isEmpty && sign == nil }
  /// A whole number without marks: how many digits it has.
  var bareDigits: Int? { marks.isEmpty && exponent.isEmpty && !isEmpty ? runs[0].count : nil }

  /// The reading in which the last mark is decimal.
  var asDecimal: (mark: CSVDecimalMark, thousands: CSVThousands?)? {
    guard let last = marks.last, let mark = CSVDecimalMark(rawValue: last.rawValue) else { return nil }
    if marks.count == 1 { return runs[0].isEmpty && runs[1].isEmpty ? nil : (mark, nil) }
    guard let thousands = marks.first, thousands != last, marks.dropLast().allSatisfy({ $0 == thousands }),
      Self.areGroups(runs.dropLast(), thousands)
    else { return nil }
    return (mark, thousands)
  }

  /// The reading in which every mark separates thousands.
  var asGrouped: CSVThousands? {
    guard exponent.isEmpty, let first = marks.first, marks.allSatisfy({ $0 == first }), Self.areGroups(runs[...], first)
    else { return nil }
    return first
  }

  private static func areGroups(_ runs: ArraySlice<[UInt8]>, _ mark: CSVThousands) -> Bool {
    guard let first = runs.first, let last = runs.last, 1...3 ~= first.count, first[0] != UInt8(ascii: "0"),
      last.count == 3, runs.count > 1
    else { return false }
    let inner = runs.dropFirst().dropLast()
    if inner.allSatisfy({ $0.count == 3 }) { return true }
    // Lakhs and crores.
    return mark == .comma && first.count <= 2 && inner.allSatisfy { $0.count == 2 }
  }

  /// The number with a decimal point and nothing else, or nil where the style does not allow it.
  func plain(_ style: CSVNumberStyle) -> [UInt8]? {
    var digits: [UInt8]
    if marks.isEmpty {
      digits = runs[0]
    } else if let decimal = asDecimal, style.isDecimal(decimal.mark.asThousands),
      decimal.thousands.map(style.groups) ?? true
    {
      digits = Array(runs.dropLast().joined()) + [UInt8(ascii: ".")] + (runs.last ?? [])
    } else if let mark = asGrouped, style.groups(by: mark), style.grouping == .any || !style.isDecimal(mark) {
      digits = Array(runs.joined())
    } else {
      return nil
    }
    if let sign { digits.insert(sign, at: 0) }
    return digits + exponent
  }

  /// The mark at the start, and its length in bytes.
  private static func mark(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> (kind: CSVThousands, length: Int)? {
    switch text.first {
    case UInt8(ascii: "."): return (.point, 1)
    case UInt8(ascii: ","): return (.comma, 1)
    case UInt8(ascii: "'"): return (.apostrophe, 1)
    case 0x20, 0x09: return (.space, 1)
    // Modifier apostrophe, acute accent, no-break space.
    case 0xca where text.starts(with: [0xca, 0xbc]): return (.apostrophe, 2)
    case 0xc2 where text.starts(with: [0xc2, 0xb4]): return (.apostrophe, 2)
    case 0xc2 where text.starts(with: [0xc2, 0xa0]): return (.space, 2)
    case 0xe2 where text.count >= 3:
      let (second, third) = (text[text.startIndex + 1], text[text.startIndex + 2])
      guard second == 0x80 else { return nil }
      switch third {
      // Figure, punctuation and thin space, narrow no-break space.
      case 0x87, 0x88, 0x89, 0xaf: return (.space, 3)
      // Quotation marks that stand for an apostrophe.
      case 0x98, 0x99: return (.apostrophe, 3)
      default: return nil
      }
    default: return nil
    }
  }
}
