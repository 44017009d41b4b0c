import FileIO

/// The bytes of a file as its metadata addresses them: every range is proved to lie within the file before memory is
/// allocated, and all that is read together is bounded by the file's size. For one thread at a time.
final class FileBytes {
  private let source: ByteSource
  let widths: AddressWidths
  private let base: Int
  let byteCount: Int
  /// Bytes of metadata that may still be read. Metadata that overlaps itself would otherwise be read without end.
  private var budget: Int

  private static let pageBytes = 1 << 15
  private static let pageLimit = 512
  private var pages: [Int: [UInt8]] = [:]
  private var order: [Int] = []
  private var last: (number: Int, page: [UInt8]) = (-1, [])

  /// - Parameter base: the place in the file from which addresses count.
  init(_ source: ByteSource, base: Int, widths: AddressWidths) {
    self.source = source
    self.base = base
    self.widths = widths
    byteCount = source.byteCount
    budget = Self.budget(byteCount)
  }

  private static func budget(_ byteCount: Int) -> Int {
    let (product, overflow) = byteCount.multipliedReportingOverflow(by: 16)
    return overflow ? .max : product.addingReportingOverflow(16 << 20).partialValue
  }

  /// The place in the file of `count` bytes at an address.
  func offset(of address: UInt64, count: Int, _ what: @autoclosure () -> String) throws(Damage) -> Int {
    guard let relative = Int(exactly: address), count >= 0, relative <= byteCount - base,
      count <= byteCount - base - relative
    else {
      throw Damage("\(what()) would be \(count) bytes at byte \(address), but the file has \(byteCount) bytes")
    }
    return base + relative
  }

  func bytes(at address: UInt64, count: Int, _ what: @autoclosure () -> String) throws(Damage) -> [UInt8] {
    let offset = try offset(of: address, count: count, what())
    try charge(count)
    let (number, start) = offset.quotientAndRemainder(dividingBy: Self.pageBytes)
    if count <= Self.pageBytes - start {
      return Array(try page(number)[start..<start + count])
    }
    return try read(offset, count)
  }

  func cursor(at address: UInt64, count: Int, _ what: String) throws(Damage) -> Cursor {
    Cursor(try bytes(at: address, count: count, what), widths, what)
  }

  /// A block of metadata whose last four bytes are the checksum of the others.
  func checkedCursor(at address: UInt64, count: Int, _ what: String) throws(Damage) -> Cursor {
    var cursor = try cursor(at: address, count: count, what)
    try cursor.cutChecksum()
    return cursor
  }

  func charge(_ count: Int) throws(Damage) {
    // An empty read costs something, too: it is done by a loop.
    budget -= count + 8
    guard budget >= 0 else { throw Damage(.corrupt, "its metadata overlaps itself", endsWalk: true) }
  }

  private func page(_ number: Int) throws(Damage) -> [UInt8] {
    if last.number == number { return last.page }
    if let page = pages[number] {
      last = (number, page)
      return page
    }
    let start = number * Self.pageBytes
    let page = try read(start, min(Self.pageBytes, byteCount - start))
    if order.count >= Self.pageLimit {
      // All at once: reading them again costs less than counting what is used.
      pages.removeAll()
      order.removeAll()
    }
    pages[number] = page
    order.append(number)
    last = (number, page)
    return page
  }

  private func read(_ offset: Int, _ count: Int) throws(Damage) -> [UInt8] {
    do throws(UnreadableReason) {
      return try source.bytes(at: offset, count: count)
    } catch {
      switch error {
      case .truncated: throw Damage("it is truncated: it became shorter while it was being read")
      default: throw Damage(.io, "it cannot be read: \(error.message)", endsWalk: true)
      }
    }
  }
}
