import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// One test for each lie that a .pt file can tell.
@Suite struct PyTorchHostileTests {
  private func first(_ pickle: PickleText, count: Int = 6) throws -> String? {
    try refusal(ofFile: pickle.archive(count: count)).first
  }

  @Test func theHonestOneLoads() throws {
    let honest = PickleText.dictionary { $0.tensor() }
    #expect(try refusal(ofFile: honest.archive()) == [])
    #expect(try refusal(ofFile: PickleText.dictionary { $0.tensor(isLegacy: true) }.stream()) == [])
  }

  // MARK: - Names

  @Test func aSystemCall() throws {
    let folder = try TemporaryFolder()
    let proof = folder.path("proof")
    let wanted = "x.pt: holds a Python object, posix.system, that only running code could build; nothing was run"
    var global = PickleText()
    global.global("posix system")
    global.code("(")
    global.text("touch \(proof)")
    global.code("tR.")
    #expect(try first(global) == wanted)
    var byStack = PickleText()
    byStack.text("posix")
    byStack.text("system")
    byStack.code("\u{93}(")
    byStack.text("touch \(proof)")
    byStack.code("tR.")
    #expect(try first(byStack) == wanted)
    var instance = PickleText()
    instance.code("(")
    instance.text("touch \(proof)")
    instance.code("iposix\nsystem\n.")
    #expect(try first(instance) == wanted)
    #expect(!FileManager.default.fileExists(atPath: proof))
    // The stream's later pickles are held to the same rules.
    #expect(try refusal(ofFile: global.stream()).first == wanted)
  }

  /// What runs code, starts programs or opens files: refused as soon as it is named, called or not.
  @Test(arguments: [
    "torch load", "builtins eval", "__builtin__ exec", "builtins __import__", "builtins open", "os system", "nt system",
    "os.path join", "subprocess Popen", "shutil rmtree", "sys exit", "importlib import_module", "runpy run_path",
    "pickle loads", "io open", "ctypes CDLL", "torch os.system", "torch.nn os.popen", "torch.hub load",
    "numpy.testing._private.utils runstring", "collections OrderedDict.__init__.__globals__", "socket socket",
    "webbrowser open", "marshal loads", "types CodeType", "code interact", "torch.storage builtins.eval",
  ])
  func harmfulNames(_ name: String) throws {
    let wanted = name.replacing(" ", with: ".") + ", that only running code"
    for call in [")R", ")\u{81}", ")}\u{92}", "0N", "0(lb"] {
      var pickle = PickleText()
      pickle.global(name)
      pickle.code(call + ".")
      #expect(try first(pickle)?.contains(wanted) == true, "\(call)")
    }
    // Beside tensors that are whole.
    let beside = PickleText.dictionary { pickle in
      pickle.tensor()
      pickle.code("s")
      pickle.text("x")
      pickle.global(name)
      pickle.code(")R")
    }
    #expect(try first(beside)?.contains(wanted) == true)
  }

  // MARK: - Instructions

  /// What stands on the stack is not what the instruction changes or calls.
  @Test(arguments: [
    "s", "u", "a", "e", "b", "R", "\u{81}", "\u{92}", "o", "t", "\u{86}", "1", "h\u{9}", "Q", ".", "\u{90}", "\u{93}",
  ])
  func anInstructionWithoutItsValues(_ code: String) throws {
    var bare = PickleText()
    bare.code(code + ".")
    #expect(try first(bare)?.contains("its pickle is damaged: expected") == true)
  }

  @Test func itemsOfSomethingElseThanADictionary() throws {
    for (make, call) in [("]", "NNs"), (")", "NNs"), ("]", "(NNu"), ("}", "Na"), (")", "Na"), ("}", "Nb"), ("N", "Nb")]
    {
      var pickle = PickleText()
      pickle.code(make + call + ".")
      let isHarmless = make == "}" && call == "Nb"
      #expect(try first(pickle)?.contains("its pickle is damaged") ?? false != isHarmless, "\(make) \(call)")
    }
    var tensor = PickleText()
    tensor.tensor()
    tensor.code("NNs.")
    #expect(try first(tensor)?.contains("a dictionary to set items of") == true)
    var built = PickleText()
    built.tensor()
    built.code("}b.")
    #expect(try first(built)?.contains("an object to complete") == true)
  }

