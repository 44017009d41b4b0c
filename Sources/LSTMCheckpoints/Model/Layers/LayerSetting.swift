extension Layer {
  /// A setting of a kind of layer.
  public struct Setting: Hashable, Sendable {
    /// Its name, as in JSON: `padding_index`.
    public let key: String
    /// The words that it may be, in order; empty where it is a number, a flag or a name.
    public let choices: [String]
    /// The one of them that is not written.
    public let usualChoice: String?
    /// Whether it is a flag.
    public let isFlag: Bool
  }

  /// The settings of a kind, those that others bring with them included; empty for an unknown kind.
  public static func settings(ofKind kind: String) -> [Setting] {
    guard let prototype = LayerRegistry.prototype(kind) else { return [] }
    return LayerRegistry.grammar(of: prototype).settings.map { setting in
      var choices: [String] = []
      if case .choice(let words, _) = setting.form { choices = words }
      return Setting(key: setting.key, choices: choices, usualChoice: setting.usual, isFlag: setting.form == .flag)
    }
  }
}
