import FileIO

/// The cells of a file put in order: which is above which, and which two are the directions of one layer.
struct NamedStack: FileReading {
  let file: String
  struct Direction {
    let cell: RecurrentCell
    let module: String
  }

  struct Layer {
    let path: ModulePath
    var forward: Direction
    var backward: Direction?

    var inputSize: Int { forward.cell.inputSize }
    var outputSize: Int { stateSize(forward.cell) + (backward.map { stateSize($0.cell) } ?? 0) }

    private func stateSize(_ cell: RecurrentCell) -> Int { cell.recurrentWeight.shape[1] }
  }

  private(set) var layers: [Layer] = []
  private(set) var notes: [Message] = []
  private(set) var assumed: [Assumption] = []

  /// - Throws: `CheckpointError.misshapen` naming a tensor that does not go with the others of its cell; `.ambiguous` when
  ///   neither names nor widths tell the order.
  init(
    _ cells: [NamedCells.Cell], names: LayoutNames, layout: RecurrentLayout, file: String, options: LoadOptions
  ) throws(CheckpointError) {
    self.file = file
    guard cells.count <= 2 * PlainStack.depthLimit else {
      throw ambiguous(
        "holds \(cells.count) LSTM cells; a model has at most \(PlainStack.depthLimit) layers",
        "choose one LSTM with \(.prefix)")
    }
    try pair(cells, names: names, layout: layout)
    layers.sort { ModulePath.isBefore($0.path, $1.path) }
    if follow(options.given) { return }
    if let stack = options.stack {
      try order(as: stack)
      return
    }
    let isOrdered = zip(layers, layers.dropFirst()).allSatisfy { ModulePath.areComparable($0.path, $1.path) }
    if isOrdered {
      try checkWidths()
      if options.given == nil, layers.count > 1 { assumed.append(.oneStack(moduleList)) }
    } else {
      try orderByWidth()
    }
  }

  func add(to translation: inout Translation, _ layout: RecurrentLayout) {
    for (index, layer) in layers.enumerated() {
      translation.add(layer.forward.cell, layer: index, how: layout.how)
      if let backward = layer.backward {
        translation.add(backward.cell, layer: index, reverse: true, how: layout.how)
      }
    }
    translation.notes += notes
    translation.assumed += assumed
  }

  // MARK: - Directions

  private mutating func pair(
    _ cells: [NamedCells.Cell], names: LayoutNames, layout: RecurrentLayout
  ) throws(CheckpointError) {
    let numbersCells = names.numbersCells
    let paths = cells.map { ModulePath($0.module, numbersCells: numbersCells) }
    let backward = Set(paths.filter { $0.marker != nil && $0.isReverse }.map(\.parts))
    let forward = Set(paths.filter { $0.marker != nil && !$0.isReverse }.map(\.parts))
    let pairs = forward.intersection(backward)
    var places: [[NumberedWord]: Int] = [:]
    var later: [Direction] = []
    for (cell, path) in zip(cells, paths) {
      let direction = Direction(
        cell: try layout.read(try cell.parts(layout, names: names, file: file)), module: cell.module)
      if path.marker != nil, pairs.contains(path.parts) {
        if path.isReverse {
          later.append(direction)
          continue
        }
        places[path.parts] = layers.count
        layers.append(Layer(path: path, forward: direction))
      } else if let marker = path.marker, path.isReverse, ["bw", "backward_rnn", "backward_layer"].contains(marker) {
        throw ambiguous(
          "\(cell.module) reads from the end, and there is no cell that reads from the start",
          "choose a part of the file with \(.prefix), or rename it with \(.rules, "REGEX=REPLACEMENT")")
      } else {
        layers.append(Layer(path: ModulePath(plain: cell.module, numbersCells: numbersCells), forward: direction))
      }
    }
    for direction in later {
      let path = ModulePath(direction.module, numbersCells: numbersCells)
      guard let at = places[path.parts], layers[at].backward == nil else {
        throw ambiguous(
          "\(direction.module) is the second cell of its layer that reads from the end",
          "choose a part of the file with \(.prefix)")
      }
      layers[at].backward = direction
    }
    if !pairs.isEmpty {
      let pair = layers.first { $0.backward != nil }
      notes.append(
        "\(pair?.forward.module ?? "") and \(pair?.backward?.module ?? "") are the two directions of a layer")
    }
  }

