import FileIO

/// Goes through the nodes of an ONNX graph in order and makes of them an LSTM stack, what feeds it and what reads it.
///
/// Each value has a meaning (`ONNXValue`); a node turns meanings into meanings. Where that fails the result is unknown and
/// the node is remembered: LSTMs are found all the same, but then the rest of the model is for the user to say.
struct ONNXGraph: FileReading {
  struct Layer {
    /// Forward, reverse: the one whose direction it is.
    var cells: [Bool: RecurrentCell] = [:]
    var how: [Bool: String] = [:]
    let input: ONNXFlow?
    let node: String
    let hiddenSize: Int
  }

  struct Dense {
    /// nil where it reads what is not understood.
    let input: ONNXFlow?
    /// (O, S)
    let weight: ONNXConstant
    /// (O)
    var bias: ONNXConstant?
  }

  let file: String
  let model: ONNXModel
  let source: ByteSource

  var values: [String: ONNXValue] = [:]
  var layers: [Layer] = []
  var denses: [Dense] = []
  var embedding: ONNXConstant?
  /// The file's tensors that have found their place.
  var used: Set<String> = []
  /// The file's tensors of which nothing is lost, with the reason.
  var harmless: [String: String] = [:]
  /// Nodes that are not understood, and what of them.
  var misunderstood: [(node: String, detail: String)] = []
  var notes: [Message] = []
  /// The sizes of the inputs' axes, where they are known.
  var axisSizes: [Int: Int] = [:]
  var axisCount = 0
  /// Bytes of all constants: none that is made of them is larger.
  let constantBytes: Int
  /// What values may hold in all, so that a small file does not make a large graph.
  private var budget = 1_000_000
  /// Which axis of the input the first LSTM takes for what.
  var timeAxis: Int?
  var featureAxis: Int?

  init(_ model: ONNXModel, source: ByteSource, tensors: [StoredTensor], file: String)
    throws(CheckpointError)
  {
    self.file = file
    self.model = model
    self.source = source
    constantBytes = tensors.reduce(0) { sum, tensor in
      let (total, overflow) = sum.addingReportingOverflow(tensor.byteCount)
      return overflow ? .max : total
    }
    for tensor in tensors {
      values[tensor.name] = .constant(ONNXConstant(tensor: tensor, sources: [tensor.name]))
    }
    for input in model.inputs { values[input.name] = begin(input) }
    for node in model.nodes { try run(node) }
  }

  private mutating func begin(_ input: ONNXModel.Input) -> ONNXValue {
    guard let shape = input.shape, 2...3 ~= shape.count else { return .fromInput(input.name) }
    let ids = shape.indices.map { axisCount + $0 }
    axisCount += shape.count
    for (id, size) in zip(ids, shape) { axisSizes[id] = size }
    return .flow(
      ONNXFlow(axes: ids.map { .sequence([$0]) }, parts: [.init(source: .input(input.name), size: shape.last ?? nil)]))
  }

  private func twice(_ name: String) -> CheckpointError {
    unknownFormat("is no valid ONNX model: \"\(name)\" is given twice")
  }

  private mutating func run(_ node: ONNXModel.Node) throws(CheckpointError) {
    for name in node.outputs where !name.isEmpty && values[name] != nil { throw twice(name) }
    if node.domain.isEmpty, node.operation == "LSTM" { return try addLSTM(node) }
    if node.domain.isEmpty, node.operation == "If" {
      if let branch = decidedBranch(node) { return try inline(branch, of: node) }
      misunderstood.append((node.description, "which of its branches runs is only known when it runs"))
      for name in node.outputs where !name.isEmpty { values[name] = .unknown }
      return
    }
    if let results = results(of: node) {
      for (name, value) in zip(node.outputs, results) where !name.isEmpty {
        values[name] = value
        switch value {
        case .flow(let flow), .norm(let flow): budget -= flow.parts.count + flow.axes.count
        case .constant(let constant): budget -= constant.sources.count
        case .numbers(let sizes, _): budget -= sizes.count
        case .zeros, .fromInput, .unknown: break
        }
      }
      guard budget > 0 else { throw unsupported("its graph is larger than any model that can be read") }
      return
    }
    // What is moved of one input alone may be a state that the caller gives.
    let origins = node.inputs.filter { !$0.isEmpty }.map { name -> String? in
      switch values[name] {
      case .fromInput(let input): input
      case .flow(let flow):
        flow.parts.allSatisfy { $0.source == flow.parts[0].source }
          ? { if case .input(let input) = flow.parts[0].source { input } else { nil } }() : nil
      case .constant, .numbers, .zeros: ""
      case .norm, .unknown, nil: nil
      }
    }
    let named = Set(origins.compactMap { $0 }.filter { !$0.isEmpty })
    let isOfInput = !origins.contains(nil) && named.count == 1 && ONNXModel.movers.contains(node.operation)
    for name in node.outputs where !name.isEmpty {
      values[name] = isOfInput ? .fromInput(named.first ?? "") : .unknown
    }
    let isUnknown = node.inputs.contains { name in
      if case .unknown? = values[name] { return true } else { return !name.isEmpty && values[name] == nil }
    }
    // The first node of a chain is the one to name.
    if !isUnknown { misunderstood.append((node.description, "it is not understood here")) }
  }

  // MARK: - Branches