  @Test func instructionsThatTorchDoesNotWrite() throws {
    for code in ["P", "\u{82}", "\u{97}", "\u{98}", "\u{ff}", "\u{0}"] {
      var pickle = PickleText()
      pickle.code(code + ".")
      #expect(try first(pickle)?.contains("which torch.save does not write") == true, "\(code)")
    }
  }

  @Test func bombs() throws {
    func repeated(_ text: String, _ count: Int) -> PickleText {
      var pickle = PickleText()
      pickle.code(String(repeating: text, count: count))
      pickle.code(".")
      return pickle
    }
    #expect(try first(repeated("N", 1_000_010)) == "x.pt: its pickle has more than 1000000 values on its stack")
    #expect(try first(repeated("N0", 2_000_010)) == "x.pt: its pickle has more than 4000000 instructions")
    var memo = PickleText()
    memo.code("N")
    for index in 0...1_000_000 {
      memo.code("r")
      for shift in [0, 8, 16, 24] { memo.code(String(UnicodeScalar(UInt8(index >> shift & 255)))) }
    }
    #expect(try first(memo) == "x.pt: its pickle has more than 1000000 remembered values")
    var long = PickleText()
    long.code("X\u{ff}\u{ff}\u{ff}\u{7f}")
    #expect(try first(long) == "x.pt: its pickle ends inside an instruction")
  }

  @Test func aDictionaryInItself() throws {
    var pickle = PickleText()
    pickle.code("}q\u{0}")
    pickle.text("a")
    pickle.code("h\u{0}s.")
    #expect(try first(pickle) == "x.pt: its pickle has more than 64 values, one in the other")
  }

  /// Forty levels of two references to the level below: a million million values.
  @Test func referencesThatMultiply() throws {
    var pickle = PickleText()
    pickle.code("]q\u{0}0")
    for level in 1...40 {
      pickle.code("](" + String(repeating: "h\(UnicodeScalar(UInt8(level - 1)))", count: 2) + "e")
      pickle.code("q\(UnicodeScalar(UInt8(level)))0")
    }
    pickle.code("h\(UnicodeScalar(UInt8(40))).")
    #expect(try first(pickle) == "x.pt: its pickle has more than 1000000 values")
  }

  @Test func aNameWithoutEnd() throws {
    let pickle = PickleText.dictionary(String(repeating: "a", count: 1025)) { $0.tensor() }
    #expect(try first(pickle) == "x.pt: its pickle has more than 1024 bytes in a name")
  }

  // MARK: - Tensors

