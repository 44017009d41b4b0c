/// Labeled sequences of a CSV table, and the columns that they were read from.
public struct LabeledData: TrainingData {
  public let table: LabeledTable
  public let textColumn: String?
  public let sequenceColumn: String?
  public let labelColumn: String?
  public let features: [String]?
  public let vocabulary: Vocabulary?
  /// Tokens of a text to read at most.
  public let window: Int?

  public init(
    _ table: LabeledTable, textColumn: String? = nil, sequenceColumn: String? = nil, labelColumn: String? = nil,
    features: [String]? = nil, vocabulary: Vocabulary? = nil, window: Int? = nil
  ) {
    self.table = table
    self.textColumn = textColumn
    self.sequenceColumn = sequenceColumn
    self.labelColumn = labelColumn
    self.features = features
    self.vocabulary = vocabulary
    self.window = window
  }

  public var file: String { table.file }
  public var readingNotes: [CSVNote] { table.readingNotes }
  public var hasUnits: Bool { true }

  public func allExamples() throws -> Examples { .sequences(table.data) }

  public func describe(in preprocessing: inout Preprocessing) {
    preprocessing.forgetReading()
    (preprocessing.textColumn, preprocessing.sequenceColumn) = (textColumn, sequenceColumn)
    preprocessing.labelColumn = labelColumn
    preprocessing.classes = table.classes
    preprocessing.features = features
    (preprocessing.targets, preprocessing.horizon) = (nil, nil)
    preprocessing.window = window
    if let vocabulary { preprocessing.vocabulary = vocabulary }
  }
}
