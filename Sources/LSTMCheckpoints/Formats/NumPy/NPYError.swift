import FileIO
import Foundation

/// What is wrong with an NPY file, or with what was asked of it.
package struct NPYError: Error, Sendable, Equatable {
  /// The ways in which reading or converting an array fails.
  package enum Kind: Sendable, Equatable {
    /// There is no file at the path.
    case notFound
    /// The path names a directory.
    case isDirectory
    /// The path names a pipe, socket or device.
    case notRegularFile
    /// A system call failed; `code` is its `errno`.
    case system(operation: String, code: Int32)
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
    /// An element, counted in C order, that is not a whole number within `Int`.
    case notAnInteger(index: Int, found: String)
    /// The number of values to write is not the shape's.
    case valueCount(expected: Int, found: Int)
    /// The type to write is one that NPY does not have.
    case cannotWrite(DataType)
  }

  /// The file's path, or the name of the archive's entry.
  package let file: String
  /// What is wrong.
  package let kind: Kind

  init(_ kind: Kind, file: String) {
    self.kind = kind
    self.file = file
  }

  /// One line: where, and what is wrong there.
  package var message: Message { Message(printable("\(file): \(detail)")) }

  /// What is wrong, without the place.
  package var detail: String {
    switch kind {
    case .notFound: "no such file"
    case .isDirectory: "is a directory, expected an NPY file"
    case .notRegularFile: "is not a regular file, expected an NPY file"
    case .system(let operation, let code): "\(operation) failed: \(String(cString: strerror(code)))"
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
    case .notAnInteger(let index, let found): "element \(index): expected a whole number, found \(found)"
    case .valueCount(let expected, let found): "the shape holds \(expected) values, found \(found)"
    case .cannotWrite(let type): "NPY has no \(type.rawValue); write float32 instead"
    }
  }
}

extension NPYError.Kind {
  init(_ failure: RegularFile.Failure) {
    self =
      switch failure {
      case .notFound: .notFound
      case .directory: .isDirectory
      case .notRegular: .notRegularFile
      case .system(let operation, let code): .system(operation: operation, code: code)
      case .truncated: .truncatedHeader
      }
  }
}
