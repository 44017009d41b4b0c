import FileIO
import Foundation

/// What the code of a `Lambda` shows, as Python's `marshal` keeps it: names and numbers, of which nothing is run.
struct KerasLambda {
  /// From every step to one row.
  enum Form: String, CaseIterable {
    case last, first, mean, sum, max

    var words: String {
      switch self {
      case .last: "last step"
      case .first: "first step"
      case .mean: "mean"
      case .sum: "sum"
      case .max: "maximum"
      }
    }
  }

  private let names: [String]
  /// Numbers among its constants.
  private let numbers: [Int]
  private let keywords: [String]

  /// nil where there is no code that can be read.
  init?(_ config: KerasJSON) {
    let function = config["function"]
    let text = function?["config"]?["code"]?.string ?? function?.array?.first?.string ?? ""
    let clean = text.filter { !$0.isWhitespace }
    guard clean.utf8.count <= 1 << 16, let data = Data(base64Encoded: clean) else { return nil }
    var reader = Marshal(bytes: Array(data))
    guard case .code(let names, let constants)? = reader.value(depth: 0) else { return nil }
    self.names = names
    numbers = constants.compactMap { if case .integer(let number) = $0 { number } else { nil } }
    keywords = constants.flatMap { constant -> [String] in
      guard case .list(let list) = constant else { return [] }
      return list.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }
  }

  private static let modules: Set<String> = ["K", "tf", "keras", "backend", "ops", "math", "tensorflow"]
  private static let functions: [String: Form] = [
    "sum": .sum, "reduce_sum": .sum, "mean": .mean, "reduce_mean": .mean, "max": .max, "reduce_max": .max, "amax": .max,
  ]

  /// What it calls or names beside modules.
  private var called: [String] { names.filter { !Self.modules.contains($0) } }

  /// `K.sum(x, axis=1)`, `tf.reduce_mean(x, axis=1)`: one function of a library over the steps, and nothing else.
  var form: Form? {
    guard called.count == 1, names.count > 1, let form = Self.functions[called[0]], numbers == [1] || numbers == [-2],
      keywords.allSatisfy({ $0 == "axis" })
    else { return nil }
    return form
  }

  /// Whether nothing in it speaks against one row of all steps: `x[:, -1]`, which has no names.
  var mayReadOut: Bool {
    called.allSatisfy { Self.functions[$0] != nil } && numbers.allSatisfy { (-2...1).contains($0) }
      && keywords.allSatisfy { $0 == "axis" }
  }
}

/// Enough of Python's `marshal` for a function's names and constants.
private struct Marshal {
  indirect enum Value {
    case integer(Int)
    case text(String)
    case list([Value])
    case code(names: [String], constants: [Value])
    case other
  }

  let bytes: [UInt8]
  private var place = 0
  private var kept: [Value] = []

  init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func byte() -> UInt8? {
    guard place < bytes.count else { return nil }
    place += 1
    return bytes[place - 1]
  }

  private mutating func integer() -> Int? {
    guard bytes.count - place >= 4 else { return nil }
    let value = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) }
    place += 4
    return Int(Int32(bitPattern: value))
  }

  private mutating func text(_ count: Int?) -> Value? {
    guard let count, count >= 0, count <= bytes.count - place else { return nil }
    place += count
    return .text(String(decoding: bytes[place - count..<place], as: UTF8.self))
  }

  private mutating func list(_ count: Int?, depth: Int) -> Value? {
    guard let count, count >= 0, count <= bytes.count - place else { return nil }
    var list: [Value] = []
    for _ in 0..<count {
      guard let value = value(depth: depth + 1) else { return nil }
      list.append(value)
    }
    return .list(list)
  }

  mutating func value(depth: Int) -> Value? {
    guard depth < 20, let type = byte() else { return nil }
    let slot = type & 0x80 != 0 ? kept.count : nil
    if slot != nil { kept.append(.other) }
    let found: Value?
    switch type & 0x7f {
    case UInt8(ascii: "N"), UInt8(ascii: "T"), UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: "S"): found = .other
    case UInt8(ascii: "i"): found = integer().map { .integer($0) }
    case UInt8(ascii: "g"):
      place += 8
      found = .other
    case UInt8(ascii: "s"):
      guard case .text? = text(integer()) else { return nil }
      found = .other
    case UInt8(ascii: "z"), UInt8(ascii: "Z"): found = text(byte().map(Int.init))
    case UInt8(ascii: "a"), UInt8(ascii: "A"), UInt8(ascii: "u"), UInt8(ascii: "t"): found = text(integer())
    case UInt8(ascii: ")"): found = list(byte().map(Int.init), depth: depth)
    case UInt8(ascii: "("): found = list(integer(), depth: depth)
    case UInt8(ascii: "r"):
      guard let index = integer(), kept.indices.contains(index) else { return nil }
      found = kept[index]
    case UInt8(ascii: "c"): found = code(depth: depth)
    default: return nil
    }
    if let slot, let found { kept[slot] = found }
    return found
  }

  /// Counts, whose number is another in each version, then the instructions, the constants and the names.
  private mutating func code(depth: Int) -> Value? {
    for _ in 0..<5 where integer() == nil { return nil }
    guard place < bytes.count else { return nil }
    if bytes[place] & 0x7f != UInt8(ascii: "s"), integer() == nil { return nil }
    guard value(depth: depth + 1) != nil, case .list(let constants)? = value(depth: depth + 1),
      case .list(let names)? = value(depth: depth + 1)
    else { return nil }
    return .code(
      names: names.compactMap { if case .text(let text) = $0 { text } else { nil } }, constants: constants)
  }
}
