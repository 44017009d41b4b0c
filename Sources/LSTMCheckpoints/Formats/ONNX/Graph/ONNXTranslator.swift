import FileIO

/// Why a node is not understood.
struct ONNXRefusal: Error {
  var detail: Message
  var advice: [Message] = []
  /// Whether only what axes were taken for is in the way: another reason says more.
  var isAboutAxes = false
}

/// Goes through the nodes of an ONNX graph in order and makes of them a graph of layers.
///
/// Each value has a meaning (`ONNXMeaning`); an operator of `ONNXOperators` turns meanings into meanings and adds layers on
/// the way. What is not understood is remembered with its reason, and is in the way only when an output is made of it.
struct ONNXTranslator: FileReading {
  let file: String
  let model: ONNXModel
  let bytes: ByteSource
  /// What is tried: which input is what.
  let hypothesis: ONNXHypothesis
  /// Branches to take where nothing else decides, in the order in which they are met.
  let choices: [Bool]

  var draft = ONNXDraft()
  var values: [String: ONNXMeaning] = [:]
  /// The node that gives a value.
  var producers: [String: ONNXModel.Node] = [:]
  /// Why values are not understood, with the place of their nodes.
  var reasons: [(position: Int, refusal: ONNXRefusal)] = []
  var notes: [Message] = []
  var assumed: [Assumption] = []
  /// What each choice on the way was.
  var taken: [Bool] = []
  /// What is known of the caller's own numbers: `sr is 16000`.
  var settled: [String: Bool] = [:]
  /// Sizes of the batch, and of steps by clock, where a branch was taken that needs them.
  var batchSize: Int?
  var stepSizes: [Int: Int] = [:]
  /// What constants have done to a layer's values.
  var affines: [Int: ONNXAffineRows] = [:]
  /// Steps that were taken one by one.
  var unrolled = ONNXUnrolled()
  /// Convolutions with less padding, by what was cut off.
  var trims: [String: Int] = [:]
  /// Loops that the node that is run lies in, how often they run, and what the states in them start from.
  var loops = 0
  var loopCount: ONNXSize?
  /// Steps that are taken from the end.
  var reversedSteps = Set<Int>()
  /// Heads of attention whose last projection, or its bias, may follow.
  var openAttention = Set<Int>()
  var openBias = Set<Int>()
  var loopStates: [String: String] = [:]
  var masks = ONNXMasks()
  /// Where states come from and go to.
  var carried = ONNXCarriedStates()
  /// What the graph calls its outputs, where there are several.
  var outputNames: [String] = []
  var givenNames: [String] = []
  /// The axes of the model's first output.
  var outputAxes: [ONNXRows.Axis]?
  var position = 0
  private var budget = 4_000_000

  init(
    _ model: ONNXModel, bytes: ByteSource, constants: [StoredTensor], file: String, hypothesis: ONNXHypothesis,
    choices: [Bool]
  ) throws(CheckpointError) {
    self.file = file
    self.model = model
    self.bytes = bytes
    self.hypothesis = hypothesis
    self.choices = choices
    for tensor in constants {
      values[tensor.name] = .constant(ONNXConstant(tensor: tensor, sources: [tensor.name]))
    }
    for input in model.inputs { values[input.name] = begin(input) }
    for node in model.nodes { try run(node) }
  }

  // MARK: - Nodes

  mutating func run(_ node: ONNXModel.Node) throws(CheckpointError) {
    position += 1
    // What gives nothing is read by nobody.
    if node.outputs.isEmpty { return }
    for name in node.outputs where !name.isEmpty {
      guard values[name] == nil else {
        throw unknownFormat("is no valid ONNX model: \"\(name)\" is given twice")
      }
      producers[name] = node
    }
    if node.operation == "If", node.domain.isEmpty { return try branch(node) }
    if node.operation == "Loop", node.domain.isEmpty { return try loop(node) }
    var results: [ONNXMeaning] = []
    do throws(ONNXRefusal) {
      results = try meanings(of: node)
    } catch {
      results = [.deferred(reason(node, error))]
    }
    for (index, name) in node.outputs.enumerated() where !name.isEmpty {
      let value = results.indices.contains(index) ? results[index] : results.first.flatMap(\.asDeferred)
      values[name] =
        value ?? .deferred(reason(node, ONNXRefusal(detail: "its output \"\(name)\" is not understood here")))
      budget -= 1
      if case .numbers(let numbers)? = value { budget -= numbers.values.count }
    }
    guard budget > 0 else { throw unsupported("its graph is larger than any model that can be read") }
  }

