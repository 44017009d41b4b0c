#if HDF5Writing
  import CHDF5

  /// A dataset as libhdf5 describes it, after checking that reading it opens no other file and loads no plugin.
  struct LibraryDataset {
    private let shape: [Int]
    private let type: HDF5ScalarType
    private let rows: Int
    private let call: Call
    private let texts: [String]?
    let byteCount: Int

    private static let failed = "libhdf5 does not read it"
    private static let pieceBytes = 8 << 20

    init(_ id: hid_t, _ call: Call) throws(HDF5Error) {
      self.call = call
      let properties = try call.handle(PropertyListKind.self, H5Dget_create_plist(id), Self.failed, .corrupt)
      // Before its shape is asked for, which opens the other files of a virtual dataset.
      let layout = H5Pget_layout(properties.id)
      guard layout == H5D_CONTIGUOUS || layout == H5D_COMPACT || layout == H5D_CHUNKED else {
        throw call.error(.refused, "its data is in other files, or its storage is unknown")
      }
      guard H5Pget_external_count(properties.id) == 0 else {
        throw call.error(.refused, "its data is in external files, which are not opened")
      }
      try Self.requireFilters(properties.id, call)
      let space = try call.handle(DataspaceKind.self, H5Dget_space(id), Self.failed, .corrupt)
      shape = try Self.shape(space.id, call)
      let fileType = try call.handle(DatatypeKind.self, H5Dget_type(id), Self.failed, .corrupt)
      type = try LibraryType.scalar(of: fileType.id, call)
      let count = checkedProduct(shape)
      guard let count, let bytes = checkedProduct([count, type.byteCount ?? Int(H5Tget_size(fileType.id))]) else {
        throw call.error(.limitExceeded, "its shape \(shape) is too large for any file")
      }
      let limits = HDF5Limits.standard
      guard bytes <= limits.unexplainedBytes || bytes / limits.ratio <= Int(clamping: H5Dget_storage_size(id)) else {
        throw call.error(.refused, "its shape \(shape) means \(bytes) bytes, far more than are stored")
      }
      byteCount = bytes
      let chunkRows = Self.chunkRows(properties.id, layout, shape.count)
      let rowBytes = max(1, bytes / max(1, shape.first ?? 1))
      rows = max(1, Self.pieceBytes / rowBytes / chunkRows) * chunkRows
      guard case .string(nil, _) = type else {
        texts = nil
        return
      }
      guard bytes <= limits.stringBytes else { throw call.error(.refused, "it has too many texts") }
      texts = try LibraryType.texts(fileType.id, space.id, count, call) {
        H5Dread(id, fileType.id, chdf5_all(), chdf5_all(), chdf5_default(), $0)
      }
    }

    private static func chunkRows(_ properties: hid_t, _ layout: H5D_layout_t, _ rank: Int) -> Int {
      var chunk = [hsize_t](repeating: 1, count: max(1, rank))
      guard layout == H5D_CHUNKED, H5Pget_chunk(properties, Int32(rank), &chunk) >= 0 else { return 1 }
      return max(1, Int(clamping: chunk[0]))
    }

    private static func requireFilters(_ properties: hid_t, _ call: Call) throws(HDF5Error) {
      let count = H5Pget_nfilters(properties)
      guard count >= 0, count <= 32 else { throw call.error(.refused, "it has \(count) filters") }
      for index in 0..<UInt32(count) {
        var (flags, parameters): (UInt32, Int) = (0, 0)
        let number = H5Pget_filter2(properties, index, &flags, &parameters, nil, 0, nil, nil)
        var abilities: UInt32 = 0
        // Those within libhdf5 only: 1 deflate, 2 shuffle, 3 fletcher32, 4 szip, 5 n-bit, 6 scale-offset.
        guard (1...6).contains(number), H5Zfilter_avail(number) > 0, H5Zget_filter_info(number, &abilities) >= 0,
          abilities & UInt32(H5Z_FILTER_CONFIG_DECODE_ENABLED) != 0
        else { throw call.error(.refused, "it is compressed by filter \(number), which libhdf5 does not have here") }
      }
    }

    static func shape(_ space: hid_t, _ call: Call) throws(HDF5Error) -> [Int] {
      switch H5Sget_simple_extent_type(space) {
      case H5S_NULL: return [0]
      case H5S_SCALAR: return []
      default: break
      }
      let rank = H5Sget_simple_extent_ndims(space)
      guard rank >= 0, rank <= 32 else { throw call.error(.corrupt, "it has \(rank) dimensions") }
      var extents = [hsize_t](repeating: 0, count: max(1, Int(rank)))
      try call.check(H5Sget_simple_extent_dims(space, &extents, nil), failed, .corrupt)
      var shape: [Int] = []
      for extent in extents.prefix(Int(rank)) {
        guard let value = Int(exactly: extent) else { throw call.error(.limitExceeded, "its shape is too large") }
        shape.append(value)
      }
      return shape
    }

    /// Its data is read while the copy is written.
    func add(to document: inout HDF5Document, _ path: String, _ file: hid_t) throws(HDF5Error) {
      if let texts {
        guard shape.count == 1 else {
          throw call.error(.refused, "it has texts of variable length in \(shape.count) dimensions")
        }
        return document.addStrings(path, texts)
      }
      let source = self
      document.addDataset(path, shape: shape, type: type) { write in
        try source.forEachPiece(path, file, write)
      }
    }

    private func forEachPiece(
      _ path: String, _ file: hid_t, _ write: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
      guard byteCount > 0 else { return }
      let extent = shape.first ?? 1
      let memory = Scratch()
      for first in stride(from: 0, to: extent, by: shape.isEmpty ? 1 : rows) {
        let count = shape.isEmpty ? 1 : min(rows, extent - first)
        let piece = memory.room(byteCount / extent * count)
        try Library.locked { () throws(HDF5Error) in
          try read(first, count, path, file, into: piece)
        }
        try write(UnsafeRawBufferPointer(piece))
      }
    }

    private func read(
      _ first: Int, _ count: Int, _ path: String, _ file: hid_t, into piece: UnsafeMutableRawBufferPointer
    ) throws(HDF5Error) {
      let dataset = try call.handle(ObjectKind.self, H5Oopen(file, path, chdf5_default()), Self.failed, .corrupt)
      let fileType = try call.handle(DatatypeKind.self, H5Dget_type(dataset.id), Self.failed, .corrupt)
      let memoryType = try LibraryType.memory(of: type, fileType.id, call)
      var (memorySpace, fileSpace) = (chdf5_all(), chdf5_all())
      defer {
        if memorySpace != chdf5_all() { H5Sclose(memorySpace) }
        if fileSpace != chdf5_all() { H5Sclose(fileSpace) }
      }
      if let extent = shape.first, count < extent {
        let start = [hsize_t(first)] + shape.dropFirst().map { _ in hsize_t(0) }
        let counts = [hsize_t(count)] + shape.dropFirst().map { hsize_t($0) }
        fileSpace = try call.check(H5Dget_space(dataset.id), Self.failed, .corrupt)
        try call.check(H5Sselect_hyperslab(fileSpace, H5S_SELECT_SET, start, nil, counts, nil), Self.failed, .corrupt)
        memorySpace = try call.check(H5Screate_simple(Int32(counts.count), counts, nil), Self.failed, .io)
      }
      guard let base = piece.baseAddress else { return }
      // What was never written, and has no fill value, libhdf5 leaves as it is.
      piece.initializeMemory(as: UInt8.self, repeating: 0)
      try call.check(
        H5Dread(dataset.id, memoryType.id, memorySpace, fileSpace, chdf5_default(), base), Self.failed, .corrupt)
      LibraryType.finish(piece, type, fileType.id)
    }
  }
#endif
