import Testing
import TrainingSupport

@testable import LSTMFineTuning
@testable import LSTMReports

@Suite struct SparklineTests {
  @Test(
    arguments: [
      ([], ""),
      ([1], "▄"),
      ([2, 2, 2], "▄▄▄"),
      ([0, 1], "▁█"),
      ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
      ([7, 3.4, 0], "█▄▁"),
      ([.nan, .infinity, -.infinity], "···"),
      ([1, .nan, 0, .infinity], "█·▁·"),
      ([-1e308, 1e308, 0], "▁█▅"),
      ([.leastNonzeroMagnitude, 0], "▄▄"),
    ] as [([Double], String)])
  func aBlockForEachValue(_ values: [Double], _ text: String) {
    #expect(Sparkline.text(values) == text)
  }

  @Test func longCurvesAreMeansOfEqualParts() {
    #expect(Sparkline.text([0, 2, 10, 12], width: 2) == "▁█")
    #expect(Sparkline.text([0, .nan, .nan, .nan, 1, 3], width: 3) == "▁·█")
    for count in [59, 60, 61, 119, 1000, 12345] {
      let text = Sparkline.text((0..<count).map(Double.init))
      #expect(text.count == min(count, 60) && text.first == "▁" && text.last == "█")
    }
    #expect(Sparkline.text([1, 2], width: 0).count == 1)
    #expect(Sparkline.text([1e308, 1e308, -1e308, -1e308], width: 2) == "█▁", "sums of large numbers are none")
  }

  @Test func severalCurvesShareAScale() {
    #expect(Sparkline.texts([[0, 1], [1, 2]]) == ["▁▅", "▅█"])
    #expect(Sparkline.texts([[], [0, 7]]) == ["", "▁█"])
    #expect(Sparkline.texts([[.nan], [.nan]]) == ["·", "·"])
  }
}

@Suite struct PlainTextTests {
  @Test(arguments: [
    ("plain", "plain"), ("two\nlines\t", #"two\nlines\t"#),
    ("\u{1b}[2J", #"\u{1B}[2J"#), ("\u{9b}31m", #"\u{009B}31m"#),
    ("a\u{202e}b", #"a\u{202E}b"#), ("\u{feff}\u{2028}", #"\u{FEFF}\u{2028}"#), ("é ü 日本 👩‍👩‍👧", "é ü 日本 👩‍👩‍👧"), ("", ""),
  ])
  func whatCannotBeSeenIsEscaped(_ text: String, _ line: String) { #expect(oneLine(text) == line) }

  @Test func longTextIsCut() {
    #expect(oneLine("abcdef", limit: 6) == "abcdef")
    #expect(oneLine("abcdefg", limit: 6) == "abcde…")
    #expect(oneLine(String(repeating: "\u{7}", count: 1000), limit: 10).count == 10)
    // One character of many scalars.
    #expect(oneLine("a" + String(repeating: "\u{301}", count: 100_000)).unicodeScalars.count <= 102)
  }

  @Test(arguments: [
    ("a/b.h5", "a/b.h5"), ("my data.csv", "'my data.csv'"), ("it's", #"'it'\''s'"#), ("$(rm)", "'$(rm)'"), ("", "''"),
    ("-o", "./-o"), ("a;b", "'a;b'"), ("~/x", "'~/x'"),
  ])
  func aPathIsOneWordForAShell(_ path: String, _ word: String) { #expect(shellPath(path) == word) }

  @Test(arguments: [
    (0.1234, "0.12 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3600, "1 h 0 min"),
    (86_400, "1 d 0 h"), (1e300, "unknown"), (.infinity, "unknown"), (.nan, "unknown"),
  ])
  func durationsOfAnyLength(_ seconds: Double, _ text: String) { #expect(duration(seconds) == text) }
}

@Suite struct ThinningTests {
  @Test func aShortCurveIsKeptAsItIs() {
    var curve = ThinnedCurve()
    for x in 1...ThinnedCurve.limit { curve.append(x: Double(x), y: Double(x * x)) }
    #expect(curve.points == (1...ThinnedCurve.limit).map { .init(x: Double($0), y: Double($0 * $0)) })
  }

  @Test(arguments: [501, 999, 1000, 1001, 123_457])
  func aLongOneKeepsItsEndsAndItsPeaks(_ count: Int) {
    var curve = ThinnedCurve()
    for x in 1...count {
      let y = x == count / 3 ? 9 : x == count / 2 ? -9 : x.isMultiple(of: 7) ? .nan : Double(x % 5)
      curve.append(x: Double(x), y: y)
    }
    let points = curve.points
    #expect(points.count <= 4 * ThinnedCurve.limit)
    #expect(points.count > ThinnedCurve.limit / 2)
    #expect(points.first?.x == 1)
    #expect((points.last?.x ?? 0) >= Double(count - 1))
    #expect(zip(points, points.dropFirst()).allSatisfy { $0.x < $1.x })
    #expect(points.contains { $0.y == 9 } && points.contains { $0.y == -9 })
  }

  @Test(arguments: [1, 10, 11, 1000, 54_321])
  func aLongListKeepsItsEndsAndTheBest(_ count: Int) {
    var list = ThinnedList<Int>(limit: 10)
    let best = count * 2 / 3
    for value in 0..<count { list.append(value) { $0 == min(best, value) } }
    #expect(list.count == count && list.last == count - 1 && list.elements.first == 0)
    #expect(list.elements.contains(best))
    #expect(list.elements.count <= 13 && list.elements.count >= min(count, 5))
    #expect(list.elements == list.elements.sorted())
    #expect(list.isThinned == (count > 13) || count == 11)
  }
}
