import FileIO

extension Layout {
  /// Code written from scratch: a matrix for each gate over state and input joined, Wf, Wi, Wg and Wo (H, H + I), the
  /// state's columns first.
  public static let gates = Layout("gates")
  /// The same with the input's columns first.
  public static let gatesInputFirst = Layout("gates-input-first")
}

/// Finds cells whose gates have a matrix each, under the letters of the gates.
enum GateNames {
  private struct Cell {
    var weights: [Gate: Candidate] = [:]
    var states: [Gate: Candidate] = [:]
    var biases: [Gate: Candidate] = [:]
    var headWeight: Candidate?
    var headBias: Candidate?

    var all: [Candidate] {
      [weights.values, states.values, biases.values].flatMap { $0 } + [headWeight, headBias].compactMap { $0 }
    }
  }

  private static let letters: [Character: Gate] = ["i": .input, "f": .forget, "g": .cell, "c": .cell, "o": .output]

  /// nil when the names are not those, or shapes do not go with them.
  static func translate(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation? {
    let layout = options.layout ?? .gates
    guard [.gates, .gatesInputFirst].contains(layout) else { return nil }
    var cells: [(module: String, cell: Cell)] = []
    var others: [Candidate] = []
    for candidate in candidates {
      let (module, leaf) = candidate.name.moduleAndLeaf
      let at = cells.firstIndex { $0.module == module } ?? cells.count
      if at == cells.count { cells.append((module, Cell())) }
      if !take(candidate, leaf, &cells[at].cell) { others.append(candidate) }
    }
    let whole = cells.filter { $0.cell.weights.count == 4 }
    guard !whole.isEmpty, whole.count == cells.filter({ !$0.cell.weights.isEmpty }).count,
      !others.contains(where: { PyTorchName($0.name) != nil })
    else { return nil }
    for (_, cell) in cells where cell.weights.isEmpty { others += cell.all }
    var translation = Translation(layout, evidence: ["Wf, Wi, Wg and Wo: a matrix for each gate"])
    if options.layout != nil { translation.evidence = ["\(.layout, layout.rawValue)"] }
    for (index, (_, cell)) in whole.sorted(by: { isNaturallyBefore($0.module, $1.module) }).enumerated() {
      guard let read = try read(cell, isInputFirst: layout == .gatesInputFirst) else { return nil }
      translation.add(read.cell, layer: index) { _ in read.how }
      for (name, head) in [("weight", cell.headWeight), ("bias", cell.headBias)] {
        guard let head else { continue }
        let made = self.head(head, hidden: read.cell.hiddenSize, isTransposed: read.isTransposed)
        translation.add("y.\(name)", made.tensor, how: made.how)
      }
      if options.layout == nil, read.isJoined {
        translation.assumed.add(
          "each gate's matrix has the state's \(read.cell.hiddenSize) columns first, then the input's",
          change: "\(.layout, "gates-input-first")")
      }
    }
    for other in others { translation.add(other.name, other.tensor, how: other.how) }
    return translation
  }

  /// `Wf`, `W_f`, `bf`, `Uf`; `Wy` and `by` of the layer behind.
  private static func take(_ candidate: Candidate, _ leaf: String, _ cell: inout Cell) -> Bool {
    let name = leaf.filter { $0 != "_" }
    guard name.count == 2, let first = name.first?.lowercased(), let last = name.lowercased().last else { return false }
    guard let gate = letters[last] else {
      guard last == "y" else { return false }
      if first == "w", candidate.shape.count == 2, cell.headWeight == nil {
        cell.headWeight = candidate
      } else if first == "b", cell.headBias == nil {
        cell.headBias = candidate
      } else {
        return false
      }
      return true
    }
    switch first {
    case "w" where candidate.shape.count == 2 && cell.weights[gate] == nil: cell.weights[gate] = candidate
    case "u" where candidate.shape.count == 2 && cell.states[gate] == nil: cell.states[gate] = candidate
    case "b" where candidate.shape.count <= 2 && cell.biases[gate] == nil: cell.biases[gate] = candidate
    default: return false
    }
    return true
  }

  private static func read(
    _ cell: Cell, isInputFirst: Bool
  ) throws(CheckpointError) -> (cell: RecurrentCell, how: String, isTransposed: Bool, isJoined: Bool)? {
    let gates = Gate.of(.lstm)
    let weights = gates.compactMap { cell.weights[$0]?.tensor }, states = gates.compactMap { cell.states[$0]?.tensor }
    guard let first = weights.first, first.shape.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 }) else {
      return nil
    }
    for tensor in weights { try tensor.require(first.shape, "a gate's matrix", "all gates") }
    let isJoined = states.isEmpty
    let hidden: Int
    let isTransposed: Bool
    if isJoined {
      // The longer side is that of state and input.
      guard first.shape[0] != first.shape[1] else { return nil }
      (hidden, isTransposed) = (min(first.shape[0], first.shape[1]), first.shape[0] > first.shape[1])
    } else {
      guard states.count == 4, let state = states.first, state.shape[0] == state.shape[1],
        first.shape[0] != first.shape[1], first.shape.contains(state.shape[0])
      else { return nil }
      for tensor in states { try tensor.require(state.shape, "a gate's (H, H)", "all gates") }
      (hidden, isTransposed) = (state.shape[0], first.shape[0] != state.shape[0])
    }
    let rows = weights.map { isTransposed ? $0.transposed() : $0 }
    let all = StoredTensor.concatenating(rows)
    let columns = all.shape[1]
    var made: RecurrentCell
    if isJoined {
      let stateColumns = isInputFirst ? columns - hidden..<columns : 0..<hidden
      let inputColumns = isInputFirst ? 0..<columns - hidden : hidden..<columns
      made = RecurrentCell(
        inputWeight: all.gathering([inputColumns], axis: 1), recurrentWeight: all.gathering([stateColumns], axis: 1))
    } else {
      made = RecurrentCell(
        inputWeight: all, recurrentWeight: .concatenating(states.map { isTransposed ? $0.transposed() : $0 }))
    }
    let biases = gates.compactMap { cell.biases[$0]?.tensor }
    if !biases.isEmpty {
      guard biases.count == 4, biases.allSatisfy({ $0.elementCount == hidden }) else { return nil }
      made.inputBias = .concatenating(biases.map { $0.reshaped([hidden]) })
    }
    return (made, "four gates joined" + (isTransposed ? ", transposed" : ""), isTransposed, isJoined)
  }

  private static func head(_ head: Candidate, hidden: Int, isTransposed: Bool) -> (tensor: StoredTensor, how: String?) {
    let shape = head.shape
    if shape.count == 2, shape[0] == 1 || shape[1] == 1,
      head.name.lowercased().hasSuffix("by") || head.name.hasSuffix("b_y")
    {
      return (head.tensor.reshaped([head.tensor.elementCount]), "read as a vector")
    }
    guard shape.count == 2 else { return (head.tensor, nil) }
    let isTurned = shape[0] == shape[1] ? isTransposed : shape[1] != hidden && shape[0] == hidden
    return isTurned ? (head.tensor.transposed(), "transposed") : (head.tensor, nil)
  }
}
