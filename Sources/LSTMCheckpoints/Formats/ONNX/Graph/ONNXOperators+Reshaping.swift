import FileIO

/// A piece of an axis that a reshape puts beside others, or cuts where it is a factor of a row.
struct ONNXAtom: Equatable {
  enum Kind: Equatable {
    case batch, time
    /// With what orders it among those of a row.
    case row([Int])
  }
  var kind: Kind
  var size: ONNXSize
}

extension ONNXTranslator {
  func atoms(_ rows: ONNXRows, of axes: [ONNXRows.Axis]) -> [ONNXAtom] {
    axes.flatMap { axis -> [ONNXAtom] in
      let size = self.size(of: axis, rows) ?? ONNXSize(factor: 1, symbols: [-1])
      switch axis {
      case .one: return []
      case .batch: return [ONNXAtom(kind: .batch, size: size)]
      case .time: return [ONNXAtom(kind: .time, size: size)]
      case .row(let factor): return [ONNXAtom(kind: .row([factor]), size: size)]
      case .merged(let inner): return atoms(rows, of: inner)
      }
    }
  }

  /// The rows under another shape, when their axes only merge, or come apart as they were merged.
  /// - Parameter target: sizes; -1 and what is not known stand for the rest, 0 for the size that was there.
  mutating func reshaped(
    _ rows: ONNXRows, _ target: [ONNXSize?], _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    func refuse() -> ONNXRefusal { ONNXRefusal(detail: "what it makes of its input's axes is not understood here") }
    guard target.count <= ONNXTensor.rankLimit else { throw refuse() }
    var open = atoms(rows, of: rows.axes)
    var wanted: [ONNXSize?] = []
    for (index, size) in target.enumerated() {
      if size == ONNXSize(factor: 0) {
        guard rows.axes.indices.contains(index), let copied = self.size(of: rows.axes[index], rows) else {
          throw refuse()
        }
        wanted.append(copied)
      } else {
        wanted.append(size == ONNXSize(factor: -1) ? nil : size)
      }
    }
    let wild = wanted.indices.filter { wanted[$0] == nil }
    guard wild.count <= 1 else { throw refuse() }
    if wild.isEmpty { countSteps(rows, &open, wanted.compactMap { $0 }, node) }
    var groups = [[ONNXAtom]](repeating: [], count: wanted.count)
    for index in 0..<(wild.first ?? wanted.count) {
      guard let size = wanted[index], let group = Self.take(size, from: &open, atEnd: false) else { throw refuse() }
      groups[index] = group
    }
    if let wild = wild.first {
      for index in stride(from: wanted.count - 1, to: wild, by: -1) {
        guard let size = wanted[index], let group = Self.take(size, from: &open, atEnd: true) else { throw refuse() }
        groups[index] = group
      }
      groups[wild] = open
    } else {
      guard open.allSatisfy({ $0.size == ONNXSize(factor: 1) }) else { throw refuse() }
      if let last = groups.indices.last { groups[last] += open }
    }
    return try regrouped(rows, groups, node)
  }

  /// Exporters write the number of steps that they saw; where all other sizes are known, it is what is left.
  private mutating func countSteps(
    _ rows: ONNXRows, _ atoms: inout [ONNXAtom], _ wanted: [ONNXSize], _ node: ONNXModel.Node
  ) {
    func product(_ sizes: [ONNXSize]) -> ONNXSize? {
      sizes.reduce(ONNXSize(factor: 1)) { product, size in product.flatMap { $0 * size } }
    }
    let places = atoms.indices.filter { atoms[$0].kind == .time && atoms[$0].size.known == nil }
    guard places.count == 1, let all = product(wanted),
      let others = product(atoms.indices.filter { $0 != places[0] }.map { atoms[$0].size }),
      all.symbols == others.symbols, others.factor > 0, all.factor > 0, all.factor % others.factor == 0
    else { return }
    let steps = all.factor / others.factor
    atoms[places[0]].size = ONNXSize(factor: steps)
    draft.fix(steps: steps, of: rows.source)
    note("\(node.description) is written for \(steps) step\(steps == 1 ? "" : "s"); here there may be any number")
  }

