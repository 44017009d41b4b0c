/// The attributes of an object, in the order of their creation where it is recorded, or by name.
struct AttributeList {
  private(set) var messages: [AttributeMessage] = []
  /// What cannot be read, and keeps no other attribute from being read.
  private(set) var damages: [Damage] = []

  /// - Parameter room: how many attributes there may be.
  init(
    _ header: ObjectHeader, _ file: FileBytes, _ shared: SharedMessages, _ limits: HDF5Limits, room: Int
  ) throws(Damage) {
    var found: [(order: Int, message: AttributeMessage)] = []
    var damages: [Damage] = []
    /// - Parameter body: finds the attribute's message.
    func take(_ order: Int, _ body: () throws(Damage) -> Cursor) throws(Damage) {
      guard found.count + damages.count < room else {
        throw Damage(.limitExceeded, "the file holds more than \(limits.attributes) attributes", endsWalk: true)
      }
      do throws(Damage) {
        let body = try body()
        guard body.left <= limits.attributeBytes else {
          throw Damage(
            .limitExceeded, "one of its attributes has \(body.left) bytes; at most \(limits.attributeBytes) are read")
        }
        found.append((order, try AttributeMessage(body, shared, rankLimit: limits.rank)))
      } catch {
        if error.endsWalk { throw error }
        damages.append(error)
      }
    }
    for message in header.all(.attribute) {
      try take(message.order) { () throws(Damage) in try shared.body(of: message) }
    }
    do throws(Damage) {
      try Self.forEachDense(header, file, shared, take)
    } catch {
      if error.endsWalk { throw error }
      damages.append(error)
    }
    if header.tracksAttributes {
      found.sort { $0.order < $1.order }
    } else {
      found.sort { $0.message.rawName.lexicographicallyPrecedes($1.message.rawName) }
    }
    messages = found.map(\.message)
    self.damages = damages
  }

  /// Attributes that lie in a heap, because they are many or large.
  private static func forEachDense(
    _ header: ObjectHeader, _ file: FileBytes, _ shared: SharedMessages,
    _ take: (_ order: Int, _ body: () throws(Damage) -> Cursor) throws(Damage) -> Void
  ) throws(Damage) {
    guard let message = header.first(.attributeInfo) else { return }
    var info = message.body
    _ = try info.version(0...0)
    if try info.byte() & 1 != 0 { try info.skip(2) }
    guard let address = try info.address(), let names = try info.address() else { return }
    let heap = try FractalHeap(file, at: address)
    let tree = try BTree2(file, at: names)
    guard tree.kind == 8, tree.recordBytes == 17 else { throw Damage("the index of its attributes is of another kind") }
    try tree.forEachRecord { record throws(Damage) in
      let id = Array(try record.take(8))
      let flags = try record.byte()
      try take(try record.small(4)) { () throws(Damage) in
        flags & 2 != 0
          ? try shared.inHeap(ObjectHeader.Kind.attribute.rawValue, id)
          : Cursor(try heap.object(id), file.widths, "an attribute")
      }
    }
  }
}
