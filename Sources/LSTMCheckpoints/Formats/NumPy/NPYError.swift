import FileIO

/// What is wrong with an NPY file, or with what was asked of it.
package typealias NPYError = TensorFileError<NPYFault>

package enum NPYFault: TensorFileFault {
  /// The file cannot be opened or read.
  case unreadable(UnreadableReason)
  /// The bytes do not start with numpy's signature.
  case badSignature
  /// A version other than 1.0, 2.0 and 3.0.
  case unsupportedVersion(major: Int, minor: Int)
  /// The header claims more bytes than `NPYHeader.byteLimit`.
  case headerTooLong(expected: Int, found: Int)
  /// The file ends inside its header.
  case truncatedHeader
  /// The header is not the dictionary that numpy writes; `offset` counts bytes from its start.
  case malformedHeader(offset: Int, expected: String)
  /// A key is missing from the header.
  case missingKey(String)
  /// A key occurs twice in the header.
  case duplicateKey(String)
  /// A key that the format does not have.
  case unknownKey(String)
  /// The elements are Python objects, which only a pickle could restore.
  case objectType
  /// The elements are records.
  case structuredType
  /// Elements of a type that `DataType` lacks.
  case unsupportedType(String)
  /// More dimensions than `NPYHeader.rankLimit`.
  case tooManyDimensions(limit: Int)
  /// The shape's size in bytes does not fit into 63 bits.
  case sizeOverflow
  /// The file holds another number of data bytes than shape and type need.
  case dataSize(expected: Int, found: Int)
  /// The number of values to write is not the shape's.
  case valueCount(expected: Int, found: Int)
  /// The type to write is one that NPY does not have.
  case cannotWrite(DataType)

  package var unreadable: UnreadableReason? { if case .unreadable(let reason) = self { reason } else { nil } }

  package var detail: String {
    switch self {
    case .unreadable(let reason): reason.message
    case .badSignature: "not an NPY file (it does not start with \\x93NUMPY)"
    case .unsupportedVersion(let major, let minor):
      "NPY version \(major).\(minor); expected 1.0, 2.0 or 3.0"
    case .headerTooLong(let expected, let found):
      "a header of \(found) bytes; expected at most \(expected)"
    case .truncatedHeader: "the file ends inside its header"
    case .malformedHeader(let offset, let expected):
      "malformed header at byte \(offset), expected \(expected)"
    case .missingKey(let key): "the header lacks \"\(key)\""
    case .duplicateKey(let key): "the header has \"\(key)\" twice"
    case .unknownKey(let key): "unknown key \"\(key)\" in the header"
    case .objectType: "an array of Python objects; expected numbers"
    case .structuredType: "an array of records; expected numbers"
    case .unsupportedType(let descr):
      "elements of type \"\(descr)\"; expected floats (f2 f4 f8), integers (i1-i8 u1-u8) or booleans (b1)"
    case .tooManyDimensions(let limit): "more than \(limit) dimensions"
    case .sizeOverflow: "the shape's size overflows"
    case .dataSize(let expected, let found): "expected \(expected) data bytes, found \(found)"
    case .valueCount(let expected, let found): "the shape holds \(expected) values, found \(found)"
    case .cannotWrite(let type): "NPY has no \(type.rawValue); write float32 instead"
    }
  }
}
