/// How the layers of a file of weights may be joined where they make no line: every graph that their order, widths and
/// names allow, the plainest first.
struct KerasFoundJoins {
  /// A layer, and which ones before it it reads.
  struct Node {
    let layer: KerasFoundLayer
    var reads: [Int] = []
    /// The recurrent layer whose final state it starts from.
    var initial: Int?

    var sources: [Int] { reads + (initial.map { [$0] } ?? []) }

    /// With what it reads in order, where that makes no difference.
    fileprivate var sorted: Node {
      guard layer.isMerge, !layer.hasOrder else { return self }
      var node = self
      node.reads.sort()
      return node
    }

    fileprivate static func == (a: Node, b: Node) -> Bool {
      a.layer.name == b.layer.name && a.reads == b.reads && a.initial == b.initial
    }
  }

  /// How wide a value is, as far as it is known.
  private enum Width: Equatable {
    case known(Int)
    /// That of an input, which its first reader tells.
    case input(Int)
    /// So many values, several times.
    case times(Int)
    case open
  }

  private struct State {
    var nodes: [Node] = []
    var widths: [Width] = []
    /// Whether each gives steps; nil where its reader will tell.
    var isSteps: [Bool?] = []
    /// Of inputs whose readers tell it; 0 for tokens.
    var inputs: [Int: Int] = [:]
    var uses: [Int] = []
    /// How many layers of each queue are placed.
    var places: [Int]
    var cost = 0
    var lastQueue = -1

    var open: [Int] { uses.indices.filter { uses[$0] == 0 } }
  }

  static let merges: Set<String> = ["Concatenate", "Add", "Multiply", "Average", "Maximum", "Subtract"]
  private static let stepLimit = 10_000
  private static let layerLimit = 48
  private static let costLimit = 7
  /// How many graphs are read, and how many are kept.
  private static let tryLimit = 60
  private static let foundLimit = 8

  private let queues: [[KerasFoundLayer]]
  private let isOrdered: Bool
  /// The second input where one part of the model reads both, and what it gives of each is merged.
  private let second: KerasFoundLayer?
  private let isValid: ([KerasFoundLayer]) -> Bool
  private let mergeCount: Int
  private let inputCount: Int
  private let hasRepeats: Bool
  /// Whether values are repeated and turned, as weights of steps are.
  private let isTurned: Bool
  private var steps = 0
  private var found: [(nodes: [Node], layers: [KerasFoundLayer])] = []
  private var tries = 0
  private var bound = 0
  private var isChecked = false

  private init(
    _ queues: [[KerasFoundLayer]], isOrdered: Bool, isTwin: KerasFoundLayer?,
    isValid: @escaping ([KerasFoundLayer]) -> Bool
  ) {
    (self.queues, self.isOrdered, self.second, self.isValid) = (queues, isOrdered, isTwin, isValid)
    hasRepeats = queues.joined().contains { $0.className == "RepeatVector" }
    isTurned = hasRepeats && queues.joined().contains { $0.className == "Permute" }
    mergeCount = queues.joined().count(where: \.isMerge)
    inputCount = queues.joined().count { $0.className == "InputLayer" }
  }

  /// - Parameter isOrdered: whether the layers are in the model's order, otherwise only those of one class.
  /// - Parameter isValid: whether a graph can be read.
  static func orders(
    of layers: [KerasFoundLayer], isOrdered: Bool, isValid: @escaping ([KerasFoundLayer]) -> Bool
  ) -> [[KerasFoundLayer]] {
    let inputs = layers.filter { $0.className == "InputLayer" }
    guard !inputs.isEmpty, layers.count <= layerLimit else { return [] }
    var queues = [layers]
    if !isOrdered {
      let rest = layers.filter { !KerasLayerKinds.idle.contains($0.className) }
      queues =
        [inputs]
        + Dictionary(grouping: rest, by: \.className).sorted { $0.key < $1.key }.map { $0.value }
    }
    var result: [[KerasFoundLayer]] = []
    if inputs.count == 2, layers.count(where: \.isMerge) == 1 {
      var twin = Self(
        queues.map { $0.filter { $0.name != inputs[1].name } }, isOrdered: isOrdered, isTwin: inputs[1],
        isValid: isValid)
      twin.run()
      result += twin.found.map(\.layers)
    }
    var search = Self(queues, isOrdered: isOrdered, isTwin: nil, isValid: isValid)
    // Layers that do nothing here count for Keras' order, and are not in it.
    search.isChecked =
      isOrdered || !layers.contains { KerasLayerKinds.idle.contains($0.className) && $0.className != "InputLayer" }
    search.run()
    result += search.found.map(\.layers)
    return Array(result.prefix(foundLimit))
  }

