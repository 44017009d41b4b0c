import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// `lstm-ft verify`, without the command line.
@Suite struct VerificationTests {
  static let cases = ["l2_bi_i5_h7_p3_n3_t5", "l3_uni_i5_h1_nobias_n1_t100", "packed_l2_bi_i6_h7_n5_t9"]

  /// A golden case as a model and as the reference that a script would have written.
  private func golden(_ name: String) throws -> (LSTMModel, [StoredTensor]) {
    let golden = try Golden("golden-lstm/\(name).h5")
    var model = LSTMModel(try PyTorchGoldenTests.configuration(golden))
    for (parameter, value) in try golden.tensors(in: "weights") { try model.set(parameter, to: value) }
    var stored = try [("x", "x"), ("y", "y"), ("h", "h_n"), ("c", "c_n"), ("h0", "h0"), ("c0", "c0")].map { name, key in
      let tensor = try golden.tensor(key)
      return StoredTensor(name: name, shape: tensor.shape, values: tensor.values)
    }
    if golden.has("lengths") {
      let lengths = try golden.integers("lengths")
      stored.append(StoredTensor(name: "lengths", shape: [lengths.count], values: lengths.map(Float.init)))
    }
    return (model, stored)
  }

  @Test(arguments: cases) func agreesWithPyTorch(_ name: String) throws {
    let (model, stored) = try golden(name)
    let verification = try Verification(model, against: Checkpoint(tensors: stored, path: "reference"))
    #expect(verification.parts.map(\.name) == ["y", "h", "c"])
    #expect(verification.agrees)
  }

  @Test func aChangeIsFoundWithItsPlace() throws {
    let (model, stored) = try golden(Self.cases[0])
    let changed = try stored.map { tensor in
      guard tensor.name == "c" else { return tensor }
      var values = try tensor.floats()
      values[values.count - 1] += 0.5
      return StoredTensor(name: "c", shape: tensor.shape, values: values)
    }
    let verification = try Verification(model, against: Checkpoint(tensors: changed, path: "reference"))
    #expect(!verification.agrees)
    let part = try #require(verification.parts.last)
    #expect(part.name == "c")
    #expect(part.index == part.shape.map { $0 - 1 })
    #expect(abs(part.largest - 0.5) < 1e-5)
    #expect(verification.parts.dropLast().allSatisfy { $0.relative <= 2e-6 })
  }

  @Test func notANumberNeverAgrees() throws {
    let (model, stored) = try golden(Self.cases[1])
    let changed = try stored.map { tensor in
      guard tensor.name == "y" else { return tensor }
      var values = try tensor.floats()
      values[0] = .nan
      return StoredTensor(name: "y", shape: tensor.shape, values: values)
    }
    #expect(try !Verification(model, against: Checkpoint(tensors: changed, path: "reference"), tolerance: 1e30).agrees)
  }

  @Test func statesOfLayersThatDifferInSize() throws {
    let configuration = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 3), .init(hiddenSize: 2, isBidirectional: true)])
    let model = LSTMModel(configuration, seed: 3)
    let x = Tensor(shape: [2, 4, 2], values: (0..<16).map { Float($0) / 8 - 1 })
    let start = LSTMState(
      hidden: [[2, 3], [2, 2], [2, 2]].map {
        Tensor(shape: $0, values: [Float](repeating: 0.25, count: $0[0] * $0[1]))
      },
      cell: [[2, 3], [2, 2], [2, 2]].map { Tensor(shape: $0, values: [Float](repeating: -0.5, count: $0[0] * $0[1])) })
    let (y, state) = try model(x, state: start)
    var stored = [("x", x), ("y", y)]
    for (index, name) in ["l0", "l1", "l1_reverse"].enumerated() {
      stored += [("h_\(name)", state.hidden[index]), ("c_\(name)", state.cell[index])]
      stored += [("h0_\(name)", start.hidden[index]), ("c0_\(name)", start.cell[index])]
    }
    let reference = Checkpoint(tensors: stored.map { StoredTensor(name: $0, shape: $1.shape, values: $1.values) })
    let verification = try Verification(model, against: reference, tolerance: 0)
    #expect(verification.agrees)
    #expect(verification.parts.count == 7)
  }

  @Test(arguments: [
    ("x", "reference: has no x, the input to run"),
    ("y", "reference: has none of y, h and c, the arrays to compare"),
  ])
  func whatIsMissingIsNamed(_ missing: String, _ message: String) throws {
    let (model, stored) = try golden(Self.cases[1])
    let left = stored.filter { $0.name != missing && !(missing == "y" && ["h", "c"].contains($0.name)) }
    let error = #expect(throws: VerificationError.self) {
      try Verification(model, against: Checkpoint(tensors: left, path: "reference"))
    }
    #expect(error?.message.description == message)
  }

  @Test(arguments: ["normalization.keras", "normalization_tf.h5"])
  func whatTheSourceScaledIsComparedAsTheSourceHasIt(_ name: String) throws {
    let folder = fixtures.appendingPathComponent("wild/keras-kinds")
    let model = try LSTMModel(Checkpoint(path: folder.appendingPathComponent(name).path))
    #expect(model.preprocessing.inputScaler != nil)
    let golden = folder.appendingPathComponent(name.split(separator: ".")[0] + ".npz").path
    #expect(try Verification(model, against: Checkpoint(path: golden)).agrees)
  }

  @Test func anotherShapeIsRefused() throws {
    let (model, stored) = try golden(Self.cases[1])
    let changed = stored.map { $0.name == "y" ? StoredTensor(name: "y", shape: [1], values: [0]) : $0 }
    let error = #expect(throws: VerificationError.self) {
      try Verification(model, against: Checkpoint(tensors: changed, path: "reference"))
    }
    #expect(error?.message == "reference: y: the model gives (1, 100, 1), the reference has (1,)")
  }
}
