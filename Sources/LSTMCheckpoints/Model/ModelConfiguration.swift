/// What a model is made of, without its weights: inputs, and a graph of named layers in order. Each layer reads the one
/// before it unless `from` names others.
///
/// Legend: N batch, T time steps, I input size, H hidden size, P projection size, D directions (1 or 2).
/// It is stored as JSON in the native file and can be given when a checkpoint is read; see `ModelConfiguration+Codable.swift`
/// for the keys, and `ModelConfiguration+Line.swift` for its form as one line.
public struct ModelConfiguration: Hashable, Sendable {
  /// The largest size that anything may have, and the most layers: products of three sizes and sums over all layers
  /// then fit an `Int`.
  package static let sizeLimit = LSTMCheckpoints.Layer.sizeLimit
  static let depthLimit = 4000
  private static let widthLimit = 1 << 40

  /// What a model reads.
  public struct Input: Hashable, Sendable {
    /// The values of a step.
    public enum Content: Hashable, Sendable {
      /// Real-valued features, (N, T, size).
      case features(size: Int)
      /// Token numbers (N, T), which an embedding reads.
      case tokens(vocabulary: Int)
    }

    /// `input`, unless there are several.
    public var name: String
    /// The values of a step.
    public var content: Content
    /// T, where the model is made for one number of steps alone.
    public var steps: Int?
    /// Channels, where a step's features are a grid of channels x height.
    public var channels: Int?
    /// Whether it has one row a sequence, (N, size), such as static attributes.
    public var isPerSequence: Bool

    /// Features or tokens for each step.
    public init(
      _ content: Content, name: String = "input", steps: Int? = nil, channels: Int? = nil, isPerSequence: Bool = false
    ) {
      self.content = content
      self.name = name
      self.steps = steps
      self.channels = channels
      self.isPerSequence = isPerSequence
    }

    /// Features of a step; 1 for a token.
    public var width: Int { if case .features(let size) = content { size } else { 1 } }
    /// The number of tokens; nil for features.
    public var vocabulary: Int? { if case .tokens(let vocabulary) = content { vocabulary } else { nil } }

    func value(clock: Int) throws(LayerError) -> LayerValue {
      let isToken = vocabulary != nil
      for (key, size) in [
        (isToken ? "tokens" : "features", vocabulary ?? width), ("steps", steps), ("channels", channels),
      ] {
        guard let size else { continue }
        guard 1...ModelConfiguration.sizeLimit ~= size else {
          throw LayerError(key, "expected a size from 1 to \(ModelConfiguration.sizeLimit), found \(size)")
        }
      }
      var value = LayerValue(width: width, isPerStep: !isPerSequence, steps: steps, clock: clock)
      value.vocabulary = vocabulary
      value.isOfInput = !isPerSequence
      if let channels {
        guard width % channels == 0, vocabulary == nil else {
          throw LayerError("channels", "\(channels) does not divide the \(width) features of a step")
        }
        value.grid = .init(channels: channels, height: width / channels)
      }
      return value
    }
  }

  /// Why layers do not make a model.
  public struct GraphError: Error, Hashable, Sendable {
    /// The layer at fault; nil for the whole.
    public var layer: String?
    /// Its setting at fault, as in JSON; nil for what it reads.
    public var key: String?
    /// What is wrong.
    public var detail: String
  }

  /// What the model reads; most read one thing.
  public private(set) var inputs: [Input]
  /// The layers, each after those that it reads.
  public private(set) var layers: [Layer]
  /// The layers whose values the model gives; the last alone, unless there are several.
  public private(set) var outputs: [String]
  /// Names of parameters that are one, in groups; see `ModelConfiguration+Ties.swift`.
  public var ties: [[String]]
  /// Steps that are passed over, wherever they lie; nil when every step is read.
  public var mask: Mask?

  /// Of each input, then of each layer.
  public private(set) var values: [LayerValue]
  /// For each layer, the places in `values` of what it reads.
  public private(set) var sources: [[Int]]

