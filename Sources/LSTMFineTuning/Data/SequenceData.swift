import LSTMCheckpoints
import LSTMLayers

/// Examples to train on or to predict: sequences and, mostly, their targets.
///
/// A value; a selection of examples shares the numbers of the whole.
public struct SequenceData: Sendable {
  /// What the model reads.
  public enum Inputs: Sendable {
    /// Windows of `steps` rows over one table (rows, size); example k starts at row `starts[k]`.
    case windows(rows: [Float], size: Int, starts: [Int], steps: Int)
    /// (N, T, size)
    case features([Float], steps: Int, size: Int)
    /// (N, T)
    case tokens([Int32], steps: Int)
    /// Windows of `steps` tokens of one text; example k starts at token `starts[k]`.
    case tokenWindows(tokens: [Int32], starts: [Int], steps: Int)
  }

  /// What the model should predict.
  public enum Targets: Sendable {
    /// (N, size), or (N, T, size) when `perStep`.
    case values([Float], size: Int, perStep: Bool)
    /// Class numbers (N) or, when `perStep`, (N, T); `ignored` ones do not count.
    case classes([Int32], perStep: Bool)
    /// Labels in order, not aligned with the steps: (N, width), each sequence filled up with `ignored` at its end. For CTC.
    case labels([Int32], width: Int)
    /// Nothing: data to predict on.
    case none
  }

  /// A class number that does not count, PyTorch's default.
  public static let ignored: Int32 = -100

  /// What the model reads, of all examples that this may be a selection of.
  public internal(set) var inputs: Inputs
  /// What it should predict, of the same examples.
  public internal(set) var targets: Targets
  /// Valid steps of each example, or nil when all are full.
  public let lengths: [Int]?
  /// How many classes there are, which may be more than occur; nil when unknown.
  public internal(set) var classCount: Int?
  /// Whether the classes are the tokens that come next in a text.
  public internal(set) var isText = false
  /// Whether the sequences are windows of series.
  var isWindowed: Bool { if case .windows = inputs { true } else { false } }
  /// For each target column of a series, the mean absolute error of the seasonal naive forecast on its training part, in
  /// the data's own units: what MASE divides by. A horizon repeats it.
  public internal(set) var seasonalScale: [Double]?
  /// Whether a model's mask has been applied: hidden steps are removed, and others may look like one after scaling.
  var isMaskSettled = false
  /// What a mask hid, for outputs at their own places; in the arrays' order.
  public internal(set) var hiddenSteps: HiddenSteps?
  /// For each place, whose example it is; nil where all are of one.
  var groups: [Int32]?
  /// By group, where each has scalers of its own that these values are in.
  var groupScalers: [ScalerPair]?
  /// The examples of this selection, as places in the arrays.
  public private(set) var places: [Int]
  /// Steps of the targets of each example, where they are not those of the inputs, as of a decoder; else nil.
  public internal(set) var targetSteps: Int?
  /// What the model's further inputs read, in its order.
  public internal(set) var others: [NamedInput] = []
  /// What its further outputs should give, in its order; empty where only the first one is trained.
  public internal(set) var otherTargets: [NamedTargets] = []

  /// - Parameter targetSteps: steps of the targets, where they are not those of the inputs.
  /// - Throws: `ShapeError` when the counts do not agree, or a window reaches beyond the rows.
  public init(
    inputs: Inputs, targets: Targets, lengths: [Int]? = nil, targetSteps: Int? = nil, others: [NamedInput] = [],
    otherTargets: [NamedTargets] = []
  ) throws(ShapeError) {
    let (count, steps) = try Self.extent(of: inputs)
    let targetCount = try targets.count(steps: targetSteps ?? steps, "targets") ?? count
    guard targetCount == count else {
      throw ShapeError(what: "targets", expected: "\(count) examples, as many as inputs", found: "\(targetCount)")
    }
    if let lengths, lengths.count != count || !lengths.allSatisfy({ 1...steps ~= $0 }) {
      throw ShapeError(
        what: "lengths", expected: "\(count) numbers from 1 to \(steps)",
        found: "\(lengths.count): \(lengths.prefix(6))")
    }
    self.inputs = inputs
    self.targets = targets
    self.lengths = lengths
    places = Array(0..<count)
    self.targetSteps = targetSteps
    if !others.isEmpty || !otherTargets.isEmpty { try attach(others, otherTargets) }
  }

  static func extent(of inputs: Inputs, _ name: String = "inputs") throws(ShapeError) -> (count: Int, steps: Int) {
    switch inputs {
    case .features(let values, let steps, let size):
      return (try parts(of: values.count, each: [steps, size], name), steps)
    case .tokens(let values, let steps):
      return (try parts(of: values.count, each: [steps], name), steps)
    case .windows(let values, let size, let starts, let steps):
      let rows = try parts(of: values.count, each: [size], "rows")
      try checkWindows(starts, steps, rows: rows)
      return (starts.count, steps)
    case .tokenWindows(let tokens, let starts, let steps):
      try checkWindows(starts, steps, rows: tokens.count)
      return (starts.count, steps)
    }
  }

  private static func checkWindows(_ starts: [Int], _ steps: Int, rows: Int) throws(ShapeError) {
    guard steps > 0 else { throw ShapeError(what: "windows", expected: "at least one step", found: "\(steps)") }
    if let start = starts.first(where: { $0 < 0 || $0 > rows - steps }) {
      throw ShapeError(
        what: "windows", expected: "\(steps) rows each, out of \(rows)", found: "one that starts at row \(start)")
    }
  }

