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
  /// Where a pass over the kept rows begins.
  let stage: ModelStage
  let width: Int
  private let storage: FloatStorage
  /// For each example, its first row; only with different lengths.
  private let starts: [Int]?
  private let rowsEach: Int

  /// (all steps or all examples, width)
  var rows: UnsafePointer<Float> { storage.pointer }

  func row(_ example: Int) -> Int { starts?[example] ?? example * rowsEach }

  /// Runs all of `data` through the prefix.
  /// - Parameters:
  ///   - writer: gets `byteCount` bytes.
  ///   - batchSize: sequences at a time; changes nothing but speed and memory.
  /// - Throws: `ShapeError` when the data does not fit the network, or `FloatStorage.Failure`.
  init(
    _ network: Network, upTo stage: ModelStage, _ data: some ExampleRows, into writer: FloatStorage.Writer,
    batchSize: Int
  ) throws {
    self.stage = stage
    width = network.width(at: stage)
    let isPerStep = network.isPerStep(at: stage)
    rowsEach = isPerStep ? data.steps : 1
    var next = 0
    if isPerStep, data.hasLengths {
      starts = (0..<data.count).map { example in
        defer { next += data.length(example) }
        return next
      }
    } else {
      starts = nil
    }

    let (batch, places) = (GrowingBuffer<Float>(), BatchPlaces())
    let carried = try data.makeCarriedState(network.configuration)
    for examples in data.batches(of: batchSize) {
      places.locate(examples, of: data, carrying: carried) { data.inputRow($0) }
      var outputStarts: [Int] = []
      var count = 0
      for example in examples {
        outputStarts.append(count)
        count += isPerStep ? data.length(example) : 1
      }
      let rows = writer.room(count * width) ?? batch.reserve(count * width)
      try data.withInputRows { values throws(ShapeError) in
        try network.run(
          places.rows(values, steps: data.steps), upTo: stage, into: rows, starts: outputStarts, carrying: places.carry)
      }
      try writer.append(rows, count * width)
    }
    storage = try writer.finish()
  }

  /// Bytes that the rows of some data take.
  static func byteCount(_ network: Network, upTo stage: ModelStage, _ data: some ExampleRows) -> Int {
    (network.isPerStep(at: stage) ? data.stepCount : data.count) * network.width(at: stage) * MemoryLayout<Float>.size
  }
}

extension ModelStage {
  /// Names of the parts below a place, as a freeze plan names them.
  func partsBelow(_ configuration: ModelConfiguration) -> [String] {
    var parts: [String] = []
    if case .tokens = configuration.input, self != .input { parts.append("embedding") }
    switch self {
    case .input: break
    case .layer(let layer): parts += (0..<layer).map { "layer\($0)" }
    case .head(let index):
      parts += configuration.layers.indices.map { "layer\($0)" }
      if configuration.readout == .attention { parts.append("attention") }
      parts += (0..<index).map { "head.\($0)" }
    }
    return parts
  }
}
