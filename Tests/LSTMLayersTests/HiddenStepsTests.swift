import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Moving the steps that are read together, against plain lists.
@Suite struct HiddenStepsTests {
  @Test(arguments: [1, 7, 129], [(1, 2), (1, 9), (4, 2), (5, 6)])
  func movingMatchesThePlainLists(_ width: Int, _ grid: (count: Int, steps: Int)) throws {
    var random = RandomNumbers(seed: UInt64(width + grid.steps))
    let (count, steps) = grid
    for lengths in [nil, (0..<count).map { _ in Int.random(in: 2...steps, using: &random) }] {
      // The first step is read, so that every hidden one has an output to repeat; one at least is hidden.
      var isHidden = (0..<count).map { _ in (0..<steps).map { $0 > 0 && Bool.random(using: &random) } }
      isHidden[0][1] = true
      let hidden = try #require(
        try HiddenSteps(count: count, steps: steps, lengths: lengths) { isHidden[$0][$1] })
      let values = (0..<count * steps * width).map { _ in random.normal() }
      let moved = hidden.moved(values, width: width, filling: -1)
      for sequence in 0..<count {
        func row(_ list: [Float], _ step: Int) -> [Float] {
          Array(list[(sequence * steps + step) * width..<(sequence * steps + step + 1) * width])
        }
        let end = lengths?[sequence] ?? steps
        let read = (0..<end).filter { !isHidden[sequence][$0] }
        #expect(hidden.lengths[sequence] == read.count && hidden.first(sequence) == 0)
        #expect(hidden.isRun(sequence) == (read == Array(0..<read.count)))
        for step in 0..<steps {
          #expect(
            row(moved, step) == (step < read.count ? row(values, read[step]) : .init(repeating: -1, count: width)))
        }
      }
      let ends = lengths ?? .init(repeating: steps, count: count)
      #expect(hidden.hiddenCount == zip(ends, hidden.lengths).reduce(0) { $0 + $1.0 - $1.1 })
    }
  }

  @Test func oneStepIsReadOrThereIsNothing() throws {
    #expect(try HiddenSteps(count: 1, steps: 1, lengths: nil) { _, _ in false } == nil)
    #expect(throws: ShapeError.self) { try HiddenSteps(count: 1, steps: 1, lengths: nil) { _, _ in true } }
  }
}
