/// A tensor under the name that a file gives it.
struct NamedTensor {
  let name: String
  let tensor: StoredTensor
  /// The project's name of what it holds, or several joined by " + ".
  let source: String
  /// What was done to its values; nil when they only moved.
  var how: String?
  /// The name of the tensor that it is one with, where the format has a way to say so.
  var sharedWith: String?
}

extension WrittenTensor {
  init(_ item: NamedTensor) {
    self.init(
      source: item.source, target: item.name, shape: item.tensor.shape, dataType: item.tensor.dataType,
      how: item.how ?? item.sharedWith.map { "one with \($0)" })
  }
}

/// A tensor as it was written, for the report.
public struct WrittenTensor: Sendable, Encodable, Equatable {
  /// The project's name, or names joined by " + ".
  public let source: String
  /// The name in the file.
  public let target: String
  /// Its shape in the file.
  public let shape: [Int]
  /// Its element type in the file.
  public let dataType: DataType
  /// What was done to its values; nil when they only moved.
  public var how: String?
}
