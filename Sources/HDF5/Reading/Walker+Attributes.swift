import CHDF5

extension Walker {
  /// All attributes of an object, values included (`H5Aiterate2`).
  mutating func readAttributes(
    of id: hid_t, count: UInt64, byCreation: Bool, _ call: Call
  ) throws(HDF5Error) -> [HDF5Attribute] {
    guard count > 0 else { return [] }
    let list = NameList(room: limits.attributes - attributes)
    var position: hsize_t = 0
    let result = withExtendedLifetime(list) {
      H5Aiterate2(
        id, byCreation ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME, H5_ITER_INC, &position,
        { _, name, _, context in
          guard let name, let context else { return -1 }
          return Unmanaged<NameList>.fromOpaque(context).takeUnretainedValue().take(name)
        }, Unmanaged.passUnretained(list).toOpaque())
    }
    if list.refused != nil { throw call.error(.refused, "the name of one of its attributes is not UTF-8") }
    guard list.room >= 0 else {
      throw call.error(.limitExceeded, "the file holds more than \(limits.attributes) attributes")
    }
    try call.check(result, "its attributes cannot be read")
    attributes += list.names.count
    var values: [HDF5Attribute] = []
    for name in list.names { values.append(try attribute(id, name, call)) }
    return values
  }

  /// `H5Aopen`, then `H5Aread` of a value that is within the limits.
  private func attribute(_ owner: hid_t, _ name: String, _ call: Call) throws(HDF5Error) -> HDF5Attribute {
    let what = "its attribute \"\(name)\""
    let id = try call.handle(
      AttributeKind.self, H5Aopen(owner, name, chdf5_default()), "\(what) cannot be opened")
    let space = try call.handle(
      DataspaceKind.self, H5Aget_space(id.id), "\(what) has no readable shape")
    let shape = try self.shape(of: space.id, call)
    let typeHandle = try call.handle(
      DatatypeKind.self, H5Aget_type(id.id), "\(what) has no readable datatype")
    let type = try Datatype(typeHandle.id, call)
    let width = H5Tget_size(typeHandle.id)
    let stored = H5Aget_storage_size(id.id)
    guard let count = checkedProduct(shape), let bytes = checkedProduct([count, width]),
      bytes <= limits.attributeBytes, stored <= UInt64(limits.attributeBytes)
    else {
      throw call.error(
        .limitExceeded, "\(what) has \(stored) bytes; at most \(limits.attributeBytes) are read")
    }
    let value: HDF5Value
    switch type.scalar {
    case .unsupported(let name): value = .unsupported(name)
    case .opaque: value = .unsupported("opaque")
    case .string where count == 0: value = .strings([])
    case .string(nil, _):
      value = try variableStrings(id.id, typeHandle.id, space.id, count, "\(what) cannot be read", call)
    default:
      var raw = [UInt8](repeating: 0, count: bytes)
      if bytes > 0 { try call.check(H5Aread(id.id, typeHandle.id, &raw), "\(what) cannot be read") }
      value = HDF5Value(raw, count: count, type)
    }
    return HDF5Attribute(name: name, shape: shape, type: type.scalar, value: value)
  }

  /// libhdf5 allocates the strings; `H5Dvlen_reclaim` frees them.
  private func variableStrings(
    _ id: hid_t, _ type: hid_t, _ space: hid_t, _ count: Int, _ failed: String, _ call: Call
  ) throws(HDF5Error) -> HDF5Value {
    var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
    defer { _ = chdf5_reclaim(type, space, &pointers) }
    try call.check(H5Aread(id, type, &pointers), failed)
    do throws(HDF5Error) {
      return .strings(try call.texts(pointers) { _ in "" })
    } catch {
      return .unsupported("string that is not UTF-8")
    }
  }
}

extension HDF5Value {
  /// Decodes an attribute's raw bytes, without libhdf5's conversions.
  fileprivate init(_ raw: [UInt8], count: Int, _ type: Datatype) {
    var raw = raw
    if type.byteOrder == .bigEndian, let width = type.scalar.byteCount {
      raw.withUnsafeMutableBytes { ByteSwap.swap($0, width: width) }
    }
    func values<Word: BitwiseCopyable>(_ type: Word.Type) -> [Word] {
      raw.withUnsafeBytes { bytes in
        (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: type) }
      }
    }
    switch type.scalar {
    case .int8: self = .integers(values(Int8.self).map(Int64.init))
    case .int16: self = .integers(values(Int16.self).map(Int64.init))
    case .int32: self = .integers(values(Int32.self).map(Int64.init))
    case .int64: self = .integers(values(Int64.self))
    case .uint8: self = .integers(values(UInt8.self).map(Int64.init))
    case .uint16: self = .integers(values(UInt16.self).map(Int64.init))
    case .uint32: self = .integers(values(UInt32.self).map(Int64.init))
    case .uint64: self = .unsigned(values(UInt64.self))
    case .bool: self = .bools(raw.map { $0 != 0 })
    case .float16: self = .floats(values(UInt16.self).map(double(half:)))
    case .bfloat16: self = .floats(values(UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) })
    case .float32: self = .floats(values(UInt32.self).map { Double(Float(bitPattern: $0)) })
    case .float64: self = .floats(values(UInt64.self).map { Double(bitPattern: $0) })
    case .string(let length, _):
      let length = length ?? 0
      let texts = raw.withUnsafeBytes { bytes in
        (0..<count).map { index in
          type.padding.decode(UnsafeRawBufferPointer(rebasing: bytes[index * length..<(index + 1) * length]))
        }
      }
      let valid = texts.compactMap { $0 }
      self = valid.count == texts.count ? .strings(valid) : .unsupported("string that is not UTF-8")
    case .opaque: self = .unsupported("opaque")
    case .unsupported(let name): self = .unsupported(name)
    }
  }
}

/// Swift has no Float16 on Intel Macs.
private func double(half bits: UInt16) -> Double {
  let sign: Double = bits & 0x8000 == 0 ? 1 : -1
  let exponent = Int(bits >> 10 & 0x1F)
  let mantissa = Double(bits & 0x3FF)
  switch exponent {
  case 0: return sign * mantissa * 0x1p-24
  case 31: return mantissa == 0 ? sign * .infinity : .nan
  default: return Double(sign: .plus, exponent: exponent - 15, significand: sign * (1 + mantissa / 1024))
  }
}
