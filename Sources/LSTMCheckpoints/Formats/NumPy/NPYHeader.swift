import FileIO

/// The header of an NPY file: what follows it, and from where.
///
/// Format: numpy's NEP 1, versions 1.0, 2.0 and 3.0.
package struct NPYHeader: Sendable, Equatable {
  /// The longest header accepted, in bytes; numpy's own limit.
  package static let byteLimit = 10_000
  /// Enough of a file's start to hold any header that is accepted.
  static let prefixByteCount = byteLimit + 12
  /// The most dimensions accepted.
  package static let rankLimit = 32

  /// The elements' type.
  package let dataType: DataType
  /// Whether each element's bytes come highest first.
  package let isBigEndian: Bool
  /// Whether the first index varies fastest.
  package let isFortranOrder: Bool
  /// The length of each dimension; empty for a scalar.
  package let shape: [Int]
  /// How many elements there are.
  package let count: Int
  /// Where the elements start, in bytes from the start of the file.
  package let dataOffset: Int

  /// The size of all elements in bytes.
  package var dataByteCount: Int { count * dataType.byteCount }

  static let signature: [UInt8] = [0x93] + Array("NUMPY".utf8)

  /// Parses the header from the start of a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: The file, or at least its header.
  ///   - file: What to call it in errors.
  /// - Throws: `NPYError`.
  package init(bytes: [UInt8], file: String) throws(NPYError) {
    try self.init(source: .memory(bytes), file: file)
  }

  /// Bytes that follow the data would be a second array, which must not be dropped in silence.
  func check(fileByteCount: Int, file: String) throws(NPYError) {
    let found = fileByteCount - dataOffset
    guard found == dataByteCount else { throw NPYError(.dataSize(expected: dataByteCount, found: found), file: file) }
  }

  init(source: ByteSource, file: String) throws(NPYError) {
    func fetch(_ offset: Int, _ count: Int) throws(NPYError) -> [UInt8] {
      do throws(RegularFile.Failure) {
        return try source.bytes(at: offset, count: count)
      } catch {
        throw NPYError(error == .truncated ? .truncatedHeader : .unreadable(error), file: file)
      }
    }
    let prefix = try fetch(0, min(10, source.byteCount))
    guard prefix.starts(with: Self.signature) else { throw NPYError(.badSignature, file: file) }
    guard prefix.count == 10 else { throw NPYError(.truncatedHeader, file: file) }
    let (major, minor) = (Int(prefix[6]), Int(prefix[7]))
    guard (1...3).contains(major), minor == 0 else {
      throw NPYError(.unsupportedVersion(major: major, minor: minor), file: file)
    }
    // Version 1 counts the header in two bytes, later ones in four.
    let lengthBytes = try fetch(8, major == 1 ? 2 : 4)
    let length = lengthBytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= Self.byteLimit else {
      throw NPYError(.headerTooLong(expected: Self.byteLimit, found: length), file: file)
    }
    dataOffset = 8 + lengthBytes.count + length
    var parser = NPYHeaderParser(text: try fetch(8 + lengthBytes.count, length), file: file)
    let fields = try parser.parse()

    var isBigEndian = false
    guard let type = DataType(npyDescr: fields.descr, isBigEndian: &isBigEndian) else {
      // "|O", "O" and "<O8" are all objects.
      let isObject = fields.descr.drop { "<>|=".contains($0) }.first == "O"
      throw NPYError(isObject ? .objectType : .unsupportedType(fields.descr), file: file)
    }
    guard fields.shape.count <= Self.rankLimit else {
      throw NPYError(.tooManyDimensions(limit: Self.rankLimit), file: file)
    }
    guard let count = elementCount(fields.shape),
      !count.multipliedReportingOverflow(by: type.byteCount).overflow
    else { throw NPYError(.sizeOverflow, file: file) }
    dataType = type
    self.isBigEndian = isBigEndian
    isFortranOrder = fields.isFortranOrder
    shape = fields.shape
    self.count = count
  }
}

extension DataType {
  /// numpy's description of the little-endian type, such as `<f4` or `|b1`; nil for bfloat16, which numpy lacks.
  var npyDescr: String? { npyCode.map { (byteCount == 1 ? "|" : "<") + $0 } }

  /// The kind and size without a byte order, such as `f4`.
  private var npyCode: String? {
    switch self {
    case .bfloat16: nil
    case .float16, .float32, .float64: "f\(byteCount)"
    case .int8, .int16, .int32, .int64: "i\(byteCount)"
    case .uint8, .uint16, .uint32, .uint64: "u\(byteCount)"
    case .bool: "b1"
    }
  }

