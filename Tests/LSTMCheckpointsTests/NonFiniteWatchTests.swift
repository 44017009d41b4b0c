import Foundation
import TestSupport
import Testing

@testable import FileIO
@testable import LSTMCheckpoints

@Suite struct NonFiniteWatchTests {
  private static let types: [DataType] = [.float16, .bfloat16, .float32, .float64]

  @Test(arguments: types)
  func countsWhileATensorIsRead(_ type: DataType) throws {
    let plain = StoredTensor(
      name: "w", shape: [2, 3], values: [1, 2, 0, .infinity, .nan, -.infinity])
    let watch = NonFiniteWatch()
    let tensor = watch.watching(plain.converted(to: type))
    #expect(watch.findings.isEmpty)
    // Read twice, as a writer may do, they are counted once.
    for _ in 0..<2 {
      try tensor.forEachPiece { _ in }
      #expect(watch.findings.map(\.nanCount) == [1])
      #expect(watch.findings.map(\.infiniteCount) == [2])
      #expect(watch.findings.map(\.index) == [[1, 0]])
    }
    #expect(try tensor.bytes() == plain.converted(to: type).bytes())
    #expect(
      watch.notes(sources: ["w": "fc.weight"]) == [
        "fc.weight has 1 NaN and 2 infinite values, the first at (1, 0) of (2, 3): what reads them computes NaN"
      ])
  }

  @Test func finiteTensorsAreNotMentioned() throws {
    let watch = NonFiniteWatch()
    let extremes: [Float] = [0, -0.0, .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude]
    _ = try watch.watching(StoredTensor(name: "a", shape: [5], values: extremes)).bytes()
    let whole = StoredTensor(name: "b", shape: [1], dataType: .int32) { [0xff, 0xff, 0xff, 0xff] }
    _ = try watch.watching(whole).bytes()
    #expect(watch.findings.isEmpty)
  }

  /// A tensor that comes in pieces, its one NaN in the last of them.
  @Test func placesGoOnFromPieceToPiece() throws {
    let folder = try TemporaryFolder()
    let count = 3 * ByteSource.pieceByteCount / 4 + 5
    var values = [Float](repeating: 1, count: count)
    values[count - 2] = .nan
    let path = folder.path("x.safetensors")
    try StoredTensor.write(
      [StoredTensor(name: "w", shape: [count], values: values)], path: path, as: .safetensors)
    let watch = NonFiniteWatch()
    var pieces = 0
    for tensor in try Checkpoint(path: path).tensors { try watch.watching(tensor).forEachPiece { _ in pieces += 1 } }
    #expect(pieces == 4)
    #expect(watch.findings.map(\.first) == [count - 2])
  }
}
