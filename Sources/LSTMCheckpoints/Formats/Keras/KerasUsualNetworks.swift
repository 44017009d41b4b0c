import FileIO

/// The networks that most often have the layers of a file of weights, as whole lines: what such a file does not say is as it
/// is in most of them.
extension KerasEvidenceGraph {
  /// One of several ways to be, and how unusual it is.
  private struct Way {
    let cost: Double
    let change: (inout Choices) -> Void

    init(_ cost: Double, _ change: @escaping (inout Choices) -> Void = { _ in }) {
      (self.cost, self.change) = (cost, change)
    }
  }

  private static let lineLimit = 6
  private static let orderLimit = 8
  /// How many ways to be are tried: where layers make no line, none of them does.
  private static let tryLimit = 500

  /// At most six lines, the likeliest first.
  /// - Parameter isAsked: whether nothing has been assumed; otherwise lines that differ from what has been.
  func usualLines(isAsked: Bool) -> [String] {
    var found: [(cost: Double, order: Int, choices: Choices)] = []
    let orders = Array(orders.prefix(Self.orderLimit))
    for index in orders.indices { found.append((0.7 * Double(index), index, usual)) }
    for ways in questions {
      found = found.flatMap { known in
        ways.map { way in
          var choices = known.choices
          way.change(&choices)
          return (known.cost + way.cost, known.order, choices)
        }
      }
    }
    var own = usual
    own.givesAll = own.givesAll || endsInRecurrent
    let assumed = isAsked ? nil : line(layers, own)
    var lines: [String] = []
    for (_, order, choices) in found.sorted(by: { cost($0) < cost($1) }).prefix(Self.tryLimit) {
      guard let line = line(orders[order], choices), line != assumed, !lines.contains(line) else { continue }
      lines.append(line)
      if lines.count == Self.lineLimit { break }
    }
    return lines
  }

  /// The model as a line; nil where the layers make none.
  func line(_ order: [KerasFoundLayer], _ choices: Choices) -> String? {
    var choices = choices
    var line = (try? read(order, choices))?.graph?.line
    if line == nil, isJoined {
      choices.hasSteps = true
      line = (try? read(order, choices))?.graph?.line
    }
    // Nobody is to take the number that stands for an unknown one for the model's.
    for layer in order where layer.className == "GroupNormalization" && layer.groups != Self.usualGroups {
      line = line?.replacing("group norm groups \(layer.groups) ", with: "group norm groups N ")
    }
    if order.contains(where: { $0.className == "ZeroPadding1D" }) {
      line = line?.replacing("zero padding before 1 after 1", with: "zero padding before N after N")
        .replacing(" pad 1x1", with: " pad NxN")
    }
    let found = line?.replacing("repeat \(Self.unknownCount)", with: "repeat N")
    return choices.hasSteps
      ? found?.replacing(" \(Self.unknownCount) steps", with: " N steps").replacing(
        "steps \(Self.unknownCount)", with: "steps N") : found
  }

  private func cost(_ found: (cost: Double, order: Int, choices: Choices)) -> Double {
    // LSTMs with relu mostly forecast; who classifies has them as they are.
    let classifies = [.softmax, .sigmoid].contains(found.choices.last)
    return found.cost + (found.choices.recurrent == .relu && classifies ? 1.5 : 0)
  }

  // MARK: - What is open

  private var questions: [[Way]] {
    [
      ends, inners, recurrents, masks, readouts, paddings, convolutionFunctions, functions, merges, pools,
    ].filter { !$0.isEmpty }
  }

  private var isTokens: Bool { layers.contains { $0.className == "Embedding" } }
  private var isSingle: Bool { layers.last { $0.isDense }?.gives == 1 }
  private var hasConvolutions: Bool { layers.contains(where: \.isConvolution) }
  private var repeats: Bool { layers.contains { $0.className == "RepeatVector" } }
  private var endsInRecurrent: Bool { layers.last?.isRecurrent ?? false }
  private var endsInFunction: Bool { layers.last?.className == "Activation" }

  /// Text is classified; what has several outputs and no tokens is, too, more often than not.
  private var ends: [Way] {
    guard options.outputActivation == nil else { return [] }
    func end(_ cost: Double, _ activation: Activation) -> Way { Way(cost) { $0.last = activation } }
    let classes: Activation = isSingle ? .sigmoid : .softmax
    if endsInFunction { return [end(0, classes), end(1, isSingle ? .none : .sigmoid), end(2, .relu)] }
    if repeats { return [end(0, .none), end(3, classes)] }
    // Several labels at once.
    if isTokens { return [end(0, classes), end(1.5, .none)] + (isSingle ? [] : [end(0.8, .sigmoid)]) }
    return isSingle ? [end(0, .none), end(1.3, .sigmoid)] : [end(0, .softmax), end(0.8, .none)]
  }

