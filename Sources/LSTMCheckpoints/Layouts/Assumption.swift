import FileIO

/// Something that the file cannot tell and that was taken for granted, because it nearly always is so.
public struct Assumption: Sendable, Codable, Equatable {
  /// What was assumed: `nothing between the LSTM and head.0`.
  public let what: Message
  /// How to say otherwise; nil when nothing can be said.
  public internal(set) var change: Message?

  /// What may be behind the last layer; vectors that are compared have a length of 1.
  static func outputActivations(width: Int) -> Message {
    let usual: Message = "\(.outputActivation) sigmoid, softmax, log_softmax, relu or tanh"
    return width < 8 ? usual : usual + "; -> L2 at the end of \(.model, "LINE") for vectors of length 1"
  }

  /// Names and widths say so much, and no more: what stands side by side may have them too.
  static func oneStack(_ modules: String) -> Assumption {
    Assumption(
      what: "\(modules) stand one above the other, in the order of their numbers, with nothing between or around them",
      change:
        "\(.stack, "MODULES") gives another order; LSTMs side by side or with residual connections are described with "
        + "\(.model, "LINE")")
  }
}

extension [Assumption] {
  /// Adds what was assumed, and how to say otherwise.
  mutating func add(_ what: Message, change: Message? = nil) { append(Assumption(what: what, change: change)) }
}
