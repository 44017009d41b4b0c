extension Layer {
  /// A linear-chain conditional random field over the tags that each step is given scores for: (N, T, K) -> (N, T, K).
  ///
  /// The scores pass through; the loss is the negative log-likelihood of the whole sequence of tags, and predictions are
  /// the best sequence (Viterbi). transitions (K, K) are from row to column, start_transitions and end_transitions (K).
  public struct CRF: LayerKind {
    /// Whether sequences have scores for their first and last tags.
    public var hasEnds = true

    public init() {}
    public var kind: String { "crf" }
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
