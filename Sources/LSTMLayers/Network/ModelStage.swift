/// A boundary between two parts of the model, where a pass may start or end.
package enum ModelStage: Sendable, Hashable {
  /// The model's input.
  case input
  /// The input of LSTM layer k or, if k is the number of layers, of the readout. With a skip concatenation, the outputs of
  /// all layers below and the model's input.
  case layer(Int)
  /// The input of head layer k, after the readout's activation, or, if k is the number of head layers, the model's output
  /// before normalization.
  case head(Int)

  /// Whether it is below another boundary or equal to it.
  func isReached(before other: ModelStage) -> Bool {
    switch (self, other) {
    case (.input, _): true
    case (.layer(let own), .layer(let place)), (.head(let own), .head(let place)): own <= place
    case (.layer, .head): true
    case (.layer, .input), (.head, .input), (.head, .layer): false
    }
  }
}
