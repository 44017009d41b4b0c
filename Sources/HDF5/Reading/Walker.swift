import FileIO

/// Lists a file's groups, datasets and attributes. What is damaged or foreign is listed with its reason and keeps nothing
/// else from being read.
final class Walker {
  let file: HDF5File
  let bytes: FileBytes
  let shared: SharedMessages
  let texts: GlobalHeap
  private let root: UInt64

  /// The paths of groups already listed, which ends cycles.
  private var visited: [UInt64: String] = [:]
  /// Datasets already described, by address: each may have many names.
  private var described: [UInt64: HDF5Dataset] = [:]
  private var objects = 0
  var attributes = 0
  /// Whether something was found after which nothing more is read.
  private var isOver = false
  private var resolver: LinkResolver

  var limits: HDF5Limits { file.limits }

  init(_ file: HDF5File, _ open: OpenFile) {
    self.file = file
    bytes = open.metadata()
    shared = SharedMessages(bytes, open.superblock)
    texts = GlobalHeap(bytes)
    root = open.superblock.root
    resolver = LinkResolver(bytes, root: open.superblock.root, room: file.limits.objects)
  }

  func contents() throws(HDF5Error) -> HDF5Group {
    let call = Call(file: file.path, object: "/")
    let header = try call.naming { () throws(Damage) in try ObjectHeader(bytes, at: root) }
    guard GroupLinks.isGroup(header) else { throw call.error(.corrupt, "the root is not a group") }
    return try group(header, name: "", path: "/", depth: 0)
  }

  private func naming<Result>(_ path: String, _ body: () throws(Damage) -> Result) throws(HDF5Error) -> Result {
    do throws(Damage) {
      return try body()
    } catch {
      if error.endsWalk { isOver = true }
      throw Call(file: file.path, object: path).error(error)
    }
  }

  private func group(
    _ header: ObjectHeader, name: String, path: String, depth: Int
  ) throws(HDF5Error) -> HDF5Group {
    if let first = visited[header.address] { return HDF5Group(name: name, path: path, aliasOf: first) }
    visited[header.address] = path
    var result = HDF5Group(name: name, path: path)
    let links = try naming(path) { () throws(Damage) in
      guard depth <= limits.depth else {
        throw Damage(.limitExceeded, "its groups are nested more than \(limits.depth) deep", endsWalk: true)
      }
      let attributes = try readAttributes(header, of: path)
      (result.attributes, result.unreadableAttributes) = (attributes.values, attributes.unreadable)
      return try readLinks(header)
    }
    for link in links {
      let place = path == "/" ? "/" + link.shownName : path + "/" + link.shownName
      do throws(HDF5Error) {
        let address = try naming(place) { () throws(Damage) in try target(of: link, in: header.address, path) }
        try add(address, link.shownName, place, to: &result, depth)
      } catch {
        if isOver { throw error }
        result.unreadable.append(error)
      }
    }
    return result
  }

  private func readLinks(_ header: ObjectHeader) throws(Damage) -> [Link] {
    let links: [Link]
    do throws(Damage) {
      links = try GroupLinks.read(header, bytes, room: limits.objects - objects)
    } catch {
      guard error.kind == .limitExceeded, error.endsWalk else { throw error }
      throw Damage(.limitExceeded, "the file holds more than \(limits.objects) objects", endsWalk: true)
    }
    objects += links.count
    return links
  }

  /// Adds the object at an address, or a second name of a group that has a place of its own.
  private func add(
    _ target: LinkResolver.Target, _ name: String, _ path: String, to group: inout HDF5Group, _ depth: Int
  ) throws(HDF5Error) {
    if let dataset = described[target.address] {
      group.datasets.append(dataset.renamed(name, path))
      return
    }
    let header = try naming(path) { () throws(Damage) in try ObjectHeader(bytes, at: target.address) }
    if GroupLinks.isGroup(header) {
      // A group is listed where it is stored.
      if let first = target.path {
        group.groups.append(HDF5Group(name: name, path: path, aliasOf: first))
      } else {
        group.groups.append(try self.group(header, name: name, path: path, depth: depth + 1))
      }
    } else if header.has(.datatype), header.has(.dataspace) {
      let dataset = try naming(path) { () throws(Damage) in
        try self.dataset(header, name: name, path: path)
      }
      described[target.address] = dataset
      group.datasets.append(dataset)
    } else if header.has(.datatype) {
      group.namedTypes.append(name)
    } else {
      throw Call(file: file.path, object: path).error(.corrupt, "it is neither a group nor a dataset")
    }
  }

  /// What a link leads to, within the file only.
  private func target(of link: Link, in group: UInt64, _ path: String) throws(Damage) -> LinkResolver.Target {
    guard let name = link.name else { throw Damage(.refused, "its name is not UTF-8") }
    guard !name.isEmpty, name != ".", !name.utf8.contains(UInt8(ascii: "/")), !name.utf8.contains(0) else {
      throw Damage(.refused, "its name is not usable")
    }
    switch link.target {
    case .object(let address): return .init(address: address, path: nil)
    case .soft(let place): return try resolver.resolve(place, from: group, path)
    case .external: throw Damage(.refused, "it is an external link into another file, which is not followed")
    case .userDefined: throw Damage(.refused, "it is a user-defined link, which is not followed")
    }
  }
}

/// Finds what soft links lead to.
struct LinkResolver {
  struct Target {
    let address: UInt64
    /// Where it is stored; nil for what is stored in the place itself.
    let path: String?
  }

  private let file: FileBytes
  private let root: UInt64
  private let room: Int
  private var tables: [UInt64: [String: Link.Target]] = [:]
  private static let greatestLength = 16

  init(_ file: FileBytes, root: UInt64, room: Int) {
    self.file = file
    self.root = root
    self.room = room
  }

  mutating func resolve(_ place: String, from group: UInt64, _ path: String) throws(Damage) -> Target {
    var left = Self.greatestLength
    guard let found = try follow(place, from: (group, path), &left) else {
      let start = "it is a soft link to \(place.isEmpty ? "nothing" : place), which leads"
      throw left < 0 ? Damage(.refused, "\(start) in a circle") : Damage(.notFound, "\(start) to nothing in this file")
    }
    return Target(address: found.address, path: found.path)
  }

  private mutating func follow(
    _ place: String, from group: (address: UInt64, path: String), _ left: inout Int
  ) throws(Damage) -> (address: UInt64, path: String)? {
    left -= 1
    guard left >= 0 else { return nil }
    var current = place.hasPrefix("/") ? (address: root, path: "/") : group
    for part in place.split(separator: "/") where part != "." {
      guard let target = try links(of: current.address)[String(part)] else { return nil }
      switch target {
      case .object(let address):
        current = (address, current.path == "/" ? "/" + part : current.path + "/" + part)
      case .soft(let next):
        guard let found = try follow(next, from: current, &left) else { return nil }
        current = found
      case .external, .userDefined: return nil
      }
    }
    return current
  }

  private mutating func links(of address: UInt64) throws(Damage) -> [String: Link.Target] {
    if let known = tables[address] { return known }
    let header = try ObjectHeader(file, at: address)
    var table: [String: Link.Target] = [:]
    if GroupLinks.isGroup(header) {
      for link in try GroupLinks.read(header, file, room: room) {
        if let name = link.name { table[name] = link.target }
      }
    }
    tables[address] = table
    return table
  }
}
