import LSTMCheckpoints
import LSTMLayers

/// What models that answer with whole sequences say, from outputs as `predict` gives them.
extension Evaluator {
  /// Of a model that ends in a CRF, the likeliest tags of each sequence (Viterbi), and the probability of each tag.
  public struct Tags: Sendable {
    /// By sequence, a tag for each of its steps.
    public var tags: [[Int]]
    /// (N, T, K): how likely each tag is at a step, whatever the others are; zero at padded steps.
    public var probabilities: Tensor
  }

  /// - Parameters:
  ///   - output: (N, T, K), the scores of tags.
  ///   - lengths: the steps of each sequence of the output; nil for all.
  /// - Returns: nil for a model that does not end in a CRF.
  /// - Throws: `ShapeError` when the output is not the model's.
  public func tags(_ output: Tensor, lengths: [Int]? = nil) throws(ShapeError) -> Tags? {
    guard let chain = network.outputChain else { return nil }
    let (count, steps) = try checked(output, lengths, width: chain.size)
    let size = chain.size
    var answer = Tags(tags: [], probabilities: Tensor(zeros: output.shape))
    let likelihood = ChainLikelihood()
    output.values.withUnsafeBufferPointer { values in
      answer.probabilities.values.withUnsafeMutableBufferPointer { probabilities in
        guard let base = values.baseAddress, let gradient = probabilities.baseAddress else { return }
        let length = { (b: Int) in lengths?[b] ?? steps }
        let tags = (0..<count).map { b in chain.bestPath(steps: length(b)) { base + (b * steps + $0) * size } }
        var losses = [Double](repeating: 0, count: count)
        likelihood.evaluate(
          .init(
            emissions: base, sequences: count, length: length, row: { $0 * steps + $1 }, label: { tags[$0][$1] },
            factor: { _ in 1 }),
          chain, losses: &losses, gradient: gradient, chainGradient: nil, kernels: network.kernels)
        // The gradient of the likelihood of some tags is the probabilities, less 1 at those tags.
        for b in 0..<count {
          for (step, tag) in tags[b].enumerated() { gradient[(b * steps + step) * size + tag] += 1 }
        }
        answer.tags = tags
      }
    }
    return answer
  }

  /// Of a model that was trained with CTC, the likeliest labels of each sequence.
  /// - Parameters:
  ///   - output: (N, T, K), logits or probabilities; see `givesLogits`.
  ///   - lengths: the steps of each sequence of the output; nil for all.
  ///   - blank: its number.
  ///   - beam: beginnings kept by the search, see `CTCDecoding.beamSearch`; nil for the likeliest alignment alone.
  ///   - givesLogits: false where the output is probabilities.
  /// - Returns: the probabilities are NaN where no search was made.
  /// - Throws: `ShapeError` when the output is not the model's.
  public func labels(
    _ output: Tensor, lengths: [Int]? = nil, blank: Int, beam: Int? = nil, givesLogits: Bool
  ) throws(ShapeError) -> [CTCDecoding.Answer] {
    let width = network.configuration.outputSize
    let (count, steps) = try checked(output, lengths, width: width)
    guard 0..<width ~= blank else {
      throw ShapeError(what: "blank", expected: "a number from 0 to \(width - 1)", found: "\(blank)")
    }
    return (0..<count).map { b in
      let first = b * steps * width
      let rows = output.values[first..<first + (lengths?[b] ?? steps) * width]
      guard let beam else {
        let labels = CTCDecoding.greedy(Array(rows), classes: width, blank: blank)
        return CTCDecoding.Answer(labels: labels, logProbability: .nan)
      }
      let logits = givesLogits ? Array(rows) : rows.map { logarithm($0) }
      return CTCDecoding.beamSearch(logits, classes: width, blank: blank, width: beam).first
        ?? CTCDecoding.Answer(labels: [], logProbability: .nan)
    }
  }

  private func checked(
    _ output: Tensor, _ lengths: [Int]?, width: Int
  ) throws(ShapeError) -> (count: Int, steps: Int) {
    guard output.shape.count == 3, output.shape[2] == width else {
      throw ShapeError(what: "output", expected: "(N, T, \(width))", found: shapeText(output.shape))
    }
    let (count, steps) = (output.shape[0], output.shape[1])
    if let lengths, lengths.count != count || !lengths.allSatisfy({ 0...steps ~= $0 }) {
      throw ShapeError(
        what: "lengths", expected: "\(count) numbers from 0 to \(steps)", found: "\(lengths.count): \(lengths.prefix(6))")
    }
    return (count, steps)
  }
}
