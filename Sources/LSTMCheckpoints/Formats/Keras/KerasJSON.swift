import FileIO
import Foundation

/// The JSON of a Keras configuration, of which nothing is believed.
enum KerasJSON: Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([KerasJSON])
  case object([String: KerasJSON])

  /// Keras nests a model's configuration a dozen deep; a model in a model adds five.
  static let depthLimit = 100
  static let byteLimit = 64 << 20

  /// - Throws: `CheckpointError.unknownFormat` saying what is wrong with the text.
  init(_ text: some Collection<UInt8>, _ what: String, file: String) throws(CheckpointError) {
    func refuse(_ detail: String) -> CheckpointError {
      .unknownFormat(file: file, detail: "\(what) \(detail)")
    }
    guard text.count <= Self.byteLimit else { throw refuse("has \(text.count) bytes, beyond any model") }
    guard Self.depth(text) <= Self.depthLimit else { throw refuse("is nested more than \(Self.depthLimit) deep") }
    guard let value = try? JSONSerialization.jsonObject(with: Data(text), options: [.fragmentsAllowed]) else {
      throw refuse("is not valid JSON")
    }
    self.init(value)
  }

  /// Brackets open at once, at most, outside texts.
  private static func depth(_ text: some Collection<UInt8>) -> Int {
    var (open, deepest, isText, isEscaped) = (0, 0, false, false)
    for byte in text {
      switch byte {
      case _ where isEscaped: isEscaped = false
      case UInt8(ascii: "\""): isText.toggle()
      case _ where isText: isEscaped = byte == UInt8(ascii: "\\")
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        open += 1
        deepest = max(deepest, open)
      case UInt8(ascii: "]"), UInt8(ascii: "}"): open -= 1
      default: break
      }
    }
    return deepest
  }

  private init(_ value: Any) {
    switch value {
    case let text as String: self = .string(text)
    case let list as [Any]: self = .array(list.map(KerasJSON.init))
    case let object as [String: Any]: self = .object(object.mapValues(KerasJSON.init))
    case let number as NSNumber:
      // Foundation keeps true and false as characters, which no JSON number is kept as.
      self = number.objCType.pointee == 0x63 ? .bool(number.boolValue) : .number(number.doubleValue)
    default: self = .null
    }
  }

  subscript(_ key: String) -> KerasJSON? {
    if case .object(let object) = self, let value = object[key], value != .null { value } else { nil }
  }

  var string: String? { if case .string(let value) = self { value } else { nil } }
  var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  var array: [KerasJSON]? { if case .array(let value) = self { value } else { nil } }
  var number: Double? { if case .number(let value) = self { value } else { nil } }
  var integer: Int? { number.flatMap(Int.init(exactly:)) }

  /// A function's name, which Keras 3 may wrap in an object.
  var functionName: String? { string ?? self["config"]?.string ?? self["class_name"]?.string.map(kerasSnakeCase) }
}

extension KerasJSON: Encodable {
  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .number(let value):
      if let whole = Int(exactly: value) { try container.encode(whole) } else { try container.encode(value) }
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

extension KerasJSON: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByNilLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(integerLiteral value: Int) { self = .number(Double(value)) }
  init(dictionaryLiteral elements: (String, KerasJSON)...) {
    self = .object(Dictionary(elements) { _, last in last })
  }
  init(arrayLiteral elements: KerasJSON...) { self = .array(elements) }
  init(nilLiteral: ()) { self = .null }
}

/// `keras.src.utils.naming.to_snake_case`: `GlobalMaxPooling1D` is `global_max_pooling1d`.
func kerasSnakeCase(_ name: String) -> String {
  let letters = Array(name.filter { $0.isLetter || $0.isNumber || $0 == "_" })
  var result = ""
  for (index, letter) in letters.enumerated() {
    if index > 0, letter.isUppercase, letters[index - 1] != "_" {
      let before = letters[index - 1]
      let startsWord = index + 1 < letters.count && letters[index + 1].isLowercase
      if startsWord || before.isLowercase { result += "_" }
    }
    result += letter.lowercased()
  }
  return result
}
