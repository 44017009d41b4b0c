import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Objects, arrays and calls of a pickle that lie, or that would like to be much.
@Suite struct PickleHostileTests {
  private func first(_ pickle: PickleText, count: Int = 6) throws -> String? {
    try refusal(ofFile: pickle.archive(count: count)).first
  }

  /// Attributes of Python's own are the first step to running code; a method of an object is what a partial function has.
  @Test func getattr() throws {
    func message(_ make: (inout PickleText) -> Void) throws -> String? {
      try first(
        PickleText.dictionary { pickle in
          pickle.tensor()
          pickle.code("s")
          pickle.text("x")
          pickle.global("builtins getattr")
          pickle.code("(")
          make(&pickle)
          pickle.code("tR")
        })
    }
    let refused = "x.pt: holds a Python object, builtins.getattr, that only running code could build; nothing was run"
    #expect(
      try message {
        $0.global("builtins dict")
        $0.text("get")
      } == refused)
    #expect(
      try message {
        $0.global("mine Class")
        $0.text("__globals__")
      } == refused)
    #expect(
      try message {
        $0.text("mine")
        $0.text("get")
      } == refused)
    #expect(
      try message {
        $0.global("mine Class")
        $0.text("RED")
      } == nil)
  }

  /// Names that are nobody's: inert, whatever is done with them.
  @Test(arguments: [
    "torch FunnyStorage", "torch.nn.modules.rnn LSTM", "collections OrderedDict.fromkeys", "mine Class",
  ])
  func unknownNames(_ name: String) throws {
    for call in [")R", ")\u{81}", ")}\u{92}", ")R}b", ")RNb", ")R}}\u{86}b", ")R)R", ")R(NNu", ")R(Ne", ")R0}", ""] {
      let pickle = PickleText.dictionary { pickle in
        pickle.tensor()
        pickle.code("s")
        pickle.text("x")
        pickle.global(name)
        pickle.code(call)
      }
      #expect(try refusal(ofFile: pickle.archive()) == [], "\(call)")
    }
    var instance = PickleText()
    instance.code("}")
    instance.text("x")
    instance.code("(imine\nClass\ns")
    instance.text("w")
    instance.tensor()
    instance.code("s.")
    #expect(try refusal(ofFile: instance.archive()) == [])
    // Alone they are nothing to read.
    var alone = PickleText()
    alone.global(name)
    alone.code(")R.")
    #expect(try Checkpoint.reading(alone.archive()).tensors.isEmpty)
  }

  /// What is inert is not looked into, and costs nothing.
  @Test func objectsInThemselves() throws {
    // x.__dict__ = {"a": x}, beside a tensor, then x.__dict__ = x; and a call of it with itself.
    let pickle = PickleText.dictionary { pickle in
      pickle.tensor()
      pickle.code("s")
      pickle.text("x")
      pickle.global("mine Class")
      pickle.code(")\u{81}q\u{7}}")
      pickle.text("a")
      pickle.code("h\u{7}sbh\u{7}bs")
      pickle.text("y")
      pickle.code("h\u{7}h\u{7}\u{85}R")
    }
    #expect(try refusal(ofFile: pickle.archive()) == [])
    // A module in itself.
    var module = PickleText()
    module.global("mine Module")
    module.code(")\u{81}q\u{0}}(")
    module.text("_parameters")
    module.code("}")
    module.text("_modules")
    module.code("}")
    module.text("a")
    module.code("h\u{0}sub.")
    #expect(try first(module) == "x.pt: its pickle has more than 64 values, one in the other")
  }

  /// A hundred thousand objects, each the state of the next, in each other's arguments and items.
  @Test func objectsInEachOther() throws {
    let pickle = PickleText.dictionary { pickle in
      pickle.tensor()
      pickle.code("s")
      pickle.text("x")
      pickle.global("mine Class")
      pickle.code("q\u{0})R")
      for _ in 0..<100_000 { pickle.code("q\u{1}0h\u{0}h\u{1}\u{85}Rh\u{1}b") }
    }
    #expect(try refusal(ofFile: pickle.archive()) == [])
    // The same without a tensor that lies open: looking for one in them ends.
    var alone = PickleText()
    alone.global("mine Class")
    alone.code("q\u{0})R")
    for _ in 0..<100_000 { alone.code("q\u{1}0h\u{0}h\u{1}\u{85}Rh\u{1}b") }
    alone.code(".")
    #expect(try Checkpoint.reading(alone.archive()).tensors.isEmpty)
  }

  /// One text, one dictionary and one stream, given to calls again and again: what they make is counted.
  @Test func callsThatMultiply() throws {
    func repeated(_ name: String, times: Int, _ argument: (inout PickleText) -> Void) throws -> String? {
      var pickle = PickleText()
      pickle.global(name)
      pickle.code("q\u{0}")
      argument(&pickle)
      pickle.code("q\u{1}0")
      for _ in 0..<times { pickle.code("h\u{0}h\u{1}R0") }
      pickle.code("N.")
      return try first(pickle)
    }
    let limit = "x.pt: its pickle has more than 134217728 bytes made of others"
    #expect(
      try repeated("_codecs encode", times: 200) {
        $0.text(String(repeating: "a", count: 1 << 20))
        $0.text("latin1")
        $0.code("\u{86}")
      } == limit)
    #expect(
      try repeated("collections Counter", times: 2000) {
        $0.code("}(")
        for number in 0..<1000 {
          $0.integer(number)
          $0.code("N")
        }
        $0.code("u\u{85}")
      } == limit)
    let stream = PickleText.storage().stream()
    #expect(
      try repeated("torch.storage _load_from_bytes", times: 90_000) {
        $0.bytes(stream)
        $0.code("\u{85}")
      } == "x.pt: its pickle has more than 33554432 bytes about storages")
  }

  /// The bytes of a storage that hold the bytes of a storage, and others that hold no storage.
  @Test func streamsInStreams() throws {
    func message(_ bytes: [UInt8]) throws -> String? {
      var pickle = PickleText()
      pickle.global("torch.storage _load_from_bytes")
      pickle.bytes(bytes)
      pickle.code("\u{85}R.")
      return try first(pickle)
    }
    var inner = PickleText()
    inner.global("torch.storage _load_from_bytes")
    inner.bytes(PickleText.storage().stream())
    inner.code("\u{85}R.")
    #expect(try message(inner.stream())?.contains("a storage that holds its own bytes") == true)
    #expect(try message([])?.contains("ends inside an instruction") == true)
    #expect(try message(Array("N.".utf8))?.contains("the bytes of a storage") == true)
    #expect(try message(PickleText.dictionary { $0.tensor() }.stream())?.contains("the bytes of a storage") == true)
    #expect(try message(PickleText.storage().stream(counts: [7]))?.contains("should have 24 bytes") == true)
    var harmful = PickleText()
    harmful.global("posix system")
    harmful.code(")R.")
    #expect(try message(harmful.stream())?.contains("posix.system") == true)
  }

  /// Arrays whose shape, type and bytes do not go together.
  @Test func arraysThatLie() throws {
    func message(shape: [Int], type: String, order: String = "<", count: Int) throws -> String? {
      try first(
        PickleText.dictionary { pickle in
          pickle.global("numpy.core.multiarray _reconstruct")
          pickle.code("(")
          pickle.global("numpy ndarray")
          pickle.tuple([0])
          pickle.bytes([98])
          pickle.code("tR(K\u{1}")
          pickle.tuple(shape)
          pickle.global("numpy dtype")
          pickle.code("(")
          pickle.text(type)
          pickle.code("\u{89}\u{88}tR(K\u{3}")
          pickle.text(order)
          pickle.code("NNNJ\u{ff}\u{ff}\u{ff}\u{ff}J\u{ff}\u{ff}\u{ff}\u{ff}K\u{0}tb\u{89}")
          pickle.bytes([UInt8](repeating: 0, count: count))
          pickle.code("tb")
        })
    }
    #expect(try message(shape: [2, 3], type: "f4", count: 24) == nil)
    for (shape, type, count) in [
      ([2, 3], "f4", 23), ([2, 3], "f8", 24), ([-1], "f4", 4), ([-2, -3], "f4", 24), ([1 << 40, 1 << 40], "f4", 0),
      ([Int.max], "f8", 8),
    ] {
      #expect(try message(shape: shape, type: type, count: count)?.contains("elements of an array") == true, "\(shape)")
    }
    #expect(try message(shape: [0, 1 << 62, 1 << 62], type: "f4", count: 0)?.hasPrefix("no described") != true)
    #expect(try message(shape: [1], type: "f4", order: "?", count: 4)?.contains("the byte order") == true)
    #expect(try message(shape: [1], type: "O", count: 8) == nil)
    let deep = [Int](repeating: 1, count: 33)
    #expect(
      try message(shape: deep, type: "f4", count: 4) == "x.pt: its pickle has more than 32 dimensions of a tensor")
  }

  /// A tensor of a hundred thousand numbers that is every mean and every deviation: looking for scalers ends.
  @Test func scalersThatMultiply() throws {
    let count = 100_000
    var pickle = PickleText()
    pickle.code("}(")
    pickle.text("w")
    pickle.tensor(shape: [count], strides: [1], count: count)
    pickle.code("q\u{1}")
    for number in 0..<100 {
      pickle.text("scaler\(number)")
      pickle.code("}(")
      for part in 0..<400 {
        pickle.text("a\(part)_mean")
        pickle.code("h\u{1}")
        pickle.text("a\(part)_std")
        pickle.code("h\u{1}")
      }
      pickle.code("u")
    }
    pickle.code("u.")
    let archive = try pickle.archive(count: count)
    var found: [FoundScaler]?
    let time = try processorTime { found = try Checkpoint.reading(archive).foundScalers }
    // A deviation of 0 is none.
    #expect(found?.isEmpty == true)
    #expect(time < .seconds(120))
  }
}
