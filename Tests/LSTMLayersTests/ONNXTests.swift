import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// ONNX models as exporters write them: what is in them, and ONNX Runtime's numbers.
@Suite struct ONNXTests {
  static let names = fixtureNames(in: "onnx", suffix: ".onnx")
  static let refused: [String: String] = [
    "input_forget": "it couples the input and the forget gate",
    "other_hard_sigmoid": "known are 0.2 x + 0.5 and x / 6 + 0.5",
    "initial_state": "its initial_h is (1, 3, 4), not one for all sequences",
    "fixed_lengths": "its sequence_lens \"lengths\" are neither",
    "reversed_steps": "its output \"y\" has its steps in reverse order",
    "external": "lies in another file, \"external.onnx.data\"",
  ]
  /// No plain stacks, and computed all the same: the layers that they are.
  static let graphs: [String: String] = [
    "clip": "lstm", "relu_cell": "lstm", "reverse_alone": "lstm", "gru": "gru", "leaky_relu": "lstm activation",
    "dense_before": "dense lstm", "residual": "lstm add",
  ]

  static func path(_ name: String) -> String { fixtures.appendingPathComponent("onnx/\(name).onnx").path }

  static func batch(_ golden: Golden) throws -> SequenceBatch {
    if golden.has("tokens") {
      let tokens = try golden.tensor("tokens")
      let (n, t) = (tokens.shape[0], tokens.shape[1])
      return try SequenceBatch(tokens: golden.integers("tokens").map(Int32.init), count: n, steps: t)
    }
    return try SequenceBatch(golden.tensor("x"))
  }

