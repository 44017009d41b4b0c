import CLSTMKernels
import LSTMCheckpoints

extension LSTMDirection {
  /// What the backward pass reads besides what `forward` kept.
  struct BackwardInput {
    /// What `forward` was given and gave.
    let input: UnsafePointer<Float>
    let inputStride: Int
    let output: UnsafePointer<Float>
    let outputStride: Int
    let initialHidden: UnsafePointer<Float>
    let initialCell: UnsafePointer<Float>
    /// dL/d output, (R, S)
    let outputGradient: UnsafePointer<Float>
    let outputGradientStride: Int
    /// dL/d final h (B, S) and final c (B, H), in the packed order; nil for zero.
    let finalHiddenGradient: UnsafePointer<Float>?
    let finalCellGradient: UnsafePointer<Float>?
  }

  /// Backward through time. Adds the gradients of the parameters that `trainable` names to `gradients`, and writes
  /// (or adds) dL/dx to `inputGradient` (R, I) when it is given. Afterwards `stateGradient` (B, S) and `cellGradient`
  /// (B, H) hold the gradients of the initial state, and `gates` no longer holds activations.
  func backward(
    _ pass: BackwardInput, shape: PackedShape, gradients: ParameterStore, trainable: [Bool],
    inputGradient: UnsafeMutablePointer<Float>?, inputGradientStride: Int, accumulateInputGradient: Bool
  ) {
    packForBackward()
    backwardThroughTime(pass, shape: shape)
    addParameterGradients(pass, shape: shape, gradients: gradients, trainable: trainable)
    if let inputGradient {
      kernels.multiplyOnAllThreads(
        m: shape.rows, n: inputSize, k: gateSize, gates.pointer, rowStride: gateSize, inputBackwardPack, inputGradient,
        outputStride: inputGradientStride, start: accumulateInputGradient ? .output : .zero)
    }
  }

  private func backwardThroughTime(_ pass: BackwardInput, shape: PackedShape) {
    let (h, s, b) = (hiddenSize, stateSize, shape.count)
    hiddenGradient.reserve(shape.rows * s)
    projectedGradient.reserve(b * h)
    // Rows of sequences that have not begun yet (seen from the end) keep the gradient of their final state.
    load(pass.finalHiddenGradient, into: stateGradient, count: b * s)
    load(pass.finalCellGradient, into: cellGradient, count: b * h)

    let parts = sequenceParts(shape)
    parallel(parts) { part in
      backwardThroughTime(pass, shape: shape, share(shape.count, multiple: 8, part: part, of: parts))
    }
  }

