import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DateOrder: ExpressibleByArgument {}

/// A failure of the library's with the options of this tool that help.
struct AdvisedFailure: DescribedFailure {
  let failure: TableError
  let advice: [Message]

  var category: FailureCategory { failure.category }
  var message: Message { failure.message }
}

/// Does something with tables; says how to answer what they leave open.
func advised<Result>(_ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let failure as TableError {
    throw AdvisedFailure(failure: failure, advice: failure.options)
  }
}

extension TableError {
  /// What to type.
  fileprivate var options: [Message] {
    switch self {
    case .needsID(_, let columns, _):
      return [
        "take them apart with --id \(shellWord(columns.joined(separator: ",")))",
        "or read on from one to the next with --id none",
      ]
    case .needsDateOrder(_, _, _, let orders):
      return ["say it with --date-order \(orders.map(\.rawValue).joined(separator: " or --date-order "))"]
    case .unordered:
      return [
        "where the table holds several series, name the column that tells them apart with --id",
        "or take the rows as they stand with --time none",
      ]
    case .notATime: return ["mend the line, or take the rows as they stand with --time none"]
    case .noTime: return ["name others with --time, or take the rows as they stand with --time none"]
    case .differentColumns: return ["name the columns with --time and --id, or none"]
    case .badDate: return []
    }
  }
}

/// The files that are named, with those of folders.
func seriesFiles(_ given: [String]) throws -> [String] {
  var files: [String] = []
  for path in given {
    let found = try existing(path)
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: found, isDirectory: &isFolder), isFolder.boolValue else {
      files.append(found)
      continue
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: found)) ?? []
    let tables = names.filter {
      !$0.hasPrefix(".") && ["csv", "tsv"].contains(($0 as NSString).pathExtension.lowercased())
    }
    guard !tables.isEmpty else {
      throw FineTuningError.badData(
        file: found, detail: "the folder holds no .csv file", advice: ["name a file, or a folder of CSV files"])
    }
    files += tables.sorted().map { found.hasSuffix("/") ? found + $0 : "\(found)/\($0)" }
  }
  if let twice = Dictionary(grouping: files, by: { $0 }).first(where: { $0.value.count > 1 }) {
    throw InputError.usage("\(twice.key) is given twice", advice: [])
  }
  return files
}

func existing(_ path: String) throws -> String {
  guard FileManager.default.fileExists(atPath: path) else { throw InputError.notFound(path) }
  return path
}

extension LoopArguments {
  /// Where series are split in time.
  func seriesSplit() throws -> SeriesSplit {
    guard trainUntil != nil || validateFrom != nil else { return .fraction(validationSplit) }
    return .dated(trainUntil: trainUntil, validateFrom: validateFrom)
  }

  /// The files that are for validation alone.
  func validationPaths() throws -> [String] {
    if !validationData.isEmpty, trainUntil != nil || validateFrom != nil {
      throw InputError.usage("--validation-data and a split by dates exclude each other", advice: [])
    }
    return validationData.isEmpty ? [] : try seriesFiles(validationData)
  }
}

extension DataArguments {
  static func names(_ text: String) -> [String] {
    text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// The same options for other files.
  func reading(_ files: [String]) -> DataArguments {
    var other = self
    if text == nil { other.data = files } else { other.text = files.first }
    return other
  }

  /// What is said about a table's rows, here or when the model was fine-tuned.
  func choice(_ table: CSVTable, _ record: Preprocessing, targets: [String]) throws -> TableChoice {
    var reserved = Set(targets + (features.map(Self.names) ?? record.features ?? []))
    let numeric = table.numericColumns
    // What is to be predicted when nothing is said.
    if numeric.count == 1 { reserved.formUnion(numeric) }
    var choice = TableChoice(
      order: dateOrder ?? record.dateOrder.flatMap(DateOrder.init), reserved: reserved)
    if let time {
      choice.time = time == "none" ? .none : .named(Self.names(time))
    } else if let known = record.timeColumns, known.allSatisfy(table.columnNames.contains) {
      choice.time = known.isEmpty ? .none : .named(known)
    }
    if let id {
      choice.id = id == "none" ? .none : .named(Self.names(id))
    } else if let known = record.idColumns {
      if let lacking = known.first(where: { !table.columnNames.contains($0) }) {
        throw InputError.usage(
          "\(table.file) has no column \"\(lacking)\", which told the model's series apart when it was fine-tuned",
          advice: ["name another with --id COLUMN, or say --id none when it holds one series"])
      }
      choice.id = known.isEmpty ? .none : .named(known)
    }
    return choice
  }
}

/// What was found about a table's rows, for machines.
struct SeriesAnswer: Encodable {
  struct Filled: Encodable {
    let column: String
    let count: Int
  }

