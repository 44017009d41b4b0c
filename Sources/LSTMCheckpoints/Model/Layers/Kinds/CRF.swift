extension Layer {
  /// A linear-chain conditional random field over the tags that each step is given scores for: (N, T, K) -> (N, T, K).
  ///
  /// The scores pass through. A sequence of tags y has the score
  ///
  ///     start_transitions[y_0] + e_0[y_0] + sum over t > 0 of (transitions[y_t-1][y_t] + e_t[y_t]) + end_transitions[y_T-1]
  ///
  /// the loss is the negative log-likelihood of the right one, and the tags found are those of the highest score (Viterbi).
  /// transitions (K, K) are from row to column, start_transitions and end_transitions (K). In other packages:
  ///
  /// | package | transitions | start, end | scores e |
  /// |---|---|---|---|
  /// | pytorch-crf (`torchcrf.CRF`) | transitions | start_transitions, end_transitions | what it is given |
  /// | TorchCRF (`TorchCRF.CRF`) | trans_matrix | start_trans, end_trans | what it is given |
  /// | TensorFlow Addons (`CRF`) | chain_kernel | left_boundary, right_boundary | a dense layer of its own: kernel, bias |
  /// | keras-contrib (`CRF`) | -chain_kernel | -left_boundary, -right_boundary | -activation(kernel^T x + bias) |
  ///
  /// keras-contrib counts energies, of which the lowest is best: all of its numbers change their sign, those of its dense
  /// layer included where its activation is linear. With a mask its right_boundary never counts, and the loss that it
  /// reports has log K for each masked step in it. Its learn_mode and test_mode do not change the numbers: `join` is trained by
  /// this loss, and `viterbi` gives the best tags; `marginal` gives, and is trained on, each step's probabilities by
  /// themselves. Code that has tags for the start and the end of a sequence, with -10000 for what may not follow, has them
  /// as rows and columns of transitions, often from column to row: transitions[to][from].
  public struct CRF: LayerKind {
    /// Whether sequences have scores for their first and last tags.
    public var hasEnds = true

    public init() {}
    public var kind: String { "crf" }
    public var example: String { "120 tokens -> embedding 50 -> biLSTM 100 -> dense 9 -> CRF" }
    public var words: String { "CRF" }
    public var stem: String { "crf" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.flag("ends", &hasEnds, usual: true)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[0].requireSteps()
      return inputs[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let size = inputs[0].width
      let start = LayerParameter.Start.uniform(0.1)
      var list: [LayerParameter] = []
      if hasEnds {
        list.append(.init("start_transitions", [size], .weight, start: start))
        list.append(.init("end_transitions", [size], .weight, start: start))
      }
      list.append(.init("transitions", [size, size], .weight, start: start))
      return list
    }
  }
}
