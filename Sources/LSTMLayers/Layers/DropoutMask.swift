/// Dropout at one place in a network: the factors of the last pass, and the rows multiplied by them.
final class DropoutMask {
  private enum Kind {
    case off
    /// The same factors for all steps of a sequence.
    case locked
    case elements
  }

  private var kind = Kind.off
  private let locked = FloatBuffer()
  private let elements = FloatBuffer()
  /// The rows at this place after dropout, if it is on.
  let rows = FloatBuffer()

  var isOn: Bool { kind != .off }

  func turnOff() { kind = .off }

  /// Draws the factors for a pass.
  /// - Parameters:
  ///   - place: the number of this place in the network.
  ///   - width: the width of its rows.
  ///   - lockedProbability: of dropping a feature of a sequence at all steps: factors (B, width), in the caller's order.
  ///   - probability: of dropping a single value: factors (R, width) of packed rows, each multiplied by the locked factor.
  func draw(
    _ draw: Regularization.Draw, place: Int, width: Int, shape: PackedShape, lockedProbability: Float,
    probability: Float, kernels: Kernels
  ) {
    kind = probability > 0 ? .elements : lockedProbability > 0 ? .locked : .off
    guard isOn else { return }
    if lockedProbability > 0 { locked.reserve(shape.count * width) }
    if probability > 0 { elements.reserve(shape.rows * width) }
    let parts = kernels.parts((probability > 0 ? shape.rows : shape.count) * width, each: 1 << 14)
    parallel(parts) { part in
      for b in share(shape.count, multiple: 1, part: part, of: parts) {
        let sequence = shape.order[b]
        let common = locked.pointer + sequence * width
        if lockedProbability > 0 {
          var stream = draw.stream(.locked, place, sequence)
          stream.fill(common, count: width, dropping: lockedProbability)
        }
        guard probability > 0 else { continue }
        var stream = draw.stream(.elements, place, sequence)
        for t in 0..<shape.lengths[b] {
          let row = elements.pointer + (shape.offsets[t] + b) * width
          stream.fill(row, count: width, dropping: probability)
          if lockedProbability > 0 { for j in 0..<width { row[j] *= common[j] } }
        }
      }
    }
  }

  /// The factors (width) of a packed row.
  func factors(row: Int, sequence: Int, width: Int) -> UnsafePointer<Float> {
    UnsafePointer(kind == .elements ? elements.pointer + row * width : locked.pointer + sequence * width)
  }
}