  // MARK: - Search

  /// Graphs of ever more that is unusual, until there are some.
  private mutating func run() {
    for limit in 0...Self.costLimit where found.isEmpty || limit < 2 {
      bound = limit
      extend(State(places: queues.map { _ in 0 }))
      if steps >= Self.stepLimit { break }
    }
  }

  private mutating func extend(_ state: State) {
    steps += 1
    guard steps < Self.stepLimit, tries < Self.tryLimit, found.count < Self.foundLimit else { return }
    let isDone = zip(state.places, queues).allSatisfy { $0 == $1.count }
    if isDone {
      let ends = state.open
      let cost = state.cost + 3 * (ends.count - 1)
      guard cost == bound, ends.count == 1 || ends.allSatisfy({ state.nodes[$0].layer.isEnd }) else { return }
      if isChecked {
        let listed = Self.listing(state.nodes)
        guard isOrdered ? listed == Array(state.nodes.indices) : isInOrder(listed.map { state.nodes[$0].layer }) else {
          return
        }
      }
      let nodes = state.nodes.map(\.sorted)
      guard !found.contains(where: { $0.nodes.elementsEqual(nodes, by: ==) }) else { return }
      tries += 1
      let active = Self.active(nodes)
      let layers = second.map { Self.twins(active, $0) } ?? Self.called(active)
      if isValid(layers) { found.append((nodes, layers)) }
      return
    }
    let left = mergeCount - state.nodes.count { $0.layer.isMerge }
    guard state.open.count - 1 <= 3 * left + (inputCount > 1 && mergeCount == 0 ? 1 : 2) else { return }
    for queue in queues.indices where state.places[queue] < queues[queue].count {
      // Inputs come first, and of layers that do not read each other one order is enough.
      if !isOrdered, state.places[0] < queues[0].count, queue != 0 { break }
      var next = state
      next.places[queue] += 1
      let layer = queues[queue][state.places[queue]]
      let isAfter = isOrdered || queue >= state.lastQueue
      next.lastQueue = queue
      place(layer, next, isLast: left == 1, mustReadLast: !isAfter)
    }
  }

  private func isInOrder(_ layers: [KerasFoundLayer]) -> Bool {
    queues.allSatisfy { queue in
      let names = Set(queue.map(\.name))
      return layers.filter { names.contains($0.name) }.map(\.name) == queue.map(\.name)
    }
  }

  private mutating func add(_ node: Node, _ width: Width, _ cost: Int, to state: State, _ mustReadLast: Bool) {
    if mustReadLast, !node.sources.contains(state.nodes.count - 1) { return }
    var next = state
    for source in Set(node.sources) { next.uses[source] += 1 }
    next.nodes.append(node)
    next.widths.append(width)
    guard let gives = Self.rank(of: node, &next) else { return }
    next.isSteps.append(gives)
    next.uses.append(0)
    next.cost += cost
    if next.cost <= bound { extend(next) }
  }

  /// Whether a layer gives steps, as far as it is known; nil outside where what it reads cannot be read so.
  private static func rank(of node: Node, _ state: inout State) -> Bool?? {
    let layer = node.layer
    let wanted: Bool? =
      layer.className == "RepeatVector"
      ? false : layer.isStepwise && layer.className != "Flatten" ? true : nil
    for source in node.reads {
      if let wanted {
        if state.isSteps[source] == !wanted { return nil }
        state.isSteps[source] = wanted
      }
    }
    if layer.isGlobalPooling || layer.className == "Flatten" { return .some(false) }
    if layer.className == "Embedding" || layer.className == "RepeatVector" { return .some(true) }
    if layer.isRecurrent || layer.className == "InputLayer" { return .some(nil) }
    if wanted == true { return .some(true) }
    let known = Set(node.reads.compactMap { state.isSteps[$0] })
    if known.count > 1 { return nil }
    if let one = known.first { for source in node.reads { state.isSteps[source] = one } }
    return .some(known.first)
  }

