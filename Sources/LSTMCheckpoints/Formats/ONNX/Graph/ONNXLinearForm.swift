import FileIO

/// Rows of a constant.
struct ONNXPiece: Equatable {
  let constant: ONNXConstant
  var rows: Range<Int>

  static func == (a: ONNXPiece, b: ONNXPiece) -> Bool { a.identity == b.identity }

  var identity: String { "\(text) \(rows)" }

  /// What tells it from others: the tensor's name, or what a view of one holds.
  let text: String

  init(_ constant: ONNXConstant) {
    self.constant = constant
    rows = 0..<(constant.shape.first ?? 0)
    var text = "\(constant.tensor.name) \(constant.isTransposed)"
    if constant.depth > 0 || constant.sources.isEmpty {
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325
      for value in (try? constant.value.floats()) ?? [] { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3 }
      text = "\(constant.shape) \(hash)"
    }
    self.text = text
  }

  func cut(_ range: Range<Int>) -> ONNXPiece {
    var copy = self
    copy.rows = rows.lowerBound + range.lowerBound..<rows.lowerBound + range.upperBound
    return copy
  }
}

/// The sum of matrix products and biases: what a gate of a cell that is written out squashes.
struct ONNXLinearForm {
  struct Part {
    /// What is multiplied.
    var x: String
    /// (O, I)
    var weight: ONNXPiece
    var bias: ONNXPiece?
  }

  var parts: [Part] = []
  /// Biases that stand alone.
  var biases: [ONNXPiece] = []

  var size: Int? { parts.first?.weight.rows.count }

  func cut(_ range: Range<Int>) -> ONNXLinearForm {
    ONNXLinearForm(
      parts: parts.map { Part(x: $0.x, weight: $0.weight.cut(range), bias: $0.bias?.cut(range)) },
      biases: biases.map { $0.cut(range) })
  }
}

extension ONNXTranslator {
  /// Past nodes that change nothing.
  func realName(_ name: String) -> String {
    var name = name
    for _ in 0..<16 {
      guard let node = producers[name], ["Identity", "Cast", "Dropout"].contains(node.operation),
        let below = node.inputs.first
      else { return name }
      name = below
    }
    return name
  }

  func linearForm(_ name: String, depth: Int = 0) -> ONNXLinearForm? {
    guard depth < 12, let node = origin(name), !node.inputs.isEmpty else { return nil }
    switch node.operation {
    case "Gemm":
      guard node.inputs.count >= 2, var matrix = weight(node, 1), number(node, "alpha") ?? 1 == 1,
        number(node, "beta") ?? 1 == 1, integer(node, "transA") ?? 0 == 0, matrix.shape.count == 2
      else { return nil }
      if integer(node, "transB") ?? 0 == 0 { matrix.isTransposed.toggle() }
      let bias = isAbsent(node, 2) ? nil : weight(node, 2).flatMap { vector($0, matrix.shape[0]) }
      if bias == nil, !isAbsent(node, 2) { return nil }
      return product(node.inputs[0], matrix, bias)
    case "MatMul":
      guard node.inputs.count == 2, var matrix = weight(node, 1), matrix.shape.count == 2 else { return nil }
      matrix.isTransposed.toggle()
      return product(node.inputs[0], matrix, nil)
    case "Add":
      guard node.inputs.count == 2 else { return nil }
      for (one, other) in [(0, 1), (1, 0)] {
        guard let constant = weight(node, other) else { continue }
        guard var form = linearForm(node.inputs[one], depth: depth + 1), let size = form.size,
          let bias = vector(constant, size)
        else { return nil }
        // The bias of a product.
        if form.parts.count == 1, form.parts[0].bias == nil, form.biases.isEmpty {
          form.parts[0].bias = ONNXPiece(bias)
        } else {
          form.biases.append(ONNXPiece(bias))
        }
        return form
      }
      guard let one = linearForm(node.inputs[0], depth: depth + 1),
        let other = linearForm(node.inputs[1], depth: depth + 1), one.size == other.size
      else { return nil }
      return ONNXLinearForm(parts: one.parts + other.parts, biases: one.biases + other.biases)
    case "Split":
      guard let form = linearForm(node.inputs[0], depth: depth + 1), let size = form.size,
        [-1, 1].contains(integer(node, "axis") ?? 0), let index = node.outputs.firstIndex(of: realName(name))
      else { return nil }
      let count = node.outputs.count
      let sizes =
        integers(node, "split", input: 1)
        ?? (size % count == 0 ? [Int](repeating: size / count, count: count) : [])
      // Parts of nothing are left over where a recurrent cell's weights are split.
      guard sizes.count == count, sizes.allSatisfy({ 0...size ~= $0 }), sizes[index] > 0, sizes.reduce(0, +) == size
      else { return nil }
      let start = sizes[..<index].reduce(0, +)
      return form.cut(start..<start + sizes[index])
    case "Slice":
      guard let form = linearForm(node.inputs[0], depth: depth + 1), let size = form.size,
        let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
        starts.count == ends.count
      else { return nil }
      let axes = integers(node, "axes", input: 3) ?? Array(starts.indices)
      guard axes.count == starts.count, (integers(node, "steps", input: 4) ?? []).allSatisfy({ $0 == 1 }) else {
        return nil
      }
      var range = 0..<size
      for (index, axis) in axes.enumerated() {
        if axis == 0 || axis == -2 {
          guard starts[index] == 0, ends[index] >= 1 << 30 else { return nil }
          continue
        }
        guard axis == 1 || axis == -1 else { return nil }
        let taken = ONNXNumbers.range(starts[index], ends[index], 1, count: size)
        guard let first = taken.first else { return nil }
        range = first..<first + taken.count
      }
      return form.cut(range)
    default: return nil
    }
  }

