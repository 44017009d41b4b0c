/// Caps on what a file may ask for. A file beyond one of them is refused before memory is taken.
public struct HDF5Limits: Sendable, Equatable {
  /// Links followed, over the whole file.
  public var objects = 100_000
  /// Attributes, over the whole file.
  public var attributes = 100_000
  /// Bytes of one attribute's value.
  public var attributeBytes = 64 << 20
  /// Groups within groups.
  public var depth = 64
  /// Dimensions of a dataset or an attribute.
  public var rank = 32
  /// Filters of one dataset.
  public var filters = 32
  /// Chunks of one dataset.
  public var chunks = 1_000_000
  /// A dataset above this many bytes must also be explained by what is stored: see ``ratio``.
  public var unexplainedBytes = 4 << 30
  /// Bytes a dataset may have for each byte stored, above ``unexplainedBytes``.
  public var ratio = 1000
  /// Bytes of text in one variable-length string dataset.
  public var stringBytes = 1 << 30

  public init() {}

  public static let standard = HDF5Limits()
}
