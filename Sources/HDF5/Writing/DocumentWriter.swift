#if HDF5Writing
  import CHDF5
  import FileIO

  /// Writes a planned document: libhdf5 lays out the file, and contiguous data is written here with `pwrite`.
  ///
  /// Small files are laid out in memory (the core driver without a backing store), so that a failing disk affects only
  /// our own writes. Large ones are laid out in the temporary file, to which libhdf5 writes only metadata.
  struct DocumentWriter {
    let plan: DocumentPlan
    let file: String
    let inMemory: Bool
    let faults: Faults

    private struct Placed {
      let item: DocumentPlan.Item
      let data: HDF5Document.Data
      let offset: Int
    }

    private var call: Call { Call(file: file, object: nil) }
    private static let failed = "the HDF5 library cannot write it"

    /// The hash of each numeric dataset's bytes as they were given, and the ranges of the file that contain data.
    struct Written {
      var hashes: [String: ContentHash] = [:]
      var data: [Range<Int>] = []
    }

    func write(_ descriptor: Int32, _ temporary: String) throws -> Written {
      var written = Written()
      let placed = try layOut(descriptor, temporary, &written.hashes)
      let end = placed.map { $0.offset + $0.item.byteCount }.max() ?? 0
      var writeback = Writeback(descriptor, size: end)
      for part in placed {
        written.hashes[part.item.path] = try write(part, descriptor, &writeback)
        written.data.append(part.offset..<part.offset + part.item.byteCount)
      }
      return written
    }

    /// Writes a dataset piece by piece, never beyond its range.
    private func write(
      _ part: Placed, _ descriptor: Int32, _ writeback: inout Writeback
    ) throws -> ContentHash {
      var hash = ContentHash()
      var done = 0
      let width = part.data.type.byteCount ?? 1
      let swaps = part.data.byteOrder == .bigEndian && part.data.type.hasByteOrder && width > 1
      let swapped = Scratch()
      try part.data.forEachPiece { piece in
        guard done + piece.count <= part.item.byteCount, !swaps || piece.count % width == 0 else {
          throw part.data.wrongSize(done + piece.count, part.item, file)
        }
        hash.update(piece)
        var bytes = piece
        if swaps {
          let copy = swapped.room(piece.count)
          copy.copyMemory(from: piece)
          ByteSwap.swap(copy, width: width)
          bytes = UnsafeRawBufferPointer(copy)
        }
        try put(bytes, descriptor, at: part.offset + done, part.item.path)
        writeback.wrote(part.offset + done, piece.count)
        done += piece.count
      }
      guard done == part.item.byteCount else { throw part.data.wrongSize(done, part.item, file) }
      return hash
    }

    /// Replaces a text by another of the same length. The text occurs once outside the data: libhdf5 stores the values of
    /// text attributes in the global heap, which has no checksum.
    func replace(
      _ placeholder: String, with text: String, _ descriptor: Int32, apartFrom data: [Range<Int>]
    ) throws(HDF5Error) {
      let failed = "the HDF5 library has not written its attributes as expected"
      let (old, new) = (Array(placeholder.utf8), Array(text.utf8))
      guard old.count == new.count else { throw call.error(.invalid, "the text must have the placeholder's length") }
      var places: [Int] = []
      var start = 0
      do throws(System.Errno) {
        let end = Int(try System.status(descriptor).st_size)
        for next in data.sorted(by: { $0.lowerBound < $1.lowerBound }) + [end..<end] {
          places += try System.find(old, descriptor, in: start..<max(start, next.lowerBound))
          start = max(start, next.upperBound)
        }
      } catch {
        throw call.error(.io, "reading back failed: \(error.text)")
      }
      guard places.count == 1 else { throw call.error(.io, failed) }
      try put(new, descriptor, at: places[0], nil)
    }

    private func layOut(
      _ descriptor: Int32, _ temporary: String, _ hashes: inout [String: ContentHash]
    ) throws -> [Placed] {
      let access = try access()
      let creation = try creationProperties(chdf5_class_file_create())
      // Within a process, files in memory are distinguished by name only; the temporary name is unique.
      let file = try Library.locked { () throws(HDF5Error) in
        try call.handle(
          FileKind.self, H5Fcreate(temporary, chdf5_open_truncate(), creation.id, access.id), "no file can be created",
          .cannotCreate)
      }
      var placed: [Placed] = []
      for item in plan.items {
        switch item.content {
        case .group, .strings: try Library.locked { () throws(HDF5Error) in try create(item, in: file.id) }
        case .data(let data):
          if let offset = try create(item, data, in: file.id, &hashes) {
            placed.append(Placed(item: item, data: data, offset: offset))
          }
        }
      }
      let image = try Library.locked { () throws(HDF5Error) in try finish(file.id) }
      if let image { try put(image, descriptor, at: 0, nil) }
      try closeFile(file)
      return placed
    }

    private func put(_ bytes: [UInt8], _ descriptor: Int32, at offset: Int, _ path: String?) throws(HDF5Error) {
      try bytes.lend { bytes throws(HDF5Error) in try put(bytes, descriptor, at: offset, path) }
    }

    private func put(
      _ bytes: UnsafeRawBufferPointer, _ descriptor: Int32, at offset: Int, _ path: String?
    ) throws(HDF5Error) {
      do throws(System.Errno) {
        try System.write(descriptor, bytes, at: offset, faults)
      } catch {
        throw Call(file: file, object: path).error(.io, "writing failed: \(error.text)")
      }
    }

    /// Bounds V18 to V18: superblock 2, whose metadata is checksummed and which every release since 2008 reads.
    private func access() throws(HDF5Error) -> Handle<PropertyListKind> {
      try Library.locked { () throws(HDF5Error) in
        let access = try FileAccess.make(call)
        if inMemory { try call.check(H5Pset_fapl_core(access.id, 1 << 20, false), Self.failed, .io) }
        try call.check(H5Pset_libver_bounds(access.id, H5F_LIBVER_V18, H5F_LIBVER_V18), Self.failed, .io)
        // Nobody else opens the file before it is renamed, so no lock is needed.
        try call.check(chdf5_set_file_locking(access.id, 0), Self.failed, .io)
        return access
      }
    }

    /// Creation order is stored but times are not, so equal documents give equal files.
    private func creationProperties(_ type: hid_t) throws(HDF5Error) -> Handle<PropertyListKind> {
      try Library.locked { () throws(HDF5Error) in
        let list = try call.handle(PropertyListKind.self, H5Pcreate(type), Self.failed, .io)
        let isDataset = type == chdf5_class_dataset_create()
        try call.check(H5Pset_obj_track_times(list.id, false), Self.failed, .io)
        if !isDataset {
          try call.check(H5Pset_link_creation_order(list.id, chdf5_creation_order()), Self.failed, .io)
        }
        try call.check(H5Pset_attr_creation_order(list.id, chdf5_creation_order()), Self.failed, .io)
        return list
      }
    }

    /// `H5Fflush`, and for a file in memory `H5Fget_file_image`.
    private func finish(_ id: hid_t) throws(HDF5Error) -> [UInt8]? {
      try call.check(H5Fflush(id, H5F_SCOPE_GLOBAL), Self.failed, .io)
      guard inMemory else { return nil }
      let size = try call.check(H5Fget_file_image(id, nil, 0), Self.failed, .io)
      var image = [UInt8](repeating: 0, count: size)
      try call.check(H5Fget_file_image(id, &image, size), Self.failed, .io)
      ImageChecksum.repair(&image)
      return image
    }

    /// A handle that closes itself could not report that writing the last metadata failed.
    private func closeFile(_ file: consuming Handle<FileKind>) throws(HDF5Error) {
      let id = file.release()
      try Library.locked { () throws(HDF5Error) in
        _ = try call.check(H5Fclose(id), Self.failed, .io)
      }
    }

    // MARK: Objects

    private func create(_ item: DocumentPlan.Item, in file: hid_t) throws(HDF5Error) {
      let call = Call(file: self.file, object: item.path)
      if case .strings(let strings) = item.content {
        let type = try Datatype.make(.string(length: nil, utf8: true), .littleEndian, call)
        let space = try dataspace([strings.count], call)
        let properties = try creationProperties(chdf5_class_dataset_create())
        let id = try dataset(item, type.id, space.id, properties.id, in: file, call)
        if !strings.isEmpty {
          try withCStrings(strings) { pointers throws(HDF5Error) in
            try call.check(
              H5Dwrite(id.id, type.id, chdf5_all(), chdf5_all(), chdf5_default(), pointers), Self.failed, .io)
          }
        }
        try AttributeWriter(call: call).write(item.attributes, on: id.id)
      } else if item.path == "/" {
        let root = try call.handle(ObjectKind.self, H5Oopen(file, "/", chdf5_default()), Self.failed, .io)
        try AttributeWriter(call: call).write(item.attributes, on: root.id)
      } else {
        let links = try linkProperties(call)
        let properties = try creationProperties(chdf5_class_group_create())
        let group = try call.handle(
          ObjectKind.self, H5Gcreate2(file, item.path, links.id, properties.id, chdf5_default()), Self.failed, .io
        )
        try AttributeWriter(call: call).write(item.attributes, on: group.id)
      }
    }

    /// - Returns: the offset at which to write contiguous data; nil if there is nothing left to write.
    private func create(
      _ item: DocumentPlan.Item, _ data: HDF5Document.Data, in file: hid_t, _ hashes: inout [String: ContentHash]
    ) throws -> Int? {
      let call = Call(file: self.file, object: item.path)
      // Providers are called outside the library's lock: they may be slow, or read another HDF5 file.
      let now = data.chunks == nil && item.byteCount > 0 ? nil : try data.checkedBytes(item, self.file)
      if let now { hashes[item.path] = now.withUnsafeBytes { ContentHash($0) } }
      return try Library.locked { () throws(HDF5Error) in
        let type = try Datatype.make(data.type, data.byteOrder, call)
        let space = try dataspace(data.shape, call)
        let properties = try creationProperties(chdf5_class_dataset_create())
        try setStorage(data, properties.id, call)
        let id = try dataset(item, type.id, space.id, properties.id, in: file, call)
        try AttributeWriter(call: call).write(item.attributes, on: id.id)
        guard let now else {
          let address = H5Dget_offset(id.id)
          guard let offset = Int(exactly: address) else { throw call.error(.io, Self.failed) }
          return offset
        }
        if !now.isEmpty {
          let given = try Datatype.make(data.type, .littleEndian, call)
          try call.check(
            H5Dwrite(id.id, given.id, chdf5_all(), chdf5_all(), chdf5_default(), now), Self.failed, .io)
        }
        return nil
      }
    }

    /// Space for contiguous data is allocated at once and not filled with zeros.
    private func setStorage(_ data: HDF5Document.Data, _ properties: hid_t, _ call: Call) throws(HDF5Error) {
      guard let chunks = data.chunks else {
        try call.check(H5Pset_layout(properties, H5D_CONTIGUOUS), Self.failed, .io)
        try call.check(H5Pset_alloc_time(properties, H5D_ALLOC_TIME_EARLY), Self.failed, .io)
        try call.check(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), Self.failed, .io)
        return
      }
      try call.check(H5Pset_chunk(properties, Int32(chunks.count), chunks.map { hsize_t($0) }), Self.failed, .io)
      if data.shuffle { try call.check(H5Pset_shuffle(properties), Self.failed, .io) }
      if let level = data.deflate { try call.check(H5Pset_deflate(properties, UInt32(level)), Self.failed, .io) }
      if data.fletcher32 { try call.check(H5Pset_fletcher32(properties), Self.failed, .io) }
    }

    private func dataset(
      _ item: DocumentPlan.Item, _ type: hid_t, _ space: hid_t, _ properties: hid_t, in file: hid_t, _ call: Call
    ) throws(HDF5Error) -> Handle<ObjectKind> {
      let links = try linkProperties(call)
      return try call.handle(
        ObjectKind.self, H5Dcreate2(file, item.path, type, space, links.id, properties, chdf5_default()), Self.failed,
        .io)
    }

    private func linkProperties(_ call: Call) throws(HDF5Error) -> Handle<PropertyListKind> {
      let links = try call.handle(PropertyListKind.self, H5Pcreate(chdf5_class_link_create()), Self.failed, .io)
      try call.check(H5Pset_char_encoding(links.id, H5T_CSET_UTF8), Self.failed, .io)
      return links
    }
  }

  extension HDF5Document.Data {
    /// Calls the provider, once, for all of the data.
    func checkedBytes(_ item: DocumentPlan.Item, _ file: String) throws -> [UInt8] {
      var bytes: [UInt8] = []
      switch source {
      case .whole(let give): bytes = try give()
      case .pieces(let give): try give { bytes.append(contentsOf: $0) }
      }
      guard bytes.count == item.byteCount else { throw wrongSize(bytes.count, item, file) }
      return bytes
    }

    /// Calls the provider, once, for the data in pieces.
    func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
      switch source {
      case .whole(let give): try give().withUnsafeBytes(body)
      case .pieces(let give): try give(body)
      }
    }

    /// The error for a provider whose data does not have the size of its shape.
    func wrongSize(_ count: Int, _ item: DocumentPlan.Item, _ file: String) -> HDF5Error {
      HDF5Error(
        .invalid, file: file, object: item.path,
        message: "its shape \(shape) of \(type) needs \(item.byteCount) bytes, but \(count) were given")
    }
  }
#endif
