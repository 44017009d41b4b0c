import FileIO

/// The layers that nodes have been translated to so far, also those that nothing turns out to read.
struct ONNXDraft {
  struct Key: Hashable {
    let name: String
    var isReverse = false
  }

  struct Parameter {
    let constant: ONNXConstant
    var how: String?
    /// Equal for what is one tensor in the file.
    var identity: String?
  }

  /// An input or a layer.
  struct Entry {
    /// nil for an input.
    var kind: (any LayerKind)?
    var input: ModelConfiguration.Input?
    var reads: [Int]
    var value: LayerValue
    var parameters: [Key: Parameter] = [:]
    /// The node that it comes from.
    var node: String
    /// The recurrent layer whose final state it starts from.
    var startsFrom: Int?

    /// Whether it is one node of the graph: `RNN "rnn1"`.
    var isOperator: Bool { ["LSTM ", "GRU ", "RNN "].contains { node.hasPrefix($0) } }
  }

  private(set) var entries: [Entry] = []

  subscript(place: Int) -> Entry { entries[place] }

  mutating func add(_ input: ModelConfiguration.Input) throws(LayerError) -> Int {
    var value = try input.value(clock: entries.count)
    if input.vocabulary != nil { value.vocabulary = input.vocabulary }
    entries.append(Entry(input: input, reads: [], value: value, node: input.name))
    return entries.count - 1
  }

  /// - Throws: `LayerError` when the kind cannot read these.
  mutating func add(
    _ kind: any LayerKind, reads: [Int], _ parameters: [Key: Parameter] = [:], startsFrom: Int? = nil, node: String
  ) throws(LayerError) -> Int {
    guard entries.count < ModelConfiguration.depthLimit * 16 else { throw LayerError(nil, "there are too many layers") }
    let values = reads.map { entries[$0].value }
    // Products of sizes must fit an `Int` wherever they are computed.
    guard values.allSatisfy({ $0.steps.map { 1...ModelConfiguration.sizeLimit ~= $0 } ?? true }) else {
      throw LayerError(nil, "it would read more steps than any sequence has")
    }
    if values.contains(where: { $0.vocabulary != nil }), !(kind is Layer.Embedding) {
      throw LayerError(nil, "it reads token numbers, which only a table is looked up with")
    }
    var value = try kind.output(values)
    guard value.width > 0, value.width <= ModelConfiguration.sizeLimit else {
      throw LayerError(nil, "it would give \(value.width) values a row")
    }
    if value.clock == nil { value.clock = entries.count }
    entries.append(
      Entry(kind: kind, reads: reads, value: value, parameters: parameters, node: node, startsFrom: startsFrom))
    return entries.count - 1
  }

  /// An input of numbers turns out to be looked up in a table.
  mutating func makeTokens(_ place: Int, vocabulary: Int) -> Bool {
    guard var input = entries[place].input else { return false }
    if let known = input.vocabulary, known != vocabulary, known != 1 { return false }
    input.content = .tokens(vocabulary: vocabulary)
    entries[place].input = input
    entries[place].value.vocabulary = vocabulary
    return true
  }

  mutating func fix(steps: Int, of place: Int) {
    entries[place].value.steps = steps
  }

  /// Those that outputs are made of, in order.
  func needed(by outputs: [Int]) -> [Int] {
    var found = Set<Int>()
    var open = outputs
    while let place = open.popLast() {
      guard found.insert(place).inserted else { continue }
      open += entries[place].reads
      if let other = entries[place].startsFrom { open.append(other) }
    }
    return found.sorted()
  }
}

extension ONNXDraft {
  /// The layers that are left, with activations in the layers that they follow.
  struct Pruned {
    var places: [Int]
    /// Of each place: the one that it became a part of.
    var replaced: [Int: Int] = [:]
    var activations: [Int: Activation] = [:]

    func place(_ place: Int) -> Int { replaced[place] ?? place }
  }

  func pruned(_ outputs: [Int]) -> Pruned {
    let needed = needed(by: outputs)
    var readers: [Int: Int] = [:]
    for place in needed {
      for read in entries[place].reads { readers[read, default: 0] += 1 }
      if let other = entries[place].startsFrom { readers[other, default: 0] += 1 }
    }
    for output in outputs { readers[output, default: 0] += 1 }
    var result = Pruned(places: needed)
    for place in needed {
      guard let activation = entries[place].kind as? Layer.ActivationLayer, activation.alpha == nil,
        let below = entries[place].reads.first, readers[below] == 1, result.activations[below] == nil
      else { continue }
      switch entries[below].kind {
      case is Layer.Dense: break
      case is Layer.Convolution where activation.activation.isElementwise: break
      default: continue
      }
      result.activations[below] = activation.activation
      result.replaced[place] = below
    }
    result.places.removeAll { result.replaced[$0] != nil }
    return result
  }

  /// The kind as it stands in the model.
  func kind(_ place: Int, _ pruned: Pruned) -> (any LayerKind)? {
    guard let activation = pruned.activations[place] else { return entries[place].kind }
    switch entries[place].kind {
    case var dense as Layer.Dense:
      dense.activation = activation
      return dense
    case var convolution as Layer.Convolution:
      convolution.activation = activation
      return convolution
    default: return entries[place].kind
    }
  }
}

extension ONNXDraft {
  /// Names as a plain stack has them where it is one: `embedding`, `layer0`, `readout`, `head.0`.
  func names(_ pruned: Pruned) -> [Int: String] {
    let places = pruned.places
    let last = places.last { entries[$0].kind is Layer.Recurrent } ?? -1
    var names: [Int: String] = [:]
    var counts: [String: Int] = [:]
    func isAlone<Kind: LayerKind>(_: Kind.Type) -> Bool { places.filter { entries[$0].kind is Kind }.count == 1 }
    let inputs = places.filter { entries[$0].input != nil }
    for place in places {
      guard let kind = entries[place].kind else {
        names[place] = inputs.count == 1 ? "input" : entries[place].input?.name ?? "input"
        continue
      }
      func numbered(_ stem: String, from first: Int, _ separator: String = "") -> String {
        counts[stem, default: first - 1] += 1
        return "\(stem)\(separator)\(counts[stem] ?? first)"
      }
      switch kind {
      case is Layer.Recurrent: names[place] = numbered("layer", from: 0)
      case is Layer.Dense where place > last && last >= 0: names[place] = numbered("head", from: 0, ".")
      case is Layer.Embedding where isAlone(Layer.Embedding.self): names[place] = "embedding"
      case is Layer.Readout where isAlone(Layer.Readout.self): names[place] = "readout"
      case is Layer.Attention where isAlone(Layer.Attention.self): names[place] = "attention"
      case is Layer.L2 where isAlone(Layer.L2.self): names[place] = "normalize"
      case is Layer.ActivationLayer
      where entries[place].reads.first.map({ entries[pruned.place($0)].kind is Layer.Readout }) == true
        && isAlone(Layer.ActivationLayer.self):
        names[place] = "readout_activation"
      default: names[place] = numbered(kind.stem, from: 1)
      }
    }
    // The graph's own names of inputs come first.
    let taken = Set(inputs.compactMap { names[$0] })
    for place in places where entries[place].kind != nil {
      while let name = names[place], taken.contains(name) { names[place] = name + "_" }
    }
    return names
  }
}