  /// - Throws: why it is not understood.
  private mutating func meanings(of node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning] {
    guard let translate = ONNXOperators.translation(of: node) else {
      throw ONNXRefusal(detail: "this operator is not known here")
    }
    if let results = try movedQuantized(node, translate) { return results }
    if let results = try translate(&self, node) { return results }
    throw ONNXRefusal(detail: "it is not understood here")
  }

  /// Whole numbers that stand for others, taken elsewhere.
  private mutating func movedQuantized(
    _ node: ONNXModel.Node, _ translate: ONNXOperators.Translate
  ) throws(ONNXRefusal) -> [ONNXMeaning]? {
    guard ONNXOperators.quantizedMovers.contains(node.operation), node.domain.isEmpty,
      case .quantized(let rows, let by)? = meaning(node)
    else { return nil }
    var made = node
    made.inputs[0] = "\(node.inputs[0]) as numbers"
    values[made.inputs[0]] = .rows(rows)
    return try translate(&self, made)?.map { moved in
      if case .rows(let rows) = moved { .quantized(rows, by) } else { moved }
    }
  }

  /// A new reason, or the one why what the node reads is not understood.
  mutating func reason(_ node: ONNXModel.Node, _ refusal: ONNXRefusal) -> Int {
    for name in node.inputs {
      if case .deferred(let reason)? = values[name] { return reason }
    }
    var refusal = refusal
    refusal.detail = "\(node.description): " + refusal.detail
    reasons.append((position, refusal))
    return reasons.count - 1
  }

  /// Adds a layer for a node.
  mutating func layer(
    _ kind: any LayerKind, _ reads: [Int], _ parameters: [ONNXDraft.Key: ONNXDraft.Parameter],
    startsFrom: Int? = nil, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    do throws(LayerError) {
      return try draft.add(kind, reads: reads, parameters, startsFrom: startsFrom, node: node.description)
    } catch {
      throw ONNXRefusal(detail: Message(error.key.map { "\($0): \(error.detail)" } ?? error.detail))
    }
  }

