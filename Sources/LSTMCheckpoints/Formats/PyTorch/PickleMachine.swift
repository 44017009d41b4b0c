/// Runs the instructions of a pickle (protocols 2 to 5) that `torch.save` writes, within limits, and builds inert values.
///
/// A name that is not in `Pickle.Global` ends it, however it comes; so does any instruction that would change something
/// else than a list or a dictionary.
struct PickleMachine {
  /// A tensor takes about thirty.
  static let instructionLimit = 4_000_000
  static let memoLimit = 1_000_000
  static let stackLimit = 1_000_000
  static let rankLimit = 32

  private typealias Value = Pickle.Value

  private var input: PickleInput
  private var nodes: [Pickle.Node] = []
  private var stack: [Value] = []
  private var marks: [Int] = []
  private var memo: [Int: Value] = [:]
  /// Where the instruction being run is, for errors.
  private var offset = 0

  /// Reads one pickle, after which `input` stands behind it.
  static func run(_ input: inout PickleInput) throws(PTError) -> Pickle {
    var machine = PickleMachine(input: input)
    let root = try machine.run()
    input = machine.input
    return Pickle(nodes: machine.nodes, root: root)
  }

  private init(input: PickleInput) { self.input = input }

  private mutating func run() throws(PTError) -> Value {
    for _ in 0..<Self.instructionLimit {
      offset = input.position
      let code = try input.byte()
      if code == UInt8(ascii: ".") { return try pop() }
      var isKnown = try runStack(code)
      if !isKnown { isKnown = try runNumber(code) }
      if !isKnown { isKnown = try runText(code) }
      if !isKnown { isKnown = try runContainer(code) }
      if !isKnown { isKnown = try runMemo(code) }
      if !isKnown { isKnown = try runObject(code) }
      guard isKnown else { throw PTError(.opcode(code, offset: offset), file: input.file) }
      guard stack.count <= Self.stackLimit, marks.count <= Self.stackLimit else {
        throw tooMuch("values on its stack", Self.stackLimit)
      }
    }
    throw tooMuch("instructions", Self.instructionLimit)
  }

  // MARK: - The stack

  private func malformed(_ expected: String) -> PTError {
    PTError(.malformed(expected: expected, offset: offset), file: input.file)
  }

  private func tooMuch(_ what: String, _ limit: Int) -> PTError {
    PTError(.tooMuch(what, limit: limit), file: input.file)
  }

