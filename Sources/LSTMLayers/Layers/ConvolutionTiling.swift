/// How a convolution's windows are divided into tiles: a few sequences with all of their steps, or some steps of one.
struct ConvolutionTiling {
  /// Sequences of a tile, its windows of time, and the steps that those reach.
  let sequences: Int
  let time: Int
  let tileSteps: Int
  /// Floats of a tile, of its sums, and of both and the copies of windows.
  let tileFloats: Int
  let sumFloats: Int
  let floats: Int
  let count: Int
  private let along: Int

  /// - Parameters:
  ///   - shape: of the windows.
  ///   - windows: of a tile, at most if that is possible: enough for products to be fast, few enough to stay in cache.
  init(_ geometry: ConvolutionGeometry, _ shape: PackedShape, threads: Int, windows limit: Int = 128) {
    let height = geometry.outputHeight
    func steps(_ time: Int) -> Int { (time - 1) * geometry.stride.time + geometry.reach + 1 }
    // Some tiles for each thread.
    let wanted = max(16, min(limit, shape.rows * height / (3 * threads)))
    var most = max(1, wanted / height)
    while most > 8, steps(most) * geometry.stepSize > 1 << 17 { most /= 2 }
    along = (shape.steps + most - 1) / most
    time = (shape.steps + along - 1) / along
    sequences = along > 1 ? 1 : max(1, min(shape.count, most / time))
    tileSteps = steps(time)
    tileFloats = (sequences * tileSteps * geometry.stepSize + 15) & ~15
    sumFloats = (sequences * time * height * geometry.size + 15) & ~15
    let copies = geometry.copiesWindows ? max(sequences, time, height) * geometry.windowSize : 0
    floats = tileFloats + sumFloats + (copies + 15) & ~15
    count = (shape.count + sequences - 1) / sequences * along
  }

  /// A tile's first sequence and its first window of time.
  func start(of tile: Int) -> (sequence: Int, time: Int) { (tile / along * sequences, tile % along * time) }

  /// Counts the windows of time of a tile's sequences.
  /// - Returns: how many sequences have some.
  func countWindows(_ tile: Int, _ shape: PackedShape, into counts: UnsafeMutablePointer<Int>) -> Int {
    let (sequence, first) = start(of: tile)
    var found = 0
    while found < sequences, sequence + found < shape.count, shape.lengths[sequence + found] > first {
      counts[found] = min(shape.lengths[sequence + found] - first, time)
      found += 1
    }
    return found
  }
}
