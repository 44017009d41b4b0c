import Foundation

/// JSON with sorted keys, so that equal values give equal files.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

/// A text on one line for a terminal: names come from files, and control characters in them must not act on it. Very
/// long ones are cut in the middle.
public func printable(_ text: String, limit: Int = 2000) -> String {
  let characters = text.unicodeScalars.map { scalar -> Character in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: "?"
    default: Character(scalar)
    }
  }
  let half = limit / 2
  return characters.count <= limit
    ? String(characters) : String(characters.prefix(half) + ["…"] + characters.suffix(half))
}

extension ModelConfiguration {
  /// From JSON; see `ModelConfiguration+Codable.swift` for the keys.
  /// - Parameter file: for the error.
  /// - Throws: `CheckpointError.invalidConfiguration` with the key at fault.
  public init(json: Data, file: String) throws(CheckpointError) {
    do {
      self = try JSONDecoder().decode(ModelConfiguration.self, from: json)
    } catch {
      throw .invalidConfiguration(file: file, detail: describe(error))
    }
  }

  public var json: String {
    get throws { try LSTMCheckpoints.json(self) }
  }
}

/// One line from a decoding error: the path to the key and what is wrong there.
public func describe(_ error: any Error) -> String {
  func place(_ path: [any CodingKey]) -> String {
    var text = ""
    for key in path {
      if let index = key.intValue { text += "[\(index)]" } else { text += (text.isEmpty ? "" : ".") + key.stringValue }
    }
    return text.isEmpty ? "" : text + ": "
  }
  switch error {
  case DecodingError.keyNotFound(let key, let context):
    return place(context.codingPath) + "\"\(key.stringValue)\" is missing"
  case DecodingError.typeMismatch(let type, let context):
    return place(context.codingPath) + "expected \(type)"
  case DecodingError.valueNotFound(let type, let context):
    return place(context.codingPath) + "expected \(type), found null"
  case DecodingError.dataCorrupted(let context):
    let detail = context.debugDescription
    // Foundation's own sentence for text that is no JSON at all.
    let isSyntax = detail.isEmpty || detail.hasPrefix("The given data was not valid JSON")
    return place(context.codingPath) + (isSyntax ? "not valid JSON" : detail)
  default:
    return "\(error)"
  }
}
