import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Labeled sequences by the names of their columns.
extension LabeledData {
  /// Sequences of rows of numbers, each with a class, or with one for each row.
  /// - Parameters:
  ///   - id: the column that is the same on all rows of a sequence.
  ///   - features: the columns that the model reads, in order.
  ///   - labels: the column of classes; nil for none.
  ///   - classes: their names by number; nil for those that are found, sorted.
  ///   - unaligned: how labels in order are written, for CTC.
  /// - Throws: `CSVError` or `FineTuningError` naming file, line and column.
  public init(
    sequences table: CSVTable, id: String, features: [String], labels: String?, classes: [String]? = nil,
    unaligned: UnalignedLabels? = nil, missing: MissingValuePolicy = .error
  ) throws {
    self.init(
      try LabeledTable(
        sequences: table, id: id, .features(features, missing: missing), labels: labels,
        classes: classes.map { .known($0) } ?? .found, unaligned: unaligned),
      sequenceColumn: id, labelColumn: labels, features: features)
  }

  /// Sequences of rows of a word each. Other parameters and errors as above.
  /// - Parameters:
  ///   - words: the column of words, or of other tokens.
  ///   - vocabulary: their numbers.
  public init(
    sequences table: CSVTable, id: String, words: String, vocabulary: Vocabulary, labels: String?,
    classes: [String]? = nil, unaligned: UnalignedLabels? = nil
  ) throws {
    self.init(
      try LabeledTable(
        sequences: table, id: id, .token(words, vocabulary), labels: labels,
        classes: classes.map { .known($0) } ?? .found, unaligned: unaligned),
      textColumn: words, sequenceColumn: id, labelColumn: labels, vocabulary: vocabulary)
  }

  /// Reads a table as the one that a model was fine-tuned on: the same columns, classes and words.
  /// - Parameter hasLabels: false for data to predict on.
  /// - Throws: `FineTuningError.badData` when the preprocessing knows no columns; else as the others.
  public init(_ table: CSVTable, readAs preprocessing: Preprocessing, hasLabels: Bool = true) throws {
    let labels = hasLabels ? preprocessing.labelColumn : nil
    let unaligned = preprocessing.blank.map { UnalignedLabels(blank: $0) }
    let (id, text) = (preprocessing.sequenceColumn, preprocessing.textColumn)
    if let id, let text, let vocabulary = preprocessing.vocabulary {
      try self.init(
        sequences: table, id: id, words: text, vocabulary: vocabulary, labels: labels, classes: preprocessing.classes,
        unaligned: unaligned)
    } else if let id, let features = preprocessing.features {
      try self.init(
        sequences: table, id: id, features: features, labels: labels, classes: preprocessing.classes,
        unaligned: unaligned)
    } else if let text, let vocabulary = preprocessing.vocabulary {
      self.init(
        try LabeledTable(
          texts: table, column: text, labels: labels, classes: preprocessing.classes.map { .known($0) } ?? .found,
          vocabulary: vocabulary, window: preprocessing.window, unaligned: unaligned),
        textColumn: text, labelColumn: labels, vocabulary: vocabulary, window: preprocessing.window)
    } else {
      throw FineTuningError.badData(
        file: table.file, detail: "the model does not know which columns of a table it reads",
        advice: ["fine-tune it on labeled sequences first"])
    }
  }
}

extension ArraySequences {
  /// Sequences of a file of arrays, see `ArrayData`; those of a model with several inputs or outputs by their names.
  /// - Parameters:
  ///   - model: that reads them.
  ///   - hasTargets: false for data to predict on.
  ///   - labels: whether `y` is labels in order, for CTC.
  ///   - decoder: how a decoder is run that is fed its targets; nil for what the model's file knows.
  /// - Throws: `FineTuningError.badData` naming the file, the dataset, its shape and what was expected.
  public init(
    contentsOf path: String, for model: LSTMModel, hasTargets: Bool = true, labels: Bool = false,
    decoder: DecoderSettings? = nil
  ) throws {
    let decoder = decoder ?? model.preprocessing.decoder ?? DecoderSettings()
    let data = try ArrayData.load(
      Checkpoint(path: path), for: model.configuration, needsTargets: hasTargets, labels: labels, start: decoder.start)
    self.init(data, file: path, decoder: decoder.settled(data, for: model.configuration))
  }
}
