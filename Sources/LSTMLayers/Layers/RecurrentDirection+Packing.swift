import CLSTMKernels

// The weights in the forms that the products read, packed again after an update.
extension LSTMDirection {
  /// - Parameter recurrentToo: false if there is no previous state: a single step from zero.
  func packForForward(recurrentToo: Bool = true) {
    if recurrentToo, !isRecurrentPacked {
      if rule.steps == .halves {
        packGateColumns(recurrentWeight, resetBlocks, k: stateSize, into: recurrentPack)
        packGateColumns(recurrentCandidateWeight, candidateBlocks, k: stateSize, into: candidatePack)
      } else {
        packGateColumns(recurrentWeight, blocks, k: stateSize, into: recurrentPack)
      }
      isRecurrentPacked = true
    }
    guard !isPacked else { return }
    let (h, s, g) = (hiddenSize, stateSize, gateSize)
    packGateColumns(weights.pointer(parameters.inputWeight), blocks, k: inputSize, into: inputPack)
    if let projection = parameters.projection {
      kernels.pack(h, s, weights.pointer(projection), rowStride: 1, columnStride: h, into: projectionPack)
    }
    bias.zero(g)
    if rule.steps == .apart { recurrentBias.zero(g) }
    parameters.forEachBias { index in
      let values = weights.pointer(index)
      let to = rule.steps == .apart && index == parameters.recurrentBias ? recurrentBias : bias
      blocks.forEachRun(in: 0..<h) { parameter, column, count in
        for j in 0..<count { to.pointer[column + j] += values[parameter + j] }
      }
    }
    if rule.forgetOffset != 0 {
      blocks.forEachRun(in: 0..<h) { parameter, column, count in
        guard h..<2 * h ~= parameter else { return }
        for j in 0..<count { bias.pointer[column + j] += rule.forgetOffset }
      }
    }
    isPacked = true
  }

  func packInputForBackward() {
    guard !isInputPackedForBackward else { return }
    packGateRows(weights.pointer(parameters.inputWeight), blocks, n: inputSize, into: inputBackwardPack)
    isInputPackedForBackward = true
  }

  func packRecurrentForBackward() {
    guard !isRecurrentPackedForBackward else { return }
    if rule.steps == .halves {
      packGateRows(recurrentWeight, resetBlocks, n: stateSize, into: recurrentBackwardPack)
      packGateRows(recurrentCandidateWeight, candidateBlocks, n: stateSize, into: candidateBackwardPack)
    } else {
      packGateRows(recurrentWeight, blocks, n: stateSize, into: recurrentBackwardPack)
    }
    if let projection = parameters.projection {
      kernels.pack(
        stateSize, hiddenSize, weights.pointer(projection), rowStride: hiddenSize, columnStride: 1,
        into: projectionBackwardPack)
    }
    isRecurrentPackedForBackward = true
  }

  /// Packs a weight (G, K) as the right factor of rows (., K), its columns in the kernels' order.
  private func packGateColumns(
    _ weight: UnsafePointer<Float>, _ blocks: GateBlocks, k: Int, into packed: FloatBuffer
  ) {
    let g = blocks.gates * hiddenSize
    packed.reserve(kernels.packedCount(k, g))
    let parts = unitParts(work: k * g, each: 1 << 14)
    parallel(parts) { part in
      blocks.forEachRun(in: blocks.share(part: part, of: parts)) { parameter, column, count in
        kernels.table.pointee.pack(
          k, 0, k, column, count, weight + parameter * k, 1, k, packed.pointer)
      }
    }
  }

  /// Packs a weight (G, N) as the right factor of rows of gates, its rows in the kernels' order.
  private func packGateRows(
    _ weight: UnsafePointer<Float>, _ blocks: GateBlocks, n: Int, into packed: FloatBuffer
  ) {
    let g = blocks.gates * hiddenSize
    packed.reserve(kernels.packedCount(g, n))
    let parts = unitParts(work: n * g, each: 1 << 14)
    parallel(parts) { part in
      blocks.forEachRun(in: blocks.share(part: part, of: parts)) { parameter, column, count in
        kernels.table.pointee.pack(
          g, column, count, 0, n, weight + parameter * n, n, 1, packed.pointer)
      }
    }
  }

  /// The rows of the recurrent weight that belong to n.
  private var recurrentCandidateWeight: UnsafePointer<Float> { recurrentWeight + 2 * hiddenSize * stateSize }

  /// What is added to the input's products: b_ih + b_hh in the kernels' order, after packing, or b_ih if the recurrent
  /// products are apart.
  var packedBias: UnsafePointer<Float>? {
    parameters.inputBias == nil && rule.forgetOffset == 0 ? nil : UnsafePointer(bias.pointer)
  }

  /// What is added to the recurrent products that are apart: b_hh.
  var packedRecurrentBias: UnsafePointer<Float>? {
    parameters.recurrentBias == nil ? nil : UnsafePointer(recurrentBias.pointer)
  }

  var peephole: UnsafePointer<Float>? { parameters.peephole.map { UnsafePointer(weights.pointer($0)) } }

  /// What every call of the cell's kernels needs.
  @inline(__always)
  func cellArguments(units: Range<Int>) -> lstmk_cell {
    var cell = lstmk_cell()
    cell.hidden = hiddenSize
    cell.first_unit = units.lowerBound
    cell.units = units.count
    rule.set(&cell)
    cell.peephole = peephole
    cell.gates_stride = gateSize
    return cell
  }
}
