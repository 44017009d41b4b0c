import Foundation
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct TokenSamplerTests {
  static let scores = [1.2, -0.3, 0.0, 2.0, -4.0, 0.5, 0.5, -.infinity]

  static func softmax(_ scores: [Double], temperature: Double = 1) -> [Double] {
    let weights = scores.map { exp($0 / temperature) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }

  static func counts(_ sampler: TokenSampler, draws: Int) -> [Int] {
    var sampler = sampler
    var counts = [Int](repeating: 0, count: scores.count)
    for _ in 0..<draws {
      var scores = scores
      if let token = sampler.draw(&scores) { counts[token] += 1 }
    }
    return counts
  }

  /// Chi-square over 7 classes: six degrees of freedom, of which 1 in 1000 goes beyond 22.5.
  @Test(arguments: [0.5, 1, 2], [1, 2, 3] as [UInt64])
  func drawsAsSoftmaxSays(_ temperature: Double, _ seed: UInt64) throws {
    let draws = 50_000
    let counts = Self.counts(try TokenSampler(temperature: temperature, seed: seed), draws: draws)
    let expected = Self.softmax(Self.scores, temperature: temperature)
    var statistic = 0.0
    for (count, part) in zip(counts, expected) where part > 0 {
      let wanted = part * Double(draws)
      statistic += (Double(count) - wanted) * (Double(count) - wanted) / wanted
    }
    #expect(statistic < 22.5, "\(counts)")
    #expect(counts[7] == 0 && counts.reduce(0, +) == draws)
  }

  @Test(arguments: 1...9) func topKAreTheLikeliest(_ k: Int) throws {
    var sampler = try TokenSampler(topK: k)
    var scores = Self.scores
    let isUsable = sampler.probabilities(&scores)
    #expect(isUsable)
    // Of the two alike, the first.
    let order = [3, 0, 5, 6, 2, 1, 4]
    #expect(Set(scores.indices.filter { scores[$0] > 0 }) == Set(order.prefix(k)))
    #expect(abs(scores.reduce(0, +) - 1) < 1e-12)
    let all = Self.softmax(Self.scores)
    let kept = order.prefix(k).reduce(0) { $0 + all[$1] }
    for index in order.prefix(k) { #expect(abs(scores[index] - all[index] / kept) < 1e-12) }
  }

  @Test(arguments: [1e-9, 0.3, 0.48, 0.49, 0.7, 0.8, 0.95, 0.9999, 1])
  func topPIsTheSmallestSetThatReachesIt(_ p: Double) throws {
    var sampler = try TokenSampler(topP: p)
    var scores = Self.scores
    let isUsable = sampler.probabilities(&scores)
    #expect(isUsable)
    let all = Self.softmax(Self.scores)
    let order = [3, 0, 5, 6, 2, 1, 4]
    var (sum, wanted) = (0.0, Set<Int>())
    for index in order where wanted.isEmpty || sum < p {
      sum += all[index]
      wanted.insert(index)
    }
    #expect(Set(scores.indices.filter { scores[$0] > 0 }) == wanted)
    #expect(abs(scores.reduce(0, +) - 1) < 1e-12)
  }

  @Test func topPCountsWhatTopKLeft() throws {
    var sampler = try TokenSampler(topK: 2, topP: 0.7)
    var scores = Self.scores
    sampler.probabilities(&scores)
    // Of the two, the first alone has 0.69.
    #expect(scores[3] > 0.68 && scores[3] < 0.7 && scores[0] > 0.3)
    sampler.topP = 0.68
    scores = Self.scores
    sampler.probabilities(&scores)
    #expect(scores[3] == 1 && scores[0] == 0)
  }

  @Test func temperatureZeroIsTheLikeliest() throws {
    #expect(Self.counts(try TokenSampler(temperature: 0), draws: 10)[3] == 10)
    var sampler = try TokenSampler(temperature: 0)
    var alike = [1.0, 3, 3]
    let drawn = sampler.draw(&alike)
    #expect(drawn == 1)
  }

  @Test func seedsRepeat() throws {
    func draws(_ seed: UInt64) throws -> [Int?] {
      var sampler = try TokenSampler(seed: seed)
      return (0..<50).map { _ in
        var scores = Self.scores
        return sampler.draw(&scores)
      }
    }
    #expect(try draws(7) == draws(7))
    #expect(try draws(7) != draws(8))
  }

  @Test func scoresThatAreNoNumbers() throws {
    var sampler = try TokenSampler()
    for bad in [[1, .nan], [-.infinity, -.infinity], [.infinity, 1], []] as [[Double]] {
      var scores = bad
      let drawn = sampler.draw(&scores)
      #expect(drawn == nil)
    }
  }

  @Test func mistakes() {
    #expect(message { _ = try TokenSampler(temperature: -1) } == "temperature -1.0: expected a number of at least 0")
    #expect(message { _ = try TokenSampler(temperature: .nan) } == "temperature nan: expected a number of at least 0")
    #expect(message { _ = try TokenSampler(topK: 0) } == "topK 0: expected at least 1")
    #expect(message { _ = try TokenSampler(topP: 0) } == "topP 0.0: expected a number above 0, up to 1")
    #expect(message { _ = try TokenSampler(topP: 1.1) } == "topP 1.1: expected a number above 0, up to 1")
  }

  // MARK: - Stop texts

  /// However the text is cut, what is shown is the same.
  @Test(arguments: [
    ("one END two", ["END"], "one "), ("one EN two", ["END"], "one EN two"), ("aab", ["ab"], "a"),
    ("ababac", ["abac"], "ab"), ("x\n\ny", ["\n\n"], "x"), ("abc", ["bc", "abcd"], "a"), ("abcd", ["bc", "abcd"], "a"),
    ("abcd", ["cd", "bcd"], "a"),
    ("eeé", ["é"], "ee"), ("abc", [""], "abc"), ("ab", ["abc"], "ab"),
  ])
  func stopsAcrossPieces(_ text: String, _ stops: [String], _ expected: String) {
    for size in 1...text.unicodeScalars.count {
      var scanner = StopScanner(stops)
      var shown = ""
      var isStopped = false
      let scalars = Array(text.unicodeScalars)
      for start in stride(from: 0, to: scalars.count, by: size) where !isStopped {
        var piece = ""
        for scalar in scalars[start..<min(start + size, scalars.count)] { piece.unicodeScalars.append(scalar) }
        let (part, stop) = scanner.add(piece)
        shown += part
        isStopped = stop != nil
      }
      if !isStopped { shown += scanner.finish() }
      #expect(shown == expected, "in pieces of \(size)")
    }
  }
}
