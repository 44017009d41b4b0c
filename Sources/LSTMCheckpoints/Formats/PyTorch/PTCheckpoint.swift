extension Checkpoint {
  /// What `torch.save` writes since 1.6: `<root>/data.pkl`, and each storage as an entry `<root>/data/<key>`.
  init(pt archive: ZipArchive) throws {
    let file = archive.name
    let pickles = archive.entries.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
    guard let entry = pickles.first, pickles.count == 1 else { throw PTError(.roots(pickles.count), file: file) }
    let root = String(entry.name.dropLast("data.pkl".count))
    if archive.entries.contains(where: { $0.name.hasPrefix(root + "code/") }) { throw PTError(.script, file: file) }
    guard entry.size <= PickleInput.byteLimit else {
      throw PTError(.tooMuch("bytes", limit: PickleInput.byteLimit), file: file)
    }
    var input = PickleInput(.memory(try archive.read(entry)), file: file)
    let pickle = try PickleMachine.run(&input)

    var isBigEndian = false
    if let order = archive.entry(named: root + "byteorder") {
      // Whatever it says, it is a word.
      let text = String(decoding: try archive.readPrefix(order, count: 16), as: UTF8.self)
      guard text == "little" || text == "big" else { throw PTError(.byteOrder(text), file: file) }
      isBigEndian = text == "big"
    }
    var storages: [String: PTStorage] = [:]
    for case .storage(let storage) in pickle.nodes {
      guard let record = archive.entry(named: root + "data/" + storage.key) else {
        throw PTError(.missingStorage(key: storage.key), file: file)
      }
      guard record.size == storage.byteCount else {
        throw PTError(
          .storageSize(key: storage.key, expected: storage.byteCount ?? .max, found: record.size), file: file)
      }
      if storages[storage.key] == nil { storages[storage.key] = archive.storage(record) }
    }
    try self.init(pickle, storages: storages, isBigEndian: isBigEndian, file: file, byteCount: archive.byteCount)
  }

  /// What `torch.save` wrote before: a stream of pickles - magic number, protocol, system, object, keys of storages -
  /// and then the storages, each a count of elements in eight bytes and its elements. These are little-endian on every
  /// machine, whatever the system's pickle says.
  init(legacyPT path: String) throws {
    let source: ByteSource
    do throws(RegularFile.Failure) {
      source = .file(try RegularFile(path: path))
    } catch {
      throw PTError(.unreadable(error), file: path)
    }
    var input = PickleInput(source, file: path)
    guard let magic = try? PickleMachine.run(&input), magic.root == .long(Self.magicNumber) else {
      throw PTError(.foreignPickle, file: path)
    }
    let version = try PickleMachine.run(&input)
    guard version.root == .integer(1001) else {
      throw PTError(.malformed(expected: "protocol 1001", offset: input.position), file: path)
    }
    let system = try PickleMachine.run(&input)
    guard system.dictionary(system.root) != nil else {
      throw PTError(.malformed(expected: "a dictionary about the system", offset: input.position), file: path)
    }
    let pickle = try PickleMachine.run(&input)
    let keys = try PickleMachine.run(&input)
    guard let list = keys.items(keys.root) else {
      throw PTError(.malformed(expected: "a list of storages", offset: input.position), file: path)
    }
    let storages = try Self.storages(list, of: pickle, in: source, from: input.position, file: path)
    try self.init(pickle, storages: storages, isBigEndian: false, file: path, byteCount: source.byteCount)
  }

  /// 0x1950a86a20f9469cfc6c
  private static let magicNumber: [UInt8] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]

  private static func storages(
    _ keys: [Pickle.Value], of pickle: Pickle, in source: ByteSource, from start: Int, file: String
  ) throws(PTError) -> [String: PTStorage] {
    var described: [String: Pickle.Storage] = [:]
    for case .storage(let storage) in pickle.nodes {
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
      var count: UInt64 = 0
      do throws(RegularFile.Failure) {
        for byte in try source.bytes(at: position, count: 8).reversed() { count = count << 8 | UInt64(byte) }
      } catch {
        throw PTError(.unreadable(error), file: file)
      }
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

  private init(
    _ pickle: Pickle, storages: [String: PTStorage], isBigEndian: Bool, file: String, byteCount: Int
  ) throws(PTError) {
    let state = try PTState(pickle, file: file)
    var tensors: [StoredTensor] = []
    var skipped = state.leftOut
    var names = Set<String>()
    var views: [PTView.Place: Int] = [:]
    var groups: [[String]] = []
    for leaf in state.leaves {
      let tensor = leaf.tensor
      guard let storage = storages[tensor.storage.key] else {
        throw PTError(.missingStorage(key: tensor.storage.key), file: file, tensor: leaf.name)
      }
      let start = try leaf.checkedStart(storage, file: file)
      if !leaf.isKept { continue }
      guard let type = tensor.type.dataType else {
        skipped.append(Skipped(name: leaf.name, reason: "its elements are of type \(tensor.type.name)"))
        continue
      }
      guard names.insert(leaf.name).inserted else { throw PTError(.duplicateName, file: file, tensor: leaf.name) }
      tensors.append(
        StoredTensor(
          name: leaf.name, shape: tensor.shape, dataType: type, isBigEndian: isBigEndian,
          source: PTView(
            storage: storage, start: start, shape: tensor.shape, strides: tensor.strides, width: type.byteCount,
            isBigEndian: isBigEndian)))
      if tensor.shape.contains(0) { continue }
      let place = PTView.Place(
        storage: tensor.storage.key, start: start, shape: tensor.shape, strides: tensor.strides, type: type)
      if let group = views[place] {
        groups[group].append(leaf.name)
      } else {
        views[place] = groups.count
        groups.append([leaf.name])
      }
    }
    self.init(tensors: tensors, skipped: skipped, path: file, format: .pt, byteCount: byteCount)
    stateKey = state.stateKey
    sharing = groups.filter { $0.count > 1 }
  }
}

extension PTView {
  /// What a view sees of the file: two tensors that see the same are one.
  ///
  /// A storage alone tells nothing: the flattened weights of an LSTM on a GPU all lie in one.
  fileprivate struct Place: Hashable {
    let storage: String
    let start: Int
    let shape: [Int]
    let strides: [Int]
    let type: DataType
  }
}

extension PTState.Leaf {
  /// Where the tensor's first element is in its storage, in bytes, once the whole tensor is known to lie in it.
  fileprivate func checkedStart(_ storage: PTStorage, file: String) throws(PTError) -> Int {
    func fail(_ kind: PTError.Kind) -> PTError { PTError(kind, file: file, tensor: name) }
    let (shape, strides) = (tensor.shape, tensor.strides)
    // The part of the storage that is this tensor's to see, in its own elements.
    let seen = tensor.storage.view ?? 0..<tensor.storage.count
    let storageWidth = tensor.storage.type?.byteCount ?? 1
    let (base, baseOverflow) = seen.lowerBound.multipliedReportingOverflow(by: storageWidth)
    let (bytes, bytesOverflow) = seen.count.multipliedReportingOverflow(by: storageWidth)
    let width = tensor.type.byteCount
    guard !baseOverflow, !bytesOverflow, shape.count == strides.count, tensor.offset >= 0,
      shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), let byteCount = elementCount(shape + [width])
    else { throw fail(.shape(shape, strides: strides)) }
    let count = bytes / width
    var last = tensor.offset
    var overflow = false
    if !shape.contains(0) {
      for (size, stride) in zip(shape, strides) {
        let (step, over) = (size - 1).multipliedReportingOverflow(by: stride)
        let (sum, more) = last.addingReportingOverflow(step)
        (last, overflow) = (sum, overflow || over || more)
      }
    }
    guard !overflow, shape.contains(0) ? last <= count : last < count else {
      throw fail(.outside(last: overflow ? .max : last, count: count))
    }
    // Strides of 0 repeat what is stored; honest ones do so for a little.
    guard byteCount <= 64 << 20 || byteCount / 1000 <= storage.byteCount else {
      throw fail(.expanded(byteCount: byteCount, stored: storage.byteCount))
    }
    return base + tensor.offset * width
  }
}

extension ZipArchive {
  /// The bytes of an entry as tensors' views need them.
  fileprivate func storage(_ entry: ZipEntry) -> PTStorage {
    switch entry.method {
    case .stored:
      PTStorage(
        .run(FileRun(source: source, offset: entry.dataOffset, byteCount: entry.size, file: name)), file: name,
        checksum: entry.crc)
    case .deflate: PTStorage(.packed(self, entry), file: name)
    }
  }
}
