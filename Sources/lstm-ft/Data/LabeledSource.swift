import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DataSettings {
  /// Labeled sequences, when the options or an earlier fine-tuning name their columns; nil otherwise.
  func loadLabeled(_ request: Request) throws -> (any ShownData)? {
    guard request.paths.count == 1 else { return nil }
    let (path, model, record, purpose) = (request.path, request.model, request.record, request.purpose)
    let readout = request.readout ?? model.configuration.readout
    // --target means a series, however the model was fine-tuned.
    let textColumn = textColumn ?? (targets.isEmpty ? record.textColumn : nil)
    let sequenceColumn = sequenceColumn ?? (targets.isEmpty ? record.sequenceColumn : nil)
    guard textColumn != nil || sequenceColumn != nil else {
      for (flag, isGiven) in [("--label-column", labelColumn != nil), ("--tokens", tokens != nil)] where isGiven {
        throw InputError.usage("\(flag) needs --text-column or --sequence-id")
      }
      return nil
    }
    for (flag, isGiven) in [
      ("--target", !targets.isEmpty), ("--horizon", horizon != nil), ("--season", season != nil),
      ("--window", window != nil && sequenceColumn != nil), ("--time", time != nil), ("--id", id != nil),
      ("--date-order", dateOrder != nil),
    ]
    where isGiven { throw InputError.usage("\(flag) is for a CSV series, not for labeled sequences") }
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
    // With Keras' padding, the window belongs to the trained model.
    let window = window ?? (record.textColumn == nil && vocabulary?.rules == nil ? nil : record.window)
    let unaligned = request.blank.map { UnalignedLabels(blank: $0, unit: labelUnit) }
    guard labelUnit == nil || unaligned != nil else {
      throw InputError.usage("--label-unit needs --loss ctc, for which a cell holds labels in order")
    }
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
          isTagging: readout.map { $0 == .all }, unaligned: unaligned)
      } catch let error as CSVError {
        throw explained(error, table)
      }
    } else if let textColumn, let vocabulary {
      loaded = try LabeledTable(
        texts: table, column: textColumn, labels: labels, classes: classes, vocabulary: vocabulary, window: window,
        unaligned: unaligned)
    } else {
      return nil
    }
    let names = (0..<model.configuration.outputSize).map { "\($0)" }
    if purpose == .measuring, record.classes == nil, loaded.classes != names {
      throw InputError.usage(
        "the model does not know which class each of its outputs stands for",
        advice: ["name them with lstm-ft import CHECKPOINT --classes NAMES, or fine-tune it on labeled data"])
    }
    return LabeledData(
      loaded, textColumn: textColumn, sequenceColumn: sequenceColumn, labelColumn: labels, features: features,
      vocabulary: vocabulary, window: sequenceColumn == nil ? window : nil)
  }

  private func classes(
    _ model: LSTMModel, _ record: Preprocessing, _ purpose: Purpose
  ) -> LabeledTable.Classes {
    if purpose == .training(newHead: true) { return .found }
    if let known = record.classes { return .known(known) }
    return model.configuration.lastDense == nil ? .found : .numbered(count: max(model.configuration.outputSize, 2))
  }

  private func sequenceFeatures(
    _ table: CSVTable, _ model: LSTMModel, _ record: Preprocessing, apartFrom others: [String?]
  ) throws -> [String] {
    guard case .features(let size) = model.configuration.input else {
      throw InputError.usage(
        "the model reads tokens, and no --text-column is given",
        advice: ["columns are \(table.columnNames.prefix(20).joined(separator: ", "))"])
    }
    let chosen =
      features ?? record.features ?? table.columnNames.filter { !others.contains($0) && table.isNumeric($0) }
    guard chosen.count == size else {
      throw InputError.usage(
        "the model reads \(plural(size, "feature")) per step, found \(plural(chosen.count, "numeric column"))"
          + (chosen.isEmpty ? "" : ": \(chosen.joined(separator: ", "))"), advice: ["choose with --features"])
    }
    return chosen
  }
}

extension LabeledData: ShownData {
  func summary(_ portions: Portions) -> [String] { portions.lines(table.data, file: file) + contents }

  /// Lines about its contents.
  var contents: [String] {
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
        "\(plural(table.shortenedCount, "text")) cut to the \(vocabulary?.rules == nil ? "first" : "last") \(plural(window, "token"))"
      )
    }
    return lines
  }

  var use: DataUse { DataUse(command: "predict") }

  var chartRefusal: String? { "--chart draws a CSV series, not labeled sequences" }
  var classNames: [String]? { table.classes }
  var sequenceNames: [String]? { table.names }
  var tokens: (count: Int, unknown: Int)? { (table.tokenCount, table.unknownCount) }
}
