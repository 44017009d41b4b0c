import FileIO

extension ONNXTranslator {
  /// Every step times what attention gives it.
  func weighted(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let rows = rows(node, one), case .attention(let scores)? = meaning(node, other), rows.hasTime,
        common([scores.factors.isEmpty ? rows.bare : rows, scores]) != nil
      else { continue }
      return .weighted(rows, scores: scores)
    }
    return nil
  }

  /// Attention over time: the sum of weighted steps.
  mutating func attended(
    _ rows: ONNXRows, _ scores: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    guard let (axes, keeps) = reduced(node, rows.axes.count), axes.count == 1, rows.axes[axes[0]] == .time else {
      return nil
    }
    var made = rows.of(try attention(rows, scores, node))
    if keeps { made.axes[axes[0]] = .one } else { made.axes.remove(at: axes[0]) }
    return made
  }

  /// Weights (N, 1, T) times steps (N, T, S).
  mutating func attended(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    if case .attention(let scores)? = meaning(node, 0), scores.factors.isEmpty, let rows = rows(node, 1),
      rows.axes.count >= 2,
      scores.axes.last == .time, rows.axes[rows.axes.count - 2] == .time, rows.isWholeRow(at: rows.axes.count - 1)
    {
      var axes = rows.axes
      axes[axes.count - 2] = .one
      return .rows(rows.under(axes).of(try attention(rows, scores, node)))
    }
    // Steps (N, S, T) times weights (N, T, 1).
    if case .attention(let scores)? = meaning(node, 1), scores.factors.isEmpty, let rows = rows(node),
      rows.axes.last == .time,
      scores.axes.count >= 2, scores.axes.last == .one, scores.axes[scores.axes.count - 2] == .time
    {
      var axes = rows.axes
      axes[axes.count - 1] = .one
      return .rows(rows.under(axes).of(try attention(rows, scores, node)))
    }
    return nil
  }

  /// The usual forms of a step's score: a vector times the step, or times tanh of a dense layer of it.
  private mutating func attention(
    _ rows: ONNXRows, _ scores: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    var outer = draft[scores.source]
    var scoreActivation = Activation.none
    if let activation = outer.kind as? Layer.ActivationLayer, activation.alpha == nil, let below = outer.reads.first {
      scoreActivation = activation.activation
      outer = draft[below]
    }
    let width = draft[rows.source].value.width
    let isFeature = !scores.factors.isEmpty
    guard let score = outer.kind as? Layer.Dense, score.size == (isFeature ? width : 1), let below = outer.reads.first,
      let vector = outer.parameters[.init(name: "weight")]
    else { return try scored(rows, scores, node) }
    let bias = outer.parameters[.init(name: "bias")]
    var kind = Layer.Attention()
    kind.scoreActivation = scoreActivation
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    if below == rows.source {
      if isFeature { kind.form = .feature }
      kind.hasBias = score.hasBias
      parameters[.init(name: "weight")] = vector
      if let bias { parameters[.init(name: "bias")] = bias }
      return try layer(kind, [rows.source], parameters, node)
    }
    if !isFeature, scoreActivation == .none,
      let made = try additive(rows, below, vector.constant, bias?.constant, node)
    {
      return made
    }
    guard let tanh = draft[below].kind as? Layer.ActivationLayer, tanh.activation == .tanh, !isFeature,
      let inner = draft[below].reads.first, let dense = draft[inner].kind as? Layer.Dense,
      draft[inner].reads == [rows.source], let matrix = draft[inner].parameters[.init(name: "weight")]
    else { return try scored(rows, scores, node) }
    kind.form = .tanh
    kind.size = dense.size
    kind.hasBias = dense.hasBias
    kind.hasScoreBias = score.hasBias
    parameters[.init(name: "weight")] = matrix
    parameters[.init(name: "score")] = vector
    if let inner = draft[inner].parameters[.init(name: "bias")] { parameters[.init(name: "bias")] = inner }
    if let bias { parameters[.init(name: "score_bias")] = bias }
    return try layer(kind, [rows.source], parameters, node)
  }

  /// Scores of any other kind: they are the keys of a query that is 1 whatever it is made of.
  private mutating func scored(
    _ rows: ONNXRows, _ scores: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    guard scores.factors.isEmpty, draft[scores.source].value.isPerStep,
      draft[scores.source].value.clock == draft[rows.source].value.clock
    else { throw ONNXRefusal(detail: "it is attention whose scores are not one for each step") }
    let first = try layer(Layer.Readout(.first), [scores.source], node)
    func constant(_ name: String, _ value: Float) -> ONNXDraft.Parameter {
      .init(
        constant: ONNXConstant(tensor: StoredTensor(name: name, shape: [1], values: [value]), sources: []),
        how: "so that the query is 1")
    }
    let one = try layer(
      Layer.Rescale(), [first],
      [.init(name: "scale"): constant("scale", 0), .init(name: "offset"): constant("offset", 1)], node)
    return try layer(Layer.DotAttention(), [one, rows.source, scores.source], node)
  }
}

extension ONNXTranslator {
  /// Scores of the sum of a sequence's row and each of its steps: additive attention with one query.
  private mutating func additive(
    _ rows: ONNXRows, _ squashed: Int, _ vector: ONNXConstant, _ bias: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    guard let tanh = draft[squashed].kind as? Layer.ActivationLayer, tanh.activation == .tanh,
      let sum = draft[squashed].reads.first, (draft[sum].kind as? Layer.Merge)?.operation == .add,
      draft[sum].reads.count == 2, let query = draft[sum].reads.first(where: { !draft[$0].value.isPerStep }),
      let key = draft[sum].reads.first(where: { draft[$0].value.isPerStep }),
      draft[key].value.clock == draft[rows.source].value.clock
    else { return nil }
    let size = draft[query].value.width
    let (kind, parameters) = additiveAttention(
      vector.with { $0.reshaped([size]) }, bias?.with { $0.reshaped([1]) })
    return try layer(kind, [query, rows.source] + (key == rows.source ? [] : [key]), parameters, node)
  }
}

extension ONNXRows {
  /// As if each row were one value.
  fileprivate var bare: ONNXRows { ONNXRows(source: source, axes: axes.map { $0.isRow ? .one : $0 }, factors: []) }
}
