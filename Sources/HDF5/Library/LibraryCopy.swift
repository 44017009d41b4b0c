#if HDF5Writing
  import CHDF5
  import Foundation

  /// Reads a file through libhdf5, by hard links only, as a document to write. Only in a process of its own, which may crash.
  struct LibraryCopy {
    private let file: hid_t
    private let call: Call
    private var document = HDF5Document()
    private var leftOut: [CopyReport.Entry] = []
    private var visited: [UInt64: String] = [:]
    private var objects = 0
    /// Bytes that may still be copied.
    private var room: Int
    private let limits = HDF5Limits.standard

    /// - Returns: what was left out, with the reasons.
    static func make(of path: String, at copy: String, byteLimit: Int) throws -> [CopyReport.Entry] {
      let call = Call(file: path, object: nil)
      // A pipe, a folder or another format is refused before libhdf5 sees it.
      _ = try OpenFile(path, named: path)
      let file = try Library.locked { () throws(HDF5Error) in
        let access = try FileAccess.make(call)
        // Some file systems have no locks, and a shared one was taken when the file was opened before.
        _ = chdf5_set_file_locking(access.id, 0)
        return try call.check(
          H5Fopen(path, chdf5_open_read_only(), access.id), "libhdf5 does not open it", .corrupt)
      }
      defer { _ = Library.locked { H5Fclose(file) } }
      var reader = LibraryCopy(file, call, byteLimit)
      try Library.locked { () throws(HDF5Error) in try reader.group("/", depth: 0) }
      try reader.document.write(to: copy)
      return reader.leftOut
    }

    private init(_ file: hid_t, _ call: Call, _ room: Int) { (self.file, self.call, self.room) = (file, call, room) }

    private mutating func leave(_ path: String, _ detail: String, _ kind: CopyReport.Entry.Kind = .refused) {
      leftOut.append(.init(kind: kind, object: path, detail: detail))
    }

    private final class Names {
      var all: [(name: String?, type: Int32)] = []
    }

    private mutating func group(_ path: String, depth: Int) throws(HDF5Error) {
      let here = Call(file: call.file, object: path)
      guard depth <= limits.depth else { throw here.error(.limitExceeded, "its groups are nested too deep") }
      let group = try here.handle(
        ObjectKind.self, H5Oopen(file, path, chdf5_default()), "it cannot be opened", .corrupt)
      var info = chdf5_object()
      try here.check(chdf5_object_info(group.id, &info), "it cannot be read", .corrupt)
      visited[info.key.0] = path
      document.addGroup(path)
      try attributes(of: group.id, path, Int(clamping: info.attributes))
      for (name, type) in try names(group.id, here) {
        guard let name, !name.isEmpty, name != ".", !name.contains("/") else {
          leave(path, "a name in it is not usable")
          continue
        }
        let place = path == "/" ? "/" + name : path + "/" + name
        if type == H5L_TYPE_SOFT.rawValue {
          // What it leads to within the file has a name of its own.
          leave(place, "it is a soft link, which is not followed", .link)
          continue
        }
        guard type == H5L_TYPE_HARD.rawValue else {
          leave(place, "it is an external or user-defined link, which is not followed")
          continue
        }
        objects += 1
        guard objects <= limits.objects else { throw call.error(.limitExceeded, "the file holds too many objects") }
        do throws(HDF5Error) {
          try add(place, depth)
        } catch {
          if error.kind == .limitExceeded { throw error }
          leave(place, error.detail)
        }
      }
    }

    private mutating func add(_ path: String, _ depth: Int) throws(HDF5Error) {
      let here = Call(file: call.file, object: path)
      let object = try here.handle(
        ObjectKind.self, H5Oopen(file, path, chdf5_default()), "libhdf5 does not open it", .corrupt)
      var info = chdf5_object()
      try here.check(chdf5_object_info(object.id, &info), "libhdf5 does not read it", .corrupt)
      switch info.type {
      case H5O_TYPE_GROUP:
        if let first = visited[info.key.0] { return leave(path, "it is another name of \(first)", .link) }
        try group(path, depth: depth + 1)
      case H5O_TYPE_DATASET:
        let source = try LibraryDataset(object.id, here)
        guard source.byteCount <= room else {
          throw here.error(.limitExceeded, "it is larger than the copy of the file may become")
        }
        room -= source.byteCount
        try source.add(to: &document, path, file)
        try attributes(of: object.id, path, Int(clamping: info.attributes))
      default: leave(path, "it is neither a group nor a dataset")
      }
    }

    /// In the order of creation where it is recorded, or by name.
    private func names(_ group: hid_t, _ call: Call) throws(HDF5Error) -> [(name: String?, type: Int32)] {
      let properties = try call.handle(PropertyListKind.self, H5Gget_create_plist(group), "it cannot be read", .corrupt)
      var flags: UInt32 = 0
      let isByCreation =
        H5Pget_link_creation_order(properties.id, &flags) >= 0 && flags & UInt32(H5P_CRT_ORDER_TRACKED) != 0
      let names = Names()
      try call.check(
        chdf5_iterate_links(
          group, isByCreation ? 1 : 0,
          { name, type, context in
            guard let name, let context else { return -1 }
            Unmanaged<Names>.fromOpaque(context).takeUnretainedValue().all
              .append((String(validatingCString: name), type))
            return 0
          }, Unmanaged.passUnretained(names).toOpaque()), "its members cannot be listed", .corrupt)
      return names.all
    }

    private mutating func attributes(of id: hid_t, _ path: String, _ count: Int) throws(HDF5Error) {
      guard count <= limits.attributes else { throw call.error(.limitExceeded, "\(path) has too many attributes") }
      for index in 0..<count {
        let here = Call(file: call.file, object: path)
        do throws(HDF5Error) {
          let attribute = try here.handle(
            AttributeKind.self,
            H5Aopen_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, hsize_t(index), chdf5_default(), chdf5_default()),
            "one of its attributes cannot be read", .corrupt)
          let (name, value, isScalar) = try LibraryAttribute.read(attribute.id, here, limits)
          document.setAttribute(name, value, on: path, scalar: isScalar)
        } catch {
          leave(path, error.detail)
        }
      }
    }
  }
#endif
