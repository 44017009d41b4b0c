import FileIO
import Foundation
import LSTMCheckpoints

/// Scalers written down as JSON, in the words of scikit-learn or this tool's own.
///
///     { "inputs":  { "data_min_": [11.5, 1001.6, 20.0], "data_max_": [28.8, 1024.0, 80.0], "feature_range": [0, 1] },
///       "targets": { "mean": 54.0, "scale": 9.6 } }
///
/// Each is of means and deviations (`mean`, `mean_` or `center_`, with `scale`, `scale_`, `deviation`, `std` or `var_`), of
/// minima and maxima (`data_min_`, `min` or `minimum`, with `data_max_`, `max` or `maximum`, and maybe `feature_range`),
/// or of `scale_` and `min_` alone, as MinMaxScaler applies them. Numbers are lists in the columns' order, one number for
/// all columns, or objects by the columns' names; `feature_names_in_` or `columns` may name lists. `targets` may instead
/// name columns of the inputs. Without `inputs`, the whole is of the inputs.
public struct ScalerFile: Sendable, Equatable {
  /// Of the features; nil where the file has none.
  public let inputs: Scaler?
  /// Of the targets; nil where the file has none.
  public let targets: Scaler?
  /// The columns that the inputs' numbers are of, where they are named; and those of the targets.
  public let features: [String]?
  /// The columns that the targets' numbers are of, where they are named.
  public let targetNames: [String]?

  /// - Parameters:
  ///   - features: how many features the model reads.
  ///   - outputs: how many numbers it gives; as many targets, or so many times fewer.
  /// - Throws: `FineTuningError.badData` naming the file and what is wrong in it.
  public init(json: Data, file: String, features: Int, outputs: Int) throws {
    let reader = Reader(file: file)
    let value: Value
    do {
      value = try JSONDecoder().decode(Value.self, from: json)
    } catch {
      throw reader.wrong("it is no JSON: \(describe(error))")
    }
    guard case .object(let all) = value else { throw reader.wrong("expected an object { ... }") }
    let isParted = all["inputs"] != nil || all["targets"] != nil
    let inputs = isParted ? all["inputs"] : value
    var found: (scaler: Scaler, names: [String]?)?
    if let inputs { found = try reader.scaler(inputs, "inputs", count: features) }
    var targets: (scaler: Scaler, names: [String]?)?
    switch all["targets"] {
    case nil: break
    case .text(let name)?: targets = try reader.picking([name], from: found)
    case .list(let list)?:
      let names = list.compactMap { if case .text(let name) = $0 { name } else { nil } }
      guard names.count == list.count, !names.isEmpty else {
        throw reader.wrong("targets: expected a scaler, or names of inputs")
      }
      targets = try reader.picking(names, from: found)
    case let own?: targets = try reader.scaler(own, "targets", count: nil)
    }
    if let targets, targets.scaler.columns == 0 || outputs % targets.scaler.columns != 0 {
      throw reader.wrong("targets: \(targets.scaler.columns) columns do not go into the model's \(outputs) outputs")
    }
    (self.inputs, self.targets) = (found?.scaler, targets?.scaler)
    (self.features, targetNames) = (found?.names, targets?.names)
  }

