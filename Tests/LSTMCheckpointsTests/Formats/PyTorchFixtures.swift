import FileIO
import Foundation
import TestSupport

@testable import LSTMCheckpoints

/// What scripts/make-pt-fixtures.py writes, and helpers to write pickles that lie.
enum PyTorchFixtures {
  static func path(_ name: String) -> String { fixtures.appendingPathComponent("pt/" + name).path }

  static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }

  /// The values of a file's tensors by name.
  static func expected(_ file: String) throws -> [String: StoredTensor] {
    let all = try Checkpoint(path: path("expected.npz")).tensors.filter { $0.name.hasPrefix(file + "/") }
    return Dictionary(uniqueKeysWithValues: all.map { (String($0.name.dropFirst(file.count + 1)), $0) })
  }

  /// Files of the real libraries whose every tensor is in `expected.npz`.
  static let files = [
    "model.pt", "model-legacy.pt", "model-protocol4.pt", "model-parameters.pt", "model-nested.pt",
    "model-nested-legacy.pt", "model-lightning.ckpt", "model-nocrc.pt", "model.safetensors", "views.pt",
    "views-legacy.pt", "types.pt", "types.safetensors", "types-legacy.pt", "odd-types.pt", "odd-types.safetensors",
    "big-endian.pt", "model-big-endian.pt", "deflated.pt", "model-shards.safetensors.index.json",
  ]
  static let models = files.filter { $0.hasPrefix("model") }
}

/// A pickle in protocol 2, instruction by instruction.
struct PickleText {
  private(set) var bytes: [UInt8] = [0x80, 2]

  mutating func code(_ codes: String) { bytes += codes.unicodeScalars.map { UInt8($0.value) } }

  mutating func global(_ name: String) {
    let parts = name.split(separator: " ")
    code("c")
    bytes += Array("\(parts[0])\n\(parts[1])\n".utf8)
  }

  mutating func text(_ text: String) {
    code("X")
    bytes.append(littleEndian: UInt32(text.utf8.count))
    bytes += Array(text.utf8)
  }

  mutating func integer(_ value: Int) {
    code("\u{8a}\u{8}")
    bytes.append(littleEndian: Int64(value))
  }

  mutating func bytes(_ content: [UInt8]) {
    code("B")
    bytes.append(littleEndian: UInt32(content.count))
    bytes += content
  }

  mutating func tuple(_ values: [Int]) {
    code("(")
    for value in values { integer(value) }
    code("t")
  }

  /// A tensor of float32 in storage `key`.
  mutating func tensor(
    shape: [Int] = [2, 3], strides: [Int] = [3, 1], offset: Int = 0, key: String = "0", count: Int = 6,
    type: String = "torch FloatStorage", view: [Int]? = nil, isLegacy: Bool = false
  ) {
    global("torch._utils _rebuild_tensor_v2")
    code("((")
    text("storage")
    global(type)
    text(key)
    text("cpu")
    integer(count)
    if let view {
      code("(")
      text("view")
      for number in view { integer(number) }
      code("t")
    } else if isLegacy {
      code("N")
    }
    code("tQ")
    integer(offset)
    tuple(shape)
    tuple(strides)
    code("\u{89})tR")
  }

  /// A storage alone, as Python's own pickle keeps one in the bytes of a stream.
  static func storage(count: Int = 6) -> PickleText {
    var pickle = PickleText()
    pickle.code("(")
    pickle.text("storage")
    pickle.global("torch FloatStorage")
    pickle.text("0")
    pickle.text("cpu")
    pickle.integer(count)
    pickle.code("NtQ.")
    return pickle
  }

  /// `{name: tensor}`, done.
  static func dictionary(_ name: String = "w", _ value: (inout PickleText) -> Void) -> PickleText {
    var pickle = PickleText()
    pickle.code("}")
    pickle.text(name)
    value(&pickle)
    pickle.code("s.")
    return pickle
  }

  /// An archive as `torch.save` writes it, with one storage of 0, 1, 2, ... in float32.
  func archive(count: Int = 6, extra: [(String, [UInt8])] = []) throws -> [UInt8] {
    try ZipWriter.encode(
      [
        ("m/data.pkl", bytes), ("m/byteorder", Array("little".utf8)),
        ("m/data/0", littleEndianBytes((0..<count).map(Float.init))),
      ] + extra)
  }

  /// The stream of pickles that came before.
  func stream(keys: [String] = ["0"], counts: [Int] = [6]) -> [UInt8] {
    var magic = PickleText()
    magic.code("\u{8a}\u{a}")
    magic.bytes += [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
    magic.code(".")
    var version = PickleText()
    version.integer(1001)
    version.code(".")
    var list = PickleText()
    list.code("](")
    for key in keys { list.text(key) }
    list.code("e.")
    var all = magic.bytes + version.bytes + [0x80, 2] + Array("}.".utf8) + bytes + list.bytes
    for count in counts {
      all.append(littleEndian: Int64(count))
      all += littleEndianBytes((0..<min(max(count, 0), 100)).map(Float.init))
    }
    return all
  }
}

extension Checkpoint {
  /// Opens bytes as if they were in a file.
  static func reading(_ bytes: [UInt8], named name: String = "x.pt") throws -> Checkpoint {
    let folder = try TemporaryFolder()
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path(name)))
    return try Checkpoint(path: folder.path(name))
  }
}

/// Message and advice of what opening a file and reading all of it throws.
func refusal(ofFile bytes: [UInt8], named name: String = "x.pt") throws -> [String] {
  let folder = try TemporaryFolder()
  let path = folder.path(name)
  try Data(bytes).write(to: URL(fileURLWithPath: path))
  do {
    for tensor in try Checkpoint(path: path).tensors { _ = try tensor.bytes() }
    return []
  } catch let error as any DescribedFailure {
    return ([error.message] + error.advice).map { $0.description.replacing(path, with: name) }
  } catch {
    return ["no described failure: \(error)"]
  }
}
