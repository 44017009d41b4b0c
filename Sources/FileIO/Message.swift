/// A parameter of this library's calls that a message refers to, and that a program may offer as an option.
///
/// Each library adds the settings that its calls take. A setting has a name but no spelling: a command line, a window
/// or a web page spells it the way it is entered there (``Message/text(spelling:)``).
public struct Setting: RawRepresentable, Hashable, Sendable {
  /// The name of the Swift parameter, such as `learningRate`.
  public let rawValue: String

  /// A setting by its parameter's name.
  public init(rawValue: String) { self.rawValue = rawValue }
}

/// A sentence for a person that may mention settings.
///
///     let advice: Message = "choose one part of the file with \(.prefix)"
///     let example: Message = "for example \(.head, "new:9")"
///     print(advice)                           // choose one part of the file with prefix
///     advice.text { setting, _ in setting.rawValue.uppercased() }   // ... with PREFIX
public struct Message: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// Plain text, or a setting.
  public enum Part: Sendable, Hashable {
    /// Plain text.
    case text(String)
    /// A setting, and the value that the sentence suggests for it.
    case setting(Setting, value: String?)
  }

  /// The sentence in order.
  public private(set) var parts: [Part]

  /// A sentence of plain text.
  public init(_ text: String) { parts = text.isEmpty ? [] : [.text(text)] }

  /// From a string literal.
  public init(stringLiteral value: String) { self.init(value) }

  /// From a string literal with interpolated settings, messages and values.
  public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

  /// The sentence with settings under their own names: `head new:9`.
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

  /// Whether the sentence has no text.
  public var isEmpty: Bool { parts.isEmpty }

  /// One sentence after the other, with nothing between them.
  public static func + (first: Message, second: Message) -> Message {
    var sum = first
    sum.parts += second.parts
    return sum
  }

  /// Appends another sentence, with nothing between them.
  public static func += (first: inout Message, second: Message) { first.parts += second.parts }

  /// Collects the parts of an interpolated string literal.
  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var parts: [Part] = []

    /// Called by the compiler.
    public init(literalCapacity: Int, interpolationCount: Int) { parts.reserveCapacity(2 * interpolationCount + 1) }

    /// Appends plain text.
    public mutating func appendLiteral(_ literal: String) { if !literal.isEmpty { parts.append(.text(literal)) } }

    /// Appends a setting without a value.
    public mutating func appendInterpolation(_ setting: Setting) { parts.append(.setting(setting, value: nil)) }

    /// Appends a setting with a value.
    public mutating func appendInterpolation(_ setting: Setting, _ value: some Any) {
      parts.append(.setting(setting, value: String(describing: value)))
    }

    /// Appends a message, settings included.
    public mutating func appendInterpolation(_ message: Message) { parts += message.parts }

    /// Appends a value's description.
    public mutating func appendInterpolation(_ value: some Any) { appendLiteral(String(describing: value)) }
  }
}

extension Message: Hashable {
  /// Two messages are equal when they read the same.
  public static func == (first: Message, second: Message) -> Bool { first.description == second.description }

  /// Hashes the description.
  public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

extension Message {
  /// The message on one line that is safe to print on a terminal.
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
  /// From its text; settings become plain text.
  public init(from decoder: any Decoder) throws { self.init(try decoder.singleValueContainer().decode(String.self)) }

  /// As its text, in which an encoder's `userInfo[.settingSpelling]` spells the settings.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    let spelling = encoder.userInfo[.settingSpelling] as? @Sendable (Setting, String?) -> String
    try container.encode(spelling.map { text(spelling: $0) } ?? description)
  }
}

extension CodingUserInfoKey {
  /// A `@Sendable (Setting, String?) -> String` with which an encoder spells the settings in messages.
  public static let settingSpelling = {
    guard let key = CodingUserInfoKey(rawValue: "settingSpelling") else { fatalError("a key is any text") }
    return key
  }()
}
