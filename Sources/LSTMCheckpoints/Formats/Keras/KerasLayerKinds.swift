/// Keras' own layers that have no counterpart here, and what each does to the numbers.
enum KerasLayerKinds {
  /// Layers without weights.
  static let weightless = idle.union([
    "GlobalAveragePooling1D", "GlobalMaxPooling1D", "GlobalMaxPool1D", "GlobalAvgPool1D",
    "Activation", "ReLU", "Softmax", "Flatten", "Reshape", "Permute", "RepeatVector", "Lambda", "Concatenate", "Add",
    "Multiply", "Average", "Maximum", "Subtract", "Dot", "Merge", "LeakyReLU", "ELU", "Masking", "MaxPooling1D",
    "AveragePooling1D", "MaxPooling2D", "AveragePooling2D", "UnitNormalization", "ThresholdedReLU", "GetItem", "Flip",
    "SlicingOpLambda", "TFOpLambda", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "UpSampling1D", "Minimum",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D",
  ])

  /// What it computes; nil for a class that is known here, or that is none of Keras'.
  static func computing(_ className: String) -> String? {
    if let known = special[className] { return known }
    for (ending, what) in families where className.hasSuffix(ending) { return what }
    return others.contains(className) ? "it computes" : nil
  }

  private static let special: [String: String] = [
    "GRU": "it is a GRU", "CuDNNGRU": "it is a GRU", "GRUCell": "it is a GRU",
    "SimpleRNN": "it is a plain RNN", "SimpleRNNCell": "it is a plain RNN",
    "ConvLSTM1D": "a convolutional LSTM has other gates", "ConvLSTM2D": "a convolutional LSTM has other gates",
    "ConvLSTM3D": "a convolutional LSTM has other gates",
    "RepeatVector": "it gives one value to every step of a second sequence",
    "Flatten": "it lays the outputs of all steps side by side",
    "Reshape": "it puts the values in another order of axes",
    "Permute": "it puts the values in another order of axes",
    "BatchNormalization": "a batch normalization changes the outputs",
    "LayerNormalization": "a layer normalization changes the outputs",
    "UnitNormalization": "it divides by the norm", "GroupNormalization": "a normalization changes the outputs",
    "RMSNormalization": "a normalization changes the outputs",
    "SpectralNormalization": "a normalization changes the outputs",
    "Concatenate": "it puts several values side by side", "Merge": "it merges several values",
    "LeakyReLU": "a leaky ReLU changes the outputs", "PReLU": "a PReLU changes the outputs",
    "ELU": "an ELU changes the outputs", "ThresholdedReLU": "a thresholded ReLU changes the outputs",
    "Rescaling": "it scales values that are no input", "Normalization": "it scales values that are no input",
    "GetItem": "it takes a part of the values", "SlicingOpLambda": "it takes a part of the values",
    "Lambda": "it runs a function of Python's",
  ]

  private static let families = [
    ("Pooling1D", "it pools over neighboring steps"), ("Pooling2D", "it pools"), ("Pooling3D", "it pools"),
    ("Pool1D", "it pools over neighboring steps"), ("Pool2D", "it pools"),
    ("Conv1D", "a convolution over the steps changes the outputs"), ("Conv2D", "a convolution changes the outputs"),
    ("Conv3D", "a convolution changes the outputs"), ("Convolution1D", "a convolution changes the outputs"),
    ("Conv1DTranspose", "a transposed convolution over the steps changes the outputs"),
    ("Conv2DTranspose", "a transposed convolution changes the outputs"),
    ("Attention", "attention weighs the steps"), ("UpSampling1D", "it repeats steps"),
    ("Padding1D", "it adds steps"), ("Cropping1D", "it takes steps away"), ("OpLambda", "it runs an operation"),
  ]

  private static let others: Set<String> = [
    "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot", "EinsumDense", "LocallyConnected1D",
    "CategoryEncoding", "Discretization", "Hashing", "IntegerLookup", "StringLookup", "TextVectorization",
    "HashedCrossing", "MaxoutDense", "Highway", "TimeDistributedDense", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
    "TFSMLayer", "StackedRNNCells", "Stack", "Mean", "Sum", "Max", "Divide", "Matmul", "Transpose", "ExpandDims",
    "Squeeze", "Tanh", "Sigmoid", "Exp", "Log", "Sqrt", "Square", "Abs", "Negative", "Power", "Split", "Tile", "Repeat",
    "Flip", "Roll", "Where", "Clip", "Cast", "Relu", "Gelu", "Einsum", "BroadcastTo", "Min", "Var", "Std", "Argmax",
  ]

  /// Layers that act in training alone, or not at all.
  static let idle: Set<String> = [
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity", "NotEqual", "Any",
  ]

  /// Every class that a layer's usual name may be of, for files of weights.
  static let byUsualName: [String: String] = {
    var names: [String: String] = [:]
    let known =
      Array(special.keys) + Array(others) + families.map(\.0)
      + [
        "MaxPooling1D", "AveragePooling1D", "SeparableConv1D", "DepthwiseConv1D", "MultiHeadAttention",
        "AdditiveAttention", "GroupQueryAttention", "ZeroPadding1D", "GlobalAveragePooling1D", "GlobalMaxPooling1D",
        "Activation", "ReLU", "Softmax", "Masking", "TFOpLambda",
      ]
    for name in known { names[squeezed(name)] = name }
    return names
  }()

  /// `max_pooling1d_3`, and `maxpooling1d_3` as Keras 1 has it.
  static func className(ofUsualName name: String) -> String? {
    let last = name.split(separator: "/").last.map(String.init) ?? name
    return byUsualName[squeezed(KerasTree.stem(last))]
  }

  private static func squeezed(_ name: String) -> String { name.lowercased().filter { $0 != "_" } }
}
