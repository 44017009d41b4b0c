import FileIO

/// How a text's characters are written as bytes.
public enum CSVEncoding: String, Sendable, Codable, CaseIterable {
  /// UTF-8
  case utf8 = "utf-8"
  /// UTF-16 with the low byte first
  case utf16LittleEndian = "utf-16le"
  /// UTF-16 with the high byte first
  case utf16BigEndian = "utf-16be"
  /// Windows-1252, of which Latin-1 is a part
  case windows1252 = "windows-1252"
  /// ISO 8859-1
  case latin1 = "latin-1"
}

/// A file's text as UTF-8, whatever it was.
struct CSVText {
  private(set) var bytes: [UInt8]
  /// The first byte after a byte-order mark.
  private(set) var start = 0
  private(set) var notes: [CSVNote] = []

  init(_ bytes: [UInt8], file: String, encoding: CSVEncoding?) throws(CSVError) {
    self.bytes = bytes
    let encoding = encoding ?? Self.utf16(bytes)
    switch encoding {
    case .utf16LittleEndian, .utf16BigEndian:
      let isBig = encoding == .utf16BigEndian
      guard let text = Self.decodeUTF16(bytes, isBig: isBig) else {
        throw CSVError(.notUTF8, file: file, line: 1, advice: ["it begins as UTF-16 and is damaged; save it as UTF-8"])
      }
      self.bytes = text
      note("UTF-16", file)
      return
    case .windows1252, .latin1:
      self.bytes = Self.decodeSingleBytes(bytes, isWindows: encoding == .windows1252)
      return
    case .utf8, nil: break
    }
    let (hasNUL, isASCII) = CSVFile.survey(bytes)
    if !hasNUL, isASCII { return }
    if !hasNUL, encoding == nil, let offset = CSVFile.firstInvalid(bytes), Self.looksLikeWindows(bytes) {
      let line = 1 + bytes[..<offset].count { $0 == 0x0a }
      let first = bytes[..<offset].lastIndex { $0 < 0x41 }.map { $0 + 1 } ?? 0
      let rest = bytes[offset...]
      let last = rest.firstIndex { $0 < 0x41 } ?? bytes.count
      let word = Self.decodeSingleBytes(Array(bytes[max(first, offset - 20)..<min(last, offset + 20)]), isWindows: true)
      self.bytes = Self.decodeSingleBytes(bytes, isWindows: true)
      notes.append(
        CSVNote(
          .encoding, file: file, line: line,
          "not UTF-8, read as Windows-1252: \(CSVError.quoted(String(decoding: word, as: UTF8.self)))"))
      return
    }
    // Says what is wrong.
    start = try CSVFile.checkText(bytes, file: file)
  }

  private mutating func note(_ name: String, _ file: String) {
    notes.append(CSVNote(.encoding, file: file, line: 1, "the text is \(name)"))
  }

  /// By a byte-order mark, or by every other byte of the beginning being NUL.
  private static func utf16(_ bytes: [UInt8]) -> CSVEncoding? {
    // UTF-32 has the mark of UTF-16, and NULs after it.
    if bytes.starts(with: [0xff, 0xfe, 0, 0]) { return nil }
    if bytes.starts(with: [0xff, 0xfe]) { return .utf16LittleEndian }
    if bytes.starts(with: [0xfe, 0xff]) { return .utf16BigEndian }
    let sample = bytes.prefix(256).prefix(bytes.count & ~1)
    guard sample.count >= 8 else { return nil }
    let even = stride(from: 0, to: sample.count, by: 2).count { sample[$0] == 0 }
    let odd = stride(from: 1, to: sample.count, by: 2).count { sample[$0] == 0 }
    if even == 0, odd * 10 >= sample.count * 4 { return .utf16LittleEndian }
    if odd == 0, even * 10 >= sample.count * 4 { return .utf16BigEndian }
    return nil
  }

  /// Nil when it is cut short or holds half a pair of surrogates.
  private static func decodeUTF16(_ bytes: [UInt8], isBig: Bool) -> [UInt8]? {
    guard bytes.count % 2 == 0 else { return nil }
    let hasMark = bytes.starts(with: isBig ? [0xfe, 0xff] : [0xff, 0xfe])
    var units: [UInt16] = []
    units.reserveCapacity(bytes.count / 2)
    for index in stride(from: hasMark ? 2 : 0, to: bytes.count, by: 2) {
      let (first, second) = (UInt16(bytes[index]), UInt16(bytes[index + 1]))
      units.append(isBig ? first << 8 | second : second << 8 | first)
    }
    guard !units.contains(0) else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(units.count)
    let isBroken = transcode(
      units.makeIterator(), from: UTF16.self, to: UTF8.self, stoppingOnError: true, into: { result.append($0) })
    return isBroken ? nil : result
  }

  /// What Windows-1252 has at 0x80 to 0x9f; 0 where it has nothing.
  private static let windows: [UInt16] = [
    0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0,
    0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178,
  ]

  private static func decodeSingleBytes(_ bytes: [UInt8], isWindows: Bool) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 16)
    for byte in bytes {
      guard byte >= 0x80 else {
        result.append(byte)
        continue
      }
      let known = isWindows && byte < 0xa0 ? windows[Int(byte - 0x80)] : UInt16(byte)
      // A replacement character where there is none.
      result += String(Unicode.Scalar(known == 0 ? 0xfffd : known) ?? "\u{fffd}").utf8
    }
    return result
  }

  /// Whether bytes above ASCII stand as they do in western text: alone or in pairs, none of them unassigned, and never
  /// as a sequence of UTF-8, which would be damaged UTF-8.
  private static func looksLikeWindows(_ bytes: [UInt8]) -> Bool {
    var run = 0
    for (index, byte) in bytes.enumerated() {
      guard byte >= 0x80 else {
        if run > 2 { return false }
        run = 0
        continue
      }
      run += 1
      if byte < 0xa0, windows[Int(byte - 0x80)] == 0 { return false }
      if byte >= 0xc0, index + 1 < bytes.count, 0x80..<0xc0 ~= bytes[index + 1] { return false }
    }
    return run <= 2
  }
}