  /// Names without directions, and a configuration that has some: the cells are taken in the order of their names, forward
  /// before backward.
  private mutating func follow(_ configuration: PlainStack?) -> Bool {
    guard let configuration, configuration.layers.contains(where: \.isBidirectional),
      layers.allSatisfy({ $0.backward == nil }),
      layers.count == configuration.layers.reduce(0, { $0 + $1.directions })
    else { return false }
    var cells = layers.makeIterator()
    var made: [Layer] = []
    for layer in configuration.layers {
      guard var next = cells.next() else { break }
      if layer.isBidirectional { next.backward = cells.next()?.forward }
      made.append(next)
    }
    layers = made
    notes.append("the directions are those of the configuration, in the order of the names, forward first")
    return true
  }

  // MARK: - Order

  private var moduleList: String { nameList(layers.map(\.forward.module)) }

  /// The order that a user gives.
  private mutating func order(as given: [String]) throws(CheckpointError) {
    let wanted = given.map { $0.dotted }
    let modules = layers.map(\.forward.module)
    guard wanted.count == modules.count, Set(wanted) == Set(modules) else {
      throw .invalid(.stack, "\(given.joined(separator: ","))", "expected all of \(modules.joined(separator: ", "))")
    }
    layers = wanted.compactMap { module in layers.first { $0.forward.module == module } }
    try checkWidths()
    notes.append("one stack in the order of \(.stack): \(moduleList)")
  }

  private func checkWidths() throws(CheckpointError) {
    guard layers.count > 1 else { return }
    for (below, above) in zip(layers, layers.dropFirst()) where above.inputSize != below.outputSize {
      throw ambiguous(
        "holds \(layers.count) LSTMs that do not make one stack: \(moduleList); \(above.forward.module) reads "
          + "\(above.inputSize) values, but \(below.forward.module) gives \(below.outputSize)",
        "choose one with \(.prefix), or leave the others out with \(.allowedUnexpected, "\(above.forward.module)*")",
        "if two of them are the directions of one layer, describe the model with \(.configuration): its layers are filled in "
          + "the order of the names, forward first")
    }
  }

  /// Names of different kinds tell no order: each must read what another gives, in one way only.
  private mutating func orderByWidth() throws(CheckpointError) {
    guard layers.count <= 64, let order = onlyOrder(layers.map { ($0.inputSize, $0.outputSize) }) else {
      throw ambiguous(
        "holds \(layers.count) LSTMs whose order neither their names nor their widths tell: \(moduleList)",
        "number them in order with \(.rules), for example \(.rules, "^\(layers[0].forward.module)\\.=lstm_0.")",
        "or choose one with \(.prefix)")
    }
    layers = order.map { layers[$0] }
    notes.append("one stack of \(layers.count) layers, each reading what the one before gives: \(moduleList)")
  }
}

/// The order in which each of some parts reads what the one before gives, when there is one alone.
func onlyOrder(_ parts: [(reads: Int, gives: Int)]) -> [Int]? {
  var ways: [[Int]] = []
  var steps = 0
  func extend(_ path: [Int], _ used: Set<Int>) {
    steps += 1
    guard ways.count < 2, steps < 10_000 else { return }
    if path.count == parts.count { return ways.append(path) }
    for next in parts.indices where !used.contains(next) {
      if let last = path.last, parts[last].gives != parts[next].reads { continue }
      extend(path + [next], used.union([next]))
    }
  }
  extend([], [])
  return ways.count == 1 && steps < 10_000 ? ways[0] : nil
}
