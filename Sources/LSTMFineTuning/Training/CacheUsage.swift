/// Cached outputs of frozen layers.
public struct CacheUsage: Sendable, Equatable {
  /// Where they are kept.
  public enum Place: Sendable, Equatable {
    /// In memory.
    case memory
    /// A file without a name in this folder.
    case file(folder: String)
    /// They fit nowhere, and are computed in every epoch.
    case nowhere(reason: String)
  }

  /// The frozen parts, from the input up: `embedding`, `layer0`, `readout`, `head.0`, ...
  public var parts: [String]
  /// Exactly, for training and validation data.
  public var bytes: Int
  /// Where they are kept.
  public var place: Place

  package init(parts: [String], bytes: Int, place: Place) {
    (self.parts, self.bytes, self.place) = (parts, bytes, place)
  }
}
