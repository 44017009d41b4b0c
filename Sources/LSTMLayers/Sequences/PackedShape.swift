/// The memory layout of sequences of different lengths, without padding.
///
/// Sequences are sorted by descending length, and step t has one row for each of the first `active[t]` of them:
/// row `offsets[t] + b` is step t of the b-th longest. So every step is one block of rows, as in PyTorch's
/// `PackedSequence`, and nothing is computed for padding. With equal lengths this is time-major order (T, B, .).
struct PackedShape: Equatable {
  /// B; 0 before the first update.
  private(set) var count = 0
  /// Steps of the longest sequence.
  private(set) var steps = 0
  /// The number of sequences that have each step; never increases.
  private(set) var active: [Int] = []
  private(set) var offsets: [Int] = []
  /// R, the sum of all lengths.
  private(set) var rows = 0
  /// order[b] is the index of the b-th longest sequence in the caller's batch.
  private(set) var order: [Int] = []
  /// lengths[b] is the length of the b-th longest sequence.
  private(set) var lengths: [Int] = []

  /// Whether all sequences have the same length.
  var isEven: Bool { rows == count * steps }

  /// The length of all sequences; 0 if some are shorter.
  private var evenSteps = 0
  /// For each length, the next free index among the sorted sequences.
  private var next: [Int] = []

  init() {}

  init(count: Int, steps: Int, lengths: [Int]?) {
    if let lengths {
      lengths.withUnsafeBufferPointer { update(count: count, steps: steps, lengths: $0.baseAddress) }
    } else {
      update(count: count, steps: steps, lengths: nil)
    }
  }

  /// Changes to the shape of another batch. Does not allocate for a batch no larger than an earlier one.
  /// - Parameter lengths: the length of each sequence, from 1 to `steps`; nil if all have `steps`.
  mutating func update(count: Int, steps longest: Int, lengths given: UnsafePointer<Int>?) {
    if given == nil, self.count == count, evenSteps == longest { return }
    self.count = count
    resize(&order, count)
    resize(&lengths, count)
    evenSteps = longest
    if let given {
      // 1. A stable counting sort by descending length.
      resize(&next, longest + 1)
      for b in 0..<count { next[given[b]] += 1 }
      var place = 0
      for length in stride(from: longest, to: 0, by: -1) { (next[length], place) = (place, place + next[length]) }
      for b in 0..<count {
        let length = given[b]
        order[next[length]] = b
        lengths[next[length]] = length
        next[length] += 1
        if length < longest { evenSteps = 0 }
      }
    } else {
      for b in 0..<count { (order[b], lengths[b]) = (b, longest) }
    }
    // 2. The rows of each step.
    countRows()
  }

  /// Changes to the shape of the same sequences, in the same order, with other lengths.
  /// - Parameter length: the new length for an old one; must not give more for less.
  /// - Returns: false when a sequence has no steps left.
  mutating func update(like other: PackedShape, length: (Int) -> Int) -> Bool {
    count = other.count
    resize(&order, count)
    resize(&lengths, count)
    evenSteps = 0
    for b in 0..<count {
      order[b] = other.order[b]
      lengths[b] = length(other.lengths[b])
    }
    guard count > 0, lengths[count - 1] > 0 else { return false }
    countRows()
    return true
  }

  private mutating func countRows() {
    steps = lengths[0]
    resize(&active, steps)
    resize(&offsets, steps)
    var running = count
    rows = 0
    for t in 0..<steps {
      while lengths[running - 1] <= t { running -= 1 }
      active[t] = running
      offsets[t] = rows
      rows += running
    }
  }

  /// The row of the b-th longest sequence's last step.
  func lastRow(_ b: Int) -> Int { offsets[lengths[b] - 1] + b }

  /// A run of rows at one step, and the rows of their previous state.
  struct Segment {
    let first: Int
    let count: Int
    /// The row of `first`'s previous step; nil if these sequences start here.
    let previousRow: Int?
  }

  /// Visits the rows of step t of the sequences in `range`, split by where their previous state comes from. Forward: step
  /// t - 1 or the initial state. In reverse: step t + 1 if the sequence has it, else the initial state.
  func forEachSegment(at t: Int, reverse: Bool, in range: Range<Int>, _ body: (Segment) -> Void) {
    let end = min(active[t], range.upperBound)
    let begins = reverse ? (t + 1 < steps ? active[t + 1] : 0) : (t == 0 ? 0 : active[t])
    let continuing = min(begins, end)
    if continuing > range.lowerBound {
      body(
        Segment(
          first: range.lowerBound, count: continuing - range.lowerBound,
          previousRow: offsets[reverse ? t + 1 : t - 1] + range.lowerBound))
    }
    let fresh = max(continuing, range.lowerBound)
    if end > fresh { body(Segment(first: fresh, count: end - fresh, previousRow: nil)) }
  }
}

/// Sets an array to `count` zeros, keeping its memory.
private func resize(_ array: inout [Int], _ count: Int) {
  array.removeAll(keepingCapacity: true)
  for _ in 0..<count { array.append(0) }
}