  @Test func thereAreFortyCases() { #expect(Self.names.count >= 43) }

  @Test(arguments: names)
  func givesTheSameNumbers(_ name: String) throws {
    let golden = try Golden("onnx/\(name).reference.h5")
    let plan = try LoadPlan(Checkpoint(path: Self.path(name)))
    try plan.validate()
    #expect(plan.configuration.summary == (try golden.text("summary")))
    #expect(plan.configuration.plain.layers[0].bias.rawValue == (try golden.text("bias")))
    #expect(plan.report.layout == .onnx)
    let model = try LSTMModel(plan)
    let y = try model(Self.batch(golden)).output
    let expected = try golden.tensor("y")
    #expect(y.shape == expected.shape)
    #expect(largestDifference(y.values, expected.values) <= 2e-6)
  }

  /// What is written has the same tensors, and read back the same configuration, bytes and numbers.
  @Test(arguments: names)
  func comesBackFromAnExport(_ name: String) throws {
    let folder = try TemporaryFolder()
    let model = try LSTMModel(Checkpoint(path: Self.path(name)))
    try model.write(path: folder.path("a.onnx"), as: .onnx)
    let again = try LSTMModel(Checkpoint(path: folder.path("a.onnx")))
    #expect(again.configuration == model.configuration)
    for (one, other) in zip(model.stored.tensors, again.stored.tensors) {
      #expect(one.dataType == other.dataType && one.shape == other.shape)
      #expect(try one.bytes() == other.bytes(), "\(one.name)")
    }
    try again.write(path: folder.path("b.onnx"), as: .onnx)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder.path("a.onnx")))
        == Data(contentsOf: URL(fileURLWithPath: folder.path("b.onnx"))))
  }

  @Test(arguments: refused.keys.sorted())
  func refusesWhatCannotBeDescribed(_ name: String) throws {
    let error = #expect(throws: CheckpointError.self) {
      _ = try LSTMModel(Checkpoint(path: Self.path("refused/\(name)")))
    }
    let text = error?.message ?? ""
    #expect(text.contains(Self.refused[name] ?? "?"), "\(text)")
  }

  @Test(arguments: graphs.keys.sorted())
  func whatIsNoPlainStackIsAGraph(_ name: String) throws {
    let plan = try LoadPlan(Checkpoint(path: Self.path("refused/\(name)")))
    #expect(plan.report.isComplete && plan.configuration.stack == nil)
    #expect(plan.configuration.layers.map(\.kind.kind).joined(separator: " ") == Self.graphs[name])
  }

  /// A graph that rounds says so, whatever it reads; one whose weights are only stored in 16 bits rounds nothing.
  @Test(arguments: [("refused/float16_tokens", true), ("made_float16", false)])
  func roundingIsSaid(_ name: String, _ rounds: Bool) throws {
    let plan = try LoadPlan(Checkpoint(path: Self.path(name)))
    #expect(plan.report.notes.contains { $0.contains("rounds to 16 bits") } == rounds, "\(plan.report.notes)")
  }

  /// What a graph computes it says.
  @Test(arguments: ["leaky_relu", "residual"])
  func aConfigurationCannotSayOtherThanTheGraph(_ name: String) throws {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4)], readout: .all)
    let error = #expect(throws: CheckpointError.self) {
      _ = try LoadPlan(
        Checkpoint(path: Self.path("refused/\(name)")), options: LoadOptions(configuration: configuration))
    }
    #expect(error?.message.contains("itself says") == true)
  }

  @Test func aConfigurationCannotContradictTheGates() throws {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4)], readout: .all)
    #expect(throws: CheckpointError.self) {
      _ = try LoadPlan(
        Checkpoint(path: Self.path("made_hard_sigmoid")), options: LoadOptions(configuration: configuration))
    }
  }

  @Test func externalDataIsReadWhenAllowed() throws {
    let checkpoint = try Checkpoint(path: Self.path("refused/external"), allowsExternalData: true)
    #expect(try checkpoint["W"]?.floats().count == 48)
    _ = try LSTMModel(checkpoint)
  }

  /// Every readout and kind of layer, with all activations of heads, through a file.
  @Test(arguments: PlainStack.Readout.allCases, [false, true])
  func everyModelComesBack(_ readout: PlainStack.Readout, skip: Bool) throws {
    let layers: [PlainStack.Layer] = [
      .init(hiddenSize: 3, isBidirectional: true, bias: .single, gateActivation: .hardSigmoidKeras3),
      .init(hiddenSize: 5, bias: .none, gateActivation: .hardSigmoid),
      .init(hiddenSize: 2, isBidirectional: readout != .last, bias: .dual, hasPeepholes: true),
    ]
    let head: [PlainStack.Dense] = [
      .init(size: 4, activation: .relu), .init(size: 4, hasBias: false, activation: .tanh),
      .init(size: 3, activation: .sigmoid), .init(size: 2, activation: .softmax),
    ]
    let folder = try TemporaryFolder()
    for input in [PlainStack.Input.features(size: 3), .tokens(vocabulary: 7, size: 3)] {
      for normalizes in [false, true] {
        let configuration = ModelConfiguration(
          input: input, layers: layers, skip: skip, readout: readout, head: normalizes ? [] : head,
          normalizesOutput: normalizes)
        let model = LSTMModel(configuration, seed: 3)
        let path = folder.path("m.onnx")
        try model.write(path: path, as: .onnx)
        let plan = try LoadPlan(Checkpoint(path: path))
        #expect(plan.configuration == configuration)
        #expect(!plan.report.notes.contains { $0.contains("is not used") }, "\(plan.report.notes)")
        let again = try LSTMModel(plan)
        for (one, other) in zip(model.stored.tensors, again.stored.tensors) {
          #expect(one.name == other.name)
          #expect(try one.bytes() == other.bytes(), "\(one.name)")
        }
      }
    }
  }

  @Test func aProjectionIsRefused() throws {
    let model = LSTMModel(
      ModelConfiguration(input: .features(size: 3), layers: [.init(hiddenSize: 4, projectionSize: 2)]))
    let folder = try TemporaryFolder()
    let error = #expect(throws: CheckpointError.self) {
      try model.write(path: folder.path("m.onnx"), as: .onnx)
    }
    #expect(error?.message.contains("has a projection, which ONNX' LSTM has not") == true)
    #expect(!FileManager.default.fileExists(atPath: folder.path("m.onnx")))
  }

  @Test func aForgetOffsetGoesIntoTheBias() throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .features(size: 3), layers: [.init(hiddenSize: 4, bias: .single, forgetOffset: 1)], readout: .last))
    let folder = try TemporaryFolder()
    try model.write(path: folder.path("m.onnx"), as: .onnx)
    let again = try LSTMModel(Checkpoint(path: folder.path("m.onnx")))
    #expect(again.configuration.plain.layers[0].forgetOffset == 0)
    #expect(again.configuration.plain.layers[0].bias == .single)
    let x = Tensor(shape: [2, 5, 3], values: (0..<30).map { Float($0 % 7) * 0.3 - 1 })
    #expect(largestDifference(try model(x).output.values, try again(x).output.values) <= 1e-6)
  }
}

