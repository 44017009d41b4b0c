/// A filter of a chunked dataset.
public enum HDF5Filter: Sendable, Hashable {
  /// zlib's compression (gzip in h5py), level 0 to 9.
  case deflate(level: Int)
  /// Groups the bytes of all elements by their significance, so that they compress better.
  case shuffle
  /// A checksum of each chunk.
  case fletcher32
  /// h5py's fast compression.
  case lzf
  /// A filter that is not read: its number in HDF5's registry, and its name as far as it is known.
  case other(number: Int, name: String)

  init(_ message: FilterMessage) {
    switch message.number {
    case 1: self = .deflate(level: Int(message.parameters.first ?? 0))
    case 2: self = .shuffle
    case 3: self = .fletcher32
    case 32000: self = .lzf
    default:
      let known = [4: "szip", 5: "n-bit", 6: "scale-offset"]
      self = .other(number: message.number, name: known[message.number] ?? message.name)
    }
  }

  /// Whether it makes chunks of a size that nobody knows beforehand.
  var compresses: Bool {
    switch self {
    case .deflate, .lzf: true
    case .shuffle, .fletcher32, .other: false
    }
  }

  /// Why a pipeline is not read; nil when it is.
  static func refusal(of filters: [HDF5Filter]) -> String? {
    for case .other(let number, let name) in filters {
      return "it is compressed by filter \(number)\(name.isEmpty ? "" : " (\(name))"); only deflate (gzip), LZF, "
        + "shuffle and fletcher32 are read"
    }
    return filters.filter(\.compresses).count > 1 || Set(filters).count < filters.count
      ? "it has the same filter twice, or two compressions" : nil
  }
}