  /// A product; of what is put side by side, one for each.
  private func product(_ x: String, _ matrix: ONNXConstant, _ bias: ONNXConstant?) -> ONNXLinearForm? {
    let bias = bias.map { ONNXPiece($0) }
    guard let join = origin(x), join.operation == "Concat", [-1, 1].contains(integer(join, "axis") ?? 0),
      join.inputs.count == 2, join.inputs.contains(where: { isWrittenState($0) || isStepOfCell($0) })
    else {
      return ONNXLinearForm(parts: [.init(x: x, weight: ONNXPiece(matrix), bias: bias)])
    }
    let whole = matrix.shape[1]
    var sizes = join.inputs.map { name -> Int? in rows(named: name).flatMap { $0.factors.count == 1 ? $0.width : nil } }
    if let missing = sizes.firstIndex(of: nil), let other = sizes[1 - missing] { sizes[missing] = whole - other }
    guard let first = sizes[0], let second = sizes[1], first > 0, second > 0, first + second == whole,
      let left = matrix.with(matrix.value.gathering([0..<first], axis: 1)),
      let right = matrix.with(matrix.value.gathering([first..<whole], axis: 1))
    else { return nil }
    return ONNXLinearForm(parts: [
      .init(x: join.inputs[0], weight: ONNXPiece(left), bias: bias),
      .init(x: join.inputs[1], weight: ONNXPiece(right), bias: nil),
    ])
  }

  /// The name and the function of what a gate is made of.
  func gate(_ name: String) -> (activation: Activation, inner: String)? {
    guard let node = origin(name), let inner = node.inputs.first else { return nil }
    switch node.operation {
    case "Sigmoid": return (.sigmoid, inner)
    case "Tanh": return (.tanh, inner)
    case "Relu": return (.relu, inner)
    case "Softsign": return (.softsign, inner)
    case "Softplus": return (.softplus, inner)
    case "HardSigmoid":
      guard let found = try? hardSigmoid(number(node, "alpha") ?? 0.2, number(node, "beta") ?? 0.5) else { return nil }
      return (found, inner)
    case "Mul":
      // relu6(x + 3) / 6
      for (one, other) in [(0, 1), (1, 0)] {
        guard node.inputs.count == 2, let share = scalar(node, other), abs(share - 1.0 / 6) < 1e-6,
          let clip = origin(node, one), clip.operation == "Clip",
          scalar(clip, 1) ?? number(clip, "min").map(Double.init) == 0,
          scalar(clip, 2) ?? number(clip, "max").map(Double.init) == 6, let sum = origin(clip, 0),
          sum.operation == "Add",
          sum.inputs.count == 2
        else { continue }
        for (x, three) in [(0, 1), (1, 0)] where scalar(sum, three) == 3 { return (.hardSigmoidKeras3, sum.inputs[x]) }
      }
      return nil
    default: return nil
    }
  }

  /// Whether it is what a cell gave in the step before.
  private func isStepOfCell(_ name: String) -> Bool {
    rows(named: name).flatMap { unrolled.steps[$0.source] }.map { unrolled.weights[$0.layer] != nil } ?? false
  }

  /// Zeros alone.
  func isZeroState(_ name: String) -> Bool {
    switch values[name] {
    case .zeros: true
    case .constant(let constant): isZero(constant)
    default: false
    }
  }

  /// Zeros, or what a caller or a loop carries.
  func isWrittenState(_ name: String) -> Bool {
    switch values[name] {
    case .state, .zeros: true
    case .constant(let constant): isZero(constant)
    default: false
    }
  }
}