  /// Atoms whose sizes multiply to a size, off one end; a factor of a row may be cut.
  private static func take(_ size: ONNXSize, from atoms: inout [ONNXAtom], atEnd: Bool) -> [ONNXAtom]? {
    var product = ONNXSize(factor: 1)
    var group: [ONNXAtom] = []
    while var next = atEnd ? atoms.last : atoms.first, group.isEmpty || product != size {
      guard let grown = product * next.size else { return nil }
      // A batch of one goes with the first that may have it.
      if product == size, grown != size { break }
      let isWhole = size.symbols.count >= grown.symbols.count && grown.factor > 0 && size.factor % grown.factor == 0
      if !isWhole {
        guard case .row(let order) = next.kind, let known = next.size.known, size.symbols == product.symbols,
          product.factor > 0, size.factor % product.factor == 0
        else { break }
        let need = size.factor / product.factor
        guard need > 1, known % need == 0, need < known else { break }
        // The first part of a factor is its outer one.
        var rest = next
        rest.size = ONNXSize(factor: known / need)
        rest.kind = .row(order + [atEnd ? 0 : 1])
        next.size = ONNXSize(factor: need)
        next.kind = .row(order + [atEnd ? 1 : 0])
        if atEnd { atoms[atoms.count - 1] = rest } else { atoms[0] = rest }
        group.insert(next, at: atEnd ? 0 : group.count)
        return group
      }
      product = grown
      if atEnd { group.insert(atoms.removeLast(), at: 0) } else { group.append(atoms.removeFirst()) }
    }
    return product == size ? group : nil
  }

  /// Axes made of groups of atoms; adds layers where values change their order.
  mutating func regrouped(
    _ rows: ONNXRows, _ groups: [[ONNXAtom]], _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    // All factors in their order in a row.
    var orders = groups.joined().compactMap { atom -> (order: [Int], size: Int)? in
      if case .row(let order) = atom.kind { (order, atom.size.known ?? 1) } else { nil }
    }
    orders.sort { $0.order.lexicographicallyPrecedes($1.order) }
    func rank(_ order: [Int]) -> Int { orders.firstIndex { $0.order == order } ?? 0 }
    var axes: [ONNXRows.Axis] = []
    var factors: [Int] = orders.map(\.size)
    var joins: [[Int]] = []
    for group in groups {
      let ranks = group.compactMap { atom -> Int? in if case .row(let order) = atom.kind { rank(order) } else { nil } }
      if group.isEmpty {
        axes.append(.one)
      } else if ranks.count == group.count {
        // Side by side as in the row, or all of it in another order.
        if ranks == Array(ranks[0]..<ranks[0] + ranks.count) {
          axes.append(.row(ranks[0]))
          joins.append(ranks)
        } else {
          return try reordered(rows, factors, ranks, groups, node)
        }
      } else if ranks.isEmpty {
        let kinds = group.map { $0.kind == .batch ? ONNXRows.Axis.batch : .time }
        axes.append(kinds.count == 1 ? kinds[0] : .merged(kinds))
      } else if !group.contains(where: { $0.kind == .time }) {
        // Batch and heads as one axis.
        axes.append(
          .merged(
            group.map { atom -> ONNXRows.Axis in
              if case .row(let order) = atom.kind { .row(rank(order)) } else { .batch }
            }))
      } else {
        if let made = try split(rows, group, groups, node) { return made }
        return try flattened(rows, group, groups, node)
      }
    }
    // Factors that now are one.
    for ranks in joins.sorted(by: { $0[0] > $1[0] }) where ranks.count > 1 {
      factors.replaceSubrange(ranks[0]..<ranks[0] + ranks.count, with: [ranks.reduce(1) { $0 * factors[$1] }])
      func moved(_ axis: ONNXRows.Axis) -> ONNXRows.Axis {
        switch axis {
        case .row(let other) where other > ranks[0]: .row(other - ranks.count + 1)
        case .merged(let inner): .merged(inner.map(moved))
        default: axis
        }
      }
      axes = axes.map(moved)
    }
    var made = ONNXRows(source: rows.source, axes: axes, factors: factors)
    made.isWhole = rows.isWhole
    return made
  }

