import FileIO

/// The functions that rebuild PyTorch's tensors, and what describes their storages.
extension PickleMachine {
  /// - Parameter arguments: storage, offset, shape, strides, and from version 2 requires_grad and hooks; version 3 adds the
  ///   type of the elements.
  func tensor(_ version: Pickle.Global, _ arguments: [Value]) throws(PTError) -> Pickle.Tensor {
    guard arguments.count >= 4, case .storage(let storage) = node(arguments[0]),
      case .integer(let offset) = arguments[1]
    else { throw malformed("the storage and offset of a tensor") }
    var type = storage.type
    if version == .rebuildTensorV3, arguments.count >= 7, case .global(.dataType(let given)) = arguments[6] {
      type = given
    }
    guard let type else { throw malformed("the type of a tensor's elements") }
    return Pickle.Tensor(
      storage: storage, type: type, offset: offset, shape: try integers(arguments[2]),
      strides: try integers(arguments[3]))
  }

  func integers(_ value: Value) throws(PTError) -> [Int] {
    guard let items = tuple(value) else { throw malformed("a tensor's shape and strides") }
    guard items.count <= Self.rankLimit else { throw tooMuch("dimensions of a tensor", Self.rankLimit) }
    var result: [Int] = []
    for item in items {
      guard case .integer(let number) = item else { throw malformed("whole numbers for a shape or strides") }
      result.append(number)
    }
    return result
  }

  /// A parameter, or a tensor that another device held: the first argument as it is.
  /// - Parameter isConverted: whether the second argument is a type that it is brought to.
  mutating func pushTensor(_ arguments: [Value], isConverted: Bool) throws(PTError) {
    guard let first = arguments.first else { throw malformed("the tensor of a parameter") }
    switch node(first) {
    case .tensor(let tensor):
      if isConverted, arguments.count > 1, case .global(.dataType(let type)) = arguments[1], type != tensor.type {
        push(.unread("it is stored as \(tensor.type.name) and used as \(type.name)"))
      } else {
        stack.append(first)
      }
    case .unread: stack.append(first)
    // A tensor of an unknown subclass: a packed or quantized weight.
    case .object(let object): push(.unread("it is a \(object.type.text)"))
    default: throw malformed("the tensor of a parameter")
    }
  }

  /// `_rebuild_from_type_v2(function, class, arguments, state)`: a tensor with attributes, or of a subclass.
  mutating func rebuildFromType(_ arguments: [Value]) throws(PTError) {
    guard arguments.count >= 3, let inner = tuple(arguments[2]), case .global(let function) = arguments[0] else {
      throw malformed("a tensor to rebuild")
    }
    switch function {
    case .rebuildTensor, .rebuildTensorV2, .rebuildTensorV3: push(.tensor(try tensor(function, inner)))
    case .rebuildParameter: try pushTensor(inner, isConverted: false)
    case .rebuildFromCPU: try pushTensor(inner, isConverted: true)
    case .rebuildUnread(let what): push(.unread("it is " + what + Self.detail(of: what, storageType(inner.first))))
    case .other(let name): push(.unread("it is what \(name.text) makes"))
    default: throw malformed("a tensor to rebuild")
    }
  }

  /// A tensor or parameter from before PyTorch 0.4: the class, completed from its parts.
  func tensor(_ object: Pickle.Object, _ state: Value) throws(PTError) -> Pickle.Node? {
    guard case .tensorClass = Pickle.Global(module: object.type.module, name: object.type.name),
      let parts = tuple(state)
    else { return nil }
    if parts.count == 4 { return .tensor(try tensor(.rebuildTensor, parts)) }
    if let first = parts.first, case .tensor(let tensor) = node(first) { return .tensor(tensor) }
    throw malformed("the parts of a tensor")
  }

  func storageType(_ value: Value?) -> Pickle.ElementType? {
    if let value, case .storage(let storage) = node(value) { storage.type } else { nil }
  }

  static func detail(of what: String, _ type: Pickle.ElementType?) -> String {
    type.map { " (\($0.name))" } ?? ""
  }

  // MARK: - Storages

  /// What a persistent id stands for: a storage, and in a legacy stream also a module's class, beside its source code.
  mutating func pushPersistent(_ id: Value) throws(PTError) {
    if let parts = tuple(id), parts.first == .text("module"), parts.count >= 2, case .global = parts[1] {
      stack.append(parts[1])
    } else {
      push(.storage(try storage(id)))
    }
  }

  /// - Parameter id: `('storage', type, key, location, count)`, and in a legacy stream `(key, offset, count)` of a view.
  private func storage(_ id: Value) throws(PTError) -> Pickle.Storage {
    guard let parts = tuple(id), 5...6 ~= parts.count, parts[0] == .text("storage"),
      case .global(.storage(let type)) = parts[1], case .text(let key) = parts[2], case .integer(let count) = parts[4],
      count >= 0
    else { throw malformed("what describes a storage") }
    var storage = Pickle.Storage(key: key, type: type, count: count)
    if parts.count == 6, parts[5] != .none {
      guard let view = tuple(parts[5]), view.count == 3, case .integer(let start) = view[1],
        case .integer(let length) = view[2], start >= 0, length >= 0, start <= count, length <= count - start
      else { throw malformed("a view inside its storage") }
      storage.view = start..<start + length
    }
    return storage
  }

  /// `torch.storage._load_from_bytes`, which Python's own pickle writes: the bytes are a stream of `torch.save` that holds
  /// one storage.
  mutating func heldStorage(_ arguments: [Value]) throws(PTError) -> Pickle.Storage {
    guard arguments.count == 1, case .bytes(let bytes) = arguments[0] else { throw malformed("the bytes of a storage") }
    guard !isNested else { throw malformed("a storage that holds its own bytes") }
    guard nestedByteCount < Self.nestedByteLimit else { throw tooMuch("bytes about storages", Self.nestedByteLimit) }
    let stream = try LegacyStream(.memory(bytes), file: input.file, isNested: true)
    guard let stream, case .storage(var storage) = stream.pickle.node(stream.pickle.root),
      let held = stream.storages[storage.key]
    else { throw malformed("the bytes of a storage") }
    nestedByteCount += max(stream.pickleByteCount, Self.nestedByteMinimum)
    storage.held = held
    return storage
  }
}
