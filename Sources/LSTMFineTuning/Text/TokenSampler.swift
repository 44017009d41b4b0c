import FileIO
import Foundation
import LSTMLayers

/// Draws tokens from what a model gives for each.
///
/// The temperature comes first, then `topK`, then `topP` on what that left. The same seed draws the same tokens.
public struct TokenSampler: Sendable {
  /// Scores are divided by it: below 1 the likely become likelier. 0 takes the likeliest, the first of those alike.
  public var temperature: Double
  /// How many of the likeliest tokens may be drawn; nil for all.
  public var topK: Int?
  /// The probability that the likeliest tokens have to have together: no more than needed for it may be drawn; nil for all.
  public var topP: Double?
  private var random: RandomNumbers
  private var order: [Int] = []

  /// - Throws: `FineTuningError.invalidOption` for a temperature below 0, a `topK` below 1 or a `topP` outside 0 to 1.
  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0
  ) throws(FineTuningError) {
    guard temperature >= 0, temperature.isFinite else {
      throw .invalid(.temperature, "\(temperature)", "expected a number of at least 0", advice: [])
    }
    try Setting.topK.requirePositive(topK ?? 1)
    if let topP, !(topP > 0 && topP <= 1) {
      throw .invalid(.topP, "\(topP)", "expected a number above 0, up to 1", advice: [])
    }
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    random = RandomNumbers(seed: seed)
  }

  /// Turns scores (logits, or logarithms of probabilities) into the probabilities that are drawn from; a score of -inf
  /// has none.
  /// - Returns: false when no score is a number to go by.
  @discardableResult
  public mutating func probabilities(_ scores: inout [Double]) -> Bool {
    guard let largest = scores.max(), largest.isFinite, !scores.contains(where: \.isNaN) else { return false }
    guard temperature > 0 else {
      let chosen = scores.firstIndex(of: largest)
      for index in scores.indices { scores[index] = index == chosen ? 1 : 0 }
      return true
    }
    // 1. Weights, of which the largest is 1.
    for index in scores.indices { scores[index] = exp((scores[index] - largest) / temperature) }
    // 2. What may not be drawn has none.
    if topK.map({ $0 < scores.count }) ?? false || topP.map({ $0 < 1 }) ?? false {
      order.removeAll(keepingCapacity: true)
      order.append(contentsOf: scores.indices)
      order.sort { scores[$0] != scores[$1] ? scores[$0] > scores[$1] : $0 < $1 }
      var kept = min(topK ?? order.count, order.count)
      if let topP {
        let wanted = topP * order.prefix(kept).reduce(0) { $0 + scores[$1] }
        var (sum, enough) = (0.0, 0)
        while enough < kept, enough == 0 || sum < wanted {
          sum += scores[order[enough]]
          enough += 1
        }
        kept = enough
      }
      for index in order.dropFirst(kept) { scores[index] = 0 }
    }
    // 3. They add up to 1.
    let sum = scores.reduce(0, +)
    for index in scores.indices { scores[index] /= sum }
    return true
  }

  /// Draws a token.
  /// - Parameter scores: of each token; gets the probabilities.
  /// - Returns: nil when no score is a number to go by.
  public mutating func draw(_ scores: inout [Double]) -> Int? {
    guard probabilities(&scores) else { return nil }
    // Always one number a token, so that the same seed goes the same way at any temperature.
    let place = Double(random.next() >> 11) * 0x1p-53
    var sum = 0.0
    var last: Int?
    for index in scores.indices where scores[index] > 0 {
      sum += scores[index]
      last = index
      if place < sum { break }
    }
    return last
  }
}

/// Finds where a text that comes in pieces is to stop, however the stop text lies across them.
struct StopScanner {
  private let stops: [[Unicode.Scalar]]
  /// What may be the beginning of a stop text.
  private var held: [Unicode.Scalar] = []

  init(_ stops: [String]) { self.stops = stops.map { Array($0.unicodeScalars) }.filter { !$0.isEmpty } }

  /// - Returns: what can be shown now, and which stop text was found behind it.
  mutating func add(_ text: String) -> (shown: String, stop: Int?) {
    guard !stops.isEmpty else { return (text, nil) }
    held += text.unicodeScalars
    // The first to end, and of those the longest: so the pieces do not matter.
    for end in held.indices {
      let found = stops.indices.filter { held[...end].reversed().starts(with: stops[$0].reversed()) }
      guard let longest = found.max(by: { stops[$0].count < stops[$1].count }) else { continue }
      defer { held = [] }
      return (Self.text(held[...end].dropLast(stops[longest].count)), longest)
    }
    let start = held.indices.first { start in stops.contains { $0.starts(with: held[start...]) } } ?? held.endIndex
    defer { held.removeFirst(start) }
    return (Self.text(held[..<start]), nil)
  }

  /// What was held back, when nothing follows.
  mutating func finish() -> String {
    defer { held = [] }
    return Self.text(held[...])
  }

  private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }
}
