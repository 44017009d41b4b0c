import FileIO

/// The cells of a file by the names of one layout, and the tensors that are none of theirs.
struct NamedCells {
  /// The tensors of one cell.
  struct Cell {
    /// Dotted.
    let module: String
    var tensors: [LayoutNames.Slot: Candidate] = [:]

    func has(_ kind: LayoutNames.Kind) -> Bool { tensors.keys.contains { $0.kind == kind } }
  }

  /// In the file's order.
  private(set) var cells: [Cell] = []
  private(set) var others: [Candidate] = []

  /// - Throws: `CheckpointError.ambiguous` when two tensors of a cell go by names of the same part.
  init(_ candidates: [Candidate], names: LayoutNames, file: String) throws(CheckpointError) {
    var places: [String: Int] = [:]
    var groups: [Cell] = []
    var found: [Int?] = []
    var twins: [Int: (String, String)] = [:]
    // The longest first: `projection.kernel` is no kernel of a module `projection`.
    let leaves = names.leaves.sorted { $0.path.utf8.count > $1.path.utf8.count }
    let endings = Set(leaves.map { Self.ending($0.path) })
    found.reserveCapacity(candidates.count)
    for index in candidates.indices {
      let name = withoutVariableNumber(candidates[index].name)
      guard endings.contains(Self.ending(name)), let leaf = leaves.first(where: { Self.ends(name, $0.path) }) else {
        found.append(nil)
        continue
      }
      let candidate = candidates[index]
      let module = String(decoding: name.utf8.dropLast(leaf.path.utf8.count + 1), as: UTF8.self)
      let at = places[module] ?? groups.count
      if at == groups.count {
        places[module] = at
        groups.append(Cell(module: module))
      }
      if let twin = groups[at].tensors.updateValue(candidate, forKey: leaf.slot) {
        twins[at] = (twin.tensor.name, candidate.tensor.name)
      }
      found.append(at)
    }
    guard !groups.isEmpty else {
      others = candidates
      return
    }
    let isFused = !names.leaves.contains { $0.slot.kind == .recurrent }
    let foreign = Set(
      candidates.compactMap { candidate in
        names.foreignLeaf.flatMap { withoutVariableNumber(candidate.name).droppingSuffix("." + $0) }
      })
    var isCell = groups.map { group in
      guard isFused else { return group.has(.input) && group.has(.recurrent) }
      return group.has(.input) && Self.fits(group, names.module) && !foreign.contains(group.module)
    }
    // Of `lstm_model` and `lstm_model.lstm` the inner one is the cell.
    if case .containing = names.module {
      // Sorted with a dot at the end, what is inside of a module follows it.
      let sorted = groups.indices.filter { isCell[$0] }.map { (groups[$0].module + ".", $0) }.sorted { $0.0 < $1.0 }
      for (outer, inner) in zip(sorted, sorted.dropFirst()) where inner.0.hasPrefix(outer.0) { isCell[outer.1] = false }
    }
    for (index, twin) in twins.sorted(by: { $0.key < $1.key }) where isCell[index] {
      throw .ambiguous(
        file: file, detail: "\(twin.0) and \(twin.1) are names of the same part of a cell",
        advice: ["leave one out, for example \(.allowedUnexpected, twin.1)"])
    }
    cells = zip(groups, isCell).filter(\.1).map(\.0)
    others = zip(candidates, found).filter { _, group in group.map { !isCell[$0] } ?? true }.map(\.0)
  }

  /// Whether any tensor is named like a part of the layout's cells. Most layouts have none, which is quickly seen of many tensors.
  static func mayExist(_ endings: Set<Substring>, names: LayoutNames) -> Bool {
    names.leaves.contains { endings.contains(ending($0.path)) }
  }

  /// The last parts of the tensors' dotted names.
  static func endings(_ candidates: [Candidate]) -> Set<Substring> {
    var endings = Set<Substring>()
    for index in candidates.indices { endings.insert(ending(withoutVariableNumber(candidates[index].name))) }
    return endings
  }

  /// The last part of a dotted name.
  private static func ending(_ name: String) -> Substring {
    name[(name.utf8.lastIndex(of: UInt8(ascii: ".")).map(name.utf8.index(after:)) ?? name.startIndex)...]
  }

  /// Whether a dotted name is a leaf or ends in it.
  private static func ends(_ name: String, _ leaf: String) -> Bool {
    let (name, leaf) = (name.utf8, leaf.utf8)
    guard name.count >= leaf.count, name.suffix(leaf.count).elementsEqual(leaf) else { return false }
    return name.count == leaf.count || name.dropLast(leaf.count).last == UInt8(ascii: ".")
  }

  private static func fits(_ cell: Cell, _ rule: LayoutNames.Module) -> Bool {
    let parts = cell.module.split(separator: ".").filter { $0 != "~" }
    let last = parts.last.map { NumberedWord(String($0)).text.lowercased() } ?? ""
    switch rule {
    case .any: return true
    case .containing(let word): return last.contains(word)
    case .ending(let words): return words.contains { last.hasSuffix($0) }
    }
  }
}

