import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct CheckpointDifferenceTests {
  private func difference(_ a: StoredTensor, _ b: StoredTensor) throws -> CheckpointDifference.Values? {
    let found = try CheckpointDifference(Checkpoint(tensors: [a]), Checkpoint(tensors: [b]))
    #expect(found.isEqual == (found.values.isEmpty && found.dataTypes.isEmpty))
    return found.values.first
  }

  @Test(arguments: ["golden-models/awd.h5", "golden-dtypes/bfloat16_be.h5"])
  func aFileEqualsItself(_ path: String) throws {
    let found = try CheckpointDifference(goldenCheckpoint(path), goldenCheckpoint(path))
    #expect(found.isEqual)
    #expect(found.largest == 0)
    #expect(found.identical.count == (try goldenCheckpoint(path).tensors.count))
  }

  @Test func byteOrderIsNoDifference() throws {
    let found = try CheckpointDifference(
      goldenCheckpoint("golden-dtypes/f4.h5"), goldenCheckpoint("golden-dtypes/f4_be.h5"))
    #expect(found.isEqual)
  }

  @Test func namesShapesAndTypes() throws {
    let first = Checkpoint(tensors: [
      tensor("a", .float32, [1]), tensor("b", .float32, [1, 2]), tensor("c", .float32, [1, 2]),
      tensor("d", .float32, [0.1]),
    ])
    let second = Checkpoint(tensors: [
      tensor("e", .float32, [1]), tensor("b", .float32, [1, 2], shape: [2, 1]), tensor("c", .float64, [1, 2]),
      tensor("d", .float64, [0.1]),
    ])
    let found = try CheckpointDifference(first, second)
    #expect(found.onlyInFirst == ["a"])
    #expect(found.onlyInSecond == ["e"])
    #expect(found.shapes == [.init(name: "b", first: [2], second: [2, 1])])
    #expect(found.dataTypes.map(\.name) == ["c", "d"])
    // The same number in another type is the same value; 0.1 is another number in float64.
    #expect(found.values.map(\.name) == ["d"])
    #expect(found.largest == abs(Double(Float(0.1)) - 0.1))
    #expect(found.identical.isEmpty)
    #expect(!found.isEqual)
  }

  @Test func theLargestDifferenceAndItsPlace() throws {
    let a = tensor("x", .float32, [0, 1, 2, 3, 4, 5], shape: [2, 3])
    let b = tensor("x", .float32, [0, 1, 2.5, 3, 2, 5], shape: [2, 3])
    let found = try #require(try difference(a, b))
    #expect(found.differingCount == 2)
    #expect(found.largest == 2)
    #expect(found.index == [1, 1])
    #expect(found.nonFiniteCount == 0)
    #expect(found.gates == nil)
  }

  @Test(arguments: ["lstm.weight_ih_l0", "m/lstm/weight_hh_l1_reverse", "cell.bias_hh"])
  func gates(_ name: String) throws {
    let a = tensor(name, .float64, .init(repeating: 1, count: 16), shape: [8, 2])
    var values = [Double](repeating: 1, count: 16)
    values[1] = 2  // row 0: i
    values[9] = 5  // row 4: g
    values[15] = -1  // row 7: o
    let found = try #require(try difference(a, tensor(name, .float64, values, shape: [8, 2])))
    #expect(found.gates == .init(i: 1, f: 0, g: 4, o: 2))
    #expect(found.index == [4, 1])
  }

  @Test(arguments: ["lstm.weight_hr_l0", "lstm.peephole_l0", "fc.weight"])
  func tensorsWithoutGates(_ name: String) throws {
    let found = try difference(tensor(name, .float32, [1, 2, 3, 4]), tensor(name, .float32, [1, 2, 3, 5]))
    #expect(found?.gates == nil)
    #expect(found?.largest == 1)
  }

  @Test func nanEqualsItsOwnBits() throws {
    #expect(try difference(tensor("x", .float32, [.nan, 1]), tensor("x", .float32, [.nan, 1])) == nil)
    let against = try #require(try difference(tensor("x", .float32, [.nan, 1]), tensor("x", .float32, [2, 1.5])))
    #expect(against.differingCount == 2)
    #expect(against.nonFiniteCount == 1)
    #expect(against.largest == 0.5)
    #expect(against.index == [1])
    let quiet = StoredTensor(name: "x", shape: [1], dataType: .float32) { [1, 0, 0xc0, 0x7f] }
    let payload = try #require(try difference(tensor("x", .float32, [.nan]), quiet))
    #expect(payload.nonFiniteCount == 1)
    // Across types only the value can be compared.
    #expect(try difference(tensor("x", .float32, [.nan]), tensor("x", .float64, [.nan])) == nil)
    let infinite = try difference(tensor("x", .float16, [.infinity]), tensor("x", .float16, [-.infinity]))
    #expect(infinite?.nonFiniteCount == 1)
  }

  @Test func negativeZeroIsAnotherValue() throws {
    let found = try #require(try difference(tensor("x", .float32, [0, 0]), tensor("x", .float32, [0, -0.0])))
    #expect(found.differingCount == 1)
    #expect(found.largest == 0)
    #expect(found.index == [1])
  }

  @Test func scalarsAndEmptyTensors() throws {
    let scalar = try difference(tensor("x", .int64, [3], shape: []), tensor("x", .int64, [5], shape: []))
    #expect(scalar?.largest == 2)
    #expect(scalar?.index == [])
    #expect(try difference(tensor("x", .int64, [], shape: [0, 3]), tensor("x", .int64, [], shape: [0, 3])) == nil)
    // Fewer values than gates.
    #expect(
      try difference(tensor("bias_ih_l0", .int8, [], shape: [0]), tensor("bias_ih_l0", .int8, [], shape: [0])) == nil)
  }

  @Test func groupsAndDotsAreTheSameName() throws {
    let found = try CheckpointDifference(
      Checkpoint(tensors: [tensor("a/b", .int8, [1])]), Checkpoint(tensors: [tensor("a.b", .int8, [1])]))
    #expect(found.isEqual)
  }

  @Test func aModelIsComparedWithItsSourceByTheSourcesNames() throws {
    let source = try goldenCheckpoint("golden-models/prefix_module.h5")
    let plan = try LoadPlan(source)
    var stored = try plan.imported()
    #expect(try CheckpointDifference(Checkpoint(stored), source).isEqual)
    #expect(try CheckpointDifference(source, Checkpoint(stored)).isEqual)
    let place = try #require(stored.tensors.firstIndex { $0.name == "head.0.bias" })
    stored.tensors[place] = StoredTensor(name: "head.0.bias", shape: [5], values: .init(repeating: 9, count: 5))
    let found = try CheckpointDifference(Checkpoint(stored), source)
    #expect(found.values.map(\.name) == ["module.decoder.bias"])
    #expect(found.identical.count == plan.tensors.count - 1)
  }

  @Test func configurationAndPreprocessing() throws {
    func model(_ readout: PlainStack.Readout, _ preprocessing: Preprocessing) -> Checkpoint {
      Checkpoint(
        tensors: [],
        configuration: .init(input: .features(size: 1), layers: [.init(hiddenSize: 1)], readout: readout),
        preprocessing: preprocessing)
    }
    let (none, scaled) = (Preprocessing(), Preprocessing(inputScaler: Scaler(mean: [1], deviation: [2])))
    #expect(try CheckpointDifference(model(.last, scaled), model(.last, scaled)).isEqual)
    let readout = try CheckpointDifference(model(.last, none), model(.mean, none))
    #expect(readout.configurationDiffers)
    #expect(!readout.isEqual)
    let scaler = try CheckpointDifference(model(.last, scaled), model(.last, none))
    #expect(scaler.preprocessingDiffers)
    #expect(!scaler.isEqual)
    #expect(try CheckpointDifference(model(.last, none), checkpoint([])).isEqual)
  }

  @Test func itIsJSON() throws {
    let found = try CheckpointDifference(
      Checkpoint(tensors: [tensor("weight_ih_l0", .float32, [1, .nan, .infinity, 3])]),
      Checkpoint(tensors: [tensor("weight_ih_l0", .float32, [1, 2, 3, .nan])]))
    let again = try JSONDecoder().decode(CheckpointDifference.self, from: JSONEncoder().encode(found))
    #expect(again == found)
  }
}
