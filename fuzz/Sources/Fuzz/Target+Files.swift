import Foundation
import LSTMCheckpoints

@testable import FileIO

extension Target {
  /// A file of any format, read as a model as far as it goes.
  static func checkpoint(_ name: String, _ suffix: String) -> Target {
    .file(name, suffix) { path in try readModel(path) }
  }

  /// A ZIP archive of a format, taken apart: sizes, offsets and checksums of the archive would be wrong after any change.
  static func archive(_ name: String, _ suffix: String) -> Target {
    let path = folder + "/" + name + suffix
    return Target(name: name, seeds: takenApart) { bytes in
      try write(try putTogether(bytes), to: path)
      try readModel(path)
    }
  }

  private static func readModel(_ path: String) throws {
    let checkpoint = try Checkpoint(path: path)
    for tensor in checkpoint.tensors.prefix(100) { try? tensor.forEachPiece { _ in } }
    let plan = try LoadPlan(checkpoint)
    _ = (plan.report.failureSummary, plan.preprocessing, plan.mapping)
    _ = try plan.imported().configuration.line
  }

  /// - Parameter fixed: the file's name; nil for one of its own.
  static func file(
    _ name: String, _ suffix: String, in fixed: String? = nil, _ body: @escaping @Sendable (String) throws -> Void
  ) -> Target {
    let path = folder + "/" + (fixed ?? "input" + suffix)
    return Target(name: name) { bytes in
      try write(bytes, to: path)
      try body(path)
    }
  }

  /// In memory where there is such a place.
  private static let folder: String = {
    let base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
    var template = Array((base + "/lstm-ft-fuzz-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("no folder for inputs in \(base)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    atexit { Target.removeFolder() }
    return path
  }()

  private static func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

  /// Not atomically, which would take most of the time.
  private static func write(_ bytes: [UInt8], to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { fatalError("\(path) cannot be written") }
    defer { close(descriptor) }
    guard Foundation.write(descriptor, bytes, bytes.count) == bytes.count else {
      fatalError("\(path) cannot be written")
    }
  }

  // MARK: - Archives taken apart

  /// Each file's name and content, both behind their lengths: names of one byte, contents of three.
  private static func takenApart(_ archive: [UInt8]) -> [[UInt8]] {
    guard let zip = try? ZipArchive(bytes: archive, name: "seed") else { return [] }
    var bytes: [UInt8] = []
    for entry in zip.entries where !entry.isDirectory {
      guard let content = try? zip.read(entry), content.count < 1 << 24 else { return [] }
      let name = entry.name.utf8.prefix(255)
      bytes += [UInt8(name.count)] + name
      bytes += [0, 8, 16].map { UInt8(truncatingIfNeeded: content.count >> $0) } + content
    }
    return [bytes]
  }

  /// The last file is as long as what is left.
  private static func putTogether(_ bytes: [UInt8]) throws -> [UInt8] {
    var layout = ZipLayout(archive: "fuzz.zip")
    var archive: [UInt8] = []
    var rest = bytes[...]
    while let nameCount = rest.popFirst(), rest.count > Int(nameCount) + 3 {
      let name = String(decoding: rest.prefix(Int(nameCount)), as: UTF8.self)
      rest = rest.dropFirst(Int(nameCount))
      let count = rest.prefix(3).reversed().reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(3)
      let content = rest.prefix(count)
      rest = rest.dropFirst(count)
      // No checksum: 0 is "not computed".
      archive += try layout.add(name, size: content.count, crc: 0)
      archive += content
    }
    return archive + (try layout.finish())
  }

  // MARK: - Deflate

  /// The streams of an archive.
  @Sendable static func streams(_ archive: [UInt8]) -> [[UInt8]] {
    guard let zip = try? ZipArchive(bytes: archive, name: "seed") else { return [] }
    return zip.entries.filter { $0.method == .deflate && $0.size < 1 << 16 }.map { entry in
      [UInt8(entry.size & 0xFF), UInt8(entry.size >> 8), 1]
        + archive[entry.dataOffset..<entry.dataOffset + entry.compressedSize]
    }
  }

  /// A stream inflates to what zlib makes of it. The first three bytes are the size that is expected, and whether it is bare.
  @Sendable static func inflate(_ bytes: [UInt8]) throws {
    guard bytes.count > 3 else { return }
    let size = Int(bytes[0]) | Int(bytes[1]) << 8
    let isRaw = bytes[2] & 1 == 1
    var found = [UInt8](repeating: 0xA5, count: size)
    var known = found
    let input = Array(bytes[3...])
    let used = input.withUnsafeBytes { input in
      found.withUnsafeMutableBytes { try? Inflate.inflateExactly(input, into: $0, raw: isRaw) }
    }
    let right = input.withUnsafeBytes { input in
      known.withUnsafeMutableBytes { try? Inflate.inflateByZlib(input, into: $0, raw: isRaw) }
    }
    guard used == right, used == nil || found == known else { fatalError("zlib makes something else of it") }
  }
}
