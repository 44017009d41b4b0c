// The JSON form of a graph. What has its usual value may be left out; the settings of each kind are in its file under
// Model/Layers/Kinds:
//
//     { "input": { "features": 8 },            or { "tokens": 465 }; with "steps" if fixed, "channels" of a grid,
//                                              "per_sequence" for one row a sequence
//       "inputs": [ { "name": "a", ... } ],    instead of "input", where there are several
//       "layers": [ { "name": "conv1", "kind": "convolution", "size": 32, "kernel": 5, "from": "input" }, ... ],
//       "outputs": [ "tags" ],                 the last layer's, unless others are named
//       "mask": { "token": 0 },                or { "value": 0.0 }
//       "tied": [ ["embedding.weight", "head.0.weight"] ] }
//
// A plain stack is written as in the first edition (`PlainStack+Codable.swift`), which is read for ever.

extension ModelConfiguration: Codable {
  private enum Key: String, CodingKey, CaseIterable { case input, inputs, layers, outputs, mask, tied }

  public init(from decoder: any Decoder) throws {
    guard try Self.isGraph(decoder) else {
      self.init(try PlainStack(from: decoder))
      return
    }
    let values = try decoder.container(knowing: Key.self)
    var inputs: [Input] = []
    if values.contains(.inputs) {
      if values.contains(.input) { throw values.wrong(.inputs, "input and inputs exclude each other") }
      inputs = try values.decode([Input].self, forKey: .inputs)
    } else {
      inputs = [try values.decode(Input.self, forKey: .input)]
    }
    let layers = try values.decode([Layer].self, forKey: .layers)
    guard layers.count <= Self.depthLimit else {
      throw values.wrong(.layers, "expected at most \(Self.depthLimit) layers, found \(layers.count)")
    }
    let outputs = try values.decodeIfPresent([String].self, forKey: .outputs) ?? []
    let mask = try values.decodeIfPresent(Mask.self, forKey: .mask)
    switch (mask, inputs.first?.content) {
    case (.token, .features), (.value, .tokens):
      throw values.wrong(.mask, "a model of tokens masks a token, a model of features a value")
    case (.token(let token), .tokens(let vocabulary)) where token >= vocabulary:
      throw values.wrong(.mask, "expected a token below \(vocabulary), found \(token)")
    default: break
    }
    do {
      try self.init(inputs: inputs, layers: layers, outputs: outputs, mask: mask)
    } catch {
      throw values.wrong(.layers, "\(error)")
    }
    do throws(TieError) {
      for group in try values.decodeGroups(.tied) { try tie(group) }
    } catch {
      throw values.wrong(.tied, error.detail)
    }
  }

  /// Layers of the first edition have no kind.
  private static func isGraph(_ decoder: any Decoder) throws -> Bool {
    let values = try decoder.container(keyedBy: LayerKey.self)
    if values.contains(LayerKey("inputs")) || values.contains(LayerKey("outputs")) { return true }
    guard var layers = try? values.nestedUnkeyedContainer(forKey: LayerKey("layers")) else { return false }
    while !layers.isAtEnd {
      guard let layer = try? layers.nestedContainer(keyedBy: LayerKey.self) else { return false }
      if layer.contains(LayerKey("kind")) { return true }
      if layer.contains(LayerKey("hidden")) { return false }
    }
    return false
  }

  public func encode(to encoder: any Encoder) throws {
    if let stack { return try stack.encode(to: encoder) }
    var values = encoder.container(keyedBy: Key.self)
    if inputs.count == 1 {
      try values.encode(inputs[0], forKey: .input)
    } else {
      try values.encode(inputs, forKey: .inputs)
    }
    try values.encode(layers, forKey: .layers)
    if !outputs.isEmpty { try values.encode(outputs, forKey: .outputs) }
    try values.encodeIfPresent(mask, forKey: .mask)
    if !validTies.isEmpty { try values.encode(validTies, forKey: .tied) }
  }
}

