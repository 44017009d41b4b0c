import FileIO

/// What is wrong with a safetensors file, or with the index of several.
typealias SafetensorsError = TensorFileError<SafetensorsFault>

enum SafetensorsFault: TensorFileFault {
  case unreadable(UnreadableReason)
  case headerTooLong(claimed: UInt64, limit: Int)
  /// The header ends behind the file's end.
  case truncatedHeader(expected: Int, found: Int)
  /// The header is not the JSON that the format asks for.
  case malformed(expected: String, offset: Int)
  case duplicateKey(String)
  case missingKey(String)
  case unknownKey(String)
  case tooMuch(String, limit: Int)
  /// A tensor does not begin where the one before ends.
  case hole(expected: Int, found: Int)
  /// The offsets give another size than shape and type.
  case size(expected: Int, found: Int)
  case sizeOverflow([Int])
  /// The tensors do not end where the file does.
  case fileSize(expected: Int, found: Int)
  case noIndex(String, advice: [Message])
  case unsafeShard(String)
  case notInShard(String)
  case notInIndex(shard: String)

  var unreadable: UnreadableReason? { if case .unreadable(let reason) = self { reason } else { nil } }

  var detail: String {
    switch self {
    case .unreadable(let reason): reason.message
    case .headerTooLong(let claimed, let limit): "claims a header of \(claimed) bytes; at most \(limit) are accepted"
    case .truncatedHeader(let expected, let found): "expected a header of \(expected) bytes, found \(found)"
    case .malformed(let expected, let offset): "its header is damaged: expected \(expected) at byte \(offset)"
    case .duplicateKey(let key): "\"\(key)\" occurs twice in the header"
    case .missingKey(let key): "its \(key) is missing in the header"
    case .unknownKey(let key): "has \"\(key)\" in the header; expected dtype, shape and data_offsets"
    case .tooMuch(let what, let limit): "more than \(limit) \(what)"
    case .hole(let expected, let found): "expected to begin at byte \(expected) of the data, found \(found)"
    case .size(let expected, let found): "expected \(expected) bytes by shape and type, found \(found)"
    case .sizeOverflow(let shape): "its shape \(shapeText(shape)) holds more than any file"
    case .fileSize(let expected, let found): "expected a file of \(expected) bytes by its header, found \(found)"
    case .noIndex(let detail, _): detail
    case .unsafeShard(let name):
      "its weight_map names the file \"\(name)\"; expected the name of a file beside it"
    case .notInShard(let shard): "expected in \(shard), which does not hold it"
    case .notInIndex(let shard): "\(shard) holds it, but the index does not name it there"
    }
  }

  func advice(file: String) -> [Message] { if case .noIndex(_, let advice) = self { advice } else { [] } }
}
