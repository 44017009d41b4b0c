/// Why a line describes no model.
public struct ModelLineError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The input, layer or clause at fault, as it was written; nil for the whole.
  public var part: String?
  /// What is wrong, with the word at fault.
  public var detail: String

  init(_ part: String? = nil, detail: String) {
    self.part = part
    self.detail = detail
  }

  /// `"conv 32 kernal 5": conv has no setting kernal; did you mean kernel?`
  public var description: String { (part.map { "\"\($0.shortened)\": " } ?? "") + detail }
}
