import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// One test for each lie that a safetensors file can tell, and for each that an index can.
@Suite struct SafetensorsTests {
  private func file(_ header: String, data: Int = 8, length: UInt64? = nil) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: length ?? UInt64(header.utf8.count))
    return bytes + Array(header.utf8) + [UInt8](repeating: 1, count: data)
  }

  private func message(_ header: String, data: Int = 8, length: UInt64? = nil) throws -> String? {
    try refusal(ofFile: file(header, data: data, length: length), named: "x.safetensors").first
      .map { String($0.dropFirst("x.safetensors: ".count)) }
  }

  private let honest = #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#

  @Test func honestOnes() throws {
    #expect(try message(honest) == nil)
    #expect(try message("{}", data: 0) == nil)
    #expect(try message(honest + "   ") == nil)
    #expect(try message(#"{ "w" : {"data_offsets":[ 0 , 8 ],"shape":[ ],"dtype":"F64"} }"#) == nil)
    #expect(
      try message(
        #"{"a":{"dtype":"F32","shape":[0,5],"data_offsets":[0,0]},"\u00fc\ud83d\ude00":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#
      ) == nil)
  }

  /// MLX writes null where it has nothing to say.
  @Test func metadataThatIsNull() throws {
    let null = #"{"__metadata__": null,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    #expect(try message(null) == nil)
    #expect(try Checkpoint.reading(file(null), named: "x.safetensors").metadata.isEmpty)
    #expect(try message(#"{"__metadata__":nul}"#)?.hasPrefix("its header is damaged: expected") == true)
    #expect(try message(#"{"w":null}"#, data: 0)?.hasPrefix("its header is damaged: expected") == true)
    #expect(
      try message(#"{"__metadata__":null,"__metadata__":null}"#, data: 0)?.contains("__metadata__") == true)
  }

  @Test func lengthsThatLie() throws {
    #expect(
      try message(honest, length: 100_000_001)
        == "claims a header of 100000001 bytes; at most 100000000 are accepted")
    #expect(try message(honest, length: 5000) == "expected a header of 5000 bytes, found \(honest.utf8.count + 8)")
    #expect(
      try message(honest, data: 7)
        == "expected a file of \(honest.utf8.count + 16) bytes by its header, found \(honest.utf8.count + 15)")
    #expect(try message(honest, data: 9)?.hasPrefix("expected a file of") == true)
    #expect(try message("{}", data: 1)?.hasPrefix("expected a file of") == true)
  }

  @Test(arguments: [
    #"{"w":"#, #"{"w":1}"#, #"{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#,
    #"{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
    #"{"w":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#,
    #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]}}"#, #"{} x"#, #"{"a\q":{}}"#,
    #"{"\ud800":{}}"#, #"{"\u12":{}}"#, #"{"w":{"dtype":F32}}"#, #"{"__metadata__":{"a":1}}"#, #"{"a" {}}"#, #"{,}"#,
  ])
  func headersThatAreNotWhatTheyShouldBe(_ header: String) throws {
    #expect(try message(header)?.hasPrefix("its header is damaged: expected") == true)
  }

  @Test func aHeaderThatIsNotUTF8() throws {
    var bytes = file(honest)
    bytes[10] = 0xff
    #expect(try refusal(ofFile: bytes).first?.contains("its header is damaged: expected text in UTF-8") == true)
  }

  @Test func keys() throws {
    func entry(_ name: String, _ fields: String) -> String { #"{"\#(name)":{\#(fields)}}"# }
    #expect(
      try message(entry("w", #""dtype":"F32","shape":[2]"#))
        == "tensor \"w\": its data_offsets is missing in the header")
    #expect(
      try message(entry("w", #""dtype":"F32","data_offsets":[0,8]"#))
        == "tensor \"w\": its shape is missing in the header")
    #expect(
      try message(entry("w", #""shape":[2],"data_offsets":[0,8]"#))
        == "tensor \"w\": its dtype is missing in the header")
    #expect(
      try message(entry("w", #""dtype":"F32","dtype":"F32""#))
        == "tensor \"w\": \"dtype\" occurs twice in the header")
    #expect(
      try message(entry("w", #""type":"F32""#))
        == "tensor \"w\": has \"type\" in the header; expected dtype, shape and data_offsets")
    let twice = honest.dropLast() + "," + honest.dropFirst()
    #expect(try message(String(twice)) == "\"w\" occurs twice in the header")
    let deep = "[" + [String](repeating: "1", count: 33).joined(separator: ",") + "]"
    #expect(try message(entry("w", #""shape":"# + deep)) == "more than 32 dimensions")
  }

  @Test func offsetsAndSizes() throws {
    func two(_ first: String, _ second: String) -> String {
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":\#(first)},"b":{"dtype":"F32","shape":[1],"data_offsets":\#(second)}}"#
    }
    #expect(try message(two("[0,4]", "[4,8]")) == nil)
    #expect(try message(two("[4,8]", "[0,4]")) == nil)
    #expect(try message(two("[0,4]", "[0,4]")) == "tensor \"b\": expected to begin at byte 4 of the data, found 0")
    #expect(try message(two("[0,4]", "[2,6]"))?.contains("expected to begin at byte 4") == true)
    #expect(try message(two("[0,4]", "[8,12]"), data: 12)?.contains("expected to begin at byte 4") == true)
    #expect(try message(two("[4,8]", "[8,12]"), data: 12)?.contains("expected to begin at byte 0") == true)
    #expect(try message(two("[0,4]", "[4,2]"))?.contains("expected to begin at byte 4") == true)
    #expect(try message(two("[0,5]", "[5,8]")) == "tensor \"a\": expected 4 bytes by shape and type, found 5")
    #expect(
      try message(#"{"w":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,8]}}"#)
        == "tensor \"w\": its shape (4294967296, 4294967296, 4) holds more than any file")
    #expect(
      try message(#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,9223372036854775807]}}"#)?
        .hasPrefix("expected a file of 9223372036854775807 bytes") == true)
  }

  // MARK: - Indices

  private func index(_ json: String, in folder: TemporaryFolder) throws -> [String] {
    let path = folder.path("model.safetensors.index.json")
    try Data(json.utf8).write(to: URL(fileURLWithPath: path))
    do {
      _ = try Checkpoint(path: path)
      return []
    } catch let error as any DescribedFailure {
      return ([error.message] + error.advice).map { $0.description.replacing(folder.url.path + "/", with: "") }
    }
  }

  @Test func indicesThatLie() throws {
    let folder = try TemporaryFolder()
    let name = "model.safetensors.index.json: "
    try Data(file(honest)).write(to: URL(fileURLWithPath: folder.path("one.safetensors")))
    #expect(try index(#"{"weight_map":{"w":"one.safetensors"}}"#, in: folder) == [])
    for shard in ["../one.safetensors", "/etc/passwd", "", ".", "..", #"a\\b"#] {
      #expect(
        try index(#"{"weight_map":{"w":"\#(shard)"}}"#, in: folder).first?.contains("the name of a file beside it")
          == true)
    }
    #expect(
      try index(#"{"weight_map":{"w":"two.safetensors"}}"#, in: folder) == ["two.safetensors: no such file"])
    #expect(
      try index(#"{"weight_map":{"w":"one.safetensors","v":"one.safetensors"}}"#, in: folder)
        == [name + "tensor \"v\": expected in one.safetensors, which does not hold it"])
    try Data(file(honest.replacing("\"w\"", with: "\"v\""))).write(
      to: URL(fileURLWithPath: folder.path("two.safetensors")))
    #expect(
      try index(#"{"weight_map":{"w":"two.safetensors"}}"#, in: folder).first?.contains("which does not hold it")
        == true)
    #expect(try index(#"{"weight_map":{"w":1}}"#, in: folder).first?.contains("a file's name for each tensor") == true)
  }

  @Test func jsonThatIsNoIndex() throws {
    let folder = try TemporaryFolder()
    let name = "model.safetensors.index.json"
    #expect(
      try index(#"{"input":{"features":3},"layers":[{"hidden":4}]}"#, in: folder) == [
        "\(name): is a model's configuration, which holds no weights",
        "give the weights first, and this file as configuration \(name)",
      ])
    #expect(
      try index(#"{"a":1,"b":2}"#, in: folder) == [
        "\(name): is JSON, but not the index of a safetensors checkpoint: it has no weight_map", "it has a, b",
      ])
    #expect(try index("{", in: folder).first?.contains("begins like JSON, but is none") == true)
  }
}
