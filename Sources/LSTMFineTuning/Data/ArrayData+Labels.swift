import LSTMCheckpoints

extension ArrayData {
  /// Labels in order, not aligned with the steps, in a file of arrays.
  struct Labels {
    let targets: SequenceData.Targets

    /// - Parameters:
    ///   - y: (N, S), or the labels of all sequences one after the other where `lengths` is given.
    ///   - lengths: (N); nil where each sequence ends with the first negative number.
    /// - Throws: `FineTuningError.badData`.
    init(_ y: Dataset, lengths: Dataset?, count: Int) throws {
      guard !y.tensor.dataType.isFloatingPoint else {
        throw y.expected("class numbers", advice: ["save y as integers"])
      }
      let counts = try lengths.map { try Self.counts($0, count) }
      let numbers = try y.tensor.integers()
      let spans = try Self.spans(y, numbers, lengths, counts, count)
      let width = max(spans.map(\.count).max() ?? 1, 1)
      var labels = [Int32](repeating: SequenceData.ignored, count: count * width)
      for (sequence, span) in spans.enumerated() {
        for place in span {
          guard 0..<(1 << 24) ~= numbers[place] else {
            throw y.expected("a class number from 0", at: place, found: "\(numbers[place])")
          }
          labels[sequence * width + place - span.lowerBound] = Int32(numbers[place])
        }
        guard counts == nil else { continue }
        if let place = (span.upperBound..<(sequence + 1) * y.shape[1]).first(where: { numbers[$0] >= 0 }) {
          throw y.expected(
            "nothing but negative numbers after a sequence's last label", at: place, found: "\(numbers[place])")
        }
      }
      targets = .labels(labels, width: width)
    }

    /// Where the labels of each sequence lie.
    private static func spans(
      _ y: Dataset, _ numbers: [Int], _ lengths: Dataset?, _ counts: [Int]?, _ count: Int
    ) throws -> [Range<Int>] {
      if y.shape.count == 2, y.shape[0] == count, y.shape[1] > 0 {
        let width = y.shape[1]
        if let lengths, let counts, let place = counts.firstIndex(where: { $0 > width }) {
          throw lengths.expected(
            "a number from 0 to \(width), the labels of a row of y", at: place, found: "\(counts[place])")
        }
        return (0..<count).map { sequence in
          let row = sequence * width..<(sequence + 1) * width
          let end = counts.map { row.lowerBound + $0[sequence] } ?? row.first { numbers[$0] < 0 } ?? row.upperBound
          return row.lowerBound..<end
        }
      }
      guard y.shape.count == 1, let counts else {
        throw y.expected(
          "labels in order (\(count), S), one row for each sequence of x",
          advice: ["give their number in y_lengths (\(count)), or fill rows up with \(SequenceData.ignored)"])
      }
      var (spans, next): ([Range<Int>], Int) = ([], 0)
      for count in counts {
        spans.append(next..<next + count)
        next += count
      }
      guard next == numbers.count else {
        throw y.expected("\(next) labels, the sum of \(lengths?.tensor.name ?? "the lengths")")
      }
      return spans
    }

    private static func counts(_ lengths: Dataset, _ count: Int) throws -> [Int] {
      guard lengths.shape == [count] else {
        throw lengths.expected("(\(count)), one number for each sequence of x")
      }
      let counts = try lengths.tensor.integers()
      if let place = counts.firstIndex(where: { !(0..<(1 << 24) ~= $0) }) {
        throw lengths.expected("a number of labels", at: place, found: "\(counts[place])")
      }
      return counts
    }
  }
}