  /// How many parts of a shape `count` values make.
  fileprivate static func parts(of count: Int, each shape: [Int], _ what: String) throws(ShapeError) -> Int {
    var (size, isSane) = (1, true)
    for dimension in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
      (size, isSane) = (product, isSane && !overflow && dimension > 0)
    }
    guard isSane, count.isMultiple(of: size) else {
      throw ShapeError(what: what, expected: "(N, \(shapeList(shape)))", found: "\(count) values")
    }
    return count / size
  }

  private static func shapeList(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: ", ") }

  /// N: the examples of this selection.
  public var count: Int { places.count }

  /// T: no example is longer.
  public var steps: Int { inputs.steps }

  /// Real-valued targets a row; nil for classes.
  package var targetSize: Int? { if case .values(_, let size, _) = targets { size } else { nil } }

  /// Features a step; nil for tokens.
  public var featureCount: Int? {
    switch inputs {
    case .windows(_, let size, _, _), .features(_, _, let size): size
    case .tokens, .tokenWindows: nil
    }
  }

  /// These examples of this selection.
  public func selecting(_ chosen: some Sequence<Int>) -> SequenceData {
    var selection = self
    selection.places = chosen.map { places[$0] }
    return selection
  }

  /// These steps of the only example, with targets at each.
  func steps(_ range: Range<Int>) throws(ShapeError) -> SequenceData {
    let (first, targetFirst) = (inputRow(0) + range.lowerBound, targetRow(0) + range.lowerBound)
    let inputs: Inputs
    switch self.inputs {
    case .windows(let rows, let size, _, _), .features(let rows, _, let size):
      inputs = .features(Array(rows[first * size..<(first + range.count) * size]), steps: range.count, size: size)
    case .tokens(let tokens, _), .tokenWindows(let tokens, _, _):
      inputs = .tokens(Array(tokens[first..<first + range.count]), steps: range.count)
    }
    let targets: Targets
    switch self.targets {
    case .values(let values, let size, _):
      targets = .values(
        Array(values[targetFirst * size..<(targetFirst + range.count) * size]), size: size, perStep: true)
    case .classes(let classes, _):
      targets = .classes(Array(classes[targetFirst..<targetFirst + range.count]), perStep: true)
    case .labels, .none: targets = .none
    }
    var part = try SequenceData(inputs: inputs, targets: targets)
    (part.classCount, part.isText, part.seasonalScale) = (classCount, isText, seasonalScale)
    return part
  }

  /// Valid steps over all examples.
  public var stepCount: Int {
    lengths.map { lengths in places.reduce(0) { $0 + lengths[$1] } } ?? count * steps
  }

  /// The inputs of some examples of this selection, by their number in it.
  /// - Throws: `ShapeError` when there are no examples.
  public func batch(_ examples: some Collection<Int>) throws(ShapeError) -> SequenceBatch {
    let rows = examples.map(inputRow)
    let input: SequenceBatch.Input =
      switch inputs {
      case .windows(let values, let size, _, _), .features(let values, _, let size):
        .features(gather(values, rows.map { $0 * size }, width: steps * size), size: size)
      case .tokens(let tokens, _), .tokenWindows(let tokens, _, _): .tokens(gather(tokens, rows, width: steps))
      }
    var batch = try SequenceBatch(count: rows.count, steps: steps, input: input, lengths: lengthBatch(examples))
    if let hiddenSteps { batch.hidden = hiddenSteps.selecting(examples.map { places[$0] }) }
    return batch
  }

  /// The targets of some examples, in the order of `batch`.
  public func targetBatch(_ examples: some Collection<Int>) -> Targets {
    let (rows, count) = (examples.map(targetRow), hasTargetPerStep ? targetSteps ?? steps : 1)
    return switch targets {
    case .values(let values, let size, let perStep):
      .values(gather(values, rows.map { $0 * size }, width: count * size), size: size, perStep: perStep)
    case .classes(let values, let perStep): .classes(gather(values, rows, width: count), perStep: perStep)
    case .labels(let values, let width): .labels(gather(values, rows, width: width), width: width)
    case .none: .none
    }
  }

  /// Valid steps of some examples.
  func lengthBatch(_ examples: some Collection<Int>) -> [Int]? {
    lengths.map { lengths in examples.map { lengths[places[$0]] } }
  }
}

extension SequenceData.Targets {
  /// How many examples they are of; nil without any.
  /// - Throws: `ShapeError` naming `what` when they are no whole number.
  func count(steps: Int, _ what: String) throws(ShapeError) -> Int? {
    switch self {
    case .values(let values, let size, let perStep):
      try SequenceData.parts(of: values.count, each: [perStep ? steps : 1, size], what)
    case .classes(let values, let perStep):
      try SequenceData.parts(of: values.count, each: [perStep ? steps : 1], what)
    case .labels(let values, let width): try SequenceData.parts(of: values.count, each: [width], what)
    case .none: nil
    }
  }
}

private func gather<Value>(_ values: [Value], _ starts: [Int], width: Int) -> [Value] {
  var result: [Value] = []
  result.reserveCapacity(starts.count * width)
  for start in starts { result += values[start..<start + width] }
  return result
}
