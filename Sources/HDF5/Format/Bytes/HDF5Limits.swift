/// Limits for untrusted files. A file that exceeds one is refused before memory is allocated.
public struct HDF5Limits: Sendable, Equatable {
  /// Links in the whole file.
  public var objects = 200_000
  /// Attributes in the whole file.
  public var attributes = 100_000
  /// Bytes of one attribute's value.
  public var attributeBytes = 64 << 20
  /// Depth of nested groups.
  public var depth = 64
  /// Dimensions of a dataset or an attribute.
  public var rank = 32
  /// Filters of one dataset.
  public var filters = 32
  /// Chunks of one dataset.
  public var chunks = 1_000_000
  /// A dataset above this many bytes may not exceed ``ratio`` times the bytes stored for it.
  public var unexplainedBytes = 128 << 20
  /// Bytes a dataset may have for each byte stored, above ``unexplainedBytes``. Deflate makes 1032 of one at the most.
  public var ratio = 1040
  /// Bytes of text in one variable-length string dataset.
  public var stringBytes = 1 << 30

  /// The standard limits, which can then be changed.
  public init() {}

  /// For checkpoints of any usual size.
  public static let standard = HDF5Limits()
}