  /// After dense layers that another one follows.
  private var inners: [Way] {
    guard options.activation == nil else { return [] }
    let isForecast = isSingle && !isTokens && !hasConvolutions
    return [Way(0) { $0.inner = .relu }, Way(isForecast ? 0.9 : 2.5) { $0.inner = .none }]
  }

  private var recurrents: [Way] {
    let cost = isTokens ? 4 : repeats ? 0.5 : hasConvolutions ? 2.5 : isSingle ? 1.2 : 2
    return [Way(0), Way(cost) { $0.recurrent = .relu }]
  }

  private var masks: [Way] {
    isTokens ? [Way(0), Way(hasConvolutions ? 2.5 : 0.9) { $0.masks = true }] : []
  }

  /// What gives as many numbers as there are tokens says the next one, of the last step or of each.
  private var readouts: [Way] {
    if endsInRecurrent { return options.readout == nil ? [Way(0) { $0.givesAll = true }, Way(0.1)] : [] }
    if isJoined, isTokens, options.readout == nil, !isSingle { return [Way(0), Way(0.9) { $0.givesAll = true }] }
    guard let tokens = layers.first(where: { $0.className == "Embedding" })?.config["input_dim"]?.integer,
      layers.last(where: \.isDense)?.gives == tokens, options.readout == nil
    else { return mayTag ? [Way(0), Way(0.4) { $0.givesAll = true }] : [] }
    return [Way(0), Way(0.7) { $0.givesAll = true }]
  }

  /// Whether it may say something of each token: two directions, and several outputs.
  private var mayTag: Bool {
    guard isTokens, !isSingle, options.readout == nil, let last = layers.lastIndex(where: \.isRecurrent) else {
      return false
    }
    return layers[last].className == "Bidirectional" && layers[(last + 1)...].allSatisfy { $0.isDense || $0.isFunction }
      && !layers[(last + 1)...].contains { $0.className == "TimeDistributed" }
  }

  private var pools: [Way] {
    layers.contains { $0.className == KerasFoundLayer.pools } ? [Way(0), Way(1) { $0.maximumFirst = true }] : []
  }

  private var paddings: [Way] {
    guard hasConvolutions else { return [] }
    let isPooled = layers.contains { $0.isPooling || $0.isGlobalPooling } || isTokens
    if layers.contains(where: { $0.className == "ZeroPadding1D" }) { return [Way(0)] }
    // What is merged has as many steps on either side.
    if isJoined { return [Way(0) { $0.padding = .same }, Way(0.7), Way(0.8) { $0.padding = .causal }] }
    return [Way(0), Way(0.6) { $0.padding = .same }, Way(isPooled ? 3 : 0.3) { $0.padding = .causal }]
  }

  private var convolutionFunctions: [Way] {
    guard hasConvolutions else { return [] }
    let isFollowed = layers.indices.contains { index in
      let next = layers.dropFirst(index + 1).first { !$0.isNormalization }
      return layers[index].isConvolution && next?.isFunction ?? false
    }
    let isBehind = layers.firstIndex(where: \.isRecurrent) ?? 0 < layers.lastIndex(where: \.isConvolution) ?? 0
    if isBehind { return [Way(0) { $0.convolution = .relu }, Way(isTokens ? 0.5 : 0.9) { $0.convolution = .none }] }
    return [Way(isFollowed ? 2.5 : 0) { $0.convolution = .relu }, Way(isFollowed ? 0 : 2.5) { $0.convolution = .none }]
  }

  /// Of layers that only say that they are an activation, other than the last.
  private var functions: [Way] {
    guard layers.dropLast().contains(where: { $0.className == "Activation" }) else { return [] }
    return [Way(0) { $0.function = .relu }, Way(1) { $0.function = .tanh }]
  }

  private var merges: [Way] {
    guard openMerge != nil else { return [] }
    return [Way(0) { $0.merge = "sum" }, Way(0.8) { $0.merge = "ave" }, Way(1.5) { $0.merge = "mul" }]
  }
}

extension KerasStructure {
  /// Whole models for a file of weights that makes a plain stack; none where its order is not known.
  func usualLines(_ candidates: [Candidate], file: String, options: LoadOptions, isAsked: Bool) -> [String] {
    KerasEvidenceGraph(self, candidates, file: file, options: options, acceptsPlain: true)?
      .usualLines(isAsked: isAsked) ?? []
  }
}

/// Models to choose from, as a line of advice for the likeliest and one for all others.
func kerasModelAdvice(_ lines: [String]) -> [Message] {
  guard let first = lines.first else { return [] }
  return ["\(.model, first)"] + (lines.count > 1 ? [kerasOthers(Array(lines.dropFirst()))] : [])
}
