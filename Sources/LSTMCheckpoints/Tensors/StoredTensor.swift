import FileIO

/// A tensor as a file holds it: name, shape and element type are known, its bytes are read when asked for.
public struct StoredTensor: Sendable {
  /// What it is called in its file, or in the project.
  public var name: String
  private let content: Content

  /// Shared between copies: the tensors of a file of 100,000 are copied many times on their way into a model.
  private final class Content: Sendable {
    let shape: [Int]
    let dataType: DataType
    let isBigEndian: Bool
    let source: any TensorSource

    init(_ shape: [Int], _ dataType: DataType, isBigEndian: Bool, _ source: any TensorSource) {
      self.shape = shape
      self.dataType = dataType
      self.isBigEndian = isBigEndian
      self.source = source
    }
  }

  /// The length of each dimension; empty for a scalar.
  public var shape: [Int] { content.shape }
  /// The type of its elements.
  public var dataType: DataType { content.dataType }
  /// Whether the file holds it so, to write it back alike. `bytes()` is little-endian all the same.
  public var isBigEndian: Bool { content.isBigEndian }
  private var source: any TensorSource { content.source }

  /// - Parameter load: gives the elements in C order, little-endian; called each time the bytes are asked for.
  public init(
    name: String, shape: [Int], dataType: DataType, isBigEndian: Bool = false,
    load: @escaping @Sendable () throws -> [UInt8]
  ) {
    self.init(name: name, shape: shape, dataType: dataType, isBigEndian: isBigEndian, source: LoadedTensor(load: load))
  }

  init(name: String, shape: [Int], dataType: DataType, isBigEndian: Bool, source: any TensorSource) {
    self.name = name
    content = Content(shape, dataType, isBigEndian: isBigEndian, source)
  }

  /// A tensor from float32 values in C order.
  /// - Precondition: the number of values is the product of `shape`.
  public init(name: String, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(name): \(values.count) values for shape \(shape)")
    self.init(name: name, shape: shape, dataType: .float32) { littleEndianBytes(values) }
  }

  /// The same tensor, whose bytes are shown to `observer` whenever they are read.
  /// - Parameter observer: gets whole elements, and whether they are the tensor's first.
  func observed(_ observer: @escaping @Sendable (UnsafeRawBufferPointer, _ isFirst: Bool) -> Void) -> StoredTensor {
    StoredTensor(
      name: name, shape: shape, dataType: dataType, isBigEndian: isBigEndian,
      source: ObservedTensor(inner: source, observer: observer))
  }

  /// The same tensor, whose bytes are hashed whenever they are read.
  /// - Parameter check: gets the XXH64 of all of them, and throws what reading them throws.
  func verified(_ check: @escaping @Sendable (UInt64) throws(CheckpointError) -> Void) -> StoredTensor {
    StoredTensor(
      name: name, shape: shape, dataType: dataType, isBigEndian: isBigEndian,
      source: VerifiedTensor(inner: source, check: check))
  }

  /// A shape whose product overflows counts as `Int.max`: no file has the bytes, so that reading it throws.
  public var elementCount: Int { LSTMCheckpoints.elementCount(shape) ?? .max }
  /// Bytes of all elements.
  public var byteCount: Int { LSTMCheckpoints.elementCount(shape + [dataType.byteCount]) ?? .max }

  /// The same tensor under another name.
  public func renamed(_ name: String) -> StoredTensor {
    var copy = self
    copy.name = name
    return copy
  }

  /// The elements in C order, little-endian.
  /// - Throws: what the file's reader throws; `CheckpointError.corrupt` when the size is not shape x type.
  public func bytes() throws -> [UInt8] {
    let bytes = try source.bytes()
    try check(bytes.count)
    return bytes
  }

