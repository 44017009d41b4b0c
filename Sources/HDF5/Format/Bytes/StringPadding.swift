/// How a fixed-length string fills its bytes.
enum StringPadding: Sendable {
  case nullTerminated, nullPadded, spacePadded

  /// By the format's number.
  init(number: Int) {
    switch number {
    case 1: self = .nullPadded
    case 2: self = .spacePadded
    default: self = .nullTerminated
    }
  }

  /// The text within one padded string; nil when it is not UTF-8.
  func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
    var end = bytes.count
    switch self {
    case .nullTerminated: end = bytes.firstIndex(of: 0) ?? end
    case .nullPadded: while end > 0, bytes[end - 1] == 0 { end -= 1 }
    case .spacePadded: while end > 0, bytes[end - 1] == 0x20 { end -= 1 }
    }
    return strictUTF8(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
  }
}

/// The text, or nil if the bytes are not UTF-8.
func strictUTF8(_ bytes: UnsafeRawBufferPointer) -> String? {
  let text = String(decoding: bytes, as: UTF8.self)
  return text.utf8.elementsEqual(bytes) ? text : nil
}
