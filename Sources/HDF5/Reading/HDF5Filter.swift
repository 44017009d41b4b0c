/// A filter of a chunked dataset. Others are refused.
public enum HDF5Filter: Sendable, Hashable {
  case deflate(level: Int)
  case shuffle
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
