import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Values that contradict each other reach no trap through what reads files: they are read, or are errors.
@Suite struct ContradictionTests {
  private struct Maker {
    var random: SplitMix

    mutating func pick<Value>(_ values: [Value]) -> Value { values.randomElement(using: &random) ?? values[0] }

    mutating func isOneOf(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &random) == 0 }

    mutating func number() -> Any {
      pick([
        -1, 0, 1, 2, 3, 4, 16, 1 << 24, 1 << 24 + 1, 1 << 40, Int.max, Int.min, 1.5, 1e300, -0.0, "4", NSNull(), [4],
      ])
    }

    /// Mostly a size that can be.
    mutating func size() -> Any { isOneOf(6) ? number() : pick([1, 2, 3, 4, 1 << 24]) }

    /// The JSON of a plain stack.
    mutating func stack() -> [String: Any] {
      var object: [String: Any] = [:]
      object["input"] =
        isOneOf(2) ? ["features": size()] : ["vocabulary": size(), "embedding": size(), "padding_index": size()]
      object["layers"] = (0..<pick([0, 1, 2, 3])).map { _ -> [String: Any] in
        var layer: [String: Any] = ["hidden": size()]
        if isOneOf(2) { layer["bidirectional"] = isOneOf(2) }
        if isOneOf(4) { layer["projection"] = size() }
        if isOneOf(3) { layer["bias"] = pick(["none", "single", "dual", "both"]) }
        if isOneOf(4) { layer["peepholes"] = true }
        if isOneOf(6) { layer["forget_offset"] = number() }
        return layer
      }
      if isOneOf(2) { object["readout"] = pick(["all", "last", "final", "mean", "max", "attention", "none"]) }
      if isOneOf(2) { object["head"] = (0..<pick([0, 1, 2])).map { _ in ["size": size(), "bias": isOneOf(2)] } }
      if isOneOf(3) { object["skip"] = true }
      if isOneOf(4) { object["normalize"] = pick(["l2", "none", "l1"]) }
      if isOneOf(4) { object["readout_activation"] = pick(["relu", "tanh", "softmax"]) }
      if isOneOf(4) { object["mask"] = isOneOf(2) ? ["token": size()] : ["value": number()] }
      if isOneOf(4) {
        let names = ["embedding.weight", "head.0.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "head.1.weight"]
        object["tied"] = [[pick(names), pick(names)]]
      }
      return object
    }

    mutating func floats() -> [Any] {
      (0..<pick([0, 1, 2, 3])).map { _ in isOneOf(6) ? number() : pick([0.5, 1, 2]) }
    }
  }

  @Test func descriptionsOfStacks() throws {
    var maker = Maker(random: SplitMix(state: 1))
    var read = 0
    for _ in 0..<4000 {
      let json = try JSONSerialization.data(withJSONObject: maker.stack())
      guard let configuration = try? ModelConfiguration(json: json, file: "x.json") else { continue }
      _ = (configuration.parameterCount, configuration.line, configuration.places.count, configuration.stack?.summary)
      read += 1
    }
    // Otherwise nothing was tried.
    #expect(read > 400 && read < 3600, "\(read)")
  }

  @Test func scalers() throws {
    var maker = Maker(random: SplitMix(state: 2))
    var read = 0
    for _ in 0..<4000 {
      var object: [String: Any] = ["mean": maker.floats(), "deviation": maker.floats()]
      if maker.isOneOf(2) { object["minimum"] = maker.floats() }
      if maker.isOneOf(2) { object["maximum"] = maker.floats() }
      if maker.isOneOf(2) { object["range"] = maker.floats() }
      object["key"] = "scaler"
      object["kind"] = "mean and std"
      object["isForAll"] = maker.isOneOf(2)
      let json = try JSONSerialization.data(withJSONObject: object)
      if let scaler = try? JSONDecoder().decode(Scaler.self, from: json) {
        #expect(scaler.mean.count == scaler.deviation.count && scaler.isUsable)
        read += 1
      }
      if let found = try? JSONDecoder().decode(FoundScaler.self, from: json) {
        #expect(Scaler(found).columns == found.columns)
        read += 1
      }
    }
    #expect(read > 100, "\(read)")
  }

  /// Nothing, in the shape of more than any memory: each of these ended the program.
  @Test(arguments: [
    ["lstm.weight_ih_l0": [16, 3], "lstm.weight_hh_l0": [16, 4], "lstm.weight_hr_l0": [0, 1 << 62]],
    ["a.in_proj_weight": [0, 1 << 62], "a.out_proj.weight": [4, 4]], ["embedding.weight": [0, 1 << 62]],
  ]) func emptyTensorsOfEndlessShapes(_ shapes: [String: [Int]]) throws {
    let folder = try TemporaryFolder()
    var header: [String: Any] = [:]
    var end = 0
    for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) {
      let count = 4 * (elementCount(shape) ?? 0)
      header[name] = ["dtype": "F32", "shape": shape, "data_offsets": [end, end + count]] as [String: Any]
      end += count
    }
    let json = try JSONSerialization.data(withJSONObject: header)
    let file = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) } + json + Data(count: end)
    try file.write(to: URL(fileURLWithPath: folder.path("x.safetensors")))
    let read = try Checkpoint(path: folder.path("x.safetensors"))
    #expect(read.skipped.map(\.reason) == ["its shape (0, 4611686018427387904) is beyond any memory"])
    _ = try? LoadPlan(read).report.failureSummary
  }

  @Test func shapesOfTensors() throws {
    var maker = Maker(random: SplitMix(state: 3))
    let parts = [
      "lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0", "lstm.weight_hr_l0",
      "lstm.weight_ih_l0_reverse", "lstm.weight_hh_l0_reverse", "lstm.weight_ih_l1", "lstm.weight_hh_l1",
      "embedding.weight", "fc.weight", "fc.bias", "conv1.weight", "norm.running_mean", "attention.weight",
    ]
    let sizes = [0, 1, 3, 4, 12, 16, 1 << 24, 1 << 30, 1 << 62]
    for _ in 0..<1500 {
      let shapes = parts.filter { $0.contains("l0") ? !maker.isOneOf(8) : maker.isOneOf(5) }.map { name in
        let isVector = name.contains("bias") || name.contains("mean")
        return (
          name, (0..<(maker.isOneOf(12) ? 3 : isVector ? 1 : 2)).map { _ in maker.isOneOf(4) ? maker.pick(sizes) : 16 }
        )
      }
      // What is too large for any memory is never read here.
      var made = checkpoint(shapes)
      made.tensors = made.tensors.map { tensor in
        StoredTensor(name: tensor.name, shape: tensor.shape, dataType: .float32) {
          guard tensor.byteCount < 1 << 20 else {
            throw CheckpointError.corrupt(tensor: tensor.name, detail: "too large")
          }
          return [UInt8](repeating: 0, count: tensor.byteCount)
        }
      }
      guard let plan = try? LoadPlan(made.withoutEndlessShapes()) else { continue }
      _ = (plan.report.failureSummary, plan.configuration.line, plan.configuration.parameterCount)
    }
  }
}
