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
    let source: ByteSource
    do throws(RegularFile.Failure) {
      source = .file(try RegularFile(path: path))
    } catch {
      throw PTError(.unreadable(error), file: path)
    }
    // The first pickle of a stream is a number.
    var input = PickleInput(source, file: path, limit: PickleInput.plainByteLimit)
    let first = try PickleMachine.run(&input)
    if let stream = try LegacyStream(source, file: path, first: (first, input.position)) {
      try self.init(
        stream.pickle, storages: stream.storages, isBigEndian: false, file: path, byteCount: source.byteCount)
    } else {
      guard input.position == source.byteCount else {
        throw PTError(.malformed(expected: "the end of the file", offset: input.position), file: path)
      }
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
    var views: [SeenPlace: Int] = [:]
    var groups: [[String]] = []
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
        if let group = views[place] {
          groups[group].append(leaf.name)
        } else {
          views[place] = groups.count
          groups.append([leaf.name])
        }
      }
    }
    let scalers = ScalerSearch.scalers(in: pickle, reader)
    self.init(
      tensors: tensors, skipped: skipped + state.passedOver(apartFrom: scalers), path: file, format: .pt,
      byteCount: byteCount)
    stateKey = state.stateKey
    notes = state.notes
    assumed = state.assumed
    foundScalers = scalers
    sharing = groups.filter { $0.count > 1 }
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

/// Tensors of a pickle as views of the storages of its file.
struct PTReader {
  let storages: [String: PTStorage]
  let isBigEndian: Bool
  let file: String

  /// - Throws: `PTError` when the tensor does not lie in its storage.
  func view(_ tensor: Pickle.Tensor, name: String) throws(PTError) -> PTView {
    guard let storage = tensor.storage.held ?? storages[tensor.storage.key] else {
      throw PTError(.missingStorage(key: tensor.storage.key), file: file, tensor: name)
    }
    return PTView(
      storage: storage, start: try checkedStart(tensor, storage, name: name), shape: tensor.shape,
      strides: tensor.strides, width: tensor.type.byteCount, isBigEndian: tensor.isBigEndian ?? isBigEndian)
  }

  /// Where the tensor's first element is in its storage, in bytes, once the whole tensor is known to lie in it.
  private func checkedStart(_ tensor: Pickle.Tensor, _ storage: PTStorage, name: String) throws(PTError) -> Int {
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
