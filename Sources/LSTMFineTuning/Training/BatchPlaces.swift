import LSTMLayers

/// Where the examples of a batch lie and which states they start from, in buffers that are kept from batch to batch.
final class BatchPlaces {
  /// The states of streams, to go on from and to leave there; nil where every example begins at zero.
  private(set) var carry: Network.Carry?
  private var count = 0
  private var hasLengths = false
  private let starts = GrowingBuffer<Int>()
  /// For each example, the row of the data's targets at which its own begin.
  let targetStarts = GrowingBuffer<Int>()
  private let lengths = GrowingBuffer<Int>()
  private var hidden: HiddenSteps?
  private let hiddenPlaces = GrowingBuffer<Int>()
  private let statesFrom = GrowingBuffer<Int>()
  private let statesTo = GrowingBuffer<Int>()
  /// For each of the model's further inputs, where the batch's examples begin.
  private var otherStarts: [GrowingBuffer<Int>] = []
  private var otherSteps: [Int] = []

  /// - Parameter row: gives an example's first row, of the inputs or of cached outputs.
  @inline(__always)
  func locate(
    _ examples: some Collection<Int>, of data: some ExampleRows, carrying carried: CarriedState?, row: (Int) -> Int
  ) {
    (count, hasLengths) = (examples.count, data.hasLengths)
    starts.reserve(count)
    targetStarts.reserve(count)
    if hasLengths { lengths.reserve(count) }
    hidden = data.hiddenSteps
    if hidden != nil { hiddenPlaces.reserve(count) }
    carry = carried.map { .init($0, from: statesFrom.reserve(count), to: statesTo.reserve(count)) }
    if !otherStarts.isEmpty || !data.others.isEmpty { locateOthers(examples, of: data) }
    for (place, example) in examples.enumerated() {
      starts.pointer[place] = row(example)
      targetStarts.pointer[place] = data.targetRow(example)
      if hasLengths { lengths.pointer[place] = data.length(example) }
      if hidden != nil { hiddenPlaces.pointer[place] = data.place(example) }
      if carry != nil { (statesFrom.pointer[place], statesTo.pointer[place]) = data.streams(example) }
    }
  }

  private func locateOthers(_ examples: some Collection<Int>, of data: some ExampleRows) {
    while otherStarts.count < data.others.count { otherStarts.append(GrowingBuffer()) }
    otherSteps = data.others.map(\.steps)
    for (other, starts) in zip(data.others, otherStarts) {
      let starts = starts.reserve(count)
      for (place, example) in examples.enumerated() { starts[place] = other.values.row(data.place(example)) }
    }
  }

  /// Further inputs of which only the steps count.
  func otherShapes(_ nothing: UnsafePointer<Float>) -> [SequenceRows] {
    otherSteps.enumerated().map { index, steps in
      SequenceRows(
        .features(nothing, width: 1), count: count, steps: steps,
        starts: UnsafePointer(otherStarts[index].pointer))
    }
  }

  /// Lends the batch's rows of further inputs.
  func withOtherRows<Result>(
    of data: some ExampleRows, _ body: ([SequenceRows]) throws(ShapeError) -> Result
  ) throws(ShapeError) -> Result {
    let others = data.others
    guard !others.isEmpty else { return try body([]) }
    var rows: [SequenceRows] = []
    func lend(_ index: Int) throws(ShapeError) -> Result {
      guard index < others.count else { return try body(rows) }
      return try others[index].values.withRows { values throws(ShapeError) in
        rows.append(
          SequenceRows(
            values, count: count, steps: others[index].steps, starts: UnsafePointer(otherStarts[index].pointer)))
        return try lend(index + 1)
      }
    }
    return try lend(0)
  }

  /// The batch's rows among all rows of the inputs or of the cache.
  func rows(_ values: SequenceRows.Values, steps: Int) -> SequenceRows {
    var rows = SequenceRows(
      values, count: count, steps: steps, starts: starts.pointer, lengths: hasLengths ? lengths.pointer : nil)
    if let hidden { (rows.hidden, rows.hiddenPlaces) = (hidden, UnsafePointer(hiddenPlaces.pointer)) }
    return rows
  }
}
