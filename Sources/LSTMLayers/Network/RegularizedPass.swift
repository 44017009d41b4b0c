/// The regularization of the current pass, and its buffers.
final class RegularizedPass {
  /// nil for a pass without regularization.
  private(set) var draw: Regularization.Draw?
  private var firstPlace = 0
  /// Whether the last mask applies to the head's input.
  private(set) var dropsHeadInput = false
  private(set) var penalizes = false
  private var dropsEmbedding = false
  private let embedding = FloatBuffer()

  /// A mask for each layer's input, and one for the last layer's output.
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

  /// (V), or nil if the embedding is not dropped.
  var embeddingFactors: UnsafePointer<Float>? { dropsEmbedding ? UnsafePointer(embedding.pointer) : nil }

  /// Whether layer 0's input differs from the embedding's rows.
  var changesEmbeddings: Bool { dropsEmbedding || masks[0].isOn }

  func drawEmbedding(vocabulary: Int) {
    guard let draw else { return }
    dropsEmbedding = true
    embedding.reserve(vocabulary)
    var stream = draw.stream(.embedding, 0, 0)
    stream.fill(embedding.pointer, count: vocabulary, dropping: draw.regularization.embeddingDropout)
  }

  /// Makes a direction use its recurrent weight or, with weight drop, a dropped copy.
  /// - Parameter index: the direction's number among all layers' directions.
  func chooseWeight(_ direction: LSTMDirection, layer: Int, index: Int) {
    if let draw, draw.regularization.weightDrop > 0, layer >= firstPlace {
      direction.dropRecurrentWeight(draw, index: index)
    } else {
      direction.useRecurrentWeight(dropped: false)
    }
  }
}
