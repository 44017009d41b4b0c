import FileIO

extension ONNXOperators {
  /// What takes parts of a value.
  static let picks = Family(["Gather", "Slice", "Split"]) { t, node throws(ONNXRefusal) in
    if let kept = t.keptParts(node) { return kept }
    if node.operation == "Gather", let step = t.stepOfMask(node) { return [step] }
    switch node.operation {
    case "Gather": return try t.gathered(node).map { [$0] }
    case "Slice": return try t.sliced(node).map { [$0] }
    default: return try t.split(node)
    }
  }
}

extension ONNXTranslator {
  fileprivate mutating func gathered(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    let at = integer(node, "axis") ?? 0
    if let table = weight(node, 0), case .rows(let rows)? = meaning(node, 1) {
      return try embedded(table, rows, at, node)
    }
    if let table = constant(node, 0), table.shape.count == 2, case .rows(let rows)? = meaning(node, 1), rows.isWhole,
      axis(at, 2) == 0, let (made, by) = dequantizedTable(table, node)
    {
      noteQuantized()
      guard case .rows(let looked)? = try embedded(made, rows, 0, node) else { return nil }
      return .quantized(looked, by)
    }
    if let list = numbers(node, 0), let indices = numbers(node, 1) {
      return axis(at, list.shape.count).flatMap { list.gathered(axis: $0, indices) }.map { .numbers($0) }
    }
    if let constant = weight(node, 0) {
      guard let place = axis(at, constant.shape.count), let indices = numbers(node, 1), indices.isScalar,
        let index = indices.known?[0]
      else { return nil }
      let count = constant.shape[place]
      let from = index < 0 ? index &+ count : index
      guard 0..<count ~= from else { return nil }
      var shape = constant.shape
      shape.remove(at: place)
      return constant.with(constant.value.gathering([from..<from + 1], axis: place).reshaped(shape)).map {
        .constant($0)
      }
    }
    if case .loopIndex? = meaning(node, 1) {
      switch meaning(node) {
      case .rows(let rows) where !rows.isWhole:
        guard let place = axis(at, rows.axes.count) else { return nil }
        return .rows(try loopStep(rows, place, isReversed: false, node))
      case .reversed(let rows):
        guard let place = axis(at, rows.axes.count) else { return nil }
        return .rows(try loopStep(rows, place, isReversed: true, node))
      default: return nil
      }
    }
    if let picked = try pickedReversed(node) { return picked }
    guard let rows = rows(node), let place = axis(at, rows.axes.count), let indices = numbers(node, 1),
      let known = indices.known, known.count == 1
    else { return nil }
    var taken = try pick(rows, place, known[0], node)
    if !indices.isScalar { taken.axes.insert(.one, at: place) }
    return .rows(taken)
  }

  /// One place of an axis, which goes.
  mutating func pick(
    _ rows: ONNXRows, _ place: Int, _ index: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    let count = size(of: rows.axes[place], rows)?.known
    let from = index < 0 ? count.map { index &+ $0 } : index
    var axes = rows.axes
    axes.remove(at: place)
    switch rows.axes[place] {
    case .one where from == 0: return rows.under(axes)
    case .batch where count == 1 && from == 0: return rows.under(axes)
    case .time: return rows.under(axes).of(try step(rows, index, count, node))
    case .row:
      guard let from, let count, 0..<count ~= from else { throw ONNXRefusal(detail: "it takes what is not there") }
      var taken = try slice(rows, place, from..<from + 1, node)
      taken.axes.remove(at: place)
      return taken
    default: throw ONNXRefusal(detail: "it takes a part of the batch")
    }
  }

