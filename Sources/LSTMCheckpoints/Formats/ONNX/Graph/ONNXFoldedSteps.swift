import FileIO

/// Gives the first step of a cell that is written out back what an exporter computed in advance: with a state of zeros, U h + b
/// is b for every sequence, a constant. It is recognized by a later step, which has the same with another state.
struct ONNXFoldedSteps {
  private(set) var model: ONNXModel
  private(set) var constants: [StoredTensor]

  private var byName: [String: StoredTensor] = [:]
  private var producers: [String: Int] = [:]
  private var signatures: [String: String] = [:]
  private var zeros: [Int: String] = [:]

  private static let stepLimit = 256
  private static let nodeLimit = 20_000
  private static let elementLimit = 1 << 20
  /// Pairs of nodes that are compared.
  private var work = 500_000

  init(_ model: ONNXModel, _ constants: [StoredTensor]) {
    (self.model, self.constants) = (model, constants)
    guard model.nodes.count <= Self.nodeLimit, model.nodes.contains(where: { Self.products.contains($0.operation) })
    else { return }
    for tensor in constants where byName[tensor.name] == nil { byName[tensor.name] = tensor }
    index()
    takeStepsFirst()
    var (place, count) = (0, 0)
    while place < self.model.nodes.count, count < Self.stepLimit {
      if let added = unfold(place) {
        count += 1
        place += added
      }
      place += 1
    }
  }

  private static let products: Set<String> = ["Gemm", "MatMul"]
  private static let movers: Set<String> = ["Squeeze", "Unsqueeze", "Identity", "Cast", "Reshape"]

  private mutating func index() {
    producers = [:]
    for (place, node) in model.nodes.enumerated() {
      for name in node.outputs where !name.isEmpty { producers[name] = place }
    }
    signatures = [:]
  }

  private func producer(_ name: String) -> ONNXModel.Node? { producers[name].map { model.nodes[$0] } }

  private func isConstant(_ name: String) -> Bool { byName[name] != nil }

  // MARK: - Products of all steps

  /// Steps that are taken of a product of all of them become products of steps, as cells have them.
  private mutating func takeStepsFirst() {
    var readers: [String: [Int]] = [:]
    for (place, node) in model.nodes.enumerated() {
      for name in node.inputs { readers[name, default: []].append(place) }
    }
    var made: [(place: Int, nodes: [ONNXModel.Node])] = []
    for (name, places) in readers where places.count > 1 && places.count <= Self.stepLimit {
      guard let (read, chain) = productOfSteps(name),
        places.allSatisfy({ model.nodes[$0].inputs.first == name && isStep(model.nodes[$0]) })
      else { continue }
      let squeezed = places.map { place -> (Int, String)? in
        guard let own = model.nodes[place].outputs.first, readers[own]?.count == 1, let next = readers[own]?.first,
          model.nodes[next].operation == "Squeeze", axis(model.nodes[next], input: 1) == 0,
          let output = model.nodes[next].outputs.first
        else { return nil }
        return (next, output)
      }
      guard squeezed.allSatisfy({ $0 != nil }) else { continue }
      let steps = squeezed.compactMap(\.self)
      // What the first step is added to has an axis of 1 for it, or none.
      let isApart = steps.contains { _, output in
        (readers[output] ?? []).contains { place in
          model.nodes[place].inputs.contains { byName[$0]?.shape.count == 3 && byName[$0]?.shape.first == 1 }
        }
      }
      for (place, (squeeze, output)) in zip(places, steps) {
        model.nodes[place].inputs[0] = read
        var last = model.nodes[place].outputs[0]
        if !isApart {
          last = "\(output) of what is read"
          model.nodes[squeeze].outputs[0] = last
        } else {
          model.nodes[squeeze].outputs[0] = "\(output) squeezed"
        }
        var added: [ONNXModel.Node] = []
        for (index, link) in chain.enumerated() {
          var node = link.node
          node.inputs[link.input] = last
          last = index == chain.count - 1 ? output : "\(output) part \(index)"
          node.outputs = [last]
          added.append(node)
        }
        made.append((squeeze, added))
      }
    }
    guard !made.isEmpty else { return }
    for (place, nodes) in made.sorted(by: { $0.place > $1.place }) {
      model.nodes.insert(contentsOf: nodes, at: place + 1)
    }
    index()
  }

