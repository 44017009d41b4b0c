/// Any JSON value.
enum JSONValue: Sendable, Decodable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(UInt64.self) {
      // A seed keeps all its digits.
      self = .text("\(value)")
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  var text: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }

  var integer: Int? {
    guard case .integer(let number) = self else { return nil }
    return number
  }

  /// Of an object.
  subscript(_ key: String) -> JSONValue? {
    guard case .object(let values) = self else { return nil }
    return values[key]
  }

  /// The values that fit on a line, those of an object under their names.
  func lines(_ name: String) -> [(name: String, value: String)] {
    guard case .object(let values) = self else { return line.map { [(name, $0)] } ?? [] }
    return values.flatMap { key, value in value.lines("\(name).\(key)") }
  }

  var line: String? {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "yes" : "no"
    case .integer(let value): "\(value)"
    case .number(let value): short(value)
    case .text(let text): text
    case .array(let values):
      values.isEmpty ? "none" : values.allSatisfy { $0.line != nil && !$0.isList } ? list(values) : nil
    case .object: nil
    }
  }

  /// A list of texts.
  var words: [String]? {
    guard case .array(let values) = self else { return nil }
    let words = values.compactMap(\.text)
    return words.count == values.count ? words : nil
  }

  private var isList: Bool {
    guard case .array = self else { return false }
    return true
  }

  private func list(_ values: [JSONValue]) -> String {
    let shown = values.prefix(100).compactMap(\.line).joined(separator: ", ")
    return values.count > 100 ? "\(shown), … (\(values.count) in all)" : shown
  }
}