extension NamedCells.Cell {
  /// Its tensors as the layout orders them.
  /// - Throws: `CheckpointError.ambiguous` naming a gate of which there is none.
  func parts(
    _ layout: RecurrentLayout, names: LayoutNames, file: String
  ) throws(CheckpointError) -> RecurrentLayout.Parts {
    func all(_ kind: LayoutNames.Kind, _ gates: [Gate]) throws(CheckpointError) -> [StoredTensor] {
      if let whole = tensors[.init(kind: kind)] { return [whole.tensor] }
      guard has(kind) else { return [] }
      var list: [StoredTensor] = []
      for gate in gates {
        guard let candidate = tensors[.init(kind: kind, gate: gate)] else {
          let wanted = names.first(.init(kind: kind, gate: gate)) ?? "a tensor"
          let present = tensors.filter { $0.key.kind == kind }.map(\.value.tensor.name).sorted()
          throw .ambiguous(
            file: file, detail: "\(module.isEmpty ? "the cell" : module) has no \(wanted) beside \(nameList(present))",
            advice: ["rename it with \(.rules, "REGEX=REPLACEMENT")"])
        }
        if let first = list.first, first.dataType != candidate.tensor.dataType {
          throw .misshapen(
            tensor: candidate.tensor.name, expected: "\(first.dataType.rawValue) like \(first.name)",
            found: candidate.tensor.dataType.rawValue)
        }
        list.append(candidate.tensor)
      }
      return list
    }
    var parts = RecurrentLayout.Parts(input: try all(.input, layout.gates))
    parts.recurrent = try all(.recurrent, layout.gates)
    parts.inputBias = try all(.inputBias, layout.gates)
    parts.recurrentBias = try all(.recurrentBias, layout.gates)
    if let projection = tensors[.init(kind: .projection)]?.tensor {
      try projection.requireRank(2, "the projection (H, P)")
      parts.projection = projection.transposed()
    }
    let peepholes = try all(.peephole, [.input, .forget, .output])
    if let first = peepholes.first {
      for tensor in peepholes {
        try tensor.require(first.shape.count == 1 ? first.shape : [nil], "a peephole (H)", "all")
      }
      parts.peephole = .concatenating(peepholes)
    }
    return parts
  }
}

/// A part of a name and the number at its end: `lstm_1`, `LSTMCell_0`, `7`. Without one it comes before all.
struct NumberedWord: Hashable {
  let text: String
  let number: Int

  init(_ word: String) {
    let digits = word.reversed().prefix { $0.isASCII && $0.isNumber }.count
    if digits > 0, digits < 10, let number = Int(word.suffix(digits)) {
      let rest = word.dropLast(digits)
      text = String(rest.hasSuffix("_") ? rest.dropLast() : rest)
      self.number = number
    } else {
      text = word
      number = -1
    }
  }
}

/// A module of a file, with the part taken out that tells a direction.
struct ModulePath: Hashable {
  let parts: [NumberedWord]
  var isReverse = false
  /// What stood for the direction; nil in most files.
  private(set) var marker: String?

  /// - Parameter numbersCells: false where the number of a cell tells no layer: `lstm_cell_1` is counted on and on.
  init(_ module: String, numbersCells: Bool = true) {
    var words = module.split(separator: ".").map(String.init)
    for index in words.indices.reversed() {
      guard let (reverse, rest) = Self.direction(words[index]) else { continue }
      marker = words[index]
      isReverse = reverse
      if rest.isEmpty { words.remove(at: index) } else { words[index] = rest }
      break
    }
    parts = Self.parts(words, numbersCells)
  }

  /// Without looking for a direction.
  init(plain module: String, numbersCells: Bool = true) {
    parts = Self.parts(module.split(separator: ".").map(String.init), numbersCells)
  }

  private static func parts(_ words: [String], _ numbersCells: Bool) -> [NumberedWord] {
    var parts = words.map(NumberedWord.init)
    if !numbersCells, parts.count > 1, let last = parts.last, last.text == "lstm_cell" {
      parts[parts.count - 1] = NumberedWord(last.text)
    }
    return parts
  }

  /// `forward_rnn`, `backward_lstm_1`, `fw`, `reverse`, `forwardLayer`: the direction and what is left.
  private static func direction(_ word: String) -> (Bool, String)? {
    let lower = word.lowercased()
    if lower == "fw" || lower == "bw" { return (lower == "bw", "") }
    for (prefix, reverse) in [("forward", false), ("backward", true), ("reverse", true)] {
      guard lower.hasPrefix(prefix) else { continue }
      let rest = word.dropFirst(prefix.count)
      if rest.isEmpty { return (reverse, "") }
      if rest.hasPrefix("_") { return (reverse, String(rest.dropFirst())) }
      if rest.first?.isUppercase == true { return (reverse, String(rest)) }
    }
    return nil
  }

  /// Whether names alone order two: they differ first in a number behind the same word.
  static func areComparable(_ a: ModulePath, _ b: ModulePath) -> Bool {
    for (x, y) in zip(a.parts, b.parts) where x != y { return x.text == y.text }
    return false
  }

  static func isBefore(_ a: ModulePath, _ b: ModulePath) -> Bool {
    for (x, y) in zip(a.parts, b.parts) where x != y {
      return x.text == y.text ? x.number < y.number : x.text < y.text
    }
    return a.parts.count < b.parts.count
  }
}
