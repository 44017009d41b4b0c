/// A filter of a chunked dataset. Datasets with other filters are refused.
public enum HDF5Filter: Sendable, Hashable {
  /// zlib's compression (gzip in h5py), level 0 to 9.
  case deflate(level: Int)
  /// Groups the bytes of all elements by their significance, so that they compress better.
  case shuffle
  /// A checksum of each chunk.
  case fletcher32

  /// HDF5's number for it, `H5Z_FILTER_...`.
  var number: Int {
    switch self {
    case .deflate: 1
    case .shuffle: 2
    case .fletcher32: 3
    }
  }
}
