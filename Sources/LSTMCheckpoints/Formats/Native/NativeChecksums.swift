import FileIO
import Foundation

/// The checksums that a native file keeps in its attribute `checksums`, so that damage is noticed that no checksum of HDF5
/// covers: the bytes of the tensors, and the texts of attributes.
struct NativeChecksums: Codable, Equatable, Sendable {
  /// The attribute's name.
  static let attribute = "checksums"
  private static let usual = "xxh64"

  private(set) var algorithm = Self.usual
  /// Of the texts of the attributes, one after the other, each with its length before it.
  let attributes: String
  /// Of each tensor's bytes, little-endian and in C order.
  let tensors: [String: String]
  /// The file that it is of, for errors.
  private var file = ""

  private enum CodingKeys: CodingKey { case algorithm, attributes, tensors }

  init(attributes: UInt64, tensors: [String: UInt64]) {
    self.attributes = Self.digits(attributes)
    self.tensors = tensors.mapValues(Self.digits)
  }

  /// - Throws: `CheckpointError.damaged` when the text is not what is written.
  init(_ text: String, file: String) throws(CheckpointError) {
    guard let read = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)), read.algorithm == Self.usual else {
      throw .damaged(file: file, detail: "its list of checksums is not what lstm-ft writes")
    }
    self = read
    self.file = file
  }

  /// As many characters for any checksums of the same tensors.
  func text() throws -> String { try json(self) }

  /// - Parameter texts: nil for an attribute that is not there.
  static func hash(_ texts: [String?]) -> UInt64 {
    var hash = ContentHash()
    for text in texts {
      let length = UInt64(bitPattern: Int64(text?.utf8.count ?? -1)).littleEndian
      withUnsafeBytes(of: length) { hash.update($0) }
      Array((text ?? "").utf8).withUnsafeBytes { hash.update($0) }
    }
    return hash.value
  }

  /// - Throws: `CheckpointError.damaged` when the texts are others.
  func verify(_ texts: [String?]) throws(CheckpointError) {
    guard isChecksum(attributes, of: Self.digits(Self.hash(texts))) else {
      throw damaged("its attributes are not what was written (their checksum differs)")
    }
  }

  /// The tensors of the file, which are compared with their checksums whenever they are read.
  /// - Throws: `CheckpointError.damaged` when one is missing or too many.
  func verified(_ found: [StoredTensor]) throws(CheckpointError) -> [StoredTensor] {
    var result: [StoredTensor] = []
    for tensor in found {
      guard let digits = tensors[tensor.name] else {
        throw damaged("it has a tensor \"\(tensor.name)\" that was not written with it")
      }
      result.append(
        tensor.verified { hash throws(CheckpointError) in
          guard isChecksum(digits, of: Self.digits(hash)) else {
            throw damaged(
              "the bytes of its tensor \"\(tensor.name)\" are not what was written (their checksum differs)")
          }
        })
    }
    let names = Set(found.map(\.name))
    if let missing = tensors.keys.sorted().first(where: { !names.contains($0) }) {
      throw damaged("its tensor \"\(missing)\" is missing")
    }
    return result
  }

  private static func digits(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private func damaged(_ detail: Message) -> CheckpointError { .damaged(file: file, detail: detail) }
}
