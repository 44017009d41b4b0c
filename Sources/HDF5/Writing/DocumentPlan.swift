/// A validated document: groups before their members, all sizes known.
struct DocumentPlan {
  struct Item {
    /// "/" or "/a/b".
    let path: String
    let content: HDF5Document.Content
    let byteCount: Int
    var attributes: [HDF5Document.Attribute]
  }

  /// The root first.
  private(set) var items: [Item] = []
  /// Bytes of all datasets together.
  private(set) var byteCount = 0

  init(_ document: HDF5Document, file: String) throws(HDF5Error) {
    var attributes = document.attributes
    var kinds: [String: Bool] = ["": true]  // path: is it a group
    items.append(
      Item(path: "/", content: .group, byteCount: 0, attributes: attributes.removeValue(forKey: "") ?? []))
    for node in document.nodes {
      let call = Call(file: file, object: "/" + node.path)
      if node.path.isEmpty, case .group = node.content { continue }
      let parts = node.path.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && !$0.utf8.contains(0) }) else {
        throw call.error(.invalid, "this path is not usable: each part needs a name")
      }
      var path = ""
      for part in parts.dropLast() {
        path += path.isEmpty ? String(part) : "/" + part
        if let isGroup = kinds[path] {
          guard isGroup else { throw call.error(.invalid, "/\(path) above it is a dataset, not a group") }
          continue
        }
        kinds[path] = true
        items.append(
          Item(
            path: "/" + path, content: .group, byteCount: 0,
            attributes: attributes.removeValue(forKey: path) ?? []))
      }
      if let isGroup = kinds[node.path] {
        if isGroup, case .group = node.content { continue }
        throw call.error(.invalid, "it is described twice")
      }
      if case .group = node.content { kinds[node.path] = true } else { kinds[node.path] = false }
      let bytes = try Self.byteCount(of: node.content, call)
      let (total, overflow) = byteCount.addingReportingOverflow(bytes)
      guard !overflow else { throw call.error(.invalid, "its datasets are too large for any file") }
      byteCount = total
      items.append(
        Item(
          path: "/" + node.path, content: node.content, byteCount: bytes,
          attributes: attributes.removeValue(forKey: node.path) ?? []))
    }
    if let orphan = attributes.keys.min() {
      throw Call(file: file, object: "/" + orphan).error(
        .invalid, "it has attributes but is neither a group nor a dataset of the document")
    }
    for item in items { try Self.check(item.attributes, Call(file: file, object: item.path)) }
  }

  /// Replaces a placeholder in the root's text attributes.
  mutating func replace(_ placeholder: String, with text: String) {
    for index in items[0].attributes.indices {
      guard case .strings(let strings) = items[0].attributes[index].value else { continue }
      items[0].attributes[index].value = .strings(strings.map { $0.replacing(placeholder, with: text) })
    }
  }

  private static func byteCount(of content: HDF5Document.Content, _ call: Call) throws(HDF5Error) -> Int {
    switch content {
    case .group: return 0
    case .strings(let strings):
      guard !strings.contains(where: { $0.utf8.contains(0) }) else {
        throw call.error(.invalid, "a string with a NUL character cannot be written")
      }
      return strings.reduce(0) { $0 + $1.utf8.count + 32 }
    case .data(let data): return try byteCount(of: data, call)
    }
  }

  private static func byteCount(of data: HDF5Document.Data, _ call: Call) throws(HDF5Error) -> Int {
    guard let width = data.type.byteCount, width > 0 else {
      throw call.error(.invalid, "a dataset of type \(data.type) cannot be written from bytes")
    }
    guard data.shape.count <= 32, data.shape.allSatisfy({ $0 >= 0 }),
      let bytes = checkedProduct(data.shape + [width])
    else { throw call.error(.invalid, "its shape \(data.shape) cannot be written") }
    if let level = data.deflate, !(0...9).contains(level) {
      throw call.error(.invalid, "deflate levels are 0 to 9, not \(level)")
    }
    if let chunk = data.chunks {
      guard chunk.count == data.shape.count, !chunk.isEmpty, chunk.allSatisfy({ $0 > 0 }),
        zip(chunk, data.shape).allSatisfy({ $0 <= max($1, 1) }),
        let chunkBytes = checkedProduct(chunk + [width]), chunkBytes < 1 << 32
      else {
        throw call.error(.invalid, "chunks of shape \(chunk) do not suit a dataset of shape \(data.shape)")
      }
    }
    return bytes
  }

  private static func check(_ attributes: [HDF5Document.Attribute], _ call: Call) throws(HDF5Error) {
    for attribute in attributes {
      guard !attribute.name.isEmpty, !attribute.name.utf8.contains(0) else {
        throw call.error(.invalid, "an attribute needs a name")
      }
      switch attribute.value {
      case .unsupported(let name):
        throw call.error(.invalid, "its attribute \"\(attribute.name)\" of type \(name) cannot be written")
      case .strings(let strings) where strings.contains { $0.utf8.contains(0) }:
        throw call.error(.invalid, "its attribute \"\(attribute.name)\" contains a NUL character")
      default: break
      }
    }
  }
}

extension HDF5Document.Data {
  /// The shape of the chunks; nil for contiguous storage, which scalars and empty datasets always have.
  var chunks: [Int]? {
    if let chunkShape { return chunkShape }
    guard deflate != nil || shuffle || fletcher32, !shape.isEmpty, !shape.contains(0) else { return nil }
    return shape
  }
}
