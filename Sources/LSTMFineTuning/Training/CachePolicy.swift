/// Whether and where outputs of frozen layers are cached.
public struct CachePolicy: Sendable, Equatable, Codable {
  /// Off, they are computed in every epoch.
  public var isOn: Bool
  /// Bytes to hold in memory at most; what is larger lies in a mapped file. A quarter of the memory when nil.
  public var memoryLimit: Int?
  /// Where that file is made, which has no name and goes with the process; `TMPDIR`, or `/tmp`, when nil.
  public var folder: String?

  /// By default outputs are kept, in memory up to a quarter of it.
  public init(isOn: Bool = true, memoryLimit: Int? = nil, folder: String? = nil) {
    self.isOn = isOn
    self.memoryLimit = memoryLimit
    self.folder = folder
  }

  /// Nothing is kept.
  public static let off = CachePolicy(isOn: false)
}
