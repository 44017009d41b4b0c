import LSTMCheckpoints

/// Labeled sequences of a CSV table, and the columns that they were read from.
public struct LabeledData: TrainingData {
  /// The sequences and their classes.
  public let table: LabeledTable
  /// The column of texts, or of tokens; nil for features.
  public let textColumn: String?
  /// The column that holds a sequence's rows together; nil where each row is one.
  public let sequenceColumn: String?
  /// The column of labels; nil where none were read.
  public let labelColumn: String?
  /// The columns of numbers, in order; nil for texts.
  public let features: [String]?
  /// Which number stands for which token; nil for features.
  public let vocabulary: Vocabulary?
  /// Tokens of a text to read at most.
  public let window: Int?

  /// A table, and what it was read with.
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
    (preprocessing.classes, preprocessing.blank) = (table.classes, table.blank)
    preprocessing.features = features
    (preprocessing.targets, preprocessing.horizon) = (nil, nil)
    preprocessing.window = window
    if let vocabulary { preprocessing.vocabulary = vocabulary }
  }
}
