/// What separates the thousands of a number.
public enum CSVThousands: String, Sendable, Codable, CaseIterable {
  /// 1.002
  case point = "."
  /// 1,002, and 12,34,567 as in India
  case comma = ","
  /// 1'002, also with a typographic apostrophe
  case apostrophe = "'"
  /// 1 002, with any kind of space
  case space
  /// No marks at all
  case never = "none"
}

/// What separates the whole part of a number from its decimals.
public enum CSVDecimalMark: String, Sendable, Codable, CaseIterable {
  /// 3.5
  case point = "."
  /// 3,5
  case comma = ","

  var asThousands: CSVThousands { self == .point ? .point : .comma }
  var other: CSVDecimalMark { self == .point ? .comma : .point }
}

/// How numbers are written.
struct CSVNumberStyle: Sendable, Equatable {
  enum Grouping: Sendable, Equatable {
    case none
    /// Whatever a number shows.
    case any
    case only(CSVThousands)
  }

  /// Whether a point, a comma is a decimal mark.
  var point: Bool
  var comma: Bool
  var grouping: Grouping

  /// Decimal points alone.
  static let plain = CSVNumberStyle(point: true, comma: false, grouping: .none)
  /// Everything that is a number in some way of writing; good for telling numbers from text, not for their values.
  static let any = CSVNumberStyle(point: true, comma: true, grouping: .any)

  /// As numbers are most often written beside a separator.
  static func usual(_ separator: CSVSeparator) -> CSVNumberStyle {
    CSVNumberStyle(point: true, comma: separator == .semicolon, grouping: .none)
  }

  init(point: Bool, comma: Bool, grouping: Grouping) {
    (self.point, self.comma, self.grouping) = (point, comma, grouping)
  }

  init(_ decimal: CSVDecimalMark, _ thousands: CSVThousands?) {
    self.init(
      point: decimal == .point, comma: decimal == .comma,
      grouping: thousands.map { $0 == .never ? .none : .only($0) } ?? .none)
  }

  func isDecimal(_ mark: CSVThousands) -> Bool { (mark == .point && point) || (mark == .comma && comma) }
  func groups(by mark: CSVThousands) -> Bool { grouping == .any || grouping == .only(mark) }
}
