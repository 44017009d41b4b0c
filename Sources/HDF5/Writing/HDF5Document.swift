/// A file to write: groups, datasets and attributes in order.
///
///     var document = HDF5Document()
///     document.setAttribute("format", .strings(["example"]))
///     document.addDataset("lstm/weight", shape: [2, 3], type: .float32) { bytes }
///     try document.write(to: "model.h5")
///
/// Nothing is checked before ``write(to:)``. Paths may begin with "/" or not.
public struct HDF5Document: Sendable {
  struct Data: Sendable {
    var shape: [Int]
    var type: HDF5ScalarType
    var byteOrder: HDF5ByteOrder
    var chunkShape: [Int]?
    var deflate: Int?
    var shuffle: Bool
    var fletcher32: Bool
    var source: Source
  }

  /// The provider of a dataset's data, called once while the file is written.
  enum Source: Sendable {
    case whole(@Sendable () throws -> [UInt8])
    case pieces(@Sendable ((UnsafeRawBufferPointer) throws -> Void) throws -> Void)
  }

  enum Content: Sendable {
    case group
    case data(Data)
    case strings([String])
  }

  struct Node: Sendable {
    /// Without a leading "/"; empty for the root.
    var path: String
    var content: Content
  }

  struct Attribute: Sendable {
    var name: String
    var value: HDF5Value
    var isScalar: Bool
  }

  /// A part of the root's attributes that becomes known after the data has been written.
  struct LateText: Sendable {
    /// The text in its place until then.
    let placeholder: String
    let value: @Sendable () throws -> String
  }

  var nodes: [Node] = []
  var attributes: [String: [Attribute]] = [:]
  var lateText: LateText?
  /// The same for a value that follows from what was written.
  var lastText: LastText?

  struct LastText: Sendable {
    let placeholder: String
    let value: @Sendable (_ hashes: [String: UInt64]) throws -> String
  }

  /// An empty document: a root group without attributes.
  public init() {}

  /// Adds a group, and the groups above it as needed. Adding it twice has no effect.
  public mutating func addGroup(_ path: String) {
    nodes.append(Node(path: Self.normalize(path), content: .group))
  }

  /// Adds a dataset of numbers, booleans or fixed-length strings.
  /// - Parameters:
  ///   - shape: empty for a scalar.
  ///   - byteOrder: the order in the file.
  ///   - chunkShape: nil for contiguous storage or, with a filter, for one chunk of the whole dataset.
  ///   - deflate: the level of compression, 0 to 9; nil for none.
  ///   - shuffle: whether bytes are grouped by significance before compression.
  ///   - fletcher32: whether each chunk gets a checksum.
  ///   - bytes: returns the data, in C order and always little-endian; called once, while the file is written.
  ///     ``write(to:)`` rethrows its errors.
  public mutating func addDataset(
    _ path: String, shape: [Int], type: HDF5ScalarType, byteOrder: HDF5ByteOrder = .littleEndian,
    chunkShape: [Int]? = nil, deflate: Int? = nil, shuffle: Bool = false, fletcher32: Bool = false,
    bytes: @escaping @Sendable () throws -> [UInt8]
  ) {
    let data = Data(
      shape: shape, type: type, byteOrder: byteOrder, chunkShape: chunkShape, deflate: deflate,
      shuffle: shuffle, fletcher32: fletcher32, source: .whole(bytes))
    nodes.append(Node(path: Self.normalize(path), content: .data(data)))
  }

  /// Adds a contiguous dataset whose data is written piece by piece, in bounded memory.
  /// - Parameters:
  ///   - shape: empty for a scalar.
  ///   - byteOrder: the order in the file.
  ///   - pieces: passes whole elements to `write`, in C order and always little-endian; called once, while the file is
  ///     written.
  public mutating func addDataset(
    _ path: String, shape: [Int], type: HDF5ScalarType, byteOrder: HDF5ByteOrder = .littleEndian,
    pieces: @escaping @Sendable (_ write: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) {
    let data = Data(
      shape: shape, type: type, byteOrder: byteOrder, chunkShape: nil, deflate: nil, shuffle: false,
      fletcher32: false, source: .pieces(pieces))
    nodes.append(Node(path: Self.normalize(path), content: .data(data)))
  }

  /// Adds a one-dimensional dataset of variable-length UTF-8 strings.
  public mutating func addStrings(_ path: String, _ strings: [String]) {
    nodes.append(Node(path: Self.normalize(path), content: .strings(strings)))
  }

  /// Sets an attribute of a group or dataset, replacing one with the same name. Strings are written as variable-length
  /// UTF-8 (`str` in h5py), integers as int64 or uint64, floats as float64.
  /// - Parameter scalar: whether a single value is written as a scalar rather than an array of one.
  public mutating func setAttribute(
    _ name: String, _ value: HDF5Value, on path: String = "/", scalar: Bool = true
  ) {
    let path = Self.normalize(path)
    let attribute = Attribute(name: name, value: value, isScalar: scalar && value.count == 1)
    if let index = attributes[path]?.firstIndex(where: { $0.name == name }) {
      attributes[path]?[index] = attribute
    } else {
      attributes[path, default: []].append(attribute)
    }
  }

  /// Completes a text attribute of the root after the data has been written, for a value that is computed meanwhile.
  /// - Parameters:
  ///   - placeholder: occurs once, in one text attribute of the root, and is random.
  ///   - value: returns as many bytes of UTF-8 as the placeholder has.
  package mutating func complete(_ placeholder: String, with value: @escaping @Sendable () throws -> String) {
    lateText = LateText(placeholder: placeholder, value: value)
  }

  /// Completes a text attribute of the root at the very end.
  /// - Parameters:
  ///   - placeholder: as of ``complete(_:with:)``.
  ///   - value: gets the XXH64 of each dataset's data, little-endian and in C order, by the dataset's path.
  package mutating func completeLast(
    _ placeholder: String, with value: @escaping @Sendable (_ hashes: [String: UInt64]) throws -> String
  ) {
    lastText = LastText(placeholder: placeholder, value: value)
  }

  private static func normalize(_ path: String) -> String {
    String(path.drop { $0 == "/" })
  }
}
