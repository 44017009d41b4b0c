import CHDF5

extension Walker {
  /// Describes a dataset after checking that it is safe to read. Its data is not read.
  mutating func dataset(
    _ id: hid_t, _ info: chdf5_object, name: String, path: String
  ) throws(HDF5Error) -> HDF5Dataset {
    let call = Call(file: file.path, object: path)
    let properties = try call.handle(
      PropertyListKind.self, H5Dget_create_plist(id), "the dataset's properties cannot be read")
    // Layout first: H5Dget_space of a virtual dataset already opens its source files.
    let layout = H5Pget_layout(properties.id)
    if layout == H5D_VIRTUAL {
      throw call.error(.refused, "it is a virtual dataset, whose data is in other files; those are not opened")
    }
    let external = try call.check(
      H5Pget_external_count(properties.id), "the dataset's storage cannot be read")
    guard external == 0 else {
      throw call.error(.refused, "its data is in \(external) external file(s), which are not opened")
    }

    let space = try call.handle(DataspaceKind.self, H5Dget_space(id), "its shape cannot be read")
    let shape = try self.shape(of: space.id, call)
    let typeHandle = try call.handle(DatatypeKind.self, H5Dget_type(id), "its datatype cannot be read")
    let type = try Datatype(typeHandle.id, call)
    // A variable-length element is stored as a length, an address and an index.
    let width = type.scalar.byteCount ?? (type.scalar.isString ? 16 : H5Tget_size(typeHandle.id))
    let stored = Int(clamping: H5Dget_storage_size(id))
    let (elements, bytes) = try size(of: shape, width, stored: stored, type.scalar, call)

    var fill: [UInt8] = []
    var edgeChunksAreUnfiltered = false
    let storage: HDF5Dataset.Storage
    switch layout {
    case H5D_COMPACT: storage = .compact
    case H5D_CONTIGUOUS:
      let needed = type.scalar.byteCount == nil ? stored : bytes
      let offset = try offset(of: id, byteCount: needed, call)
      guard offset != nil || stored == 0 else { throw call.error(.corrupt, "its data cannot be located") }
      storage = .contiguous(offset: offset)
      if offset == nil { fill = try self.fill(properties.id, typeHandle.id, width, type.scalar, call) }
    case H5D_CHUNKED:
      let chunkShape = try self.chunkShape(properties.id, shape, call)
      storage = .chunked(chunkShape: chunkShape, filters: try filters(properties.id, call))
      var options: UInt32 = 0
      edgeChunksAreUnfiltered =
        H5Pget_chunk_opts(properties.id, &options) >= 0 && options & chdf5_edge_chunks_unfiltered() != 0
      fill = try self.fill(properties.id, typeHandle.id, width, type.scalar, call)
    default: throw call.error(.corrupt, "its storage layout is unknown")
    }
    let attributes = try readAttributes(
      of: id, count: info.attributes, byCreation: Self.tracksAttributes(properties.id), call)
    return HDF5Dataset(
      name: name, path: path, shape: shape, type: type.scalar, byteOrder: type.byteOrder, storage: storage,
      storedByteCount: stored, elementCount: elements, byteCount: bytes, attributes: attributes, file: file,
      fill: fill, padding: type.padding, edgeChunksAreUnfiltered: edgeChunksAreUnfiltered)
  }

  /// `H5Sget_simple_extent_type`, `H5Sget_simple_extent_dims`
  func shape(of space: hid_t, _ call: Call) throws(HDF5Error) -> [Int] {
    switch H5Sget_simple_extent_type(space) {
    case H5S_SCALAR: return []
    case H5S_NULL: return [0]
    case H5S_SIMPLE: break
    default: throw call.error(.corrupt, "its shape cannot be read")
    }
    let rank = Int(try call.check(H5Sget_simple_extent_ndims(space), "its shape cannot be read"))
    guard rank <= limits.rank else {
      throw call.error(.limitExceeded, "it has \(rank) dimensions; at most \(limits.rank) are read")
    }
    var extents = [hsize_t](repeating: 0, count: rank)
    try call.check(H5Sget_simple_extent_dims(space, &extents, nil), "its shape cannot be read")
    return try integers(extents, call)
  }

  private func integers(_ extents: [hsize_t], _ call: Call) throws(HDF5Error) -> [Int] {
    var result: [Int] = []
    for extent in extents {
      guard let value = Int(exactly: extent) else {
        throw call.error(.limitExceeded, "its shape \(extents) is too large for any file")
      }
      result.append(value)
    }
    return result
  }

