import FileIO

/// Products of rows with rows, as attention has them: of each step of one with each step of the other.
struct ONNXScores {
  enum Axis: Equatable {
    case one
    /// Batch, heads, or both.
    case lead(ONNXRows.Axis)
    /// The steps of the first factor, or of the second.
    case first, second
    /// What a row holds, of additive scores that are not summed yet.
    case row
  }

  var first: ONNXRows
  var second: ONNXRows
  var axes: [Axis]
  var scale = 1.0
  var isCausal = false
  /// Whose steps the softmax goes over; nil before it.
  var soft: Axis?
  /// nil for products.
  var additive: ONNXAdditiveScores?
}

/// Additive scores: of each step with each of the other's the sum, tanh of it, and a product with a vector.
struct ONNXAdditiveScores {
  var isSquashed = false
  var scale: ONNXConstant?
  var isSummed = false
  var bias: ONNXConstant?
}

/// What makes the queries, keys or values of heads from a layer's rows.
private struct ONNXProjection {
  var read: Int
  var weight: ONNXPiece
  var bias: ONNXPiece?
  var scale = 1.0
}

extension ONNXRows {
  /// How many heads there are of one value each, where the only factor of a row lies among the first axes.
  fileprivate func headsOfOne(before end: Int) -> Int? {
    guard factors.count == 1, end >= 1 else { return nil }
    let isLead = axes[..<end].contains { axis in
      if case .merged(let inner) = axis { inner.contains(.row(0)) } else { axis == .row(0) }
    }
    return isLead ? factors[0] : nil
  }
}

extension ONNXTranslator {
  /// Rows times rows along what a row holds; nil where it is another product.
  func scores(_ node: ONNXModel.Node) -> ONNXScores? {
    guard node.inputs.count == 2, let a = rows(node), let b = rows(node, 1), a.axes.count >= 2,
      a.axes.count == b.axes.count, a.factors == b.factors
    else { return nil }
    let (n, last) = (a.axes.count, a.factors.count - 1)
    // Of one value each, a row is an axis of 1, and so is that of a head.
    let isOne = a.factors.isEmpty && b.axes[n - 1] == .time || a.headsOfOne(before: n - 2) != nil
    let row = isOne ? ONNXRows.Axis.one : .row(last)
    guard a.axes[n - 1] == row, b.axes[n - 2] == row,
      Array(a.axes[..<(n - 2)]) == Array(b.axes[..<(n - 2)])
    else { return nil }
    func side(_ axis: ONNXRows.Axis, _ side: ONNXScores.Axis) -> ONNXScores.Axis? {
      axis == .time ? side : axis == .one ? .one : nil
    }
    guard let one = side(a.axes[n - 2], .first), let other = side(b.axes[n - 1], .second) else { return nil }
    let lead = a.axes[..<(n - 2)].map { $0 == .one ? ONNXScores.Axis.one : .lead($0) }
    return ONNXScores(first: a, second: b, axes: lead + [one, other])
  }

