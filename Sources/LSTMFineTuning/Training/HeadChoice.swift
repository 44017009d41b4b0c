import FileIO
import LSTMCheckpoints

/// Whether a model keeps its head.
public enum HeadChoice: Sendable, Equatable, Codable {
  /// The model's own; a bare LSTM whose output is of another width gets a new one.
  case keep
  /// The model's own, however many more outputs than classes it has.
  case keepAll
  /// A new dense layer in place of the last one of the model's head, see `LSTMModel.replacingHead`; the size comes from
  /// the targets when nil.
  case new(size: Int?)

  /// Whether a layer of fresh values takes the place of the last one.
  public var isNew: Bool { if case .new = self { true } else { false } }

  /// From `new`, `new:SIZE` or `keep`.
  /// - Throws: `FineTuningError.invalidOption`.
  public init(parsing text: String) throws(FineTuningError) {
    if text == "keep" {
      self = .keepAll
      return
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts[0] == "new", parts.count <= 2 else {
      throw .invalid(.head, "\(text)", "expected new, new:SIZE or keep", advice: ["for example \(.head, "new:9")"])
    }
    guard parts.count == 2 else {
      self = .new(size: nil)
      return
    }
    let limit = ModelConfiguration.sizeLimit
    guard let size = Int(parts[1]), 1...limit ~= size else {
      throw .invalid(
        .head, "\(text)", "expected a size from 1 to \(limit), found \"\(parts[1])\"",
        advice: ["for example \(.head, "new:9")"])
    }
    self = .new(size: size)
  }
}
