/// Names, and what a pickle does with them: it calls them, makes instances, restores their attributes. Here a few of them
/// become values and everything else stays what was said of it.
extension PickleMachine {
  mutating func runObject(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "c": stack.append(.global(try global(input.line(), input.line())))
    case "i":
      let callee = try global(input.line(), input.line())
      push(.tuple(try popMark()))
      try call(.global(callee), arguments: pop())
    case "o":
      let items = try popMark()
      guard let callee = items.first else { throw malformed("a class to make an instance of") }
      push(.tuple(Array(items.dropFirst())))
      try call(callee, arguments: pop())
    case "\u{93}":
      let names = try pop(2)
      guard case .text(let module) = names[0], case .text(let name) = names[1] else {
        throw malformed("the name of an object")
      }
      stack.append(.global(try global(module, name)))
    case "R", "\u{81}":
      let both = try pop(2)
      try call(both[0], arguments: both[1])
    case "\u{92}":
      // Arguments with names come as a dictionary; a class that is known takes none.
      let parts = try pop(3)
      try call(parts[0], arguments: parts[1])
    case "b":
      let state = try pop()
      try build(from: state)
    case "Q": try pushPersistent(pop())
    default: return false
    }
    return true
  }

  private func global(_ module: String, _ name: String) throws(PTError) -> Pickle.Global {
    let full = Pickle.Name(module: module, name: name)
    if full.isHarmful { throw PTError(.global(full.full), file: input.file) }
    return Pickle.Global(module: module, name: name)
  }

  func node(_ value: Value) -> Pickle.Node? { if case .node(let index) = value { nodes[index] } else { nil } }

  func tuple(_ value: Value) -> [Value]? { if case .tuple(let items) = node(value) { items } else { nil } }

  /// What a list, a tuple or a set holds.
  private func elements(_ value: Value) -> [Value]? {
    switch node(value) {
    case .tuple(let items), .list(let items), .set(let items): items
    default: nil
    }
  }

  // MARK: - Calls

  private mutating func call(_ callee: Value, arguments: Value) throws(PTError) {
    guard let given = tuple(arguments) else { throw malformed("a function and its arguments") }
    switch callee {
    case .global(let global): try call(global, given, arguments)
    case .node(let index):
      // What a call gave is called: a method, a partial function.
      guard case .object(let object) = nodes[index] else { throw malformed("a function and its arguments") }
      push(.object(.init(type: object.type, arguments: arguments)))
    default: throw malformed("a function and its arguments")
    }
  }

  private mutating func call(_ global: Pickle.Global, _ arguments: [Value], _ all: Value) throws(PTError) {
    switch global {
    case .dictionary(let name): try makeDictionary(name, arguments)
    case .list: push(.list(arguments.first.flatMap(elements) ?? []))
    case .tuple: push(.tuple(arguments.first.flatMap(elements) ?? []))
    case .set: push(.set(arguments.first.flatMap(elements) ?? []))
    case .bytes, .encode: stack.append(try bytes(global, arguments))
    case .size:
      guard arguments.count == 1, let items = elements(arguments[0]) else { throw malformed("a shape") }
      push(.tuple(items))
    case .device: push(.inert)
    case .rebuildParameter, .rebuildFromCPU:
      try pushTensor(arguments, isConverted: global == .rebuildFromCPU)
    case .rebuildTensor, .rebuildTensorV2, .rebuildTensorV3:
      push(.tensor(try tensor(global, arguments)))
    case .rebuildUnread(let what): push(.unread("it is " + what + Self.detail(of: what, storageType(arguments.first))))
    case .rebuildFromType: try rebuildFromType(arguments)
    case .loadFromBytes: push(.storage(try heldStorage(arguments)))
    case .tensorClass(let name):
      if let first = arguments.first, case .tensor = node(first) {
        stack.append(first)
      } else {
        push(.object(.init(type: name, arguments: all)))
      }
    case .reconstructArray, .arrayFromBuffer, .numberScalar, .numberType: try callNumPy(global, arguments)
    case .reconstructObject:
      guard case .global(.other(let name)) = arguments.first else {
        throw malformed("the class of an object to restore")
      }
      push(.object(.init(type: name, arguments: all)))
    case .attribute:
      // A method of an object, or a constant of a class; both are harmless where nothing runs. Of anything else, or
      // of what only Python itself reads, it is the first step to running code.
      guard arguments.count == 2, case .text(let name) = arguments[1], !name.hasPrefix("_") || name == "__new__",
        isClassOrObject(arguments[0])
      else { throw PTError(.global("builtins.getattr"), file: input.file) }
      push(.object(.init(type: .init(module: "builtins", name: "getattr"), arguments: all)))
    case .other(let name):
      if name.module.hasPrefix("joblib.") { throw PTError(.joblib, file: input.file) }
      push(.object(.init(type: name, arguments: all)))
    case .storage, .dataType, .namedNumberType: push(.inert)
    }
  }

  private func isClassOrObject(_ value: Value) -> Bool {
    switch value {
    case .global(.other(let name)): name.module != "builtins"
    case .node(let index): if case .object = nodes[index] { true } else { false }
    default: false
    }
  }

  /// About what a key and its value take in a dictionary.
  private static let pairByteCount = 200

  /// From nothing, from a dictionary, or from pairs in a list; a `defaultdict` is made from what makes its values.
  private mutating func makeDictionary(_ name: Pickle.Name, _ arguments: [Value]) throws(PTError) {
    push(.dictionary(.init()))
    let content = name.name == "defaultdict" ? arguments.dropFirst().first : arguments.first
    guard let content else { return }
    if case .dictionary(let held) = node(content) {
      try willMake(held.pairs.count * Self.pairByteCount)
      return try set(held.pairs.flatMap { [$0.key, $0.value] })
    }
    // Python 2 passed the pairs as a list.
    guard case .list(let pairs) = node(content) else { throw malformed("the pairs of an OrderedDict") }
    var items: [Value] = []
    try willMake(pairs.count * Self.pairByteCount)
    for pair in pairs {
      guard let both = elements(pair), both.count == 2 else { throw malformed("the pairs of an OrderedDict") }
      items += both
    }
    try set(items)
  }

  /// `_codecs.encode(text, 'latin1')` is how protocol 2 writes bytes.
  private mutating func bytes(_ global: Pickle.Global, _ arguments: [Value]) throws(PTError) -> Value {
    switch arguments.first {
    case nil where global == .bytes: return .bytes([])
    case .bytes(let bytes): return .bytes(bytes)
    case .text(let text):
      try willMake(text.utf8.count)
      if arguments.count > 1, case .text(let encoding) = arguments[1],
        ["latin1", "latin-1", "iso-8859-1"].contains(encoding.lowercased())
      {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
          guard let byte = UInt8(exactly: scalar.value) else { throw malformed("a text that stands for bytes") }
          bytes.append(byte)
        }
        return .bytes(bytes)
      }
      return .bytes(Array(text.utf8))
    default: throw malformed("a text that stands for bytes")
    }
  }

  // MARK: - Attributes

  /// BUILD: the state is what an object's attributes are restored from.
  private mutating func build(from state: Value) throws(PTError) {
    guard case .node(let index) = try top() else { throw malformed("an object to complete") }
    switch nodes[index] {
    // What else an OrderedDict has: the versions of the modules, which nothing here needs.
    case .dictionary, .set, .inert: break
    case .numberType(let type): nodes[index] = .numberType(try completed(type, state))
    case .object(var object):
      if object.type.isArray {
        nodes[index] = try array(state)
      } else if let tensor = try tensor(object, state) {
        nodes[index] = tensor
      } else {
        object.state = state
        nodes[index] = .object(object)
      }
    default: throw malformed("an object to complete")
    }
  }
}
