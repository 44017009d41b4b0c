/// How a model is to be written where the target leaves a choice, or cannot hold all of it.
public struct WriteOptions: Sendable {
  /// One bias: the sum of two, rounded once. Two: a single one and zeros.
  public var bias: PlainStack.Bias?
  /// Every tensor in this type, each value rounded to nearest; nil keeps the types.
  public var dataType: DataType?
  /// Of the formats that hold tensors by name (safetensors, NPZ, HDF5), whose names and order; nil for the source's own.
  public var layout: Layout?

  /// Of ONNX, whether the states of recurrent layers are inputs and outputs, for programs that carry them from call to call;
  /// nil where the source's were.
  public var carriesState: Bool?

  /// The layouts that are known.
  var layouts = LayoutRegistry.standard

  /// What is not said is as the source had it.
  public init(bias: PlainStack.Bias? = nil, dataType: DataType? = nil, layout: Layout? = nil, carriesState: Bool? = nil)
  {
    self.bias = bias
    self.dataType = dataType
    self.layout = layout
    self.carriesState = carriesState
  }
}
