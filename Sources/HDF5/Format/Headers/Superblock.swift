import FileIO

/// Where a file's metadata begins.
struct Superblock: Sendable {
  /// The superblock's own place, from which addresses count: user blocks lie before it.
  let base: Int
  let widths: AddressWidths
  let root: UInt64
  /// An object header with messages about the file.
  let extensionAddress: UInt64?

  static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// - Parameter base: where the signature was found.
  init(_ source: ByteSource, at base: Int) throws(Damage) {
    let size = source.byteCount
    let bytes: [UInt8]
    do throws(UnreadableReason) {
      bytes = try source.bytes(at: base, count: min(128, size - base))
    } catch {
      throw Damage(.io, "it cannot be read: \(error.message)")
    }
    guard bytes.count >= 24 else { throw Damage("it is truncated: it has only \(size) bytes") }
    let version = bytes[8]
    guard version <= 3 else {
      throw Damage(.unsupported, "it is of a newer version of HDF5 (superblock version \(version)); 0 to 3 are read")
    }
    let isNew = version >= 2
    let widths = AddressWidths(offset: Int(bytes[isNew ? 9 : 13]), length: Int(bytes[isNew ? 10 : 14]))
    guard [2, 4, 8].contains(widths.offset), [2, 4, 8].contains(widths.length) else {
      throw Damage("it is a damaged HDF5 file: its addresses have \(widths.offset) bytes, its sizes \(widths.length)")
    }
    var cursor = Cursor(bytes, widths, "its superblock")
    try cursor.skip(isNew ? 12 : version == 0 ? 24 : 28)
    let (stored, end): (UInt64?, UInt64?)
    if isNew {
      let count = 12 + 4 * widths.offset + 4
      guard bytes.count >= count else { throw Damage("it is truncated: it has only \(size) bytes") }
      var checked = Cursor(Array(bytes[..<count]), widths, "it is a damaged HDF5 file: its superblock")
      try checked.cutChecksum()
      stored = try cursor.address()
      extensionAddress = try cursor.address()
      end = try cursor.address()
      guard let address = try cursor.address() else { throw Damage("it is a damaged HDF5 file: it has no root") }
      root = address
      guard version < 3 || bytes[11] & 1 == 0 || bytes[11] & 4 != 0 else {
        throw Damage(.io, "the program that wrote it has not closed it: it is still writing, or has crashed")
      }
    } else {
      stored = try cursor.address()
      _ = try cursor.address()
      end = try cursor.address()
      guard try cursor.address() == nil else {
        throw Damage(.refused, "it is one part of several files (family or multi driver); the others are not opened")
      }
      try cursor.skip(widths.length)
      guard let address = try cursor.address() else { throw Damage("it is a damaged HDF5 file: it has no root") }
      root = address
      extensionAddress = nil
    }
    // The end counts from the file's first byte; a user block may have been put before a finished file.
    if let end, let stored {
      let moved = UInt64(base).subtractingReportingOverflow(stored).partialValue
      guard end.addingReportingOverflow(moved).partialValue <= UInt64(size) else {
        throw Damage("it is truncated: it has only \(size) bytes, fewer than its header states")
      }
    }
    self.base = base
    self.widths = widths
  }
}