  /// What a matrix and perhaps a bias are applied to, and the nodes that do so, from the first on.
  private func productOfSteps(_ name: String) -> (read: String, chain: [(node: ONNXModel.Node, input: Int)])? {
    guard let node = producer(name), node.inputs.count == 2, node.domain.isEmpty, node.outputs.count == 1 else {
      return nil
    }
    if node.operation == "MatMul", byName[node.inputs[1]]?.shape.count == 2, !isConstant(node.inputs[0]) {
      return (node.inputs[0], [(node, 0)])
    }
    guard node.operation == "Add" else { return nil }
    for (one, other) in [(0, 1), (1, 0)] where byName[node.inputs[other]]?.shape.count == 1 {
      if let product = producer(node.inputs[one]), product.operation == "MatMul",
        let (read, chain) = productOfSteps(node.inputs[one])
      {
        return (read, chain + [(node, one)])
      }
    }
    return nil
  }

  /// Whether it takes one place of the first axis, which stays.
  private func isStep(_ node: ONNXModel.Node) -> Bool { node.operation == "Slice" && axis(node, input: 3) == 0 }

  private func axis(_ node: ONNXModel.Node, input: Int) -> Int? {
    if case .integers(let list)? = node.attributes["axes"] { return list.count == 1 ? list[0] : nil }
    guard node.inputs.indices.contains(input), let list = try? byName[node.inputs[input]]?.integers(), list.count == 1
    else { return nil }
    return list[0]
  }

  // MARK: - One node

