import FileIO

/// What `torch.save` wrote before 1.6: a stream of pickles - magic number, protocol, system, object, keys of storages -
/// and then the storages, each a count of elements in eight bytes and its elements. These are little-endian on every
/// machine, whatever the system's pickle says.
struct LegacyStream {
  let pickle: Pickle
  let storages: [String: PTStorage]
  /// What the pickles take.
  let pickleByteCount: Int

  /// What the pickles may take when they are about one storage.
  private static let nestedByteLimit = 1 << 14
  /// 0x1950a86a20f9469cfc6c
  private static let magicNumber: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

  /// nil when its first pickle is no magic number.
  /// - Parameters:
  ///   - first: what that pickle is, when it was read, and where it ends.
  ///   - isNested: whether these are bytes in another pickle.
  init?(
    _ source: ByteSource, file: String, first: (pickle: Pickle, end: Int)? = nil, isNested: Bool = false
  ) throws(PTError) {
    var input = PickleInput(
      source, from: first?.end ?? 0, file: file, limit: isNested ? Self.nestedByteLimit : PickleInput.byteLimit)
    let magic: Pickle
    if let first { magic = first.pickle } else { magic = try PickleMachine.run(&input, isNested: isNested) }
    guard magic.root == .long(Self.magicNumber) else { return nil }
    let version = try PickleMachine.run(&input, isNested: isNested)
    guard version.root == .integer(1001) else { throw input.malformed("protocol 1001") }
    let system = try PickleMachine.run(&input, isNested: isNested)
    guard system.dictionary(system.root) != nil else { throw input.malformed("a dictionary about the system") }
    pickle = try PickleMachine.run(&input, isNested: isNested)
    let keys = try PickleMachine.run(&input, isNested: isNested)
    guard let list = keys.items(keys.root) else { throw input.malformed("a list of storages") }
    pickleByteCount = input.position
    storages = try Self.storages(list, of: pickle, in: source, from: input.position, file: file)
  }

  private static func storages(
    _ keys: [Pickle.Value], of pickle: Pickle, in source: ByteSource, from start: Int, file: String
  ) throws(PTError) -> [String: PTStorage] {
    var described: [String: Pickle.Storage] = [:]
    for case .storage(let storage) in pickle.nodes where storage.held == nil {
      if let earlier = described.updateValue(storage, forKey: storage.key),
        earlier.type != storage.type || earlier.count != storage.count
      {
        throw PTError(.storageTwice(key: storage.key), file: file)
      }
    }
    var storages: [String: PTStorage] = [:]
    var position = start
    for value in keys {
      guard case .text(let key) = value, let storage = described[key], let byteCount = storage.byteCount else {
        throw PTError(.malformed(expected: "the key of a storage", offset: start), file: file)
      }
      guard storages[key] == nil else { throw PTError(.storageTwice(key: key), file: file) }
      let width = storage.type?.byteCount ?? 1
      let bytes = try PTError.reading(file) { () throws(UnreadableReason) in try source.bytes(at: position, count: 8) }
      let count = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      guard count == UInt64(storage.count) else {
        let (found, overflow) = Int(clamping: count).multipliedReportingOverflow(by: width)
        throw PTError(.storageSize(key: key, expected: byteCount, found: overflow ? .max : found), file: file)
      }
      position += 8
      guard byteCount <= source.byteCount - position else { throw PTError(.unreadable(.truncated), file: file) }
      storages[key] = PTStorage(
        .run(FileRun(source: source, offset: position, byteCount: byteCount, file: file)), file: file)
      position += byteCount
    }
    if let absent = described.keys.sorted().first(where: { storages[$0] == nil }) {
      throw PTError(.missingStorage(key: absent), file: file)
    }
    return storages
  }
}