  private mutating func place(_ layer: KerasFoundLayer, _ state: State, isLast: Bool, mustReadLast: Bool) {
    if layer.className == "InputLayer" {
      add(Node(layer: layer), .input(state.nodes.count), 0, to: state, mustReadLast)
      return
    }
    if layer.isMerge { return merge(layer, state, isLast: isLast, mustReadLast) }
    for source in state.nodes.indices.reversed() {
      guard let cost = cost(of: layer, reading: source, state) else { continue }
      var next = state
      guard let halved = Self.accepts(layer, source, &next) else { continue }
      let width = Self.width(of: layer, reading: next.widths[source])
      let more = cost + (halved ? 1 : 0)
      if layer.isAttention {
        add(Node(layer: layer, reads: [source, source]), width, more, to: next, mustReadLast)
        for value in state.nodes.indices where value != source && state.widths[value] == state.widths[source] {
          let isPlain = state.nodes[value].layer.isRecurrent && state.nodes[source].layer.isRecurrent
          if isPlain { add(Node(layer: layer, reads: [source, value]), width, more + 1, to: next, mustReadLast) }
        }
        continue
      }
      if layer.isRecurrent, layer.className != "Bidirectional", inputCount == 2, mergeCount == 0 {
        for other in state.open where other != source && state.nodes[other].layer.className == layer.className {
          guard state.nodes[other].layer.gives == layer.gives else { continue }
          add(Node(layer: layer, reads: [source], initial: other), width, more, to: next, mustReadLast)
        }
      }
      add(Node(layer: layer, reads: [source]), width, more, to: next, mustReadLast)
    }
  }

  /// How unusual it is that a layer reads another; nil where it cannot.
  private func cost(of layer: KerasFoundLayer, reading source: Int, _ state: State) -> Int? {
    let below = state.nodes[source].layer
    let isInput = below.className == "InputLayer"
    if (layer.className == "Embedding" || layer.className == "Normalization") != isInput,
      layer.className == "Embedding" || layer.className == "Normalization"
    {
      return nil
    }
    let isRow = below.isGlobalPooling || below.className == "Flatten"
    if isRow, layer.isStepwise { return nil }
    if isInput, layer.isFunction || layer.isGlobalPooling || layer.className == "Flatten" { return nil }
    if layer.isGlobalPooling, !below.isSequence { return nil }
    let isRead = state.uses[source] > 0
    var cost = !isRead ? 0 : isInput || below.className == "Embedding" || layer.isGlobalPooling ? 1 : 2
    if layer.isConvolution, below.isRecurrent { cost += 1 }
    // A softmax of scores that lie side by side, or what is more than unusual.
    let isOfScores = below.className == "Flatten" && hasRepeats
    if layer.isFunction, below.isFunction || isRow, !isOfScores { cost += 3 }
    if isTurned, layer.className == "Activation", below.className != "Flatten" { cost += 2 }
    if layer.className == "Permute", below.className != "RepeatVector" { cost += 2 }
    // Inputs are read in their order.
    if isInput, !isOrdered, state.nodes[..<source].indices.contains(where: { state.uses[$0] == 0 }) { cost += 1 }
    if layer.isNormalization { cost += below.isNormalization || isRow ? 3 : below.isFunction ? 1 : 0 }
    if layer.isGlobalPooling, below.isDense { cost += 2 }
    if layer.isAttention, below.isDense || below.isFunction { cost += 2 }
    if layer.isRecurrent, below.isDense { cost += 1 }
    if layer.isDense, isInput, inputCount == 1 { cost += 1 }
    return cost
  }

  /// Whether the widths fit; true in the result where two directions are merged into one for it.
  private static func accepts(_ layer: KerasFoundLayer, _ source: Int, _ state: inout State) -> Bool? {
    switch state.widths[source] {
    case .input(let input):
      let width = layer.className == "Embedding" ? 0 : layer.reads
      guard let width else { return state.inputs[input] != 0 ? false : nil }
      guard state.inputs[input] == nil || state.inputs[input] == width else { return nil }
      state.inputs[input] = width
      return false
    case .known(let width):
      guard let reads = layer.reads, reads != width else { return false }
      guard state.nodes[source].layer.className == "Bidirectional", reads * 2 == width, state.uses[source] == 0 else {
        return nil
      }
      state.widths[source] = .known(reads)
      return true
    case .times(let width): return layer.reads.map { $0 % width == 0 } ?? true ? false : nil
    case .open: return false
    }
  }

