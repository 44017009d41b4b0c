import LSTMCheckpoints

/// What a backward pass computes for a choice of trainable parameters, and where a forward pass may start from cached
/// outputs of frozen layers.
///
/// No gradient is computed below the lowest trainable parameter; gradients flow through frozen layers above it.
package struct GradientPlan: Sendable {
  /// For each of the model's parameters, in order, whether it is trainable.
  package let trainable: [Bool]
  /// Where the first trainable part starts. Everything below is frozen: the frozen prefix.
  package let entry: ModelStage
  /// The lowest layer that gradients flow through: -1 if they reach the embedding or the input, nil if they end above the
  /// LSTM layers.
  let lowestLayer: Int?
  /// The layers that gradients flow through.
  package var layers: Range<Int> { lowestLayer.map { max($0, 0)..<layerCount } ?? layerCount..<layerCount }
  private let layerCount: Int
  let attentionTrains: Bool
  let lowestHead: Int?

  /// - Parameter wantsInput: whether dL/dx and the gradient of the initial state are wanted as well.
  package init(_ configuration: ModelConfiguration, trainable: [Bool], wantsInput: Bool = false) {
    let parameters = configuration.parameters
    precondition(trainable.count == parameters.count, "\(trainable.count) choices for \(parameters.count) parameters")
    var (lowestLayer, lowestHead): (Int?, Int?) = (wantsInput ? -1 : nil, nil)
    var attentionTrains = false
    for (parameter, trains) in zip(parameters, trainable) where trains {
      switch parameter.role {
      case .embedding: lowestLayer = -1
      case .lstm(let layer, _): lowestLayer = min(lowestLayer ?? layer, layer)
      case .attention: attentionTrains = true
      case .head(let place): lowestHead = min(lowestHead ?? place, place)
      }
    }
    self.trainable = trainable
    layerCount = configuration.layers.count
    self.lowestLayer = lowestLayer
    self.lowestHead = lowestHead
    self.attentionTrains = attentionTrains
    if let lowestLayer {
      entry = lowestLayer <= 0 ? .input : .layer(lowestLayer)
    } else {
      entry = attentionTrains ? .layer(configuration.layers.count) : .head(lowestHead ?? configuration.head.count)
    }
  }
}
