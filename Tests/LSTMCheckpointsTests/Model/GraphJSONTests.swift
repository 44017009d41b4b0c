import FileIO
import Foundation
import Testing

@testable import LSTMCheckpoints

/// The JSON form of a graph of layers.
@Suite struct GraphJSONTests {
  private func read(_ text: String) throws(CheckpointError) -> ModelConfiguration {
    try ModelConfiguration(json: Data(text.utf8), file: "model.json")
  }

  /// A model of features with these layers.
  private static func model(_ layers: String, _ more: String = "") -> String {
    #"{"input": {"features": 8}, "layers": [\#(layers)]\#(more)}"#
  }

  @Test func theDesignsExampleIsItsLine() throws {
    let text = #"""
      { "input": { "features": 8 },
        "layers": [
          { "name": "conv1",  "kind": "convolution", "size": 32, "kernel": 5, "padding": "same", "activation": "relu" },
          { "name": "norm1",  "kind": "batch_norm" },
          { "name": "layer0", "kind": "lstm", "size": 64, "bidirectional": true },
          { "name": "layer1", "kind": "lstm", "size": 64 },
          { "name": "last",   "kind": "readout", "take": "last" },
          { "name": "act",    "kind": "activation", "activation": "relu" },
          { "name": "head.0", "kind": "dense", "size": 3, "activation": "softmax" } ] }
      """#
    #expect(
      try read(text).line
        == "8 features -> conv 32 kernel 5 same relu -> batch norm -> biLSTM 64 -> LSTM 64 -> last: last"
        + " -> act: relu -> dense 3 softmax")
  }

  @Test func whatIsUsualIsNotWritten() throws {
    let model = try ModelConfiguration(line: "8 features -> GRU 4 -> last -> add from readout, readout -> dense 1")
    #expect(
      try model.json == #"{"input":{"features":8},"layers":[{"kind":"gru","name":"layer0","size":4},"#
        + #"{"kind":"readout","name":"readout","take":"last"},"#
        + #"{"from":["readout","readout"],"kind":"add","name":"add1"},{"kind":"dense","name":"head.0","size":1}]}"#)
  }

  @Test func aPlainStackIsWrittenAsInTheFirstEdition() throws {
    let model = try ModelConfiguration(line: "8 features -> LSTM 4 -> last -> dense 1")
    #expect(
      try model.json == #"{"head":[{"activation":"none","bias":true,"size":1}],"input":{"features":8},"#
        + #""layers":[{"bias":"dual","bidirectional":false,"hidden":4}],"readout":"last"}"#)
  }

  @Test func everythingBesideLayersGoesThereAndBack() throws {
    let text =
      #"{"inputs":[{"channels":2,"features":8,"name":"a","steps":10},{"name":"b","per_sequence":true,"tokens":5}],"#
      + #""layers":[{"from":"a","kind":"lstm","name":"x","size":4},{"from":"b","kind":"embedding","name":"e","size":3},"#
      + #"{"from":["x","e"],"kind":"concatenate","name":"c"}],"mask":{"value":-1},"outputs":["x","c"]}"#
    let model = try read(text)
    #expect(try model.json == text)
    #expect(model.inputs.map(\.steps) == [10, nil])
    #expect(model.outputs == ["x", "c"])
  }

  static let mistakes: [(text: String, message: String)] = [
    (
      model(#"{"name": "a", "kind": "cnov"}"#), #"layers[0].kind: there is no kind "cnov""#
    ),
    (
      model(#"{"name": "a", "kind": "convolutoin"}"#),
      #"layers[0].kind: there is no kind "convolutoin"; did you mean convolution?"#
    ),
    (model(#"{"kind": "lstm", "size": 4}"#), #"layers[0]: "name" is missing"#),
    (model(#"{"name": "", "kind": "lstm", "size": 4}"#), "layers[0].name: expected a name of 1 to 1000 bytes"),
    (model(#"{"name": "a", "kind": "lstm"}"#), "layers[0].size: layer a: it is missing"),
    (
      model(#"{"name": "a", "kind": "lstm", "size": 0}"#),
      "layers[0].size: layer a: expected a number from 1 to 16777216, found 0"
    ),
    (model(#"{"name": "a", "kind": "lstm", "size": "4"}"#), "layers[0].size: layer a: expected a whole number"),
    (
      model(#"{"name": "a", "kind": "lstm", "size": 4, "hiden": 4}"#),
      #"layers[0].hiden: layer a: unknown key "hiden"; known are activation, bias, bidirectional, cell_clip, clip,"#
        + " forget_offset, from, gates, initial, initial_from, kind, name, output_activation, peepholes, projection,"
        + " projection_clip, reversed, size"
    ),
    (
      model(#"{"name": "a", "kind": "gru", "size": 4, "projection": 4}"#),
      #"layers[0].projection: layer a: unknown key "projection"; known are activation, bias, bidirectional, clip, from, gates,"#
        + " initial, initial_from, kind, name, reset_after, reversed, size"
    ),
    (
      model(#"{"name": "a", "kind": "lstm", "size": 4, "activation": "rleu"}"#),
      "layers[0].activation: layer a: expected one of none, relu, tanh, sigmoid, softmax, log_softmax, hard_sigmoid,"
        + " hard_sigmoid_keras3, hard_tanh, leaky_relu, elu, selu, gelu, gelu_tanh, softplus, softsign, swish, mish, relu6,"
        + #" hard_swish, exponential, found "rleu"; did you mean relu?"#
    ),
    (
      model(#"{"name": "a", "kind": "lstm", "size": 4, "clip": 0}"#),
      "layers[0].clip: layer a: expected a number above 0, found 0.0"
    ),
    (
      model(#"{"name": "a", "kind": "lstm", "size": 4, "bidirectional": "yes"}"#),
      "layers[0].bidirectional: layer a: expected true or false"
    ),
    (
      model(#"{"name": "a", "kind": "convolution", "size": 4, "kernel": []}"#),
      "layers[0].kernel: layer a: expected one or two numbers, found 0"
    ),
    (
      model(#"{"name": "a", "kind": "max_pooling", "window": []}"#),
      "layers[0].window: layer a: expected one or two numbers, found 0"
    ),
    (
      model(#"{"name": "a", "kind": "convolution", "size": 4, "kernel": [1,1,1,1,1,1,1,1,1]}"#),
      "layers[0].kernel: layer a: expected at most 8 numbers, found 9"
    ),
    (
      model(#"{"name": "a", "kind": "convolution", "size": 4, "kernel": 3, "stride": [1, 2]}"#),
      "layers[0].stride: layer a: expected as many numbers as in kernel (1), found 2"
    ),
    (
      model(#"{"name": "a", "kind": "embedding", "size": 4}"#),
      "layers: layer a: an embedding reads tokens, not features"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4, "from": "inptu"}"#),
      "layers: layer a, from: there is no inptu before it; did you mean input?"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4, "from": ["input", "input"]}"#),
      "layers: layer a, from: it reads 1 layers, found 2"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}, {"name": "a", "kind": "l2"}"#),
      "layers: layer a: two layers have this name"
    ),
    (
      model(
        #"{"name": "a", "kind": "dense", "size": 4}, {"name": "b", "kind": "readout", "take": "last"}, {"name": "c", "kind": "lstm", "size": 1}"#
      ),
      "layers: layer c: it reads steps, but is given one row a sequence"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "outputs": ["b"]"#),
      "layers: there is no output b; did you mean a?"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "output": ["b"]"#),
      #"unknown key "output"; known are input, inputs, layers, outputs, mask, tied"#
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "mask": {"token": 1}"#),
      "mask: a model of tokens masks a token, a model of features a value"
    ),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "tied": [["a.weight", "a.wieght"]]"#),
      "tied: the model has no parameter a.wieght; did you mean a.weight?"
    ),
    (model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "tied": 3"#), "tied: expected lists of names"),
    (
      model(#"{"name": "a", "kind": "dense", "size": 4}"#, #", "inputs": []"#),
      "inputs: input and inputs exclude each other"
    ),
    (
      #"{"inputs": [], "layers": [{"name": "a", "kind": "dense", "size": 4}]}"#,
      "layers: a model has at least one input"
    ),
    (
      #"{"inputs": [{"features": 3}, {"features": 3}], "layers": [{"name": "a", "kind": "dense", "size": 4}]}"#,
      "layers: layer input: two inputs have this name"
    ),
    (
      #"{"input": {"features": 8, "tokens": 3}, "layers": [{"name": "a", "kind": "dense", "size": 4}]}"#,
      "input.features: expected either features or tokens"
    ),
    (
      #"{"input": {"features": 8, "channels": 3}, "layers": [{"name": "a", "kind": "dense", "size": 4}]}"#,
      "layers: layer input, channels: 3 does not divide the 8 features of a step"
    ),
    (
      #"{"input": {"features": 8, "stepss": 3}, "layers": [{"name": "a", "kind": "dense", "size": 4}]}"#,
      #"input: unknown key "stepss"; known are name, features, tokens, steps, channels, per_sequence"#
    ),
  ]

  @Test(arguments: mistakes) func mistakesNameLayerAndKey(_ text: String, _ message: String) {
    #expect { try read(text) } throws: { error in
      let found = (error as? CheckpointError)?.message.description
      #expect(found == "model.json: not a model configuration: " + message)
      return true
    }
  }

  /// Sizes that no machine has room for are errors, not traps.
  @Test(arguments: [
    #"{"name": "a", "kind": "lstm", "size": 16777216}, {"name": "b", "kind": "self_attention"}"#,
    #"{"name": "a", "kind": "convolution", "size": 16777216, "kernel": [16777216], "dilation": 16777216}"#,
    #"{"name": "a", "kind": "readout"}, {"name": "b", "kind": "repeat", "count": 16777216}, {"name": "c", "kind": "flatten"}, {"name": "d", "kind": "dense", "size": 16777216}"#,
    #"{"name": "a", "kind": "average_pooling", "window": 16777216, "pad": [16777216, 16777216], "ceiling": true}"#,
    #"{"name": "a", "kind": "slice", "count": 16777216, "first": 16777216}"#,
  ]) func hugeSizesAreNoTraps(_ layers: String) {
    _ = try? read(Self.model(layers))
    _ = try? read(#"{"input": {"features": 8, "steps": 16777216}, "layers": [\#(layers)]}"#)
    _ = try? read(#"{"input": {"features": 16777216, "channels": 1}, "layers": [\#(layers)]}"#)
  }
}
