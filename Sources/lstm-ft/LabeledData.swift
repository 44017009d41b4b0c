import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// Labeled sequences of a CSV table, and the columns that they were read from.
struct LabeledData {
  let table: LabeledTable
  let textColumn: String?
  let sequenceColumn: String?
  let labelColumn: String?
  let features: [String]?
  let vocabulary: Vocabulary?
  let window: Int?

  func describe(in record: inout Preprocessing) {
    (record.textColumn, record.sequenceColumn) = (textColumn, sequenceColumn)
    record.labelColumn = labelColumn
    record.classes = table.classes
    record.features = features
    (record.targets, record.horizon) = (nil, nil)
    record.window = window
    if let vocabulary { record.vocabulary = vocabulary }
  }

  /// Lines for people.
  var summary: [String] {
    var lines: [String] = []
    if !table.classes.isEmpty {
      let names = table.classes.enumerated().prefix(12).map { "\($0) = \(printable($1, limit: 20))" }
      lines.append("classes: " + names.joined(separator: ", ") + (table.classes.count > 12 ? ", ..." : ""))
    }
    if table.unknownCount > 0, let vocabulary {
      lines.append(
        "\(rate(of: table.unknownCount, in: table.tokenCount)) of \(plural(table.tokenCount, vocabulary.unit.noun)) not in the vocabulary"
      )
    }
    if table.shortenedCount > 0, let window {
      lines.append(
        "\(plural(table.shortenedCount, "text")) read to the \(vocabulary?.rules == nil ? "first" : "last") \(plural(window, "token")) only"
      )
    }
    return lines
  }
}

extension DataArguments {
  /// Labeled sequences, when the options or a fine-tuning before say that the table holds such; else nil.
  func labeledTable(
    _ path: String, _ model: LSTMModel, _ record: Preprocessing, _ purpose: Purpose,
    _ readout: ModelConfiguration.Readout?
  ) throws -> LabeledData? {
    // A target asks for a series, whatever came before.
    let textColumn = textColumn ?? (target.isEmpty ? record.textColumn : nil)
    let sequenceColumn = sequenceID ?? (target.isEmpty ? record.sequenceColumn : nil)
    guard textColumn != nil || sequenceColumn != nil else {
      for (flag, isGiven) in [("--label-column", labelColumn != nil), ("--tokens", tokens != nil)] where isGiven {
        throw InputError.usage("\(flag) needs --text-column or --sequence-id", advice: [])
      }
      return nil
    }
    for (flag, isGiven) in [
      ("--target", !target.isEmpty), ("--horizon", horizon != nil), ("--season", season != nil),
      ("--window", window != nil && sequenceColumn != nil), ("--time", time != nil), ("--id", id != nil),
      ("--date-order", dateOrder != nil),
    ]
    where isGiven { throw InputError.usage("\(flag) is for a CSV series, not for labeled sequences", advice: []) }
    let table = try table(path)
    var labels: String?
    if purpose != .predicting {
      guard let column = labelColumn ?? record.labelColumn else {
        throw InputError.usage(
          "no --label-column given", advice: ["columns are \(table.columnNames.prefix(20).joined(separator: ", "))"])
      }
      labels = column
    }
    let classes = classes(model, record, purpose)
    let vocabulary = textColumn == nil ? nil : try knownVocabulary(record, model, path)
    // Keras' padding is a part of what the model was trained on.
    let window = window ?? (record.textColumn == nil && vocabulary?.rules == nil ? nil : record.window)
    let loaded: LabeledTable
    var features: [String]?
    if let sequenceColumn {
      let columns: LabeledTable.Columns
      if let textColumn, let vocabulary {
        columns = .token(textColumn, vocabulary)
      } else {
        let chosen = try sequenceFeatures(table, model, record, apartFrom: [sequenceColumn, labels])
        (features, columns) = (chosen, .features(chosen, missing: missing))
      }
      do {
        loaded = try LabeledTable(
          sequences: table, id: sequenceColumn, columns, labels: labels, classes: classes,
          isTagging: readout.map { $0 == .all })
      } catch let error as CSVError {
        throw explained(error, table)
      }
    } else if let textColumn, let vocabulary {
      loaded = try LabeledTable(
        texts: table, column: textColumn, labels: labels, classes: classes, vocabulary: vocabulary, window: window)
    } else {
      return nil
    }
    let names = (0..<model.configuration.outputSize).map { "\($0)" }
    if purpose == .measuring, record.classes == nil, loaded.classes != names {
      throw InputError.usage(
        "the model does not know which of its outputs stands for which label",
        advice: ["say it with lstm-ft import CHECKPOINT --classes NAMES, or fine-tune it on labeled data"])
    }
    return LabeledData(
      table: loaded, textColumn: textColumn, sequenceColumn: sequenceColumn, labelColumn: labels, features: features,
      vocabulary: vocabulary, window: sequenceColumn == nil ? window : nil)
  }

