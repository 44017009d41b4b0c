import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

extension MissingValuePolicy: ExpressibleByArgument {}

/// Where data comes from and how it is read.
struct DataArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A CSV series, or arrays x, y and maybe lengths in HDF5 or .npz; predict takes x.npy too.", valueName: "file"),
    completion: .file())
  var data: String?

  @Option(
    help: ArgumentHelp("CSV: the column to predict. Repeatable, or separated by commas.", valueName: "column"))
  var target: [String] = []

  @Option(
    help: ArgumentHelp(
      "CSV: the columns that the model reads, separated by commas. (default: the targets, or all)",
      valueName: "columns"))
  var features: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("CSV: rows that the model looks at. (default: as fine-tuned)", valueName: "rows"))
  var window: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "CSV: rows that it predicts. (default: what the model was made for, else 1)", valueName: "rows"))
  var horizon: Int?

  @Option(help: ArgumentHelp("CSV: what becomes of missing values.", valueName: "policy"))
  var missing: MissingValuePolicy = .error

  @Flag(inversion: .prefixedNo, help: "CSV: whether the first line names the columns. (default: as it looks)")
  var header: Bool?

  func requiredPath() throws -> String {
    guard let data else {
      throw InputError.usage("no data given", advice: ["name it with --data mine.csv (or .h5, .npz with x and y)"])
    }
    guard FileManager.default.fileExists(atPath: data) else { throw InputError.notFound(data) }
    return data
  }

  /// A series when the file is a CSV table, arrays otherwise.
  func load(for model: LSTMModel, _ record: Preprocessing, needsTargets: Bool) throws -> LoadedData {
    let path = try requiredPath()
    if Self.isArrays(path) {
      for (flag, given) in [
        ("--target", !target.isEmpty), ("--features", features != nil), ("--window", window != nil),
        ("--horizon", horizon != nil), ("--missing", missing != .error), ("--header", header != nil),
      ]
      where given {
        throw InputError.usage(
          "\(flag) is for CSV series; \(path) holds arrays, whose shapes say it all", advice: [])
      }
      let checkpoint = try openArrays(path)
      return .arrays(
        try ArrayData.load(checkpoint, reading: model.configuration.input, needsTargets: needsTargets), file: path)
    }
    return .series(try series(path, model, record))
  }

  /// Anything that is not of a binary format we know goes to the CSV reader, which says what is wrong with it.
  private static func isArrays(_ path: String) -> Bool {
    let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
    return ["h5", "hdf5", "npz", "npy", "pt", "pth", "safetensors"].contains(suffix)
      || (try? Checkpoint(path: path)) != nil
  }

  private func openArrays(_ path: String) throws -> Checkpoint {
    do {
      return try Checkpoint(path: path)
    } catch CheckpointError.hdf5(let error) where error.kind == .notHDF5 {
      throw CheckpointError.unknownFormat(
        file: path, detail: error.message,
        advice: ["arrays are HDF5, .npz or .npy files; a series is a text file named .csv"])
    }
  }

  private func series(_ path: String, _ model: LSTMModel, _ record: Preprocessing) throws -> SeriesData {
    guard case .features(let size) = model.configuration.input else {
      throw FineTuningError.badData(
        file: path, detail: "the model reads tokens, a CSV series holds numbers",
        advice: ["give an HDF5 or .npz file with token numbers x (N, T)"])
    }
    let table = try CSVTable(contentsOf: path, options: .init(header: header))
    var targets = target.flatMap { $0.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) } }
    if targets.isEmpty { targets = record.targets ?? [] }
    if targets.isEmpty {
      let numeric = table.numericColumns
      guard numeric.count == 1 else {
        guard let first = numeric.first else {
          throw FineTuningError.badData(
            file: path, detail: "no column holds only numbers",
            advice: ["name the one to predict with --target; its first cell that is no number is then shown"])
        }
        throw InputError.usage(
          "no --target given, and \(path) has \(numeric.count) columns of numbers: \(numeric.joined(separator: ", "))",
          advice: ["say which shall be predicted, for example --target \(first)"])
      }
      targets = numeric
    }
    let chosen = try self.features(table, size: size, targets: targets, record)
    guard let window = window ?? record.window else {
      throw InputError.usage(
        "no --window given, and the model does not know it from a fine-tuning",
        advice: ["say how many rows the model shall look at, for example --window 48"])
    }
    do {
      return try SeriesData(
        table, features: chosen, targets: targets, window: window,
        horizon: horizon ?? record.horizon ?? defaultHorizon(model, targets.count), missing: missing)
    } catch let error as CSVError {
      throw explained(error, table)
    }
  }

  /// What the file's reader found, with the options of this tool that help.
  private func explained(_ error: CSVError, _ table: CSVTable) -> any Error {
    switch error.kind {
    case .missingValue:
      return FineTuningError.badLine(
        error, advice: ["fill missing values with --missing interpolate, forwardFill or zero"])
    case .notANumber where error.advice.isEmpty && !table.numericColumns.isEmpty:
      return FineTuningError.badLine(
        error, advice: ["columns of numbers are " + table.numericColumns.joined(separator: ", ")])
    default: return error
    }
  }

  /// A head of several outputs was made for as many rows ahead.
  private func defaultHorizon(_ model: LSTMModel, _ targets: Int) -> Int {
    guard let last = model.configuration.head.last, last.size % targets == 0 else { return 1 }
    return last.size / targets
  }

  private func features(_ table: CSVTable, size: Int, targets: [String], _ record: Preprocessing) throws -> [String] {
    let given = features?.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    if let chosen = given ?? record.features {
      guard chosen.count == size else {
        throw InputError.usage(
          "--features \(chosen.joined(separator: ",")): names \(plural(chosen.count, "column")), but the model reads \(plural(size, "feature")) a step",
          advice: [])
      }
      return chosen
    }
    if size == targets.count { return targets }
    let numeric = table.numericColumns
    if numeric.count == size { return numeric }
    guard numeric.count > size else {
      throw FineTuningError.badData(
        file: table.file,
        detail: "the model reads \(plural(size, "feature")) a step, found \(plural(numeric.count, "column")) of numbers"
          + (numeric.isEmpty ? "" : ": " + numeric.joined(separator: ", ")), advice: [])
    }
    throw InputError.usage(
      "the model reads \(plural(size, "feature")) a step, but \(table.file) has \(numeric.count) columns of numbers: \(numeric.joined(separator: ", "))",
      advice: ["choose with --features, for example --features \(numeric.prefix(size).joined(separator: ","))"])
  }
}