  /// A row of two factors read the other way round.
  private mutating func reordered(
    _ rows: ONNXRows, _ factors: [Int], _ ranks: [Int], _ groups: [[ONNXAtom]], _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard factors.count == 2, ranks == [1, 0] else {
      throw ONNXRefusal(detail: "it puts the values of a row in an order that is not understood here")
    }
    let turned = try turned(rows.source, channels: factors[0], node)
    return ONNXRows(source: turned, axes: axes(groups), factors: [factors[0] * factors[1]])
  }

  /// Rows (C, F) as rows (F, C).
  mutating func turned(_ source: Int, channels: Int, _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int {
    let grid = try self.grid(source, channels: channels, node)
    return try layer(Layer.Reshape(.channelsLast), [grid], node)
  }

  /// The rows as a grid of a number of channels.
  mutating func grid(_ source: Int, channels: Int, _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int {
    if draft[source].value.grid?.channels == channels { return source }
    return try layer(Layer.Reshape(.grid, channels: channels), [source], node)
  }

  /// The rows without a division.
  mutating func plain(_ source: Int, _ node: ONNXModel.Node) throws(ONNXRefusal) -> Int {
    draft[source].value.grid == nil ? source : try layer(Layer.Reshape(.row), [source], node)
  }

  /// Each step as several: the outer part of its row goes with time.
  private mutating func split(
    _ rows: ONNXRows, _ group: [ONNXAtom], _ groups: [[ONNXAtom]], _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    func orders(_ atoms: some Sequence<ONNXAtom>) -> [[Int]] {
      atoms.compactMap { if case .row(let order) = $0.kind { order } else { nil } }
    }
    let inner = groups.filter { $0 != group && !orders($0).isEmpty }
    guard group.first?.kind == .time, inner.count == 1, inner[0].count == orders(inner[0]).count else { return nil }
    let all = orders(group) + orders(inner[0])
    guard orders(group).count == group.count - 1,
      zip(all, all.dropFirst()).allSatisfy({ $0.lexicographicallyPrecedes($1) })
    else { return nil }
    let steps = group.dropFirst().reduce(1) { $0 * ($1.size.known ?? 1) }
    let source = try layer(Layer.Reshape(.split, steps: steps), [try plain(rows.source, node)], node)
    return ONNXRows(source: source, axes: axes(groups), factors: [draft[source].value.width])
  }

  /// The axes of groups of which one has all that is left of a row.
  private func axes(_ groups: [[ONNXAtom]]) -> [ONNXRows.Axis] {
    groups.map { atoms in
      switch atoms.first?.kind {
      case nil: .one
      case .batch where atoms.count > 1 && atoms.allSatisfy({ $0.kind == .batch || $0.kind == .time }):
        .merged(atoms.map { $0.kind == .batch ? .batch : .time })
      case .batch: .batch
      case .time: .time
      case .row: .row(0)
      }
    }
  }

  /// Time and features as one axis: all steps of a sequence side by side.
  private mutating func flattened(
    _ rows: ONNXRows, _ group: [ONNXAtom], _ groups: [[ONNXAtom]], _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    let ranks = group.compactMap { atom -> [Int]? in if case .row(let order) = atom.kind { order } else { nil } }
    let all = groups.joined().filter { if case .row = $0.kind { true } else { false } }.count
    let isInOrder = zip(ranks, ranks.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) }
    guard isInOrder, ranks.count == all, !group.contains(where: { $0.kind == .batch }),
      group.first?.kind == .time || group.last?.kind == .time
    else { throw ONNXRefusal(detail: "it joins axes in a way that is not understood here") }
    guard let steps = steps(of: rows.source) else {
      throw ONNXRefusal(
        detail: "it reads a fixed number of steps, which the file does not say",
        advice: ["export it with the number of time steps fixed"])
    }
    draft.fix(steps: steps, of: rows.source)
    var flatten = Layer.Flatten()
    flatten.isFeatureFirst = group.first?.kind != .time
    let source = try layer(flatten, [rows.source], node)
    let axes = groups.map { group -> ONNXRows.Axis in group.isEmpty ? .one : group[0].kind == .batch ? .batch : .row(0)
    }
    return ONNXRows(source: source, axes: axes, factors: [draft[source].value.width])
  }
}
