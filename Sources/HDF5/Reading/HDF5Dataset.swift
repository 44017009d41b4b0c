/// A dataset: its description, from which its data can be read. It keeps its file open.
public struct HDF5Dataset: Sendable {
  /// How the data is stored.
  public enum Storage: Sendable, Equatable {
    /// Contiguous bytes at an offset in the file; nil if nothing was ever written.
    case contiguous(offset: Int?)
    /// In the dataset's header.
    case compact
    /// In chunks of equal shape, each passed through the filters in order.
    case chunked(chunkShape: [Int], filters: [HDF5Filter])
  }

  /// The last part of the path.
  public let name: String
  /// Such as "/lstm/weight".
  public let path: String
  /// Empty for a scalar; `[0]` for the null dataspace.
  public let shape: [Int]
  /// The type of an element.
  public let type: HDF5ScalarType
  /// The byte order in the file.
  public let byteOrder: HDF5ByteOrder
  /// How the data is stored.
  public let storage: Storage
  /// Bytes that the data occupies in the file (`H5Dget_storage_size`).
  public let storedByteCount: Int
  /// The product of the shape; 1 for a scalar.
  public let elementCount: Int
  /// Bytes that ``readBytes()`` returns. For variable-length strings and unsupported types, the size of the
  /// elements as stored in the file.
  public let byteCount: Int
  /// Its attributes, already read.
  public let attributes: [HDF5Attribute]

  let file: HDF5File
  /// The value of elements that were never written, in the file's byte order; empty for zeros.
  let fill: [UInt8]
  let padding: StringPadding
  /// Whether chunks that extend beyond the shape are stored without filters.
  let edgeChunksAreUnfiltered: Bool

  /// The attribute with that name; nil when there is none.
  public func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }
  }

  var call: Call { Call(file: file.path, object: path) }
}
