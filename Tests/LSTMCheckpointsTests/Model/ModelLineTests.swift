import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// The one-line form of a model.
@Suite struct ModelLineTests {
  /// A line as it is written, with the names that its layers get.
  static let golden: [(line: String, names: String)] = [
    ("8 features -> LSTM 64", "layer0"),
    ("1 feature -> LSTM 64 -> LSTM 64 -> last -> dense 1", "layer0 layer1 readout head.0"),
    (
      "8 features -> conv 32 kernel 5 relu -> batch norm -> biLSTM 64 -> LSTM 64 -> last -> relu -> dense 3 softmax",
      "conv1 norm1 layer0 layer1 readout readout_activation head.0"
    ),
    (
      "465 tokens masked 0 -> embedding 100 padding index 0 -> biLSTM 64 bias single -> final -> dense 1 sigmoid",
      "embedding layer0 readout head.0"
    ),
    ("8 features -> LSTM 64 projection 32 -> all -> dense 4", "layer0 readout head.0"),
    ("8 features -> dense 16 tanh -> LSTM 64 -> last -> dense 1", "dense1 layer0 readout head.0"),
    (
      "14 features -> LSTM 64 bias single relu -> last -> repeat 5 -> LSTM 64 bias single relu -> dense 14",
      "layer0 readout repeat layer1 head.0"
    ),
    (
      "8 features of 10 steps -> LSTM 8 -> flatten -> dense 3", "layer0 flatten head.0"
    ),
    (
      "8 features -> LSTM 16 -> last -> LSTM 16 from input -> last -> add from readout1, readout2 -> dense 1",
      "layer0 readout1 layer1 readout2 add1 head.0"
    ),
    (
      "a: 8 features, b: 3 features -> LSTM 16 -> LSTM 16 initial from layer0 from b -> all -> dense 3",
      "layer0 layer1 readout head.0"
    ),
    (
      "series: 8 features, static: 5 features once a sequence -> LSTM 16 -> last -> concatenate from readout, static"
        + " -> dense 1", "layer0 readout concatenate1 head.0"
    ),
    (
      "96 features in 3 channels -> conv 16 kernel 3x3 pad 1x1x1x1 relu"
        + " -> batch norm -> max pool 1x2 -> reshape -> biLSTM 64 -> dense 37 log softmax",
      "conv1 norm1 pool1 reshape1 layer0 head.0"
    ),
    (
      "120 tokens -> embedding 50 -> dropout 0.5 -> biLSTM 100 -> dense 9 -> CRF",
      "embedding dropout1 layer0 head.0 crf"
    ),
    (
      "100 tokens -> embedding 64 -> LSTM 64 -> all -> dense 100; embedding.weight is head.0.weight",
      "embedding layer0 readout head.0"
    ),
    ("3 features -> GRU 32 without reset after -> mean -> dense 2", "layer0 readout head.0"),
    ("3 features -> RNN 32 bias single relu -> max -> dense 2", "layer0 readout head.0"),
    (
      "6 features -> layer norm epsilon 0.001 -> biLSTM 8 merge sum -> attention tanh size 16 bias -> dense 1",
      "norm1 layer0 attention head.0"
    ),
    ("6 features -> LSTM 8 -> self attention heads 2 -> mean -> dense 1", "layer0 attention readout head.0"),
    (
      "5 features -> tags: LSTM 8 -> class: dense 3 softmax from tags -> value: dense 1 from tags; outputs class, value",
      "tags class value"
    ),
    (
      "4 features masked -1 -> LSTM 8 gates hard sigmoid peepholes forget offset 1 cell clip 3 -> last -> leaky relu alpha"
        + " 0.3 -> dense 1 -> L2", "layer0 readout readout_activation head.0 normalize"
    ),
    (
      "4 features -> average pool 3 stride 1 same -> reshape split steps 2 -> LSTM 4 -> undecided -> dense 1",
      "pool1 reshape1 layer0 readout head.0"
    ),
    ("12 features once a sequence -> reshape steps 4 -> LSTM 4", "reshape1 layer0"),
    ("4 features -> \"my layer\": LSTM 4 -> none -> \"a -> b\": slice 2 first 1", "my layer activation1 a -> b"),
  ]

  @Test(arguments: golden) func goldenLines(_ line: String, _ names: String) throws {
    let model = try ModelConfiguration(line: line)
    #expect(model.layers.map(\.name).joined(separator: " ") == names)
    #expect(model.line == line)
    #expect(try ModelConfiguration(json: Data(model.json.utf8), file: "model.json") == model)
  }

