/// How sequences of different lengths lie in memory without padding.
///
/// Sequences are sorted by falling length, and step t holds one row for each of the first `active[t]` of them:
/// row `offsets[t] + b` is step t of the b-th longest. So every step is one block of rows, as in PyTorch's
/// `PackedSequence`, and nothing is computed for padding. Equal lengths give plain time-major (T, B, .).
struct PackedShape: Equatable {
  /// B
  let count: Int
  /// Steps of the longest sequence.
  let steps: Int
  /// Sequences still running at each step; never rises.
  let active: [Int]
  let offsets: [Int]
  /// R: the sum of all lengths.
  let rows: Int
  /// order[b] is the place of the b-th longest in the caller's batch.
  let order: [Int]
  /// Length of the b-th longest.
  let lengths: [Int]

  init(count: Int, steps: Int, lengths given: [Int]?) {
    self.count = count
    if let given {
      order = (0..<count).sorted { given[$0] != given[$1] ? given[$0] > given[$1] : $0 < $1 }
      lengths = order.map { given[$0] }
    } else {
      order = Array(0..<count)
      lengths = [Int](repeating: steps, count: count)
    }
    let longest = lengths[0]
    self.steps = longest
    var active = [Int](repeating: 0, count: longest)
    var offsets = active
    var running = count
    var rows = 0
    for t in 0..<longest {
      while lengths[running - 1] <= t { running -= 1 }
      active[t] = running
      offsets[t] = rows
      rows += running
    }
    self.active = active
    self.offsets = offsets
    self.rows = rows
  }

  /// The row of the b-th longest sequence's last step.
  func lastRow(_ b: Int) -> Int { offsets[lengths[b] - 1] + b }

  /// A run of rows at one step and where their previous state lies.
  struct Segment {
    let first: Int
    let count: Int
    /// The row of `first`'s previous step, or nil when these sequences begin here.
    let previousRow: Int?
  }

  /// The rows of step t, of the sequences in `range`, split by where their previous state comes from. Forward: step t - 1
  /// or the start. In reverse: step t + 1 for those still running there; the others begin here, at their own last step.
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
