/// How Keras' `Tokenizer` takes a text apart.
public struct KerasTextRules: Sendable, Codable, Equatable {
  /// Text is put in lower case.
  public var lower: Bool
  /// Characters that become what separates words.
  public var filters: String
  /// What separates words.
  public var split: String

  /// As `Tokenizer(lower=, filters=, split=)` takes them.
  public init(lower: Bool, filters: String, split: String) {
    self.lower = lower
    self.filters = filters
    self.split = split
  }
}