  /// What people write, and what it is.
  static let forgiving: [(written: String, read: String)] = [
    ("8 FEATURES->lstm 64→Last Step->DENSE 1", "8 features -> LSTM 64 -> last -> dense 1"),
    ("8 features -> bidirectional LSTM 64 -> final state", "8 features -> biLSTM 64 -> final"),
    ("8 features -> LSTM 64 bidirectional -> mean over time", "8 features -> biLSTM 64 -> mean"),
    ("8 features -> bi-GRU 4 -> maximum over time", "8 features -> biGRU 4 -> max"),
    ("8 features -> LSTM units 4 -> all steps", "8 features -> LSTM 4 -> all"),
    ("8 features -> Conv1D 4 kernel_size 3 strides 2 ReLU", "8 features -> conv 4 kernel 3 stride 2 relu"),
    ("8 features -> convolution 4 relu kernel 3 causal", "8 features -> conv 4 kernel 3 causal relu"),
    ("8 features -> BatchNorm -> LayerNorm -> batch_norm", "8 features -> batch norm -> layer norm -> batch norm"),
    ("8 features -> LSTM 4 -> attention over time -> linear 3", "8 features -> LSTM 4 -> attention -> dense 3"),
    ("8 features -> LSTM 4 -> linear", "8 features -> LSTM 4 -> none"),
    (
      "8 features -> LSTM 4 without bias -> last -> dense 2 no bias",
      "8 features -> LSTM 4 bias none -> last -> dense 2 without bias"
    ),
    ("8 features -> LSTM 4 projected to 2 with peepholes", "8 features -> LSTM 4 projection 2 peepholes"),
    ("465 tokens -> masked 0 -> embedding 3 -> LSTM 4", "465 tokens masked 0 -> embedding 3 -> LSTM 4"),
    (
      "8 features -> LSTM 4 -> LSTM 5 -> concatenation of all -> last",
      "8 features -> LSTM 4 -> LSTM 5 -> skip: concatenate from input, layer0, layer1 -> last"
    ),
    ("8 features -> LSTM 4 -> silu -> log_softmax;", "8 features -> LSTM 4 -> swish -> log softmax"),
    ("8 features -> max pool window 2", "8 features -> max pool 2"),
    (
      "8 features -> LSTM 4 -> readout last -> activation relu -> dense 1",
      "8 features -> LSTM 4 -> last -> relu -> dense 1"
    ),
  ]

  @Test(arguments: forgiving) func forgivingReading(_ written: String, _ read: String) throws {
    #expect(try ModelConfiguration(line: written).line == read)
  }

  static let mistakes: [(line: String, message: String)] = [
    ("", "expected what the model reads first, such as 8 features or 465 tokens"),
    ("8 features", "expected layers after the input, such as 8 features -> LSTM 64 -> last"),
    ("LSTM 64 -> last", "\"LSTM 64\": expected a number of features or tokens, such as 8 features, found LSTM"),
    ("8 -> LSTM 64", "\"8\": expected a number of features or tokens, such as 8 features"),
    ("0 features -> LSTM 64", "\"0 features\": expected a size from 1 to 16777216, found 0"),
    (
      "8 features of ten steps -> LSTM 64", "\"8 features of ten steps\": expected a size from 1 to 16777216, found ten"
    ),
    (
      "8 features off 10 steps -> LSTM 64",
      "\"8 features off 10 steps\": expected of 10 steps, in 3 channels, once a sequence, masked 0 or ->, found off"
    ),
    ("8 features in 3 channels -> LSTM 64", "layer input, channels: 3 does not divide the 8 features of a step"),
    ("9 tokens masked 9 -> embedding 4", "\"masked 9\": expected masked and a token from 0 to 8"),
    ("8 features -> cnov", "there is no layer \"cnov\"; did you mean conv?"),
    ("8 features -> cnov 32 kernel 5", "\"cnov 32 kernel 5\": there is no layer \"cnov\"; did you mean conv?"),
    ("8 features -> conv2d 32 kernel 3", "\"conv2d 32 kernel 3\": there is no layer \"conv2d\"; did you mean conv?"),
    ("8 features -> conv 32 kernal 5", "\"conv 32 kernal 5\": conv has no setting \"kernal\"; did you mean kernel?"),
    (
      "8 features -> conv 32 relo kernel 5",
      "\"conv 32 relo kernel 5\": conv has no setting \"relo\"; did you mean relu?"
    ),
    ("8 features -> conv 32", "\"conv 32\": kernel: it is missing"),
    ("8 features -> LSTM", "\"LSTM\": size: it is missing"),
    ("8 features -> LSTM -> last", "\"LSTM\": size: it is missing"),
    (
      "8 features -> LSTM 64 32",
      "\"LSTM 64 32\": \"32\" needs a word that says what it is; LSTM has size, bidirectional,"
        + " reversed, bias, gates, activation, projection, output activation, peepholes, forget offset, cell clip,"
        + " projection clip, clip, initial, initial from, merge"
    ),
    (
      "8 features -> batch norm 64",
      "\"batch norm 64\": \"64\" needs a word that says what it is; batch norm has epsilon,"
        + " momentum, scale, offset, unbiased"
    ),
    ("8 features -> LSTM 64 projection", "\"LSTM 64 projection\": projection: expected a number"),
    (
      "8 features -> LSTM 64 projection 0",
      "\"LSTM 64 projection 0\": projection: expected a whole number from 1 to 16777216, found 0"
    ),
    (
      "8 features -> LSTM 64 gates soft",
      "\"LSTM 64 gates soft\": gates: expected one of none, relu, tanh, sigmoid, softmax, log softmax, hard sigmoid, hard"
        + " sigmoid keras3, hard tanh, leaky relu, elu, selu, gelu, gelu tanh, softplus, softsign, swish, mish, relu6, hard"
        + " swish, exponential, found soft; did you mean softmax?"
    ),
    (
      "8 features -> LSTM 64 softmax",
      "\"LSTM 64 softmax\": activation: softmax cannot be a recurrent layer's activation"
    ),
    ("8 features -> LSTM 64 tanh relu", "\"LSTM 64 tanh relu\": activation is said twice"),
    (
      "8 features -> GRU 64 projection 3",
      "\"GRU 64 projection 3\": GRU has no setting \"projection\"; it has size,"
        + " bidirectional, reversed, bias, gates, activation, reset after, clip, initial, initial from, merge"
    ),
    ("8 features -> LSTM 64 merge sum", "\"LSTM 64 merge sum\": LSTM has no merge here"),
    ("8 features -> conv 4 kernel 3 without kernel", "\"conv 4 kernel 3 without kernel\": kernel cannot be left out"),
    ("8 features -> conv 4 kernel 1x2x3", "\"conv 4 kernel 1x2x3\": kernel: expected one or two numbers, found 3"),
    ("8 features -> dropout 2", "\"dropout 2\": rate: expected a number from 0 to below 1, found 2.0"),
    ("8 features -> LSTM 4 -> -> last", "expected a layer on either side of ->"),
    ("8 features -> x: -> last", "\"x:\": expected a layer after the name"),
    ("8 features -> LSTM 4 -> add from layr0", "layer add1, from: there is no layr0 before it; did you mean layer0?"),
    ("8 features -> LSTM 4 -> add from", "\"add from\": expected the name of a layer"),
    ("8 features -> LSTM 4 -> add from layer0, -> last", "\"add from layer0,\": expected the name of a layer"),
    ("8 features -> x: LSTM 4 -> x: LSTM 4", "layer x: two layers have this name"),
    ("8 features -> LSTM 4; outputs tags", "there is no output tags"),
    ("8 features -> LSTM 4; outputs layer0 layer0", "\"outputs layer0 layer0\": expected a comma, found layer0"),
    (
      "8 features -> LSTM 4; a.weight is b.weight",
      "\"a.weight is b.weight\": the model has no parameter a.weight"
    ),
    (
      "8 features -> LSTM 4; last",
      "\"last\": expected outputs and names of layers, or one parameter is another; after a ;"
        + " come no layers"
    ),
    ("8 features -> embedding 4", "layer embedding: an embedding reads tokens, not features"),
    ("8 features -> \"x", "a quotation mark is not closed"),
    ("8 features -> \"\\x\": LSTM 4", "in quotes a backslash stands before \", \\ or u{...}"),
    (
      "8 features -> LSTM 4 (hard_sigmoid)",
      "\"LSTM 4 (hard_sigmoid)\": LSTM has no setting \"(hard_sigmoid)\"; did you mean"
        + " hard sigmoid?"
    ),
  ]

