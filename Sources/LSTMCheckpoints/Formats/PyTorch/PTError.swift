import FileIO

/// What is wrong with a file that `torch.save` should have written.
typealias PTError = TensorFileError<PTFault>

enum PTFault: TensorFileFault {
  case unreadable(UnreadableReason)
  /// A pickle without a tensor or an array.
  case noTensors
  /// What joblib wrote: a pickle with arrays' bytes between its instructions.
  case joblib
  /// A tar archive, which PyTorch wrote before its version 0.1.10.
  case tar
  /// A TorchScript program.
  case script
  /// A function that runs code or programs or opens files; the name is module and function.
  case global(String)
  /// The tensors lie in a Python object that only its own code could take apart.
  /// - Parameters:
  ///   - type: module and class.
  ///   - key: what it is kept under; nil when it is the whole file.
  case closed(type: String, key: String?)
  /// An instruction that `torch.save` does not write.
  case opcode(UInt8, offset: Int)
  /// The instructions do not make sense: what was expected, and where.
  case malformed(expected: String, offset: Int)
  /// The pickle ends inside an instruction.
  case truncatedPickle
  /// More of something than is accepted.
  case tooMuch(String, limit: Int)
  /// A file of several, or no, pickles called data.pkl.
  case roots(Int)
  case byteOrder(String)
  /// A tensor's storage is not in the file.
  case missingStorage(key: String)
  /// The same key stands for storages of two types or sizes, or twice in the list of keys.
  case storageTwice(key: String)
  /// A storage has another number of bytes than its type and count say.
  case storageSize(key: String, expected: Int, found: Int)
  /// A shape or stride below zero, of two lengths, or with a product that overflows.
  case shape([Int], strides: [Int])
  /// The tensor's last element lies outside its storage.
  case outside(last: Int, count: Int)
  /// A few stored bytes claim to be very many elements.
  case expanded(byteCount: Int, stored: Int)
  case duplicateName
  case checksum(expected: UInt32, found: UInt32)

  var unreadable: UnreadableReason? { if case .unreadable(let reason) = self { reason } else { nil } }

  var detail: String {
    switch self {
    case .unreadable(let reason): reason.message
    case .noTensors: "is a Python pickle in which there are no tensors and no arrays"
    case .joblib: "is what joblib.dump wrote, which is no plain pickle"
    case .tar: "is a tar archive, as PyTorch before version 0.1.10 may have saved it; only later files are read"
    case .script: "is a TorchScript program, not a state_dict"
    case .global(let name): "holds a Python object, \(name), that only running code could build; nothing was run"
    case .closed(let type, let key):
      "its tensors lie in a Python object, \(type)" + (key.map { ", under \"\($0)\"" } ?? "")
        + ", that only running code could take apart; nothing was run"
    case .opcode(let code, let offset):
      "its pickle has the instruction 0x\(String(code, radix: 16)) at byte \(offset), which torch.save does not write"
    case .malformed(let expected, let offset): "its pickle is damaged: expected \(expected) at byte \(offset)"
    case .truncatedPickle: "its pickle ends inside an instruction"
    case .tooMuch(let what, let limit): "its pickle has more than \(limit) \(what)"
    case .roots(let count): "is a ZIP archive with \(count) files data.pkl; expected one"
    case .byteOrder(let text): "its byteorder is \"\(text)\"; expected little or big"
    case .missingStorage(let key): "its storage \"\(key)\" is not in the file"
    case .storageTwice(let key): "the storage \"\(key)\" is described twice, and not alike"
    case .storageSize(let key, let expected, let found):
      "the storage \"\(key)\" should have \(expected) bytes by its type and count, found \(found)"
    case .shape(let shape, let strides): "shape \(shapeText(shape)) with strides \(shapeText(strides)) makes no tensor"
    case .outside(let last, let count): "its last element is number \(last) of a storage of \(count)"
    case .expanded(let byteCount, let stored): "claims \(byteCount) bytes of \(stored) that are stored"
    case .duplicateName: "the name occurs twice"
    case .checksum(let expected, let found):
      "its storage is damaged: CRC-32 expected \(String(expected, radix: 16)), found \(String(found, radix: 16))"
    }
  }

  func advice(file: String) -> [Message] {
    switch self {
    case .global:
      ["no model needs it: the file may do harm when Python loads it; ask for its weights as safetensors"]
    case .closed(_, let key):
      [
        "save the tensors alone, in Python, if you trust the file; the object may have a state_dict:",
        "x = torch.load(\"\(file)\", weights_only=False)\(key.map { Self.subscripts($0) } ?? "")"
          + "; torch.save(x.state_dict(), \"weights.pt\")",
      ]
    case .script:
      ["save its tensors, in Python: torch.save(torch.jit.load(\"model.pt\").state_dict(), \"weights.pt\")"]
    case .tar: ["load it in Python, if you trust it, and save it again: torch.save(state_dict, \"weights.pt\")"]
    case .joblib:
      ["load it in Python, if you trust it, and save its arrays: numpy.savez(\"weights.npz\", **arrays)"]
    default: []
    }
  }

  /// `a.0` as `["a"][0]`.
  private static func subscripts(_ key: String) -> String {
    key.split(separator: ".").map { Int($0) != nil ? "[\($0)]" : "[\"\($0)\"]" }.joined()
  }
}
