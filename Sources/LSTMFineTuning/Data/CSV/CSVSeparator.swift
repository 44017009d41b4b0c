/// What separates the cells of a row.
public enum CSVSeparator: String, Sendable, Codable, CaseIterable {
  /// A comma.
  case comma = ","
  /// A semicolon; decimals may then be written with a comma.
  case semicolon = ";"
  /// A tab.
  case tab = "\t"
  /// A vertical bar.
  case bar = "|"

  var byte: UInt8 {
    switch self {
    case .comma: UInt8(ascii: ",")
    case .semicolon: UInt8(ascii: ";")
    case .tab: UInt8(ascii: "\t")
    case .bar: UInt8(ascii: "|")
    }
  }
}
