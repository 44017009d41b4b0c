/// The links of a group of either kind, in the order of their creation where the group records it, or by name.
enum GroupLinks {
  /// - Parameter room: how many links there may be.
  static func read(_ header: ObjectHeader, _ file: FileBytes, room: Int) throws(Damage) -> [Link] {
    var links: [Link] = []
    func take(_ link: Link) throws(Damage) {
      guard links.count < room else {
        throw Damage(.limitExceeded, "the file holds more objects than are read", endsWalk: true)
      }
      links.append(link)
    }
    if let message = header.first(.symbolTable) {
      try SymbolTable(file, message.body).forEachLink(take)
    }
    for message in header.all(.link) {
      guard !message.isShared else { throw Damage("the group's links cannot be read") }
      try take(try Link(message.body))
    }
    var isByCreation = false
    if let message = header.first(.linkInfo) {
      var info = message.body
      _ = try info.version(0...0)
      let flags = try info.byte()
      isByCreation = flags & 1 != 0
      if isByCreation { try info.skip(8) }
      let heap = try info.address()
      let names = try info.address()
      if let heap, let names {
        let tree = try BTree2(file, at: names)
        guard tree.kind == 5, tree.recordBytes == 11 else { throw Damage("the group's index is of another kind") }
        let heap = try FractalHeap(file, at: heap)
        try tree.forEachRecord { record throws(Damage) in
          try record.skip(4)
          let message = try heap.object(Array(try record.take(7)))
          try take(try Link(Cursor(message, file.widths, "a link of the group")))
        }
      }
    }
    if isByCreation {
      links.sort { $0.order < $1.order }
    } else {
      links.sort { $0.rawName.lexicographicallyPrecedes($1.rawName) }
    }
    return links
  }

  static func isGroup(_ header: ObjectHeader) -> Bool { header.has(.symbolTable) || header.has(.linkInfo) }
}