  /// - Returns: how many nodes were put before it; nil where it is none of a first step.
  private mutating func unfold(_ place: Int) -> Int? {
    let node = model.nodes[place]
    guard ["Add", "Mul"].contains(node.operation), node.domain.isEmpty, node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let row = row(node.inputs[one]), producers[node.inputs[other]] != nil, self.row(node.inputs[other]) == nil,
        node.operation == "Add" || row.contains(where: { $0 != 0 })
      else { continue }
      let size = row.count
      let wanted = signature(node.inputs[other])
      for later in model.nodes[(place + 1)...]
      where later.operation == node.operation && later.domain.isEmpty && later.inputs.count == 2 {
        work -= 1
        guard work > 0 else { return nil }
        for (own, state) in [(0, 1), (1, 0)] {
          guard producers[later.inputs[own]] != nil, signature(later.inputs[own]) == wanted,
            let value = atZero(later.inputs[state]), value.count == size, zip(value, row).allSatisfy({ $0 == $1 })
          else { continue }
          var added: [ONNXModel.Node] = []
          var made: [Int: Int] = [:]
          guard let name = copy(later.inputs[state], node.outputs.first ?? "", &added, &made) else { continue }
          model.nodes[place].inputs[one] = name
          model.nodes.insert(contentsOf: added, at: place)
          index()
          return added.count
        }
      }
    }
    return nil
  }

  /// The row that a constant repeats, or a part of one.
  private func row(_ name: String) -> [Double]? {
    if let node = producer(name), node.operation == "Split", let below = node.inputs.first.flatMap({ byName[$0] }) {
      return row(below).flatMap { part($0, of: node, name) }
    }
    return byName[name].flatMap(row)
  }

  private func row(_ constant: StoredTensor) -> [Double]? {
    guard constant.dataType.isFloatingPoint, constant.shape.count >= 2, constant.elementCount <= Self.elementLimit,
      let size = constant.shape.last, size > 0, let values = try? constant.doubles(), values.count >= size
    else { return nil }
    let first = Array(values[..<size])
    for start in stride(from: 0, to: values.count, by: size) where Array(values[start..<start + size]) != first {
      return nil
    }
    return first
  }

  /// One of equal parts.
  private func part(_ row: [Double], of node: ONNXModel.Node, _ name: String) -> [Double]? {
    guard let place = node.outputs.firstIndex(of: name), row.count % node.outputs.count == 0,
      sizes(node).map({ Set($0).count == 1 }) ?? true
    else { return nil }
    let each = row.count / node.outputs.count
    return Array(row[place * each..<(place + 1) * each])
  }

  // MARK: - What a later step has there

  /// What it would be with a state of zeros; nil where it is no product of a state.
  private func atZero(_ name: String, depth: Int = 0) -> [Double]? {
    guard depth < 8, let node = producer(name), let first = node.inputs.first, node.domain.isEmpty else { return nil }
    switch node.operation {
    case "Gemm", "MatMul":
      guard node.inputs.count >= 2, !isConstant(first), let weight = byName[node.inputs[1]], weight.shape.count == 2
      else { return nil }
      let isTransposed = node.attributes["transB"].map { if case .integer(1) = $0 { true } else { false } } ?? false
      let size = weight.shape[isTransposed ? 0 : 1]
      guard node.operation == "Gemm", node.inputs.count > 2, !node.inputs[2].isEmpty else {
        return [Double](repeating: 0, count: size)
      }
      if case .float(let beta)? = node.attributes["beta"], beta != 1 { return nil }
      return vector(node.inputs[2], size)
    case "Add":
      guard node.inputs.count == 2 else { return nil }
      for (one, other) in [(0, 1), (1, 0)] {
        guard let below = atZero(node.inputs[one], depth: depth + 1),
          let bias = vector(node.inputs[other], below.count)
        else { continue }
        return zip(below, bias).map { Double(Float($0) + Float($1)) }
      }
      return nil
    case "Split":
      return atZero(first, depth: depth + 1).flatMap { part($0, of: node, name) }
    case let operation where Self.movers.contains(operation): return atZero(first, depth: depth + 1)
    default: return nil
    }
  }

  private func sizes(_ node: ONNXModel.Node) -> [Int]? {
    if case .integers(let list)? = node.attributes["split"] { return list }
    return node.inputs.count > 1 ? byName[node.inputs[1]].flatMap { try? $0.integers() } : nil
  }

  private func vector(_ name: String, _ size: Int) -> [Double]? {
    guard let tensor = byName[name], tensor.dataType.isFloatingPoint, tensor.elementCount == size else { return nil }
    return try? tensor.doubles()
  }

  /// The same nodes with zeros for the state.
  private mutating func copy(
    _ name: String, _ suffix: String, _ added: inout [ONNXModel.Node], _ made: inout [Int: Int]
  ) -> String? {
    guard let place = producers[name] else { return nil }
    let node = model.nodes[place]
    guard let output = node.outputs.firstIndex(of: name) else { return nil }
    if let known = made[place] { return added[known].outputs[output] }
    var own = node
    own.outputs = node.outputs.map { $0.isEmpty ? "" : "\($0) before \(suffix)" }
    if Self.products.contains(node.operation) {
      guard let weight = byName[node.inputs[1]] else { return nil }
      let isTransposed = node.attributes["transB"].map { if case .integer(1) = $0 { true } else { false } } ?? false
      own.inputs[0] = zeroState(weight.shape[isTransposed ? 1 : 0])
    } else {
      for index in node.inputs.indices where !node.inputs[index].isEmpty && !isConstant(node.inputs[index]) {
        guard let below = copy(node.inputs[index], suffix, &added, &made) else { return nil }
        own.inputs[index] = below
      }
    }
    made[place] = added.count
    added.append(own)
    return own.outputs[output]
  }

  private mutating func zeroState(_ size: Int) -> String {
    if let known = zeros[size] { return known }
    let name = "a state of \(size) zeros"
    let tensor = StoredTensor(name: name, shape: [1, size], values: [Float](repeating: 0, count: size))
    zeros[size] = name
    byName[name] = tensor
    constants.append(tensor)
    return name
  }

  // MARK: - What steps have in common

  /// What a value is made of, the same for each step.
  private mutating func signature(_ name: String, depth: Int = 0) -> String {
    if let known = signatures[name] { return known }
    guard depth < 10, let place = producers[name] else { return isConstant(name) ? "constant \(name)" : name }
    let node = model.nodes[place]
    let text: String
    switch node.operation {
    case "Gemm", "MatMul": text = "\(node.operation)(\(node.inputs.dropFirst().joined(separator: " ")))"
    case "Slice", "Gather", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Cast":
      text = "\(node.operation)(\(signature(node.inputs.first ?? "", depth: depth + 1)))"
    case "Split":
      let part = node.outputs.firstIndex(of: name) ?? 0
      text = "Split \(part)(\(signature(node.inputs.first ?? "", depth: depth + 1)))"
    default:
      var parts = node.inputs.map { signature($0, depth: depth + 1) }
      if ["Add", "Mul"].contains(node.operation) { parts.sort() }
      text = "\(node.operation)(\(parts.joined(separator: ", ")))"
    }
    let short = text.utf8.count > 2000 ? "\(text.utf8.count) \(text.prefix(1000))" : text
    signatures[name] = short
    return short
  }
}
