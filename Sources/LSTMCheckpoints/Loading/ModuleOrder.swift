/// The orders in which modules fit together, for a file that does not keep the model's own.
enum ModuleOrder {
  /// At most 24, the likely ones, each with what reads what the one before gives.
  static func orders(of modules: [TensorModule], _ kinds: TensorKinds) -> [[TensorModule]] {
    guard modules.count <= 24 else { return [] }
    var found: [[Int]] = []
    var budget = 20_000
    func isTable(_ index: Int) -> Bool {
      modules[index].isLinear && !modules[index].hasBias
        && modules[index].parts.values.contains { kinds.kind(of: $0) == .embedding }
    }
    /// What has a number comes after what has a smaller one.
    func mayFollow(_ index: Int, _ rest: Set<Int>) -> Bool {
      let own = modules[index]
      let stem = own.path.filter { !$0.isNumber }
      return !rest.contains { other in
        let module = modules[other]
        if other == index || module.path.filter({ !$0.isNumber }) != stem { return false }
        return module.path == own.path ? module.layer < own.layer : isNaturallyBefore(module.path, own.path)
      }
    }
    /// A head may read several steps or readouts at once, or one direction.
    func mayRead(_ index: Int, _ width: Int?, _ order: [Int]) -> Bool {
      // A spectrum is of the signal itself.
      if modules[index].isSpectrum != order.isEmpty, modules.contains(where: \.isSpectrum) { return false }
      guard let width, let reads = modules[index].reads, reads != width else { return true }
      if order.count == 1, modules[order[0]].isSpectrum { return 2 * reads == width }
      let isHead = modules[index].isLinear && order.contains { modules[$0].recurrent != nil }
      // What nothing else gives is read beside an input of its own.
      let isBeside = reads > width && !modules.contains { $0.gives == reads }
      return isHead && (reads % width == 0 || reads * 2 == width || isBeside)
    }
    func extend(_ order: [Int], _ rest: Set<Int>, _ width: Int?) {
      budget -= 1
      guard budget > 0, found.count < 24 else { return }
      if rest.isEmpty {
        found.append(order)
        return
      }
      // The layers of one recurrent module have nothing between them.
      let level = order.last.flatMap { last in
        modules[last].recurrent == nil
          ? nil : rest.first { modules[$0].path == modules[last].path && modules[$0].layer == modules[last].layer + 1 }
      }
      for index in level.map({ [$0] }) ?? rest.sorted() where mayFollow(index, rest) {
        if order.isEmpty, isTable(index), case .linear(_, let inputs) = modules[index].content {
          extend([index], rest.subtracting([index]), inputs)
          continue
        }
        if isTable(index) { continue }
        guard mayRead(index, width, order) else { continue }
        extend(order + [index], rest.subtracting([index]), modules[index].gives ?? width)
      }
    }
    let tables = modules.indices.filter(isTable)
    if let first = tables.first, tables.count == 1, case .linear(_, let inputs) = modules[first].content {
      extend([first], Set(modules.indices).subtracting([first]), inputs)
    } else {
      extend([], Set(modules.indices), nil)
    }
    let orders = found.map { $0.map { modules[$0] } }
    // Convolutions that are numbered through are one front, with nothing recurrent between them.
    let whole = orders.filter { order in
      let places = order.indices.filter { order[$0].isFront }
      guard let first = places.first, let last = places.last else { return true }
      let isNumbered = Set(places.map { order[$0].path.filter { !$0.isNumber } }).count == 1
      return !isNumbered || !order[first...last].contains { $0.recurrent != nil }
    }
    // Two normalizations in a row have no use, and `bn1` goes with `conv1`.
    func goTogether(_ order: [TensorModule]) -> Bool {
      order.indices.allSatisfy { at in
        guard order[at].isNormalization else { return true }
        let before = at == 0 ? nil : order[at - 1]
        if before?.isNormalization ?? false { return false }
        let number = order[at].path.filter(\.isNumber)
        let isNumbered = !number.isEmpty && order.contains { $0.isFront && $0.path.filter(\.isNumber) == number }
        return !isNumbered || before?.isFront ?? false && before?.path.filter(\.isNumber) == number
      }
    }
    return [whole.filter(goTogether), whole, orders.filter(goTogether)].first { !$0.isEmpty } ?? orders
  }
}