extension KeyedDecodingContainer {
  fileprivate func decodeGroups(_ key: Key) throws(TieError) -> [[String]] {
    guard contains(key) else { return [] }
    guard let groups = try? decode([[String]].self, forKey: key) else {
      throw TieError(detail: "expected lists of names")
    }
    return groups
  }
}

extension ModelConfiguration.Input: Codable {
  private enum Key: String, CodingKey, CaseIterable {
    case name, features, tokens, steps, channels
    case perSequence = "per_sequence"
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(knowing: Key.self)
    func size(_ key: Key) throws -> Int? {
      guard let value = try values.decodeIfPresent(Int.self, forKey: key) else { return nil }
      let limit = ModelConfiguration.sizeLimit
      guard 1...limit ~= value else { throw values.wrong(key, "expected a size from 1 to \(limit), found \(value)") }
      return value
    }
    let content: Content
    switch (try size(.features), try size(.tokens)) {
    case (let size?, nil): content = .features(size: size)
    case (nil, let vocabulary?): content = .tokens(vocabulary: vocabulary)
    default: throw values.wrong(.features, "expected either features or tokens")
    }
    self.init(
      content, name: try values.decodeIfPresent(String.self, forKey: .name) ?? "input", steps: try size(.steps),
      channels: try size(.channels), isPerSequence: try values.decodeIfPresent(Bool.self, forKey: .perSequence) ?? false
    )
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: Key.self)
    if name != "input" { try values.encode(name, forKey: .name) }
    switch content {
    case .features(let size): try values.encode(size, forKey: .features)
    case .tokens(let vocabulary): try values.encode(vocabulary, forKey: .tokens)
    }
    try values.encodeIfPresent(steps, forKey: .steps)
    try values.encodeIfPresent(channels, forKey: .channels)
    if isPerSequence { try values.encode(true, forKey: .perSequence) }
  }
}

extension Layer: Codable {
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: LayerKey.self)
    let kindKey = LayerKey("kind")
    let kindName = try values.decode(String.self, forKey: kindKey)
    guard var kind = LayerRegistry.prototype(kindName) else {
      let known = LayerRegistry.standard.map(\.kind)
      let near = nearestNames(to: kindName, among: known, limit: 1).first.map { "; did you mean \($0)?" } ?? ""
      throw values.wrong(kindKey, "there is no kind \"\(kindName)\"" + near)
    }
    let name = try values.decode(String.self, forKey: LayerKey("name"))
    guard !name.isEmpty, name.utf8.count <= 1000 else {
      throw values.wrong(LayerKey("name"), "expected a name of 1 to 1000 bytes")
    }
    var reader = LayerReader(values)
    do throws(LayerError) {
      try kind.describe(&reader)
    } catch {
      throw values.wrong(LayerKey(error.key ?? "kind"), "layer \(name): \(error.detail)")
    }
    let known = reader.known.union(["name", "kind", "from"])
    for key in values.allKeys where !known.contains(key.stringValue) {
      throw values.wrong(
        key, "layer \(name): unknown key \"\(key.stringValue)\"; known are \(known.sorted().joined(separator: ", "))")
    }
    let from = LayerKey("from")
    var sources: [String] = []
    if values.contains(from) {
      sources = try (try? [values.decode(String.self, forKey: from)]) ?? values.decode([String].self, forKey: from)
    }
    self.init(name, kind, from: sources)
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: LayerKey.self)
    try values.encode(name, forKey: LayerKey("name"))
    try values.encode(kind.kind, forKey: LayerKey("kind"))
    if from.count == 1 {
      try values.encode(from[0], forKey: LayerKey("from"))
    } else if !from.isEmpty {
      try values.encode(from, forKey: LayerKey("from"))
    }
    var writer = LayerWriter(values)
    var kind = kind
    try kind.describe(&writer)
    if let failure = writer.failure { throw failure }
  }
}