  /// The type for numpy's description, and whether its bytes come highest first.
  ///
  /// `=` and `|` mean the machine's own order, which is little-endian on every platform supported here.
  init?(npyDescr descr: String, isBigEndian: inout Bool) {
    guard let order = descr.first, "<>|=".contains(order),
      let type = Self.allCases.first(where: { $0.npyCode == String(descr.dropFirst()) })
    else { return nil }
    isBigEndian = order == ">"
    self = type
  }
}

/// Parses the one Python dictionary literal that numpy writes; nothing of Python beyond that is understood.
struct NPYHeaderParser {
  struct Fields {
    var descr: String
    var isFortranOrder: Bool
    var shape: [Int]
  }

  let text: [UInt8]
  let file: String
  fileprivate var position = 0

  mutating func parse() throws(NPYError) -> Fields {
    var descr: String?
    var isFortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !accept("}") {
      let key = try string(expected: "a key")
      try expect(":")
      switch key {
      case "descr":
        guard descr == nil else { throw NPYError(.duplicateKey(key), file: file) }
        // A list of fields, or one field's pair with a shape of its own.
        if peek() == UInt8(ascii: "[") || peek() == UInt8(ascii: "(") { throw NPYError(.structuredType, file: file) }
        descr = try string(expected: "a type")
      case "fortran_order":
        guard isFortranOrder == nil else { throw NPYError(.duplicateKey(key), file: file) }
        isFortranOrder = try boolean()
      case "shape":
        guard shape == nil else { throw NPYError(.duplicateKey(key), file: file) }
        shape = try tuple()
      default:
        throw NPYError(.unknownKey(key), file: file)
      }
      if !accept(",") {
        try expect("}")
        break
      }
    }
    guard peek() == nil else { throw malformed("the end of the header") }
    guard let descr else { throw NPYError(.missingKey("descr"), file: file) }
    guard let isFortranOrder else { throw NPYError(.missingKey("fortran_order"), file: file) }
    guard let shape else { throw NPYError(.missingKey("shape"), file: file) }
    return Fields(descr: descr, isFortranOrder: isFortranOrder, shape: shape)
  }

  private func malformed(_ expected: String) -> NPYError {
    NPYError(.malformedHeader(offset: position, expected: expected), file: file)
  }

  /// The next byte that is not blank, without taking it.
  private mutating func peek() -> UInt8? {
    while position < text.count, text[position] == 0x20 || text[position] == 0x0a { position += 1 }
    return position < text.count ? text[position] : nil
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(NPYError) {
    guard accept(character) else { throw malformed("\"\(character)\"") }
  }

  /// A quoted string of printable ASCII without escapes.
  private mutating func string(expected: String) throws(NPYError) -> String {
    guard let quote = peek(), quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
      throw malformed("\(expected) in quotes")
    }
    position += 1
    let start = position
    while position < text.count, text[position] != quote {
      guard (0x20..<0x7f).contains(text[position]), text[position] != UInt8(ascii: "\\") else {
        throw malformed("printable ASCII")
      }
      position += 1
    }
    guard position < text.count else { throw malformed("a closing quote") }
    defer { position += 1 }
    return String(decoding: text[start..<position], as: UTF8.self)
  }

  private mutating func boolean() throws(NPYError) -> Bool {
    _ = peek()
    for (word, value) in [("True", true), ("False", false)] where text[position...].starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw malformed("True or False")
  }

  /// `()`, `(3,)` or `(3, 4)`; `(3)` is a number in Python, not a tuple.
  private mutating func tuple() throws(NPYError) -> [Int] {
    try expect("(")
    var values: [Int] = []
    while !accept(")") {
      values.append(try number())
      if accept(",") { continue }
      guard values.count > 1 else { throw malformed("\",\"") }
      try expect(")")
      break
    }
    return values
  }

  private mutating func number() throws(NPYError) -> Int {
    _ = peek()
    let digits = text[position...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard !digits.isEmpty else { throw malformed("a dimension") }
    guard let value = Int(String(decoding: digits, as: UTF8.self)) else { throw NPYError(.sizeOverflow, file: file) }
    position += digits.count
    // Python 2 marked long integers so.
    if position < text.count, text[position] == UInt8(ascii: "L") { position += 1 }
    return value
  }
}
