/// Where a dataset's data is.
enum DataPlace: Sendable {
  case compact([UInt8])
  /// nil if nothing was ever written; the size as the header states it, if it does.
  case contiguous(address: UInt64?, byteCount: Int?)
  case chunked(ChunkedPlace)
}

/// A dataset cut into chunks, and the kind of index in which they are found.
struct ChunkedPlace: Sendable {
  enum Index: Sendable {
    case tree
    case single(byteCount: Int, mask: UInt32)
    /// One after the other.
    case implicit
    case fixedArray
    case extensibleArray
    case newTree
  }

  var index: Index
  /// nil if nothing was ever written.
  var address: UInt64?
  var chunkShape: [Int]
  /// Bytes of an element, as the chunks have them.
  var width: Int
  /// Whether chunks that extend beyond the shape are stored without filters.
  var edgesAreUnfiltered = false
}

extension DataPlace {
  init(layout message: Cursor) throws(Damage) {
    var cursor = message
    let version = try cursor.version(1...5)
    if version < 3 {
      self = try Self.old(&cursor)
      return
    }
    switch try cursor.byte() {
    case 0: self = .compact(Array(try cursor.take(cursor.small(2))))
    case 1: self = .contiguous(address: try cursor.address(), byteCount: try cursor.length())
    case 2: self = .chunked(version == 3 ? try Self.chunked(&cursor) : try Self.indexed(&cursor))
    case 3: throw Damage(.refused, "it is a virtual dataset, whose data is in other files; those are not opened")
    default: throw Damage("its storage layout is unknown")
    }
  }

  private static func old(_ cursor: inout Cursor) throws(Damage) -> DataPlace {
    let rank = try cursor.small(1)
    let kind = try cursor.byte()
    try cursor.skip(5)
    let address = kind == 0 ? nil : try cursor.address()
    guard kind == 2 else {
      try cursor.skip(4 * rank)
      if kind == 1 { return .contiguous(address: address, byteCount: nil) }
      guard kind == 0 else { throw Damage("its storage layout is unknown") }
      return .compact(Array(try cursor.take(cursor.small(4))))
    }
    return .chunked(try chunked(rank: rank, address: address, &cursor))
  }

  private static func chunked(_ cursor: inout Cursor) throws(Damage) -> ChunkedPlace {
    let rank = try cursor.small(1)
    return try chunked(rank: rank, address: try cursor.address(), &cursor)
  }

  /// The last dimension is that of an element's bytes.
  private static func chunked(
    rank: Int, address: UInt64?, _ cursor: inout Cursor
  ) throws(Damage) -> ChunkedPlace {
    var extents: [Int] = []
    for _ in 0..<rank { extents.append(try cursor.small(4)) }
    return try place(.tree, address, extents)
  }

  private static func indexed(_ cursor: inout Cursor) throws(Damage) -> ChunkedPlace {
    let flags = try cursor.byte()
    let rank = try cursor.small(1)
    let width = try cursor.small(1)
    guard (1...8).contains(width) else { throw Damage("its chunk shape cannot be read") }
    var extents: [Int] = []
    for _ in 0..<rank { extents.append(try cursor.count(width)) }
    let index: ChunkedPlace.Index
    switch try cursor.byte() {
    case 1:
      index =
        flags & 2 == 0
        ? .single(byteCount: 0, mask: 0)
        : .single(byteCount: try cursor.length(), mask: UInt32(try cursor.small(4)))
    case 2: index = .implicit
    case 3:
      try cursor.skip(1)
      index = .fixedArray
    case 4:
      try cursor.skip(5)
      index = .extensibleArray
    case 5:
      try cursor.skip(6)
      index = .newTree
    default: throw Damage("the index of its chunks is of an unknown kind")
    }
    var place = try place(index, try cursor.address(), extents)
    place.edgesAreUnfiltered = flags & 1 != 0
    return place
  }

  private static func place(
    _ index: ChunkedPlace.Index, _ address: UInt64?, _ extents: [Int]
  ) throws(Damage) -> ChunkedPlace {
    guard extents.count >= 2, !extents.contains(0), let width = extents.last else {
      throw Damage("its chunks of shape \(extents.dropLast()) cannot be")
    }
    return ChunkedPlace(index: index, address: address, chunkShape: extents.dropLast(), width: width)
  }
}

/// One step of a filter pipeline, as a header describes it.
struct FilterMessage: Sendable {
  let number: Int
  let name: String
  let parameters: [UInt32]

  static func all(_ message: Cursor, limit: Int) throws(Damage) -> [FilterMessage] {
    var cursor = message
    let version = try cursor.version(1...2)
    let count = try cursor.small(1)
    guard count <= limit else {
      throw Damage(.limitExceeded, "it has \(count) filters; at most \(limit) are read")
    }
    if version == 1 { try cursor.skip(6) }
    var filters: [FilterMessage] = []
    for _ in 0..<count {
      let number = try cursor.small(2)
      let hasName = version == 1 || number >= 256
      let nameCount = hasName ? try cursor.small(2) : 0
      try cursor.skip(2)
      let valueCount = try cursor.small(2)
      let start = cursor.position
      let name = try cursor.take(nameCount).prefix { $0 != 0 }
      if version == 1 { try cursor.align(from: start) }
      guard valueCount * 4 <= cursor.left else { throw cursor.damage("is cut short") }
      var values: [UInt32] = []
      for _ in 0..<valueCount { values.append(UInt32(try cursor.small(4))) }
      if version == 1, valueCount % 2 == 1 { try cursor.skip(4) }
      filters.append(FilterMessage(number: number, name: String(decoding: name, as: UTF8.self), parameters: values))
    }
    return filters
  }
}

/// The value of elements that were never written.
enum FillMessage {
  /// Empty for zeros.
  static func value(_ message: Cursor) throws(Damage) -> [UInt8] {
    var cursor = message
    let version = try cursor.version(1...3)
    if version == 3 {
      guard try cursor.byte() & 0x20 != 0 else { return [] }
    } else {
      try cursor.skip(2)
      guard try cursor.byte() != 0 || version == 1 else { return [] }
    }
    return try sized(&cursor)
  }

  static func oldValue(_ message: Cursor) throws(Damage) -> [UInt8] {
    var cursor = message
    return try sized(&cursor)
  }

  private static func sized(_ cursor: inout Cursor) throws(Damage) -> [UInt8] {
    let count = try cursor.small(4)
    // Undefined is written as -1.
    return count == 0xFFFF_FFFF ? [] : Array(try cursor.take(count))
  }
}