  /// A graph of layers.
  /// - Parameters:
  ///   - outputs: the layers whose values the model gives; empty for the last.
  ///   - ties: groups of names of parameters that are one.
  /// - Throws: `GraphError` naming the layer that cannot be.
  public init(
    inputs: [Input], layers: [Layer], outputs: [String] = [], ties: [[String]] = [], mask: Mask? = nil
  ) throws(GraphError) {
    guard !inputs.isEmpty else { throw GraphError(detail: "a model has at least one input") }
    var places: [String: Int] = [:]
    var values: [LayerValue] = []
    var sources: [[Int]] = []
    var parameterCount = 0
    func failure(_ layer: String?, _ error: LayerError) -> GraphError {
      GraphError(layer: layer, key: error.key, detail: error.detail)
    }
    for (index, input) in inputs.enumerated() {
      guard places.updateValue(index, forKey: input.name) == nil else {
        throw GraphError(layer: input.name, detail: "two inputs have this name")
      }
      do { values.append(try input.value(clock: index)) } catch { throw failure(input.name, error) }
    }
    for (index, layer) in layers.enumerated() {
      var reads: [Int] = layer.from.isEmpty ? [values.count - 1] : []
      // The first layer reads the first input.
      if layer.from.isEmpty, index == 0 { reads = [0] }
      for name in layer.from {
        guard let place = places[name] else {
          throw GraphError(
            layer: layer.name, key: "from", detail: "there is no \(name) before it" + near(name, places.keys.sorted()))
        }
        reads.append(place)
      }
      guard layer.kind.inputCount ~= reads.count else {
        let range = layer.kind.inputCount
        let expected = range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
        throw GraphError(layer: layer.name, key: "from", detail: "it reads \(expected) layers, found \(reads.count)")
      }
      do throws(LayerError) {
        if reads.contains(where: { values[$0].vocabulary != nil }), !(layer.kind is Layer.Embedding) {
          throw LayerError(nil, "it reads tokens, which only an embedding reads")
        }
        try LayerCheck.check(layer.kind)
        if reads[0] >= inputs.count { try Self.check(layer, reading: layers[reads[0] - inputs.count]) }
        var value = try layer.kind.output(reads.map { values[$0] })
        try Self.check(value, layer.kind.parameters(reads.map { values[$0] }), &parameterCount)
        if value.clock == nil { value.clock = values.count }
        for name in layer.kind.references { try Self.check(name, layer, layers[..<index]) }
        values.append(value)
      } catch {
        throw failure(layer.name, error)
      }
      sources.append(reads)
      guard places.updateValue(values.count - 1, forKey: layer.name) == nil else {
        throw GraphError(layer: layer.name, detail: "two layers have this name")
      }
    }
    for name in outputs where places[name] == nil {
      throw GraphError(detail: "there is no output \(name)" + near(name, places.keys.sorted()))
    }
    (self.inputs, self.layers, self.outputs) = (inputs, layers, outputs)
    (self.ties, self.mask) = (ties, mask)
    (self.values, self.sources) = (values, sources)
  }

  /// Products of sizes must fit an `Int` wherever they are computed.
  /// - Parameter total: the parameters' values so far.
  private static func check(
    _ value: LayerValue, _ parameters: [LayerParameter], _ total: inout Int
  ) throws(LayerError) {
    guard value.width <= widthLimit, value.steps ?? 1 <= sizeLimit else {
      throw LayerError(nil, "it would give \(value.steps ?? 1) x \(value.width) values")
    }
    for parameter in parameters {
      var count = 1
      for size in parameter.shape {
        let (product, overflows) = count.multipliedReportingOverflow(by: size)
        guard !overflows, product < 1 << 62 else {
          throw LayerError(nil, "its \(parameter.name) would have the shape \(shapeText(parameter.shape))")
        }
        count = product
      }
      let (sum, overflows) = total.addingReportingOverflow(count)
      guard !overflows else { throw LayerError(nil, "the model would have more than 2^63 parameters") }
      total = sum
    }
  }

