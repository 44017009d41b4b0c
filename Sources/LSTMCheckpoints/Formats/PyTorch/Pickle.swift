/// What a pickle describes, as inert values: nothing is imported, built or called.
///
/// Lists, dictionaries and whatever else has parts stand in one table and refer to each other by index, so that values
/// which hold themselves neither leak nor exhaust the stack.
struct Pickle {
  enum Value: Sendable, Equatable {
    case none
    case bool(Bool)
    case integer(Int)
    /// Beyond 64 bits: two's complement, lowest byte first.
    case long([UInt8])
    case float(Double)
    case text(String)
    case bytes([UInt8])
    case global(Global)
    /// An index of `nodes`.
    case node(Int)
  }

  enum Node: Sendable {
    case tuple([Value])
    case list([Value])
    case set([Value])
    case dictionary(Dictionary)
    case storage(Storage)
    /// A tensor of PyTorch's or an array of numpy's.
    case tensor(Tensor)
    /// A tensor whose values are not read, and why: a sparse or quantized one.
    case unread(String)
    /// A numpy type.
    case numberType(NumberType)
    /// An instance of a class that is not known here.
    case object(Object)
    /// Something harmless that nothing here uses, such as a device.
    case inert
  }

  /// In the order in which keys first appear, as in Python.
  struct Dictionary: Sendable {
    private(set) var pairs: [(key: Value, value: Value)] = []
    private var places: [String: Int] = [:]

    mutating func set(_ key: Value, _ value: Value) {
      guard case .text(let name) = key else {
        pairs.append((key, value))
        return
      }
      if let place = places[name] {
        pairs[place].value = value
      } else {
        places[name] = pairs.count
        pairs.append((key, value))
      }
    }

    subscript(key: String) -> Value? { places[key].map { pairs[$0].value } }
  }

  /// What a persistent id says of a storage.
  struct Storage: Sendable {
    let key: String
    /// nil for one that is counted in bytes.
    let type: ElementType?
    let count: Int
    /// The part of it that a legacy stream calls a storage of its own, in elements.
    var view: Range<Int>?
    /// Its bytes, where they are in the pickle itself.
    var held: PTStorage?

    var byteCount: Int? {
      let (bytes, overflow) = count.multipliedReportingOverflow(by: type?.byteCount ?? 1)
      return overflow ? nil : bytes
    }
  }

  struct Tensor: Sendable {
    let storage: Storage
    let type: ElementType
    /// In elements.
    let offset: Int
    let shape: [Int]
    let strides: [Int]
    /// nil where the file as a whole has an order.
    var isBigEndian: Bool?
  }

  /// An element type by PyTorch's name.
  struct ElementType: Sendable, Equatable {
    let name: String
    let byteCount: Int
    /// nil where a checkpoint here cannot hold it.
    let dataType: DataType?
  }

  /// numpy's dtype: kind and size, `f8`.
  struct NumberType: Sendable, Equatable {
    var code: String
    var isBigEndian = false
  }

  /// What a class would be given to make an instance of it. Nobody makes one.
  struct Object: Sendable {
    let type: Name
    /// What its class or a function was called with.
    var arguments: Value
    /// What it would restore its attributes from.
    var state: Value?
    /// What it holds when it is a kind of dictionary or list.
    var items = Dictionary()
    var elements: [Value] = []
  }

  /// A class or function by module and name.
  struct Name: Sendable, Equatable {
    let module: String
    let name: String

    /// As people write it: without the modules that are an affair of its library.
    var text: String {
      if module.hasPrefix("torch.nn.modules.") { return "torch.nn." + name }
      let path = module.split(separator: ".").filter { !$0.hasPrefix("_") || $0 == "__main__" }
      return (path.map(String.init) + [name]).joined(separator: ".")
    }

    /// Both in full.
    var full: String { module + "." + name }
  }

  let nodes: [Node]
  let root: Value

