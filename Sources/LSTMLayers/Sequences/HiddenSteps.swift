import LSTMCheckpoints

/// The steps of a batch's sequences that a mask hides, at any position.
///
/// A hidden step leaves an LSTM's state unchanged, so the visible steps, moved together, have the same outputs, final
/// states and means.
public struct HiddenSteps: Sendable, Equatable {
  /// N
  public let count: Int
  /// T
  public let steps: Int
  /// The number of visible steps of each sequence.
  public let lengths: [Int]
  /// (N, T): the visible steps of each sequence in order, then -1.
  private let places: [Int32]
  /// (N): the number of steps without padding, hidden ones included.
  private let ends: [Int]

  /// - Parameters:
  ///   - lengths: the length of each sequence; nil if all have T steps.
  ///   - isHidden: called with a sequence and a step.
  /// - Returns: nil when no step is hidden.
  /// - Throws: `ShapeError` naming a sequence without visible steps.
  package init?(
    count: Int, steps: Int, lengths given: [Int]?, isHidden: (_ sequence: Int, _ step: Int) -> Bool
  ) throws(ShapeError) {
    var places = [Int32](repeating: -1, count: count * steps)
    var lengths = [Int](repeating: 0, count: count)
    var isAny = false
    for sequence in 0..<count {
      for step in 0..<(given?[sequence] ?? steps) {
        if isHidden(sequence, step) {
          isAny = true
        } else {
          places[sequence * steps + lengths[sequence]] = Int32(step)
          lengths[sequence] += 1
        }
      }
    }
    guard isAny else { return nil }
    if let empty = lengths.firstIndex(of: 0) {
      throw ShapeError(
        what: "sequence \(empty)", expected: "a step that the model's mask does not hide", found: "none")
    }
    (self.count, self.steps, self.lengths, self.places) = (count, steps, lengths, places)
    ends = given ?? [Int](repeating: steps, count: count)
  }

  /// The number of hidden steps of all sequences together.
  public var hiddenCount: Int { zip(ends, lengths).reduce(0) { $0 + $1.0 - $1.1 } }

  /// A sequence's first visible step.
  package func first(_ sequence: Int) -> Int { Int(places[sequence * steps]) }

  /// Whether a sequence's visible steps are contiguous.
  package func isRun(_ sequence: Int) -> Bool {
    let last = Int(places[sequence * steps + lengths[sequence] - 1])
    return last - first(sequence) + 1 == lengths[sequence]
  }

  /// Values (N, T, width) with the visible steps moved to the beginning of each sequence.
  package func moved<Value>(_ values: [Value], width: Int, filling: Value) -> [Value] {
    var result = [Value](repeating: filling, count: values.count)
    for sequence in 0..<count {
      for place in 0..<lengths[sequence] {
        let from = (sequence * steps + Int(places[sequence * steps + place])) * width
        let to = (sequence * steps + place) * width
        for column in 0..<width { result[to + column] = values[from + column] }
      }
    }
    return result
  }

  /// Writes the visible steps of a sequence in order (T), then -1.
  func copyPlaces(_ sequence: Int, to places: UnsafeMutablePointer<Int32>) {
    self.places.withUnsafeBufferPointer { own in
      for step in 0..<steps { places[step] = own[sequence * steps + step] }
    }
  }

  /// What it hides of some sequences.
  package func selecting(_ sequences: some Collection<Int>) -> HiddenSteps {
    HiddenSteps(
      count: sequences.count, steps: steps, lengths: sequences.map { lengths[$0] },
      places: sequences.flatMap { places[$0 * steps..<($0 + 1) * steps] }, ends: sequences.map { ends[$0] })
  }

  private init(count: Int, steps: Int, lengths: [Int], places: [Int32], ends: [Int]) {
    (self.count, self.steps, self.lengths, self.places, self.ends) = (count, steps, lengths, places, ends)
  }

  /// Rejects a layer that counts steps, hidden ones too, and is not given them: Keras' maximum over time, for one, is over
  /// all steps.
  package func check(_ configuration: ModelConfiguration) throws(ShapeError) {
    for (index, layer) in configuration.layers.enumerated() {
      guard configuration.inputs(ofLayer: index).contains(where: { $0.isPerStep && $0.clock == 0 }) else { continue }
      let counts: Bool =
        switch layer.kind {
        case let kind as Layer.Convolution: kind.kernel[0] > 1 || kind.stride[0] > 1
        case let kind as Layer.Pooling: kind.window[0] > 1 || kind.stride[0] > 1
        case is Layer.Flatten: true
        case let kind as Layer.Readout where kind.take == .max:
          configuration.hasReverseLayers || (0..<count).contains { first($0) > 0 }
        default: false
        }
      if counts {
        throw ShapeError(
          what: "mask", expected: "unmask before \(layer.name), which reads every step", found: "steps that it hides")
      }
    }
  }
}
