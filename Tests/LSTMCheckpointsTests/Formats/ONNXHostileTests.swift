import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// ONNX files that lie: a typed error, and never more memory than the file has.
@Suite struct ONNXHostileTests {
  private static func plan(_ bytes: [UInt8], _ folder: TemporaryFolder) throws {
    let path = folder.path("model.onnx")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let checkpoint = try Checkpoint(path: path)
    for tensor in checkpoint.tensors { _ = try tensor.bytes() }
    try LoadPlan(checkpoint).validate()
  }

  private static func refusal(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    let error = #expect(throws: CheckpointError.self) { try plan(bytes, folder) }
    return error?.message.description ?? ""
  }

  private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
    ProtobufMessage.varint(number << 3 | 2) + ProtobufMessage.varint(UInt64(bytes.count)) + bytes
  }

  private static func field(_ number: UInt64, _ value: UInt64) -> [UInt8] {
    ProtobufMessage.varint(number << 3) + ProtobufMessage.varint(value)
  }
  private static func field(_ number: UInt64, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }

  /// A model with these initializers and nodes.
  private static func model(_ tensors: [[UInt8]] = [], nodes: [[UInt8]] = [], more: [UInt8] = []) -> [UInt8] {
    let graph = nodes.flatMap { field(1, $0) } + tensors.flatMap { field(5, $0) } + more
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))
  }

  private static func tensor(_ dims: [UInt64], type: UInt64 = 1, raw: Int = 0, name: String = "W") -> [UInt8] {
    dims.flatMap { field(1, $0) } + field(2, type) + field(8, name) + field(9, [UInt8](repeating: 0, count: raw))
  }

  @Test(arguments: ["made_typed", "made_one_unit", "made_keras_like"])
  func everyPrefixIsRefused(_ name: String) throws {
    let bytes = [UInt8](try Data(contentsOf: fixtures.appendingPathComponent("onnx/\(name).onnx")))
    let folder = try TemporaryFolder()
    for count in 0..<bytes.count {
      #expect(throws: CheckpointError.self, "\(count)") { try Self.plan(Array(bytes[..<count]), folder) }
    }
  }

  @Test func everyPrefixOfWhatIsWrittenIsRefused() throws {
    let folder = try TemporaryFolder()
    let plan = try LoadPlan(Checkpoint(path: fixtures.appendingPathComponent("onnx/made_one_unit.onnx").path))
    let model = StoredModel(plan.configuration, tensors: Array(plan.tensors.values))
    let path = folder.path("written.onnx")
    try model.write(path: path, as: .onnx)
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    try Self.plan(bytes, folder)
    for count in 0..<bytes.count {
      #expect(throws: CheckpointError.self, "\(count)") { try Self.plan(Array(bytes[..<count]), folder) }
    }
  }

  /// Any byte changed: an error or a model, but no crash.
  @Test func everyByteFlippedIsSurvived() throws {
    let bytes = [UInt8](try Data(contentsOf: fixtures.appendingPathComponent("onnx/made_one_unit.onnx")))
    let folder = try TemporaryFolder()
    for index in bytes.indices {
      for mask in [UInt8(0x01), 0x08, 0x80, 0xff] {
        var changed = bytes
        changed[index] ^= mask
        do {
          try Self.plan(changed, folder)
        } catch {
          #expect(error is any DescribedFailure, "\(index): \(error)")
        }
      }
    }
  }

  @Test func aNumberOfMoreThan64Bits() throws {
    let bytes: [UInt8] = Self.field(1, 8) + [0x18] + [UInt8](repeating: 0xff, count: 10) + [1]
    #expect(try Self.refusal(bytes).contains("longer than 64 bits"))
    #expect(try Self.refusal(Self.field(1, 8) + [0x10] + [UInt8](repeating: 0xff, count: 9) + [2]).contains("64 bits"))
  }

  @Test(arguments: [UInt64(100), 1 << 31, 1 << 62, .max])
  func aLengthPastTheEnd(_ length: UInt64) throws {
    #expect(
      try Self.refusal(Self.field(1, 8) + [0x3a] + ProtobufMessage.varint(length)).contains("bytes are announced"))
  }

  @Test(arguments: [UInt8(3), 4, 6, 7])
  func wireTypesThatONNXHasNot(_ wire: UInt8) throws {
    #expect(try Self.refusal(Self.field(1, 8) + [UInt8(7 << 3) | wire]).contains("wire type \(wire)"))
  }

  @Test func fieldZero() throws { #expect(try Self.refusal(Self.field(1, 8) + [0x02, 0]).contains("number 0")) }

  @Test func deepNestingIsPassedOver() throws {
    // Attributes that hold graphs that hold nodes, without end: nobody goes there.
    var graph: [UInt8] = []
    for _ in 0..<3000 {
      graph = Self.field(1, Self.field(4, "If") + Self.field(5, Self.field(1, "g") + Self.field(6, graph)))
    }
    #expect(
      try Self.refusal(Self.field(1, 8) + Self.field(7, graph) + Self.field(8, Self.field(2, 17)))
        .contains("has no output"))
  }

  @Test func shapesThatOverflow() throws {
    let text = try Self.refusal(Self.model([Self.tensor([1 << 39, 1 << 39], raw: 4)]))
    #expect(text.contains("size overflows"))
    #expect(try Self.refusal(Self.model([Self.tensor([.max])])).contains("out of all bounds"))
    #expect(try Self.refusal(Self.model([Self.tensor([UInt64](repeating: 1, count: 33))])).contains("32 dimensions"))
  }

  @Test func sizesThatDisagree() throws {
    #expect(try Self.refusal(Self.model([Self.tensor([1, 16, 3], raw: 188)])).contains("expected 192 bytes"))
    #expect(try Self.refusal(Self.model([Self.tensor([1 << 30, 4], raw: 16)])).contains("found 16"))
    let typed = Self.field(1, 1 << 33) + Self.field(2, 1) + Self.field(8, "W") + Self.field(4, [0, 0, 0, 0])
    #expect(try Self.refusal(Self.model([typed])).contains("expected 8589934592 elements"))
    let odd = Self.field(1, 1) + Self.field(2, 1) + Self.field(8, "W") + Self.field(4, [0, 0, 0])
    #expect(try Self.refusal(Self.model([odd])).contains("cut off"))
  }

  @Test func namesThatClash() throws {
    let one = Self.tensor([1], raw: 4)
    #expect(try Self.refusal(Self.model([one, one])).contains("two tensors named \"W\""))
    #expect(try Self.refusal(Self.model([Self.tensor([1], raw: 4, name: "")])).contains("without a name"))
    let node = Self.field(2, "W") + Self.field(4, "Identity") + Self.field(1, "W")
    #expect(try Self.refusal(Self.model([one], nodes: [node])).contains("given twice"))
  }

  @Test func twoGraphsAndNone() throws {
    let graph = Self.field(7, [UInt8]())
    #expect(try Self.refusal(Self.field(1, 8) + graph + graph).contains("two graphs"))
    #expect(try Self.refusal(Self.field(1, 8) + Self.field(8, Self.field(2, 17))).contains("no graph"))
    #expect(try Self.refusal(Self.field(1, 8) + graph).contains("which version of the operators"))
  }

  @Test(arguments: [
    "../secret", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "C:x", "a\0b", String(repeating: "a", count: 300), "link",
    "absent",
  ])
  func externalDataElsewhere(_ location: String) throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: "/etc/passwd")
    let external = Self.field(13, Self.field(1, "location") + Self.field(2, location))
    let tensor = Self.field(1, 1) + Self.field(2, 1) + Self.field(8, "W") + Self.field(14, 1) + external
    let path = folder.path("model.onnx")
    try Data(Self.model([tensor])).write(to: URL(fileURLWithPath: path))
    let unasked = #expect(throws: CheckpointError.self) { _ = try Checkpoint(path: path) }
    #expect(unasked?.advice.first?.contains("allowsExternalData") == true)
    #expect(throws: CheckpointError.self) { _ = try Checkpoint(path: path, allowsExternalData: true) }
  }

  @Test(arguments: ["-4", "1", "4096", "9223372036854775807", "x"])
  func externalDataPastTheEnd(_ offset: String) throws {
    let folder = try TemporaryFolder()
    try Data([0, 0, 0, 0]).write(to: folder.url.appendingPathComponent("data"))
    let external =
      Self.field(13, Self.field(1, "location") + Self.field(2, "data"))
      + Self.field(13, Self.field(1, "offset") + Self.field(2, offset))
    let tensor = Self.field(1, 1) + Self.field(2, 1) + Self.field(8, "W") + Self.field(14, 1) + external
    let path = folder.path("model.onnx")
    try Data(Self.model([tensor])).write(to: URL(fileURLWithPath: path))
    #expect(throws: CheckpointError.self) { _ = try Checkpoint(path: path, allowsExternalData: true) }
  }

  @Test func weightsThatDoNotGoTogether() throws {
    func node(_ more: [UInt8] = []) -> [UInt8] {
      ["x", "W", "R"].flatMap { Self.field(1, $0) } + Self.field(2, "y") + Self.field(4, "LSTM") + more
    }
    func refusal(_ w: [UInt64], _ r: [UInt64]) throws -> String {
      func bytes(_ dims: [UInt64]) -> Int { 4 * dims.reduce(1) { $0 * Int($1) } }
      return try Self.refusal(
        Self.model(
          [Self.tensor(w, raw: bytes(w)), Self.tensor(r, raw: bytes(r), name: "R")], nodes: [node()]))
    }
    #expect(try refusal([1, 16, 3], [1, 16, 5]).contains("the recurrent weight (4H, H)"))
    #expect(try refusal([2, 16, 3], [1, 16, 4]).contains("the first 1"))
    #expect(try refusal([1, 15, 3], [1, 15, 4]).contains("four gates"))
    #expect(try refusal([16, 3], [16, 4]).contains("of 3 dimensions"))
    #expect(
      try refusal([1, 0, 3], [1, 0, 4]).contains("at least 1")
        || (try refusal([1, 0, 3], [1, 0, 4])).contains("gates"))
  }

  // MARK: - Graphs

  private static func node(_ operation: String, _ inputs: [String], _ output: String, _ more: [UInt8] = []) -> [UInt8] {
    inputs.flatMap { field(1, $0) } + field(2, output) + field(4, operation) + more
  }

  /// W and R of one LSTM, the input x (T, N, 3) and what is to be done to W.
  private static func graph(_ nodes: [[UInt8]], weight: String) -> [UInt8] {
    let sizes = [UInt64(5), 2, 3].flatMap { field(1, field(1, $0)) }
    let type = field(1, field(1, 1) + field(2, sizes))
    let input = field(11, field(1, "x") + field(2, type))
    let lstm = node("LSTM", ["x", weight, "R"], "y")
    return model(
      [tensor([1, 16, 3], raw: 192), tensor([1, 16, 4], raw: 256, name: "R")], nodes: nodes + [lstm],
      more: input + field(12, field(1, "y")))
  }

  @Test func aGraphThatIsSound() throws {
    let folder = try TemporaryFolder()
    try Self.plan(Self.graph([], weight: "W"), folder)
    try Self.plan(Self.graph([Self.node("Identity", ["W"], "V")], weight: "V"), folder)
  }

  /// Views of views are calls in calls: their number is bounded.
  @Test func viewsWithoutEnd() throws {
    let axis = Self.field(5, Self.field(1, "axis") + Self.field(3, 0) + Self.field(20, 2))
    let nodes = (0..<50000).map { Self.node("Concat", [$0 == 0 ? "W" : "v\($0)"], "v\($0 + 1)", axis) }
    let text = try Self.refusal(Self.graph(nodes, weight: "v50000"))
    #expect(text.contains("is not understood"), "\(text)")
  }

  /// A small file that asks for a large tensor.
  @Test func copiesWithoutEnd() throws {
    let axis = Self.field(5, Self.field(1, "axis") + Self.field(3, 1) + Self.field(20, 2))
    let nodes = (0..<40).map { step -> [UInt8] in
      let name = step == 0 ? "W" : "v\(step)"
      return Self.node("Concat", [String](repeating: name, count: 1000), "v\(step + 1)", axis)
    }
    let text = try Self.refusal(Self.graph(nodes, weight: "v40"))
    #expect(text.contains("is not understood"), "\(text)")
  }

  private static func call(_ operation: String, _ input: String, _ output: String) -> [UInt8] {
    field(1, input) + field(2, output) + field(4, operation) + field(7, "own")
  }

  private static func function(_ name: String, calls: [String]) -> [UInt8] {
    let nodes = calls.enumerated().flatMap { index, other in
      field(7, call(other, index == 0 ? "x" : "v\(index - 1)", index == calls.count - 1 ? "y" : "v\(index)"))
    }
    return field(25, field(1, name) + field(4, "x") + field(5, "y") + nodes + field(10, "own"))
  }

  @Test func functionsThatCallThemselves() throws {
    let bytes = Self.model(nodes: [Self.call("f", "x", "y")]) + Self.function("f", calls: ["f"])
    #expect(try Self.refusal(bytes).contains("call each other"))
  }

  /// Each calls the one before fifty times: far more nodes than any model has.
  @Test func functionsThatGrow() throws {
    let names = (0..<8).map { "f\($0)" }
    let functions = names.indices.flatMap { index in
      Self.function(names[index], calls: [String](repeating: index == 0 ? "Relu" : names[index - 1], count: 50))
    }
    let bytes = Self.model(nodes: [Self.call("f7", "x", "y")]) + functions
    #expect(try Self.refusal(bytes).contains("written out"))
  }

  @Test func twoFunctionsOfOneName() throws {
    let function = Self.function("f", calls: ["Relu"])
    #expect(try Self.refusal(Self.model() + function + function).contains("two functions"))
  }
}