  /// Scores times or over one number.
  func scaledScores(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard case .scores(var scores)? = meaning(node, one), scores.soft == nil, scores.additive == nil,
        let factor = scalar(node, other)
      else { continue }
      if node.operation == "Div", one == 1 || factor == 0 { return nil }
      scores.scale *= node.operation == "Div" ? 1 / factor : factor
      return .scores(scores)
    }
    return nil
  }

  /// Scores with a mask of the steps that come later.
  mutating func maskedScores(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard case .scores(var scores)? = meaning(node, one), scores.soft == nil else { continue }
      if let triangle = origin(node, other), triangle.operation == "Trilu", integer(triangle, "upper") ?? 1 == 1,
        scalar(triangle, 1) == 1, let fill = origin(triangle, 0), fill.operation == "Expand",
        let low = scalar(fill, 0), low <= -1e4, Array(scores.axes.suffix(2)) == [.first, .second]
      {
        scores.isCausal = true
        return .scores(scores)
      }
      guard let mask = weight(node, other), let list = try? mask.value.doubles(), mask.shape.count >= 2,
        mask.shape.dropLast(2).allSatisfy({ $0 == 1 }), let count = mask.shape.last,
        mask.shape[mask.shape.count - 2] == count, Array(scores.axes.suffix(2)) == [.first, .second],
        steps(of: scores.first.source) == count, steps(of: scores.second.source) == count
      else { throw ONNXRefusal(detail: "it masks attention by what is not a constant of its steps") }
      let isCausal = list.indices.allSatisfy { place in
        place % count > place / count ? list[place] <= -1e4 : list[place] == 0
      }
      guard isCausal else { throw ONNXRefusal(detail: "it masks other steps of attention than those that come later") }
      for source in [scores.first.source, scores.second.source] { draft.fix(steps: count, of: source) }
      scores.isCausal = true
      return .scores(scores)
    }
    return nil
  }

  func softened(_ scores: ONNXScores, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning {
    let usual = model.opset < 13 ? 1 : -1
    var scores = scores
    guard scores.soft == nil, scores.additive?.isSummed ?? true, node.operation == "Softmax",
      let place = axis(integer(node, "axis") ?? usual, scores.axes.count),
      scores.axes[place] == .first || scores.axes[place] == .second,
      model.opset >= 13 || scores.axes[(place + 1)...].allSatisfy({ $0 == .one })
    else { throw ONNXRefusal(detail: "it is over an axis of attention that is no step") }
    scores.soft = scores.axes[place]
    return .scores(scores)
  }

  /// The average of a value's steps by the shares of attention.
  mutating func attendedSteps(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard node.inputs.count == 2 else { return nil }
    // (..., T, U) times (..., U, S), or (..., S, U) times (..., U, T)
    for (input, last) in [(0, 2), (1, 1)] {
      guard case .scores(let shares)? = meaning(node, input), let soft = shares.soft, let value = rows(node, 1 - input)
      else { continue }
      let n = shares.axes.count
      let (steps, row) = (n - last, n - 3 + last)
      guard n >= 2, value.axes.count == n, shares.axes[row] == soft, value.axes[steps] == .time,
        value.axes[row] == .row(value.factors.count - 1)
          || value.axes[row] == .one && value.headsOfOne(before: n - 2) != nil, isLed(value, shares)
      else { throw ONNXRefusal(detail: "its attention is over other steps than it takes") }
      let made = try attention(shares, value, node)
      var axes = value.axes
      axes[steps] = shares.axes[steps] == .one ? .one : .time
      return value.under(axes).of(made)
    }
    return nil
  }

  private func isLed(_ value: ONNXRows, _ shares: ONNXScores) -> Bool {
    (0..<shares.axes.count - 2).allSatisfy {
      shares.axes[$0] == .lead(value.axes[$0]) || shares.axes[$0] == .one && value.axes[$0] == .one
    }
  }

  private mutating func attention(
    _ shares: ONNXScores, _ value: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    let (query, key) = shares.soft == .second ? (shares.first, shares.second) : (shares.second, shares.first)
    let heads = key.factors.count == 2 ? key.factors[0] : key.headsOfOne(before: key.axes.count - 2) ?? 1
    guard key.factors.count <= 2,
      value.factors.count == max(key.factors.count, 1) || value.factors.isEmpty && heads == 1,
      heads == 1 || value.factors[0] == heads,
      draft[value.source].value.clock == draft[key.source].value.clock
    else { throw ONNXRefusal(detail: "it is attention whose keys and values do not go together") }
    if shares.isCausal, !query.hasTime { throw ONNXRefusal(detail: "it is causal attention of what has no steps") }
    let reads = [query.source, value.source] + (key.source == value.source ? [] : [key.source])
    if let additive = shares.additive {
      var (kind, parameters) = additiveAttention(additive.scale, additive.bias)
      kind.isCausal = shares.isCausal
      return try layer(kind, reads, parameters, node)
    }
    if let made = try selfAttention(shares, query, key, value, heads: heads, node) { return made }
    var kind = Layer.DotAttention()
    kind.isCausal = shares.isCausal
    kind.heads = heads
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    if abs(shares.scale * (Double(query.width) / Double(heads)).squareRoot() - 1) < 1e-6, query.width > heads {
      kind.isScaled = true
    } else if abs(shares.scale - 1) > 1e-9 {
      guard heads == 1 else {
        throw ONNXRefusal(
          detail: "its scores are times \(shares.scale), which is not one over the root of a head's width")
      }
      kind.hasScale = true
      let tensor = StoredTensor(name: "scale", shape: [], values: [Float(shares.scale)])
      parameters[.init(name: "scale")] = .init(
        constant: ONNXConstant(tensor: tensor, sources: []), how: "a constant of the graph")
    }
    return try layer(kind, reads, parameters, node)
  }

  /// What rows are a dense layer of.
  private func projection(_ rows: ONNXRows) -> ONNXProjection? {
    var (source, scale) = (rows.source, 1.0)
    if let affine = affines[source] {
      guard let first = affine.scale.first, affine.scale.allSatisfy({ $0 == first }),
        affine.offset.allSatisfy({ $0 == 0 }), affine.center == nil
      else { return nil }
      (source, scale) = (affine.below, first)
    }
    var range: Range<Int>?
    if let slice = draft[source].kind as? Layer.Slice, let below = draft[source].reads.first {
      range = slice.first..<slice.first + slice.count
      source = below
    }
    guard let dense = draft[source].kind as? Layer.Dense, dense.activation == .none,
      let read = draft[source].reads.first,
      let weight = draft[source].parameters[.init(name: "weight")]
    else { return nil }
    var made = ONNXProjection(read: read, weight: ONNXPiece(weight.constant), scale: scale)
    made.bias = draft[source].parameters[.init(name: "bias")].map { ONNXPiece($0.constant) }
    if let range {
      made.weight = made.weight.cut(range)
      made.bias = made.bias?.cut(range)
    }
    return made
  }

  /// Heads of self-attention whose queries, keys and values are dense layers of the same rows.
  private mutating func selfAttention(
    _ shares: ONNXScores, _ query: ONNXRows, _ key: ONNXRows, _ value: ONNXRows, heads: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    guard let q = projection(query), let k = projection(key), let v = projection(value), q.read == k.read,
      q.read == v.read, v.scale == 1, query.hasTime
    else { return nil }
    let size = draft[q.read].value.width
    guard [q, k, v].allSatisfy({ $0.weight.rows.count == size && $0.weight.constant.shape.last == size }),
      size % heads == 0, size <= 4096
    else { return nil }
    let ratio = shares.scale * q.scale * k.scale * Double(size / heads).squareRoot()
    var kind = Layer.SelfAttention(heads: heads)
    kind.isCausal = shares.isCausal
    kind.hasBias = [q, k, v].contains { $0.bias != nil }
    func scaled(_ piece: ONNXPiece) -> ONNXPiece {
      guard abs(ratio - 1) > 1e-6 else { return piece }
      let tensor = piece.constant.value.gathering([piece.rows])
      let made = StoredTensor(name: tensor.name, shape: tensor.shape, dataType: .float32) {
        littleEndianBytes(try tensor.doubles().map { Float($0 * ratio) })
      }
      return ONNXPiece(
        ONNXConstant(tensor: made, sources: piece.constant.sources, depth: piece.constant.depth + 1))
    }
    let zeros = ONNXPiece(
      ONNXConstant(
        tensor: StoredTensor(name: "zeros", shape: [size], values: [Float](repeating: 0, count: size)), sources: []))
    guard let inner = stacked([scaled(q.weight), k.weight, v.weight]) else { return nil }
    var parameters = [ONNXDraft.Key(name: "in_proj_weight"): inner]
    if kind.hasBias {
      parameters[.init(name: "in_proj_bias")] = stacked([q.bias.map(scaled) ?? zeros, k.bias ?? zeros, v.bias ?? zeros])
    }
    // What heads give goes on as it is, until a dense layer reads it.
    let identity = (0..<size * size).map { Float($0 / size == $0 % size ? 1 : 0) }
    parameters[.init(name: "out_proj.weight")] = .init(
      constant: ONNXConstant(
        tensor: StoredTensor(name: "identity", shape: [size, size], values: identity), sources: []),
      how: "the identity, as the graph has none")
    if kind.hasBias { parameters[.init(name: "out_proj.bias")] = outBias(size) }
    let source = try layer(kind, [q.read], parameters, node)
    openAttention.insert(source)
    return source
  }

  private func outBias(_ size: Int) -> ONNXDraft.Parameter {
    .init(
      constant: ONNXConstant(
        tensor: StoredTensor(name: "zeros", shape: [size], values: [Float](repeating: 0, count: size)), sources: []),
      how: "zeros, as the graph has none")
  }

  /// The dense layer after heads is their last projection.
  mutating func closingAttention(
    _ rows: ONNXRows, _ weight: ONNXConstant, bias: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    let size = rows.width
    guard openAttention.contains(rows.source), weight.shape == [size, size],
      let kind = draft[rows.source].kind as? Layer.SelfAttention
    else { return nil }
    var parameters = draft[rows.source].parameters
    parameters[.init(name: "out_proj.weight")] = parameter(weight)
    guard let bias else {
      let source = try layer(kind, draft[rows.source].reads, parameters, node)
      openBias.insert(source)
      return source
    }
    guard let vector = vector(bias, size) else { return nil }
    return try biased(kind, parameters, vector, draft[rows.source].reads, node)
  }

  /// The bias of the last projection.
  mutating func closingBias(
    _ rows: ONNXRows, _ constant: ONNXConstant, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    guard openBias.contains(rows.source), let vector = vector(constant, rows.width), rows.axes.last == .row(0),
      rows.factors.count == 1, let kind = draft[rows.source].kind as? Layer.SelfAttention
    else { return nil }
    return try biased(kind, draft[rows.source].parameters, vector, draft[rows.source].reads, node)
  }

  private mutating func biased(
    _ kind: Layer.SelfAttention, _ known: [ONNXDraft.Key: ONNXDraft.Parameter], _ bias: ONNXConstant, _ reads: [Int],
    _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    var (kind, parameters) = (kind, known)
    if !kind.hasBias {
      kind.hasBias = true
      parameters[.init(name: "in_proj_bias")] = outBias(3 * bias.shape[0])
    }
    parameters[.init(name: "out_proj.bias")] = parameter(bias)
    return try layer(kind, reads, parameters, node)
  }
}
