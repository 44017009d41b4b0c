/// The shape of a dataset or an attribute.
struct DataspaceMessage {
  /// Empty for a scalar; `[0]` for the null dataspace.
  var shape: [Int] = []
  /// What the shape may grow to; nil where there is no end.
  var greatest: [Int?] = []

  init(_ message: Cursor, rankLimit: Int) throws(Damage) {
    var cursor = message
    let version = try cursor.version(1...2)
    let rank = try cursor.small(1)
    let flags = try cursor.byte()
    let kind = try cursor.byte()
    if version == 1 { try cursor.skip(4) }
    guard rank <= rankLimit else {
      throw Damage(.limitExceeded, "it has \(rank) dimensions; at most \(rankLimit) are read")
    }
    if version == 2 {
      guard kind <= 2, (kind == 1) || rank == 0 else { throw Damage("its shape cannot be read") }
      if kind == 2 {
        shape = [0]
        greatest = [0]
        return
      }
    }
    var extents: [UInt64] = []
    for _ in 0..<rank { extents.append(try cursor.integer(cursor.widths.length)) }
    for extent in extents {
      guard let value = Int(exactly: extent) else {
        throw Damage(.limitExceeded, "its shape \(extents) is too large for any file")
      }
      shape.append(value)
    }
    greatest = shape
    if flags & 1 != 0 {
      let endless = cursor.widths.length == 8 ? UInt64.max : (1 << UInt64(8 * cursor.widths.length)) - 1
      for axis in 0..<rank {
        let value = try cursor.integer(cursor.widths.length)
        greatest[axis] = value == endless ? nil : Int(exactly: value)
        if let most = greatest[axis], most < shape[axis] {
          throw Damage("its shape \(shape) is larger than the \(most) that dimension \(axis) may have")
        }
      }
    }
  }
}
