extension Walker {
  /// Describes a dataset after checking that it is safe to read. Its data is not read.
  func dataset(_ header: ObjectHeader, name: String, path: String) throws(Damage) -> HDF5Dataset {
    guard let layout = header.first(.layout), let typeMessage = header.first(.datatype),
      let spaceMessage = header.first(.dataspace)
    else { throw Damage("its storage layout is missing") }
    let place = try DataPlace(layout: try shared.body(of: layout))
    if let external = header.first(.externalFiles) {
      var body = external.body
      try body.skip(6)
      let count = try body.small(2)
      throw Damage(.refused, "its data is in \(count) external file(s), which are not opened")
    }
    let space = try DataspaceMessage(try shared.body(of: spaceMessage), rankLimit: limits.rank)
    let type = try DatatypeMessage(try shared.body(of: typeMessage))
    let filters = try header.first(.filters).map { message throws(Damage) in
      try FilterMessage.all(try shared.body(of: message), limit: limits.filters)
    }
    let fill = try self.fill(header, type)
    guard let elements = checkedProduct(space.shape), let byteCount = checkedProduct([elements, type.byteCount]) else {
      throw Damage(.limitExceeded, "its shape \(space.shape) of \(type.scalar) is too large for any file")
    }
    var result = HDF5Dataset(
      name: name, path: path, shape: space.shape, type: type.scalar, byteOrder: type.byteOrder, storage: .compact,
      elementCount: elements, byteCount: byteCount, attributes: [], file: file, place: place,
      greatestShape: space.greatest, filterMessages: filters ?? [], fill: fill, padding: type.padding)
    result.storage = try storage(result, type)
    if byteCount > limits.unexplainedBytes {
      let stored = try result.storedByteCount(bytes)
      if byteCount / limits.ratio > stored {
        throw Damage(
          .limitExceeded,
          "its shape \(space.shape) of \(type.scalar) means \(byteCount) bytes, but only \(stored) are stored")
      }
    }
    let attributes = try readAttributes(header, of: path)
    (result.attributes, result.unreadableAttributes) = (attributes.values, attributes.unreadable)
    return result
  }

  private func storage(_ dataset: HDF5Dataset, _ type: DatatypeMessage) throws(Damage) -> HDF5Dataset.Storage {
    switch dataset.place {
    case .compact(let data):
      guard data.count == dataset.byteCount else {
        throw Damage("its header has \(data.count) bytes of data, its shape means \(dataset.byteCount)")
      }
      return .compact
    case .contiguous(nil, _): return .contiguous(offset: nil)
    case .contiguous(let address?, let stored):
      if dataset.byteCount == 0 { return .contiguous(offset: nil) }
      guard stored ?? dataset.byteCount >= dataset.byteCount else {
        throw Damage("it has room for \(stored ?? 0) bytes of data, its shape means \(dataset.byteCount)")
      }
      return .contiguous(
        offset: try bytes.offset(of: address, count: dataset.byteCount, "its data"))
    case .chunked(let chunked):
      let shape = dataset.shape
      guard chunked.chunkShape.count == shape.count else {
        throw Damage("its chunks do not have the \(shape.count) dimensions that its shape has")
      }
      guard chunked.width == type.byteCount else {
        throw Damage("its chunks have elements of \(chunked.width) bytes, its datatype of \(type.byteCount)")
      }
      let counts = zip(shape, chunked.chunkShape).map { $0 / $1 + ($0 % $1 == 0 ? 0 : 1) }
      guard let count = checkedProduct(counts), count <= limits.chunks else {
        throw Damage(.limitExceeded, "it is cut into more than \(limits.chunks) chunks")
      }
      return .chunked(chunkShape: chunked.chunkShape, filters: dataset.filterMessages.map(HDF5Filter.init))
    }
  }

  /// The value of elements that were never written; empty for zeros.
  private func fill(_ header: ObjectHeader, _ type: DatatypeMessage) throws(Damage) -> [UInt8] {
    guard let known = type.scalar.byteCount, known <= 1 << 16 else { return [] }
    let value: [UInt8]
    if let message = header.first(.fill) {
      value = try FillMessage.value(try shared.body(of: message))
    } else if let message = header.first(.oldFill) {
      value = try FillMessage.oldValue(try shared.body(of: message))
    } else {
      value = []
    }
    guard value.isEmpty || value.count == type.byteCount else {
      throw Damage("its fill value has \(value.count) bytes, its datatype \(type.byteCount)")
    }
    return value
  }
}

extension HDF5Dataset {
  /// Bytes that the data occupies in the file.
  func storedByteCount(_ bytes: FileBytes) throws(Damage) -> Int {
    switch place {
    case .compact(let data): data.count
    case .contiguous(nil, _): 0
    case .contiguous(_, let stored): stored ?? byteCount
    case .chunked(let chunked): try chunkTable(chunked, bytes).byteCount
    }
  }

  func chunkTable(_ chunked: ChunkedPlace, _ bytes: FileBytes) throws(Damage) -> ChunkTable {
    try ChunkCollector.table(
      bytes, chunked, shape: shape, greatest: greatestShape, isFiltered: !filterMessages.isEmpty)
  }
}
