import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Long sequences for truncated backpropagation through time: N streams of T steps, cut into chunks of K steps that are
/// taken in order, with the LSTM's states carried from chunk to chunk.
///
/// Where a document begins, its stream's state is zero again, in the middle of a chunk, too: the chunk is split there, and
/// no gradient goes from one document to another. What one chunk holds of one document is an example, and a batch is what
/// one chunk holds of all streams.
public struct StreamData: Sendable {
  /// The N streams, with a target at each step.
  public private(set) var sequences: SequenceData
  /// K
  public let chunkSteps: Int
  /// The examples of each chunk.
  public let chunks: [Range<Int>]
  private let stretches: [Stretch]
  /// (N, T) over the streams of this selection.
  private let resets: [Bool]?

  var isText: Bool { sequences.isText }
  var seasonalScale: [Double]? { sequences.seasonalScale }

  private struct Stretch {
    let stream: Int
    let start: Int
    let length: Int
    /// Whether a document begins here, so that the state is zero.
    let isReset: Bool
    /// Whether it is the chunk's last of its stream, whose state the next chunk goes on with.
    let isLast: Bool
  }

  /// - Parameters:
  ///   - sequences: N sequences of T steps or less, each a stream.
  ///   - chunkSteps: K, through which gradients go.
  ///   - resets: (N, T), true where a document begins; nil where each stream is one.
  /// - Throws: `ShapeError` when there is one target a sequence, or the numbers do not fit.
  public init(_ sequences: SequenceData, chunkSteps: Int, resets: [Bool]? = nil) throws(ShapeError) {
    guard chunkSteps > 0 else {
      throw ShapeError(what: "chunks", expected: "at least one step", found: "\(chunkSteps)")
    }
    switch sequences.targets {
    case .values(_, _, perStep: false), .classes(_, perStep: false):
      throw ShapeError(what: "targets of streams", expected: "one a step", found: "one a stream")
    case .labels: throw ShapeError(what: "targets of streams", expected: "one a step", found: "sequences of labels")
    case .values, .classes, .none: break
    }
    let (count, steps) = (sequences.count, sequences.steps)
    if let resets, resets.count != count * steps {
      throw ShapeError(what: "resets", expected: shapeText([count, steps]), found: "\(resets.count) values")
    }
    var stretches: [Stretch] = []
    var chunks: [Range<Int>] = []
    var start = 0
    while start < steps {
      // Not start + K, which may overflow.
      let end = start + min(chunkSteps, steps - start)
      let first = stretches.count
      for stream in 0..<count {
        let last = min(end, sequences.length(stream))
        var begin = start
        while begin < last {
          var next = begin + 1
          while next < last, resets?[stream * steps + next] != true { next += 1 }
          stretches.append(
            Stretch(
              stream: stream, start: begin, length: next - begin, isReset: resets?[stream * steps + begin] ?? false,
              isLast: next == last))
          begin = next
        }
      }
      if stretches.count > first { chunks.append(first..<stretches.count) }
      start = end
    }
    self.sequences = sequences
    self.chunkSteps = min(chunkSteps, steps)
    self.chunks = chunks
    self.stretches = stretches
    self.resets = resets
  }

  /// A text as N streams side by side, each to predict its next token: as PyTorch's word_language_model cuts it, stream k
  /// is tokens k * L / N and up, and what is left over at the end is not used.
  /// - Parameter documentStarts: the places in the text where a document begins.
  /// - Throws: `ShapeError` when a stream would have no step.
  public init(
    text tokens: [Int32], streams: Int, chunkSteps: Int, documentStarts: [Int] = []
  ) throws(ShapeError) {
    guard streams > 0, tokens.count / streams >= 2 else {
      throw ShapeError(
        what: "text", expected: "at least two tokens for each of \(streams) streams", found: "\(tokens.count)")
    }
    let each = tokens.count / streams
    let steps = each - 1
    var (inputs, targets): ([Int32], [Int32]) = ([], [])
    inputs.reserveCapacity(streams * steps)
    targets.reserveCapacity(streams * steps)
    for stream in 0..<streams {
      inputs += tokens[stream * each..<stream * each + steps]
      targets += tokens[stream * each + 1..<(stream + 1) * each]
    }
    var resets: [Bool]?
    if !documentStarts.isEmpty {
      var marks = [Bool](repeating: false, count: streams * steps)
      for start in documentStarts {
        guard tokens.indices.contains(start) else {
          throw ShapeError(
            what: "document starts", expected: "places from 0 to \(tokens.count - 1)", found: "\(start)")
        }
        let (stream, step) = start.quotientAndRemainder(dividingBy: each)
        // A stream's last token is a target alone.
        if stream < streams, step < steps { marks[stream * steps + step] = true }
      }
      resets = marks
    }
    try self.init(
      SequenceData(inputs: .tokens(inputs, steps: steps), targets: .classes(targets, perStep: true)),
      chunkSteps: chunkSteps, resets: resets)
  }

