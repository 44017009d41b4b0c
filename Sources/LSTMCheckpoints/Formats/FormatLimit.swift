/// What other formats cannot hold of a model, and why: writing it there is refused.
public struct FormatLimit: Sendable {
  /// A kind of layer or a setting.
  public let what: String
  /// The formats that cannot hold it.
  public let formats: [Checkpoint.Format]
  /// Why they cannot.
  public let reason: String

  private init(_ what: String, _ formats: [Checkpoint.Format], _ reason: String) {
    (self.what, self.formats, self.reason) = (what, formats, reason)
  }

  private static let keras: [Checkpoint.Format] = [.kerasArchive, .kerasH5]

  /// Every limit that `fixtures/kinds/models.txt` has a model of.
  public static let all: [FormatLimit] = [
    .init(
      "projection of an LSTM, with or without a limit", keras + [.onnx],
      "neither has an LSTM whose output is smaller than its state"),
    .init("cell_clip", keras + [.onnx], "their LSTM does not limit its cell"),
    .init("peepholes", keras, "Keras' LSTM has none"),
    .init("clip", keras, "recurrent layers of Keras do not limit what goes into activations"),
    .init(
      "initial stored or learned", keras,
      "a recurrent layer of Keras starts from zeros or from a value of the graph, never from weights"),
    .init("output_activation", keras, "an LSTM of Keras has one activation for the candidate and for the cell"),
    .init(
      "leaky_relu in a recurrent layer", keras,
      "the function of this name has the slope 0.2 there, and no other has a name"),
    .init("gelu_tanh", keras, "by name Keras has the exact gelu"),
    .init("hard_sigmoid", [.kerasArchive], "Keras 3's has the slope 1/6; keras-h5 is then written for Keras 2"),
    .init(
      "hard_tanh, selu, gelu, gelu_tanh, swish, mish, relu6, hard_swish or exponential in a recurrent layer", [.onnx],
      "ONNX's recurrent operators do not name them"),
    .init("reflect", keras, "no layer of Keras pads by reflection"),
    .init(
      "pooling with padding that does not count (pad), or with a last window that is not whole (ceiling)", keras,
      "Keras' pooling has windows that are whole (valid), or as many as steps (same)"),
    .init("crf", keras + [.onnx], "neither has a conditional random field: write the model that ends in its scores"),
    .init("group_norm", [.onnx], "its operator came with opset 18, and 17 is written"),
    .init(
      "unmask", [.onnx], "no operator has a mask; nor has a module of PyTorch, whose state_dict can be written alone"),
    .init(
      "a mask over what slice, first, sum, magnitude, attention, reshape, flatten, group_norm or zero_padding reads, and over what last reads "
        + "of other than a recurrent layer", keras, "Keras does not carry its mask to such a layer"),
    .init(
      "a mask over what is merged with values that have none, and multiply or maximum of hidden steps", [.kerasArchive],
      "Keras 3 hides no such step, and gives other values at hidden steps"),
    .init(
      "a mask over what a reversed layer gives, where another recurrent layer, attention or a mean reads it", keras,
      "Keras turns the steps and not their mask"),
    .init(
      "reversed steps, slice, sum or magnitude beside hard_sigmoid_keras3, hard_tanh or hard_swish", [.kerasH5],
      "these functions need Keras 3, which loads operations from its own archive alone"),
    .init(
      "concatenate of a row once a sequence with steps of no fixed number", keras,
      "RepeatVector needs their number: give the input its steps"),
  ]
}
