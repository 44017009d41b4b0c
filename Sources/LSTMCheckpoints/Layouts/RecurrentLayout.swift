import FileIO

/// How a framework keeps the tensors of one cell: what is needed to turn them into a `RecurrentCell` and back.
///
/// Only bytes move, so that there and back gives the same file; the two exceptions are sums of two biases, which are only
/// made when asked for, and are rounded once.
struct RecurrentLayout: Sendable {
  enum Matrices: Sendable {
    /// (4H, I) and (4H, H)
    case rows
    /// (I, 4H) and (H, 4H)
    case columns
    /// (I, 4H) and (H, 4H), where each gate's block of bytes is that gate's (H, I) or (H, H).
    case cudnn
    /// One (I + S, 4H)
    case fused
    /// For each gate one (I, H) and one (H, H)
    case perGate
  }

  enum Biases: Sendable {
    /// (4H), or one (H) for each gate
    case one
    /// Two of these
    case two
    /// (8H): the input's, then the recurrent's
    case joined
  }

  /// The blocks of a matrix, or the tensors of `perGate`, in the file's order.
  let gates: [Gate]
  let matrices: Matrices
  let biases: Biases
  /// Added to the forget gate's bias at run time.
  var forgetOffset: Float

  init(gates: [Gate], matrices: Matrices, biases: Biases, forgetOffset: Float = 0) {
    precondition(gates.count == 4 && Set(gates).count == 4, "each of the four gates once")
    self.gates = gates
    self.matrices = matrices
    self.biases = biases
    self.forgetOffset = forgetOffset
  }

  /// The tensors of one cell as a file has them, in the layout's order of gates where there is one for each.
  struct Parts: Sendable {
    /// One, or four; with `fused` the one that holds both.
    var input: [StoredTensor]
    /// One, or four; none with `fused`.
    var recurrent: [StoredTensor] = []
    /// None, one or four; with `joined` the one that holds both.
    var inputBias: [StoredTensor] = []
    var recurrentBias: [StoredTensor] = []
    /// (P, H)
    var projection: StoredTensor?
    /// (3H) in the order i, f, o.
    var peephole: StoredTensor?
  }

  // MARK: - Reading

  /// - Throws: `CheckpointError.misshapen` naming the tensor whose shape does not go with the others.
  func read(_ parts: Parts) throws(CheckpointError) -> RecurrentCell {
    let (input, recurrent) = try matrices(parts)
    var cell = RecurrentCell(inputWeight: input, recurrentWeight: recurrent)
    let h = cell.hiddenSize
    func vector(_ tensors: [StoredTensor]) throws(CheckpointError) -> StoredTensor? {
      guard let first = tensors.first else { return nil }
      let whole = tensors.count == 1
      for tensor in tensors { try tensor.require([whole ? 4 * h : h], "the bias", "hidden size \(h)") }
      return (whole ? first : .concatenating(tensors)).reordering(toCanonical)
    }
    if biases == .joined, let both = parts.inputBias.first {
      try both.require([8 * h], "the two biases in one", "hidden size \(h)")
      cell.inputBias = both.gathering([0..<4 * h]).reordering(toCanonical)
      cell.recurrentBias = both.gathering([4 * h..<8 * h]).reordering(toCanonical)
    } else {
      cell.inputBias = try vector(parts.inputBias)
      cell.recurrentBias = try vector(parts.recurrentBias)
    }
    try parts.peephole?.require([3 * h], "the peepholes", "hidden size \(h)")
    cell.peephole = parts.peephole
    cell.projection = parts.projection
    cell.forgetOffset = forgetOffset
    return cell
  }

