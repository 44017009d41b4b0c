#if HDF5Writing
  import CHDF5

  /// The datatypes that are written.
  enum Datatype {
    static func make(
      _ scalar: HDF5ScalarType, _ order: HDF5ByteOrder, _ call: Call
    ) throws(HDF5Error) -> Handle<DatatypeKind> {
      let failed = "its datatype cannot be created"
      let base: hid_t
      switch scalar {
      case .float8e4m3, .float8e5m2, .float16, .bfloat16, .float32: base = chdf5_type_f32()
      case .float64: base = chdf5_type_f64()
      case .int8, .bool: base = chdf5_type_i8()
      case .int16: base = chdf5_type_i16()
      case .int32: base = chdf5_type_i32()
      case .int64: base = chdf5_type_i64()
      case .uint8: base = chdf5_type_u8()
      case .uint16: base = chdf5_type_u16()
      case .uint32: base = chdf5_type_u32()
      case .uint64: base = chdf5_type_u64()
      case .string: base = chdf5_type_c_string()
      case .opaque(let length):
        guard length > 0 else { throw call.error(.invalid, "opaque elements of no bytes cannot be written") }
        return try call.handle(DatatypeKind.self, H5Tcreate(H5T_OPAQUE, length), failed, .io)
      case .unsupported(let name): throw call.error(.invalid, "a dataset of type \(name) cannot be written")
      }
      if scalar == .bool {
        let type = try call.handle(DatatypeKind.self, H5Tenum_create(base), failed, .io)
        for (index, name) in ["FALSE", "TRUE"].enumerated() {
          var value = Int8(index)
          try call.check(H5Tenum_insert(type.id, name, &value), failed, .io)
        }
        return type
      }
      let type = try call.handle(DatatypeKind.self, H5Tcopy(base), failed, .io)
      if case .string(let length, let isUTF8) = scalar {
        guard length != 0 else { throw call.error(.invalid, "strings of length 0 cannot be written") }
        try call.check(H5Tset_size(type.id, length ?? chdf5_variable()), failed, .io)
        try call.check(H5Tset_cset(type.id, isUTF8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII), failed, .io)
        try call.check(H5Tset_strpad(type.id, length == nil ? H5T_STR_NULLTERM : H5T_STR_NULLPAD), failed, .io)
        return type
      }
      if scalar.isFloatingPoint, scalar != .float32, scalar != .float64,
        let known = FloatFields.known.first(where: { $0.0 == scalar })
      {
        let fields = known.2
        try call.check(
          H5Tset_fields(
            type.id, fields.sign, fields.exponent, fields.exponentSize, fields.mantissa, fields.mantissaSize),
          failed, .io)
        try call.check(H5Tset_size(type.id, known.size), failed, .io)
        try call.check(H5Tset_ebias(type.id, fields.bias), failed, .io)
      }
      if order == .bigEndian { try call.check(H5Tset_order(type.id, H5T_ORDER_BE), failed, .io) }
      return type
    }
  }
#endif
