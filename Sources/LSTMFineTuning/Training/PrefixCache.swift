import LSTMCheckpoints
import LSTMLayers

/// What the frozen bottom of a network gives for every example of some data, computed once for a run.
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

    let batch = GrowingBuffer<Float>()
    let carried = try data.makeCarriedState(network.configuration)
    for examples in data.batches(of: batchSize) {
      let inputStarts = examples.map(data.inputRow)
      let lengths = data.hasLengths ? examples.map(data.length) : nil
      let streams = examples.map(data.streams)
      let (statesFrom, statesTo) = (streams.map(\.from), streams.map(\.to))
      var outputStarts: [Int] = []
      var count = 0
      for example in examples {
        outputStarts.append(count)
        count += isPerStep ? data.length(example) : 1
      }
      let rows = writer.room(count * width) ?? batch.reserve(count * width)
      try data.withInputRows { values throws(ShapeError) in
        try inputStarts.withUnsafeBufferPointer { starts throws(ShapeError) in
          guard let starts = starts.baseAddress else { return }
          func run(_ lengths: UnsafePointer<Int>?) throws(ShapeError) {
            let source = SequenceRows(
              values, count: examples.count, steps: data.steps, starts: starts, lengths: lengths)
            try statesFrom.withUnsafeBufferPointer { from throws(ShapeError) in
              try statesTo.withUnsafeBufferPointer { to throws(ShapeError) in
                guard let from = from.baseAddress, let to = to.baseAddress else { return }
                try network.run(
                  source, upTo: stage, into: rows, starts: outputStarts,
                  carrying: carried.map { Network.Carry($0, from: from, to: to) })
              }
            }
          }
          guard let lengths else { return try run(nil) }
          try lengths.withUnsafeBufferPointer { lengths throws(ShapeError) in try run(lengths.baseAddress) }
        }
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

extension FineTuner {
  /// Whether and where the outputs of a model's frozen bottom are kept.
  public struct Caching: Sendable, Equatable {
    /// Off, they are computed in every epoch.
    public var isOn: Bool
    /// Bytes to hold in memory at most; what is larger lies in a mapped file. A quarter of the memory when nil.
    public var memoryLimit: Int?
    /// Where that file is made, which has no name and goes with the process; `TMPDIR`, or `/tmp`, when nil.
    public var folder: String?

    public init(isOn: Bool = true, memoryLimit: Int? = nil, folder: String? = nil) {
      self.isOn = isOn
      self.memoryLimit = memoryLimit
      self.folder = folder
    }

    public static let off = Caching(isOn: false)
  }

  /// The kept outputs of a model's frozen bottom.
  public struct Cache: Sendable, Equatable {
    public enum Place: Sendable, Equatable {
      case memory
      /// A file without a name in this folder.
      case file(folder: String)
      /// They fit nowhere, and are computed in every epoch.
      case nowhere(reason: String)
    }

    /// The frozen parts, from the input up: `embedding`, `layer0`, `readout`, `head.0`, ...
    public var parts: [String]
    /// Exactly, for training and validation data.
    public var bytes: Int
    public var place: Place

    package init(parts: [String], bytes: Int, place: Place) {
      (self.parts, self.bytes, self.place) = (parts, bytes, place)
    }
  }

  /// Computes what the frozen prefix gives for the data, where it is needed more than once.
  func makeCaches<Rows: ExampleRows>(
    _ network: Network, _ data: Rows, _ validation: Rows?, _ events: (Event) throws -> Void
  ) throws -> (training: PrefixCache?, validation: PrefixCache?) {
    let configuration = network.configuration
    let stage = GradientPlan(configuration, trainable: plan.trainable).entry
    // Without validation data, the training data is measured before the first epoch.
    let keepsTraining = options.epochs >= (validation == nil ? 1 : 2)
    guard options.caching.isOn, stage != .input, options.epochs >= 1 else { return (nil, nil) }
    let bytes =
      (keepsTraining ? PrefixCache.byteCount(network, upTo: stage, data) : 0)
      + (validation.map { PrefixCache.byteCount(network, upTo: stage, $0) } ?? 0)
    var cache = Cache(parts: stage.partsBelow(configuration), bytes: bytes, place: .memory)
    cache.place = FloatStorage.place(bytes, options.caching)
    try events(.cache(cache))
    let batchSize = max(options.batchSize, 64)
    do {
      var caches: [PrefixCache?] = []
      for part in [keepsTraining ? data : nil, validation] {
        guard let part, cache.place.isSomewhere else {
          caches.append(nil)
          continue
        }
        let writer = try FloatStorage.Writer(
          cache.place, count: PrefixCache.byteCount(network, upTo: stage, part) / MemoryLayout<Float>.size)
        caches.append(try PrefixCache(network, upTo: stage, part, into: writer, batchSize: batchSize))
      }
      return (caches[0], caches[1])
    } catch let failure as FloatStorage.Failure {
      cache.place = .nowhere(reason: failure.reason)
      try events(.cache(cache))
      return (nil, nil)
    }
  }
}

extension FineTuner.Cache.Place {
  fileprivate var isSomewhere: Bool { if case .nowhere = self { false } else { true } }
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
