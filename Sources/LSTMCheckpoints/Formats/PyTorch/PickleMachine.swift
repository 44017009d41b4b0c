/// Runs the instructions of a pickle (protocols 2 to 5), within limits, and builds inert values.
///
/// A class that is not known stays a name with what it would be given. A name that only means harm ends it, however it
/// comes; so does any instruction that would change what cannot be changed.
struct PickleMachine {
  /// A tensor takes about thirty.
  static let instructionLimit = 4_000_000
  static let memoLimit = 1_000_000
  static let stackLimit = 1_000_000
  static let rankLimit = 32
  /// The pickles of a storage that Python's own pickle keeps take some 400 bytes.
  static let nestedByteLimit = 32 << 20
  static let nestedByteMinimum = 400

  typealias Value = Pickle.Value

  var input: PickleInput
  var nodes: [Pickle.Node] = []
  var stack: [Value] = []
  private var marks: [Int] = []
  private var memo: [Int: Value] = [:]
  /// Where the instruction being run is, for errors.
  var offset = 0
  /// Whether this is a pickle in the bytes of another one.
  let isNested: Bool
  /// Bytes of such pickles that were read.
  var nestedByteCount = 0
  /// Bytes that calls have made; a value may be remembered and given to many of them.
  private var madeByteCount = 0

  /// Reads one pickle, after which `input` stands behind it.
  static func run(_ input: inout PickleInput, isNested: Bool = false) throws(PTError) -> Pickle {
    var machine = PickleMachine(input: input, isNested: isNested)
    let root = try machine.run()
    input = machine.input
    return Pickle(nodes: machine.nodes, root: root)
  }

  private mutating func run() throws(PTError) -> Value {
    for _ in 0..<Self.instructionLimit {
      offset = input.position
      let code = try input.byte()
      if code == UInt8(ascii: ".") { return try pop() }
      guard try run(code) else { throw PTError(.opcode(code, offset: offset), file: input.file) }
      guard stack.count <= Self.stackLimit, marks.count <= Self.stackLimit else {
        throw tooMuch("values on its stack", Self.stackLimit)
      }
    }
    throw tooMuch("instructions", Self.instructionLimit)
  }

  // MARK: - The stack

  func malformed(_ expected: String) -> PTError {
    PTError(.malformed(expected: expected, offset: offset), file: input.file)
  }

  func tooMuch(_ what: String, _ limit: Int) -> PTError {
    PTError(.tooMuch(what, limit: limit), file: input.file)
  }

  /// Says that a call makes so many bytes, before it does.
  mutating func willMake(_ count: Int) throws(PTError) {
    let limit = max(2 * PickleInput.byteLimit, input.sourceByteCount)
    madeByteCount += count
    guard madeByteCount <= limit else { throw tooMuch("bytes made of others", limit) }
  }

  /// Values below the last mark are out of reach.
  mutating func pop() throws(PTError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else { throw malformed("a value on the stack") }
    return value
  }

  mutating func popMark() throws(PTError) -> [Value] {
    guard let mark = marks.popLast() else { throw malformed("a mark on the stack") }
    let items = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return items
  }

  mutating func pop(_ count: Int) throws(PTError) -> [Value] {
    guard stack.count - (marks.last ?? 0) >= count else { throw malformed("\(count) values on the stack") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    return items
  }

  func top() throws(PTError) -> Value {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw malformed("a value on the stack") }
    return value
  }

  mutating func push(_ node: Pickle.Node) {
    stack.append(.node(nodes.count))
    nodes.append(node)
  }

  // MARK: - Instructions

  /// - Returns: false for an instruction that `torch.save` does not write.
  private mutating func run(_ code: UInt8) throws(PTError) -> Bool {
    switch Character(UnicodeScalar(code)) {
    // The stack and the file.
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
    // Numbers.
    case "J": stack.append(.integer(Int(Int32(truncatingIfNeeded: try input.unsigned(4)))))
    case "K": stack.append(.integer(try input.unsigned(1)))
    case "M": stack.append(.integer(try input.unsigned(2)))
    case "\u{8a}": stack.append(try integer(byteCount: input.unsigned(1)))
    case "\u{8b}": stack.append(try integer(byteCount: input.unsigned(4)))
    case "G":
      let bits = try input.bytes(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      stack.append(.float(Double(bitPattern: bits)))
    // Texts and bytes.
    case "X": stack.append(.text(try input.text(input.unsigned(4))))
    case "\u{8c}": stack.append(.text(try input.text(input.unsigned(1))))
    case "\u{8d}": stack.append(.text(try input.text(input.unsigned(8))))
    // Python 2's own strings are bytes that were mostly text.
    case "T": stack.append(try oldText(input.unsigned(4)))
    case "U": stack.append(try oldText(input.unsigned(1)))
    case "B": stack.append(.bytes(try input.bytes(input.unsigned(4))))
    case "C": stack.append(.bytes(try input.bytes(input.unsigned(1))))
    case "\u{8e}", "\u{96}": stack.append(.bytes(try input.bytes(input.unsigned(8))))
    // Containers.
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
    // Values to come back to.
    case "h": try recall(input.unsigned(1))
    case "j": try recall(input.unsigned(4))
    case "q": try remember(input.unsigned(1))
    case "r": try remember(input.unsigned(4))
    case "\u{94}": try remember(memo.count)
    default: return try runObject(code)
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

  private mutating func oldText(_ count: Int) throws(PTError) -> Value {
    let bytes = try input.bytes(count)
    let text = String(decoding: bytes, as: UTF8.self)
    return text.utf8.elementsEqual(bytes) ? .text(text) : .bytes(bytes)
  }

  private mutating func append(_ items: [Value], toSet: Bool = false) throws(PTError) {
    guard case .node(let index) = try top() else { throw malformed("a list to append to") }
    switch nodes[index] {
    // The table lets go of the array first, which would be copied otherwise.
    case .list(var held) where !toSet:
      nodes[index] = .inert
      held += items
      nodes[index] = .list(held)
    case .object(var object) where !toSet:
      nodes[index] = .inert
      object.elements += items
      nodes[index] = .object(object)
    case .set(var held) where toSet:
      nodes[index] = .inert
      held += items
      nodes[index] = .set(held)
    default: throw malformed(toSet ? "a set to add to" : "a list to append to")
    }
  }

  /// Keys and values in turn; only a dictionary takes them, or what may be a kind of one.
  mutating func set(_ items: [Value]) throws(PTError) {
    guard items.count.isMultiple(of: 2) else { throw malformed("a value for each key") }
    guard case .node(let index) = try top() else { throw malformed("a dictionary to set items of") }
    func set(in held: inout Pickle.Dictionary) {
      for at in stride(from: 0, to: items.count, by: 2) { held.set(items[at], items[at + 1]) }
    }
    switch nodes[index] {
    case .dictionary(var held):
      nodes[index] = .inert
      set(in: &held)
      nodes[index] = .dictionary(held)
    case .object(var object):
      nodes[index] = .inert
      set(in: &object.items)
      nodes[index] = .object(object)
    default: throw malformed("a dictionary to set items of")
    }
  }

  private mutating func recall(_ index: Int) throws(PTError) {
    guard let value = memo[index] else { throw malformed("a value remembered as number \(index)") }
    stack.append(value)
  }

  private mutating func remember(_ index: Int) throws(PTError) {
    memo[index] = try top()
    guard memo.count <= Self.memoLimit else { throw tooMuch("remembered values", Self.memoLimit) }
  }
}
