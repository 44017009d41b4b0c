import LSTMCheckpoints
import LSTMLayers

/// What models say that answer with whole sequences.
extension Evaluator {
  /// What a model that ends in a CRF finds.
  public struct Tags: Sendable {
    /// The likeliest tags of each sequence (Viterbi), one for each of its steps; those that a mask hides are no steps.
    public var tags: [[Int]]
    /// (N, T, K): how likely each tag is at a step, whatever the others are; zero at padded steps.
    public var probabilities: Tensor
  }

  /// The tags of a model that ends in a CRF.
  /// - Returns: nil for another model.
  /// - Throws: `ShapeError` when data and model do not fit together.
  public func tags(_ data: SequenceData) throws(ShapeError) -> Tags? {
    guard let chain = network.outputChain() else { return nil }
    let size = chain.size
    var found = Tags(tags: [], probabilities: Tensor(zeros: [0, 0, size]))
    var (probabilities, steps) = ([Float](), 0)
    let likelihood = ChainLikelihood()
    try forEachBatch(of: data, output: .activated) { output, lengths in
      let (count, longest) = (output.shape[0], output.shape[1])
      var part = [Float](repeating: 0, count: output.values.count)
      output.values.withUnsafeBufferPointer { values in
        guard let base = values.baseAddress else { return }
        let tags = (0..<count).map { b in
          chain.bestPath(steps: lengths[b]) { base + (b * longest + $0) * size }
        }
        var losses = [Double](repeating: 0, count: count)
        likelihood.evaluate(
          .init(
            emissions: base, sequences: count, length: { lengths[$0] }, row: { $0 * longest + $1 },
            label: { tags[$0][$1] }, factor: { _ in 1 }),
          chain, losses: &losses, gradient: &part, chainGradient: nil, kernels: network.kernels)
        // The gradient of the likelihood of some tags is the probabilities, less 1 at those tags.
        for b in 0..<count {
          for (step, tag) in tags[b].enumerated() { part[(b * longest + step) * size + tag] += 1 }
        }
        found.tags += tags
      }
      probabilities += part
      steps = longest
    }
    found.probabilities = Tensor(shape: [found.tags.count, steps, size], values: probabilities)
    return found
  }

  /// The labels in order of a model that was trained with CTC.
  /// - Parameters:
  ///   - blank: the class that stands for no label.
  ///   - beam: beginnings kept by the search, see `CTCDecoding.beamSearch`; nil for the likeliest alignment alone, which has
  ///     no probability of its labels: NaN.
  /// - Throws: `ShapeError` when data and model do not fit together.
  public func labels(
    _ data: SequenceData, blank: Int, beam: Int? = nil
  ) throws(ShapeError) -> [CTCDecoding.Answer] {
    let width = network.configuration.outputSize
    guard 0..<width ~= blank, network.givesSteps else {
      throw ShapeError(
        what: "model", expected: "an output for each step, of which the blank is number \(blank)",
        found: network.configuration.summary)
    }
    var answers: [CTCDecoding.Answer] = []
    try forEachBatch(of: data, output: .logits) { output, lengths in
      let longest = output.shape[1]
      output.values.withUnsafeBufferPointer { values in
        guard let base = values.baseAddress else { return }
        for (b, length) in lengths.enumerated() {
          let row = { base + (b * longest + $0) * width }
          if let beam {
            answers += CTCDecoding.beamSearch(
              steps: length, classes: width, blank: blank, width: beam, count: 1, row)
          } else {
            let labels = CTCDecoding.greedy(steps: length, classes: width, blank: blank, row)
            answers.append(CTCDecoding.Answer(labels: labels, logProbability: .nan))
          }
        }
      }
    }
    return answers
  }

  /// The outputs (N, T, O) of batches, and the steps of each output.
  private func forEachBatch(
    of data: SequenceData, output form: Network.OutputForm, _ body: (_ output: Tensor, _ lengths: [Int]) -> Void
  ) throws(ShapeError) {
    let data = try data.hiding(network.configuration.mask, for: network.configuration)
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<start + min(batchSize, data.count - start)
      let output = try network.forward(data.batch(examples), output: form, forBackward: false)
      body(output, examples.map { network.outputSteps(data.length($0)) })
    }
  }
}
