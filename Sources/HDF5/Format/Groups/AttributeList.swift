/// The attributes of an object, in the order of their creation where it is recorded, or by name.
enum AttributeList {
  /// - Parameter room: how many attributes there may be.
  static func read(
    _ header: ObjectHeader, _ file: FileBytes, _ shared: SharedMessages, _ limits: HDF5Limits, room: Int
  ) throws(Damage) -> [AttributeMessage] {
    var found: [(order: Int, message: AttributeMessage)] = []
    let kind = ObjectHeader.Kind.attribute.rawValue
    func take(_ order: Int, _ body: Cursor) throws(Damage) {
      guard found.count < room else {
        throw Damage(.limitExceeded, "the file holds more than \(limits.attributes) attributes", endsWalk: true)
      }
      guard body.left <= limits.attributeBytes else {
        throw Damage(
          .limitExceeded, "one of its attributes has \(body.left) bytes; at most \(limits.attributeBytes) are read")
      }
      found.append((order, try AttributeMessage(body, shared, rankLimit: limits.rank)))
    }
    for message in header.all(.attribute) { try take(message.order, try shared.body(of: message)) }
    if let message = header.first(.attributeInfo) {
      var info = message.body
      _ = try info.version(0...0)
      if try info.byte() & 1 != 0 { try info.skip(2) }
      if let address = try info.address(), let names = try info.address() {
        let heap = try FractalHeap(file, at: address)
        let tree = try BTree2(file, at: names)
        guard tree.kind == 8, tree.recordBytes == 17 else {
          throw Damage("the index of its attributes is of another kind")
        }
        try tree.forEachRecord { record throws(Damage) in
          let id = Array(try record.take(8))
          let flags = try record.byte()
          let order = try record.small(4)
          if flags & 2 != 0 {
            try take(order, try shared.inHeap(kind, id))
          } else {
            try take(order, Cursor(try heap.object(id), file.widths, "an attribute"))
          }
        }
      }
    }
    if header.tracksAttributes {
      found.sort { $0.order < $1.order }
    } else {
      found.sort { $0.message.rawName.lexicographicallyPrecedes($1.message.rawName) }
    }
    return found.map(\.message)
  }
}
