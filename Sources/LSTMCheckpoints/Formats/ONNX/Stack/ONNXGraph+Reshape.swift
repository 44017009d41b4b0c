extension ONNXGraph {
  /// What cannot be divided in a reshape.
  private struct Atom {
    enum Kind: Equatable {
      case sequence(Int)
      case stack, features
    }
    let kind: Kind
    let size: ONNXSize
  }

  func reshaped(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first else { return nil }
    if case .zeros? = values[name] { return .zeros }
    if let flow = flow(node, mayBeScaled: true, mayBeActivated: true) {
      if node.operation == "Flatten" { return flattened(flow, axis: integer(node, "axis") ?? 1).map { .flow($0) } }
      // Then a zero is no size that is copied; nothing here has one.
      guard node.inputs.count == 2, let target = numbers(node.inputs[1]),
        integer(node, "allowzero") ?? 0 == 0 || !target.values.contains(ONNXSize(factor: 0))
      else { return nil }
      return reshaped(flow, target.values).map { .flow($0) }
    }
    guard node.operation == "Reshape", node.inputs.count == 2 else { return nil }
    if let numbers = numbers(name), let target = integers(node, attribute: "", input: 1) {
      guard target.isEmpty || target == [-1] || target == [numbers.values.count] else { return nil }
      return .numbers(numbers.values, isScalar: target.isEmpty)
    }
    guard let constant = constant(node, 0), constant.tensor.dataType.isFloatingPoint,
      var target = integers(node, attribute: "", input: 1), target.count <= ONNXTensor.rankLimit
    else { return nil }
    for (index, size) in target.enumerated() where size == 0 {
      guard constant.shape.indices.contains(index) else { return nil }
      target[index] = constant.shape[index]
    }
    let count = constant.tensor.elementCount
    if let wild = target.firstIndex(of: -1) {
      target[wild] = 1
      guard target.allSatisfy({ $0 > 0 }), let rest = elementCount(target), count % rest == 0 else { return nil }
      target[wild] = count / rest
    }
    guard target.allSatisfy({ $0 > 0 }), elementCount(target) == count else { return nil }
    return constant.with(constant.value.reshaped(target)).map { .constant($0) }
  }

  /// (N, S) stays as it is.
  private func flattened(_ flow: ONNXFlow, axis: Int) -> ONNXFlow? {
    guard let at = self.axis(axis, rank: flow.axes.count) else { return nil }
    let (left, right) = (flow.axes[..<at].filter { $0 != .one }, flow.axes[at...].filter { $0 != .one })
    guard left.count <= 1, right == [.features] || right == [.stack, .features] else { return nil }
    var copy = flow
    copy.axes = [left.first ?? .one, .features]
    return copy
  }

  /// The flow under another shape, when its axes only merge or come apart as they were merged.
  /// - Parameter target: sizes; -1 and what is not known stand for the rest, 0 for the size that was there.
  private func reshaped(_ flow: ONNXFlow, _ target: [ONNXSize?]) -> ONNXFlow? {
    guard var atoms = atoms(of: flow), target.count <= ONNXTensor.rankLimit else { return nil }
    var wanted: [ONNXSize?] = []
    for (index, size) in target.enumerated() {
      if size == ONNXSize(factor: 0) {
        guard flow.axes.indices.contains(index), let copied = self.size(of: flow.axes[index], flow) else { return nil }
        wanted.append(copied)
      } else {
        wanted.append(size == ONNXSize(factor: -1) ? nil : size)
      }
    }
    let wild = wanted.indices.filter { wanted[$0] == nil }
    guard wild.count <= 1 else { return nil }
    var groups = [[Atom]](repeating: [], count: wanted.count)
    for index in 0..<(wild.first ?? wanted.count) {
      guard let size = wanted[index], let group = Self.take(size, from: &atoms, atEnd: false) else { return nil }
      groups[index] = group
    }
    if let wild = wild.first {
      for index in stride(from: wanted.count - 1, to: wild, by: -1) {
        guard let size = wanted[index], let group = Self.take(size, from: &atoms, atEnd: true) else { return nil }
        groups[index] = group
      }
      groups[wild] = atoms
    } else {
      // What is left has size 1 and belongs to what came before.
      guard atoms.allSatisfy({ $0.size == ONNXSize(factor: 1) }), let last = groups.indices.last else { return nil }
      groups[last] += atoms
    }
    var made = flow
    made.axes = []
    for group in groups {
      guard let axis = Self.axis(group) else { return nil }
      made.axes.append(axis)
    }
    // The parts lie side by side only where all of one came with the stack.
    return made
  }

  private func atoms(of flow: ONNXFlow) -> [Atom]? {
    var atoms: [Atom] = []
    for axis in flow.axes {
      switch axis {
      case .one: continue
      case .stack: atoms.append(Atom(kind: .stack, size: ONNXSize(factor: flow.parts.count)))
      case .features:
        guard let count = flow.featureCount else { return nil }
        atoms.append(Atom(kind: .features, size: ONNXSize(factor: count)))
      case .sequence(let ids):
        for id in ids {
          guard let size = size(of: .sequence([id]), flow) else { return nil }
          atoms.append(Atom(kind: .sequence(id), size: size))
        }
      }
    }
    return atoms
  }

  /// Atoms whose sizes multiply to a size, off one end.
  private static func take(_ size: ONNXSize, from atoms: inout [Atom], atEnd: Bool) -> [Atom]? {
    var product = ONNXSize(factor: 1)
    var group: [Atom] = []
    // An atom of size 1 goes with the first that may have it.
    while let next = atEnd ? atoms.last : atoms.first, group.isEmpty || product != size {
      guard let grown = product * next.size else { return nil }
      if grown != size, product == size { break }
      let divides = grown.factor > 0 && size.factor % grown.factor == 0
      guard divides else { break }
      product = grown
      if atEnd { group.insert(atoms.removeLast(), at: 0) } else { group.append(atoms.removeFirst()) }
    }
    return product == size ? group : nil
  }

  private static func axis(_ group: [Atom]) -> ONNXFlow.Axis? {
    var ids: [Int] = []
    for atom in group { if case .sequence(let id) = atom.kind { ids.append(id) } }
    if ids.count == group.count { return ids.isEmpty ? .one : .sequence(ids) }
    switch group.map(\.kind) {
    case [.stack, .features], [.features]: return .features
    case [.stack]: return .stack
    default: return nil
    }
  }
}
