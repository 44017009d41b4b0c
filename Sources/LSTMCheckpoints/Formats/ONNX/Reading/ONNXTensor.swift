import FileIO

/// A TensorProto: where its elements lie, which are read when asked for.
struct ONNXTensor: Sendable {
  var name: String
  let shape: [Int]
  let dataType: DataType
  let elements: Elements

  enum Elements: Sendable {
    /// `raw_data`, or typed data packed in one piece, which has the same bytes.
    case range(Range<Int>)
    /// Typed data otherwise: the whole message, to be gone through again.
    case typed(field: UInt64, message: Range<Int>)
    /// In another file.
    case external(location: String, offset: Int, count: Int?)
  }

  static let rankLimit = 32

  /// The field of TensorProto that holds elements of a type when they are not raw, and the width of those that are
  /// not varints.
  private static func field(of type: DataType) -> (number: UInt64, width: Int?) {
    switch type {
    case .float32: (ONNXField.Tensor.floats, 4)
    case .float64: (ONNXField.Tensor.doubles, 8)
    case .int64: (ONNXField.Tensor.int64s, nil)
    case .uint32, .uint64: (ONNXField.Tensor.uint64s, nil)
    case .float16, .bfloat16, .int8, .int16, .int32, .uint8, .uint16, .bool: (ONNXField.Tensor.int32s, nil)
    }
  }

  /// A tensor of a type that is not read.
  struct Unreadable: Error {
    let name: String
    let typeCode: UInt64
  }

  /// - Throws: `ProtobufReader.Failure`.
  /// - Returns: a tensor of a kind that is not read is a failure of its own.
  static func read(_ message: ProtobufReader) throws(ProtobufReader.Failure) -> Result<ONNXTensor, Unreadable> {
    var reader = message
    var (name, typeCode, isExternal) = ("", UInt64(0), false)
    var shape: [Int] = []
    var raw: Range<Int>?
    // What each field of typed data holds: how many elements, and where, when that is one packed piece.
    var typed: [UInt64: (count: Int, pieces: Int, range: Range<Int>)] = [:]
    var external: [String: String] = [:]
    while let field = try reader.next() {
      switch field.number {
      case ONNXField.Tensor.dimensions:
        var dimensions = shape
        try reader.numbers(field) { number throws(ProtobufReader.Failure) in
          // An axis of more elements than any file has bytes only goes with one of none.
          guard dimensions.count < rankLimit, let size = Int(exactly: number), size <= 1 << 40 else {
            throw ProtobufReader.Failure("a tensor has more than \(rankLimit) dimensions, or one out of all bounds")
          }
          dimensions.append(size)
        }
        shape = dimensions
      case ONNXField.Tensor.dataType:
        try reader.expect(.varint, field)
        typeCode = try reader.varint()
      case ONNXField.Tensor.name:
        try reader.expect(.bytes, field)
        name = try reader.text()
      case ONNXField.Tensor.rawData:
        try reader.expect(.bytes, field)
        raw = try reader.range()
      case ONNXField.Tensor.floats, ONNXField.Tensor.int32s, ONNXField.Tensor.int64s, ONNXField.Tensor.doubles,
        ONNXField.Tensor.uint64s:
        let width = field.number == ONNXField.Tensor.floats ? 4 : field.number == ONNXField.Tensor.doubles ? 8 : nil
        let earlier = typed[field.number] ?? (0, 0, 0..<0)
        var (count, range) = (0, reader.position..<reader.position)
        if let width, field.wire == .bytes {
          range = try reader.range()
          guard range.count % width == 0 else { throw ProtobufReader.Failure("a tensor's elements are cut off") }
          count = range.count / width
        } else {
          try reader.numbers(field, width: width) { _ in count += 1 }
        }
        typed[field.number] = (earlier.count + count, earlier.pieces + 1, range)
      case ONNXField.Tensor.externalData:
        try reader.expect(.bytes, field)
        var entry = try reader.message()
        let (key, value) = try ONNXModel.entry(&entry)
        guard external.count < 16 else { throw ProtobufReader.Failure("a tensor's external data has too many entries") }
        external[key] = value
      case ONNXField.Tensor.dataLocation:
        try reader.expect(.varint, field)
        isExternal = try reader.varint() == 1
      default: try reader.skip(field)
      }
    }
    guard let type = ONNXTypeCode.type(typeCode) else { return .failure(Unreadable(name: name, typeCode: typeCode)) }
    func failure(_ detail: String) -> ProtobufReader.Failure { .init("tensor \"\(name)\": \(detail)") }
    // Graphs take shapes apart: also of one without values, all other sizes together fit an `Int`.
    guard let byteCount = LSTMCheckpoints.elementCount(shape + [type.byteCount]),
      LSTMCheckpoints.elementCount(shape.filter { $0 != 0 } + [type.byteCount]) != nil
    else {
      throw failure("the shape's size overflows")
    }
    let count = byteCount / type.byteCount
    let elements: Elements
    if isExternal || !external.isEmpty {
      guard let location = external["location"] else { throw failure("its external data has no location") }
      guard let offset = Int(external["offset"] ?? "0"), offset >= 0,
        (external["length"].map { Int($0) == byteCount } ?? true)
      else { throw failure("the offset or the length of its external data is not what shape and type call for") }
      elements = .external(location: location, offset: offset, count: external["length"].flatMap { Int($0) })
    } else if let raw {
      guard raw.count == byteCount else {
        throw failure("expected \(byteCount) bytes for shape \(shapeText(shape)) of \(type), found \(raw.count)")
      }
      elements = .range(raw)
    } else {
      let (number, width) = Self.field(of: type)
      let found = typed[number] ?? (0, 0, 0..<0)
      guard found.count == count else {
        throw failure("expected \(count) elements for shape \(shapeText(shape)), found \(found.count)")
      }
      let isPlain = width != nil && found.pieces == 1 && found.range.count == byteCount
      elements = isPlain ? .range(found.range) : .typed(field: number, message: message.position..<message.end)
    }
    return .success(ONNXTensor(name: name, shape: shape, dataType: type, elements: elements))
  }

