import LSTMLayers

extension TagChain {
  /// The tags of the highest score (Viterbi); of equal ones those with lower numbers, from the last tag backward.
  /// - Parameters:
  ///   - steps: T.
  ///   - row: the scores (K) of a step.
  package func bestPath(steps: Int, _ row: (Int) -> UnsafePointer<Float>) -> [Int] {
    guard steps > 0 else { return [] }
    var scores = [Double](repeating: 0, count: size)
    var next = scores
    var origins = [Int32](repeating: 0, count: (steps - 1) * size)
    for tag in 0..<size { scores[tag] = Double(row(0)[tag]) + startScore(tag) }
    for step in 1..<max(steps, 1) {
      let emissions = row(step)
      for tag in 0..<size {
        var (best, origin) = (scores[0] + Double(transitions[tag]), 0)
        for other in 1..<max(size, 1) {
          let score = scores[other] + Double(transitions[other * size + tag])
          if score > best { (best, origin) = (score, other) }
        }
        next[tag] = best + Double(emissions[tag])
        origins[(step - 1) * size + tag] = Int32(origin)
      }
      swap(&scores, &next)
    }
    var last = 0
    for tag in 0..<size { next[tag] = scores[tag] + endScore(tag) }
    for tag in 0..<size where next[tag] > next[last] { last = tag }
    var path = [Int](repeating: last, count: steps)
    for step in stride(from: steps - 1, to: 0, by: -1) { path[step - 1] = Int(origins[(step - 1) * size + path[step]]) }
    return path
  }

  func startScore(_ tag: Int) -> Double { start.map { Double($0[tag]) } ?? 0 }
  func endScore(_ tag: Int) -> Double { end.map { Double($0[tag]) } ?? 0 }

  /// The score of a sequence of tags.
  func score(steps: Int, _ tag: (Int) -> Int, _ row: (Int) -> UnsafePointer<Float>) -> Double {
    guard steps > 0 else { return 0 }
    var sum = startScore(tag(0)) + endScore(tag(steps - 1))
    for step in 0..<steps {
      sum += Double(row(step)[tag(step)])
      if step > 0 { sum += Double(transitions[tag(step - 1) * size + tag(step)]) }
    }
    return sum
  }
}
