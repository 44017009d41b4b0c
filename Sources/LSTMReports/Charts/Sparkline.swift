/// A curve in one line of text: `▇▅▃▂▁▁`.
package enum Sparkline {
  private static let blocks: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  /// Shown for a value that is not finite.
  private static let gap: Character = "·"

  /// One block for each value, or for each of `width` equal parts of them, at its mean.
  ///
  /// What is not finite is a dot; values that are all the same are blocks of half the height.
  /// - Parameters:
  ///   - width: the most characters, at least 1.
  ///   - range: the values of the lowest and the highest block; nil for the least and the greatest shown.
  package static func text(_ values: [Double], width: Int = 60, range: ClosedRange<Double>? = nil) -> String {
    let means = thinned(values, to: max(width, 1))
    let finite = means.filter(\.isFinite)
    guard let least = finite.min(), let greatest = finite.max() else {
      return String(repeating: gap, count: means.count)
    }
    // Halves, since the difference of two large numbers may not be one.
    let (lower, upper) = ((range?.lowerBound ?? least) / 2, (range?.upperBound ?? greatest) / 2)
    return String(
      means.map { value in
        guard value.isFinite else { return gap }
        guard upper > lower else { return blocks[blocks.count / 2 - 1] }
        let share = min(max((value / 2 - lower) / (upper - lower), 0), 1)
        return blocks[min(Int(share * Double(blocks.count)), blocks.count - 1)]
      })
  }

  /// Several curves, each on its own line, on one scale.
  package static func texts(_ curves: [[Double]], width: Int = 60) -> [String] {
    // What is drawn decides, so that a peak that the means have lost does not flatten the rest.
    let drawn = curves.flatMap { thinned($0, to: max(width, 1)) }.filter(\.isFinite)
    guard let least = drawn.min(), let greatest = drawn.max() else { return curves.map { text($0, width: width) } }
    return curves.map { text($0, width: width, range: least...greatest) }
  }

  private static func thinned(_ values: [Double], to width: Int) -> [Double] {
    guard values.count > width else { return values }
    return (0..<width).map { place in
      let part = values[values.count * place / width..<values.count * (place + 1) / width]
      let finite = part.filter(\.isFinite)
      return finite.isEmpty ? .nan : finite.reduce(0) { $0 + $1 / Double(finite.count) }
    }
  }
}