  private func classes(
    _ model: LSTMModel, _ record: Preprocessing, _ purpose: Purpose
  ) -> LabeledTable.Classes {
    if purpose == .training(newHead: true) { return .found }
    if let known = record.classes { return .known(known) }
    return model.configuration.head.isEmpty ? .found : .numbered(count: max(model.configuration.outputSize, 2))
  }

  private func sequenceFeatures(
    _ table: CSVTable, _ model: LSTMModel, _ record: Preprocessing, apartFrom others: [String?]
  ) throws -> [String] {
    guard case .features(let size) = model.configuration.input else {
      throw InputError.usage(
        "the model reads tokens, and no --text-column says where they are",
        advice: ["columns are \(table.columnNames.prefix(20).joined(separator: ", "))"])
    }
    let given = features?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let chosen =
      given ?? record.features ?? table.columnNames.filter { !others.contains($0) && table.isNumeric($0) }
    guard chosen.count == size else {
      throw InputError.usage(
        "the model reads \(plural(size, "feature")) a step, found \(plural(chosen.count, "column")) of numbers"
          + (chosen.isEmpty ? "" : ": \(chosen.joined(separator: ", "))"), advice: ["choose with --features"])
    }
    return chosen
  }
}

/// What a classifier says, with the classes' names.
struct ClassPredictions {
  /// For each sequence, or for each of its valid steps, the likeliest class.
  let labels: [[String]]
  private let names: [String]
  private let lengths: [Int]?

  /// - Parameter y: (N, O) or (N, T, O); becomes probabilities where they were logits.
  init(_ y: inout Tensor, _ names: [String], _ configuration: ModelConfiguration, lengths: [Int]?) {
    let width = y.shape.last ?? 1
    let steps = y.shape.count == 3 ? y.shape[1] : 1
    let activation = configuration.head.last?.activation ?? .none
    var labels: [[String]] = []
    for sequence in 0..<y.shape[0] {
      var found: [String] = []
      for step in 0..<(y.shape.count == 3 ? lengths?[sequence] ?? steps : 1) {
        let row = (sequence * steps + step) * width
        if activation == .none { Self.normalize(&y.values[row..<row + width]) }
        let values = y.values[row..<row + width]
        let likeliest =
          width == 1
          ? (values[row] > 0.5 ? 1 : 0) : values.indices.reduce(row) { values[$1] > values[$0] ? $1 : $0 } - row
        found.append(names.indices ~= likeliest ? names[likeliest] : "\(likeliest)")
      }
      labels.append(found)
    }
    self.labels = labels
    self.names = names
    self.lengths = lengths
  }

  /// Softmax, or for one value the sigmoid.
  private static func normalize(_ values: inout ArraySlice<Float>) {
    if values.count == 1, let value = values.first {
      values[values.startIndex] = 1 / (1 + exp(-value))
      return
    }
    let largest = values.max() ?? 0
    var sum: Float = 0
    for index in values.indices {
      values[index] = exp(values[index] - largest)
      sum += values[index]
    }
    for index in values.indices { values[index] /= sum }
  }

  /// A row for each sequence, or for each of its valid steps.
  func csv(_ y: Tensor, _ data: LoadedData) throws -> String {
    let width = y.shape.last ?? 1
    let steps = y.shape.count == 3 ? y.shape[1] : 1
    var sequences: [String]?
    if case .labeled(let labeled) = data { sequences = labeled.table.names }
    let isPerStep = y.shape.count == 3
    let columns =
      width == 1
      ? ["probability of \(names.last ?? "1")"] : (0..<width).map { names.indices ~= $0 ? names[$0] : "\($0)" }
    let hasNames = sequences != nil || isPerStep
    var writer = CSVWriter(
      columnNames: (hasNames ? ["sequence"] : []) + (isPerStep ? ["step"] : []) + ["label"] + columns)
    for (sequence, labels) in labels.enumerated() {
      for (step, label) in labels.enumerated() {
        let row = (sequence * steps + step) * width
        let place = hasNames ? [sequences?[sequence] ?? "\(sequence)"] : []
        try writer.append(
          Array(y.values[row..<row + width]), labels: place + (isPerStep ? ["\(step)"] : []) + [label])
      }
    }
    return writer.text
  }
}