  @Test func sizesStridesAndOffsetsThatLie() throws {
    func message(_ tensor: (inout PickleText) -> Void) throws -> String? {
      let message = try first(PickleText.dictionary("w", tensor))
      return message.map { String($0.dropFirst("x.pt: tensor \"w\": ".count)) }
    }
    let outside = "its last element is number"
    #expect(try message({ $0.tensor(offset: 1) }) == "\(outside) 6 of a storage of 6")
    #expect(try message({ $0.tensor(strides: [4, 1]) }) == "\(outside) 6 of a storage of 6")
    #expect(try message({ $0.tensor(shape: [7], strides: [1]) }) == "\(outside) 6 of a storage of 6")
    #expect(try message({ $0.tensor(shape: [3, 1 << 40], strides: [1 << 40, 1]) })?.hasPrefix(outside) == true)
    #expect(try message({ $0.tensor(shape: [0], strides: [1], offset: 7) }) == "\(outside) 7 of a storage of 6")
    #expect(try message({ $0.tensor(shape: [2], strides: [.max]) })?.hasPrefix(outside) == true)
    for (shape, strides) in [([-1], [1]), ([2], [-1]), ([2, 3], [1]), ([1 << 40, 1 << 40], [0, 0])] {
      #expect(try message({ $0.tensor(shape: shape, strides: strides) })?.contains("makes no tensor") == true)
    }
    #expect(try message({ $0.tensor(offset: -1) })?.contains("makes no tensor") == true)
    #expect(
      try message({ $0.tensor(shape: [1 << 28], strides: [0]) }) == "claims 1073741824 bytes of 24 that are stored")
    // Nothing is stored of it, and nothing read.
    #expect(try message({ $0.tensor(shape: [1 << 40, 1 << 40, 0], strides: [1, 1, 1]) }) == nil)
    let deep = [Int](repeating: 1, count: 33)
    let tooDeep = PickleText.dictionary { $0.tensor(shape: deep, strides: deep) }
    #expect(try first(tooDeep) == "x.pt: its pickle has more than 32 dimensions of a tensor")
  }

  @Test func storagesThatLie() throws {
    #expect(
      try first(.dictionary { $0.tensor(count: 7) })
        == "x.pt: the storage \"0\" should have 28 bytes by its type and count, found 24")
    #expect(try first(.dictionary { $0.tensor(count: .max) })?.contains("the storage \"0\" should have") == true)
    #expect(try first(.dictionary { $0.tensor(count: -1) })?.contains("its pickle is damaged") == true)
    #expect(
      try first(.dictionary { $0.tensor(type: "torch DoubleStorage") })
        == "x.pt: the storage \"0\" should have 48 bytes by its type and count, found 24")
    for key in ["1", "../byteorder", "", "0\u{0}"] {
      #expect(try first(.dictionary { $0.tensor(key: key) })?.contains("is not in the file") == true)
    }
    #expect(try first(.dictionary { $0.tensor(type: "torch Size") })?.contains("what describes a storage") == true)
  }

  @Test func aFlippedByteOfAStorage() throws {
    var bytes = try PickleText.dictionary { $0.tensor(shape: [2], strides: [1]) }.archive()
    let offset = try ZipArchive(bytes: bytes, name: "x").entry(named: "m/data/0")?.dataOffset ?? 0
    bytes[offset + 20] ^= 1
    // Outside what the tensor sees, and found all the same.
    #expect(try refusal(ofFile: bytes).first?.contains("its storage is damaged: CRC-32 expected") == true)
  }

  @Test func byteOrderAndRoots() throws {
    let pickle = PickleText.dictionary { $0.tensor() }
    let odd = try ZipWriter.encode([("m/data.pkl", pickle.bytes), ("m/byteorder", Array("middle".utf8))])
    #expect(try refusal(ofFile: odd).first == "x.pt: its byteorder is \"middle\"; expected little or big")
    let two = try pickle.archive(extra: [("n/data.pkl", pickle.bytes)])
    #expect(try refusal(ofFile: two).first == "x.pt: is a ZIP archive with 2 files data.pkl; expected one")
  }

  @Test func twoTensorsOfOneName() throws {
    var pickle = PickleText()
    pickle.code("}(")
    pickle.text("a.b")
    pickle.tensor()
    pickle.text("a")
    pickle.code("}")
    pickle.text("b")
    pickle.tensor()
    pickle.code("su.")
    #expect(try first(pickle) == "x.pt: tensor \"a.b\": the name occurs twice")
  }

  // MARK: - The legacy stream

  @Test func aStreamThatLies() throws {
    let pickle = PickleText.dictionary { $0.tensor(isLegacy: true) }
    func message(_ bytes: [UInt8]) throws -> String? { try refusal(ofFile: bytes).first }
    let size = "x.pt: the storage \"0\" should have 24 bytes by its type and count, found"
    #expect(try message(pickle.stream(counts: [7])) == size + " 28")
    #expect(try message(pickle.stream(counts: [.max])) == size + " \(Int.max)")
    #expect(try message(pickle.stream(counts: [-1])) == size + " \(Int.max)")
    #expect(try message(pickle.stream(keys: [])) == "x.pt: its storage \"0\" is not in the file")
    #expect(try message(pickle.stream(keys: ["1"]))?.contains("the key of a storage") == true)
    #expect(
      try message(pickle.stream(keys: ["0", "0"], counts: [6, 6]))
        == "x.pt: the storage \"0\" is described twice, and not alike")
    #expect(try message(pickle.stream(counts: [])) == "x.pt: it ended while it was being read")
  }

  /// As PyTorch 0.1 and 0.2 wrote tensors, under Python 2 with names as bytes.
  @Test func anOldTensor() throws {
    let folder = try TemporaryFolder()
    var pickle = PickleText()
    pickle.global("collections OrderedDict")
    // OrderedDict([["w", tensor]])
    pickle.code("](](U\u{1}w")
    pickle.global("torch._utils _rebuild_tensor")
    pickle.code("((")
    pickle.text("storage")
    pickle.global("torch.cuda FloatStorage")
    pickle.text("0")
    pickle.text("cuda:0")
    pickle.integer(6)
    pickle.code("NtQ")
    pickle.integer(2)
    pickle.tuple([2])
    pickle.tuple([1])
    pickle.code("tRee\u{85}R.")
    try Data(pickle.stream()).write(to: URL(fileURLWithPath: folder.path("x.pt")))
    #expect(try Checkpoint(path: folder.path("x.pt"))["w"]?.floats() == [2, 3])
  }

  @Test func aViewOfAStorage() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("x.pt")
    let view = PickleText.dictionary { $0.tensor(shape: [2], strides: [1], offset: 1, view: [2, 3]) }
    try Data(view.stream()).write(to: URL(fileURLWithPath: path))
    #expect(try Checkpoint(path: path)["w"]?.floats() == [3, 4])
    let outside = PickleText.dictionary { $0.tensor(shape: [3], strides: [1], offset: 1, view: [2, 3]) }
    #expect(try refusal(ofFile: outside.stream()).first?.contains("number 3 of a storage of 3") == true)
    let larger = PickleText.dictionary { $0.tensor(view: [2, 5]) }
    #expect(try refusal(ofFile: larger.stream()).first?.contains("a view inside its storage") == true)
  }

  // MARK: - Damage of any kind

  @Test(arguments: [
    "views.pt", "views-legacy.pt", "types.safetensors", "deflated.pt", "module.pt", "../pickle/model-numpy-arrays.pt",
    "../pickle/model-tensors-4.pkl", "../pickle/model-arrays-2.pkl", "../pickle/model-arrays-5.pkl",
  ])
  func everyTruncationIsAnError(_ name: String) throws {
    let bytes = try PyTorchFixtures.bytes(name)
    for count in 0..<bytes.count {
      let found = try refusal(ofFile: Array(bytes.prefix(count)))
      #expect(!found.isEmpty && !found[0].hasPrefix("no described"), "\(count): \(found)")
    }
  }

  /// Whatever a byte is turned into, it is read or refused.
  @Test(arguments: [
    "views.pt", "views-legacy.pt", "odd-types.safetensors", "deflated.pt", "module-legacy.pt",
    "../pickle/model-lightning-legacy.pt", "../pickle/model-numpy-arrays-legacy.pt", "../pickle/model-tensors-4.pkl",
    "../pickle/model-arrays-5.pkl", "../pickle/whole-activated.pkl", "../pickle/scaler-minmax.pt",
  ])
  func noDamageCrashes(_ name: String) throws {
    let bytes = try PyTorchFixtures.bytes(name)
    var random = SplitMix(state: 7)
    for _ in 0..<600 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        damaged[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      #expect(try refusal(ofFile: damaged).first?.hasPrefix("no described") != true)
    }
  }
}
