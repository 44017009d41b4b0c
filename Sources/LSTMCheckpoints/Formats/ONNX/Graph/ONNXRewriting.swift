import FileIO

/// Nodes that are written with others, which the operators here know: lists of parts, and sums over named axes.
struct ONNXRewriting {
  private(set) var model: ONNXModel
  private var byName: [String: StoredTensor] = [:]

  private static let partLimit = 256

  init(_ model: ONNXModel, _ constants: [StoredTensor]) {
    self.model = model
    let operations = Set(model.nodes.map(\.operation))
    guard operations.contains("SplitToSequence") || operations.contains("Einsum") else { return }
    for tensor in constants where byName[tensor.name] == nil { byName[tensor.name] = tensor }
    takePartsAtOnce()
    writeEinsums()
  }

  // MARK: - Lists of parts

  /// `SplitToSequence` whose parts are all taken by number is a `Split`.
  private mutating func takePartsAtOnce() {
    var readers: [String: [Int]] = [:]
    for (place, node) in model.nodes.enumerated() {
      for name in node.inputs { readers[name, default: []].append(place) }
    }
    for (place, node) in model.nodes.enumerated() where node.operation == "SplitToSequence" && node.domain.isEmpty {
      guard node.inputs.count == 2, let list = node.outputs.first, !model.outputs.contains(list),
        let sizes = known(node.inputs[1]), let first = sizes.first, sizes.allSatisfy({ $0 > 0 }),
        let takers = readers[list], takers.count <= Self.partLimit
      else { continue }
      // One number is the size of each part; a list has one for each.
      let isOne = isScalar(node.inputs[1])
      var places: [Int] = []
      for taker in takers {
        let other = model.nodes[taker]
        guard other.operation == "SequenceAt", other.domain.isEmpty, other.inputs.count == 2, other.inputs[0] == list,
          other.outputs.count == 1, let index = known(other.inputs[1]), index.count == 1, index[0] >= 0
        else { break }
        places.append(index[0])
      }
      let count = isOne ? (places.max() ?? 0) + 1 : sizes.count
      guard places.count == takers.count, count <= Self.partLimit, places.allSatisfy({ $0 < count }) else { continue }
      var outputs = (0..<count).map { "\(list) part \($0)" }
      var isNamed = [Bool](repeating: false, count: count)
      for (taker, part) in zip(takers, places) {
        let output = model.nodes[taker].outputs[0]
        if !isNamed[part] {
          (outputs[part], isNamed[part]) = (output, true)
          // What is left of the node gives a name that nothing reads.
          model.nodes[taker].outputs = ["\(output) taken"]
        }
        model.nodes[taker].operation = "Identity"
        model.nodes[taker].inputs = [outputs[part]]
      }
      model.nodes[place].operation = "Split"
      model.nodes[place].inputs = [node.inputs[0]]
      model.nodes[place].outputs = outputs
      model.nodes[place].attributes = [
        "axis": node.attributes["axis"] ?? .integer(0),
        "split": .integers(isOne ? [Int](repeating: first, count: count) : sizes),
      ]
    }
  }

  private func constantNode(_ name: String) -> ONNXModel.Node? {
    model.nodes.first { $0.operation == "Constant" && $0.domain.isEmpty && $0.outputs == [name] }
  }

  private func isScalar(_ name: String) -> Bool {
    byName[name].map { $0.shape.isEmpty } ?? constantNode(name).map { $0.attributes["value_int"] != nil } ?? false
  }

  /// Whole numbers that stand in the file.
  private func known(_ name: String) -> [Int]? {
    if let tensor = byName[name] {
      guard !tensor.dataType.isFloatingPoint, tensor.elementCount <= Self.partLimit else { return nil }
      return try? tensor.integers()
    }
    switch constantNode(name).flatMap({ $0.attributes["value_int"] ?? $0.attributes["value_ints"] }) {
    case .integer(let one): return [one]
    case .integers(let list): return list
    default: return nil
    }
  }

  // MARK: - Sums over named axes

  /// `Einsum` of two values with one axis that is summed over is a `MatMul` of them with their axes in order.
  private mutating func writeEinsums() {
    guard model.nodes.contains(where: { $0.operation == "Einsum" }) else { return }
    var made: [ONNXModel.Node] = []
    for node in model.nodes {
      if node.operation == "Einsum", node.domain.isEmpty, let written = written(node) {
        made += written
      } else {
        made.append(node)
      }
    }
    model.nodes = made
  }

  private func written(_ node: ONNXModel.Node) -> [ONNXModel.Node]? {
    guard case .text(let text)? = node.attributes["equation"], node.inputs.count == 2, node.outputs.count == 1 else {
      return nil
    }
    let sides = text.filter { $0 != " " }.replacing("->", with: ">").split(
      separator: ">", omittingEmptySubsequences: false)
    guard sides.count == 2 else { return nil }
    let operands = sides[0].split(separator: ",", omittingEmptySubsequences: false).map { Array($0) }
    let result = Array(sides[1])
    guard operands.count == 2,
      (operands + [result]).allSatisfy({ letters in
        Set(letters).count == letters.count && letters.allSatisfy { $0.isASCII && $0.isLetter } && letters.count <= 8
      })
    else { return nil }
    var (a, b) = ((name: node.inputs[0], axes: operands[0]), (name: node.inputs[1], axes: operands[1]))
    let both = a.axes.filter(b.axes.contains)
    let summed = both.filter { !result.contains($0) }
    let batch = result.filter(both.contains)
    // What is computed comes first, as in a layer.
    if batch.isEmpty, byName[a.name] != nil && byName[b.name] == nil || b.axes.count > 2 { swap(&a, &b) }
    let (free, other) = (result.filter { !b.axes.contains($0) }, result.filter { !a.axes.contains($0) })
    guard summed.count == 1, other.count <= 1, batch.isEmpty ? !free.isEmpty : free.count <= 1,
      Set(a.axes) == Set(batch + free + summed), Set(b.axes) == Set(batch + summed + other)
    else { return nil }
    var nodes: [ONNXModel.Node] = []
    let output = node.outputs[0]
    func add(_ operation: String, _ inputs: [String], _ attributes: [String: ONNXModel.Attribute] = [:]) -> String {
      var one = ONNXModel.Node()
      (one.operation, one.name, one.inputs, one.attributes) = (operation, node.name, inputs, attributes)
      one.outputs = ["\(output) part \(nodes.count)"]
      nodes.append(one)
      return one.outputs[0]
    }
    func inOrder(_ name: String, _ axes: [Character], _ wanted: [Character]) -> String {
      let order = wanted.compactMap { axes.firstIndex(of: $0) }
      return order == Array(axes.indices) ? name : add("Transpose", [name], ["perm": .integers(order)])
    }
    var left = inOrder(a.name, a.axes, batch + free + summed)
    var right = inOrder(b.name, b.axes, batch + summed + other)
    // A product of matrices has both axes.
    let (lacksRow, lacksColumn) = (!batch.isEmpty && free.isEmpty, !batch.isEmpty && other.isEmpty)
    if lacksRow { left = add("Unsqueeze", [left], ["axes": .integers([batch.count])]) }
    if lacksColumn { right = add("Unsqueeze", [right], ["axes": .integers([batch.count + 1])]) }
    var product = add("MatMul", [left, right])
    let added = (lacksRow ? [batch.count] : []) + (lacksColumn ? [batch.count + 1] : [])
    if !added.isEmpty { product = add("Squeeze", [product], ["axes": .integers(added)]) }
    _ = inOrder(product, batch + free + other, result)
    nodes[nodes.count - 1].outputs = [output]
    return nodes
  }
}
