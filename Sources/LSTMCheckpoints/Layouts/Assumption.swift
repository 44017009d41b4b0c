import FileIO

/// Something that the file cannot tell and that was taken for granted, because it nearly always is so.
public struct Assumption: Sendable, Codable, Equatable {
  /// What was assumed: `nothing between the LSTM and head.0`.
  public let what: Message
  /// How to say otherwise; nil when nothing can be said.
  public let change: Message?

  /// - Parameter change: how to say otherwise; nil when nothing can be said.
  public init(what: Message, change: Message? = nil) {
    self.what = what
    self.change = change
  }
}
