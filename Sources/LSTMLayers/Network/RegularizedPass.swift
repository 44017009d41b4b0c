/// What regularization does to the pass under way, and its buffers. All of it is off until a pass turns it on.
final class RegularizedPass {
  /// nil for a pass without.
  private(set) var draw: Regularization.Draw?
  private var firstPlace = 0
  /// Whether the last place's mask falls on what the head reads.
  private(set) var dropsHeadInput = false
  private(set) var penalizes = false
  private var dropsEmbedding = false
  private let embedding = FloatBuffer()

  /// What each layer reads, and the last layer's output.
  let masks: [DropoutMask]
  var penalty = Regularization.Penalty()
  /// h[t] - h[t-1] of the last layer (R, S), zero at first steps.
  let differences = FloatBuffer()
  let rowSums = AlignedBuffer<Double>()

  init(layers: Int) { masks = (0...layers).map { _ in DropoutMask() } }

  func turnOff() {
    guard draw != nil else { return }
    draw = nil
    (dropsHeadInput, penalizes, dropsEmbedding) = (false, false, false)
    penalty = Regularization.Penalty()
    for mask in masks { mask.turnOff() }
  }

  func turnOn(_ draw: Regularization.Draw, _ sites: Regularization.Sites) {
    self.draw = draw
    firstPlace = sites.firstPlace
    dropsHeadInput = sites.dropsHeadInput
    let rule = draw.regularization
    penalizes = sites.penalizes && (rule.activationRegularization > 0 || rule.temporalActivationRegularization > 0)
  }

  /// (V), or nil when the embedding is whole.
  var embeddingFactors: UnsafePointer<Float>? { dropsEmbedding ? UnsafePointer(embedding.pointer) : nil }

  /// Whether what layer 0 reads is not what the embedding says.
  var changesEmbeddings: Bool { dropsEmbedding || masks[0].isOn }

  func drawEmbedding(vocabulary: Int) {
    guard let draw else { return }
    dropsEmbedding = true
    embedding.reserve(vocabulary)
    var stream = draw.stream(.embedding, 0, 0)
    stream.fill(embedding.pointer, count: vocabulary, dropping: draw.regularization.embeddingDropout)
  }

  /// Has a direction use its recurrent weight, or a dropped copy.
  /// - Parameter index: of the direction among all layers'.
  func chooseWeight(_ direction: LSTMDirection, layer: Int, index: Int) {
    if let draw, draw.regularization.weightDrop > 0, layer >= firstPlace {
      direction.dropRecurrentWeight(draw, index: index)
    } else {
      direction.useRecurrentWeight(dropped: false)
    }
  }
}