  /// One step: the first, the last, or one of a known number.
  private mutating func step(
    _ rows: ONNXRows, _ index: Int, _ count: Int?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    let from = index < 0 ? count.map { index &+ $0 } : index
    let source: Int
    if index == -1 || count != nil && from == count.map({ $0 - 1 }) {
      source = try layer(Layer.Readout(.last), [rows.source], node)
    } else if from == 0 {
      source = try layer(Layer.Readout(.first), [rows.source], node)
    } else {
      guard let from, let count, 0..<count ~= from else {
        throw ONNXRefusal(
          detail:
            "it takes step \(index) of its input; of a number of steps that is not fixed the first and the last are known"
        )
      }
      source = try cut(rows.source, steps: from..<from + 1, of: count, node)
    }
    if let from, count != nil { unrolled.steps[source] = .init(layer: rows.source, step: from) }
    return source
  }

  /// Some steps side by side, of a known number.
  private mutating func cut(
    _ source: Int, steps: Range<Int>, of count: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    draft.fix(steps: count, of: source)
    var flat = unrolled.flat[source] ?? -1
    if flat < 0 {
      flat = try layer(Layer.Flatten(), [source], node)
      unrolled.flat[source] = flat
    }
    let width = draft[source].value.width
    return try layer(Layer.Slice(first: steps.lowerBound * width, count: steps.count * width), [flat], node)
  }

  /// Several steps of a known number, as steps.
  private mutating func steps(
    of rows: ONNXRows, from first: Int, count: Int, among all: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    let side = try cut(rows.source, steps: first..<first + count, of: all, node)
    return rows.of(try layer(Layer.Reshape(.steps, steps: count), [side], node))
  }

  /// Some places of an axis of a row, all of which lie together.
  mutating func slice(
    _ rows: ONNXRows, _ place: Int, _ range: Range<Int>, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard case .row(let factor) = rows.axes[place], range.upperBound <= rows.factors[factor], !range.isEmpty else {
      throw ONNXRefusal(detail: "it takes parts that are not there")
    }
    if range.count == rows.factors[factor] { return rows }
    guard factor == 0 else { throw ONNXRefusal(detail: "it takes parts that do not lie side by side in a row") }
    let inner = rows.factors[1...].reduce(1, *)
    let kind = Layer.Slice(first: range.lowerBound * inner, count: range.count * inner)
    let source: Int
    if let own = part(of: rows.source, kind) {
      source = own.count == draft[own.source].value.width ? own.source : try self.slice(own, node)
    } else {
      source = try layer(kind, [rows.source], node)
    }
    return ONNXRows(source: source, axes: rows.axes, factors: [range.count] + rows.factors[1...])
  }

  /// A part of rows, of which there is one alone.
  private mutating func slice(
    _ part: (source: Int, first: Int, count: Int), _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    try layer(Layer.Slice(first: part.first, count: part.count), [part.source], node)
  }

  /// What stands there in rows that were put side by side, or a part of it.
  private func part(of source: Int, _ slice: Layer.Slice) -> (source: Int, first: Int, count: Int)? {
    guard let merge = draft[source].kind as? Layer.Merge, merge.operation == .concatenate else { return nil }
    var first = 0
    for read in draft[source].reads {
      let value = draft[read].value
      if first <= slice.first, slice.first + slice.count <= first + value.width,
        value.isPerStep == draft[source].value.isPerStep, value.clock == draft[source].value.clock
      {
        return (read, slice.first - first, slice.count)
      }
      first += value.width
    }
    return nil
  }

