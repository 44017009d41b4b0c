#if HDF5Writing
  import CHDF5

  /// Writes the attributes of one object (`H5Acreate2`, `H5Awrite`).
  struct AttributeWriter {
    let call: Call

    func write(_ attributes: [HDF5Document.Attribute], on id: hid_t) throws(HDF5Error) {
      for attribute in attributes { try write(attribute, on: id) }
    }

    private func write(_ attribute: HDF5Document.Attribute, on id: hid_t) throws(HDF5Error) {
      let shape = attribute.isScalar ? [] : [attribute.value.count]
      switch attribute.value {
      case .strings(let values):
        try withCStrings(values) { pointers throws(HDF5Error) in
          try write(attribute, .string(length: nil, utf8: true), shape, pointers, on: id)
        }
      case .integers(let values): try write(attribute, .int64, shape, values.map(\.littleEndian), on: id)
      case .unsigned(let values): try write(attribute, .uint64, shape, values.map(\.littleEndian), on: id)
      case .floats(let values): try write(attribute, .float64, shape, values.map(\.bitPattern.littleEndian), on: id)
      case .bools(let values): try write(attribute, .bool, shape, values.map { $0 ? 1 : 0 as Int8 }, on: id)
      case .unsupported(let name): throw call.error(.invalid, "an attribute of type \(name) cannot be written")
      }
    }

    private func write<Element: BitwiseCopyable>(
      _ attribute: HDF5Document.Attribute, _ scalar: HDF5ScalarType, _ shape: [Int], _ values: [Element],
      on id: hid_t
    ) throws(HDF5Error) {
      let failed = "its attribute \"\(attribute.name)\" cannot be written"
      let type = try Datatype.make(scalar, .littleEndian, call)
      let space = try dataspace(shape, call)
      let properties = try call.handle(
        PropertyListKind.self, H5Pcreate(chdf5_class_attribute_create()), failed, .io)
      try call.check(H5Pset_char_encoding(properties.id, H5T_CSET_UTF8), failed, .io)
      let created = try call.handle(
        AttributeKind.self, H5Acreate2(id, attribute.name, type.id, space.id, properties.id, chdf5_default()), failed,
        .io)
      if !values.isEmpty { try call.check(H5Awrite(created.id, type.id, values), failed, .io) }
    }
  }

  /// `H5Screate`, `H5Screate_simple`
  func dataspace(_ shape: [Int], _ call: Call) throws(HDF5Error) -> Handle<DataspaceKind> {
    let id =
      shape.isEmpty ? H5Screate(H5S_SCALAR) : H5Screate_simple(Int32(shape.count), shape.map { hsize_t($0) }, nil)
    return try call.handle(DataspaceKind.self, id, "its shape cannot be written", .io)
  }

  /// Calls `body` with pointers to NUL-terminated copies of the strings.
  func withCStrings(
    _ strings: [String], _ body: ([UnsafePointer<CChar>?]) throws(HDF5Error) -> Void
  ) throws(HDF5Error) {
    // In one block: allocating each of many thousands of words would take longer than writing them.
    var bytes: [CChar] = []
    var starts: [Int] = []
    bytes.reserveCapacity(strings.reduce(0) { $0 + $1.utf8.count + 1 })
    for string in strings {
      starts.append(bytes.count)
      bytes.append(contentsOf: string.utf8.lazy.map { CChar(bitPattern: $0) })
      bytes.append(0)
    }
    try bytes.withUnsafeBufferPointer { buffer throws(HDF5Error) in
      try body(starts.map { start in buffer.baseAddress.map { $0 + start } })
    }
  }
#endif
