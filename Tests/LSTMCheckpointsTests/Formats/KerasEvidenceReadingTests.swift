import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct KerasEvidenceReadingTests {
  private typealias Layers = [(name: String, weights: [(String, [Int])])]

  private func found(_ layers: Layers) -> [KerasFoundLayer]? {
    let structure = KerasStructure(
      weights: .layers(layers.map { layer in .init(name: layer.name, weights: layer.weights.map(\.0)) }),
      version: KerasVersion("2.15.0"), model: nil)
    return structure.foundLayers(Dictionary(uniqueKeysWithValues: layers.flatMap(\.weights)))
  }

  private func recurrent(_ name: String, _ gates: Int) -> (name: String, weights: [(String, [Int])]) {
    (
      name,
      [
        ("\(name)/\(name)/cell_cell/kernel:0", [3, 4 * gates]),
        ("\(name)/\(name)/cell_cell/recurrent_kernel:0", [4, 4 * gates]),
        ("\(name)/\(name)/cell_cell/bias:0", gates == 3 ? [2, 12] : [4 * gates]),
      ]
    )
  }

  @Test func classesAreToldByNamesAndShapes() throws {
    let layers = try #require(
      found([
        ("input_1", []), recurrent("encoder", 3), recurrent("lstm_2", 4), recurrent("simple", 1), ("dropout", []),
        ("global_max_pooling1d", []),
        (
          "mine",
          [
            ("mine/mine/gamma:0", [4]), ("mine/mine/beta:0", [4]), ("mine/mine/moving_mean:0", [4]),
            ("mine/mine/moving_variance:0", [4]),
          ]
        ),
        ("out", [("out/out/kernel:0", [4, 2]), ("out/out/bias:0", [2])]),
      ]))
    #expect(
      layers.map(\.className) == [
        "InputLayer", "GRU", "LSTM", "SimpleRNN", "Dropout", "GlobalMaxPooling1D", "BatchNormalization", "Dense",
      ])
    #expect(layers[1].config["reset_after"] == .bool(true))
  }

  /// What computes something that nothing tells, or is of a class that is not known, has no place anywhere.
  @Test(arguments: ["lambda", "reshape", "my_layer", "minimum", "dot", "additive_attention"])
  func layersWithoutWeightsThatCompute(_ name: String) {
    #expect(found([("input_1", []), recurrent("lstm", 4), (name, [])]) == nil)
  }

  /// `TimeDistributed(LSTM)` runs over a sequence within each step: taken for an LSTM it would compute something else.
  @Test func recurrentLayersWithinSteps() throws {
    let within = recurrent("time_distributed_1", 4), above = recurrent("lstm", 4)
    let groups = [within, above].map { KerasStructure.Group(name: $0.name, weights: $0.weights.map(\.0)) }
    var tree = KerasTree()
    for (index, path) in ["time_distributed/layer/cell", "lstm/cell"].enumerated() {
      let names = (["layers"] + path.split(separator: "/").map(String.init))[...]
      for number in 0..<3 { tree.add("\(index)/\(number)", at: names) }
    }
    for (weights, isRefused) in [
      (KerasStructure.Weights.layers(groups), true), (.layers([groups[1]]), false), (.objects(tree), true),
    ] {
      let structure = KerasStructure(weights: weights, version: KerasVersion("2.15.0"), model: nil)
      let evidence = KerasEvidence(structure, file: "m.h5", options: LoadOptions())
      guard isRefused else {
        try evidence.check()
        continue
      }
      let error = #expect(throws: CheckpointError.self) { try evidence.check() }
      #expect(error?.message.contains("(TimeDistributed) runs a recurrent layer") == true)
    }
  }

  /// What computes is named, and nothing advises to leave it out.
  @Test(arguments: [(3, "within each step"), (4, "over pictures")])
  func aConvolutionIsRefusedByName(_ test: (rank: Int, of: String)) throws {
    let (within, above) = ("time_distributed/time_distributed", recurrent("lstm", 4))
    let layers: Layers = [
      ("time_distributed", [("\(within)/bias:0", [3]), ("\(within)/kernel:0", [Int](repeating: 3, count: test.rank))]),
      above,
    ]
    let structure = KerasStructure(
      weights: .layers(layers.map { .init(name: $0.name, weights: $0.weights.map(\.0)) }),
      version: KerasVersion("2.15.0"), model: nil)
    let candidates = layers.flatMap(\.weights).map { name, shape in
      let tensor = StoredTensor(name: name, shape: shape, dataType: .float32) {
        [UInt8](repeating: 0, count: 4 * shape.reduce(1, *))
      }
      return Candidate(name: name, tensor: tensor)
    }
    let error = #expect(throws: CheckpointError.self) {
      try structure.translate(candidates, file: "m.h5", options: LoadOptions())
    }
    #expect(error?.message.contains("a convolution \(test.of)") == true, "\(error?.message ?? "")")
    #expect(error?.advice.contains { "\($0)".contains("unexpected") } == false)
  }

  @Test func aNormalizationOfGroupsIsNoLayerNormalization() {
    let tensors = [
      ("group_normalization/group_normalization/gamma:0", [4]), ("group_normalization/group_normalization/beta:0", [4]),
    ]
    let groups = found([recurrent("lstm", 4), ("group_normalization", tensors)])
    #expect(groups?.last?.className == "GroupNormalization")
    #expect(found([recurrent("lstm", 4), ("layer_normalization", tensors)])?.last?.className == "LayerNormalization")
  }

  /// Python's `marshal` of a function: names and constants are read, and nothing is run.
  @Test func namesInTheCodeOfALambda() throws {
    func form(_ code: String) -> KerasLambda.Form? {
      KerasLambda(["function": ["class_name": "__lambda__", "config": ["code": .string(code)]]])?.form
    }
    #expect(form("not base64") == nil && form("") == nil)
    #expect(form(String(Self.sum.prefix(40))) == nil)
    // lambda xin: K.sum(xin, axis=1)
    #expect(form(Self.sum) == .sum)
    // lambda x: ops.max(x, -2)
    #expect(form(Self.max) == .max)
    // lambda x: K.sum(K.abs(x), axis=1), K.sum(x), tf.reduce_mean(x, axis=1, keepdims=True), x[:, -1, :]
    for other in [Self.sumOfMagnitudes, Self.sumOfAll, Self.kept, Self.last] { #expect(form(other) == nil) }
    func mayReadOut(_ code: String) -> Bool? { KerasLambda(["function": [.string(code)]])?.mayReadOut }
    #expect(mayReadOut(Self.last) == true && mayReadOut(Self.sumOfAll) == true)
    #expect(mayReadOut(Self.sumOfMagnitudes) == false && mayReadOut(Self.kept) == false)
    let old = KerasLambda(["function": [.string(Self.sum + "\n"), nil, nil]])
    #expect(old?.form == .sum)
  }

  private static let sumOfMagnitudes =
    "YwEAAAAAAAAAAAAAAAUAAAADAAAA82oAAACXAHQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB0AAAAAAAAAAAAAACgAgAAAAAAAAAAAAAA"
    + "AAAAAAAAAAAAfACmAQAAqwEAAAAAAAAAAGQBrAKmAgAAqwIAAAAAAAAAAFMAKQNO6QEAAAApAdoEYXhpcykD2gFL2gNzdW3aA2FicykB2gF4cwEAAAAg"
    + "+gg8c3RyaW5nPvoIPGxhbWJkYT5yCAAAAAEAAABzIAAAAIAAjSGPJYollQGXBZIFkGGRCJQImHGIJdEKIdQKIYAA8wAAAAA="
  private static let sum =
    "YwEAAAAAAAAAAAAAAAQAAAADAAAA8zoAAACXAHQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB8AGQBrAKmAgAAqwIAAAAAAAAAAFMAKQNO"
    + "6QEAAAApAdoEYXhpcykC2gFL2gNzdW0pAdoDeGlucwEAAAAg+gg8c3RyaW5nPvoIPGxhbWJkYT5yBwAAAAEAAABzFgAAAIAAjUGPRYpFkCOYQYhF0Qwe"
    + "1AwegADzAAAAAA=="
  private static let kept =
    "YwEAAAAAAAAAAAAAAAUAAAADAAAA8zwAAACXAHQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB8AGQBZAKsA6YDAACrAwAAAAAAAAAAUwAp"
    + "BE7pAQAAAFQpAtoEYXhpc9oIa2VlcGRpbXMpAtoCdGbaC3JlZHVjZV9tZWFuKQHaAXhzAQAAACD6CDxzdHJpbmc++gg8bGFtYmRhPnIIAAAAAQAAAHMY"
    + "AAAAgACNIo8uii6YEaARqFSILtEKMtQKMoAA8wAAAAA="
  private static let sumOfAll =
    "YwEAAAAAAAAAAAAAAAMAAAADAAAA8zYAAACXAHQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB8AKYBAACrAQAAAAAAAAAAUwApAU4pAtoB"
    + "S9oDc3VtKQHaAXhzAQAAACD6CDxzdHJpbmc++gg8bGFtYmRhPnIFAAAAAQAAAHMQAAAAgACNIY8liiWQAYkojCiAAPMAAAAA"
  private static let last =
    "YwEAAAAAAAAAAAAAAAUAAAADAAAA8yAAAACXAHwAZABkAIUCZAFkAGQAhQJmAxkAAAAAAAAAAABTACkCTun/////qQApAdoBeHMBAAAAIPoIPHN0cmlu"
    + "Zz76CDxsYW1iZGE+cgUAAAABAAAAcxgAAACAAIghiEGIQYhBiHKQMZAxkDGISIwrgADzAAAAAA=="
  private static let max =
    "YwEAAAAAAAAAAAAAAAQAAAADAAAA8zgAAACXAHQAAAAAAAAAAAAAAKABAAAAAAAAAAAAAAAAAAAAAAAAAAB8AGQBpgIAAKsCAAAAAAAAAABTACkCTun+"
    + "////KQLaA29wc9oDbWF4KQHaAXhzAQAAACD6CDxzdHJpbmc++gg8bGFtYmRhPnIGAAAAAQAAAHMSAAAAgACNI48niieQIZBSiS6MLoAA8wAAAAA="
}

