// The JSON form. Everything that has a usual value may be left out:
//
//     { "input": { "features": 8 },                      or { "vocabulary": 465, "embedding": 100, "padding_index": 0 }
//       "layers": [ { "hidden": 64, "bidirectional": false, "projection": 32,
//                     "bias": "dual", "gates": "sigmoid", "peepholes": false, "forget_offset": 0 } ],
//       "skip": false,
//       "readout": "last",                               all, last, final, mean, max, attention
//       "readout_activation": "none",                    relu, tanh, sigmoid: before the head
//       "head": [ { "size": 1, "bias": true, "activation": "none" } ],
//       "normalize": "l2",
//       "mask": { "token": 0 },                          or { "value": 0.0 }
//       "tied": [ ["embedding.weight", "head.0.weight"] ] }

extension PlainStack: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case input, layers, skip, readout, head, normalize, mask, tied
    case readoutActivation = "readout_activation"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    input = try values.decode(Input.self, forKey: .input)
    layers = try values.decode([Layer].self, forKey: .layers)
    skip = try values.decodeIfPresent(Bool.self, forKey: .skip) ?? false
    readout = try decodeChoice(.readout, values)
    readoutActivation = try decodeChoice(.readoutActivation, values, among: Activation.elementwise) ?? .none
    head = try values.decodeIfPresent([Dense].self, forKey: .head) ?? []
    switch try values.decodeIfPresent(String.self, forKey: .normalize) {
    case nil, "none": normalizesOutput = false
    case "l2": normalizesOutput = true
    case let other?:
      throw values.wrong(.normalize, "expected \"l2\" or \"none\", found \"\(other)\"")
    }
    mask = try values.decodeIfPresent(Mask.self, forKey: .mask)
    switch (mask, input) {
    case (.token, .features), (.value, .tokens):
      throw values.wrong(.mask, "a model of tokens masks a token, a model of features a value")
    case (.token(let token), .tokens(let vocabulary, _)) where token >= vocabulary:
      throw values.wrong(.mask, "expected a token below \(vocabulary), found \(token)")
    default: break
    }
    if layers.isEmpty { throw values.wrong(.layers, "expected at least one layer, found none") }
    if readoutActivation != .none, head.isEmpty {
      throw values.wrong(.readoutActivation, "it stands before a head, and there is none")
    }
    for (key, count) in [(Key.layers, layers.count), (.head, head.count)] where count > Self.depthLimit {
      throw values.wrong(key, "expected at most \(Self.depthLimit) layers, found \(count)")
    }
    paddingToken = try input.decodePadding(values.superDecoder(forKey: .input))
    let groups = try values.decodeIfPresent([[String]].self, forKey: .tied) ?? []
    ties = []
    do throws(TieError) {
      for group in groups { try tie(group) }
    } catch {
      throw values.wrong(.tied, error.detail)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(PaddedInput(input: input, padding: paddingToken), forKey: .input)
    try values.encode(layers, forKey: .layers)
    if skip { try values.encode(true, forKey: .skip) }
    try values.encodeIfPresent(readout, forKey: .readout)
    if readoutActivation != .none { try values.encode(readoutActivation, forKey: .readoutActivation) }
    if !head.isEmpty { try values.encode(head, forKey: .head) }
    if normalizesOutput { try values.encode("l2", forKey: .normalize) }
    try values.encodeIfPresent(mask, forKey: .mask)
    if !validTies.isEmpty { try values.encode(validTies, forKey: .tied) }
  }
}

/// The input with the padding row, which is its embedding's.
private struct PaddedInput: Encodable {
  let input: PlainStack.Input
  let padding: Int?

  func encode(to encoder: any Encoder) throws {
    try input.encode(to: encoder)
    var values = encoder.container(keyedBy: PlainStack.Input.Key.self)
    try values.encodeIfPresent(padding, forKey: .padding)
  }
}

extension PlainStack.Input: Codable {
  fileprivate enum Key: String, CodingKey, CaseIterable {
    case features, vocabulary, embedding
    case padding = "padding_index"
  }

