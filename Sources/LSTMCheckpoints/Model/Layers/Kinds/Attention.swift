extension Layer {
  /// One row a sequence as the average of its steps, weighted by the softmax over time of a score of each:
  /// (N, T, S) -> (N, S).
  public struct Attention: LayerKind {
    /// The score of a step x.
    public enum Form: String, LayerChoice, Codable {
      /// weight x (+ bias): weight (1, S), bias (1).
      case vector
      /// weight x (+ bias), a score for each feature: weight (S, S), bias (S). Each feature is averaged by its own scores.
      case feature
      /// score tanh(weight x (+ bias)) (+ score_bias): weight (A, S), bias (A), score (1, A), score_bias (1).
      case tanh
    }

    /// The score of a step.
    public var form = Form.vector
    /// A, of the form `tanh`.
    public var size: Int
    /// Whether there is a bias.
    public var hasBias = false
    /// Whether the form `tanh` has a bias of its score.
    public var hasScoreBias = false
    /// What the score goes through before the softmax; tanh in some `vector` forms of Keras.
    public var scoreActivation = Activation.none

    /// By the softmax of a vector times each step.
    public init(_ form: Form = .vector, size: Int = 1) {
      self.form = form
      self.size = size
    }

    public var kind: String { "attention" }
    public var example: String { "8 features -> biLSTM 64 -> attention tanh size 32 -> dense 3" }
    public var stem: String { "attention" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.choice("form", &form, usual: .vector)
      if form == .tanh {
        try d.whole("size", &size, usual: 1, in: 1...Layer.sizeLimit)
        try d.flag("score_bias", &hasScoreBias, usual: false)
      }
      try d.flag("bias", &hasBias, usual: false)
      try d.choice("score_activation", &scoreActivation, usual: .none, isBare: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[0].requireSteps()
      guard scoreActivation.isElementwise else {
        throw LayerError("score_activation", "expected a function of one number, found \(scoreActivation.rawValue)")
      }
      return inputs[0].perSequence(width: inputs[0].width)
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let bound = LayerParameter.Start.uniform(1 / Float(inputs[0].width).squareRoot())
      let rows = form == .vector ? 1 : form == .feature ? inputs[0].width : size
      var list = [LayerParameter("weight", [rows, inputs[0].width], .weight, start: bound)]
      if hasBias { list.append(.init("bias", [rows], .bias, start: bound)) }
      guard form == .tanh else { return list }
      let inner = LayerParameter.Start.uniform(1 / Float(size).squareRoot())
      list.append(.init("score", [1, size], .weight, start: inner))
      if hasScoreBias { list.append(.init("score_bias", [1], .bias, start: inner)) }
      return list
    }
  }

  /// Keras' Attention and AdditiveAttention: each row of the first input (the query) becomes the average of the second
  /// input's steps (the value), weighted by the softmax of its scores with the third's (the key), or the second's. With
  /// heads, each does so with its own part of the features.
  public struct DotAttention: LayerKind {
    /// Whether scores are sum(scale * tanh(query + key)) instead of query * key.
    public var isAdditive = false
    /// Whether there is a `scale`: (S) when additive, else one number.
    public var hasScale = false
    /// Whether products are divided by the square root of the width of a head's queries.
    public var isScaled = false
    /// Heads, each of which has as many features of query, key and value.
    public var heads = 1
    /// Whether additive scores have a bias (1), which the softmax takes out again: it is kept and changes nothing.
    public var hasBias = false
    /// Whether a query sees the value's steps up to its own only.
    public var isCausal = false

    public init() {}
    public var kind: String { "dot_attention" }
    public var example: String { "8 features -> LSTM 16 -> dot attention from layer0, layer0" }
    public var stem: String { "attention" }
    public var inputCount: ClosedRange<Int> { 2...3 }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.flag("additive", &isAdditive, usual: false)
      try d.flag("scale", &hasScale, usual: false)
      try d.flag("scaled", &isScaled, usual: false)
      try d.whole("heads", &heads, usual: 1, in: 1...Layer.sizeLimit)
      try d.flag("bias", &hasBias, usual: false)
      try d.flag("causal", &isCausal, usual: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[1].requireSteps()
      if isAdditive, heads > 1 || isScaled { throw LayerError("additive", "goes with one head that is not scaled") }
      if hasBias, !isAdditive { throw LayerError("bias", "only additive scores have one") }
      if heads > 1, hasScale { throw LayerError("heads", "a learned scale goes with one head") }
      for (input, what) in [(inputs[0], "query"), (inputs[1], "value")] where input.width % heads != 0 {
        throw LayerError("heads", "\(heads) does not divide the \(input.width) values of a row of the \(what)")
      }
      let key = inputs.count > 2 ? inputs[2] : inputs[1]
      guard inputs[0].width == key.width else {
        throw LayerError(nil, "query and key differ in width: \(inputs[0].width) and \(key.width)")
      }
      guard key.isPerStep, key.clock == inputs[1].clock else { throw LayerError(nil, "key and value differ in steps") }
      return inputs[0].with(width: inputs[1].width)
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      var list: [LayerParameter] = []
      if hasScale { list.append(.init("scale", isAdditive ? [inputs[0].width] : [], .gain, start: .constant(1))) }
      if hasBias { list.append(.init("bias", [1], .fixed, start: .constant(0))) }
      return list
    }
  }

  /// Heads of self-attention over the steps of a sequence, as PyTorch's MultiheadAttention: (N, T, E) -> (N, T, E).
  ///
  /// in_proj_weight (3E, E), in_proj_bias (3E), out_proj.weight (E, E), out_proj.bias (E).
  public struct SelfAttention: LayerKind {
    /// Heads, of E / heads values each.
    public var heads: Int
    /// Whether the projections have biases.
    public var hasBias = true
    /// Whether a step sees those up to its own only.
    public var isCausal = false

    /// Of a number of heads.
    public init(heads: Int = 1) { self.heads = heads }

    public var kind: String { "self_attention" }
    public var example: String { "8 features -> LSTM 16 -> self attention heads 4 -> mean" }
    public var stem: String { "attention" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.whole("heads", &heads, usual: 1, in: 1...Layer.sizeLimit)
      try d.flag("bias", &hasBias, usual: true)
      try d.flag("causal", &isCausal, usual: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[0].requireSteps()
      guard inputs[0].width % heads == 0, inputs[0].width <= Layer.sizeLimit else {
        throw LayerError("heads", "\(heads) does not divide the \(inputs[0].width) values of a row")
      }
      return inputs[0].with(width: inputs[0].width)
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let size = inputs[0].width
      let bound = LayerParameter.Start.uniform((6 / Float(4 * size)).squareRoot())
      var list = [LayerParameter("in_proj_weight", [3 * size, size], .weight, start: bound)]
      if hasBias { list.append(.init("in_proj_bias", [3 * size], .bias, start: .constant(0))) }
      list.append(
        .init("out_proj.weight", [size, size], .weight, start: .uniform(1 / Float(size).squareRoot())))
      if hasBias { list.append(.init("out_proj.bias", [size], .bias, start: .constant(0))) }
      return list
    }
  }
}
