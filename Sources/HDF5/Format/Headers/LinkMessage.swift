import FileIO

/// A name in a group, and what it leads to.
struct Link {
  enum Target {
    case object(UInt64)
    case soft(String)
    case external
    case userDefined
  }

  /// nil when it is not UTF-8.
  let name: String?
  /// As it is in the file.
  let rawName: [UInt8]
  let target: Target
  /// When it was made, where the group records it.
  var order: UInt64 = 0

  /// A name that is safe to show.
  var shownName: String { name ?? String(decoding: rawName, as: UTF8.self) }

  init(rawName: ArraySlice<UInt8>, target: Target) {
    self.rawName = Array(rawName)
    name = self.rawName.lend { strictUTF8($0) }
    self.target = target
  }

  init(_ message: Cursor) throws(Damage) {
    var cursor = message
    _ = try cursor.version(1...1)
    let flags = try cursor.byte()
    let kind = flags & 8 != 0 ? try cursor.byte() : 0
    let order = flags & 4 != 0 ? try cursor.integer(8) : 0
    if flags & 16 != 0 { try cursor.skip(1) }
    let name = try cursor.take(cursor.count(1 << Int(flags & 3)))
    switch kind {
    case 0:
      guard let address = try cursor.address() else { throw cursor.damage("leads nowhere") }
      self.init(rawName: name, target: .object(address))
    case 1:
      let path = try cursor.take(cursor.small(2))
      self.init(rawName: name, target: .soft(String(decoding: path, as: UTF8.self)))
    case 64: self.init(rawName: name, target: .external)
    default: self.init(rawName: name, target: .userDefined)
    }
    self.order = order
  }
}
