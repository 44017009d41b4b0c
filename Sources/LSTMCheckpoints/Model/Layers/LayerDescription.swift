/// Visits the settings of a kind of layer. One description serves four times: to read and write JSON, and to read and
/// write the one-line form.
///
/// In JSON a setting is `"key": value`. In words it is `key value` with spaces for underscores, a size is the first
/// number alone, a flag its key alone (`without key` for one that usually is set), and a bare choice its value alone:
/// `conv 32 kernel 5 without bias relu`.
public protocol LayerDescription {
  /// A required size of 1 to 2^24.
  mutating func size(_ key: String, _ value: inout Int) throws(LayerError)
  /// A whole number.
  mutating func whole(_ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>) throws(LayerError)
  /// A whole number that may be missing.
  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError)
  /// Whole numbers; one alone is written as a number. In words they are joined by `x`: `kernel 3x3`.
  mutating func wholes(_ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>)
    throws(LayerError)
  /// A finite number.
  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError)
  /// A finite number that may be missing.
  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError)
  /// Yes or no.
  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError)
  /// One of a few words. A bare one is its own key in words.
  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError)
  /// The name of another layer.
  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError)
}

/// A setting that is one of a few words.
public typealias LayerChoice = RawRepresentable<String> & CaseIterable & Hashable & Sendable

extension LayerDescription {
  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice
  ) throws(LayerError) {
    try choice(key, &value, usual: usual, isBare: true)
  }

  mutating func positive(_ key: String, _ value: inout [Int], usual: [Int]?) throws(LayerError) {
    try wholes(key, &value, usual: usual, in: 1...Layer.sizeLimit)
  }
}
