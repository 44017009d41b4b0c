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
  private let statesFrom = GrowingBuffer<Int>()
  private let statesTo = GrowingBuffer<Int>()

  /// - Parameter row: gives an example's first row, of the inputs or of cached outputs.
  @inline(__always)
  func locate(
    _ examples: some Collection<Int>, of data: some ExampleRows, carrying carried: CarriedState?, row: (Int) -> Int
  ) {
    (count, hasLengths) = (examples.count, data.hasLengths)
    starts.reserve(count)
    targetStarts.reserve(count)
    if hasLengths { lengths.reserve(count) }
    carry = carried.map { .init($0, from: statesFrom.reserve(count), to: statesTo.reserve(count)) }
    for (place, example) in examples.enumerated() {
      starts.pointer[place] = row(example)
      targetStarts.pointer[place] = data.targetRow(example)
      if hasLengths { lengths.pointer[place] = data.length(example) }
      if carry != nil { (statesFrom.pointer[place], statesTo.pointer[place]) = data.streams(example) }
    }
  }

  /// The batch's rows among all rows of the inputs or of the cache.
  func rows(_ values: SequenceRows.Values, steps: Int) -> SequenceRows {
    SequenceRows(
      values, count: count, steps: steps, starts: starts.pointer, lengths: hasLengths ? lengths.pointer : nil)
  }
}
