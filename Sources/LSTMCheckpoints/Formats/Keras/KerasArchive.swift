import FileIO
import Foundation
import HDF5

extension Checkpoint {
  /// A `.keras` archive: the model's configuration, and its weights as an HDF5 file.
  init(kerasArchive archive: ZipArchive, hdf5Reader: HDF5LibraryReader?) throws {
    let name = archive.name
    func json(_ entry: String) throws -> KerasJSON {
      guard let found = archive.entry(named: entry), found.size <= KerasJSON.byteLimit else {
        throw CheckpointError.unknownFormat(file: name, detail: "its \(entry) is missing or beyond any size")
      }
      return try KerasJSON(archive.read(found), "its \(entry)", file: name)
    }
    let model = try json("config.json")
    let version = try json("metadata.json")["keras_version"]?.string
    guard let version, let weights = archive.entry(named: "model.weights.h5") else {
      throw CheckpointError.unknownFormat(file: name, detail: "its metadata.json has no keras_version")
    }
    let contents = try Self.openInside(archive, weights, hdf5Reader)
    try self.init(keras: contents, path: name, archive: (KerasVersion(version), model))
    byteCount = archive.byteCount
    guard structure != nil else {
      throw CheckpointError.unknownFormat(file: name, detail: "its model.weights.h5 holds no weights of Keras")
    }
  }

  /// Puts an HDF5 file of an archive into a temporary file that has no name any more once it is open.
  private static func openInside(
    _ archive: ZipArchive, _ entry: ZipEntry, _ reader: HDF5LibraryReader?
  ) throws -> HDF5Contents {
    let label = "\(archive.name): \(entry.name)"
    let folder = try PrivateFolder()
    defer { folder.remove() }
    let path = folder.path + "/weights.h5"
    let descriptor: Int32
    do throws(System.Errno) {
      descriptor = try System.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    } catch {
      throw FileError.cannotCreate(file: path, detail: error.text)
    }
    defer { try? System.close(descriptor) }
    do {
      try archive.forEachPiece(of: entry) { piece throws in try writeAll(piece, to: descriptor) }
    } catch let error as FileError where error.file.isEmpty {
      throw FileError.writingFailed(
        file: path, detail: "the weights of \(archive.name) do not fit there: \(error.detail)")
    }
    return try HDF5Contents(path: path, named: label, reader: reader)
  }

  /// The shards that a `.weights.json` lists, as one file of weights.
  init(kerasShards path: String, hdf5Reader: HDF5LibraryReader?) throws {
    let data = try CheckpointError.reading(path) { () throws(UnreadableReason) in
      Data(try RegularFile(path: path).contents(times: 3))
    }
    guard let map = try KerasJSON(data, "it", file: path)["weight_map"], case .object(let places) = map else {
      throw CheckpointError.unknownFormat(file: path, detail: "it has no weight_map, as Keras' shards have")
    }
    let names = Set(places.values.flatMap { $0.array?.compactMap(\.string) ?? [$0.string].compactMap { $0 } }).sorted()
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    var tensors: [StoredTensor] = []
    var tree: KerasTree?
    var bytes = 0
    for name in names {
      guard !name.contains("/"), name != "..", name.hasSuffix(".weights.h5") else {
        throw CheckpointError.unknownFormat(
          file: path, detail: "it names the shard \"\(printable(name))\"; shards are .weights.h5 files beside it")
      }
      let place = folder.appendingPathComponent(name).path
      let shard = try Checkpoint(keras: HDF5Contents(path: place, reader: hdf5Reader), path: place)
      guard let structure = shard.structure as? KerasStructure, case .objects(let part) = structure.weights else {
        throw CheckpointError.unknownFormat(file: path, detail: "the shard \(name) is not a file of Keras' weights")
      }
      tree = tree?.merging(part) ?? part
      tensors += shard.tensors
      bytes += shard.byteCount
    }
    guard let tree, Set(tensors.map(\.name)).count == tensors.count else {
      throw CheckpointError.unknownFormat(file: path, detail: "its shards hold nothing, or the same weight twice")
    }
    self.init(tensors: tensors, path: path, format: .kerasWeights, byteCount: bytes)
    structure = KerasStructure(shards: tree)
  }
}

extension KerasStructure {
  /// Keras 3's names in a file of another kind: `layers/lstm/cell/vars/0`; nil when the names are others.
  init?(objects names: [String]) {
    let paths = names.map { $0.split { $0 == "/" || $0 == "." }.map(String.init) }
    guard !paths.isEmpty,
      paths.allSatisfy({ $0.count > 2 && $0[$0.count - 2] == "vars" && Int($0[$0.count - 1]) != nil })
    else { return nil }
    var tree = KerasTree()
    for (name, path) in zip(names, paths).sorted(by: { isNaturallyBefore($0.0, $1.0) }) {
      tree.add(name, at: path.dropLast(2))
    }
    self.init(shards: tree)
  }

  init(shards tree: KerasTree) {
    self.init(weights: .objects(tree), version: .unknown, model: nil)
  }
}

extension KerasTree {
  /// A layer's tensors may be in several shards.
  func merging(_ other: KerasTree) -> KerasTree {
    var result = self
    result.label = label ?? other.label
    let number = { (name: String) in name.split(separator: "/").last.map(String.init) ?? "" }
    result.weights = (weights + other.weights).sorted { isNaturallyBefore(number($0), number($1)) }
    for (name, child) in other.children { result.children[name] = children[name]?.merging(child) ?? child }
    return result
  }
}

extension ZipArchive {
  /// The content of an entry in order, a piece at a time where it is stored as it is.
  func forEachPiece(of entry: ZipEntry, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard entry.method == .stored else { return try read(entry).withUnsafeBytes(body) }
    var (done, crc): (Int, UInt32) = (0, 0)
    while done < entry.size {
      let piece = try readStored(entry, from: done, count: min(1 << 20, entry.size - done))
      try piece.withUnsafeBytes { bytes in
        crc = Inflate.crc32(bytes, continuing: crc)
        try body(bytes)
      }
      done += piece.count
    }
    guard entry.crc == 0 || crc == entry.crc else {
      throw ZipError(.checksum(expected: entry.crc, found: crc), archive: name, entry: entry.name)
    }
  }
}
