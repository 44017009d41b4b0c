/// A place between two parts of the model, where a pass may begin or end.
public enum ModelStage: Sendable, Hashable {
  /// What the model reads.
  case input
  /// What LSTM layer k reads, or, for the number of layers, the readout. With a skip concatenation, all of the
  /// concatenation that lies below.
  case layer(Int)
  /// What head layer k reads, after the readout's activation, or, for the number of head layers, the model's output
  /// before it is normalized.
  case head(Int)

  /// Whether it lies below another place, or is that.
  func isReached(before other: ModelStage) -> Bool {
    switch (self, other) {
    case (.input, _): true
    case (.layer(let own), .layer(let place)), (.head(let own), .head(let place)): own <= place
    case (.layer, .head): true
    case (.layer, .input), (.head, .input), (.head, .layer): false
    }
  }
}
