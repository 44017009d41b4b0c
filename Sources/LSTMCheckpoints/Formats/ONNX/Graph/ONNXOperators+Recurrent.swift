import FileIO

extension ONNXOperators {
  static let recurrent = Family(["LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"], domains: ["", "com.microsoft"]) {
    t, node throws(ONNXRefusal) in
    try t.recurrent(node)
  }
}

extension ONNXTranslator {
  fileprivate mutating func recurrent(_ node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]? {
    var turned = false
    let input: ONNXRows
    switch meaning(node) {
    case .rows(let found) where !found.isWhole: input = found
    case .reversed(let found): (input, turned) = (found, true)
    default: return nil
    }
    let cell: Layer.Recurrent.Cell = node.operation == "GRU" ? .gru : node.operation == "RNN" ? .rnn : .lstm
    if integer(node, "input_forget") ?? 0 != 0 {
      throw ONNXRefusal(detail: "it couples the input and the forget gate, which no layer here does")
    }
    var isReverse: [Bool]
    switch text(node, "direction") ?? "forward" {
    case "forward": isReverse = [false]
    case "reverse": isReverse = [true]
    case "bidirectional": isReverse = [false, true]
    case let other: throw ONNXRefusal(detail: "its direction is \"\(other)\"")
    }
    if turned {
      guard isReverse.count == 1 else { throw ONNXRefusal(detail: "it reads reversed steps in both directions") }
      isReverse = [!isReverse[0]]
    }
    let (w, r) = try matrices(node)
    let (d, gates) = (isReverse.count, cell.gateCount)
    guard r.shape.count == 3, r.shape[0] == d, let h = r.shape.last, 1...ModelConfiguration.sizeLimit ~= h,
      r.shape[1] == gates * h
    else {
      throw ONNXRefusal(detail: "its recurrent weights are \(shapeText(r.shape)), expected (\(d), \(gates)H, H)")
    }
    guard w.shape.count == 3, w.shape[0] == d, w.shape[1] == gates * h else {
      throw ONNXRefusal(detail: "its input weights are \(shapeText(w.shape)), expected (\(d), \(gates * h), I)")
    }
    if let said = integer(node, "hidden_size"), said != h {
      throw ONNXRefusal(detail: "its hidden_size is \(said), but its weights are for \(h)")
    }
    var kind = Layer.Recurrent(cell, size: h)
    kind.isBidirectional = d == 2
    kind.isReversed = isReverse == [true]
    if let clip = number(node, "clip"), clip != 0 { kind.inputClip = clip }
    kind.resetsAfter = integer(node, "linear_before_reset") ?? 0 != 0 || cell != .gru
    try setActivations(&kind, node, directions: d)

    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    let order = Self.order(cell)
    let letters = ["i o f c", "z r h", ""][[.lstm, .gru, .rnn].firstIndex(of: cell) ?? 0]
    func how(_ index: Int) -> String? {
      let parts =
        [letters.isEmpty ? nil : "gates \(letters) put in order"]
        + [d == 2 ? "\(index == 0 ? "first" : "second") of the two directions" : nil]
      let text = parts.compactMap { $0 }.joined(separator: ", ")
      return text.isEmpty ? nil : text
    }
    func add(_ part: RecurrentPart, _ index: Int, _ constant: ONNXConstant, _ tensor: StoredTensor) {
      parameters[.init(name: part.rawValue, isReverse: index == 1)] = .init(
        constant: ONNXConstant(tensor: tensor, sources: constant.sources), how: how(index),
        identity: constant.depth == 0 ? "\(constant.tensor.name) \(part.rawValue) \(index)" : nil)
    }
    let b = isAbsent(node, 3) ? nil : weight(node, 3)
    if b == nil, !isAbsent(node, 3) { throw ONNXRefusal(detail: "its biases are no constant") }
    kind.bias = b == nil ? .none : .dual
    if let b, b.shape != [d, 2 * gates * h] {
      throw ONNXRefusal(detail: "its biases are \(shapeText(b.shape)), expected (\(d), \(2 * gates * h))")
    }
    for index in 0..<d {
      add(.inputWeight, index, w, w.value.element(index).reordering(order))
      add(.recurrentWeight, index, r, r.value.element(index).reordering(order))
      if let b {
        let both = b.value.element(index)
        add(.inputBias, index, b, both.gathering([0..<gates * h]).reordering(order))
        add(.recurrentBias, index, b, both.gathering([gates * h..<2 * gates * h]).reordering(order))
      }
      if cell == .lstm, !isAbsent(node, 7) {
        guard let p = weight(node, 7), p.shape == [d, 3 * h] else {
          throw ONNXRefusal(detail: "its peepholes are no constant (\(d), \(3 * h))")
        }
        kind.hasPeepholes = true
        add(.peephole, index, p, p.value.element(index).reordering([0, 2, 1]))
      }
    }
    let isBatchFirst = integer(node, "layout") ?? 0 == 1
    let read = try sequence(input, isBatchFirst, size: w.shape[2], node)
    try checkLengths(node, read)
    let startsFrom = try startStates(&kind, &parameters, node, directions: d)
    let source = try layer(kind, [read.source], parameters, startsFrom: startsFrom, node)
    if [5, 6].contains(where: { isGiven(node, $0) }) {
      carried.starts[source] = [5, 6].filter { !isAbsent(node, $0) }.map { node.inputs[$0] }
    }
    for (index, name) in node.outputs.enumerated() where index > 0 && !name.isEmpty && !isBatchFirst {
      carried.ends[name] = .init(layer: source, isCell: index == 2, hasDirections: true)
    }
    let results = try given(source, kind, read, isBatchFirst, node)
    if turned, case .rows(let steps) = results[0] { return [.reversed(steps)] + results.dropFirst() }
    guard loops > 0, let first = unrolled.steps[input.source], first.step == 0 else { return results }
    // One step of a loop.
    guard d == 1, !isBatchFirst else { throw ONNXRefusal(detail: "it goes both ways in a loop") }
    let axes = [input.axes[1], ONNXRows.Axis.row(0)]
    let taken = try stepOf(source, 0, ONNXRows(source: source, axes: axes, factors: [h]), node)
    unrolled.cells[node.outputs.count > 2 ? node.outputs[2] : ""] = .init(layer: source, step: 0)
    return [
      .rows(taken.under([.one, .one] + taken.axes)), .rows(taken.under([.one] + taken.axes)), .finalState(source),
    ]
  }