  @Test(arguments: mistakes) func mistakesAreNamed(_ line: String, _ message: String) {
    #expect { try ModelConfiguration(line: line) } throws: { error in
      guard let error = error as? ModelConfiguration.LineError else { return false }
      #expect(error.description == message)
      return true
    }
  }

  /// Every plain stack is the same after it was a line.
  @Test func plainStacksStayPlain() throws {
    var count = 0
    for readout in PlainStack.Readout.allCases.map(Optional.init) + [nil] {
      for gates in PlainStack.GateActivation.allCases {
        for bias in PlainStack.Bias.allCases {
          for activation in PlainStack.Activation.elementwise {
            let stack = PlainStack(
              input: bias == .single ? .features(size: 3) : .tokens(vocabulary: 465, size: 100),
              layers: [
                .init(hiddenSize: 7),
                .init(
                  hiddenSize: 9, isBidirectional: true, projectionSize: 3, bias: bias, gateActivation: gates,
                  hasPeepholes: true, forgetOffset: bias == .none ? 0 : -0.5),
              ], skip: gates == .hardSigmoid, readout: readout,
              head: PlainStack.Activation.allCases.map { .init(size: 4, hasBias: $0 == .none, activation: $0) },
              normalizesOutput: bias == .dual, readoutActivation: activation,
              paddingToken: bias == .dual ? 2 : nil, mask: bias == .dual ? .token(1) : nil)
            let line = ModelConfiguration(stack).line
            #expect(try ModelConfiguration(line: line).stack == stack, "\(line)")
            count += 1
          }
        }
      }
    }
    #expect(count == 252)
  }

  @Test func summariesOfPlainStacksAreThoseOfTheFirstEdition() throws {
    let model = try ModelConfiguration(line: "8 features -> biLSTM 64 -> LSTM 64 -> last -> relu -> dense 3 softmax")
    #expect(
      model.summary == "8 features -> bidirectional LSTM 64 -> LSTM 64 -> last step -> relu -> dense 3 softmax")
    let other = try ModelConfiguration(line: "8 features -> GRU 64 -> last")
    #expect(other.summary == other.line)
  }
}
