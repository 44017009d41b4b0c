import LSTMCheckpoints

/// Gives every step of a sequence a row, those that a mask hides, too: (R, W) -> (R', W).
final class UnmaskLayer: NetworkLayer {
  private let fill: Layer.Unmask.Fill
  /// The columns of layers that run from the end: a hidden step has the row of the visible one after it.
  private let lastColumns: [Range<Int>]
  /// The slot of the table, and the token, of what fills a hidden step.
  private let token: (table: Int, number: Int, isTrained: Bool)?

  init(_ kind: Layer.Unmask, _ context: LayerContext) {
    fill = kind.fill
    lastColumns = context.reversedColumns
    let embedding = context.sources[0] as? EmbeddingLayer
    token =
      kind.fill == .token
      ? embedding.flatMap { table in context.maskedToken.map { (table.table, $0, $0 != table.paddingToken) } } : nil
    super.init(context, shape: context.sources[0].shape.makeEveryStep())
  }

  /// Visits every row with what it is a copy of: a row of the source; nil for none.
  private func forEachPart(_ body: (_ row: Int, _ columns: Range<Int>, _ from: Int?) -> Void) {
    let (all, given, T) = (shape.packed, sources[0].shape.packed, shape.packed.steps)
    let forward = Self.others(lastColumns, width: width)
    for b in 0..<all.count {
      let places = shape.visible.pointer + all.order[b] * T
      var next = 0
      for step in 0..<T {
        let row = all.offsets[step] + b
        let isVisible = next < given.lengths[b] && Int(places[next]) == step
        if isVisible {
          body(row, 0..<width, given.offsets[next] + b)
          next += 1
          continue
        }
        let before = fill == .held && next > 0 ? given.offsets[next - 1] + b : nil
        let after = fill == .held && next < given.lengths[b] ? given.offsets[next] + b : nil
        for columns in forward { body(row, columns, before) }
        for columns in lastColumns { body(row, columns, after) }
      }
    }
  }

  private static func others(_ columns: [Range<Int>], width: Int) -> [Range<Int>] {
    var (list, start) = ([Range<Int>](), 0)
    for range in columns {
      if start < range.lowerBound { list.append(start..<range.lowerBound) }
      start = range.upperBound
    }
    if start < width { list.append(start..<width) }
    return list
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    let filling = token.map { weights.pointer($0.table) + $0.number * width }
    forEachPart { row, columns, from in
      let to = y + row * width + columns.lowerBound
      if let from {
        to.update(from: x + from * width + columns.lowerBound, count: columns.count)
      } else if let filling {
        to.update(from: filling + columns.lowerBound, count: columns.count)
      } else {
        to.update(repeating: 0, count: columns.count)
      }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (sink, width) = (sink(), width)
    sink?.clear(count: sources[0].rowCount * width)
    let table = token.flatMap { token in
      token.isTrained && pass.trainable[token.table] ? pass.gradients.pointer(token.table) + token.number * width : nil
    }
    forEachPart { row, columns, from in
      let given = gradient + row * width
      if let from {
        guard let to = sink.map({ $0.rows + from * width }) else { return }
        for j in columns { to[j] += given[j] }
      } else if let table {
        for j in columns { table[j] += given[j] }
      }
    }
  }

  // A stream has no hidden steps.
  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}

/// Leaves out the steps that a mask hides: (R', W) -> (R, W).
final class RemaskLayer: NetworkLayer {
  init(_ context: LayerContext) { super.init(context, shape: context.sources[0].shape.visibleOnly) }

  private func forEachPart(_ body: (_ row: Int, _ from: Int) -> Void) {
    let (given, own, every) = (sources[0].shape.packed, shape.packed, sources[0].shape)
    for b in 0..<own.count {
      let places = every.visible.pointer + own.order[b] * given.steps
      for step in 0..<own.lengths[b] { body(own.offsets[step] + b, given.offsets[Int(places[step])] + b) }
    }
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    forEachPart { row, from in (y + row * width).update(from: x + from * width, count: width) }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let width = width
    sink.clear(count: sources[0].rowCount * width)
    forEachPart { row, from in
      let (to, given) = (sink.rows + from * width, gradient + row * width)
      for j in 0..<width { to[j] += given[j] }
    }
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}
