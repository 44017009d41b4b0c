// How a pass is shared among threads.
extension LSTMDirection {
  /// Each sum is computed by one thread in a fixed order, so results do not depend on the schedule.
  enum Schedule {
    /// Each thread runs some of the sequences through all steps, independently.
    case sequences(parts: Int)
    /// Each thread computes some of the units of all sequences; threads synchronize after every step. For few sequences,
    /// and for weights larger than a core's cache.
    case units(parts: Int)
  }

  func schedule(_ shape: PackedShape) -> Schedule {
    let weightCount = gateSize * (inputSize + stateSize)
    let bySequences = min(kernels.parts(shape.rows * weightCount, each: 1 << 17), (shape.count + 7) / 8)
    // Loading the weights takes as long for one row as for four.
    let byUnits =
      parameters.projection != nil || rule.steps == .halves
      ? 1 : unitParts(work: max(shape.count, 4) * gateSize * stateSize, each: 1 << 17)
    let fitsACore = weightCount <= Self.coreCache
    return bySequences >= byUnits && (fitsACore || byUnits == 1) && bySequences > 1
      ? .sequences(parts: bySequences) : .units(parts: byUnits)
  }

  /// The number of weights that fit in a core's cache beside the activations.
  private static let coreCache = 1 << 18

  func unitParts(work: Int, each: Int) -> Int {
    min(kernels.parts(work, each: each), (hiddenSize + 2 * blocks.width - 1) / (2 * blocks.width))
  }

  /// The number of threads for one step of one sequence.
  var stepParts: Int {
    rule.steps == .halves ? 1 : unitParts(work: gateSize * (inputSize + stateSize), each: 1 << 16)
  }

  /// A run of steps, and its rows.
  struct Chunk {
    let steps: Range<Int>
    let rows: Range<Int>
  }

  /// Visits the steps in runs of about `wanted` rows, forward or backward in time. The runs depend on the shape alone.
  func forEachChunk(_ shape: PackedShape, ascending: Bool, rows wanted: Int, _ body: (Chunk) -> Void) {
    func end(_ t: Int) -> Int { t == shape.steps ? shape.rows : shape.offsets[t] }
    var steps = ascending ? 0..<0 : shape.steps..<shape.steps
    while ascending ? steps.upperBound < shape.steps : steps.lowerBound > 0 {
      var (first, last) =
        ascending ? (steps.upperBound, steps.upperBound + 1) : (steps.lowerBound - 1, steps.lowerBound)
      if ascending {
        while last < shape.steps, end(last + 1) - end(first) <= wanted { last += 1 }
      } else {
        while first > 0, end(last) - end(first - 1) <= wanted { first -= 1 }
      }
      steps = first..<last
      body(Chunk(steps: steps, rows: end(first)..<end(last)))
    }
  }
}
