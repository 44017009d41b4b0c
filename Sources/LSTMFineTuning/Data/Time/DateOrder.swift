/// How the numbers of a date follow each other.
public enum DateOrder: String, Sendable, Codable, CaseIterable {
  /// 2024-03-25
  case yearFirst = "ymd"
  /// 25/03/2024
  case dayFirst = "dmy"
  /// 03/25/2024
  case monthFirst = "mdy"
}