  /// (4H, I) and (4H, S) in the canonical order.
  private func matrices(_ parts: Parts) throws(CheckpointError) -> (StoredTensor, StoredTensor) {
    guard let first = parts.input.first, matrices == .fused || !parts.recurrent.isEmpty else {
      throw .corrupt(tensor: parts.input.first?.name ?? "", detail: "a cell has an input and a recurrent weight")
    }
    let blocks: (input: StoredTensor, recurrent: StoredTensor)
    switch matrices {
    case .rows:
      let recurrent = parts.recurrent[0]
      let h = try recurrent.gateCount(axis: 0)
      try recurrent.requireRank(2, "the recurrent weight")
      try first.require([4 * h, nil], "the input weight (4H, I)", "hidden size \(h)")
      if parts.projection == nil {
        try recurrent.require([4 * h, h], "the recurrent weight (4H, H)", "hidden size \(h)")
      }
      blocks = (first, recurrent)
    case .columns:
      _ = try columns(first, parts.recurrent[0])
      blocks = (first.transposed(), parts.recurrent[0].transposed())
    case .cudnn:
      let h = try columns(first, parts.recurrent[0])
      blocks = (Self.fromCuDNN(first, hidden: h), Self.fromCuDNN(parts.recurrent[0], hidden: h))
    case .fused:
      try first.requireRank(2, "the weight (I + H, 4H)")
      let h = try first.gateCount(axis: 1)
      try parts.projection?.require([nil, h], "the projection (P, H)", "hidden size \(h)")
      let (rows, state) = (first.shape[0], parts.projection?.shape[0] ?? h)
      guard rows > state else {
        throw .misshapen(
          tensor: first.name, expected: "(I + \(state), \(4 * h)) with I at least 1", found: shapeText(first.shape))
      }
      blocks = (
        first.gathering([0..<rows - state]).transposed(), first.gathering([rows - state..<rows]).transposed()
      )
    case .perGate:
      guard parts.input.count == 4, parts.recurrent.count == 4 else {
        throw .corrupt(tensor: first.name, detail: "expected a tensor for each of the four gates")
      }
      try parts.recurrent[0].requireRank(2, "a gate's recurrent weight")
      let h = parts.recurrent[0].shape[1]
      try first.requireRank(2, "a gate's input weight")
      for tensor in parts.input { try tensor.require([first.shape[0], h], "a gate's (I, H)", "hidden size \(h)") }
      for tensor in parts.recurrent { try tensor.require([h, h], "a gate's (H, H)", "hidden size \(h)") }
      blocks = (
        .concatenating(parts.input, axis: 1).transposed(), .concatenating(parts.recurrent, axis: 1).transposed()
      )
    }
    return (blocks.input.reordering(toCanonical), blocks.recurrent.reordering(toCanonical))
  }

  private func columns(_ input: StoredTensor, _ recurrent: StoredTensor) throws(CheckpointError) -> Int {
    try recurrent.requireRank(2, "the recurrent weight")
    let h = try recurrent.gateCount(axis: 1)
    try recurrent.require([h, 4 * h], "the recurrent weight (H, 4H)", "hidden size \(h)")
    try input.require([nil, 4 * h], "the input weight (I, 4H)", "hidden size \(h)")
    return h
  }

  /// (K, 4H) whose blocks of columns are in truth (H, K), to (4H, K).
  private static func fromCuDNN(_ tensor: StoredTensor, hidden h: Int) -> StoredTensor {
    let k = tensor.shape[0]
    return .concatenating((0..<4).map { tensor.gathering([$0 * h..<($0 + 1) * h], axis: 1).reshaped([h, k]) })
  }

  private static func toCuDNN(_ tensor: StoredTensor) -> StoredTensor {
    let (h, k) = (tensor.shape[0] / 4, tensor.shape[1])
    return .concatenating((0..<4).map { tensor.gathering([$0 * h..<($0 + 1) * h]).reshaped([k, h]) }, axis: 1)
  }

  /// The file's blocks in the order i, f, g, o.
  private var toCanonical: [Int] { Gate.of(.lstm).map { gate in gates.firstIndex(of: gate) ?? 0 } }
  /// The canonical blocks in the file's order.
  private var fromCanonical: [Int] { gates.map(\.rawValue) }

  // MARK: - Writing

