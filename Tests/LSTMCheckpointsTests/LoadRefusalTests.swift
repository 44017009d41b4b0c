import FileIO
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// One test for each thing that can be wrong with a set of tensors, with the words a user reads.
@Suite struct LoadRefusalTests {
  @Test func noTensors() { #expect(refusal(checkpoint([])) == ["w.h5: holds no tensors"]) }

  @Test func noLSTM() {
    let found = checkpoint(["conv.weight": [3, 3, 3], "conv.bias": [3], "a": [], "b": [0], "c": [1]])
    #expect(
      refusal(found) == [
        "w.h5: holds no LSTM: expected names like weight_ih_l0 and weight_hh_l0, found conv.weight, conv.bias, a, b, ...",
        "rename tensors with rules REGEX=REPLACEMENT, for example rules ^rnn_(.*)$=lstm.$1",
        "or say whose they are with layout keras, mlx, flax, flax-optimized, haiku, tf1, s4tf, burn",
      ])
  }

  @Test func recurrentKernelsWithoutKernels() {
    let keras = checkpoint(["lstm/lstm_cell/recurrent_kernel:0": [4, 16]])
    #expect(refusal(keras).last == "this looks like Keras, whose LSTM has a kernel beside each recurrent_kernel")
  }

  @Test func kerasTransposedMatrices() {
    let found = checkpoint([
      "lstm.weight_ih_l0": [3, 16], "lstm.weight_hh_l0": [4, 16], "lstm.bias_ih_l0": [16], "lstm.bias_hh_l0": [16],
    ])
    #expect(
      refusal(found) == [
        "w.h5: lstm.weight_ih_l0: expected shape (16, 3), found (3, 16) (this is the transpose: order column-major if a "
          + "program wrote it that stores columns first (Julia, MATLAB, R), layout keras if these are kernels (I, 4H)); "
          + "lstm.weight_hh_l0: expected shape (16, 4), found (4, 16)"
      ])
  }

  @Test func twoLSTMs() {
    let found = checkpoint(
      layer("encoder.lstm.", 0, 3, 4) + layer("decoder.lstm.", 0, 3, 4) + [("fc.weight", [1, 4]), ("fc.bias", [1])])
    #expect(
      refusal(found).filter { !$0.hasPrefix("model ") } == [
        "w.h5: encoder.lstm and decoder.lstm are an encoder and a decoder by their names: tensors do not tell what the "
          + "decoder reads, nor where it starts from"
      ])
    #expect(refusal(found).count == 2)
    #expect(refusal(found, LoadOptions(prefix: "decoder.lstm")) == [])
    #expect(refusal(found, LoadOptions(allowedUnexpected: ["encoder.lstm.*"])) == [])
  }

  @Test func aStackThatDoesNotChain() {
    let found = checkpoint(layer("net.rnns.0.", 0, 3, 4) + layer("net.rnns.1.", 0, 5, 4))
    #expect(
      refusal(found, LoadOptions(prefix: "net")).prefix(2) == [
        "w.h5: holds 2 LSTMs that do not make one stack: rnns.0, rnns.1; rnns.1 reads 5 values, but rnns.0 gives 4",
        "one of them alone, whose output is then not the model's, is prefix net.rnns.0",
      ])
  }

  @Test func aMissingLayer() throws {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + layer("lstm.", 2, 4, 4))
    let plan = try LoadPlan(found)
    #expect(
      plan.report.missing.map(\.target) == [
        "lstm.weight_ih_l1", "lstm.weight_hh_l1", "lstm.bias_ih_l1", "lstm.bias_hh_l1",
      ])
    #expect(plan.report.missing.map(\.shape) == [[16, 4], [16, 4], [16], [16]])
    #expect(plan.mapping["lstm.weight_ih_l2"] == "lstm.weight_ih_l2")
    #expect(
      refusal(found) == [
        "w.h5: missing lstm.weight_ih_l1 (16, 4), and 3 more",
        "start it from random values with allowedMissing lstm.weight_ih_l1, or find it with "
          + "rules REGEX=REPLACEMENT or prefix",
      ])
    #expect(refusal(found, LoadOptions(allowedMissing: ["lstm.*_l1"])) == [])
  }

  @Test func aMissingFirstLayer() {
    let found = checkpoint(layer("lstm.", 1, 4, 4))
    #expect(
      refusal(found, LoadOptions(allowedMissing: ["*"])) == [
        "w.h5: missing lstm.weight_ih_l0: without it the input size is not known",
        "find it with rules REGEX=REPLACEMENT or prefix",
      ])
  }

  @Test func aLayerNumberOutOfReach() {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + layer("lstm.", 9999, 4, 4))
    #expect(
      refusal(found) == [
        "w.h5: lstm.weight_ih_l9999 is of layer 9999, but the one below it is of layer 0",
        "rename it with rules REGEX=REPLACEMENT, or leave it out with allowedUnexpected GLOB",
      ])
    #expect(
      refusal(checkpoint(layer("", 700, 3, 4))).first
        == "w.h5: weight_ih_l700 is of layer 700, but there is none below it")
  }

  @Test func moreLayersThanAnyModelHas() {
    let found = checkpoint((0...1000).flatMap { layer("rnns.\($0).", 0, 1, 1) })
    #expect(
      refusal(found) == ["w.h5: holds 1001 LSTM layers; a model has at most 1000", "choose one LSTM with prefix"])
  }

  @Test func oneBiasOfTwo() {
    let found = checkpoint(layer("lstm.", 0, 3, 4).dropLast())
    #expect(
      refusal(found) == [
        "w.h5: missing lstm.bias_hh_l0 (16,): there is a bias_ih; a model with one bias is described with configuration "
          + "and \"bias\": \"single\"",
        "start it from random values with allowedMissing lstm.bias_hh_l0, or find it with "
          + "rules REGEX=REPLACEMENT or prefix",
      ])
    let single = ModelConfiguration(input: .features(size: 3), layers: [.init(hiddenSize: 4, bias: .single)])
    #expect(refusal(found, LoadOptions(configuration: single)) == [])
  }

  @Test func aMisspelledTensor() {
    var shapes = layer("module.lstm.", 0, 3, 4)
    shapes[1].0 = "module.lstm.weigth_hh_l0"
    #expect(
      refusal(checkpoint(shapes)) == [
        "w.h5: missing lstm.weight_hh_l0 (16, 4), expected as module.lstm.weight_hh_l0 (did you mean "
          + "module.lstm.weigth_hh_l0?); unexpected module.lstm.weigth_hh_l0 (16, 4): no part of this "
          + "model",
        "rename what belongs to the model with rules REGEX=REPLACEMENT; only what takes no part in its output may be "
          + "left out: allowedUnexpected module.lstm.weigth_hh_l0",
        "start it from random values with allowedMissing lstm.weight_hh_l0, or find it with "
          + "rules REGEX=REPLACEMENT or prefix",
      ])
  }

  @Test func aWrongShape() {
    let found = checkpoint([
      "lstm.weight_ih_l0": [56, 3], "lstm.weight_hh_l0": [48, 12], "lstm.bias_ih_l0": [56], "lstm.bias_hh_l0": [56],
    ])
    #expect(refusal(found) == ["w.h5: lstm.weight_hh_l0: expected shape (56, 14), found (48, 12)"])
  }

  @Test func integerWeights() {
    let found = checkpoint(layer("lstm.", 0, 3, 4), types: ["lstm.weight_ih_l0": .int64])
    #expect(refusal(found) == ["w.h5: lstm.weight_ih_l0: its elements are int64, not floating point"])
  }

  @Test func everythingAtOnce() throws {
    var shapes = layer("lstm.", 0, 3, 4)
    shapes[0].1 = [16, 3, 1]
    shapes[3].0 = "lstm.bias_xx_l0"
    let found = checkpoint(shapes + [("fc.weight", [2, 9]), ("fc.bias", [2])])
    let report = try LoadPlan(found).report
    #expect(report.mismatched.map(\.source) == ["lstm.weight_ih_l0"])
    #expect(report.mismatched.first?.hint == "its second and last dimension is to be the input size")
    #expect(report.missing.map(\.target) == ["lstm.bias_hh_l0"])
    #expect(report.missing.first?.nearest == ["lstm.bias_xx_l0"])
    #expect(report.unexpected.map(\.source) == ["lstm.bias_xx_l0", "fc.weight", "fc.bias"])
    #expect(report.unexpected[1].reason == "reads 9 values, but the LSTM gives 4")
    #expect(!report.isComplete)
    #expect(
      report.advice.first?.description
        == "rename what belongs to the model with rules REGEX=REPLACEMENT; only what takes no part in "
        + "its output may be left out: allowedUnexpected lstm.bias_xx_l0")
  }

  @Test func weightNormalizedTensors() throws {
    var shapes = layer("lstm.", 0, 3, 4)
    shapes.remove(at: 1)
    let factors = [("lstm.weight_hh_l0_g", [16, 1]), ("lstm.weight_hh_l0_v", [16, 4])]
    let folded = try LoadPlan(checkpoint(shapes + factors)).report
    #expect(folded.isComplete)
    let note: Message =
      "lstm.weight_hh_l0 is weight-normalized, folded into one weight (lstm.weight_hh_l0_g, lstm.weight_hh_l0_v); an "
      + "export has the one weight"
    #expect(folded.notes.contains(note))
    // A factor by itself, and one of another shape.
    let half = try LoadPlan(checkpoint(shapes + [factors[1]])).report
    #expect(half.missing.first?.nearest == ["lstm.weight_hh_l0_v"])
    let reason: Message =
      "one of the two factors of a weight-normalized tensor; fold them with "
      + "torch.nn.utils.remove_weight_norm (or parametrize.remove_parametrizations) before saving"
    #expect(half.unexpected.map(\.reason) == [reason])
    let wrong = [("lstm.weight_hh_l0_g", [15, 1]), factors[1]]
    #expect(try LoadPlan(checkpoint(shapes + wrong)).report.unexpected.map(\.reason) == [reason, reason])
    let parametrized = [("lstm.parametrizations.weight_hh_l0.original0", [16, 1])]
    #expect(try LoadPlan(checkpoint(shapes + parametrized)).report.unexpected.map(\.reason) == [reason])
    #expect(
      refusal(checkpoint([factors[0]])).last == "its weights are weight-normalized; fold them with "
        + "torch.nn.utils.remove_weight_norm (or parametrize.remove_parametrizations) before saving")
  }

  @Test func twoTensorsForOnePlace() throws {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + [("lstm.module.weight_hh_l0", [16, 4])])
    let report = try LoadPlan(found).report
    #expect(report.unexpected.map(\.reason) == ["lstm.weight_hh_l0 already has its place"])
    #expect(!report.isComplete)
  }

  @Test func twoHeads() {
    let heads = [("policy.weight", [2, 4]), ("policy.bias", [2]), ("value.weight", [1, 4]), ("value.bias", [1])]
    let found = checkpoint(layer("lstm.", 0, 3, 4) + heads)
    let asked = refusal(found)
    #expect(asked.first == "w.h5: 2 dense layers read the same values: policy, value")
    #expect(asked.count == 2 && asked[1].contains("outputs head.0, head.1"))
    #expect(refusal(found, LoadOptions(allowedUnexpected: ["value.*"])) == [])
  }

  @Test func aHeadThatReadsOtherThanTheLSTMGives() throws {
    func reason(_ shape: [Int]) throws -> Message? {
      try LoadPlan(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", shape)])).report.unexpected.first?.reason
    }
    #expect(
      refusal(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [2, 9])])).first
        == "w.h5: fc reads 5 values more than what is read of the steps: of an input once a sequence")
    #expect(try reason([4, 2]) == "reads 2 values, but the LSTM gives 4; this may be the transpose")
    #expect(
      refusal(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [2, 7])])).first
        == "w.h5: fc reads 3 values more than what is read of the steps: of an input once a sequence, or the input's "
        + "last step")
    // Ten steps side by side.
    #expect(try reason([2, 40]) == nil)
    let twice = refusal(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [2, 8])]))
    #expect(
      twice.first
        == "w.h5: fc reads 2 times what a step has: 2 readouts side by side, or the last state and its attention "
        + "to each step")
    #expect(twice.count == 3)
    // What gives the values that the LSTM reads may stand before it, or read a value of each sequence.
    #expect(
      refusal(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [3, 5])])).first
        == "w.h5: its layers may be arranged in several ways")
  }

  @Test func aHeadBiasOfAnotherSize() {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [2, 4]), ("fc.bias", [3])])
    #expect(refusal(found) == ["w.h5: fc.bias: expected shape (2,), found (3,)"])
  }

  @Test func namesThatCollide() {
    let found = checkpoint(["lstm.weight_ih_l0": [4, 1], "lstm/weight_ih_l0": [4, 1]])
    #expect(
      refusal(found) == [
        "w.h5: lstm.weight_ih_l0 and lstm/weight_ih_l0 both become lstm.weight_ih_l0",
        "make the rules rules keep them apart, or choose one with prefix",
      ])
  }

  @Test func aPrefixWithNothingBelow() {
    let found = checkpoint(layer("model/encoder.lstm.", 0, 3, 4))
    #expect(
      refusal(found, LoadOptions(prefix: "model.encoder.lst")) == [
        "prefix model.encoder.lst: no tensor of w.h5 is below it",
        "did you mean model.encoder.lstm or model.encoder or model?",
      ])
    // Half a name is no module.
    #expect(refusal(found, LoadOptions(prefix: "mod")).first == "prefix mod: no tensor of w.h5 is below it")
  }

  @Test func anActivationThatTheConfigurationHasAlready() {
    let configuration = ModelConfiguration(input: .features(size: 3), layers: [.init(hiddenSize: 4)])
    let found = checkpoint(layer("lstm.", 0, 3, 4))
    #expect(
      refusal(found, LoadOptions(configuration: configuration, activation: .relu)) == [
        "activation: the model's configuration already gives the activation between the dense layers"
      ])
  }

  @Test func aConfigurationThatIsDeeperOrShallower() {
    let two = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4, bias: .none), .init(hiddenSize: 4, bias: .none)])
    let one = ModelConfiguration(input: .features(size: 3), layers: [.init(hiddenSize: 4, bias: .none)])
    let bottom = [("weight_ih_l0", [16, 3]), ("weight_hh_l0", [16, 4])]
    let top = [("weight_ih_l1", [16, 4]), ("weight_hh_l1", [16, 4])]
    #expect(
      refusal(checkpoint(bottom), LoadOptions(configuration: two)).first
        == "w.h5: missing lstm.weight_ih_l1 (16, 4), and 1 more")
    #expect(
      refusal(checkpoint(bottom + top), LoadOptions(configuration: one)).first
        == "w.h5: unexpected weight_hh_l1 (16, 4): the configuration has no lstm.weight_hh_l1, and 1 more")
  }
}