  /// The final state of each direction is gone where the two were merged.
  private static func check(_ layer: Layer, reading below: Layer) throws(LayerError) {
    guard (layer.kind as? Layer.Readout)?.take == .final, let cell = below.kind as? Layer.Recurrent,
      cell.isBidirectional, cell.merge != .concatenate
    else { return }
    throw LayerError(
      "take",
      "\(below.name) merges its two directions (merge \(cell.merge.rawValue)), and final reads a state of each: read the last step "
        + "instead, or leave out the merge and add the halves of the final state (slice)"
    )
  }

  private static func check(_ name: String, _ layer: Layer, _ before: ArraySlice<Layer>) throws(LayerError) {
    guard let other = before.first(where: { $0.name == name })?.kind as? Layer.Recurrent else {
      throw LayerError("initial_from", "there is no recurrent layer \(name) before it")
    }
    guard let own = layer.kind as? Layer.Recurrent else { return }
    let joined = own.directionsJoined(from: other)
    guard own.directions * joined == other.directions, own.stateSize == joined * other.stateSize,
      own.cell != .lstm || other.cell == .lstm && own.size == joined * other.size
    else { throw LayerError("initial_from", "the state of \(name) has another size or number of directions") }
  }

  /// The first input's values: most models have no other.
  public var input: Input.Content { inputs[0].content }
  /// The value that the model gives, the first of several.
  public var output: LayerValue { outputs.first.flatMap(value(of:)) ?? values[values.count - 1] }
  /// Width of the model's output.
  public var outputSize: Int { output.width }
  /// Whether the model gives a row for each step.
  public var givesSteps: Bool { output.isPerStep }

  /// The place of a layer by its name; nil when there is none.
  public func index(of layer: String) -> Int? { layers.firstIndex { $0.name == layer } }

  /// What a layer or an input of a name gives; nil when there is none.
  public func value(of name: String) -> LayerValue? {
    if let index = index(of: name) { return values[inputs.count + index] }
    return inputs.firstIndex { $0.name == name }.map { values[$0] }
  }

  /// What a layer reads, in order.
  public func inputs(ofLayer index: Int) -> [LayerValue] { sources[index].map { values[$0] } }

  /// The name of a place in `values`.
  public func name(ofValue place: Int) -> String {
    place < inputs.count ? inputs[place].name : layers[place - inputs.count].name
  }

  /// The same graph with other layers.
  /// - Throws: `GraphError` naming the layer that cannot be.
  public func with(layers: [Layer], outputs: [String]? = nil) throws(GraphError) -> ModelConfiguration {
    try ModelConfiguration(inputs: inputs, layers: layers, outputs: outputs ?? self.outputs, ties: ties, mask: mask)
  }
}

extension ModelConfiguration {
  /// Steps that a model passes over.
  public typealias Mask = PlainStack.Mask

  /// The recurrent layers, with their places in `layers`.
  public var recurrentLayers: [(index: Int, name: String, kind: Layer.Recurrent)] {
    layers.enumerated().compactMap { index, layer in
      (layer.kind as? Layer.Recurrent).map { (index, layer.name, $0) }
    }
  }

  /// Whether a recurrent layer runs from the end of a sequence.
  public var hasReverseLayers: Bool { recurrentLayers.contains { $0.kind.isBidirectional || $0.kind.isReversed } }
}

/// `; did you mean conv1?`
private func near(_ name: String, _ known: [String]) -> String {
  nearestNames(to: name, among: known, limit: 1).first.map { "; did you mean \($0)?" } ?? ""
}

extension ModelConfiguration.GraphError: CustomStringConvertible {
  /// `layers.conv1.kernel: expected ...`
  public var description: String {
    let place = ([layer.map { "layer \($0)" }, key].compactMap { $0 }).joined(separator: ", ")
    return place.isEmpty ? detail : "\(place): \(detail)"
  }
}
