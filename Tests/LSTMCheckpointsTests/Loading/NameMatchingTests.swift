import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct GlobTests {
  /// The definition, by trying everything.
  private static func naive(_ name: Substring, _ glob: Substring) -> Bool {
    guard let first = glob.first else { return name.isEmpty }
    let rest = glob.dropFirst()
    if first == "*" { return naive(name, rest) || (!name.isEmpty && naive(name.dropFirst(), glob)) }
    guard let character = name.first else { return false }
    if first == "[", let end = glob.firstIndex(of: "]"), end > glob.index(after: glob.startIndex) {
      var set = Array(rest[..<end])
      let isNegated = set.count > 1 && set[0] == "!"
      if isNegated { set.removeFirst() }
      var members = Set<Character>()
      var at = 0
      while at < set.count {
        if at + 2 < set.count, set[at + 1] == "-" {
          for other in "abc.[]!-*" where set[at] <= other && other <= set[at + 2] { members.insert(other) }
          at += 3
        } else {
          members.insert(set[at])
          at += 1
        }
      }
      return members.contains(character) != isNegated && naive(name.dropFirst(), glob[glob.index(after: end)...])
    }
    return (first == "?" || first == character) && naive(name.dropFirst(), rest)
  }

  @Test func agreesWithTheDefinition() {
    var random = SplitMix(state: 3)
    var hits = 0
    for _ in 0..<50_000 {
      func draw(_ alphabet: String, upTo count: Int) -> String {
        let letters = Array(alphabet)
        return String(
          (0..<Int.random(in: 0...count, using: &random)).map { _ in
            letters[Int.random(in: 0..<letters.count, using: &random)]
          })
      }
      let (name, glob) = (draw("abc.[]", upTo: 7), draw("aabbc.***??[[]]!-", upTo: 8))
      let expected = Self.naive(name[...], glob[...])
      hits += expected ? 1 : 0
      if matches(name, glob: glob) != expected { Issue.record("\(name) \(glob): expected \(expected)") }
    }
    #expect(hits > 2000)
  }

  @Test(arguments: [
    ("lstm.weight_ih_l0", "lstm*", true), ("lstm/weight_ih_l0", "lstm*", true), ("lstm", "lstm.*", false),
    ("lstm.weight_hh_l1", "*_l[0-1]", true), ("lstm.weight_hh_l2", "*_l[0-1]", false), ("a", "[!a]", false),
    ("b", "[!a]", true), ("[", "[", true), ("", "", true), ("", "*", true), ("", "?", false), ("ö", "?", true),
    ("Lstm", "lstm", false),
  ])
  func examples(_ name: String, _ glob: String, _ expected: Bool) { #expect(matches(name, glob: glob) == expected) }

  @Test func backtrackingIsBounded() {
    let name = String(repeating: "a", count: 2000)
    #expect(!matches(name, glob: String(repeating: "*a", count: 30) + "b"))
  }
}

@Suite struct NearestNameTests {
  @Test func distances() {
    #expect(editDistance("kitten", "sitting") == 3)
    #expect(editDistance("", "ab") == 2)
    #expect(editDistance("same", "same") == 0)
    #expect(editDistance(String(repeating: "x", count: 100_000), "") == 256)
  }

  @Test func distanceIsSymmetricAndObeysTheTriangle() {
    var random = SplitMix(state: 9)
    func word() -> String {
      String(
        (0..<Int.random(in: 0...6, using: &random)).map { _ in ["a", "b", "c"][Int.random(in: 0..<3, using: &random)] })
    }
    for _ in 0..<500 {
      let (a, b, c) = (word(), word(), word())
      #expect(editDistance(a, b) == editDistance(b, a))
      #expect(editDistance(a, c) <= editDistance(a, b) + editDistance(b, c))
      #expect((editDistance(a, b) == 0) == (a == b))
    }
  }

  @Test func theNearestComesFirst() {
    let known = ["embedding", "layer0", "layer1", "head"]
    #expect(nearestNames(to: "layr1", among: known) == ["layer1", "layer0"])
    #expect(nearestNames(to: "Layer0", among: known).first == "layer0")
    #expect(nearestNames(to: "tempp", among: ["wind", "temp"]) == ["temp"])
    #expect(nearestNames(to: "temp", among: ["time"]) == [])
    #expect(nearestNames(to: "x", among: ["wind"]) == [])
    #expect(nearestNames(to: "temp", among: ["temperature", "wind"]) == ["temperature"])
    #expect(nearestNames(to: "layer", among: (0..<9).map { "layer\($0)" }).count == 3)
  }

  @Test func naturalOrder() {
    let sorted = ["rnns.0", "rnns.2", "rnns.10", "rnns.10.a", "z"]
    #expect(sorted.reversed().sorted(by: isNaturallyBefore) == sorted)
    #expect(!isNaturallyBefore("a", "a"))
    // Numbers too long for an `Int` are compared as text.
    #expect(isNaturallyBefore("a1", "a" + String(repeating: "9", count: 30)))
  }
}
