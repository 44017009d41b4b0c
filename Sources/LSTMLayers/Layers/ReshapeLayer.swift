import LSTMCheckpoints

/// Rows in another order or division; see `Layer.Reshape.Form`.
final class ReshapeLayer: NetworkLayer {
  private let form: Layer.Reshape.Form
  /// Rows of output that a row is divided into.
  private let parts: Int
  /// (C, F) of the grid that is transposed; nil where a row keeps its order.
  private let grid: LayerValue.Grid?

  init(_ kind: Layer.Reshape, _ context: LayerContext) {
    form = kind.form
    parts = kind.form == .steps || kind.form == .split ? kind.steps : 1
    grid =
      switch kind.form {
      case .channelsLast: context.inputs[0].grid
      case .gridChannelsLast: context.value.grid
      case .steps, .grid, .row, .split: nil
      }
    let count = kind.steps
    switch kind.form {
    case .steps: super.init(context, shape: RowShape(after: context.sources[0].shape) { _ in count })
    case .split: super.init(context, shape: RowShape.of(context) { $0 * count })
    case .grid, .row, .channelsLast, .gridChannelsLast: super.init(context)
    }
  }

  private var keepsRows: Bool { grid == nil && (parts == 1 && form != .steps) }

  override func forward(_ pass: LayerPass) {
    if keepsRows { return output = rows() }
    let (x, y) = (rows(), makeOutput())
    if grid != nil {
      kernels.forEachShare(of: rowCount, work: width) { some in
        for row in some {
          transpose(x + row * width, rows: sides.rows, columns: sides.columns, to: y + row * width)
        }
      }
    } else {
      forEachPart { from, to in (y + to).update(from: x + from, count: width) }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if keepsRows { return sources[0].addGradient(gradient) }
    guard let sink = sink() else { return }
    if grid != nil {
      kernels.forEachShare(of: rowCount, work: width) { some in
        for row in some {
          addTransposed(gradient + row * width, to: sink.rows + row * width, accumulates: sink.accumulates)
        }
      }
    } else {
      forEachPart { from, to in
        if sink.accumulates {
          for j in 0..<width { sink.rows[from + j] += gradient[to + j] }
        } else {
          (sink.rows + from).update(from: gradient + to, count: width)
        }
      }
    }
  }

  /// Visits the parts of rows, by their places in what is read and given.
  private func forEachPart(_ body: (_ from: Int, _ to: Int) -> Void) {
    let (source, shape) = (sources[0], shape.packed)
    let given = source.shape.packed
    kernels.forEachShare(of: given.count, work: shape.steps * width) { some in
      for b in some {
        let steps = source.value.isPerStep ? given.lengths[b] : 1
        for t in 0..<steps {
          let row = (source.value.isPerStep ? given.offsets[t] : 0) + b
          for part in 0..<parts {
            body(row * source.width + part * width, (shape.offsets[t * parts + part] + b) * width)
          }
        }
      }
    }
  }

  /// The rows and columns of what is read: (C, F) becomes (F, C) for `channelsLast`, the other way round otherwise.
  private var sides: (rows: Int, columns: Int) {
    guard let grid else { return (1, width) }
    return form == .channelsLast ? (grid.channels, grid.height) : (grid.height, grid.channels)
  }

  private func addTransposed(_ gradient: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, accumulates: Bool) {
    let (rows, columns) = sides
    for i in 0..<rows {
      for j in 0..<columns {
        to[i * columns + j] = gradient[j * rows + i] + (accumulates ? to[i * columns + j] : 0)
      }
    }
  }

  override var streamObstacle: String? {
    parts == 1 && form != .steps ? nil : "\(name), which changes the number of steps"
  }

  override func step(_ step: LayerStep) {
    if grid == nil {
      step.output.update(from: step.inputs[0], count: width)
    } else {
      transpose(step.inputs[0], rows: sides.rows, columns: sides.columns, to: step.output)
    }
  }
}
