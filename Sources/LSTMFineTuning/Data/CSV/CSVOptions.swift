/// How to read a table; what is nil is detected.
public struct CSVOptions: Sendable, Equatable, Codable {
  /// What separates cells; nil to detect it.
  public var separator: CSVSeparator?
  /// Whether the first row holds the columns' names; nil to detect it. A table without a header has
  /// the names "column1", "column2" and so on.
  public var header: Bool?
  /// What separates decimals; nil to decide it for each column.
  public var decimal: CSVDecimalMark?
  /// What separates thousands; nil to decide it for each column.
  public var thousands: CSVThousands?
  /// How the text is encoded; nil to detect it.
  public var encoding: CSVEncoding?
  /// Lines at the beginning that are passed over.
  public var skippedLines = 0
  /// What comment lines begin with; nil to detect it, "none" when there are none.
  public var comment: String?
  /// Numbers and words that stand for missing values, beside the usual words.
  public var missingValues: [String] = []
  /// Whether sentinel values such as -9999, far outside the others of their column, are taken as numbers; else they are an
  /// error that asks.
  public var acceptsSentinelValues = false

  /// Options of which those left out are detected.
  public init(separator: CSVSeparator? = nil, header: Bool? = nil) {
    self.separator = separator
    self.header = header
  }
}