  /// The number of elements and bytes, computed with overflow checks. A size out of proportion to the bytes stored is
  /// refused.
  private func size(
    of shape: [Int], _ width: Int, stored: Int, _ type: HDF5ScalarType, _ call: Call
  ) throws(HDF5Error) -> (elements: Int, bytes: Int) {
    let elements = checkedProduct(shape)
    guard let elements, let bytes = checkedProduct([elements, width]) else {
      throw call.error(.limitExceeded, "its shape \(shape) of \(type) is too large for any file")
    }
    if bytes > limits.unexplainedBytes, bytes / limits.ratio > stored {
      throw call.error(
        .limitExceeded, "its shape \(shape) of \(type) means \(bytes) bytes, but only \(stored) are stored")
    }
    return (elements, bytes)
  }

  /// `H5Dget_offset`, checked to lie within the file. It counts from the file's first byte, user block included.
  private func offset(of id: hid_t, byteCount: Int, _ call: Call) throws(HDF5Error) -> Int? {
    let address = H5Dget_offset(id)
    // A failure returns this, too; the caller distinguishes them by whether anything is stored.
    if address == chdf5_undefined_address() { return nil }
    let size = open.byteCount
    guard let offset = Int(exactly: address), offset <= size, byteCount <= size - offset else {
      throw call.error(
        .corrupt,
        "its \(byteCount) bytes of data would begin at byte \(address), but the file has \(size) bytes")
    }
    return offset
  }

  /// `H5Pget_chunk`
  private func chunkShape(_ properties: hid_t, _ shape: [Int], _ call: Call) throws(HDF5Error) -> [Int] {
    var extents = [hsize_t](repeating: 0, count: shape.count)
    let rank = try call.check(
      H5Pget_chunk(properties, Int32(shape.count), &extents), "its chunk shape cannot be read")
    guard rank == shape.count, !extents.contains(0) else {
      throw call.error(.corrupt, "its chunks do not have the \(shape.count) dimensions that its shape has")
    }
    let chunk = try integers(extents, call)
    let counts = zip(shape, chunk).map { extent, chunk in extent / chunk + (extent % chunk == 0 ? 0 : 1) }
    guard let count = checkedProduct(counts), count <= limits.chunks else {
      throw call.error(.limitExceeded, "it is cut into more than \(limits.chunks) chunks")
    }
    return chunk
  }

  /// `H5Pget_nfilters`, `H5Pget_filter2`
  private func filters(_ properties: hid_t, _ call: Call) throws(HDF5Error) -> [HDF5Filter] {
    let count = Int(try call.check(H5Pget_nfilters(properties), "its filters cannot be read"))
    guard count <= limits.filters else {
      throw call.error(.limitExceeded, "it has \(count) filters; at most \(limits.filters) are read")
    }
    var result: [HDF5Filter] = []
    for index in 0..<count {
      var flags: UInt32 = 0
      var valueCount = 8
      var values = [UInt32](repeating: 0, count: valueCount)
      var name = [CChar](repeating: 0, count: 64)
      let number = try call.check(
        H5Pget_filter2(properties, UInt32(index), &flags, &valueCount, &values, name.count, &name, nil),
        "its filters cannot be read")
      let filter: HDF5Filter
      switch number {
      case H5Z_FILTER_DEFLATE: filter = .deflate(level: Int(values[0]))
      case H5Z_FILTER_SHUFFLE: filter = .shuffle
      case H5Z_FILTER_FLETCHER32: filter = .fletcher32
      default:
        let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        throw call.error(
          .refused,
          "it is compressed by filter \(number)\(text.isEmpty ? "" : " (\(text))"); only deflate (gzip), "
            + "shuffle and fletcher32 are read")
      }
      guard !result.contains(where: { $0.number == filter.number }) else {
        throw call.error(.refused, "it has the same filter twice")
      }
      result.append(filter)
    }
    return result
  }

  /// The value of elements that were never written (`H5Pfill_value_defined`, `H5Pget_fill_value`); empty for zeros.
  private func fill(
    _ properties: hid_t, _ type: hid_t, _ width: Int, _ scalar: HDF5ScalarType, _ call: Call
  ) throws(HDF5Error) -> [UInt8] {
    guard let known = scalar.byteCount, known <= 1 << 16 else { return [] }
    var state = H5D_FILL_VALUE_UNDEFINED
    try call.check(H5Pfill_value_defined(properties, &state), "its fill value cannot be read")
    guard state == H5D_FILL_VALUE_USER_DEFINED else { return [] }
    var bytes = [UInt8](repeating: 0, count: width)
    try call.check(H5Pget_fill_value(properties, type, &bytes), "its fill value cannot be read")
    return bytes
  }
}
