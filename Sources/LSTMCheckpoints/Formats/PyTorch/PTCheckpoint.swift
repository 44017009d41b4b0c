import FileIO

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
    for case .storage(let storage) in pickle.nodes where storage.held == nil {
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

  /// A file that begins with a pickle: what `torch.save` wrote before 1.6, or what Python's own pickle writes, with the
  /// arrays and tensors in it.
  init(pickle path: String) throws {
    let source = try PTError.reading(path) { () throws(UnreadableReason) in ByteSource.file(try RegularFile(path: path))
    }
    // The first pickle of a stream is a number.
    var input = PickleInput(source, file: path, limit: PickleInput.plainByteLimit)
    let first = try PickleMachine.run(&input)
    if let stream = try LegacyStream(source, file: path, first: (first, input.position)) {
      try self.init(
        stream.pickle, storages: stream.storages, isBigEndian: false, file: path, byteCount: source.byteCount)
    } else {
      guard input.position == source.byteCount else { throw input.malformed("the end of the file") }
      try self.init(
        first, storages: [:], isBigEndian: false, file: path, byteCount: source.byteCount, needsTensors: true)
    }
  }

  private init(
    _ pickle: Pickle, storages: [String: PTStorage], isBigEndian: Bool, file: String, byteCount: Int,
    needsTensors: Bool = false
  ) throws(PTError) {
    let state = try PTState(pickle, file: file)
    if needsTensors, state.leaves.isEmpty { throw PTError(.noTensors, file: file) }
    let reader = PTReader(storages: storages, isBigEndian: isBigEndian, file: file)
    var tensors: [StoredTensor] = []
    var skipped = state.leftOut
    var names = Set<String>()
    var seen: [(place: SeenPlace, name: String)] = []
    for leaf in state.leaves {
      switch leaf.content {
      case .unread(let reason):
        if leaf.isKept { skipped.append(Skipped(name: leaf.name, reason: reason)) }
      case .tensor(let tensor):
        let view = try reader.view(tensor, name: leaf.name)
        if !leaf.isKept { continue }
        guard let type = tensor.type.dataType else {
          skipped.append(Skipped(name: leaf.name, reason: "its elements are of type \(tensor.type.name)"))
          continue
        }
        guard names.insert(leaf.name).inserted else { throw PTError(.duplicateName, file: file, tensor: leaf.name) }
        tensors.append(
          StoredTensor(
            name: leaf.name, shape: tensor.shape, dataType: type, isBigEndian: view.isBigEndian, source: view))
        // An array of NumPy's holds its own bytes.
        if tensor.shape.contains(0) || tensor.storage.held != nil { continue }
        let place = SeenPlace(
          storage: tensor.storage.key, start: view.start, shape: tensor.shape, strides: tensor.strides, type: type)
        seen.append((place, leaf.name))
      }
    }
    let scalers = ScalerSearch.scalers(in: pickle, reader)
    self.init(
      tensors: tensors, skipped: skipped + state.passedOver(apartFrom: scalers), path: file, format: .pt,
      byteCount: byteCount)
    keepsOrder = true
    stateKey = state.stateKey
    notes = state.notes
    assumed = state.assumed
    foundScalers = scalers
    sharing = seen.grouped(by: \.place).map { $0.members.map(\.name) }.filter { $0.count > 1 }
  }
}

/// What a view sees of the file: two tensors that see the same are one.
///
/// A storage alone tells nothing: the flattened weights of an LSTM on a GPU all lie in one.
private struct SeenPlace: Hashable {
  let storage: String
  let start: Int
  let shape: [Int]
  let strides: [Int]
  let type: DataType
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
