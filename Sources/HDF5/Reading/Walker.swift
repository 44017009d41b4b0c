import CHDF5

/// Lists a file's groups, datasets and attributes, following hard links only. Used while the library's lock is held.
struct Walker: ~Copyable {
  let file: HDF5File
  let open: OpenFile
  /// Link access properties that refuse external links, in case one is overlooked.
  let linkAccess: Handle<PropertyListKind>

  private struct Key: Hashable {
    let low: UInt64
    let high: UInt64
  }

  /// The paths of groups already listed, which ends cycles.
  private var visited: [Key: String] = [:]
  private var objects = 0
  var attributes = 0

  var limits: HDF5Limits { file.limits }

  init(_ file: HDF5File, _ open: OpenFile) throws(HDF5Error) {
    let call = Call(file: file.path, object: nil)
    let failed = "the HDF5 library does not accept its settings"
    let access = try call.handle(PropertyListKind.self, H5Pcreate(chdf5_class_link_access()), failed, .io)
    try call.check(chdf5_refuse_external_links(access.id), failed, .io)
    self.file = file
    self.open = open
    linkAccess = access
  }

  /// The root group, by `H5Oopen`.
  mutating func root() throws(HDF5Error) -> HDF5Group {
    let call = Call(file: file.path, object: "/")
    let root = try call.handle(
      ObjectKind.self, H5Oopen(open.id, "/", linkAccess.id), "the root group cannot be opened")
    let info = try describe(root.id, call)
    guard info.type == H5O_TYPE_GROUP else { throw call.error(.corrupt, "the root is not a group") }
    return try group(root.id, info, name: "", path: "/", depth: 0)
  }

  /// `H5Oget_info`
  private func describe(_ id: hid_t, _ call: Call) throws(HDF5Error) -> chdf5_object {
    var info = chdf5_object()
    try call.check(chdf5_object_info(id, &info), "its header cannot be read")
    return info
  }

  private mutating func group(
    _ id: hid_t, _ info: chdf5_object, name: String, path: String, depth: Int
  ) throws(HDF5Error) -> HDF5Group {
    let call = Call(file: file.path, object: path)
    let key = Key(low: info.key.0, high: info.key.1)
    if let first = visited[key] {
      return HDF5Group(
        name: name, path: path, groups: [], datasets: [], attributes: [], aliasOf: first, namedTypes: [])
    }
    visited[key] = path
    guard depth <= limits.depth else {
      throw call.error(.limitExceeded, "its groups are nested more than \(limits.depth) deep")
    }

    let properties = try call.handle(
      PropertyListKind.self, H5Gget_create_plist(id), "the group's properties cannot be read")
    let attributes = try readAttributes(
      of: id, count: info.attributes, byCreation: Self.tracksAttributes(properties.id), call)
    var groups: [HDF5Group] = []
    var datasets: [HDF5Dataset] = []
    var namedTypes: [String] = []
    for link in try links(of: id, properties.id, call) {
      let childPath = path == "/" ? "/" + link : path + "/" + link
      let childCall = Call(file: file.path, object: childPath)
      let child = try childCall.handle(
        ObjectKind.self, H5Oopen(id, link, linkAccess.id), "it cannot be opened")
      let childInfo = try describe(child.id, childCall)
      switch childInfo.type {
      case H5O_TYPE_GROUP:
        groups.append(try group(child.id, childInfo, name: link, path: childPath, depth: depth + 1))
      case H5O_TYPE_DATASET:
        datasets.append(try dataset(child.id, childInfo, name: link, path: childPath))
      case H5O_TYPE_NAMED_DATATYPE: namedTypes.append(link)
      default: throw childCall.error(.corrupt, "it is neither a group nor a dataset")
      }
    }
    return HDF5Group(
      name: name, path: path, groups: groups, datasets: datasets, attributes: attributes, aliasOf: nil,
      namedTypes: namedTypes)
  }

  /// The names of a group's links, all hard (`H5Literate`).
  private mutating func links(
    of group: hid_t, _ properties: hid_t, _ call: Call
  ) throws(HDF5Error) -> [String] {
    var flags: UInt32 = 0
    let byCreation =
      H5Pget_link_creation_order(properties, &flags) >= 0 && flags & UInt32(H5P_CRT_ORDER_TRACKED) != 0
    let list = NameList(room: limits.objects - objects)
    let result = withExtendedLifetime(list) {
      chdf5_iterate_links(
        group, byCreation ? 1 : 0,
        { name, type, context in
          guard let name, let context else { return -1 }
          let list = Unmanaged<NameList>.fromOpaque(context).takeUnretainedValue()
          return list.take(name) { Walker.refusal(of: $0, type) }
        }, Unmanaged.passUnretained(list).toOpaque())
    }
    if let (name, reason) = list.refused {
      let path = (call.object == "/" ? "" : call.object ?? "") + "/" + name
      throw Call(file: file.path, object: path).error(.refused, reason)
    }
    guard list.room >= 0 else {
      throw call.error(.limitExceeded, "the file holds more than \(limits.objects) objects")
    }
    try call.check(result, "the group's links cannot be read")
    objects += list.names.count
    return list.names
  }

  /// Why a link is not followed; nil for a usable hard link.
  private static func refusal(of name: String, _ type: Int32) -> String? {
    switch type {
    case H5L_TYPE_HARD.rawValue:
      name.isEmpty || name == "." || name.contains("/") ? "its name is not usable" : nil
    case H5L_TYPE_SOFT.rawValue: "it is a soft link; only objects stored in place are read"
    case H5L_TYPE_EXTERNAL.rawValue: "it is an external link into another file, which is not followed"
    default: "it is a user-defined link, which is not followed"
    }
  }

  /// `H5Pget_attr_creation_order`
  static func tracksAttributes(_ properties: hid_t) -> Bool {
    var flags: UInt32 = 0
    return H5Pget_attr_creation_order(properties, &flags) >= 0 && flags & UInt32(H5P_CRT_ORDER_TRACKED) != 0
  }
}
