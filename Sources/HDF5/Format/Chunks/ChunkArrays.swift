extension ChunkCollector {
  /// Elements of an array of chunks that lie one after the other.
  /// - Parameter first: the number of the first.
  private mutating func addElements(
    _ cursor: inout Cursor, first: Int, count: Int, byteCount: Int, endless axis: Int?
  ) throws(Damage) {
    for index in 0..<count {
      var element = try cursor.part(byteCount)
      guard let place = scaled(first + index, endless: axis) else { continue }
      try add(&element, at: place)
    }
  }

  // MARK: Fixed arrays

  /// The index of a dataset that may grow, but not without end.
  mutating func readFixedArray(_ address: UInt64) throws(Damage) {
    let what = "the index of its chunks (fixed array)"
    let widths = file.widths
    var head = try file.checkedCursor(at: address, count: 12 + widths.length + widths.offset, what)
    try head.expect("FAHD")
    _ = try head.version(0...0)
    let isFiltered = try head.byte() == 1
    let elementBytes = try head.small(1)
    try checkElement(elementBytes, isFiltered: isFiltered)
    let pageBits = try head.small(1)
    let count = try head.length()
    guard let block = try head.address() else { return }
    guard pageBits < 32, count < 1 << 48 else { throw head.damage("claims \(count) chunks") }
    let perPage = 1 << pageBits
    let pages = count > perPage ? count / perPage + (count % perPage == 0 ? 0 : 1) : 0
    let bitmapBytes = (pages + 7) / 8
    let prefixBytes = 6 + widths.offset + bitmapBytes
    let whole = prefixBytes + (pages == 0 ? count * elementBytes : 0) + 4
    var data = try file.checkedCursor(at: block, count: whole, what)
    try data.expect("FADB")
    _ = try data.version(0...0)
    try data.skip(1)
    guard try data.address() == address else { throw data.damage("belongs to another dataset") }
    let bitmap = Array(try data.take(bitmapBytes))
    if pages == 0 {
      return try addElements(&data, first: 0, count: count, byteCount: elementBytes, endless: nil)
    }
    for page in 0..<pages where bitmap[page / 8] & (0x80 >> UInt8(page % 8)) != 0 {
      let elements = min(perPage, count - page * perPage)
      let start = whole + page * (perPage * elementBytes + 4)
      let place = block.addingReportingOverflow(UInt64(start))
      guard !place.overflow else { throw data.damage("lies beyond any file") }
      var cursor = try file.checkedCursor(at: place.partialValue, count: elements * elementBytes + 4, what)
      try addElements(
        &cursor, first: page * perPage, count: elements, byteCount: elementBytes, endless: nil)
    }
  }

  // MARK: Extensible arrays

  /// How an extensible array is laid out: blocks that grow with their number.
  private struct Extensible {
    let address: UInt64
    let axis: Int
    let elementBytes: Int
    let direct: Int
    let leastElements: Int
    let leastPointers: Int
    let perPage: Int
    let offsetBytes: Int
    let blockCount: Int
    let what: String
  }

  /// The index of a dataset that may grow without end along one axis.
  mutating func readExtensibleArray(_ address: UInt64) throws(Damage) {
    let what = "the index of its chunks (extensible array)"
    let widths = file.widths
    guard let axis = greatestCounts.firstIndex(where: { $0 == nil }),
      greatestCounts.filter({ $0 == nil }).count == 1
    else { throw Damage("the index of its chunks does not suit its shape") }
    var head = try file.checkedCursor(at: address, count: 16 + 6 * widths.length + widths.offset, what)
    try head.expect("EAHD")
    _ = try head.version(0...0)
    let isFiltered = try head.byte() == 1
    let elementBytes = try head.small(1)
    try checkElement(elementBytes, isFiltered: isFiltered)
    let numberBits = try head.small(1)
    let direct = try head.small(1)
    let leastElements = try head.small(1)
    let leastPointers = try head.small(1)
    let pageBits = try head.small(1)
    try head.skip(6 * widths.length)
    guard let index = try head.address() else { return }
    func isPower(_ value: Int) -> Bool { value > 0 && value & (value - 1) == 0 }
    guard numberBits <= 48, pageBits < 32, isPower(leastElements), isPower(leastPointers),
      numberBits >= leastElements.trailingZeroBitCount
    else { throw head.damage("has blocks of impossible sizes") }
    let array = Extensible(
      address: address, axis: axis, elementBytes: elementBytes, direct: direct, leastElements: leastElements,
      leastPointers: leastPointers, perPage: 1 << pageBits, offsetBytes: (numberBits + 7) / 8,
      blockCount: 1 + numberBits - leastElements.trailingZeroBitCount, what: what)
    try readIndexBlock(array, index)
  }

  /// Of each group of blocks: how many, and of how many elements.
  private func blocks(_ group: Int, _ array: Extensible) -> (count: Int, elements: Int) {
    (1 << (group / 2), array.leastElements << ((group + 1) / 2))
  }

  private mutating func readIndexBlock(_ array: Extensible, _ address: UInt64) throws(Damage) {
    let widths = file.widths
    // The first groups' blocks are listed here, those of the others in blocks of their own.
    let listedGroups = min(2 * array.leastPointers.trailingZeroBitCount, array.blockCount)
    let listed = (0..<listedGroups).reduce(0) { $0 + blocks($1, array).count }
    let others = array.blockCount - listedGroups
    let count = 6 + widths.offset + array.direct * array.elementBytes + (listed + others) * widths.offset + 4
    var cursor = try file.checkedCursor(at: address, count: count, array.what)
    try cursor.expect("EAIB")
    _ = try cursor.version(0...0)
    try cursor.skip(1)
    guard try cursor.address() == array.address else { throw cursor.damage("belongs to another dataset") }
    try addElements(&cursor, first: 0, count: array.direct, byteCount: array.elementBytes, endless: array.axis)
    var first = array.direct
    for group in 0..<array.blockCount {
      let (blockCount, elements) = blocks(group, array)
      if group < listedGroups {
        for index in 0..<blockCount {
          guard let block = try cursor.address() else { continue }
          try readBlock(array, block, first: first + index * elements, elements, pages: nil)
        }
      } else if let block = try cursor.address() {
        try readGroup(array, block, first: first, blockCount, elements)
      }
      let (total, overflow) = blockCount.multipliedReportingOverflow(by: elements)
      guard !overflow, first < .max - total else { throw cursor.damage("has blocks of impossible sizes") }
      first += total
    }
  }

  private mutating func readGroup(
    _ array: Extensible, _ address: UInt64, first: Int, _ blockCount: Int, _ elements: Int
  ) throws(Damage) {
    let widths = file.widths
    let pages = elements > array.perPage ? elements / array.perPage : 0
    let bitmapBytes = blockCount * ((pages + 7) / 8)
    let count = 6 + widths.offset + array.offsetBytes + bitmapBytes + blockCount * widths.offset + 4
    var cursor = try file.checkedCursor(at: address, count: count, array.what)
    try cursor.expect("EASB")
    _ = try cursor.version(0...0)
    try cursor.skip(1)
    guard try cursor.address() == array.address else { throw cursor.damage("belongs to another dataset") }
    try cursor.skip(array.offsetBytes)
    let bitmap = Array(try cursor.take(bitmapBytes))
    for index in 0..<blockCount {
      guard let block = try cursor.address() else { continue }
      let isSet = (0..<pages).map { page in
        let bit = index * pages + page
        return bitmap[bit / 8] & (0x80 >> UInt8(bit % 8)) != 0
      }
      try readBlock(array, block, first: first + index * elements, elements, pages: isSet)
    }
  }

  /// - Parameter pages: which pages of a block that has pages were ever written.
  private mutating func readBlock(
    _ array: Extensible, _ address: UInt64, first: Int, _ elements: Int, pages: [Bool]?
  ) throws(Damage) {
    let isPaged = elements > array.perPage
    guard !isPaged || pages != nil else { throw Damage("\(array.what) has blocks of impossible sizes") }
    let prefixBytes = 6 + file.widths.offset + array.offsetBytes
    guard let dataBytes = checkedProduct([elements, array.elementBytes]), dataBytes < .max - prefixBytes - 4 else {
      throw Damage("\(array.what) has blocks of impossible sizes")
    }
    let whole = prefixBytes + (isPaged ? 0 : dataBytes) + 4
    var cursor = try file.checkedCursor(at: address, count: whole, array.what)
    try cursor.expect("EADB")
    _ = try cursor.version(0...0)
    try cursor.skip(1)
    guard try cursor.address() == array.address else { throw cursor.damage("belongs to another dataset") }
    try cursor.skip(array.offsetBytes)
    guard isPaged, let pages else {
      return try addElements(
        &cursor, first: first, count: elements, byteCount: array.elementBytes, endless: array.axis)
    }
    let pageBytes = array.perPage * array.elementBytes + 4
    for (page, isSet) in pages.enumerated() where isSet {
      let place = address.addingReportingOverflow(UInt64(whole + page * pageBytes))
      guard !place.overflow else { throw cursor.damage("lies beyond any file") }
      var data = try file.checkedCursor(at: place.partialValue, count: pageBytes, array.what)
      try addElements(
        &data, first: first + page * array.perPage, count: array.perPage, byteCount: array.elementBytes,
        endless: array.axis)
    }
  }
}
