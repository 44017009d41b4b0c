import LSTMCheckpoints

/// Looks up the rows of a table: tokens (R) -> (R, W).
final class EmbeddingLayer: NetworkLayer {
  /// The slot of the table (V, W).
  let table: Int
  let vocabulary: Int
  /// The row that is not trained; nil for none.
  let paddingToken: Int?
  private let input: InputLayer
  /// The gradient of the padding row before a backward pass.
  private let paddingGradient = FloatBuffer()
  /// Factors (V) of the rows in this pass; nil when none are dropped.
  private(set) var factors: UnsafePointer<Float>?
  private let factorBuffer = FloatBuffer()

  init(_ kind: Layer.Embedding, _ context: LayerContext) {
    guard let table = context.slot("weight"), let input = context.sources[0] as? InputLayer else {
      fatalError("an embedding without a table or tokens")
    }
    self.table = table
    self.input = input
    vocabulary = context.inputs[0].vocabulary ?? 1
    paddingToken = kind.paddingToken
    super.init(context)
  }

  /// The token of each packed row.
  var tokens: UnsafePointer<Int32> { UnsafePointer(input.tokens.pointer) }

  /// Whether the rows of this pass were looked up in it, rather than kept from another.
  private var isLookedUp = true

  /// For a layer that reads the rows as they are in the table; nil when dropout changes them, or the tokens are not known.
  var unchangedTokens: LSTMDirection.Tokens? {
    factors != nil || mask.isOn || !isLookedUp ? nil : streamTokens
  }

  /// The rows are copied from an earlier pass.
  func takeKeptRows() { isLookedUp = false }

  /// For single steps.
  var streamTokens: LSTMDirection.Tokens {
    .init(numbers: tokens, vocabulary: vocabulary, embedding: UnsafePointer(weights.pointer(table)))
  }

  /// Drops whole rows of the table in this pass.
  func dropRows(_ draw: Regularization.Draw) {
    factorBuffer.reserve(vocabulary)
    var stream = draw.stream(.embedding, 0, 0)
    stream.fill(factorBuffer.pointer, count: vocabulary, dropping: draw.regularization.embeddingDropout)
    factors = UnsafePointer(factorBuffer.pointer)
  }

  func dropNothing() { factors = nil }

  override func forward(_ pass: LayerPass) {
    isLookedUp = true
    let (to, from, width, tokens, factors) = (makeOutput(), weights.pointer(table), width, tokens, factors)
    for row in 0..<rowCount {
      let token = Int(tokens[row])
      (to + row * width).update(from: from + token * width, count: width)
      if let factors { for j in 0..<width { to[row * width + j] *= factors[token] } }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard pass.trainable[table] else { return }
    keepingPadding(pass.gradients) {
      let (to, width, tokens) = (pass.gradients.pointer(table), width, tokens)
      for row in 0..<rowCount {
        let token = Int(tokens[row])
        let (to, from) = (to + token * width, gradient + row * width)
        if let factors {
          for j in 0..<width { to[j] += factors[token] * from[j] }
        } else {
          for j in 0..<width { to[j] += from[j] }
        }
      }
    }
  }

  /// Looking up the padding row adds nothing to its gradient, but another use of a tied table may already have added to it.
  func keepingPadding(_ gradients: ParameterStore, _ body: () -> Void) {
    guard let paddingToken else { return body() }
    precondition(
      paddingToken >= 0 && (paddingToken + 1) * width <= gradients.slots[table].count,
      "a padding row beyond the embedding")
    let row = gradients.pointer(table) + paddingToken * width
    paddingGradient.reserve(width)
    paddingGradient.pointer.update(from: row, count: width)
    body()
    row.update(from: paddingGradient.pointer, count: width)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    step.output.update(from: weights.pointer(table) + step.token * width, count: width)
  }
}