  private func isGiven(_ node: ONNXModel.Node, _ index: Int) -> Bool {
    if case .state? = meaning(node, index) { true } else { false }
  }

  /// W and R, from a quantized node as the numbers that they stand for.
  private mutating func matrices(_ node: ONNXModel.Node) throws(ONNXRefusal) -> (ONNXConstant, ONNXConstant) {
    if node.operation == "DynamicQuantizeLSTM" {
      let list = [(1, 8, 9), (2, 10, 11)].compactMap { place, scale, zero -> ONNXConstant? in
        guard let values = constant(node, place), values.shape.count == 3, let scale = weight(node, scale) else {
          return nil
        }
        return directions(values, scale, constant(node, zero))
      }
      guard list.count == 2 else { throw ONNXRefusal(detail: "its quantized weights are no constants") }
      noteQuantized()
      return (list[0], list[1])
    }
    guard let w = weight(node, 1), let r = weight(node, 2) else {
      let place = weight(node, 1) == nil ? 1 : 2
      let name = node.inputs.indices.contains(place) ? node.inputs[place] : ["W", "R"][place - 1]
      throw ONNXRefusal(
        detail: "its weight \"\(name)\" is no constant of floating-point numbers",
        advice: ["weights that are computed cannot be read; export the model with its weights as constants"])
    }
    return (w, r)
  }