  let times: [TimeFindings]
  let idColumns: [String]
  let ids: [[String]]
  let filled: [Filled]
  /// Windows that are left out since a target of theirs was filled in.
  let unscoredWindows: Int
}

extension SeriesData {
  /// nil where there is nothing to tell.
  var answer: SeriesAnswer? {
    guard !findings.isEmpty || !idColumns.isEmpty || !filled.isEmpty else { return nil }
    return SeriesAnswer(
      times: findings, idColumns: idColumns, ids: parts.map(\.id),
      filled: filled.map { .init(column: $0.column, count: $0.count) }, unscoredWindows: unscoredWindows)
  }

  /// Lines for people about rows, and about what is not scored.
  /// - Parameter isKnown: whether the model was trained on such a table, so that only what is odd is said.
  func rowNotes(scores: Bool, isKnown: Bool = false) -> [String] {
    var lines = notes.map(\.spelled)
    if isKnown { lines.removeAll { line in findings.contains { line.hasSuffix($0.summary) } } }
    if parts.count > 1, !isKnown {
      lines.append(
        "\(idColumns.joined(separator: ", ")): \(parts.count) series, \(parts.prefix(4).map(\.name).joined(separator: "; "))\(parts.count > 4 ? "; ..." : ""); no window reaches over two"
      )
    }
    if scores, unscoredWindows > 0 {
      lines.append("\(plural(unscoredWindows, "window")) left out, since a target of theirs was filled in")
    }
    return lines
  }

  /// Keeps how rows were told.
  func describeRows(in record: inout Preprocessing) {
    record.timeColumns = timeColumns
    record.dateOrder = dateOrder?.rawValue
    record.idColumns = ownIDColumns.isEmpty ? nil : ownIDColumns
  }
}

extension LoadedData {
  /// Examples as the model reads them.
  /// - Returns: `unknown` are the ids of which the model has no scaler.
  func scaled(_ examples: Examples, _ record: Preprocessing) throws -> (examples: Examples, notes: [String]) {
    guard let own = record.entityScalers else {
      return (examples.scaled(inputs: record.inputScaler, targets: record.targetScaler), [])
    }
    guard case .series(let series) = self, case .sequences(let data) = examples else {
      throw InputError.usage(
        "the model has a scaler for each id, which only the windows of a CSV series can be read with",
        advice: ["fine-tune it with --scaler refit"])
    }
    try record.checkEntityScalers(series)
    let (scaled, unknown) = series.scaled(data, by: own)
    guard !unknown.isEmpty else { return (.sequences(scaled), []) }
    let names = unknown.prefix(5).joined(separator: "; ") + (unknown.count > 5 ? "; ..." : "")
    return (
      .sequences(scaled),
      [
        "the model has no scaler of \(names): \(unknown.count == 1 ? "it is" : "they are") standardized by \(unknown.count == 1 ? "its" : "their") own rows in this file"
      ]
    )
  }
}

extension Preprocessing {
  fileprivate func checkEntityScalers(_ series: SeriesData) throws {
    guard let first = entityScalers?.values.first else { return }
    for (found, count, what) in [
      (first.inputs.columns, series.features.count, "features"),
      (first.targets.columns, series.targets.count, "targets"),
    ] where found != count {
      throw FineTuningError.badData(
        file: series.file, detail: "the model's scalers are for \(found) \(what), the data has \(count)",
        advice: ["fit new ones with --scaler refit --scaler-per-id"])
    }
  }
}

extension Preprocessing {
  /// What has to be done to numbers before the model reads them and after it has spoken, for who uses it elsewhere.
  func scalingLines(numbers limit: Int) -> [String] {
    func list(_ scaler: Scaler, _ names: [String]?) -> String {
      let shown = (0..<min(scaler.columns, limit)).map { column in
        let name = names.flatMap { $0.indices ~= column ? $0[column] : nil } ?? "\(column)"
        return "\(name): \(scaler.words(column))"
      }
      return shown.joined(separator: "; ") + (scaler.columns > limit ? "; ... (all with --json)" : "")
    }
    if let entityScalers {
      return [
        "the model reads numbers that were standardized for each of \(entityScalers.count) ids by itself, and its outputs are such; --json has all means and deviations"
      ]
    }
    var lines: [String] = []
    if let inputScaler { lines.append("the model reads standardized inputs: \(list(inputScaler, features))") }
    if let targetScaler {
      lines.append("its outputs are standardized, too, and have to be taken back: \(list(targetScaler, targets))")
    }
    return lines
  }
}