  /// From a file of arrays as `ArrayData` reads them, with a target at each step and, maybe, `reset` (N, T): 1 where a
  /// document begins, else 0.
  /// - Throws: `FineTuningError.badData` naming the file and the dataset; `ShapeError` as above.
  public static func load(
    _ checkpoint: Checkpoint, reading input: ModelConfiguration.Input.Content, chunkSteps: Int
  ) throws -> StreamData {
    let sequences = try ArrayData.load(checkpoint, reading: input, needsTargets: true)
    guard let tensor = checkpoint["reset"] else { return try StreamData(sequences, chunkSteps: chunkSteps) }
    func expected(_ what: String, found: String) -> FineTuningError {
      .badData(
        file: checkpoint.path, detail: "reset: expected \(what), found \(found)",
        advice: ["1 where a document begins, else 0"])
    }
    let shape = [sequences.count, sequences.steps]
    guard tensor.shape == shape else {
      throw expected("\(shapeText(shape)), a mark for each step of x", found: shapeText(tensor.shape))
    }
    let marks: [Int]
    do {
      marks = try tensor.integers()
    } catch CheckpointError.notIntegers(_, let found) {
      throw expected("whole numbers", found: found)
    }
    if let wrong = marks.first(where: { $0 != 0 && $0 != 1 }) { throw expected("0 or 1", found: "\(wrong)") }
    return try StreamData(sequences, chunkSteps: chunkSteps, resets: marks.map { $0 == 1 })
  }

  // MARK: - Splitting

  /// Holds whole streams back for validation, or the last steps of the only one, whose state is zero there.
  /// - Parameters:
  ///   - fraction: the part of the streams or steps, at least one.
  ///   - order: in which the streams are taken for training, the rest for validation; nil for their own.
  /// - Throws: `FineTuningError` when nothing would be left on one of the sides.
  public func split(
    validation fraction: Double, order: [Int]? = nil
  ) throws -> (training: StreamData, validation: StreamData?) {
    try Setting.requireFraction(fraction)
    guard fraction > 0 else { return (self, nil) }
    let isOne = streamCount == 1
    let whole = isOne ? sequences.length(0) : streamCount
    let held = Int((Double(whole) * fraction).rounded())
    guard held > 0, held < whole else {
      throw FineTuningError.invalidOption(
        "\(whole) \(isOne ? "steps" : "streams") cannot be split by \(.validationSplit, fraction)",
        advice: ["give more data, or \(.validationSplit, "0")"])
    }
    if isOne {
      return (try steps(0..<whole - held), try steps(whole - held..<whole))
    }
    let order = order ?? Array(0..<streamCount)
    return (try selecting(order.dropLast(held).sorted()), try selecting(order.suffix(held).sorted()))
  }

  private func selecting(_ streams: [Int]) throws(ShapeError) -> StreamData {
    let steps = sequences.steps
    return try StreamData(
      sequences.selecting(streams), chunkSteps: chunkSteps,
      resets: resets.map { resets in streams.flatMap { resets[$0 * steps..<($0 + 1) * steps] } })
  }

  /// These steps of the only stream.
  private func steps(_ range: Range<Int>) throws(ShapeError) -> StreamData {
    try StreamData(sequences.steps(range), chunkSteps: chunkSteps, resets: resets.map { Array($0[range]) })
  }

  /// N
  public var streamCount: Int { sequences.count }

  /// The same streams with standardized inputs and targets.
  public func scaled(inputs: Scaler?, targets: Scaler?) -> StreamData {
    replacing(sequences.scaled(inputs: inputs, targets: targets))
  }

  /// The same streams with class numbers for targets; see `SequenceData.withClassTargets`.
  func withClassTargets() -> StreamData { replacing(sequences.withClassTargets()) }

  /// The same streams, known to have no step that the model's mask hides.
  func settlingMask() -> StreamData {
    var sequences = sequences
    sequences.isMaskSettled = true
    return replacing(sequences)
  }

  private func replacing(_ sequences: SequenceData) -> StreamData {
    var result = self
    result.sequences = sequences
    return result
  }
}

extension StreamData: ExampleRows {
  var count: Int { stretches.count }
  var steps: Int { chunkSteps }
  var stepCount: Int { sequences.stepCount }
  var hasLengths: Bool { true }
  var hasTargetPerStep: Bool { sequences.hasTargetPerStep }
  var targets: SequenceData.Targets { sequences.targets }
  var sequenceCount: Int { sequences.count }

  func inputRow(_ example: Int) -> Int {
    sequences.inputRow(stretches[example].stream) + stretches[example].start
  }

  func targetRow(_ example: Int) -> Int {
    sequences.targetRow(stretches[example].stream) + stretches[example].start
  }

  func length(_ example: Int) -> Int { stretches[example].length }

  func batches(of size: Int) -> [Range<Int>] { chunks }

  func makeCarriedState(_ configuration: ModelConfiguration) throws(ShapeError) -> CarriedState? {
    try CarriedState(configuration, streams: streamCount)
  }

  func streams(_ example: Int) -> (from: Int, to: Int) {
    let stretch = stretches[example]
    return (stretch.isReset ? -1 : stretch.stream, stretch.isLast ? stretch.stream : -1)
  }

  func withInputRows<Result>(
    _ body: (SequenceRows.Values) throws(ShapeError) -> Result
  ) throws(ShapeError) -> Result {
    try sequences.withInputRows(body)
  }
}
