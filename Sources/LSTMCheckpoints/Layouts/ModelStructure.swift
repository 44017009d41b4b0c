/// What a container says about its model beside the tensors: the layers of a Keras file, the graph of an ONNX one.
protocol ModelStructure: Sendable {
  /// - Parameters:
  ///   - candidates: the file's tensors, under names that prefix and rules have been through; `tensor.name` is the file's.
  ///   - options: what the user says of layout, forget bias and readout.
  func translate(_ candidates: [Candidate], file: String, options: LoadOptions) throws(CheckpointError) -> Translation
}