  fileprivate func decodePadding(_ decoder: any Decoder) throws -> Int? {
    let values = try decoder.container(keyedBy: Key.self)
    guard let row = try values.decodeIfPresent(Int.self, forKey: .padding) else { return nil }
    guard case .tokens(let vocabulary, _) = self, 0..<vocabulary ~= row else {
      throw values.wrong(.padding, "expected a row of the embedding, found \(row)")
    }
    return row
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    if values.contains(.features) {
      if let other = [Key.vocabulary, .embedding, .padding].first(where: values.contains) {
        throw values.wrong(other, "features and tokens exclude each other")
      }
      self = .features(size: try decodeSize(.features, values))
    } else {
      self = .tokens(vocabulary: try decodeSize(.vocabulary, values), size: try decodeSize(.embedding, values))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    switch self {
    case .features(let size): try values.encode(size, forKey: .features)
    case .tokens(let vocabulary, let size):
      try values.encode(vocabulary, forKey: .vocabulary)
      try values.encode(size, forKey: .embedding)
    }
  }
}

extension PlainStack.Layer: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case hidden, bidirectional, projection, bias, gates, peepholes
    case forgetOffset = "forget_offset"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    self.init(
      hiddenSize: try decodeSize(.hidden, values),
      isBidirectional: try values.decodeIfPresent(Bool.self, forKey: .bidirectional) ?? false,
      projectionSize: try values.decodeNil(ifPresent: .projection) ? nil : decodeSize(.projection, values),
      bias: try decodeChoice(.bias, values) ?? .dual,
      gateActivation: try decodeChoice(.gates, values) ?? .sigmoid,
      hasPeepholes: try values.decodeIfPresent(Bool.self, forKey: .peepholes) ?? false,
      forgetOffset: try values.decodeIfPresent(Float.self, forKey: .forgetOffset) ?? 0)
    guard forgetOffset.isFinite, forgetOffset == 0 || bias != .none else {
      throw values.wrong(.forgetOffset, "expected a finite number, and a bias to add it to")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(hiddenSize, forKey: .hidden)
    try values.encode(isBidirectional, forKey: .bidirectional)
    try values.encodeIfPresent(projectionSize, forKey: .projection)
    try values.encode(bias, forKey: .bias)
    if gateActivation != .sigmoid { try values.encode(gateActivation, forKey: .gates) }
    if hasPeepholes { try values.encode(true, forKey: .peepholes) }
    if forgetOffset != 0 { try values.encode(forgetOffset, forKey: .forgetOffset) }
  }
}

extension PlainStack.Dense: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case size, bias, activation
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    self.init(
      size: try decodeSize(.size, values),
      hasBias: try values.decodeIfPresent(Bool.self, forKey: .bias) ?? true,
      activation: try decodeChoice(.activation, values) ?? .none)
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    try values.encode(size, forKey: .size)
    try values.encode(hasBias, forKey: .bias)
    try values.encode(activation, forKey: .activation)
  }
}

/// A size in 1 ... 2^24, so that products of two or three of them never overflow.
private func decodeSize<Key: CodingKey>(_ key: Key, _ values: KeyedDecodingContainer<Key>) throws -> Int {
  let value: Int
  do {
    value = try values.decode(Int.self, forKey: key)
  } catch let error as DecodingError {
    throw error
  } catch {
    // A number with a fraction; the decoder would call the whole text invalid.
    throw values.wrong(key, "expected a whole number")
  }
  let limit = PlainStack.sizeLimit
  guard 1...limit ~= value else { throw values.wrong(key, "expected a size from 1 to \(limit), found \(value)") }
  return value
}

/// One of a few words; nil when the key is absent.
private func decodeChoice<Choice: RawRepresentable & CaseIterable, Key: CodingKey>(
  _ key: Key, _ values: KeyedDecodingContainer<Key>, among choices: [Choice] = Array(Choice.allCases)
) throws -> Choice? where Choice.RawValue == String {
  guard let text = try values.decodeIfPresent(String.self, forKey: key) else { return nil }
  if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
  let known = choices.map(\.rawValue)
  let near = nearestNames(to: text, among: known, limit: 1).first.map { "; did you mean \($0)?" } ?? ""
  throw values.wrong(key, "expected one of \(known.joined(separator: ", ")), found \"\(text)\"" + near)
}

extension KeyedDecodingContainer {
  /// What is wrong with the value of a key.
  func wrong(_ key: Key, _ detail: String) -> DecodingError {
    .dataCorruptedError(forKey: key, in: self, debugDescription: detail)
  }

  /// Whether the key is absent or null.
  fileprivate func decodeNil(ifPresent key: Key) throws -> Bool { try !contains(key) || decodeNil(forKey: key) }
}

private struct AnyKey: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Decoder {
  /// The values of an object that has no other keys: a misspelled one would be ignored and its default taken in silence.
  func container<Key: CodingKey & CaseIterable>(knowing: Key.Type) throws -> KeyedDecodingContainer<Key> {
    let known = Key.allCases.map(\.stringValue)
    for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "unknown key \"\(key.stringValue)\"; known are \(known.joined(separator: ", "))"))
    }
    return try container(keyedBy: Key.self)
  }
}