  func node(_ value: Value) -> Node? {
    if case .node(let index) = value { nodes[index] } else { nil }
  }

  func items(_ value: Value) -> [Value]? {
    switch node(value) {
    case .tuple(let items), .list(let items): items
    default: nil
    }
  }

  func dictionary(_ value: Value) -> Dictionary? {
    if case .dictionary(let found) = node(value) { found } else { nil }
  }

  /// The attributes of an object, by name. With slots the state is a pair; the first one is the usual.
  func attributes(_ object: Object) -> Dictionary? {
    guard let state = object.state else { return nil }
    if let plain = dictionary(state) { return plain }
    guard case .tuple(let both) = node(state), both.count == 2 else { return nil }
    return dictionary(both[0]) ?? dictionary(both[1])
  }
}

extension Pickle.ElementType {
  private static let table: [(type: String, storage: String?, byteCount: Int, dataType: DataType?)] = [
    ("float32", "FloatStorage", 4, .float32), ("float64", "DoubleStorage", 8, .float64),
    ("float16", "HalfStorage", 2, .float16), ("bfloat16", "BFloat16Storage", 2, .bfloat16),
    ("int64", "LongStorage", 8, .int64), ("int32", "IntStorage", 4, .int32), ("int16", "ShortStorage", 2, .int16),
    ("int8", "CharStorage", 1, .int8), ("uint8", "ByteStorage", 1, .uint8), ("bool", "BoolStorage", 1, .bool),
    ("uint16", nil, 2, .uint16), ("uint32", nil, 4, .uint32), ("uint64", nil, 8, .uint64),
    ("complex32", nil, 4, nil), ("complex64", "ComplexFloatStorage", 8, nil),
    ("complex128", "ComplexDoubleStorage", 16, nil), ("float8_e4m3fn", nil, 1, nil), ("float8_e5m2", nil, 1, nil),
    ("float8_e4m3fnuz", nil, 1, nil), ("float8_e5m2fnuz", nil, 1, nil), ("float8_e8m0fnu", nil, 1, nil),
    ("float4_e2m1fn_x2", nil, 1, nil),
    ("qint8", "QInt8Storage", 1, nil), ("quint8", "QUInt8Storage", 1, nil), ("qint32", "QInt32Storage", 4, nil),
    ("quint4x2", "QUInt4x2Storage", 1, nil), ("quint2x4", "QUInt2x4Storage", 1, nil),
    ("bits1x8", nil, 1, nil), ("bits2x4", nil, 1, nil), ("bits4x2", nil, 1, nil), ("bits8", nil, 1, nil),
    ("bits16", nil, 2, nil),
  ]

  static let types = Dictionary(
    uniqueKeysWithValues: table.map { ($0.type, Self(name: $0.type, byteCount: $0.byteCount, dataType: $0.dataType)) })
  static let storages = Dictionary(
    uniqueKeysWithValues: table.compactMap { row in row.storage.flatMap { name in types[row.type].map { (name, $0) } } }
  )
  /// The name of the storage of a type; nil for those that PyTorch keeps as untyped bytes.
  static let storageNames = Dictionary(
    uniqueKeysWithValues: table.compactMap { row in row.dataType.map { ($0, row.storage) } })
}

extension Pickle.NumberType {
  private static let names: [String: String] = [
    "f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64",
    "u1": "uint8", "u2": "uint16", "u4": "uint32", "u8": "uint64", "b1": "bool", "bfloat16": "bfloat16",
  ]

  /// nil for what has no place in a checkpoint: texts, dates, objects, complex numbers.
  var elementType: Pickle.ElementType? { Self.names[code].flatMap { Pickle.ElementType.types[$0] } }
}

extension Pickle.Value {
  /// As a part of a name.
  var keyText: String {
    switch self {
    case .text(let text): text
    case .integer(let number): String(number)
    default: "?"
    }
  }
}