  /// (D, I, 4H) of whole numbers as (D, 4H, I), each direction by its own scale, or by one for each column.
  private func directions(
    _ values: ONNXConstant, _ scale: ONNXConstant, _ zero: ONNXConstant?
  ) -> ONNXConstant? {
    let (d, shape) = (values.shape[0], values.shape)
    func part(_ constant: ONNXConstant, _ index: Int) -> ONNXConstant? {
      if constant.tensor.elementCount == 1 { return constant }
      guard constant.shape.first == d, constant.shape.count <= 2 else { return nil }
      let tensor = constant.value.gathering([index..<index + 1])
      return constant.with(tensor.reshaped([tensor.elementCount]))
    }
    var parts: [ONNXConstant] = []
    for index in 0..<d {
      guard let own = values.with(values.value.element(index)), let scale = part(scale, index) else { return nil }
      let zero = zero.map { part($0, index) }
      if case .some(.none) = zero { return nil }
      guard let made = dequantized(own, scale, zero ?? nil, axis: 1) else { return nil }
      parts.append(made)
    }
    let stacked = StoredTensor.concatenating(parts.map { $0.value.reshaped([1, shape[1], shape[2]]) })
    return ONNXConstant(
      tensor: stacked.permuted([0, 2, 1]), sources: parts.reduce(into: Set()) { $0.formUnion($1.sources) },
      depth: (parts.map(\.depth).max() ?? 0) + 1)
  }

  /// Blocks of rows in the order of the project: i f g o, r z n.
  private static func order(_ cell: Layer.Recurrent.Cell) -> [Int] {
    switch cell {
    case .lstm: [0, 2, 3, 1]
    case .gru: [1, 0, 2]
    case .rnn: [0]
    }
  }

  // MARK: - Activations

  private func setActivations(
    _ kind: inout Layer.Recurrent, _ node: ONNXModel.Node, directions: Int
  ) throws(ONNXRefusal) {
    guard case .texts(let names)? = node.attributes["activations"] else { return }
    let each = kind.cell == .lstm ? 3 : kind.cell == .gru ? 2 : 1
    guard names.count == each * directions else {
      throw ONNXRefusal(detail: "it names \(names.count) activations, expected \(each * directions)")
    }
    func list(_ key: String) -> [Float] { if case .floats(let list)? = node.attributes[key] { list } else { [] } }
    var (alphas, betas) = (list("activation_alpha"), list("activation_beta"))
    var found: [Activation] = []
    for name in names {
      func alpha(_ usual: Float) -> Float { alphas.isEmpty ? usual : alphas.removeFirst() }
      func unless(_ usual: Float, _ activation: Activation) throws(ONNXRefusal) -> Activation {
        let value = alpha(usual)
        guard abs(value - usual) < 1e-6 else {
          throw ONNXRefusal(detail: "its \(name) has alpha \(value); \(usual) is known in recurrent layers")
        }
        return activation
      }
      switch name.lowercased() {
      case "sigmoid": found.append(.sigmoid)
      case "tanh": found.append(.tanh)
      case "relu": found.append(.relu)
      case "softsign": found.append(.softsign)
      case "softplus": found.append(.softplus)
      case "leakyrelu": found.append(try unless(0.01, .leakyReLU))
      case "elu": found.append(try unless(1, .elu))
      case "affine":
        let (a, b) = (alpha(1), betas.isEmpty ? 0 : betas.removeFirst())
        guard a == 1, b == 0 else { throw ONNXRefusal(detail: "it has the activation \(a) x + \(b)") }
        found.append(.none)
      case "hardsigmoid":
        let a = alpha(0.2)
        guard let activation = try hardSigmoid(a, betas.isEmpty ? 0.5 : betas.removeFirst()) else { return }
        found.append(activation)
      default: throw ONNXRefusal(detail: "its activation \(name) is not known here")
      }
    }
    // Values for functions that take none would make it unclear whose the others are.
    guard alphas.isEmpty, betas.isEmpty else {
      throw ONNXRefusal(detail: "it has more activation_alpha or _beta than it can use")
    }
    guard directions == 1 || found[..<each] == found[each...] else {
      throw ONNXRefusal(detail: "its two directions have different activations")
    }
    if kind.cell != .rnn { kind.gateActivation = found[0] }
    kind.activation = kind.cell == .rnn ? found[0] : found[1]
    if kind.cell == .lstm, found[2] != found[1] { kind.outputActivation = found[2] }
  }

  // MARK: - What it reads

