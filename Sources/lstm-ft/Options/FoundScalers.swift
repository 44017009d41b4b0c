import FileIO
import LSTMCheckpoints
import LSTMReports

/// The scalers of a checkpoint that `--scaler-from` names.
struct ChosenScalers {
  private(set) var inputs: Scaler?
  private(set) var targets: Scaler?
  private(set) var notes: [String] = []

  /// - Parameter text: `KEY` or `KEY,KEY`, each a scaler's key, with `:2` or `:1-3` for some of its columns; `none` is
  ///   none.
  init(_ text: String, in checkpoint: Checkpoint, _ configuration: ModelConfiguration) throws {
    let found = checkpoint.foundScalers
    let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard 1...2 ~= parts.count, !parts.contains("") else {
      throw InputError.usage(
        "--scaler-from \(text): expected KEY, or KEY,KEY for features and targets", advice: Self.advice(found))
    }
    let first = try Self.part(parts[0], of: found)
    let second = try parts.dropFirst().first.map { try Self.part($0, of: found) } ?? nil
    if let first {
      let count = try standardizedFeatures(configuration, "--scaler-from")
      inputs = try first.scaler(for: count, option: "--scaler-from \(parts[0])")
      notes.append("features are scaled with \(first.summary)")
    }
    if let second {
      let outputs = configuration.outputSize
      let columns = second.isForAll ? 1 : second.columns.count
      guard outputs % columns == 0 else {
        throw InputError.usage(
          "--scaler-from \(parts[1]): it has \(plural(columns, "column")), the model \(plural(outputs, "output"))",
          advice: ["choose columns: --scaler-from \(shellWord("\(parts[0]),\(second.found.key):1"))"])
      }
      targets = try second.scaler(for: columns, option: "--scaler-from \(parts[1])")
      notes.append("outputs are scaled back with \(second.summary)")
    } else if let first, parts.count == 1 {
      if first.isForAll || first.columns.count == 1, configuration.finalDense?.activation != .softmax {
        targets = try first.scaler(for: 1, option: "--scaler-from \(parts[0])")
        notes.append("outputs are scaled back with it, too; otherwise: --scaler-from \(shellWord("\(parts[0]),none"))")
      } else {
        notes.append(
          "outputs are not scaled back; if the targets are one of its columns: --scaler-from \(shellWord("\(parts[0]),\(first.found.key):1"))"
        )
      }
    }
  }

  private static func advice(_ found: [FoundScaler]) -> [Message] {
    found.isEmpty ? [] : ["the file has \(found.prefix(4).map(\.summary).joined(separator: "; "))"]
  }

  /// nil for `none`.
  private static func part(_ text: String, of found: [FoundScaler]) throws -> Part? {
    if text == "none" { return nil }
    guard !found.isEmpty else { throw InputError.usage("--scaler-from \(text): there is no scaler in the file") }
    if let whole = found.first(where: { $0.key == text }) { return Part(found: whole, columns: 0..<whole.columns) }
    if let colon = text.lastIndex(of: ":"), let scaler = found.first(where: { $0.key == text[..<colon] }) {
      let numbers = text[text.index(after: colon)...].split(separator: "-", omittingEmptySubsequences: false).map {
        Int($0) ?? 0
      }
      guard let first = numbers.first, let last = numbers.last, numbers.count <= 2, 1 <= first, first <= last,
        last <= scaler.columns
      else {
        throw InputError.usage(
          "--scaler-from \(text): it has \(plural(scaler.columns, "column")), counted from 1",
          advice: ["for example \(shellWord("\(scaler.key):1")) or \(shellWord("\(scaler.key):1-\(scaler.columns)"))"])
      }
      return Part(found: scaler, columns: first - 1..<last)
    }
    throw InputError.usage("--scaler-from \(text): the file has no scaler with this key", advice: advice(found))
  }

  private struct Part {
    let found: FoundScaler
    let columns: Range<Int>

    var isForAll: Bool { found.isForAll }

    var summary: String {
      columns == 0..<found.columns
        ? found.summary
        : columns.count == 1
          ? "column \(columns.lowerBound + 1) of \(found.summary)"
          : "columns \(columns.lowerBound + 1) to \(columns.upperBound) of \(found.summary)"
    }

    func scaler(for count: Int, option: String) throws -> Scaler {
      let scaler = Scaler(found, columns: columns)
      guard scaler.isUsable else { throw InputError.usage("\(option): its values are out of the range of float32") }
      if scaler.columns == count { return scaler }
      guard isForAll else {
        throw InputError.usage(
          "\(option): it has \(plural(scaler.columns, "column")), the model reads \(plural(count, "feature"))",
          advice: scaler.columns > count
            ? ["choose columns: --scaler-from \(shellWord("\(found.key):1\(count > 1 ? "-\(count)" : "")"))"]
            : ["for the targets alone: --scaler-from \(shellWord("none,\(found.key)"))"])
      }
      return Scaler(
        mean: [Float](repeating: scaler.mean[0], count: count),
        deviation: [Float](repeating: scaler.deviation[0], count: count))
    }
  }
}

extension FoundScaler {
  /// `scaler, a sklearn.preprocessing.MinMaxScaler of 3 columns`
  var summary: String {
    "\(key), a \(kind) " + (isForAll ? "for all columns" : "of \(plural(columns, "column"))")
  }
}

/// The number of features that a scaler is for.
/// - Throws: `InputError.usage` for a model that reads tokens.
func standardizedFeatures(_ configuration: ModelConfiguration, _ option: String) throws -> Int {
  if case .features(let count) = configuration.input { return count }
  throw InputError.usage("\(option): this model reads tokens, which are not standardized")
}

/// Notes on scalers in the file that no option uses.
func scalerOffers(_ found: [FoundScaler], _ configuration: ModelConfiguration) -> [String] {
  guard case .features(let count) = configuration.input else { return [] }
  return found.prefix(4).map { scaler in
    let name = "the file holds a scaler, \(scaler.summary), which is not applied: "
    if scaler.isForAll || scaler.columns == count {
      return name + "--scaler-from \(shellWord(scaler.key)) scales the features with it"
    }
    if scaler.columns > count {
      let columns = count == 1 ? "1" : "1-\(count)"
      return name
        + "--scaler-from \(shellWord("\(scaler.key):\(columns)")) scales the features with some of its columns"
    }
    return name + "--scaler-from \(shellWord("none,\(scaler.key)")) scales outputs back with it"
  }
}
