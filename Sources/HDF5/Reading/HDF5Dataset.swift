/// A dataset as the walk found it: everything but the bytes. It keeps its file open.
public struct HDF5Dataset: Sendable {
  public enum Storage: Sendable, Equatable {
    /// One run of bytes at an offset of the file; nil when none was ever written.
    case contiguous(offset: Int?)
    /// Within the dataset's header.
    case compact
    case chunked(chunkShape: [Int], filters: [HDF5Filter])
  }

  public let name: String
  public let path: String
  /// Empty for a scalar; `[0]` for the null dataspace.
  public let shape: [Int]
  public let type: HDF5ScalarType
  public let byteOrder: HDF5ByteOrder
  public let storage: Storage
  /// Bytes that the data takes in the file (`H5Dget_storage_size`).
  public let storedByteCount: Int
  public let elementCount: Int
  /// Bytes that ``readBytes()`` returns. For variable-length strings and unsupported types, bytes of the
  /// elements as the file stores them.
  public let byteCount: Int
  public let attributes: [HDF5Attribute]

  let file: HDF5File
  /// One element in the file's byte order, for what was never written; empty for zeros.
  let fill: [UInt8]
  let padding: StringPadding
  /// Whether chunks that reach beyond the shape are stored without filters.
  let edgeChunksAreUnfiltered: Bool

  public func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }
  }

  var call: Call { Call(file: file.path, object: path) }
}