  /// The tensors of a cell as a file of this layout has them. The cell has what the layout can hold:
  /// see `Exportable.cells`, which refuses or sums.
  func write(_ cell: RecurrentCell) -> Parts {
    let h = cell.hiddenSize
    let input = cell.inputWeight.reordering(fromCanonical), recurrent = cell.recurrentWeight.reordering(fromCanonical)
    func blocks(_ tensor: StoredTensor) -> [StoredTensor] {
      (0..<4).map { tensor.gathering([$0 * h..<($0 + 1) * h]) }
    }
    var parts: Parts
    switch matrices {
    case .rows: parts = Parts(input: [input], recurrent: [recurrent])
    case .columns: parts = Parts(input: [input.transposed()], recurrent: [recurrent.transposed()])
    case .cudnn: parts = Parts(input: [Self.toCuDNN(input)], recurrent: [Self.toCuDNN(recurrent)])
    case .fused: parts = Parts(input: [.concatenating([input.transposed(), recurrent.transposed()])])
    case .perGate:
      parts = Parts(input: blocks(input).map { $0.transposed() }, recurrent: blocks(recurrent).map { $0.transposed() })
    }
    func bias(_ tensor: StoredTensor?) -> [StoredTensor] {
      guard let ordered = tensor?.reordering(fromCanonical) else { return [] }
      return matrices == .perGate ? blocks(ordered) : [ordered]
    }
    if biases == .joined {
      if let one = bias(cell.inputBias).first, let other = bias(cell.recurrentBias).first {
        parts.inputBias = [.concatenating([one, other])]
      }
    } else {
      parts.inputBias = bias(cell.inputBias)
      parts.recurrentBias = bias(cell.recurrentBias)
    }
    parts.projection = cell.projection
    parts.peephole = cell.peephole
    return parts
  }
}

extension RecurrentLayout {
  var isFused: Bool { matrices == .fused }

  /// What reading does to a part of a cell, for the report; nil where it comes as it is.
  func how(_ kind: RecurrentPart) -> String? {
    let order = "gates \(gates.map { String($0.letter) }.joined(separator: " ")) put in order"
    let reordered = gates == Gate.of(.lstm) ? [] : [order]
    var steps: [String]
    switch (kind, matrices) {
    case (.inputWeight, .rows), (.recurrentWeight, .rows): steps = []
    case (.inputWeight, .columns), (.recurrentWeight, .columns): steps = ["transposed"]
    case (.inputWeight, .cudnn), (.recurrentWeight, .cudnn): steps = ["each gate's block read as (H, K)"]
    case (.inputWeight, .fused): steps = ["the rows of the input, transposed"]
    case (.recurrentWeight, .fused): steps = ["the rows of the state, transposed"]
    case (.inputWeight, .perGate), (.recurrentWeight, .perGate): steps = ["four gates joined, transposed"]
    case (.inputBias, _), (.recurrentBias, _):
      steps = biases == .joined ? ["one half of the bias"] : matrices == .perGate ? ["four gates joined"] : []
    case (.projection, _): return matrices == .fused ? "transposed" : nil
    case (.peephole, _): return matrices == .fused ? "three gates joined" : nil
    case (.initialHidden, _), (.initialCell, _): return nil
    }
    if matrices != .perGate { steps += reordered }
    return steps.isEmpty ? nil : steps.joined(separator: ", ")
  }
}

extension StoredTensor {
  /// - Parameter wanted: nil where any size from 1 will do.
  func require(_ wanted: [Int?], _ what: String, _ because: String) throws(CheckpointError) {
    let fits =
      shape.count == wanted.count
      && zip(shape, wanted).allSatisfy { found, size in
        size.map { $0 == found } ?? (1...4 * PlainStack.sizeLimit ~= found)
      }
    guard fits else {
      let text = wanted.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + (wanted.count == 1 ? "," : "")
      throw .misshapen(tensor: name, expected: "\(what) of shape (\(text)), for \(because)", found: shapeText(shape))
    }
  }

  func requireRank(_ rank: Int, _ what: String) throws(CheckpointError) {
    guard shape.count == rank, shape.allSatisfy({ 1...4 * PlainStack.sizeLimit ~= $0 }) else {
      throw .misshapen(tensor: name, expected: "\(what), \(rank) dimensions of at least 1", found: shapeText(shape))
    }
  }

  /// H of an axis of 4H.
  func gateCount(axis: Int) throws(CheckpointError) -> Int {
    guard shape.indices.contains(axis), shape[axis] >= 4, shape[axis] % 4 == 0,
      shape[axis] / 4 <= PlainStack.sizeLimit
    else { throw .misshapen(tensor: name, expected: "a dimension of four gates", found: shapeText(shape)) }
    return shape[axis] / 4
  }
}
