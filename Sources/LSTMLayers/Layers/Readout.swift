import CLSTMKernels
import LSTMCheckpoints

/// A readout: from packed rows of steps (R, S) to one row a sequence (B, S).
final class ReadoutLayer: NetworkLayer {
  private let take: Layer.Readout.Take
  /// The columns of layers that run in reverse, for `final`.
  private let lastColumns: [Range<Int>]
  /// The row that each value comes from, for `max`.
  private let chosen = AlignedBuffer<Int32>()
  /// What is added to it.
  private let offsets = AlignedBuffer<Int32>()

  init(_ kind: Layer.Readout, _ context: LayerContext) {
    take = kind.take
    lastColumns = context.reversedColumns
    super.init(context)
    offsets.zero(width)
  }

  private var size: Int { width }

  override func forward(_ pass: LayerPass) {
    let (x, pooled, shape) = (rows(), makeOutput(), shape.packed)
    pooled.update(repeating: 0, count: shape.count * size)
    if take == .max { chosen.reserve(shape.count * size) }
    if take == .mean || take == .sum, shape.isEven {
      // Of all sequences at once, whose rows lie side by side.
      kernels.addColumnSums(
        rows: shape.steps, columns: shape.count * size, x, rowStride: shape.count * size, into: pooled)
      if take == .mean { kernels.table.pointee.scale(shape.count * size, 1 / Float(shape.steps), pooled) }
      return
    }
    for b in 0..<shape.count {
      let out = pooled + b * size
      switch take {
      case .all, .undecided: break
      case .last: out.update(from: x + shape.lastRow(b) * size, count: size)
      case .first: out.update(from: x + b * size, count: size)
      case .final:
        out.update(from: x + shape.lastRow(b) * size, count: size)
        for columns in lastColumns {
          (out + columns.lowerBound).update(from: x + b * size + columns.lowerBound, count: columns.count)
        }
      case .mean, .sum:
        for t in 0..<shape.lengths[b] { add(x + (shape.offsets[t] + b) * size, to: out) }
        guard take == .mean else { continue }
        let share = 1 / Float(shape.lengths[b])
        for j in 0..<size { out[j] *= share }
      case .max: takeMaximum(x, b, out, shape)
      }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let (dx, shape) = (sink.rows, shape.packed)
    sink.clear(count: shape.rows * size)
    for b in 0..<shape.count {
      let given = gradient + b * size
      switch take {
      case .all, .undecided: break
      case .last: add(given, to: dx + shape.lastRow(b) * size)
      case .first: add(given, to: dx + b * size)
      case .final:
        // In a sequence of one step both halves are in the same row.
        let (last, first) = (dx + shape.lastRow(b) * size, dx + b * size)
        var column = 0
        for columns in lastColumns {
          while column < columns.lowerBound { last[column] += given[column]; column += 1 }
          while column < columns.upperBound { first[column] += given[column]; column += 1 }
        }
        while column < size { last[column] += given[column]; column += 1 }
      case .mean, .sum:
        let share = take == .sum ? 1 : 1 / Float(shape.lengths[b])
        for t in 0..<shape.lengths[b] {
          let row = dx + (shape.offsets[t] + b) * size
          for j in 0..<size { row[j] += given[j] * share }
        }
      case .max:
        for j in 0..<size { dx[Int(chosen.pointer[b * size + j]) * size + j] += given[j] }
      }
    }
  }

  /// The row of the last step so far, for the takes that the latest step decides.
  override var streamObstacle: String? {
    take == .last || take == .final && lastColumns.isEmpty
      ? nil : "\(name), whose \(take.rawValue) needs the whole sequence"
  }

  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: size) }

  private func add(_ row: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
    for j in 0..<size { out[j] += row[j] }
  }

  private func takeMaximum(
    _ x: UnsafePointer<Float>, _ b: Int, _ out: UnsafeMutablePointer<Float>, _ shape: PackedShape
  ) {
    let places = chosen.pointer + b * size
    out.update(from: x + b * size, count: size)
    places.update(repeating: Int32(b), count: size)
    for t in 1..<max(shape.lengths[b], 1) {
      let row = shape.offsets[t] + b
      // NaN propagates, as in PyTorch.
      kernels.table.pointee.take_largest(size, 1, x + row * size, Int32(row), offsets.pointer, out, places)
    }
  }
}
