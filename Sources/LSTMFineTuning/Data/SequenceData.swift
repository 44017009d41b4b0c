import LSTMLayers

/// Examples to train on or to predict: sequences and, mostly, what the model should say of them.
///
/// A value; a selection of examples shares the numbers of the whole.
public struct SequenceData: Sendable {
  public enum Inputs: Sendable {
    /// Windows of `steps` rows over one table (rows, size); example k starts at row `starts[k]`.
    case windows(rows: [Float], size: Int, starts: [Int], steps: Int)
    /// (N, T, size)
    case features([Float], steps: Int, size: Int)
    /// (N, T)
    case tokens([Int32], steps: Int)
  }

  public enum Targets: Sendable {
    /// (N, size), or (N, T, size) when `perStep`.
    case values([Float], size: Int, perStep: Bool)
    /// Class numbers (N) or, when `perStep`, (N, T); `ignored` ones do not count.
    case classes([Int32], perStep: Bool)
    /// Nothing: data to predict on.
    case none
  }

  /// A class number that does not count, PyTorch's default.
  public static let ignored: Int32 = -100

  public internal(set) var inputs: Inputs
  public internal(set) var targets: Targets
  /// Valid steps of each example, or nil when all are full.
  public let lengths: [Int]?
  /// The examples of this selection, as places in the arrays.
  public private(set) var places: [Int]

  /// - Throws: `ShapeError` when the counts do not agree.
  public init(inputs: Inputs, targets: Targets, lengths: [Int]? = nil) throws(ShapeError) {
    let count: Int
    let steps: Int
    switch inputs {
    case .windows(_, _, let starts, let window): (count, steps) = (starts.count, window)
    case .features(let values, let length, let size): (count, steps) = (values.count / max(length * size, 1), length)
    case .tokens(let values, let length): (count, steps) = (values.count / max(length, 1), length)
    }
    let targetCount: Int
    switch targets {
    case .values(let values, let size, let perStep): targetCount = values.count / max(size * (perStep ? steps : 1), 1)
    case .classes(let values, let perStep): targetCount = values.count / (perStep ? max(steps, 1) : 1)
    case .none: targetCount = count
    }
    guard targetCount == count else {
      throw ShapeError(what: "targets", expected: "\(count) examples, as many as inputs", found: "\(targetCount)")
    }
    if let lengths, lengths.count != count || !lengths.allSatisfy({ 1...max(steps, 1) ~= $0 }) {
      throw ShapeError(
        what: "lengths", expected: "\(count) numbers from 1 to \(steps)",
        found: "\(lengths.count): \(lengths.prefix(6))")
    }
    self.inputs = inputs
    self.targets = targets
    self.lengths = lengths
    places = Array(0..<count)
  }

  public var count: Int { places.count }

  public var steps: Int {
    switch inputs {
    case .windows(_, _, _, let steps): steps
    case .features(_, let steps, _): steps
    case .tokens(_, let steps): steps
    }
  }

  /// Features a step; nil for tokens.
  public var featureCount: Int? {
    switch inputs {
    case .windows(_, let size, _, _): size
    case .features(_, _, let size): size
    case .tokens: nil
    }
  }

  /// These examples of this selection.
  public func selecting(_ chosen: some Sequence<Int>) -> SequenceData {
    var selection = self
    selection.places = chosen.map { places[$0] }
    return selection
  }

  /// Valid steps over all examples.
  public var stepCount: Int {
    lengths.map { lengths in places.reduce(0) { $0 + lengths[$1] } } ?? count * steps
  }

  /// The inputs of some examples of this selection, by their number in it.
  public func batch(_ examples: some Collection<Int>) throws(ShapeError) -> SequenceBatch {
    let chosen = examples.map { places[$0] }
    let lengths = self.lengths.map { lengths in chosen.map { lengths[$0] } }
    let input: SequenceBatch.Input
    switch inputs {
    case .windows(let rows, let size, let starts, let steps):
      var values: [Float] = []
      values.reserveCapacity(chosen.count * steps * size)
      for place in chosen { values += rows[starts[place] * size..<(starts[place] + steps) * size] }
      input = .features(values, size: size)
    case .features(let values, let steps, let size):
      input = .features(gather(values, chosen, width: steps * size), size: size)
    case .tokens(let values, let steps):
      input = .tokens(gather(values, chosen, width: steps))
    }
    return try SequenceBatch(count: chosen.count, steps: steps, input: input, lengths: lengths)
  }

  /// The targets of some examples, in the order of `batch`.
  public func targetBatch(_ examples: some Collection<Int>) -> Targets {
    let chosen = examples.map { places[$0] }
    switch targets {
    case .values(let values, let size, let perStep):
      return .values(gather(values, chosen, width: size * (perStep ? steps : 1)), size: size, perStep: perStep)
    case .classes(let values, let perStep):
      return .classes(gather(values, chosen, width: perStep ? steps : 1), perStep: perStep)
    case .none:
      return .none
    }
  }

  /// Valid steps of some examples.
  func lengthBatch(_ examples: some Collection<Int>) -> [Int]? {
    lengths.map { lengths in examples.map { lengths[places[$0]] } }
  }
}

private func gather<Value>(_ values: [Value], _ places: [Int], width: Int) -> [Value] {
  var result: [Value] = []
  result.reserveCapacity(places.count * width)
  for place in places { result += values[place * width..<(place + 1) * width] }
  return result
}
