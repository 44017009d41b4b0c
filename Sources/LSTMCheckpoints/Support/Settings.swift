import FileIO

/// What may be chosen when a checkpoint is read or written: parameters of ``LoadOptions`` and ``WriteOptions``.
extension Setting {
  /// The part of the file to look at.
  public static let prefix = Setting(rawValue: "prefix")
  /// How tensor names are rewritten.
  public static let rules = Setting(rawValue: "rules")
  /// Tensors that may be missing.
  public static let allowedMissing = Setting(rawValue: "allowedMissing")
  /// Tensors that may be left over.
  public static let allowedUnexpected = Setting(rawValue: "allowedUnexpected")
  /// The description of the model.
  public static let configuration = Setting(rawValue: "configuration")
  /// The same as one line.
  public static let model = Setting(rawValue: "model")
  /// A file with Keras' description of the model.
  public static let architecture = Setting(rawValue: "architecture")
  /// What the head reads of the LSTM's output.
  public static let readout = Setting(rawValue: "readout")
  /// Between the dense layers of a head.
  public static let activation = Setting(rawValue: "activation")
  /// Between the LSTM's output and the head.
  public static let readoutActivation = Setting(rawValue: "readoutActivation")
  /// After the last dense layer.
  public static let outputActivation = Setting(rawValue: "outputActivation")
  /// Heads of attention.
  public static let heads = Setting(rawValue: "heads")
  /// LSTMs that are stacked, from the input up.
  public static let stack = Setting(rawValue: "stack")
  /// Whether rows or columns come first.
  public static let order = Setting(rawValue: "order")
  /// Whose names, gate order and shapes the tensors have.
  public static let layout = Setting(rawValue: "layout")
  /// The activation of the LSTM's gates.
  public static let gates = Setting(rawValue: "gates")
  /// What is added to the forget gate.
  public static let forgetBias = Setting(rawValue: "forgetBias")
  /// Whether tied parameters are kept apart.
  public static let untie = Setting(rawValue: "untie")
  /// The embedding's padding row.
  public static let padding = Setting(rawValue: "padding")
  /// Whether an ONNX model may keep weights in other files.
  public static let allowsExternalData = Setting(rawValue: "allowsExternalData")
  /// Who reads HDF5.
  public static let hdf5Reader = Setting(rawValue: "hdf5Reader")
  /// Which number stands for which token.
  public static let vocabulary = Setting(rawValue: "vocabulary")
  /// The format to write.
  public static let format = Setting(rawValue: "format")
  /// The type to write.
  public static let dataType = Setting(rawValue: "dataType")
  /// Whether two biases become one.
  public static let bias = Setting(rawValue: "bias")
}
