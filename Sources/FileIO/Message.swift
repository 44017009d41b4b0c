/// Something that a caller can choose, named where a message mentions it: a parameter of this library's calls, which a
/// program may offer as an option of its own.
///
/// Each library adds the settings that its calls take. A setting has a name and no spelling: a command line, a window
/// or a web page spells it as it is entered there (``Message/text(spelling:)``).
public struct Setting: RawRepresentable, Hashable, Sendable {
  /// The name of the Swift parameter, such as `learningRate`.
  public let rawValue: String

  public init(rawValue: String) { self.rawValue = rawValue }
}

/// A sentence for a person that may mention settings.
///
///     let advice: Message = "choose one part of the file with \(.prefix)"
///     let example: Message = "for example \(.head, "new:9")"
///     print(advice)                           // choose one part of the file with prefix
///     advice.text { setting, _ in setting.rawValue.uppercased() }   // ... with PREFIX
public struct Message: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// A run of plain text, or a setting with the value that the sentence gives it.
  public enum Part: Sendable, Hashable {
    case text(String)
    case setting(Setting, value: String?)
  }

  public private(set) var parts: [Part]

  public init(_ text: String) { parts = text.isEmpty ? [] : [.text(text)] }

  public init(stringLiteral value: String) { self.init(value) }

  public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

  /// The sentence with settings as this library names them: `head new:9`.
  public var description: String {
    text { setting, value in setting.rawValue + (value.map { " " + $0 } ?? "") }
  }

  /// The sentence with settings as `spelling` writes them.
  public func text(spelling: (Setting, _ value: String?) -> String) -> String {
    parts.reduce(into: "") { text, part in
      switch part {
      case .text(let more): text += more
      case .setting(let setting, let value): text += spelling(setting, value)
      }
    }
  }

  public var isEmpty: Bool { parts.isEmpty }

  public static func + (first: Message, second: Message) -> Message {
    var sum = first
    sum.parts += second.parts
    return sum
  }

  public static func += (first: inout Message, second: Message) { first.parts += second.parts }

  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var parts: [Part] = []

    public init(literalCapacity: Int, interpolationCount: Int) { parts.reserveCapacity(2 * interpolationCount + 1) }

    public mutating func appendLiteral(_ literal: String) { if !literal.isEmpty { parts.append(.text(literal)) } }

    /// The setting's name alone.
    public mutating func appendInterpolation(_ setting: Setting) { parts.append(.setting(setting, value: nil)) }

    /// The setting with a value.
    public mutating func appendInterpolation(_ setting: Setting, _ value: some Any) {
      parts.append(.setting(setting, value: String(describing: value)))
    }

    public mutating func appendInterpolation(_ message: Message) { parts += message.parts }

    public mutating func appendInterpolation(_ value: some Any) { appendLiteral(String(describing: value)) }
  }
}

extension Message: Hashable {
  /// Two messages are equal when they read the same.
  public static func == (first: Message, second: Message) -> Bool { first.description == second.description }

  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

extension Message {
  /// On one line and fit for a terminal, as `printable` makes a text.
  package var printable: Message {
    var result = self
    result.parts = parts.map { part in
      switch part {
      case .text(let text): .text(FileIO.printable(text))
      case .setting(let setting, let value): .setting(setting, value: value.map { FileIO.printable($0) })
      }
    }
    return result
  }

  package func contains(_ text: String) -> Bool { description.contains(text) }
}

extension [Message] {
  package func joined(separator: String) -> Message {
    dropFirst().reduce(first ?? "") { $0 + Message(separator) + $1 }
  }
}

extension Message: Codable {
  public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }

  /// As one text; an encoder with `userInfo[.settingSpelling]` decides how settings are spelled.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    let spelling = encoder.userInfo[.settingSpelling] as? @Sendable (Setting, String?) -> String
    try container.encode(spelling.map { text(spelling: $0) } ?? description)
  }
}

extension CodingUserInfoKey {
  /// A `@Sendable (Setting, String?) -> String` by which an encoder writes the settings in messages.
  public static let settingSpelling = {
    guard let key = CodingUserInfoKey(rawValue: "settingSpelling") else { fatalError("a key is any text") }
    return key
  }()
}
