import FileIO

extension ONNXOperators {
  /// What sizes are computed with.
  static let sizes = Family([
    "Shape", "Size", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Not", "Where", "Mod",
    "Range", "ReduceProd", "Floor", "Ceil",
  ]) { t, node throws(ONNXRefusal) in
    switch node.operation {
    case "Shape", "Size": return t.shape(node).map { [$0] }
    case "Not": return (t.movedMask(node) ?? t.negated(node)).map { [$0] }
    case "Where":
      if let known = try t.selected(node) { return [known] }
      return t.chosen(node).map { [$0] }
    case "Range":
      guard let a = t.numbers(node, 0)?.known?.first, let b = t.numbers(node, 1)?.known?.first,
        let c = t.numbers(node, 2)?.known?.first, c != 0, c.magnitude <= 1 << 32, a.magnitude <= 1 << 32,
        b.magnitude <= 1 << 32, abs(b - a) / abs(c) <= ONNXNumbers.limit
      else { return nil }
      return [.numbers(ONNXNumbers(Array(stride(from: a, to: b, by: c))))]
    case "ReduceProd":
      guard let list = t.numbers(node, 0)?.values else { return nil }
      let product = list.reduce(Optional(ONNXSize(factor: 1))) { one, size in
        one.flatMap { known in size.flatMap { known * $0 } }
      }
      return [.numbers(ONNXNumbers([product], shape: t.integer(node, "keepdims") ?? 1 == 0 ? [] : [1]))]
    case "Floor", "Ceil": return t.numbers(node, 0).map { [.numbers($0)] }
    default: return (t.comparedMask(node) ?? t.movedMask(node) ?? t.computed(node)).map { [$0] }
    }
  }
}

extension ONNXTranslator {
  fileprivate func shape(_ node: ONNXModel.Node) -> ONNXMeaning? {
    var sizes: [ONNXSize?]
    switch meaning(node) {
    case .rows(let rows), .reversed(let rows): sizes = rows.axes.map { size(of: $0, rows) }
    case .constant(let constant): sizes = constant.shape.map { ONNXSize(factor: $0) }
    case .numbers(let numbers): sizes = numbers.shape.map { ONNXSize(factor: $0) }
    case .zeros(let known?): sizes = known
    case .mask(let mask): sizes = self.sizes(mask)
    case .state(let name):
      guard node.inputs[0] == name, let shape = model.inputs.first(where: { $0.name == name })?.shape else {
        return nil
      }
      sizes = shape.map { size in size.map { ONNXSize(factor: $0) } }
    default: return nil
    }
    if node.operation == "Size" {
      let product = sizes.reduce(Optional(ONNXSize(factor: 1))) { one, size in
        one.flatMap { known in size.flatMap { known * $0 } }
      }
      return .numbers(ONNXNumbers([product], shape: []))
    }
    let count = sizes.count
    func clamped(_ value: Int) -> Int { min(max(value < 0 ? value &+ count : value, 0), count) }
    let (start, end) = (clamped(integer(node, "start") ?? 0), clamped(integer(node, "end") ?? count))
    sizes = start < end ? Array(sizes[start..<end]) : []
    return .numbers(ONNXNumbers(sizes, shape: [sizes.count]))
  }

  /// Numbers of numbers; and comparisons of what the caller gives.
  func computed(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      if case .choice(let name)? = meaning(node, one), let number = scalar(node, other) {
        let text = number == number.rounded() && number.magnitude < 1e15 ? "\(Int(number))" : "\(number)"
        let words = [
          "Equal": "is", "Less": "is less than", "Greater": "is greater than", "LessOrEqual": "is at most",
          "GreaterOrEqual": "is at least",
        ]
        guard let word = words[node.operation], node.operation == "Equal" || one == 0 else { return nil }
        return .choice("\(name) \(word) \(text)")
      }
    }
    if let truth = compared(node) { return .numbers(ONNXNumbers(truth)) }
    guard let operation = ONNXSize.combining(node.operation), let a = numbers(node, 0), let b = numbers(node, 1) else {
      return nil
    }
    return ONNXNumbers.combined(a, b, operation).map { .numbers($0) }
  }

  /// A comparison of two constants of floating-point numbers, as an exporter leaves one of sizes that it knows.
  private func compared(_ node: ONNXModel.Node) -> Bool? {
    guard let a = weight(node, 0), let b = weight(node, 1), let one = scalar(.constant(a)),
      let other = scalar(.constant(b))
    else { return nil }
    switch node.operation {
    case "Less": return one < other
    case "LessOrEqual": return one <= other
    case "Greater": return one > other
    case "GreaterOrEqual": return one >= other
    default: return nil
    }
  }

  fileprivate func negated(_ node: ONNXModel.Node) -> ONNXMeaning? {
    if case .choice(let text)? = meaning(node) { return .choice("the contrary is true of: \(text)") }
    return numbers(node, 0).map { numbers in
      .numbers(
        ONNXNumbers(
          numbers.values.map { $0?.known.map { ONNXSize(factor: $0 == 0 ? 1 : 0) } }, shape: numbers.shape))
    }
  }

  fileprivate func chosen(_ node: ONNXModel.Node) -> ONNXMeaning? {
    if let tokens = wrapped(node) { return tokens }
    if let rows = softplus(node) { return .rows(rows) }
    guard let condition = numbers(node, 0)?.known else { return nil }
    // One of the two, whole.
    if let first = condition.first, condition.allSatisfy({ ($0 != 0) == (first != 0) }) {
      return meaning(node, first != 0 ? 1 : 2)
    }
    guard let a = numbers(node, 1), let b = numbers(node, 2), let test = numbers(node, 0) else { return nil }
    let (x, y) = (
      a.values.count == 1 ? [ONNXSize?](repeating: a.values[0], count: condition.count) : a.values,
      b.values.count == 1 ? [ONNXSize?](repeating: b.values[0], count: condition.count) : b.values
    )
    guard x.count == condition.count, y.count == condition.count else { return nil }
    return .numbers(ONNXNumbers(condition.indices.map { condition[$0] != 0 ? x[$0] : y[$0] }, shape: test.shape))
  }
}