  private func backwardThroughTime(_ pass: BackwardInput, shape: PackedShape, _ sequences: Range<Int>) {
    let (h, s, g) = (hiddenSize, stateSize, gateSize)
    var cell = lstmk_cell()
    cell.hidden = h
    cell.gate = gate
    cell.peephole = peephole
    cell.gates_stride = g
    for index in 0..<shape.steps {
      let t = reverse ? index : shape.steps - 1 - index
      let first = sequences.lowerBound
      let count = min(shape.active[t], sequences.upperBound) - first
      guard count > 0 else { continue }
      let row = shape.offsets[t] + first
      let total = hiddenGradient.pointer + row * s
      for r in 0..<count {
        let given = pass.outputGradient + (row + r) * pass.outputGradientStride
        let state = stateGradient.pointer + (first + r) * s
        for j in 0..<s { total[r * s + j] = given[j] + state[j] }
      }
      var cellOutputGradient = UnsafePointer(total)
      if parameters.projection != nil {
        let projected = projectedGradient.pointer + first * h
        kernels.multiply(
          m: count, n: h, k: s, total, rowStride: s, projectionBackwardPack, projected, outputStride: h, start: .zero)
        cellOutputGradient = UnsafePointer(projected)
      }
      shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
        let place = shape.offsets[t] + segment.first
        cell.rows = segment.count
        cell.gates = gates.pointer + place * g
        cell.cell_previous =
          segment.previousRow.map { UnsafePointer(cells.pointer) + $0 * h } ?? (pass.initialCell + segment.first * h)
        cell.cell = cells.pointer + place * h
        cell.d_output = cellOutputGradient + (segment.first - first) * h
        cell.d_cell = cellGradient.pointer + segment.first * h
        kernels.table.pointee.cell_backward(&cell)
      }
      kernels.multiply(
        m: count, n: s, k: g, gates.pointer + row * g, rowStride: g, recurrentBackwardPack,
        stateGradient.pointer + first * s, outputStride: s, start: .zero)
    }
  }

  private func addParameterGradients(
    _ pass: BackwardInput, shape: PackedShape, gradients: ParameterStore, trainable: [Bool]
  ) {
    let (h, s, g, rows) = (hiddenSize, stateSize, gateSize, shape.rows)
    // d (M, N) += left^T (M, R) right (R, N)
    func addProduct(
      _ index: Int, m: Int, n: Int, left: UnsafePointer<Float>, right: UnsafePointer<Float>, rightStride: Int
    ) {
      kernels.pack(rows, n, right, rowStride: rightStride, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: m, n: n, k: rows, left, rowStride: 1, columnStride: m, productPack, gradients.pointer(index),
        outputStride: n,
        start: .output)
    }

    if trainable[parameters.inputWeight] {
      addProduct(
        parameters.inputWeight, m: g, n: inputSize, left: gates.pointer, right: pass.input,
        rightStride: pass.inputStride)
    }
    if trainable[parameters.recurrentWeight] {
      gatherPrevious(
        pass.output, stride: pass.outputStride, initial: pass.initialHidden, width: s, shape: shape)
      addProduct(
        parameters.recurrentWeight, m: g, n: s, left: gates.pointer, right: scratch.pointer, rightStride: s)
    }
    parameters.forEachBias { index in
      guard trainable[index] else { return }
      kernels.addColumnSums(
        rows: rows, columns: g, gates.pointer, rowStride: g, into: gradients.pointer(index))
    }
    if let projection = parameters.projection, trainable[projection] {
      addProduct(projection, m: s, n: h, left: hiddenGradient.pointer, right: raw.pointer, rightStride: h)
    }
    if let peephole = parameters.peephole, trainable[peephole] {
      gatherPrevious(cells.pointer, stride: h, initial: pass.initialCell, width: h, shape: shape)
      let gradient = gradients.pointer(peephole)
      for row in 0..<rows {
        let slopes = gates.pointer + row * g
        let (previous, current) = (scratch.pointer + row * h, cells.pointer + row * h)
        for j in 0..<h {
          gradient[j] += slopes[j] * previous[j]
          gradient[h + j] += slopes[h + j] * previous[j]
          gradient[2 * h + j] += slopes[3 * h + j] * current[j]
        }
      }
    }
  }

  /// Writes to `scratch` (R, width) what each row had as its previous state.
  private func gatherPrevious(
    _ states: UnsafePointer<Float>, stride: Int, initial: UnsafePointer<Float>, width: Int, shape: PackedShape
  ) {
    scratch.reserve(shape.rows * width)
    for t in 0..<shape.steps {
      shape.forEachSegment(at: t, reverse: reverse, in: 0..<shape.count) { segment in
        for r in 0..<segment.count {
          let from = segment.previousRow.map { states + ($0 + r) * stride } ?? (initial + (segment.first + r) * width)
          (scratch.pointer + (shape.offsets[t] + segment.first + r) * width).update(from: from, count: width)
        }
      }
    }
  }

  private func load(_ values: UnsafePointer<Float>?, into buffer: FloatBuffer, count: Int) {
    guard let values else { return buffer.zero(count) }
    buffer.reserve(count)
    buffer.pointer.update(from: values, count: count)
  }
}
