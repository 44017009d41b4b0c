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
  public internal(set) var name: String
  /// Such as "/lstm/weight".
  public internal(set) var path: String
  /// Empty for a scalar; `[0]` for the null dataspace.
  public let shape: [Int]
  /// The type of an element.
  public let type: HDF5ScalarType
  /// The byte order in the file.
  public let byteOrder: HDF5ByteOrder
  /// How the data is stored.
  public internal(set) var storage: Storage
  /// The product of the shape; 1 for a scalar.
  public let elementCount: Int
  /// Bytes that ``readBytes()`` returns. For variable-length strings and unsupported types, the size of the
  /// elements as stored in the file.
  public let byteCount: Int
  /// Its attributes, already read.
  public internal(set) var attributes: [HDF5Attribute]
  /// Why attributes of it are missing in ``attributes``: damaged ones, and those beyond a limit.
  public internal(set) var unreadableAttributes: [HDF5Error] = []

  let file: HDF5File
  let place: DataPlace
  /// What the shape may grow to; nil where there is no end.
  let greatestShape: [Int?]
  let filterMessages: [FilterMessage]
  /// The value of elements that were never written, in the file's byte order; empty for zeros.
  let fill: [UInt8]
  let padding: StringPadding

  /// The attribute with that name; nil when there is none.
  public func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }
  }

  /// Bytes that the data occupies in the file.
  /// - Throws: ``HDF5Error`` when the index of its chunks is damaged.
  public var storedByteCount: Int {
    get throws(HDF5Error) {
      try file.withOpenFile { open throws(HDF5Error) in
        try call.naming { () throws(Damage) in try storedByteCount(open.metadata()) }
      }
    }
  }

  /// Why its data is not read, although it is described: filters that are not known.
  package var refusal: HDF5Error? {
    guard case .chunked(_, let filters) = storage else { return nil }
    return HDF5Filter.refusal(of: filters).map { call.error(.refused, $0) }
  }

  /// Whether libhdf5 reads it and this library does not: by its own filters, or of numbers of unusual form.
  package var isForLibrary: Bool {
    if case .chunked(_, let filters) = storage, HDF5Filter.refusal(of: filters) != nil {
      return filterMessages.allSatisfy { (1...6).contains($0.number) } && Set(filters).count == filters.count
    }
    guard case .unsupported(let name) = type else { return false }
    return DatatypeMessage.unusualNumbers.contains { name.hasSuffix($0) }
  }

  /// The same dataset under another of its names.
  func renamed(_ name: String, _ path: String) -> HDF5Dataset {
    var copy = self
    copy.name = name
    copy.path = path
    return copy
  }

  var call: Call { Call(file: file.path, object: path) }
}