  /// What is given once as steps: the first factor of its row, which the axis at `place` holds.
  mutating func stepsApart(_ rows: ONNXRows, at place: Int, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows {
    let source = try layer(Layer.Reshape(.steps, steps: rows.factors[0]), [rows.source], node)
    var axes = rows.axes.map { axis -> ONNXRows.Axis in
      if case .row(let factor) = axis { .row(factor - 1) } else { axis }
    }
    axes[place] = .time
    return ONNXRows(source: source, axes: axes, factors: Array(rows.factors.dropFirst()))
  }

  /// What is given once at each step of a clock: a part of it and of what has those steps, side by side.
  private mutating func atEachStep(_ source: Int, _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int? {
    guard let clock = unrolled.repeated[source] ?? nil,
      let steps = draft.entries.indices.first(where: { place in
        let value = draft[place].value
        return value.isPerStep && value.clock == clock && value.vocabulary == nil
      })
    else { return nil }
    let both = try layer(Layer.Merge(.concatenate), [source, steps], node)
    return try layer(Layer.Slice(first: 0, count: draft[source].value.width), [both], node)
  }

  /// Rows whose steps a recurrent layer goes through.
  private mutating func sequence(
    _ input: ONNXRows, _ isBatchFirst: Bool, size: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard input.axes.count == 3 else { throw ONNXRefusal(detail: "it reads \(input.axes.count) axes, expected 3") }
    let (time, batch) = isBatchFirst ? (1, 0) : (0, 1)
    var rows = input
    if loops > 0, let first = unrolled.steps[rows.source], first.step == 0, rows.axes[time] == .one {
      rows = rows.of(first.layer)
      rows.axes[time] = .time
    }
    // Steps that lie side by side in what is given once.
    if case .row(0) = rows.axes[time], !draft[rows.source].value.isPerStep {
      rows = try stepsApart(rows, at: time, node)
    }
    let value = draft[rows.source].value
    if rows.axes[time] == .one, !rows.hasTime, !value.isPerStep {
      rows = rows.of(try layer(Layer.Reshape(.steps, steps: 1), [rows.source], node))
      rows.axes[time] = .time
    }
    guard rows.axes[time] == .time || rows.axes[time] == .one && !rows.hasTime else {
      throw ONNXRefusal(detail: "the axis that it goes along is not time", isAboutAxes: true)
    }
    guard rows.axes[batch] == .batch || rows.axes[batch] == .one else {
      throw ONNXRefusal(detail: "the axis that it takes for the batch is another", isAboutAxes: true)
    }
    if !draft[rows.source].value.isPerStep, let steps = try atEachStep(rows.source, node) { rows = rows.of(steps) }
    guard draft[rows.source].value.isPerStep else {
      throw ONNXRefusal(detail: "it reads the same values at each step, whose number the file does not say")
    }
    guard rows.isWholeRow(at: 2), rows.width == size else {
      throw ONNXRefusal(
        detail: "its weights are for \(size) features, but it reads \(rows.width)", isAboutAxes: true)
    }
    return rows.of(try plain(rows.source, node))
  }

  private mutating func checkLengths(_ node: ONNXModel.Node, _ rows: ONNXRows) throws(ONNXRefusal) {
    if isAbsent(node, 4) { return }
    switch meaning(node, 4) {
    case .choice(let name), .state(let name):
      carried.hasLengths = true
      note("sequence_lens comes from the input \"\(name)\"; here it is given when it is run")
    case .zeros: throw ONNXRefusal(detail: "its sequence_lens are zero")
    default:
      guard let lengths = numbers(node, 4), let whole = size(of: rows.hasTime ? .time : .one, rows),
        lengths.values.allSatisfy({ $0 == whole })
      else {
        throw ONNXRefusal(
          detail:
            "its sequence_lens \"\(node.inputs[4])\" are neither absent, an input, nor the length of all sequences")
      }
    }
  }

  mutating func note(_ text: Message) { if !notes.contains(text) { notes.append(text) } }

  // MARK: - Where it starts from

  private mutating func startStates(
    _ kind: inout Layer.Recurrent, _ parameters: inout [ONNXDraft.Key: ONNXDraft.Parameter], _ node: ONNXModel.Node,
    directions: Int
  ) throws(ONNXRefusal) -> Int? {
    var stored: [(part: RecurrentPart, constant: ONNXConstant)] = []
    var others = Set<Int>()
    var isGiven = false
    let parts: [(Int, RecurrentPart)] =
      kind.cell == .lstm ? [(5, .initialHidden), (6, .initialCell)] : [(5, .initialHidden)]
    for (index, part) in parts where !isAbsent(node, index) {
      var found = meaning(node, index)
      if case .state(let name)? = found, let outer = loopStates[name] { found = values[outer] }
      switch found {
      case .zeros: continue
      case .state(let name), .choice(let name):
        isGiven = true
        note("\(part.rawValue) comes from the input \"\(name)\"; here it is given when it is run")
      case .constant(let constant) where constant.tensor.dataType.isFloatingPoint:
        if isZero(constant) { continue }
        // One for all sequences of a batch.
        guard constant.shape.count == 3,
          constant.shape == [directions, 1, kind.size]
            || constant.shape == [1, directions, kind.size] && directions == 1
        else {
          throw ONNXRefusal(detail: "its \(part.rawValue) is \(shapeText(constant.shape)), not one for all sequences")
        }
        stored.append((part, constant))
      case .finalState(let other): others.insert(other)
      case .rows(let rows):
        guard let readout = draft[rows.source].kind as? Layer.Readout, readout.take != .mean, readout.take != .max,
          let other = draft[rows.source].reads.first, draft[other].kind is Layer.Recurrent
        else { throw ONNXRefusal(detail: "its \(part.rawValue) is computed from what is no other layer's last state") }
        others.insert(other)
      default:
        throw ONNXRefusal(
          detail: "its \(part.rawValue) \"\(node.inputs[index])\" is neither absent, zero, constant nor an input")
      }
    }
    guard others.count + (stored.isEmpty ? 0 : 1) + (isGiven ? 1 : 0) <= 1 else {
      throw ONNXRefusal(detail: "its initial states come from different places")
    }
    if let other = others.first {
      guard let kindOfOther = draft[other].kind as? Layer.Recurrent, kindOfOther.size == kind.size,
        kindOfOther.directions == directions
      else { throw ONNXRefusal(detail: "it starts from the state of a layer of another size") }
      // The names come later, but it must not be zero meanwhile.
      kind.initialFrom = ""
      return other
    }
    guard !stored.isEmpty else { return nil }
    kind.initial = .stored
    for (_, part) in parts {
      for index in 0..<directions {
        let key = ONNXDraft.Key(name: part.rawValue, isReverse: index == 1)
        if let found = stored.first(where: { $0.part == part })?.constant {
          let flat = found.value.reshaped([directions, kind.size]).element(index)
          parameters[key] = .init(constant: ONNXConstant(tensor: flat, sources: found.sources))
        } else {
          let zeros = StoredTensor(name: "zeros", shape: [kind.size], values: [Float](repeating: 0, count: kind.size))
          parameters[key] = .init(
            constant: ONNXConstant(tensor: zeros, sources: []), how: "zeros, as the graph has them")
        }
      }
    }
    return nil
  }

  // MARK: - What it gives

  private mutating func given(
    _ source: Int, _ kind: Layer.Recurrent, _ read: ONNXRows, _ isBatchFirst: Bool, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> [ONNXMeaning] {
    let (time, batch) = (read.axes[isBatchFirst ? 1 : 0], read.axes[isBatchFirst ? 0 : 1])
    let factors = [kind.directions, kind.size]
    let steps = ONNXRows(
      source: source, axes: isBatchFirst ? [batch, time, .row(0), .row(1)] : [time, .row(0), batch, .row(1)],
      factors: factors)
    let take: Layer.Readout.Take = kind.isBidirectional ? .final : kind.isReversed ? .first : .last
    let last = try layer(Layer.Readout(take), [source], node)
    let state = ONNXRows(
      source: last, axes: isBatchFirst ? [batch, .row(0), .row(1)] : [.row(0), batch, .row(1)], factors: factors)
    return [.rows(steps), .rows(state), .finalState(source)]
  }
}
