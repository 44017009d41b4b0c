extension Walker {
  /// An object's attributes, values included.
  struct Attributes {
    var values: [HDF5Attribute] = []
    /// Those that cannot be read, with the reasons.
    var unreadable: [HDF5Error] = []
  }

  /// Attributes that are damaged, foreign or beyond a limit keep neither their object nor the others from being read.
  func readAttributes(_ header: ObjectHeader, of path: String) throws(Damage) -> Attributes {
    let found = try AttributeList(header, bytes, shared, limits, room: limits.attributes - attributes)
    attributes += found.messages.count + found.damages.count
    let call = Call(file: file.path, object: path)
    var result = Attributes(unreadable: found.damages.map(call.error))
    for message in found.messages {
      do throws(Damage) {
        result.values.append(try attribute(message))
      } catch {
        if error.endsWalk { throw error }
        result.unreadable.append(call.error(error))
      }
    }
    return result
  }

  private func attribute(_ message: AttributeMessage) throws(Damage) -> HDF5Attribute {
    guard let name = message.rawName.withUnsafeBytes(strictUTF8) else {
      throw Damage(.refused, "the name of one of its attributes is not UTF-8")
    }
    let what = "its attribute \"\(name)\""
    let (type, shape) = (message.type, message.space.shape)
    guard let count = checkedProduct(shape), let byteCount = checkedProduct([count, type.byteCount]),
      byteCount <= limits.attributeBytes
    else {
      throw Damage(
        .limitExceeded, "\(what) of shape \(shape) has more than the \(limits.attributeBytes) bytes that are read")
    }
    var data = message.data
    let value: HDF5Value
    switch type.scalar {
    case .unsupported(let name): value = .unsupported(name)
    case .opaque: value = .unsupported("opaque")
    case .string where count == 0: value = .strings([])
    default:
      guard byteCount <= data.left else {
        throw Damage("\(what) has \(data.left) bytes, its shape means \(byteCount)")
      }
      if case .string(nil, _) = type.scalar {
        let texts = try texts.texts(&data, count: count, limit: limits.attributeBytes, "the texts of \(what)")
        let valid = texts.compactMap { $0 }
        value = valid.count == texts.count ? .strings(valid) : .unsupported("string that is not UTF-8")
      } else {
        value = HDF5Value(Array(try data.take(byteCount)), count: count, type)
      }
    }
    return HDF5Attribute(name: name, shape: shape, type: type.scalar, value: value)
  }
}

extension HDF5Value {
  /// Decodes the raw bytes of an attribute.
  fileprivate init(_ raw: [UInt8], count: Int, _ type: DatatypeMessage) {
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
    case .float8e4m3, .float8e5m2: self = .unsupported(type.scalar.description)
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