  mutating func layer(_ kind: any LayerKind, _ reads: [Int], _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int {
    try layer(kind, reads, [:], node)
  }

  // MARK: - What a node reads

  func meaning(_ node: ONNXModel.Node, _ index: Int = 0) -> ONNXMeaning? {
    node.inputs.indices.contains(index) ? values[node.inputs[index]] : nil
  }

  func rows(_ node: ONNXModel.Node, _ index: Int = 0) -> ONNXRows? {
    guard case .rows(let rows)? = meaning(node, index), !rows.isWhole else { return nil }
    return rows
  }

  func constant(_ node: ONNXModel.Node, _ index: Int) -> ONNXConstant? {
    if case .constant(let constant)? = meaning(node, index) { constant } else { nil }
  }

  /// A constant of floating-point numbers.
  func weight(_ node: ONNXModel.Node, _ index: Int) -> ONNXConstant? {
    constant(node, index).flatMap { $0.tensor.dataType.isFloatingPoint ? $0 : nil }
  }

  func isAbsent(_ node: ONNXModel.Node, _ index: Int) -> Bool {
    !node.inputs.indices.contains(index) || node.inputs[index].isEmpty
  }

  /// Sizes and indices: computed ones, or a constant of integers.
  func numbers(_ node: ONNXModel.Node, _ index: Int) -> ONNXNumbers? {
    switch meaning(node, index) {
    case .numbers(let numbers): return numbers
    case .constant(let constant):
      let tensor = constant.value
      guard !tensor.dataType.isFloatingPoint, tensor.elementCount <= ONNXNumbers.limit, tensor.shape.count <= 8,
        tensor.shape.allSatisfy({ $0 <= ONNXNumbers.limit }), let integers = try? tensor.integers()
      else { return nil }
      return ONNXNumbers(integers.map { ONNXSize(factor: $0) }, shape: tensor.shape)
    default: return nil
    }
  }

  /// Known integers from an attribute or, in later versions of the operators, an input.
  func integers(_ node: ONNXModel.Node, _ attribute: String, input: Int? = nil) -> [Int]? {
    switch node.attributes[attribute] {
    case .integers(let list): return list
    case .integer(let one): return [one]
    default: return input.flatMap { numbers(node, $0)?.known }
    }
  }

  func integer(_ node: ONNXModel.Node, _ attribute: String) -> Int? {
    if case .integer(let value)? = node.attributes[attribute] { value } else { nil }
  }

  func number(_ node: ONNXModel.Node, _ attribute: String) -> Float? {
    if case .float(let value)? = node.attributes[attribute] { value } else { nil }
  }

  func text(_ node: ONNXModel.Node, _ attribute: String) -> String? {
    if case .text(let value)? = node.attributes[attribute] { value } else { nil }
  }

  /// A constant that is one number.
  func scalar(_ meaning: ONNXMeaning?) -> Double? {
    switch meaning {
    case .constant(let constant) where constant.tensor.elementCount == 1: (try? constant.tensor.doubles())?.first
    case .numbers(let numbers) where numbers.values.count == 1: numbers.known.map { Double($0[0]) }
    case .zeros: 0
    default: nil
    }
  }

  func scalar(_ node: ONNXModel.Node, _ index: Int) -> Double? { scalar(meaning(node, index)) }

  /// 0 ..< rank, from an axis that may count from the end.
  func axis(_ value: Int, _ rank: Int) -> Int? {
    let axis = value < 0 ? value &+ rank : value
    return 0..<rank ~= axis ? axis : nil
  }

  /// The steps of rows, where they are known.
  func steps(of source: Int) -> Int? {
    let value = draft[source].value
    return value.steps ?? value.clock.flatMap { stepSizes[$0] }
  }

  func size(of axis: ONNXRows.Axis, _ rows: ONNXRows) -> ONNXSize? {
    switch axis {
    case .one: ONNXSize(factor: 1)
    case .batch: batchSize.map { ONNXSize(factor: $0) } ?? ONNXSize(factor: 1, symbols: [0])
    case .time:
      steps(of: rows.source).map { ONNXSize(factor: $0) }
        ?? ONNXSize(factor: 1, symbols: [1 + (draft[rows.source].value.clock ?? 0)])
    case .row(let factor): rows.factors.indices.contains(factor) ? ONNXSize(factor: rows.factors[factor]) : nil
    case .merged(let axes):
      axes.reduce(ONNXSize(factor: 1)) { product, axis in
        product.flatMap { known in size(of: axis, rows).flatMap { known * $0 } }
      }
    }
  }

  /// The node that a value comes from, past those that change nothing.
  func origin(_ name: String) -> ONNXModel.Node? {
    var name = name
    for _ in 0..<16 {
      guard let node = producers[name] else { return nil }
      guard ["Identity", "Cast", "Dropout"].contains(node.operation), let below = node.inputs.first else { return node }
      name = below
    }
    return nil
  }

  func origin(_ node: ONNXModel.Node?, _ index: Int) -> ONNXModel.Node? {
    guard let node, node.inputs.indices.contains(index) else { return nil }
    return origin(node.inputs[index])
  }
}

extension ONNXMeaning {
  /// Itself, where it is not understood.
  var asDeferred: ONNXMeaning? { if case .deferred = self { self } else { nil } }
}