  /// The same bytes in order, a piece at a time, where the format can do so in bounded memory.
  /// - Parameter body: gets whole elements, which are gone when it returns.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var count = 0
    try source.forEachPiece { piece in
      count += piece.count
      try body(piece)
    }
    try check(count)
  }

  private func check(_ count: Int) throws(CheckpointError) {
    guard count == byteCount else {
      throw .corrupt(
        tensor: name, detail: "expected \(byteCount) bytes for shape \(shape) of \(dataType), found \(count)")
    }
  }

  /// The elements as float32 in C order: float16 and bfloat16 widen exactly, float64 and integers round to nearest.
  public func floats() throws -> [Float] { ElementConversion.floats(try bytes(), dataType) }

  /// The elements like ``floats()``, into memory for `elementCount` of them: float32 is read there directly.
  /// - Precondition: `buffer` has room for exactly `elementCount` numbers.
  public func readFloats(into buffer: UnsafeMutableBufferPointer<Float>) throws {
    precondition(buffer.count == elementCount, "\(name): \(buffer.count) floats for shape \(shape)")
    #if _endian(little)
      if dataType == .float32, try source.read(into: UnsafeMutableRawBufferPointer(buffer)) { return }
    #endif
    let width = dataType.byteCount
    var done = 0
    try source.forEachPiece { piece in
      defer { done += piece.count / width }
      guard piece.count % width == 0, piece.count / width <= buffer.count - done else { return }
      let part = UnsafeMutableBufferPointer(rebasing: buffer[done..<done + piece.count / width])
      ElementConversion.convert(piece, dataType, into: part)
    }
    try check(done * width)
  }

  /// The elements as float64 in C order; exact but for 64-bit integers beyond 2^53.
  public func doubles() throws -> [Double] { ElementConversion.doubles(try bytes(), dataType) }

  /// The elements as integers.
  /// - Throws: `CheckpointError.notIntegers` when a value is not a whole number that fits.
  public func integers() throws -> [Int] {
    let bytes = try bytes()
    do throws(NotWhole) {
      return try ElementConversion.integers(bytes, dataType)
    } catch {
      throw CheckpointError.notIntegers(tensor: name, found: error.found)
    }
  }
}

/// Where a tensor's bytes come from: in C order, little-endian.
protocol TensorSource: Sendable {
  func bytes() throws -> [UInt8]
  /// Pieces are whole elements.
  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws
  /// Reads into memory of as many bytes as the tensor has; false when this source cannot.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool
}

extension TensorSource {
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool { false }
}

/// Bytes that come all at once.
struct LoadedTensor: TensorSource {
  let load: @Sendable () throws -> [UInt8]

  func bytes() throws -> [UInt8] { try load() }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws { try load().withUnsafeBytes(body) }
}

/// Another source, whose bytes go past somebody.
private struct ObservedTensor: TensorSource {
  let inner: any TensorSource
  let observer: @Sendable (UnsafeRawBufferPointer, _ isFirst: Bool) -> Void

  func bytes() throws -> [UInt8] {
    let bytes = try inner.bytes()
    bytes.withUnsafeBytes { observer($0, true) }
    return bytes
  }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var isFirst = true
    try inner.forEachPiece { piece in
      observer(piece, isFirst)
      isFirst = false
      try body(piece)
    }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard try inner.read(into: buffer) else { return false }
    observer(UnsafeRawBufferPointer(buffer), true)
    return true
  }
}

/// Another source, whose bytes are hashed on their way.
private struct VerifiedTensor: TensorSource {
  let inner: any TensorSource
  let check: @Sendable (UInt64) throws(CheckpointError) -> Void

  func bytes() throws -> [UInt8] {
    let bytes = try inner.bytes()
    try check(bytes.withUnsafeBytes { ContentHash($0).value })
    return bytes
  }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    var hash = ContentHash()
    try inner.forEachPiece { piece in
      hash.update(piece)
      try body(piece)
    }
    try check(hash.value)
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    guard try inner.read(into: buffer) else { return false }
    try check(ContentHash(UnsafeRawBufferPointer(buffer)).value)
    return true
  }
}

/// float32 values as little-endian bytes.
package func littleEndianBytes(_ values: [Float]) -> [UInt8] {
  values.withUnsafeBytes { raw in
    #if _endian(little)
      return [UInt8](raw)
    #else
      return values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) } }
    #endif
  }
}
