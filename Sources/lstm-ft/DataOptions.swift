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
      "A CSV series, or an HDF5 or .npz file with x, y and maybe lengths.", valueName: "file"))
  var data: String?

  @Option(help: "CSV: the column to predict. Repeatable, or separated by commas.")
  var target: [String] = []

  @Option(help: "CSV: the columns the model reads, separated by commas.")
  var features: String?

  @Option(help: "CSV: rows that the model looks at.")
  var window: Int?

  @Option(help: "CSV: rows that it predicts. (default: what the model was made for, else 1)")
  var horizon: Int?

  @Option(help: "CSV: what to do with missing values: error, interpolate, forwardFill or zero.")
  var missing: MissingValuePolicy = .error

  @Flag(inversion: .prefixedNo, help: "CSV: whether the first line names the columns. (default: found out)")
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
      ]
      where given {
        throw InputError.usage(
          "\(flag) is for CSV series; \(path) holds arrays, whose shapes say it all", advice: [])
      }
      let checkpoint = try Checkpoint(path: path)
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
        throw InputError.usage(
          "which column of \(path) shall be predicted?",
          advice: ["choose with --target; numeric columns are \(numeric.joined(separator: ", "))"])
      }
      targets = numeric
    }
    let chosen = try self.features(table, size: size, targets: targets, record)
    guard let window = window ?? record.window else {
      throw InputError.usage(
        "how many rows shall the model look at?", advice: ["say it with --window, for example --window 48"])
    }
    return try SeriesData(
      table, features: chosen, targets: targets, window: window,
      horizon: horizon ?? record.horizon ?? defaultHorizon(model, targets.count), missing: missing)
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
          "--features names \(plural(chosen.count, "column")), the model reads \(plural(size, "feature")) a step",
          advice: [])
      }
      return chosen
    }
    if size == targets.count { return targets }
    let numeric = table.numericColumns
    if numeric.count == size { return numeric }
    throw InputError.usage(
      "the model reads \(plural(size, "feature")) a step, but \(table.file) has \(plural(numeric.count, "numeric column")): \(numeric.joined(separator: ", "))",
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