  /// Token numbers looked up in a table.
  mutating func embedded(
    _ table: ONNXConstant, _ rows: ONNXRows, _ at: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard axis(at, table.shape.count) == 0, table.shape.count == 2, rows.factors.isEmpty, rows.isWhole,
      table.shape.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 })
    else { return nil }
    guard draft.makeTokens(rows.source, vocabulary: table.shape[0]) else {
      throw ONNXRefusal(detail: "its token numbers are not an input's, or another table's too")
    }
    let source = try layer(
      Layer.Embedding(size: table.shape[1]), [rows.source], [.init(name: "weight"): parameter(table)], node)
    return .rows(ONNXRows(source: source, axes: rows.axes + [.row(0)], factors: [table.shape[1]]))
  }

  func parameter(_ constant: ONNXConstant, _ how: String? = nil) -> ONNXDraft.Parameter {
    ONNXDraft.Parameter(
      constant: constant, how: how ?? (constant.isTransposed ? "transposed" : nil),
      identity: constant.depth == 0 && !constant.sources.isEmpty
        ? "\(constant.tensor.name) \(constant.isTransposed)" : nil)
  }

  fileprivate mutating func sliced(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    if let turned = flipped(node) { return turned }
    if let picked = try pickedReversed(node) { return picked }
    guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
      starts.count == ends.count
    else { return nil }
    let axes = integers(node, "axes", input: 3) ?? Array(starts.indices)
    let steps = integers(node, "steps", input: 4) ?? starts.map { _ in 1 }
    guard axes.count == starts.count, steps.count == starts.count else { return nil }
    if var rows = rows(node) {
      for (index, axis) in axes.enumerated() {
        guard let place = self.axis(axis, rows.axes.count) else { return nil }
        rows = try cut(rows, place, starts[index], ends[index], steps[index], node)
      }
      return .rows(rows)
    }
    if let constant = weight(node, 0) {
      var tensor = constant.value
      for (index, axis) in axes.enumerated() {
        guard let place = self.axis(axis, tensor.shape.count), steps[index] == 1 else { return nil }
        let range = ONNXNumbers.range(starts[index], ends[index], 1, count: tensor.shape[place])
        tensor = tensor.gathering([(range.first ?? 0)..<(range.last.map { $0 + 1 } ?? range.first ?? 0)], axis: place)
      }
      return constant.with(tensor).map { .constant($0) }
    }
    guard var list = numbers(node, 0) else { return nil }
    for (index, axis) in axes.enumerated() {
      guard let place = self.axis(axis, list.shape.count),
        let cut = list.sliced(axis: place, start: starts[index], end: ends[index], step: steps[index])
      else { return nil }
      list = cut
    }
    return .numbers(list)
  }

  private mutating func cut(
    _ rows: ONNXRows, _ place: Int, _ start: Int, _ end: Int, _ step: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard step == 1 else { throw ONNXRefusal(detail: "it takes places in steps of \(step)") }
    if start == 0, end >= 1 << 30 { return rows }
    if start > 0, end >= 1 << 30, let trimmed = try trimmed(rows, place, start, isEnd: false, node) { return trimmed }
    if start == 0, end < 0, end != .min, let trimmed = try trimmed(rows, place, -end, isEnd: true, node) {
      return trimmed
    }
    if let count = size(of: rows.axes[place], rows)?.known {
      let range = ONNXNumbers.range(start, end, 1, count: count)
      if range.count == count { return rows }
      guard let first = range.first else { throw ONNXRefusal(detail: "it takes nothing") }
      if case .row = rows.axes[place] { return try slice(rows, place, first..<first + range.count, node) }
      if range.count > 1, rows.axes[place] == .time {
        return try steps(of: rows, from: first, count: range.count, among: count, node)
      }
      guard range.count == 1 else { throw ONNXRefusal(detail: "it takes a part of the steps") }
      return try kept(rows, place, first == count - 1 ? -1 : first, node)
    }
    guard rows.axes[place] == .time, start == -1 && end >= 1 << 30 || start == 0 && end == 1 else {
      throw ONNXRefusal(detail: "it takes a part of the \(rows.axes[place] == .time ? "steps" : "batch")")
    }
    return try kept(rows, place, start, node)
  }

  /// Without the first places that a convolution gives, or the last, where those are made of padding: a convolution of less
  /// of it.
  private mutating func trimmed(
    _ rows: ONNXRows, _ place: Int, _ start: Int, isEnd: Bool, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    let axis: Int
    switch rows.axes[place] {
    case .time: axis = 0
    case .row(1) where rows.factors.count == 2: axis = 1
    default: return nil
    }
    // Channels may have been taken before.
    var below = rows.source
    let slice = draft[below].kind as? Layer.Slice
    if slice != nil, let source = draft[below].reads.first { below = source }
    guard var kind = draft[below].kind as? Layer.Convolution, kind.pad.count > 2 * axis, kind.padding == .valid,
      kind.stride.count > axis
    else { return nil }
    let (cut, overflows) = start.multipliedReportingOverflow(by: kind.stride[axis])
    // With a stride the last places may be made of less padding.
    guard !overflows, !isEnd || kind.stride[axis] == 1 else { return nil }
    let side = 2 * axis + (isEnd ? 1 : 0)
    guard kind.pad[side] >= cut else { return nil }
    kind.pad[side] -= cut
    if kind.pad.allSatisfy({ $0 == 0 }) { (kind.pad, kind.reflects) = ([], false) }
    let name = "\(below) \(axis) \(start) \(isEnd)"
    var source = trims[name] ?? -1
    if source < 0 {
      source = try layer(kind, draft[below].reads, draft[below].parameters, node)
      trims[name] = source
    }
    var factors = rows.factors
    if axis == 1 {
      guard let height = draft[source].value.grid?.height else { return nil }
      factors[1] = height
    }
    if var slice {
      if axis == 1 {
        slice.first = slice.first / rows.factors[1] * factors[1]
        slice.count = slice.count / rows.factors[1] * factors[1]
      }
      source = try layer(slice, [source], node)
    }
    return ONNXRows(source: source, axes: rows.axes, factors: factors)
  }

  private mutating func kept(
    _ rows: ONNXRows, _ place: Int, _ index: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    var taken = try pick(rows, place, index, node)
    taken.axes.insert(.one, at: place)
    return taken
  }

  fileprivate mutating func split(_ node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]? {
    let at = integer(node, "axis") ?? 0
    let count = node.outputs.count
    func sizes(_ whole: Int) -> [Int]? {
      if let given = integers(node, "split", input: 1) {
        // Each within the whole before their sum is made.
        guard given.count == count, given.allSatisfy({ 0...max(whole, 0) ~= $0 }) else { return nil }
        return given.reduce(0, +) == whole ? given : nil
      }
      let each = (whole + count - 1) / max(count, 1)
      return each * (count - 1) < whole ? [Int](repeating: each, count: count - 1) + [whole - each * (count - 1)] : nil
    }
    func ranges(_ whole: Int) -> [Range<Int>]? {
      guard let sizes = sizes(whole) else { return nil }
      var start = 0
      return sizes.map { size in
        defer { start += size }
        return start..<start + size
      }
    }
    if let rows = rows(node) {
      guard let place = axis(at, rows.axes.count), let whole = size(of: rows.axes[place], rows)?.known,
        let parts = ranges(whole)
      else { return nil }
      if parts.count == 1 { return [.rows(rows)] }
      if rows.axes[place] == .time {
        guard parts.allSatisfy({ $0.count == 1 }) else { throw ONNXRefusal(detail: "it takes a part of the steps") }
        var steps: [ONNXMeaning] = []
        for index in 0..<whole { steps.append(.rows(try kept(rows, place, index == whole - 1 ? -1 : index, node))) }
        return steps
      }
      var results: [ONNXMeaning] = []
      for part in parts { results.append(.rows(try slice(rows, place, part, node))) }
      return results
    }
    if let constant = weight(node, 0) {
      guard let place = axis(at, constant.shape.count), let parts = ranges(constant.shape[place]) else { return nil }
      let made = parts.compactMap { constant.with(constant.value.gathering([$0], axis: place)) }
      return made.count == count ? made.map { .constant($0) } : nil
    }
    guard let list = numbers(node, 0), let place = axis(at, list.shape.count), let parts = ranges(list.shape[place])
    else {
      return nil
    }
    let made = parts.compactMap { list.sliced(axis: place, start: $0.lowerBound, end: $0.upperBound, step: 1) }
    return made.count == count ? made.map { .numbers($0) } : nil
  }
}
