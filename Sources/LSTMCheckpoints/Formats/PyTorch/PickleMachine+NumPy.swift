import FileIO

/// numpy's arrays and numbers: an array's bytes are in the pickle itself.
extension PickleMachine {
  mutating func callNumPy(_ global: Pickle.Global, _ arguments: [Value]) throws(PTError) {
    switch global {
    case .numberType:
      switch arguments.first {
      case .text(let code): push(.numberType(.init(code: code)))
      case .global(.namedNumberType(let type)): push(.numberType(type))
      // Of a class: a structure, an object.
      default: push(.numberType(.init(code: "?")))
      }
    case .reconstructArray:
      // The array itself comes with the state.
      guard case .global(.other(let name)) = arguments.first else { throw malformed("the class of an array") }
      push(.tuple(arguments))
      let given = try pop()
      push(.object(.init(type: name, arguments: given)))
    case .arrayFromBuffer:
      guard arguments.count >= 4, case .bytes(let bytes) = arguments[0], let type = numberType(arguments[1]),
        case .text(let order) = arguments[3]
      else { throw malformed("the parts of an array") }
      push(try array(bytes, type, shape: try integers(arguments[2]), isFortranOrder: order == "F"))
    case .numberScalar:
      guard arguments.count >= 2, let type = numberType(arguments[0]) else { throw malformed("a number of numpy's") }
      stack.append(try number(arguments[1], type))
    default: throw malformed("a function of numpy's")
    }
  }

  func numberType(_ value: Value) -> Pickle.NumberType? {
    if case .numberType(let type) = node(value) { type } else { nil }
  }

  /// `(version, order, ...)`
  func completed(_ type: Pickle.NumberType, _ state: Value) throws(PTError) -> Pickle.NumberType {
    guard let parts = tuple(state), parts.count >= 2, case .text(let order) = parts[1], "<>=|".contains(order) else {
      throw malformed("the byte order of a numpy type")
    }
    var type = type
    type.isBigEndian = order == ">"
    return type
  }

  /// From `(version, shape, type, is Fortran's order, bytes)`; an array of objects has a list of them.
  mutating func array(_ state: Value) throws(PTError) -> Pickle.Node {
    guard let parts = tuple(state), parts.count == 5, let type = numberType(parts[2]),
      case .bool(let isFortranOrder) = parts[3]
    else { throw malformed("the parts of an array") }
    let shape = try integers(parts[1])
    switch parts[4] {
    case .bytes(let bytes): return try array(bytes, type, shape: shape, isFortranOrder: isFortranOrder)
    case .text(let text):
      // Python 2 kept bytes as text.
      try willMake(text.utf8.count)
      return try array(Array(text.utf8), type, shape: shape, isFortranOrder: isFortranOrder)
    case .node(let index):
      guard case .list(let items) = nodes[index] else { throw malformed("the parts of an array") }
      return .list(items)
    default: throw malformed("the parts of an array")
    }
  }

  private func array(
    _ bytes: [UInt8], _ type: Pickle.NumberType, shape: [Int], isFortranOrder: Bool
  ) throws(PTError) -> Pickle.Node {
    guard let element = type.elementType else { return .unread("it is an array of numpy's type \(type.code)") }
    guard shape.allSatisfy({ $0 >= 0 }), let count = elementCount(shape + [element.byteCount]), count == bytes.count
    else { throw malformed("\(shapeText(shape)) elements of an array") }
    var strides = [Int](repeating: 1, count: shape.count)
    // With an axis of 0 the others may be anything; nothing is read then.
    let order = isFortranOrder ? Array(shape.indices) : shape.indices.reversed()
    for (axis, next) in zip(order, order.dropFirst()) { strides[next] = strides[axis] &* max(shape[axis], 1) }
    let run = FileRun(source: .memory(bytes), offset: 0, byteCount: bytes.count, file: input.file)
    let storage = Pickle.Storage(
      key: "", type: element, count: bytes.count / element.byteCount, held: PTStorage(.run(run), file: input.file))
    return .tensor(
      .init(storage: storage, type: element, offset: 0, shape: shape, strides: strides, isBigEndian: type.isBigEndian))
  }

  private mutating func number(_ content: Value, _ type: Pickle.NumberType) throws(PTError) -> Value {
    guard let element = type.elementType?.dataType, case .bytes(var bytes) = content else {
      push(.inert)
      return try pop()
    }
    guard bytes.count == element.byteCount else { throw malformed("\(element.byteCount) bytes of a number") }
    if type.isBigEndian { bytes.reverse() }
    let value = ElementConversion.doubles(bytes, element)[0]
    if element == .bool { return .bool(value != 0) }
    if !element.isFloatingPoint, let whole = Int(exactly: value) { return .integer(whole) }
    return .float(value)
  }
}

extension Pickle.Name {
  /// Whether its instances are numpy's arrays, with the state of one.
  var isArray: Bool {
    (module == "numpy" && ["ndarray", "matrix", "recarray"].contains(name)) || full == "numpy.memmap"
  }
}