/// The JSON that RTNeural reads.
@Suite struct RTNeuralTests {
  private struct File: Decodable {
    struct Layer: Decodable {
      enum Weights: Decodable {
        case vector([Float])
        case matrix([[Float]])

        init(from decoder: any Decoder) throws {
          let value = try decoder.singleValueContainer()
          if let rows = try? value.decode([[Float]].self) {
            self = .matrix(rows)
          } else {
            self = .vector(try value.decode([Float].self))
          }
        }

        var flat: [Float] {
          switch self {
          case .vector(let values): values
          case .matrix(let rows): rows.flatMap { $0 }
          }
        }
      }

      let type: String
      let activation: String
      let shape: [Int?]
      let weights: [Weights]
    }

    let inputShape: [Int?]
    let layers: [Layer]

    enum CodingKeys: String, CodingKey {
      case inputShape = "in_shape"
      case layers
    }
  }

  @Test func holdsKerasWeights() throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .features(size: 2), layers: [.init(hiddenSize: 3, bias: .single)], readout: .all,
        head: [.init(size: 1, hasBias: false, activation: .tanh)]), seed: 4)
    let folder = try TemporaryFolder()
    let written = try model.write(path: folder.path("m.json"), as: .rtneural)
    #expect(written.map(\.target).last == "layers[1].weights[1]")
    let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(fileURLWithPath: folder.path("m.json"))))
    #expect(file.inputShape == [nil, nil, 2])
    #expect(file.layers.map(\.type) == ["lstm", "dense"])
    #expect(file.layers.map(\.activation) == ["", "tanh"])
    #expect(file.layers.map { $0.shape.last ?? nil } == [3, 1])
    let weight = try #require(model["lstm.weight_ih_l0"]).values
    let kernel = file.layers[0].weights[0].flat
    for row in 0..<12 { for column in 0..<2 { #expect(kernel[column * 12 + row] == weight[row * 2 + column]) } }
    #expect(file.layers[0].weights[2].flat == model["lstm.bias_ih_l0"]?.values)
    #expect(file.layers[1].weights[0].flat == model["head.0.weight"]?.values)
    #expect(file.layers[1].weights[1].flat == [0])
  }

  @Test func refusesWhatItCannotHold() throws {
    let one = PlainStack.Layer(hiddenSize: 3, bias: .single)
    let features = PlainStack.Input.features(size: 2)
    let cases: [(ModelConfiguration, String)] = [
      (.init(input: .tokens(vocabulary: 4, size: 2), layers: [one]), "an embedding"),
      (.init(input: features, layers: [.init(hiddenSize: 3, isBidirectional: true, bias: .single)]), "two directions"),
      (.init(input: features, layers: [.init(hiddenSize: 3, projectionSize: 2, bias: .single)]), "a projection"),
      (.init(input: features, layers: [.init(hiddenSize: 3, bias: .single, hasPeepholes: true)]), "peepholes"),
      (.init(input: features, layers: [.init(hiddenSize: 3)]), "two biases"),
      (.init(input: features, layers: [one], readout: .mean), "the readout mean"),
      (.init(input: features, layers: [one], normalizesOutput: true), "an L2 normalization"),
    ]
    let folder = try TemporaryFolder()
    for (configuration, reason) in cases {
      let error = #expect(throws: CheckpointError.self) {
        try LSTMModel(configuration).write(path: folder.path("m.json"), as: .rtneural)
      }
      #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }
  }
}