@Suite struct KerasNormalizationTests {
  /// Mean, variance and count go back byte for byte, and by the same names.
  @Test(arguments: [
    ("keras-graph/k2_adapted.keras", Checkpoint.Format.kerasArchive), ("keras-graph/k3_adapted.keras", .kerasArchive),
    ("keras-graph/k2_adapted_alike.keras", .kerasArchive), ("keras-graph/k3_adapted_alike.keras", .kerasArchive),
    ("wild/keras-kinds/normalization.keras", .kerasArchive), ("wild/keras-kinds/normalization.h5", .kerasH5),
    ("wild/keras-kinds/normalization_tf.h5", .kerasH5),
  ])
  func thereAndBack(_ name: String, _ format: Checkpoint.Format) throws {
    let source = try Checkpoint(path: fixtures.appendingPathComponent(name).path)
    let plan = try LoadPlan(source)
    try plan.validate()
    let place = try TemporaryFolder()
    try plan.imported().write(path: place.path("m"), as: format)
    let written = try Checkpoint(path: place.path("m"))
    let statistics = source.tensors.filter { $0.name.contains("normalization/") && !$0.name.contains("batch") }
    #expect(statistics.count == 3, "\(source.tensors.map(\.name))")
    for tensor in statistics {
      let found = try #require(written[tensor.name], "\(tensor.name): \(written.tensors.map(\.name))")
      #expect(found.shape == tensor.shape && found.dataType == tensor.dataType, "\(tensor.name)")
      #expect(try found.bytes() == tensor.bytes(), "\(tensor.name)")
    }
  }

  /// A mean that is large for its deviation is taken off first.
  @Test(arguments: [2, 3]) func theMeanIsACenter(_ major: Int) throws {
    let plan = try LoadPlan(
      Checkpoint(path: fixtures.appendingPathComponent("keras-graph/k\(major)_adapted.keras").path))
    let kind = try #require(plan.configuration.layers.first?.kind as? Layer.Rescale)
    #expect(kind.hasCenter)
    let name = plan.configuration.layers[0].name
    #expect(try #require(plan.tensors["\(name).center"]).floats()[0] > 4.9e4)
    #expect(try #require(plan.tensors["\(name).offset"]).floats() == [0, 0, 0])
  }
}
