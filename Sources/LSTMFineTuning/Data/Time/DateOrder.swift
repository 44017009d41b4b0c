/// How the numbers of a date follow each other.
public enum DateOrder: String, Sendable, Codable, CaseIterable {
  case yearFirst = "ymd"
  case dayFirst = "dmy"
  case monthFirst = "mdy"
}