  /// JSON as it is needed here.
  private indirect enum Value: Decodable {
    case number(Double)
    case text(String)
    case list([Value])
    case object([String: Value])
    case other

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        self = .number(number)
      } else if let text = try? container.decode(String.self) {
        self = .text(text)
      } else if let list = try? container.decode([Value].self) {
        self = .list(list)
      } else if let object = try? container.decode([String: Value].self) {
        self = .object(object)
      } else {
        self = .other
      }
    }
  }

  private struct Reader {
    let file: String

    func wrong(_ detail: Message) -> FineTuningError {
      .badData(
        file: file, detail: detail,
        advice: ["for example {\"inputs\": {\"mean\": [1.5], \"scale\": [0.4]}, \"targets\": {\"min\": 0, \"max\": 9}}"]
      )
    }

    /// - Parameter count: columns that there have to be; nil for as many as there are numbers.
    func scaler(_ value: Value, _ what: String, count: Int?) throws -> (scaler: Scaler, names: [String]?) {
      guard case .object(var object) = value else { throw wrong("\(what): expected an object { ... }") }
      var names: [String]?
      for key in ["feature_names_in_", "columns", "features"] {
        guard case .list(let list)? = object.removeValue(forKey: key) else { continue }
        names = list.compactMap { if case .text(let name) = $0 { name } else { nil } }
        guard names?.count == list.count else { throw wrong("\(what).\(key): expected names") }
      }
      // By columns: { "temp": { "mean": 1, "scale": 2 } }
      if !object.isEmpty,
        object.values.allSatisfy({ if case .object(let inner) = $0 { Self.tells(inner) } else { false } })
      {
        object = try transposed(object, names, what)
      }
      func numbers(_ keys: String...) throws -> [Double]? {
        for key in keys {
          guard let value = object[key] else { continue }
          return try self.numbers(value, "\(what).\(key)", &names, count)
        }
        return nil
      }
      let made = try scaler(numbers, what, object)
      let columns = made.columns
      if let count, columns != count {
        throw wrong("\(what): the model reads \(count) feature\(count == 1 ? "" : "s"), found numbers for \(columns)")
      }
      if let names, names.count != columns {
        throw wrong("\(what): \(names.count) names and numbers for \(columns) columns")
      }
      if let names, let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
        throw wrong("\(what): \"\(twice)\" is named twice")
      }
      return (made, names)
    }

    private func scaler(
      _ numbers: (String...) throws -> [Double]?, _ what: String, _ object: [String: Value]
    ) throws -> Scaler {
      if let low = try numbers("data_min_", "minimum", "min", "data_min") {
        guard let high = try numbers("data_max_", "maximum", "max", "data_max") else {
          throw wrong("\(what): minima without maxima")
        }
        try check(low, high, what)
        guard zip(low, high).allSatisfy({ $0 <= $1 }) else { throw wrong("\(what): a maximum is below its minimum") }
        var range = [0.0, 1.0]
        if let value = object["feature_range"] ?? object["range"] {
          guard case .list(let list) = value, list.count == 2, case .number(let first) = list[0],
            case .number(let last) = list[1], first < last, Float(last) > Float(first)
          else { throw wrong("\(what): feature_range: expected two rising numbers") }
          range = [first, last]
        }
        return Scaler(
          minimum: low.map(Float.init), maximum: high.map(Float.init), range: Float(range[0])...Float(range[1]))
      }
      let center = try numbers("mean_", "mean", "center_", "center")
      if center == nil, let offset = try numbers("min_"), let scale = try numbers("scale_") {
        // MinMaxScaler: x * scale_ + min_.
        try check(offset, scale, what)
        guard scale.allSatisfy({ $0 > 0 }) else { throw wrong("\(what).scale_: expected numbers above 0") }
        return try made(zip(offset, scale).map { -$0 / $1 }, scale.map { 1 / $0 }, what)
      }
      var deviation = try numbers("scale_", "scale", "deviation", "std", "std_")
      if deviation == nil {
        deviation = try numbers("var_", "var", "variance").map { $0.map { $0 > 0 ? $0.squareRoot() : 1 } }
      }
      if center == nil, deviation == nil, let largest = try numbers("max_abs_", "max_abs") { deviation = largest }
      guard let count = center?.count ?? deviation?.count else {
        let found = object.isEmpty ? "nothing" : object.keys.sorted().prefix(6).joined(separator: ", ")
        throw wrong("\(what): expected mean and scale, or min and max; found \(found)")
      }
      return try made(
        center ?? [Double](repeating: 0, count: count), deviation ?? [Double](repeating: 1, count: count), what)
    }

    private func made(_ mean: [Double], _ deviation: [Double], _ what: String) throws -> Scaler {
      try check(mean, deviation, what)
      guard deviation.allSatisfy({ Float($0) > 0 && Float($0).isFinite }) else {
        throw wrong("\(what): expected deviations above 0")
      }
      return Scaler(mean: mean.map(Float.init), deviation: deviation.map(Float.init))
    }

    private func check(_ a: [Double], _ b: [Double], _ what: String) throws {
      guard a.count == b.count else { throw wrong("\(what): \(a.count) numbers beside \(b.count)") }
      guard (a + b).allSatisfy({ Float($0).isFinite }) else { throw wrong("\(what): expected finite numbers") }
    }

    private func numbers(_ value: Value, _ place: String, _ names: inout [String]?, _ count: Int?) throws -> [Double] {
      switch value {
      case .number(let number): return [Double](repeating: number, count: names?.count ?? count ?? 1)
      case .list(let list):
        // A scaler of one row, as NumPy keeps it, is a list in a list.
        if list.count == 1, case .list = list[0] { return try numbers(list[0], place, &names, count) }
        let found = list.compactMap { if case .number(let number) = $0 { number } else { nil } }
        guard found.count == list.count, !found.isEmpty else { throw wrong("\(place): expected numbers") }
        return found
      case .object(let object):
        let order = names ?? object.keys.sorted()
        if names == nil, object.count > 1 {
          throw wrong(
            "\(place): say with \"columns\": [...] in which order the model reads \(order.joined(separator: ", "))")
        }
        names = order
        return try order.map { name in
          guard case .number(let number)? = object[name] else { throw wrong("\(place): no number for \"\(name)\"") }
          return number
        }
      case .text, .other: throw wrong("\(place): expected numbers")
      }
    }

    private static func tells(_ object: [String: Value]) -> Bool {
      ["mean", "mean_", "min", "minimum", "data_min_", "scale", "scale_", "deviation", "std"].contains {
        object[$0] != nil
      }
    }

    /// Turns columns of numbers into numbers of columns.
    private func transposed(_ object: [String: Value], _ names: [String]?, _ what: String) throws -> [String: Value] {
      var turned: [String: [String: Value]] = [:]
      for (column, value) in object {
        guard case .object(let inner) = value else { continue }
        for (key, number) in inner { turned[key, default: [:]][column] = number }
      }
      return turned.mapValues { .object($0) }
    }

    func picking(
      _ names: [String], from inputs: (scaler: Scaler, names: [String]?)?
    ) throws -> (scaler: Scaler, names: [String]?) {
      guard let inputs, let known = inputs.names else {
        throw wrong("targets names columns, but those of the inputs have no names: give \"columns\": [...]")
      }
      let places = try names.map { name in
        guard let place = known.firstIndex(of: name) else {
          throw wrong("targets: \"\(name)\" is no column of the inputs")
        }
        return place
      }
      return (inputs.scaler.picking(places), names)
    }
  }
}

extension Scaler {
  /// The scaler of some of its columns.
  package func picking(_ columns: [Int]) -> Scaler {
    guard let limits else { return Scaler(mean: columns.map { mean[$0] }, deviation: columns.map { deviation[$0] }) }
    return Scaler(
      minimum: columns.map { limits.minimum[$0] }, maximum: columns.map { limits.maximum[$0] },
      range: limits.range[0]...limits.range[1])
  }

  /// What is done to a column, for people: `(x - 54) / 9.6`, `0 to 100 becomes 0 to 1`.
  package func words(_ column: Int) -> String {
    guard let limits else { return "(x - \(mean[column])) / \(deviation[column])" }
    return "\(limits.minimum[column]) to \(limits.maximum[column]) becomes \(limits.range[0]) to \(limits.range[1])"
  }
}