  /// - Parameter source: the file; for external data, that one.
  func stored(in source: ByteSource, file: String) -> StoredTensor {
    switch elements {
    case .range(let range): stored(FileRun(source: source, offset: range.lowerBound, byteCount: byteCount, file: file))
    case .external(_, let offset, _):
      // Whoever opened that file has checked the range against it.
      stored(FileRun(source: source, offset: offset, byteCount: byteCount, file: file))
    case .typed(let field, let message):
      StoredTensor(name: name, shape: shape, dataType: dataType) { [self] in
        do throws(ProtobufReader.Failure) {
          return try typedBytes(ProtobufReader(source).over(message), field)
        } catch {
          throw error.checkpointError(file)
        }
      }
    }
  }

  var byteCount: Int { LSTMCheckpoints.elementCount(shape + [dataType.byteCount]) ?? .max }
  var elementCount: Int { LSTMCheckpoints.elementCount(shape) ?? .max }

  private func stored(_ run: FileRun) -> StoredTensor {
    StoredTensor(name: name, shape: shape, dataType: dataType, isBigEndian: false, source: FileTensor(run: run))
  }

  private func typedBytes(_ message: ProtobufReader, _ number: UInt64) throws(ProtobufReader.Failure) -> [UInt8] {
    var reader = message
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    let width = Self.field(of: dataType).width
    while let field = try reader.next() {
      guard field.number == number else {
        try reader.skip(field)
        continue
      }
      try reader.numbers(field, width: width) { value in
        // A narrow type is kept in a wider number, of which the lowest bytes count.
        for index in 0..<dataType.byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
      }
    }
    return bytes
  }
}

extension ProtobufReader.Failure {
  func checkpointError(_ file: String) -> CheckpointError {
    if let reason, reason != .truncated { return .unreadable(file: file, reason: reason) }
    return .unknownFormat(
      file: file, detail: "is not a whole ONNX model: \(detail)",
      advice: ["it may be cut short: fetch or copy it again"])
  }
}
