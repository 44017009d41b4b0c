import FileIO
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Models under the names of other frameworks; that they come back is in `LayoutPairsTests`.
@Suite struct NamedWritingTests {
  private func model(_ layers: [PlainStack.Layer], head: Int? = 2) -> StoredModel {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: layers, head: head.map { [.init(size: $0)] } ?? [])
    return StoredModel(
      configuration,
      tensors: configuration.parameters.map {
        StoredTensor(name: $0.name, shape: $0.shape, values: .init(repeating: 0.5, count: $0.elementCount))
      })
  }

  private func tensors(
    _ model: StoredModel, _ layout: Layout, bias: PlainStack.Bias? = nil
  ) throws -> [NamedTensor] {
    try NamedLayout.tensors(Exportable(model, to: "out", options: WriteOptions(bias: bias)), layout)
  }

  private func names(_ model: StoredModel, _ layout: Layout) throws -> [String] {
    try tensors(model, layout).map(\.name)
  }

  @Test func usualNames() throws {
    let one = model([.init(hiddenSize: 4, bias: .single)])
    let two = model(.init(repeating: .init(hiddenSize: 4, bias: .single), count: 2), head: nil)
    let both = model([.init(hiddenSize: 4, isBidirectional: true, bias: .single)], head: nil)
    #expect(try names(one, .mlx) == ["lstm.Wx", "lstm.Wh", "lstm.bias", "head.0.weight", "head.0.bias"])
    #expect(try names(two, .mlx).suffix(3) == ["layers.1.Wx", "layers.1.Wh", "layers.1.bias"])
    #expect(
      try names(two, .keras).suffix(3) == [
        "lstm_1/lstm_cell/kernel", "lstm_1/lstm_cell/recurrent_kernel", "lstm_1/lstm_cell/bias",
      ])
    #expect(try names(one, .keras).suffix(2) == ["dense/kernel", "dense/bias"])
    #expect(
      try names(two, .flax).suffix(4) == [
        "LSTMCell_1/hi/bias", "LSTMCell_1/hf/bias", "LSTMCell_1/hg/bias", "LSTMCell_1/ho/bias",
      ])
    #expect(try names(both, .flax).first == "layers_0/forward_rnn/cell/ii/kernel")
    #expect(try names(two, .haiku) == ["lstm/linear/w", "lstm/linear/b", "lstm_1/linear/w", "lstm_1/linear/b"])
    #expect(try names(one, .tf1).prefix(2) == ["rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"])
    #expect(try names(both, .s4tf).last == "layers.0.backward.cell.fusedBias")
    #expect(try names(one, .burn).first == "lstm.input_gate.input_transform.weight")
    #expect(
      try names(one, .flaxOptimized).prefix(2) == ["layers/0/cell/dense_i/kernel", "layers/0/cell/dense_h/kernel"])
  }

  @Test func whatAFrameworkHasNotIsRefused() {
    func message(_ layer: PlainStack.Layer, _ layout: Layout) -> [String] {
      let error = #expect(throws: CheckpointError.self) { try names(model([layer]), layout) }
      return ([error?.message ?? ""] + (error?.advice ?? [])).map(\.description)
    }
    #expect(
      message(.init(hiddenSize: 4), .mlx) == [
        "cannot write out: layer 0 has two biases, MLX' LSTM has one",
        "write their sum with bias single: the same outputs, but training on moves it half as fast",
      ])
    #expect(
      message(.init(hiddenSize: 4, isBidirectional: true, bias: .single), .mlx).first
        == "cannot write out: layer 0 has two directions, which MLX' LSTM has not")
    #expect(
      message(.init(hiddenSize: 4, projectionSize: 2, bias: .single), .flax).first
        == "cannot write out: layer 0 has a projection, which Flax' LSTMCell has not")
    #expect(
      message(.init(hiddenSize: 4, bias: .single, hasPeepholes: true), .keras).first
        == "cannot write out: layer 0 has peepholes, which Keras' LSTM has not")
    #expect(
      message(.init(hiddenSize: 4, bias: .single), .onnx) == [
        "cannot write out: onnx is the layout of a file format, not of named tensors",
        "choose it with format: keras-h5 for Keras, onnx for ONNX",
      ])
  }

  /// Haiku and TensorFlow 1 add 1 themselves: what is stored is 1 less.
  @Test func theForgetGatesOffsetIsTakenOff() throws {
    let out = try tensors(model([.init(hiddenSize: 1, bias: .single)], head: nil), .haiku)
    #expect(try out.last?.tensor.floats() == [0.5, 0.5, -0.5, 0.5])
    #expect(out.map(\.how) == [nil, "1.0 taken off the forget gate's, rounded once"])
    let kept = try tensors(model([.init(hiddenSize: 1, bias: .single, forgetOffset: 1)], head: nil), .tf1)
    #expect(try kept.last?.tensor.floats() == [0.5, 0.5, 0.5, 0.5])
    #expect(kept.allSatisfy { $0.how == nil })
    let summed = try tensors(model([.init(hiddenSize: 1, forgetOffset: 1)], head: nil), .flax, bias: .single)
    #expect(
      summed.suffix(4).map(\.how) == [
        "two biases summed", "two biases summed; 1.0 added to the forget gate's, rounded once", "two biases summed",
        "two biases summed",
      ])
    let doubled = try tensors(model([.init(hiddenSize: 1, bias: .single)], head: nil), .kerasCuDNN)
    #expect(doubled.last?.how == "zeros, there was one bias")
  }

  @Test func projectionsGoToTensorFlowAndBack() throws {
    let folder = try TemporaryFolder()
    let source = model([.init(hiddenSize: 5, isBidirectional: true, projectionSize: 2, bias: .none)], head: nil)
    try source.write(
      path: folder.path("w.h5"), as: .pytorchHDF5, options: WriteOptions(layout: .tf1))
    let file = try Checkpoint(path: folder.path("w.h5"))
    let cell = "stack_bidirectional_rnn/cell_0/bidirectional_rnn/bw/lstm_cell"
    #expect(file["\(cell)/kernel"]?.shape == [5, 20])
    #expect(file["\(cell)/projection/kernel"]?.shape == [5, 2])
    let plan = try LoadPlan(file, options: LoadOptions(forgetBias: 1))
    try plan.validate()
    #expect(
      plan.configuration.plain.layers
        == [.init(hiddenSize: 5, isBidirectional: true, projectionSize: 2, bias: .single, forgetOffset: 1)])
    #expect(try plan.tensors["lstm.weight_hr_l0"]?.bytes() == source["lstm.weight_hr_l0"]?.bytes())
  }
}
