import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct ModelConfigurationTests {
  private func read(_ text: String) throws(CheckpointError) -> ModelConfiguration {
    try ModelConfiguration(json: Data(text.utf8), file: "model.json")
  }

  @Test func whatHasAUsualValueMayBeLeftOut() throws {
    let configuration = try read(#"{"input": {"features": 8}, "layers": [{"hidden": 64}], "head": [{"size": 2}]}"#)
    let layer = PlainStack.Layer(
      hiddenSize: 64, isBidirectional: false, projectionSize: nil, bias: .dual, gateActivation: .sigmoid,
      hasPeepholes: false)
    let expected = ModelConfiguration(
      input: .features(size: 8), layers: [layer], skip: false, readout: nil,
      head: [.init(size: 2, hasBias: true, activation: .none)], normalizesOutput: false)
    #expect(configuration == expected)
    #expect(try read(#"{"input": {"features": 8}, "layers": [{"hidden": 64, "projection": null}]}"#).plain.head.isEmpty)
  }

  @Test func everythingGoesThereAndBack() throws {
    for readout in PlainStack.Readout.allCases.map(Optional.init) + [nil] {
      for gates in PlainStack.GateActivation.allCases {
        for bias in PlainStack.Bias.allCases {
          let configuration = ModelConfiguration(
            input: .tokens(vocabulary: 465, size: 100),
            layers: [
              .init(hiddenSize: 7),
              .init(
                hiddenSize: 9, isBidirectional: true, projectionSize: 3, bias: bias, gateActivation: gates,
                hasPeepholes: true, forgetOffset: bias == .none ? 0 : -0.5),
            ], skip: true, readout: readout,
            head: PlainStack.Activation.allCases.map { .init(size: 4, hasBias: false, activation: $0) },
            normalizesOutput: true, readoutActivation: gates == .sigmoid ? .none : .relu)
          #expect(try read(configuration.json) == configuration)
        }
      }
    }
  }

  @Test func equalConfigurationsGiveEqualText() throws {
    let text = #"{"layers": [{"hidden": 2}], "input": {"features": 1}}"#
    #expect(
      try read(text).json == #"{"input":{"features":1},"layers":[{"bias":"dual","bidirectional":false,"hidden":2}]}"#)
  }

  /// The text and what is said about it.
  static let mistakes: [(text: String, message: String)] = [
    (
      #"{"input": {"features": 8}, "layers": [{"hiden": 64}]}"#,
      "layers[0]: unknown key \"hiden\"; known are hidden, bidirectional, projection, bias, gates, peepholes, "
        + "forget_offset"
    ),
    (
      #"{"input": {"features": 8}, "layer": []}"#,
      "unknown key \"layer\"; known are input, layers, skip, readout, head, normalize, mask, tied, readout_activation"
    ),
    (#"{"input": {"features": 8}}"#, "\"layers\" is missing"),
    (#"{"layers": [{"hidden": 1}]}"#, "\"input\" is missing"),
    (#"{"input": {"features": 8}, "layers": []}"#, "layers: expected at least one layer, found none"),
    (#"{"input": {"features": 8}, "layers": {"hidden": 1}}"#, "layers: expected a list in brackets"),
    (#"{"input": 8, "layers": []}"#, "input: expected an object in braces"),
    (#"{"input": {"features": 0}, "layers": []}"#, "input.features: expected a size from 1 to 16777216, found 0"),
    (#"{"input": {"features": "8"}, "layers": []}"#, "input.features: expected a whole number"),
    (
      #"{"input": {"features": 1.5}, "layers": []}"#,
      "input.features: expected a whole number"
    ),
    (#"{"input": {"features": null}, "layers": []}"#, "input.features: expected a whole number, found null"),
    (#"{"input": {}, "layers": []}"#, "input: \"vocabulary\" is missing"),
    (#"{"input": {"vocabulary": 4}, "layers": []}"#, "input: \"embedding\" is missing"),
    (
      #"{"input": {"features": 4, "embedding": 2}, "layers": []}"#,
      "input.embedding: features and tokens exclude each other"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4}, {"hidden": -4}]}"#,
      "layers[1].hidden: expected a size from 1 to 16777216, found -4"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4, "projection": 0}]}"#,
      "layers[0].projection: expected a size from 1 to 16777216, found 0"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4, "bidirectional": "yes"}]}"#,
      "layers[0].bidirectional: expected true or false"
    ),
    (#"{"input": {"features": 1}, "layers": [{"hidden": 4, "bias": true}]}"#, "layers[0].bias: expected a text"),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4, "bias": "duel"}]}"#,
      "layers[0].bias: expected one of none, single, dual, found \"duel\"; did you mean dual?"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4, "bias": "none", "forget_offset": 1}]}"#,
      "layers[0].forget_offset: expected a finite number, and a bias to add it to"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4, "forget_offset": "1"}]}"#,
      "layers[0].forget_offset: expected a number"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4}], "readout": "first"}"#,
      "readout: expected one of all, last, final, mean, max, attention, found \"first\""
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4}], "head": [{"size": 1, "activation": "gelu"}]}"#,
      "head[0].activation: expected one of none, relu, tanh, sigmoid, softmax, found \"gelu\"; did you mean relu?"
    ),
    (
      #"{"input": {"features": 1}, "layers": [{"hidden": 4}], "normalize": "l1"}"#,
      "normalize: expected \"l2\" or \"none\", found \"l1\""
    ),
  ]

  @Test(arguments: mistakes)
  func aMistakeIsNamedByItsKey(_ text: String, _ message: String) {
    let error = #expect(throws: CheckpointError.self) { try read(text) }
    #expect(error?.message == "model.json: not a model configuration: \(message)")
    #expect(error?.category == .badInput)
  }

  @Test func whatIsNoJSONSaysWhere() {
    let error = #expect(throws: CheckpointError.self) { try read("{\n  \"input\": oops }") }
    #expect(error?.message.description.hasPrefix("model.json: not a model configuration: not valid JSON: ") == true)
    #expect(error?.message.contains("Invalid value around ") == true)
    #expect(error?.message.contains("\n") == false)
  }

  @Test func moreLayersThanAnyModelHas() {
    let layers = [String](repeating: #"{"hidden": 16777216}"#, count: 1001).joined(separator: ",")
    let error = #expect(throws: CheckpointError.self) {
      try read(#"{"input": {"features": 1}, "layers": [\#(layers)]}"#)
    }
    #expect(
      error?.message == "model.json: not a model configuration: layers: expected at most 1000 layers, found 1001")
  }

  @Test func theLargestConfigurationIsCountedWithoutOverflow() throws {
    let layer = PlainStack.Layer(
      hiddenSize: ModelConfiguration.sizeLimit, isBidirectional: true, hasPeepholes: true)
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: ModelConfiguration.sizeLimit, size: ModelConfiguration.sizeLimit),
      layers: .init(repeating: layer, count: PlainStack.depthLimit), skip: true, readout: .attention,
      head: .init(repeating: .init(size: ModelConfiguration.sizeLimit), count: PlainStack.depthLimit))
    #expect(configuration.parameterCount > 1 << 60)
  }

  /// Each of its layers can be counted, all of them cannot.
  @Test func moreParametersThanCanBeCounted() throws {
    let wide = "16384 features of 16777216 steps -> flat: flatten"
    let dense = (1...4).map { " -> d\($0): dense 8388608 from flat" }
    #expect(try ModelConfiguration(line: wide + dense[0]).parameterCount > 1 << 60)
    let error = #expect(throws: ModelConfiguration.LineError.self) {
      try ModelConfiguration(line: wide + dense.joined())
    }
    #expect(error?.detail.contains("more than 2^63 parameters") == true)
  }

  @Test func parametersComeInPyTorchsOrder() {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 11, size: 5),
      layers: [.init(hiddenSize: 4, isBidirectional: true, projectionSize: 3), .init(hiddenSize: 2, bias: .single)],
      skip: true, readout: .attention, head: [.init(size: 6), .init(size: 1, hasBias: false)])
    let layer0 = ["", "_reverse"].flatMap { direction in
      [("weight_ih", [16, 5]), ("weight_hh", [16, 3]), ("bias_ih", [16]), ("bias_hh", [16]), ("weight_hr", [3, 4])]
        .map { ("lstm.\($0.0)_l0\(direction)", $0.1) }
    }
    let rest: [(String, [Int])] = [
      ("lstm.weight_ih_l1", [8, 6]), ("lstm.weight_hh_l1", [8, 2]), ("lstm.bias_ih_l1", [8]),
      ("attention.weight", [1, 13]), ("head.0.weight", [6, 13]), ("head.0.bias", [6]), ("head.1.weight", [1, 6]),
    ]
    let expected = [("embedding.weight", [11, 5])] + layer0 + rest
    #expect(configuration.parameters.map(\.name) == expected.map(\.0))
    #expect(configuration.parameters.map(\.shape) == expected.map(\.1))
  }
}
