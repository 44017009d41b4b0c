#if HDF5Writing
  import CHDF5
  import FileIO

  /// How libhdf5's datatypes are copied: numbers as the nearest of the usual types, which hold every value.
  enum LibraryType {
    private static let failed = "its datatype cannot be read"

    static func scalar(of type: hid_t, _ call: Call) throws(HDF5Error) -> HDF5ScalarType {
      let size = Int(H5Tget_size(type))
      switch H5Tget_class(type) {
      case H5T_INTEGER: return try integer(size, isSigned: H5Tget_sign(type) == H5T_SGN_2, call)
      case H5T_ENUM:
        let base = try call.handle(DatatypeKind.self, H5Tget_super(type), failed, .corrupt)
        if size == 1, isBoolean(type) { return .bool }
        return try integer(size, isSigned: H5Tget_sign(base.id) == H5T_SGN_2, call)
      case H5T_FLOAT: return float(type, size)
      case H5T_STRING:
        let isUTF8 = H5Tget_cset(type) == H5T_CSET_UTF8
        if H5Tis_variable_str(type) > 0 { return .string(length: nil, utf8: isUTF8) }
        guard size > 0, size <= 1 << 20 else { throw call.error(.unsupported, "it has texts of \(size) bytes") }
        return .string(length: size, utf8: isUTF8)
      case H5T_OPAQUE where size > 0 && size <= 1 << 16: return .opaque(length: size)
      default: throw call.error(.unsupported, "its datatype is of a class that is not read")
      }
    }

    private static func integer(_ size: Int, isSigned: Bool, _ call: Call) throws(HDF5Error) -> HDF5ScalarType {
      switch size {
      case 1: return isSigned ? .int8 : .uint8
      case 2: return isSigned ? .int16 : .uint16
      case 3...4: return isSigned ? .int32 : .uint32
      case 5...8: return isSigned ? .int64 : .uint64
      default: throw call.error(.unsupported, "it has integers of \(size) bytes")
      }
    }

    private static func float(_ type: hid_t, _ size: Int) -> HDF5ScalarType {
      var fields = (sign: 0, exponent: 0, exponentSize: 0, mantissa: 0, mantissaSize: 0)
      H5Tget_fields(
        type, &fields.sign, &fields.exponent, &fields.exponentSize, &fields.mantissa, &fields.mantissaSize)
      let found = FloatFields(
        sign: fields.sign, exponent: fields.exponent, exponentSize: fields.exponentSize, mantissa: fields.mantissa,
        mantissaSize: fields.mantissaSize, bias: Int(H5Tget_ebias(type)))
      if H5Tget_norm(type) == H5T_NORM_IMPLIED, let known = FloatFields.type(of: found, size: size) { return known }
      return fields.exponentSize <= 8 && fields.mantissaSize <= 23 ? .float32 : .float64
    }

    private static func isBoolean(_ type: hid_t) -> Bool {
      guard H5Tget_nmembers(type) == 2 else { return false }
      return ["FALSE", "TRUE"].enumerated().allSatisfy { index, name in
        var value: Int8 = -1
        return H5Tenum_valueof(type, name, &value) >= 0 && value == index
      }
    }

    /// The type into which libhdf5 is to read: little-endian, or the file's own where nothing is to be converted.
    static func memory(
      of scalar: HDF5ScalarType, _ type: hid_t, _ call: Call
    ) throws(HDF5Error) -> Handle<DatatypeKind> {
      switch H5Tget_class(type) {
      case H5T_INTEGER, H5T_FLOAT: return try Datatype.make(scalar, .littleEndian, call)
      default: return try call.handle(DatatypeKind.self, H5Tcopy(type), failed, .corrupt)
      }
    }

    /// Makes what was read in the file's own type what ``memory(of:_:_:)`` would have liked.
    static func finish(_ bytes: UnsafeMutableRawBufferPointer, _ scalar: HDF5ScalarType, _ type: hid_t) {
      switch H5Tget_class(type) {
      case H5T_ENUM:
        if H5Tget_order(type) == H5T_ORDER_BE, let width = scalar.byteCount { ByteSwap.swap(bytes, width: width) }
      case H5T_STRING:
        let (width, padding) = (Int(H5Tget_size(type)), H5Tget_strpad(type))
        guard width > 0, padding != H5T_STR_NULLPAD else { return }
        for start in stride(from: 0, to: bytes.count - width + 1, by: width) {
          let text = UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + width])
          let count =
            padding == H5T_STR_NULLTERM
            ? text.firstIndex(of: 0) ?? width : (text.lastIndex { $0 != UInt8(ascii: " ") } ?? -1) + 1
          for index in count..<width { text[index] = 0 }
        }
      default: break
      }
    }

    static func texts(
      _ type: hid_t, _ space: hid_t, _ count: Int, _ call: Call, _ read: (UnsafeMutableRawPointer) -> herr_t
    ) throws(HDF5Error) -> [String] {
      guard count > 0 else { return [] }
      var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
      defer { _ = chdf5_reclaim(type, space, &pointers) }
      let status = pointers.withUnsafeMutableBytes { $0.baseAddress.map(read) ?? -1 }
      try call.check(status, "its texts cannot be read", .corrupt)
      var texts: [String] = []
      for pointer in pointers {
        guard let pointer else {
          texts.append("")
          continue
        }
        guard let text = String(validatingCString: pointer) else { throw call.error(.corrupt, "its text is not UTF-8") }
        texts.append(text)
      }
      return texts
    }
  }

  /// An attribute as libhdf5 reads it.
  enum LibraryAttribute {
    static func read(
      _ id: hid_t, _ call: Call, _ limits: HDF5Limits
    ) throws(HDF5Error) -> (name: String, value: HDF5Value, isScalar: Bool) {
      let length = H5Aget_name(id, 0, nil)
      guard length > 0, length < 1 << 16 else { throw call.error(.refused, "the name of an attribute is not usable") }
      var raw = [CChar](repeating: 0, count: length + 1)
      H5Aget_name(id, raw.count, &raw)
      let name = String(validatingCString: raw.map { $0 } + [0])
      guard let name else { throw call.error(.refused, "the name of one of its attributes is not UTF-8") }
      let failed = "its attribute \"\(name)\" cannot be read"
      let space = try call.handle(DataspaceKind.self, H5Aget_space(id), failed, .corrupt)
      let type = try call.handle(DatatypeKind.self, H5Aget_type(id), failed, .corrupt)
      let shape = try LibraryDataset.shape(space.id, call)
      let count = checkedProduct(shape)
      guard let count, let bytes = checkedProduct([count, Int(H5Tget_size(type.id))]), bytes <= limits.attributeBytes
      else { throw call.error(.refused, "its attribute \"\(name)\" is too large") }
      func values<Word: FixedWidthInteger>(_ memory: hid_t, _ zero: Word) throws(HDF5Error) -> [Word] {
        var words = [Word](repeating: zero, count: count)
        if count > 0 { try call.check(H5Aread(id, memory, &words), failed, .corrupt) }
        return words.map { Word(littleEndian: $0) }
      }
      let scalar: HDF5ScalarType
      do throws(HDF5Error) {
        scalar = try LibraryType.scalar(of: type.id, call)
      } catch {
        throw call.error(error.kind, "its attribute \"\(name)\": \(error.detail)")
      }
      let value: HDF5Value
      switch scalar {
      case .string(nil, _):
        value = .strings(try LibraryType.texts(type.id, space.id, count, call) { H5Aread(id, type.id, $0) })
      case .string(let width?, _):
        var bytes = [UInt8](repeating: 0, count: max(1, count * width))
        if count > 0 { try call.check(H5Aread(id, type.id, &bytes), failed, .corrupt) }
        bytes.withUnsafeMutableBytes { LibraryType.finish($0, scalar, type.id) }
        value = .strings(
          (0..<count).map { String(decoding: bytes[$0 * width..<($0 + 1) * width].prefix { $0 != 0 }, as: UTF8.self) })
      case .bool:
        value = .bools(try values(type.id, 0 as UInt8).map { $0 != 0 })
      case .uint64 where H5Tget_class(type.id) == H5T_INTEGER:
        value = .unsigned(try values(chdf5_type_u64(), 0 as UInt64))
      case .opaque, .unsupported: throw call.error(.unsupported, "its attribute \"\(name)\" is of type \(scalar)")
      default:
        if scalar.isFloatingPoint {
          value = .floats(try values(chdf5_type_f64(), 0 as UInt64).map { Double(bitPattern: $0) })
        } else {
          value = .integers(try values(chdf5_type_i64(), 0 as Int64))
        }
      }
      return (name, value, shape.isEmpty)
    }
  }
#endif