  /// Values below the last mark are out of reach.
  private mutating func pop() throws(PTError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw malformed("a value on the stack") }
    return value
  }

  private mutating func popMark() throws(PTError) -> [Value] {
    guard let mark = marks.popLast() else { throw malformed("a mark on the stack") }
    let items = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return items
  }

  private mutating func pop(_ count: Int) throws(PTError) -> [Value] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("\(count) values on the stack") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    return items
  }

  private func top() throws(PTError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw malformed("a value on the stack") }
    return value
  }

  private mutating func push(_ node: Pickle.Node) {
    stack.append(.node(nodes.count))
    nodes.append(node)
  }

  // MARK: - Instructions

  private mutating func runStack(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "\u{80}":
      guard try input.byte() <= 5 else { throw malformed("a protocol up to 5") }
    // A frame only says how much to read ahead.
    case "\u{95}": _ = try input.unsigned(8)
    case "(": marks.append(stack.count)
    case "0":
      if marks.last == stack.count { marks.removeLast() } else { _ = try pop() }
    case "1": _ = try popMark()
    case "2": stack.append(try top())
    case "N": stack.append(.none)
    case "\u{88}": stack.append(.bool(true))
    case "\u{89}": stack.append(.bool(false))
    default: return false
    }
    return true
  }

  private mutating func runNumber(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "J": stack.append(.integer(Int(Int32(truncatingIfNeeded: try input.unsigned(4)))))
    case "K": stack.append(.integer(try input.unsigned(1)))
    case "M": stack.append(.integer(try input.unsigned(2)))
    case "\u{8a}": stack.append(try integer(byteCount: input.unsigned(1)))
    case "\u{8b}": stack.append(try integer(byteCount: input.unsigned(4)))
    case "G":
      let bits = try input.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.float(Double(bitPattern: bits)))
    default: return false
    }
    return true
  }

  private mutating func integer(byteCount: Int) throws(PTError) -> Value {
    let bytes = try input.bytes(byteCount)
    guard bytes.count <= 8 else { return .long(bytes) }
    let sign: UInt64 = (bytes.last ?? 0) & 0x80 != 0 && bytes.count < 8 ? ~0 << UInt64(8 * bytes.count) : 0
    let value = bytes.enumerated().reduce(sign) { $0 | UInt64($1.element) << UInt64(8 * $1.offset) }
    return .integer(Int(Int64(bitPattern: value)))
  }

  private mutating func runText(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "X": stack.append(.text(try input.text(input.unsigned(4))))
    case "\u{8c}": stack.append(.text(try input.text(input.unsigned(1))))
    case "\u{8d}": stack.append(.text(try input.text(input.unsigned(8))))
    // Python 2's own strings are bytes that were mostly text.
    case "T": stack.append(try oldText(input.unsigned(4)))
    case "U": stack.append(try oldText(input.unsigned(1)))
    case "B": stack.append(.bytes(try input.bytes(input.unsigned(4))))
    case "C": stack.append(.bytes(try input.bytes(input.unsigned(1))))
    case "\u{8e}", "\u{96}": stack.append(.bytes(try input.bytes(input.unsigned(8))))
    default: return false
    }
    return true
  }

  private mutating func oldText(_ count: Int) throws(PTError) -> Value {
    let bytes = try input.bytes(count)
    let text = String(decoding: bytes, as: UTF8.self)
    return text.utf8.elementsEqual(bytes) ? .text(text) : .bytes(bytes)
  }

  private mutating func runContainer(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case ")": push(.tuple([]))
    case "t": push(.tuple(try popMark()))
    case "\u{85}": push(.tuple(try pop(1)))
    case "\u{86}": push(.tuple(try pop(2)))
    case "\u{87}": push(.tuple(try pop(3)))
    case "]": push(.list([]))
    case "l": push(.list(try popMark()))
    case "}": push(.dictionary(.init()))
    case "d":
      let items = try popMark()
      push(.dictionary(.init()))
      try set(items)
    case "\u{8f}": push(.set([]))
    case "\u{91}": push(.set(try popMark()))
    case "a": try append([pop()])
    case "e": try append(popMark())
    case "\u{90}": try append(popMark(), toSet: true)
    case "s": try set(pop(2))
    case "u": try set(popMark())
    default: return false
    }
    return true
  }

  private mutating func append(_ items: [Value], toSet: Bool = false) throws(PTError) {
    guard case .node(let index) = try top() else { throw malformed("a list to append to") }
    switch nodes[index] {
    // The table lets go of the array first, which would be copied otherwise.
    case .list(var held) where !toSet:
      nodes[index] = .inert
      held += items
      nodes[index] = .list(held)
    case .set(var held) where toSet:
      nodes[index] = .inert
      held += items
      nodes[index] = .set(held)
    default: throw malformed(toSet ? "a set to add to" : "a list to append to")
    }
  }

  /// Keys and values in turn; only a dictionary takes them.
  private mutating func set(_ items: [Value]) throws(PTError) {
    guard items.count.isMultiple(of: 2) else { throw malformed("a value for each key") }
    guard case .node(let index) = try top(), case .dictionary(var held) = nodes[index] else {
      throw malformed("a dictionary to set items of")
    }
    nodes[index] = .inert
    for at in stride(from: 0, to: items.count, by: 2) { held.set(items[at], items[at + 1]) }
    nodes[index] = .dictionary(held)
  }

  private mutating func runMemo(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "h": try recall(input.unsigned(1))
    case "j": try recall(input.unsigned(4))
    case "q": try remember(input.unsigned(1))
    case "r": try remember(input.unsigned(4))
    case "\u{94}": try remember(memo.count)
    default: return false
    }
    return true
  }

  private mutating func recall(_ index: Int) throws(PTError) {
    guard let value = memo[index] else { throw malformed("a value remembered as number \(index)") }
    stack.append(value)
  }

  private mutating func remember(_ index: Int) throws(PTError) {
    memo[index] = try top()
    guard memo.count <= Self.memoLimit else { throw tooMuch("remembered values", Self.memoLimit) }
  }

  // MARK: - Objects

  private mutating func runObject(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    case "c": stack.append(.global(try global(input.line(), input.line())))
    case "i": throw refused(try input.line(), try input.line())
    case "\u{93}":
      let names = try pop(2)
      guard case .text(let module) = names[0], case .text(let name) = names[1] else {
        throw malformed("the name of an object")
      }
      stack.append(.global(try global(module, name)))
    case "R":
      let both = try pop(2)
      try call(both[0], arguments: both[1])
    case "\u{81}":
      let both = try pop(2)
      guard both[0] == .global(.orderedDictionary) else { throw malformed("an OrderedDict to make") }
      try call(both[0], arguments: both[1])
    case "b":
      // What else an OrderedDict has: the versions of the modules, which nothing here needs.
      _ = try pop()
      guard case .node(let index) = try top(), case .dictionary = nodes[index] else {
        throw malformed("an OrderedDict to complete")
      }
    case "Q": push(.storage(try storage(try pop())))
    default: return false
    }
    return true
  }

  private func refused(_ module: String, _ name: String) -> PTError {
    PTError(.global(module + "." + name), file: input.file)
  }

  private func global(_ module: String, _ name: String) throws(PTError) -> Pickle.Global {
    guard let known = Pickle.Global(module: module, name: name) else { throw refused(module, name) }
    return known
  }

  private func tuple(_ value: Value) -> [Value]? {
    if case .node(let index) = value, case .tuple(let items) = nodes[index] { items } else { nil }
  }

  private mutating func call(_ callee: Value, arguments: Value) throws(PTError) {
    guard case .global(let global) = callee, let arguments = tuple(arguments) else {
      throw malformed("a function and its arguments")
    }
    switch global {
    case .orderedDictionary:
      push(.dictionary(.init()))
      guard let first = arguments.first else { return }
      // Python 2 passed the pairs as a list.
      guard arguments.count == 1, case .node(let index) = first, case .list(let pairs) = nodes[index] else {
        throw malformed("the pairs of an OrderedDict")
      }
      var items: [Value] = []
      for pair in pairs {
        guard case .node(let index) = pair else { throw malformed("the pairs of an OrderedDict") }
        switch nodes[index] {
        case .list(let both) where both.count == 2, .tuple(let both) where both.count == 2: items += both
        default: throw malformed("the pairs of an OrderedDict")
        }
      }
      try set(items)
    case .size:
      guard arguments.count == 1, case .node(let index) = arguments[0] else { throw malformed("a shape") }
      switch nodes[index] {
      case .tuple(let items), .list(let items): push(.tuple(items))
      default: throw malformed("a shape")
      }
    case .device: push(.inert)
    case .rebuildParameter:
      guard let first = arguments.first, case .node(let index) = first, case .tensor = nodes[index] else {
        throw malformed("the tensor of a parameter")
      }
      stack.append(first)
    case .rebuildTensor, .rebuildTensorV2, .rebuildTensorV3:
      push(.tensor(try tensor(global, arguments)))
    case .storage, .dataType: throw malformed("a function that torch.save calls")
    }
  }

  /// - Parameter arguments: storage, offset, shape, strides, and from version 2 requires_grad and hooks; version 3 adds the
  ///   type of the elements.
  private func tensor(_ version: Pickle.Global, _ arguments: [Value]) throws(PTError) -> Pickle.Tensor {
    guard arguments.count >= 4, case .node(let index) = arguments[0], case .storage(let storage) = nodes[index],
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

  private func integers(_ value: Value) throws(PTError) -> [Int] {
    guard let items = tuple(value) else { throw malformed("a tensor's shape and strides") }
    guard items.count <= Self.rankLimit else { throw tooMuch("dimensions of a tensor", Self.rankLimit) }
    var result: [Int] = []
    for item in items {
      guard case .integer(let number) = item else { throw malformed("whole numbers for a shape or strides") }
      result.append(number)
    }
    return result
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
}
