/// Looks in a pickle for scalers that a model's data went through: scikit-learn's, others with the same attributes, and
/// means and deviations or minima and maxima under names that say so. Nothing is built: an object's attributes are read as
/// the numbers that they are.
struct ScalerSearch {
  /// Containers, one in the other.
  private static let depthLimit = 8
  /// Values of one container that are looked at.
  private static let widthLimit = 1000
  /// Columns of a table.
  private static let columnLimit = 100_000
  private static let scalerLimit = 100
  /// Numbers, and bytes of storages, that are looked at in all.
  private static let workLimit = 1 << 25

  private let pickle: Pickle
  private let reader: PTReader
  private var seen = Set<Int>()
  private var found: [FoundScaler] = []
  private var work = 0

  /// In the file's order.
  static func scalers(in pickle: Pickle, _ reader: PTReader) -> [FoundScaler] {
    var search = ScalerSearch(pickle: pickle, reader: reader)
    search.visit(pickle.root, path: "", depth: 0)
    return search.found
  }

  private mutating func visit(_ value: Pickle.Value, path: String, depth: Int) {
    guard case .node(let index) = value, depth < Self.depthLimit, found.count < Self.scalerLimit,
      path.utf8.count <= 500,
      seen.insert(index).inserted
    else { return }
    switch pickle.nodes[index] {
    case .dictionary(let dictionary):
      if isState(dictionary) { return }
      takePairs(dictionary, path: path, kind: nil)
      visit(dictionary.pairs, path: path, depth: depth)
    case .list(let items), .tuple(let items):
      for (place, item) in items.prefix(Self.widthLimit).enumerated() {
        visit(item, path: Self.joined(path, String(place)), depth: depth + 1)
      }
    case .object(let object):
      guard let attributes = pickle.attributes(object) else {
        visit(object.items.pairs, path: path, depth: depth)
        return
      }
      if pickle.isModule(object) {
        // What a module holds besides its modules. Its own numbers are for its own code to apply.
        visit(attributes.pairs.filter { !$0.key.keyText.hasPrefix("_") }, path: path, depth: depth)
      } else if !take(attributes, of: object.type, path: path) {
        let name = object.type.name.lowercased()
        if Self.scalerWords.contains(where: name.contains) {
          takePairs(attributes, path: path, kind: object.type.text)
        }
        // What scikit-learn makes of several steps is none of them alone.
        if object.type.module.hasPrefix("sklearn.") { return }
        visit(object.items.pairs + attributes.pairs, path: path, depth: depth)
      }
    default: return
    }
  }

  private mutating func visit(_ pairs: [(key: Pickle.Value, value: Pickle.Value)], path: String, depth: Int) {
    for (key, value) in pairs.prefix(Self.widthLimit) {
      visit(value, path: Self.joined(path, key.keyText), depth: depth + 1)
    }
  }

  private static func joined(_ path: String, _ key: String) -> String { path.isEmpty ? key : path + "." + key }

  /// Whether a dictionary holds a layer's tensors or an optimizer's: statistics in there are a layer's own.
  private func isState(_ dictionary: Pickle.Dictionary) -> Bool {
    if dictionary["param_groups"] != nil { return true }
    return dictionary.pairs.prefix(Self.widthLimit).contains { key, value in
      guard case .text(let name) = key, case .tensor = pickle.node(value) else { return false }
      return PyTorchName(name) != nil || ["weight", "bias"].contains(name.split(separator: ".").last)
    }
  }

  // MARK: - Kinds

  /// What has scikit-learn's attributes, whatever its class is called.
  /// - Returns: whether it is such a scaler, even if one without effect.
  private mutating func take(_ attributes: Pickle.Dictionary, of type: Pickle.Name, path: String) -> Bool {
    func has(_ key: String) -> Bool { attributes[key] != nil }
    func isOff(_ key: String) -> Bool { attributes[key] == .bool(false) }
    guard has("scale_") else { return false }
    let given = numbers(attributes["scale_"])
    func zeros(_ other: [Double]) -> [Double] { other.map { _ in 0 } }
    func add(_ mean: [Double], _ deviation: [Double], _ what: String) {
      let isKnown = type.module.hasPrefix("sklearn.")
      let kind = isKnown ? type.text : "\(type.text) (\(what))"
      if let scaler = FoundScaler(key: path.isEmpty ? type.name : path, kind: kind, mean: mean, deviation: deviation) {
        found.append(scaler)
      }
    }
    if has("mean_") {
      let mean = numbers(attributes["mean_"])?.values
      let scale = isOff("with_std") ? nil : given?.values
      guard let columns = mean ?? scale else { return true }
      add(
        isOff("with_mean") ? zeros(columns) : mean ?? zeros(columns), scale ?? columns.map { _ in 1 },
        "mean_ and scale_")
    } else if has("min_") {
      // Applied as x * scale_ + min_.
      guard let scale = given?.values, let least = numbers(attributes["min_"])?.values, least.count == scale.count
      else {
        return true
      }
      add(zip(least, scale).map { -$0 / $1 }, scale.map { 1 / $0 }, "min_ and scale_")
    } else if has("center_") {
      let center = isOff("with_centering") ? nil : numbers(attributes["center_"])?.values
      let scale = isOff("with_scaling") ? nil : given?.values
      guard let columns = center ?? scale else { return true }
      add(center ?? zeros(columns), scale ?? columns.map { _ in 1 }, "center_ and scale_")
    } else if has("max_abs_") {
      guard let scale = given?.values else { return true }
      add(zeros(scale), scale, "max_abs_ and scale_")
    } else {
      return false
    }
    return true
  }

