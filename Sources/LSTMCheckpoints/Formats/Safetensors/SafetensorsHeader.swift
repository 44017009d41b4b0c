/// The JSON before the data of a safetensors file: for each tensor its type, shape and place.
///
/// Read by a parser of its own, as the general ones neither tell duplicate keys nor stop at what the format does not have.
struct SafetensorsHeader {
  struct Entry: Equatable {
    let name: String
    let dtype: String
    let shape: [Int]
    let start: Int
    let end: Int
  }

  static let byteLimit = 100_000_000
  static let tensorLimit = 100_000
  static let rankLimit = 32

  private(set) var entries: [Entry] = []
  /// `__metadata__`
  private(set) var metadata: [String: String] = [:]

  /// Checks the order of the offsets, too: from 0 on, with no hole and no overlap.
  init(_ bytes: [UInt8], file: String) throws(SafetensorsError) {
    var parser = Parser(bytes: bytes, file: file)
    var names = Set<String>()
    try parser.object { (parser, key) throws(SafetensorsError) in
      guard names.insert(key).inserted else { throw SafetensorsError(.duplicateKey(key), file: file) }
      if key == "__metadata__" {
        // MLX writes null for none.
        if !parser.takeNull() { metadata = try parser.texts() }
      } else {
        guard entries.count < Self.tensorLimit else {
          throw SafetensorsError(.tooMuch("tensors", limit: Self.tensorLimit), file: file)
        }
        entries.append(try parser.entry(key))
      }
    }
    try parser.end()
    entries.sort { $0.start == $1.start ? $0.end < $1.end : $0.start < $1.start }
    var position = 0
    for entry in entries {
      guard entry.start == position, entry.end >= entry.start else {
        throw SafetensorsError(.hole(expected: position, found: entry.start), file: file, tensor: entry.name)
      }
      position = entry.end
    }
  }

  /// The bytes that the tensors take.
  var dataByteCount: Int { entries.last?.end ?? 0 }
}

extension SafetensorsHeader {
  /// A parser of the JSON that headers are: objects of texts, and lists of whole numbers from 0.
  fileprivate struct Parser {
    let bytes: [UInt8]
    let file: String
    var position = 0

    private func malformed(_ expected: String) -> SafetensorsError {
      SafetensorsError(.malformed(expected: expected, offset: 8 + position), file: file)
    }

    private mutating func skipSpace() {
      while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ character: Character) -> Bool {
      skipSpace()
      guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
      position += 1
      return true
    }

    mutating func takeNull() -> Bool {
      skipSpace()
      guard bytes[position...].starts(with: Array("null".utf8)) else { return false }
      position += 4
      return true
    }

    private mutating func need(_ character: Character) throws(SafetensorsError) {
      guard take(character) else { throw malformed("\(character)") }
    }

    /// Nothing but padding follows.
    mutating func end() throws(SafetensorsError) {
      skipSpace()
      guard position == bytes.count else { throw malformed("nothing but spaces") }
    }

    mutating func object(_ member: (inout Parser, String) throws(SafetensorsError) -> Void) throws(SafetensorsError) {
      try need("{")
      if take("}") { return }
      repeat {
        let key = try text()
        try need(":")
        try member(&self, key)
      } while take(",")
      try need("}")
    }

    mutating func texts() throws(SafetensorsError) -> [String: String] {
      var result: [String: String] = [:]
      try object { (parser, key) throws(SafetensorsError) in
        guard result.updateValue(try parser.text(), forKey: key) == nil else {
          throw SafetensorsError(.duplicateKey(key), file: parser.file)
        }
      }
      return result
    }

    mutating func entry(_ name: String) throws(SafetensorsError) -> Entry {
      var dtype: String?
      var shape: [Int]?
      var offsets: [Int]?
      try object { (parser, key) throws(SafetensorsError) in
        func fail(_ kind: SafetensorsError.Kind) -> SafetensorsError {
          SafetensorsError(kind, file: parser.file, tensor: name)
        }
        switch key {
        case "dtype":
          guard dtype == nil else { throw fail(.duplicateKey(key)) }
          dtype = try parser.text()
        case "shape":
          guard shape == nil else { throw fail(.duplicateKey(key)) }
          shape = try parser.numbers()
        case "data_offsets":
          guard offsets == nil else { throw fail(.duplicateKey(key)) }
          offsets = try parser.numbers()
        default: throw fail(.unknownKey(key))
        }
      }
      func missing(_ key: String) -> SafetensorsError { SafetensorsError(.missingKey(key), file: file, tensor: name) }
      guard let dtype else { throw missing("dtype") }
      guard let shape else { throw missing("shape") }
      guard let offsets, offsets.count == 2 else { throw missing("data_offsets") }
      return Entry(name: name, dtype: dtype, shape: shape, start: offsets[0], end: offsets[1])
    }

    private mutating func numbers() throws(SafetensorsError) -> [Int] {
      try need("[")
      var result: [Int] = []
      if take("]") { return result }
      repeat {
        guard result.count < SafetensorsHeader.rankLimit else {
          throw SafetensorsError(.tooMuch("dimensions", limit: SafetensorsHeader.rankLimit), file: file)
        }
        result.append(try number())
      } while take(",")
      try need("]")
      return result
    }

    private mutating func number() throws(SafetensorsError) -> Int {
      skipSpace()
      let digits = bytes[position...].prefix { 0x30...0x39 ~= $0 }.prefix(20)
      guard let value = Int(String(decoding: digits, as: UTF8.self)), digits.count == 1 || digits.first != 0x30 else {
        throw malformed("a whole number")
      }
      position += digits.count
      return value
    }

    private mutating func text() throws(SafetensorsError) -> String {
      try need("\"")
      var content: [UInt8] = []
      while true {
        guard position < bytes.count, bytes[position] >= 0x20 else { throw malformed("the end of a text") }
        let byte = bytes[position]
        position += 1
        if byte == UInt8(ascii: "\"") { break }
        if byte == UInt8(ascii: "\\") { content += try escape() } else { content.append(byte) }
      }
      let text = String(decoding: content, as: UTF8.self)
      // Decoding repairs what is not UTF-8.
      guard text.utf8.elementsEqual(content) else { throw malformed("text in UTF-8") }
      return text
    }

    private mutating func escape() throws(SafetensorsError) -> [UInt8] {
      guard position < bytes.count else { throw malformed("the end of a text") }
      let byte = bytes[position]
      position += 1
      switch Character(UnicodeScalar(byte)) {
      case "\"", "\\", "/": return [byte]
      case "b": return [0x08]
      case "f": return [0x0c]
      case "n": return [0x0a]
      case "r": return [0x0d]
      case "t": return [0x09]
      case "u":
        var units = [try unit()]
        // A character beyond the first plane is two escapes.
        if UTF16.isLeadSurrogate(units[0]) {
          guard bytes[position...].starts(with: [0x5c, 0x75]) else { throw malformed("the other half of a character") }
          position += 2
          units.append(try unit())
        }
        guard let text = String(validating: units, as: UTF16.self) else { throw malformed("a character") }
        return Array(text.utf8)
      default: throw malformed("an escape")
      }
    }

    private mutating func unit() throws(SafetensorsError) -> UInt16 {
      let digits = bytes[position...].prefix(4)
      guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
        let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
      else { throw malformed("four hexadecimal digits") }
      position += 4
      return value
    }
  }
}
