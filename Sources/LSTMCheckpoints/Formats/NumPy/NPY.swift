import FileIO

/// An array read from an NPY file: C order, little-endian, whatever the file had.
package struct NPYArray: Sendable, Equatable {
  /// The length of each dimension; empty for a scalar.
  package let shape: [Int]
  /// The elements' type.
  package let dataType: DataType
  /// Whether the file kept the array in Fortran order; `bytes` are in C order either way.
  package let fortranOrder: Bool
  /// The elements, little-endian, the last index varying fastest.
  package let bytes: [UInt8]
  /// What the array came from; used in errors.
  package let file: String

  /// How many elements there are.
  package var count: Int { bytes.count / dataType.byteCount }

  /// The elements in C order as single precision, rounded to nearest where that is narrower. Booleans are 0 and 1.
  package func floats() -> [Float] { ElementConversion.floats(bytes, dataType) }

  /// The elements in C order as double precision; exact except for 64-bit integers beyond 2^53.
  package func doubles() -> [Double] { ElementConversion.doubles(bytes, dataType) }

  /// The elements in C order as integers. Floating-point elements must be whole numbers.
  ///
  /// - Throws: `NPYError` of kind `notAnInteger` naming the first element that is not exactly an `Int`.
  package func integers() throws(NPYError) -> [Int] {
    do throws(NotWhole) {
      return try ElementConversion.integers(bytes, dataType)
    } catch {
      throw NPYError(.notAnInteger(index: error.index, found: error.found), file: file)
    }
  }
}

/// Reading and writing NPY files, numpy's format for one array.
package enum NPY {
  /// Reads the array in the file at `path`.
  ///
  /// The header is checked against the file's size before the data's memory is allocated.
  ///
  /// - Throws: `NPYError`.
  package static func read(contentsOf path: String) throws(NPYError) -> NPYArray {
    try read(open(path), file: path)
  }

  /// Reads the header of the file at `path` and checks that as many bytes follow as it says.
  ///
  /// - Throws: `NPYError`.
  package static func header(contentsOf path: String) throws(NPYError) -> NPYHeader {
    let source = try open(path)
    let header = try NPYHeader(source: source, file: path)
    try header.check(fileByteCount: source.byteCount, file: path)
    return header
  }

  private static func open(_ path: String) throws(NPYError) -> ByteSource {
    do throws(RegularFile.Failure) {
      return .file(try RegularFile(path: path))
    } catch {
      throw NPYError(.init(error), file: path)
    }
  }

  /// Decodes the array in `bytes`, such as an entry of an `.npz` archive.
  ///
  /// - Parameters:
  ///   - bytes: A whole NPY file.
  ///   - file: What to call it in errors.
  /// - Throws: `NPYError`.
  package static func decode(_ bytes: [UInt8], file: String) throws(NPYError) -> NPYArray {
    try read(.memory(bytes), file: file)
  }

  private static func read(_ source: ByteSource, file: String) throws(NPYError) -> NPYArray {
    let header = try NPYHeader(source: source, file: file)
    try header.check(fileByteCount: source.byteCount, file: file)
    var bytes: [UInt8]
    do throws(RegularFile.Failure) {
      bytes = try source.bytes(at: header.dataOffset, count: header.dataByteCount)
    } catch {
      throw NPYError(.init(error), file: file)
    }
    if header.isBigEndian, header.dataType.byteCount > 1 {
      swapBytes(&bytes, width: header.dataType.byteCount)
    }
    if header.isFortranOrder, header.shape.count > 1, header.count > 0 {
      bytes = transposed(bytes, shape: header.shape, width: header.dataType.byteCount)
    }
    return NPYArray(
      shape: header.shape, dataType: header.dataType, fortranOrder: header.isFortranOrder,
      bytes: bytes, file: file)
  }

  private static func swapBytes(_ bytes: inout [UInt8], width: Int) {
    func swap<T: FixedWidthInteger>(_: T.Type) {
      bytes.withUnsafeMutableBytes { buffer in
        for offset in stride(from: 0, to: buffer.count, by: MemoryLayout<T>.size) {
          let value = buffer.loadUnaligned(fromByteOffset: offset, as: T.self)
          buffer.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: T.self)
        }
      }
    }
    switch width {
    case 2: swap(UInt16.self)
    case 4: swap(UInt32.self)
    default: swap(UInt64.self)
    }
  }

  /// Fortran order to C order.
  private static func transposed(_ bytes: [UInt8], shape: [Int], width: Int) -> [UInt8] {
    switch width {
    case 1: transposed(bytes, shape, UInt8.self)
    case 2: transposed(bytes, shape, UInt16.self)
    case 4: transposed(bytes, shape, UInt32.self)
    default: transposed(bytes, shape, UInt64.self)
    }
  }

  private static func transposed<T: FixedWidthInteger>(_ bytes: [UInt8], _ shape: [Int], _: T.Type) -> [UInt8] {
    let width = MemoryLayout<T>.size
    var strides: [Int] = []
    var stride = width
    for dimension in shape {
      strides.append(stride)
      stride *= dimension
    }
    // Walk the target in order; `offset` follows in the source like an odometer.
    var result = [UInt8](repeating: 0, count: bytes.count)
    var index = [Int](repeating: 0, count: shape.count)
    var offset = 0
    bytes.withUnsafeBytes { source in
      result.withUnsafeMutableBytes { target in
        for position in Swift.stride(from: 0, to: target.count, by: width) {
          let value = source.loadUnaligned(fromByteOffset: offset, as: T.self)
          target.storeBytes(of: value, toByteOffset: position, as: T.self)
          var axis = shape.count - 1
          while axis >= 0 {
            index[axis] += 1
            offset += strides[axis]
            if index[axis] < shape[axis] { break }
            offset -= strides[axis] * shape[axis]
            index[axis] = 0
            axis -= 1
          }
        }
      }
    }
    return result
  }
}