enum LoadedData {
  case series(SeriesData)
  case arrays(SequenceData, file: String)

  var file: String {
    switch self {
    case .series(let series): series.file
    case .arrays(_, let file): file
    }
  }

  /// Everything, unscaled.
  func examples() throws -> SequenceData {
    switch self {
    case .series(let series): try series.examples()
    case .arrays(let data, _): data
    }
  }

  /// Adds what a series was read with.
  func describe(in record: inout Preprocessing) {
    guard case .series(let series) = self else { return }
    record.features = series.features
    record.targets = series.targets
    record.window = series.window
    record.horizon = series.horizon
  }
}

extension Preprocessing {
  /// Checks that stored scalers go with this data.
  func checkScalers(features: Int?, targets: Int?, file: String) throws {
    if let features, let inputScaler, inputScaler.columns != features {
      throw FineTuningError.badData(
        file: file, detail: "the model's scaler is for \(inputScaler.columns) features, the data has \(features)",
        advice: ["fit a new one with --scaler refit"])
    }
    if let targets, let targetScaler, targetScaler.columns == 0 || targets % targetScaler.columns != 0 {
      throw FineTuningError.badData(
        file: file, detail: "the model's scaler is for \(targetScaler.columns) targets, the data has \(targets)",
        advice: ["fit a new one with --scaler refit"])
    }
  }
}

extension SequenceData {
  /// Real-valued targets a row, nil for classes.
  var targetSize: Int? {
    if case .values(_, let size, _) = targets { size } else { nil }
  }
}

extension FineTuningError {
  /// A place in a CSV file, with other advice.
  fileprivate static func badLine(_ error: CSVError, advice: [String]) -> FineTuningError {
    .badData(file: String(error.description.dropLast(error.detail.count + 2)), detail: error.detail, advice: advice)
  }
}
