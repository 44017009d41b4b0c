/// Whether a model keeps its head.
public enum HeadChoice: Sendable, Equatable, Codable {
  /// The model's own; a bare LSTM whose output is of another width gets a new one.
  case keep
  /// The model's own, however many more outputs than classes it has.
  case keepAll
  /// A new dense layer in place of the last one of the model's head, see `LSTMModel.replacingHead`; the size comes from
  /// the targets when nil.
  case new(size: Int?)

  /// Whether a layer of random values takes the place of the last one.
  public var isNew: Bool { if case .new = self { true } else { false } }
}