  private static func width(of layer: KerasFoundLayer, reading width: Width) -> Width {
    if let gives = layer.gives { return .known(gives) }
    if layer.className == "Flatten" { if case .known(let width) = width { return .times(width) } else { return .open } }
    return layer.reads.map(Width.known) ?? width
  }

  // MARK: - Merging

  private mutating func merge(_ layer: KerasFoundLayer, _ state: State, isLast: Bool, _ mustReadLast: Bool) {
    let open = state.open
    if second != nil {
      guard open.count == 1, case .known(let width) = state.widths[open[0]] else { return }
      let given = layer.className == "Concatenate" ? 2 * width : width
      add(Node(layer: layer, reads: [open[0]]), .known(given), 0, to: state, mustReadLast)
      return
    }
    var choices: [[Int]] = isLast ? [open] : Self.subsets(open).filter { !$0.isEmpty }
    // One value that another layer has read, as around a residual.
    let read = state.nodes.indices.filter { state.uses[$0] > 0 }
    choices = choices.filter { 2...5 ~= $0.count } + choices.flatMap { chosen in read.map { chosen + [$0] } }
    for chosen in choices where 2...5 ~= chosen.count {
      if isTurned, chosen.contains(where: { state.nodes[$0].layer.className == "RepeatVector" }) { continue }
      let extra = chosen.count { state.uses[$0] > 0 }
      // A residual goes around what has weights of its own.
      let isAround = chosen.contains { value in
        let node = state.nodes[value]
        return node.layer.isNormalization && node.reads.allSatisfy(chosen.contains)
      }
      let cost = extra * (layer.hasOrder ? 2 : 1) + (isAround ? 2 : 0)
      for order in Self.orders(of: chosen.sorted()) {
        var next = state
        guard let width = Self.merged(layer, order, &next) else { continue }
        add(Node(layer: layer, reads: order), width, cost, to: next, mustReadLast)
      }
    }
  }

  private static func merged(_ layer: KerasFoundLayer, _ values: [Int], _ state: inout State) -> Width? {
    let isConcatenation = layer.className == "Concatenate"
    var known: [Int] = []
    for value in values {
      var width = state.widths[value]
      if case .input(let input) = width {
        if state.inputs[input] == 0 { return nil }
        width = state.inputs[input].map(Width.known) ?? width
      }
      if case .known(let width) = width { known.append(width) }
    }
    if isConcatenation { return known.count == values.count ? .known(known.reduce(0, +)) : .open }
    guard let most = known.max() else { return .open }
    guard known.allSatisfy({ $0 == most || $0 == 1 && layer.className == "Multiply" }) else { return nil }
    for value in values {
      if case .input(let input) = state.widths[value] { state.inputs[input] = most }
    }
    return .known(most)
  }

  private static func subsets(_ values: [Int]) -> [[Int]] {
    guard values.count <= 5 else { return [values] }
    return values.reduce([[]]) { known, value in known + known.map { $0 + [value] } }
  }

  private static func orders(of values: [Int]) -> [[Int]] {
    guard values.count <= 3 else { return [values, values.reversed()] }
    if values.count < 2 { return [values] }
    return values.indices.flatMap { index in
      var rest = values
      let first = rest.remove(at: index)
      return orders(of: rest).map { [first] + $0 }
    }
  }
}

extension KerasFoundLayer {
  var isMerge: Bool { KerasFoundJoins.merges.contains(className) }
  fileprivate var hasOrder: Bool { ["Concatenate", "Subtract"].contains(className) }
  /// Places of its states among what a recurrent layer gives: an LSTM has two.
  var states: [Int] { className.hasSuffix("LSTM") ? [1, 2] : [1] }
  /// Whether a model may end in it beside others.
  fileprivate var isEnd: Bool { isDense || isFunction || className == "Softmax" }
  /// Whether it may give a sequence.
  fileprivate var isSequence: Bool { !isGlobalPooling && className != "Flatten" && className != "InputLayer" }
}
