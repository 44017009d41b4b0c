/// The settings of a layer to and from the keys of a JSON object.
struct LayerKey: CodingKey, Hashable {
  let stringValue: String
  var intValue: Int? { nil }
  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { nil }
}

/// Reads settings; `known` then has all keys that the kind has.
struct LayerReader: LayerDescription {
  let values: KeyedDecodingContainer<LayerKey>
  private(set) var known: Set<String> = []

  init(_ values: KeyedDecodingContainer<LayerKey>) { self.values = values }

  private mutating func decode<Value: Decodable>(
    _ key: String, _ type: Value.Type, _ expected: String
  ) throws(LayerError) -> Value? {
    known.insert(key)
    do {
      return try values.decodeIfPresent(type, forKey: LayerKey(key))
    } catch {
      throw LayerError(key, "expected \(expected)")
    }
  }

  private func check(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws(LayerError) {
    guard range ~= value else {
      throw LayerError(key, "expected a number from \(range.lowerBound) to \(range.upperBound), found \(value)")
    }
  }

  mutating func size(_ key: String, _ value: inout Int) throws(LayerError) {
    guard let found = try decode(key, Int.self, "a whole number") else { throw LayerError(key, "it is missing") }
    try check(key, found, 1...Layer.sizeLimit)
    value = found
  }

  mutating func whole(
    _ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>
  ) throws(LayerError) {
    value = try decode(key, Int.self, "a whole number") ?? usual
    try check(key, value, range)
  }

  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError) {
    value = try decode(key, Int.self, "a whole number")
    if let value { try check(key, value, range) }
  }

  mutating func wholes(
    _ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>
  ) throws(LayerError) {
    known.insert(key)
    guard values.contains(LayerKey(key)) else {
      guard let usual else { throw LayerError(key, "it is missing") }
      value = usual
      return
    }
    if let one = try? values.decode(Int.self, forKey: LayerKey(key)) {
      value = [one]
    } else {
      value = try decode(key, [Int].self, "a whole number or a list of them") ?? []
    }
    guard value.count <= 8 else { throw LayerError(key, "expected at most 8 numbers, found \(value.count)") }
    for one in value { try check(key, one, range) }
  }

  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError) {
    value = try decode(key, Float.self, "a number") ?? usual
    guard value.isFinite else { throw LayerError(key, "expected a finite number") }
  }

  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError) {
    value = try decode(key, Float.self, "a number")
    guard value?.isFinite ?? true else { throw LayerError(key, "expected a finite number") }
  }

  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError) {
    value = try decode(key, Bool.self, "true or false") ?? usual
  }

  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError) {
    guard let text = try decode(key, String.self, "a word") else {
      value = usual
      return
    }
    let known = Choice.allCases.map(\.rawValue)
    guard let found = Choice(rawValue: text) else {
      let near = nearestNames(to: text, among: known, limit: 1).first.map { "; did you mean \($0)?" } ?? ""
      throw LayerError(key, "expected one of \(known.joined(separator: ", ")), found \"\(text)\"" + near)
    }
    value = found
  }

  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError) {
    value = try decode(key, String.self, "the name of a layer")
  }
}

/// Writes the settings that have not their usual values.
struct LayerWriter: LayerDescription {
  var values: KeyedEncodingContainer<LayerKey>
  private(set) var failure: (any Error)?

  init(_ values: KeyedEncodingContainer<LayerKey>) { self.values = values }

  private mutating func encode(_ key: String, _ value: some Encodable) {
    do { try values.encode(value, forKey: LayerKey(key)) } catch { failure = error }
  }

  mutating func size(_ key: String, _ value: inout Int) throws(LayerError) { encode(key, value) }

  mutating func whole(
    _ key: String, _ value: inout Int, usual: Int, in range: ClosedRange<Int>
  ) throws(LayerError) { if value != usual { encode(key, value) } }

  mutating func whole(_ key: String, _ value: inout Int?, in range: ClosedRange<Int>) throws(LayerError) {
    if let value { encode(key, value) }
  }

  mutating func wholes(
    _ key: String, _ value: inout [Int], usual: [Int]?, in range: ClosedRange<Int>
  ) throws(LayerError) {
    if value == usual { return }
    if value.count == 1 { encode(key, value[0]) } else { encode(key, value) }
  }

  mutating func real(_ key: String, _ value: inout Float, usual: Float) throws(LayerError) {
    if value != usual { encode(key, value) }
  }

  mutating func real(_ key: String, _ value: inout Float?) throws(LayerError) {
    if let value { encode(key, value) }
  }

  mutating func flag(_ key: String, _ value: inout Bool, usual: Bool) throws(LayerError) {
    if value != usual { encode(key, value) }
  }

  mutating func choice<Choice: LayerChoice>(
    _ key: String, _ value: inout Choice, usual: Choice, isBare: Bool
  ) throws(LayerError) { if value != usual { encode(key, value.rawValue) } }

  mutating func layer(_ key: String, _ value: inout String?) throws(LayerError) {
    if let value { encode(key, value) }
  }
}
