import Foundation

/// What a user may say about how names in a file become the project's, and what may be missing or left over.
public struct LoadOptions: Sendable {
  /// Only tensors below this prefix are looked at; it is taken off their names.
  public var prefix: String?
  /// Rewrites names, in order.
  public var rules: [RenamingRule]
  /// Globs of the project's names that may be missing; they start from fresh values.
  public var allowedMissing: [String]
  /// Globs of names in the file that may be left out.
  public var allowedUnexpected: [String]
  /// What the model is, when the tensors alone do not tell.
  public var configuration: ModelConfiguration?
  public var readout: ModelConfiguration.Readout?
  /// Activation between the dense layers of a head.
  public var activation: ModelConfiguration.Activation?

  public init(
    prefix: String? = nil, rules: [RenamingRule] = [], allowedMissing: [String] = [], allowedUnexpected: [String] = [],
    configuration: ModelConfiguration? = nil, readout: ModelConfiguration.Readout? = nil,
    activation: ModelConfiguration.Activation? = nil
  ) {
    self.prefix = prefix
    self.rules = rules
    self.allowedMissing = allowedMissing
    self.allowedUnexpected = allowedUnexpected
    self.configuration = configuration
    self.readout = readout
    self.activation = activation
  }
}

/// `REGEX=REPLACEMENT`: every match in a name is replaced; `$1` stands for the first group.
public struct RenamingRule: Sendable, Equatable {
  public let pattern: String
  public let replacement: String

  /// - Throws: `CheckpointError.invalidOption` when there is no `=` or the expression does not compile.
  public init(_ text: String) throws {
    guard let equals = text.firstIndex(of: "=") else {
      throw CheckpointError.invalidOption(
        "--map \(text): expected REGEX=REPLACEMENT, found no =", advice: ["for example --map '^rnn\\.=lstm.'"])
    }
    pattern = String(text[..<equals])
    replacement = String(text[text.index(after: equals)...])
    guard !pattern.isEmpty, (try? NSRegularExpression(pattern: pattern)) != nil else {
      throw CheckpointError.invalidOption("--map \(text): \"\(pattern)\" is not a regular expression", advice: [])
    }
  }

  func apply(to name: String) -> String {
    guard let expression = try? NSRegularExpression(pattern: pattern) else { return name }
    let range = NSRange(name.startIndex..., in: name)
    return expression.stringByReplacingMatches(in: name, range: range, withTemplate: replacement)
  }
}