  /// The branch that a condition of known sizes chooses.
  private func decidedBranch(_ node: ONNXModel.Node) -> ONNXModel.Subgraph? {
    guard let name = node.inputs.first, let condition = numbers(name), condition.values.count == 1,
      let value = condition.values[0]?.known,
      case .graph(let branch)? = node.attributes[value != 0 ? "then_branch" : "else_branch"],
      branch.outputs.count == node.outputs.count
    else { return nil }
    return branch
  }

  private mutating func inline(_ branch: ONNXModel.Subgraph, of node: ONNXModel.Node) throws(CheckpointError) {
    for tensor in branch.constants {
      guard values[tensor.name] == nil else { throw twice(tensor.name) }
      if case .external = tensor.elements { continue }
      values[tensor.name] = .constant(ONNXConstant(tensor: tensor.stored(in: source, file: file), sources: []))
    }
    for inner in branch.nodes { try run(inner) }
    for (name, result) in zip(node.outputs, branch.outputs) where !name.isEmpty {
      values[name] = values[result] ?? .unknown
    }
  }

  // MARK: - For the operators

  /// - Parameter mayBeScaled: whether constants may have been added to it or multiplied with it.
  /// - Parameter mayBeActivated: whether an activation may stand between it and the LSTM.
  func flow(
    _ node: ONNXModel.Node, _ index: Int = 0, mayBeScaled: Bool = false, mayBeActivated: Bool = false
  ) -> ONNXFlow? {
    guard node.inputs.indices.contains(index), case .flow(let flow)? = values[node.inputs[index]],
      mayBeScaled || !flow.isScaled, mayBeActivated || flow.activation == .none
    else { return nil }
    return normalized(flow)
  }

  /// Once an LSTM has told which axis the features are on, the input's last axis is that.
  func normalized(_ flow: ONNXFlow) -> ONNXFlow {
    guard let featureAxis, let place = flow.axes.firstIndex(of: .sequence([featureAxis])) else { return flow }
    var copy = flow
    copy.axes[place] = .features
    return copy
  }

  func constant(_ node: ONNXModel.Node, _ index: Int) -> ONNXConstant? {
    guard node.inputs.indices.contains(index), case .constant(let constant)? = values[node.inputs[index]] else {
      return nil
    }
    return constant
  }

  func isAbsent(_ node: ONNXModel.Node, _ index: Int) -> Bool {
    !node.inputs.indices.contains(index) || node.inputs[index].isEmpty
  }

  /// Sizes or indices: computed ones, or a small constant of integers.
  func numbers(_ name: String) -> (values: [ONNXSize?], isScalar: Bool)? {
    switch values[name] {
    case .numbers(let numbers, let isScalar): return (numbers, isScalar)
    case .constant(let constant):
      let tensor = constant.tensor
      guard tensor.shape.count <= 1, tensor.elementCount <= 64, !tensor.dataType.isFloatingPoint,
        let integers = try? tensor.integers()
      else { return nil }
      return (integers.map { ONNXSize(factor: $0) }, tensor.shape.isEmpty)
    default: return nil
    }
  }

  /// Known integers from an attribute or, in later versions of the operators, an input.
  func integers(_ node: ONNXModel.Node, attribute: String, input: Int? = nil) -> [Int]? {
    switch node.attributes[attribute] {
    case .integers(let list): return list
    case .integer(let one): return [one]
    default: break
    }
    guard let input, node.inputs.indices.contains(input), let found = numbers(node.inputs[input]) else { return nil }
    var list: [Int] = []
    for size in found.values {
      guard let known = size?.known else { return nil }
      list.append(known)
    }
    return list
  }

  func integer(_ node: ONNXModel.Node, _ attribute: String) -> Int? {
    if case .integer(let value)? = node.attributes[attribute] { value } else { nil }
  }

  func number(_ node: ONNXModel.Node, _ attribute: String) -> Float? {
    if case .float(let value)? = node.attributes[attribute] { value } else { nil }
  }

  /// The values of a small constant of floating-point numbers.
  func floats(_ constant: ONNXConstant) -> [Float]? {
    guard constant.tensor.dataType.isFloatingPoint, constant.tensor.elementCount <= 64 else { return nil }
    return try? constant.tensor.floats()
  }

  /// Whether a constant is zero throughout; large ones are gone through in pieces.
  func isZero(_ constant: ONNXConstant) -> Bool {
    guard constant.tensor.dataType.isFloatingPoint else { return false }
    var isZero = true
    let width = constant.tensor.dataType.byteCount
    do {
      try constant.tensor.forEachPiece { piece in
        // The sign of a zero is in the last byte of an element.
        isZero = isZero && piece.indices.allSatisfy { piece[$0] == 0 || $0 % width == width - 1 && piece[$0] == 0x80 }
      }
    } catch {
      return false
    }
    return isZero
  }

  /// 0 ..< rank, from an axis that may count from the end.
  func axis(_ value: Int, rank: Int) -> Int? {
    let axis = value < 0 ? value + rank : value
    return 0..<rank ~= axis ? axis : nil
  }

  func size(of axis: ONNXFlow.Axis, _ flow: ONNXFlow) -> ONNXSize? {
    switch axis {
    case .one: ONNXSize(factor: 1)
    case .stack: ONNXSize(factor: flow.parts.count)
    case .features: flow.featureCount.map { ONNXSize(factor: $0) }
    case .sequence(let ids):
      ids.reduce(ONNXSize(factor: 1)) { size, id in
        size.flatMap { $0 * (axisSizes[id].map { ONNXSize(factor: $0) } ?? ONNXSize(factor: 1, symbols: [id])) }
      }
    }
  }
}
