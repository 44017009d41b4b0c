/// An attribute as a header holds it.
struct AttributeMessage {
  let rawName: [UInt8]
  let type: DatatypeMessage
  let space: DataspaceMessage
  let data: Cursor

  init(_ message: Cursor, _ shared: SharedMessages, rankLimit: Int) throws(Damage) {
    var cursor = message
    let version = try cursor.version(1...3)
    let flags = try cursor.byte()
    let (nameCount, typeCount, spaceCount) = (try cursor.small(2), try cursor.small(2), try cursor.small(2))
    if version == 3 { try cursor.skip(1) }
    func part(_ count: Int) throws(Damage) -> Cursor {
      let start = cursor.position
      let part = try cursor.part(count)
      if version == 1 { try cursor.align(from: start) }
      return part
    }
    var name = try part(nameCount)
    rawName = Array(try name.take(nameCount).prefix { $0 != 0 })
    do throws(Damage) {
      (type, space) = try Self.form(version, flags, try part(typeCount), try part(spaceCount), shared, rankLimit)
    } catch {
      throw Damage(
        error.kind, "its attribute \"\(String(decoding: rawName, as: UTF8.self))\": \(error.text)",
        endsWalk: error.endsWalk)
    }
    data = cursor
  }

  private static func form(
    _ version: UInt8, _ flags: UInt8, _ type: Cursor, _ space: Cursor, _ shared: SharedMessages, _ rankLimit: Int
  ) throws(Damage) -> (DatatypeMessage, DataspaceMessage) {
    var (type, space) = (type, space)
    let (isTypeShared, isSpaceShared) = version > 1 ? (flags & 1 != 0, flags & 2 != 0) : (false, false)
    let typeKind = ObjectHeader.Kind.datatype.rawValue
    let spaceKind = ObjectHeader.Kind.dataspace.rawValue
    return (
      try DatatypeMessage(isTypeShared ? try shared.body(of: typeKind, &type) : type),
      try DataspaceMessage(isSpaceShared ? try shared.body(of: spaceKind, &space) : space, rankLimit: rankLimit)
    )
  }
}
