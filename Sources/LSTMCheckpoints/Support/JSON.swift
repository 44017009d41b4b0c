import Foundation

/// JSON with sorted keys, so that equal values give equal files.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// A text between double quotes, as JSON and Python read it.
func quoted(_ text: String) -> String { (try? json(text)) ?? "\"\(text)\"" }

/// One line from a decoding error: the path to the key and what is wrong there.
package func describe(_ error: any Error) -> String {
  func place(_ path: [any CodingKey]) -> String {
    let text = path.reduce("") { text, key in
      if let index = key.intValue { return text + "[\(index)]" }
      return text + (text.isEmpty ? "" : ".") + key.stringValue
    }
    return text.isEmpty ? "" : text + ": "
  }
  switch error {
  case DecodingError.keyNotFound(let key, let context):
    return place(context.codingPath) + "\"\(key.stringValue)\" is missing"
  case DecodingError.typeMismatch(let type, let context):
    return place(context.codingPath) + "expected \(kind(of: type))"
  case DecodingError.valueNotFound(let type, let context):
    return place(context.codingPath) + "expected \(kind(of: type)), found null"
  case DecodingError.dataCorrupted(let context):
    return place(context.codingPath) + context.debugDescription
  default:
    return "\(error)"
  }
}

/// What a type is called in JSON.
private func kind(of type: Any.Type) -> String {
  switch type {
  case is Bool.Type: "true or false"
  case is String.Type: "a text"
  case is any BinaryInteger.Type: "a whole number"
  case is any BinaryFloatingPoint.Type: "a number"
  case is any Collection.Type where "\(type)".hasPrefix("Dictionary"): "an object in braces"
  case is any Collection.Type: "a list in brackets"
  default: "an object in braces"
  }
}
