/// Holds settings that were put together in code to what the file's forms allow, and changes none.
struct LayerCheck: LayerDescription {
  /// - Throws: `LayerError` for a setting that neither form could have.
  static func check(_ kind: any LayerKind) throws(LayerError) {
    var (kind, check) = (kind, LayerCheck())
    try kind.describe(&check)
  }

  private func check(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws(LayerError) {
    guard range ~= value else {
      throw LayerError(key, "expected a number from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  mutating func size(_ key: String, _ value: inout Int) throws(LayerError) {
    try check(key, value, 1...Layer.sizeLimit)
  }

  mutating func whole(_ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>) throws(LayerError) {
    if value != usual { try check(key, value, range) }
  }

  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError) {
    if let value { try check(key, value, range) }
  }

  mutating func wholes(
    _ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>
  ) throws(LayerError) {
    if value != usual { for one in value { try check(key, one, range) } }
  }

  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError) {
    guard value.isFinite else { throw LayerError(key, "expected a finite number") }
  }

  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError) {
    guard value?.isFinite ?? true else { throw LayerError(key, "expected a finite number") }
  }

  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError) {}

  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError) {}

  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError) {}
}
