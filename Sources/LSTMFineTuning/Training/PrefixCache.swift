import LSTMCheckpoints
import LSTMLayers

/// Cached outputs of frozen layers, for every example of some data.
///
/// The key is the example's number in the data, and nothing else: within a run the prefix's weights, the data and its
/// preprocessing do not move, and the kernels give a sequence the same bits whatever batch it stands in. Windows of one
/// series overlap but start from zero states, so that each has rows of its own. With states carried from batch to batch
/// the same key does because examples are stretches of streams in a fixed order: the state that a stretch starts from is
/// a function of the stretches before it, so the first pass visits each stream in order with its state carried.
final class PrefixCache {
  /// Where a pass over the kept values begins.
  let boundary: Boundary
  private let storage: FloatStorage
  /// For each example, where its block begins; only with different lengths.
  private let starts: [Int]?
  private let blockSize: Int

  /// For each example, a block of the values at the boundary.
  var blocks: UnsafePointer<Float> { storage.pointer }

  func block(_ example: Int) -> Int { starts?[example] ?? example * blockSize }

  /// Runs all of `data` through the prefix.
  /// - Parameters:
  ///   - writer: gets `byteCount` bytes.
  ///   - batchSize: sequences at a time; changes nothing but speed and memory.
  /// - Throws: `ShapeError` when the data does not fit the network, or `FloatStorage.Failure`.
  init(
    _ network: Network, upTo boundary: Boundary, _ data: some ExampleRows, into writer: FloatStorage.Writer,
    batchSize: Int
  ) throws {
    self.boundary = boundary
    try network.setSteps(ofOthers: data.others.map(\.steps))
    network.setEverySteps(data.steps)
    blockSize = network.blockSize(at: boundary, steps: data.steps)
    var next = 0
    if data.hasLengths {
      starts = (0..<data.count).map { example in
        defer { next += network.blockSize(at: boundary, steps: data.length(example)) }
        return next
      }
    } else {
      starts = nil
    }

    let (batch, places) = (GrowingBuffer<Float>(), BatchPlaces())
    let carried = try data.makeCarriedState(network.configuration)
    for examples in data.batches(of: batchSize) {
      places.locate(examples, of: data, carrying: carried) { data.inputRow($0) }
      var blockStarts: [Int] = []
      var count = 0
      for example in examples {
        blockStarts.append(count)
        count += data.hasLengths ? network.blockSize(at: boundary, steps: data.length(example)) : blockSize
      }
      let blocks = writer.room(count) ?? batch.reserve(count)
      try data.withInputRows { values throws(ShapeError) in
        try places.withOtherRows(of: data) { others throws(ShapeError) in
          try network.run(
            places.rows(values, steps: data.steps), others: others, upTo: boundary, into: blocks, starts: blockStarts,
            carrying: places.carry)
        }
      }
      try writer.append(blocks, count)
    }
    storage = try writer.finish()
  }

  /// Bytes that the values of some data take.
  static func byteCount(
    _ network: Network, upTo boundary: Boundary, _ data: some ExampleRows
  ) throws(ShapeError) -> Int {
    try network.setSteps(ofOthers: data.others.map(\.steps))
    network.setEverySteps(data.steps)
    let count =
      data.hasLengths
      ? (0..<data.count).reduce(0) { $0 + network.blockSize(at: boundary, steps: data.length($1)) }
      : data.count * network.blockSize(at: boundary, steps: data.steps)
    return count * MemoryLayout<Float>.size
  }
}

extension Boundary {
  /// Names of the frozen layers below it, as a freeze plan names them: those with parameters.
  func partsBelow(_ configuration: ModelConfiguration) -> [String] {
    let first = configuration.inputs.count
    var reached = Set<Int>()
    var open = places + states
    while let place = open.popLast() {
      guard place >= first, reached.insert(place - first).inserted else { continue }
      open += configuration.sources[place - first]
      open += configuration.layers[place - first].kind.references.compactMap(configuration.index).map { $0 + first }
    }
    return reached.sorted().filter { !configuration.parameters(ofLayer: $0).isEmpty }
      .map { configuration.layers[$0].name }
  }
}