  private static let scalerWords = ["scal", "norm", "standard", "transform"]

  /// Parts of the names of pairs that are no data's: what training has measured.
  private static let otherWords: Set<String> = [
    "loss", "grad", "score", "acc", "accuracy", "lr", "rate", "reward", "error", "time", "weight", "epoch", "metric",
    "running", "bn", "clip", "epsilon", "alpha", "beta",
  ]

  /// Parts that say of a lone number that it is the data's.
  private static let dataWords: Set<String> = [
    "x", "y", "input", "inputs", "output", "outputs", "feature", "features", "target", "targets", "data", "train",
    "scaler", "scale", "scaling", "norm", "normalization", "normalization", "stats", "statistics", "label", "labels",
    "series", "price", "close",
  ]

  /// Words for one number of a pair, and for the other.
  private static let words: [(first: String, second: [String], isRange: Bool)] = [
    ("mean", ["std", "stdev", "stddev", "std_dev", "sd", "deviation", "sigma", "scale"], false),
    ("mu", ["sigma", "std"], false),
    ("min", ["max"], true),
    ("minimum", ["maximum"], true),
  ]

  /// `mean` and `std` side by side, also as a part of a name: `x_mean` and `x_std`.
  private mutating func takePairs(_ dictionary: Pickle.Dictionary, path: String, kind: String?) {
    for (key, value) in dictionary.pairs.prefix(Self.widthLimit) {
      guard case .text(let name) = key, name.utf8.count <= 100 else { continue }
      let parts = name.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
      guard
        let (place, word) = parts.enumerated().lazy.compactMap({ part in
          Self.words.first { $0.first == part.element.lowercased() }.map { (part.offset, $0) }
        }).first
      else { continue }
      guard let first = numbers(value) else { continue }
      let said = Set((parts + path.split { "._".contains($0) }.map(String.init)).map { $0.lowercased() })
      guard said.isDisjoint(with: Self.otherWords) else { continue }
      // A least and a greatest number may be anything's.
      if word.isRange, first.isLone, kind == nil, said.isDisjoint(with: Self.dataWords) { continue }
      let others = word.second.map { other in
        parts.enumerated().map { $0.offset == place ? Self.cased(other, like: $0.element) : $0.element }
          .joined(separator: "_")
      }
      guard let other = others.first(where: { dictionary[$0] != nil }), let second = numbers(dictionary[other]) else {
        continue
      }
      let isWhole = parts.count == 1 && !path.isEmpty
      let (mean, deviation) = (
        first.values,
        word.isRange ? zip(first.values, second.values).map { $1 - $0 } : second.values
      )
      guard first.values.count == second.values.count,
        let scaler = FoundScaler(
          key: isWhole ? path : Self.joined(path, name),
          kind: (kind.map { "\($0) (\(name) and \(other))" }) ?? "\(name) and \(other)", mean: mean,
          deviation: deviation, isForAll: first.isLone && second.isLone)
      else { continue }
      found.append(scaler)
    }
  }

  private static func cased(_ word: String, like other: String) -> String {
    if other == other.uppercased() { return word.uppercased() }
    return other.first?.isUppercase == true ? word.prefix(1).uppercased() + word.dropFirst() : word
  }

  // MARK: - Numbers

  /// What a value is as numbers: one, a list, an array. nil for everything else.
  private mutating func numbers(_ value: Pickle.Value?) -> (values: [Double], isLone: Bool)? {
    guard let value else { return nil }
    if let lone = number(value) { return ([lone], true) }
    switch pickle.node(value) {
    case .tensor(let tensor):
      guard let type = tensor.type.dataType, type != .bool, let count = elementCount(tensor.shape),
        count <= Self.columnLimit, let view = try? reader.view(tensor, name: ""), mayRead(view.storage.byteCount),
        let bytes = try? view.bytes()
      else { return nil }
      // A lone number, or a vector that broadcasting may have given axes of size 1.
      guard tensor.shape.filter({ $0 != 1 }).count <= 1 else { return nil }
      return (ElementConversion.doubles(bytes, type), tensor.shape.isEmpty)
    case .list(let items), .tuple(let items):
      guard !items.isEmpty, items.count <= Self.columnLimit, mayRead(items.count) else { return nil }
      let values = items.compactMap(number)
      return values.count == items.count ? (values, false) : nil
    default: return nil
    }
  }

  private mutating func mayRead(_ count: Int) -> Bool {
    work += count
    return work <= Self.workLimit
  }

  private func number(_ value: Pickle.Value) -> Double? {
    switch value {
    case .float(let number): number
    case .integer(let number): Double(number)
    default: nil
    }
  }
}
