import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints
@testable import LSTMLayers

/// Forms that the frameworks refuse, although what they say is right: `scripts/interop-kinds.py` met each of them.
@Suite struct KindWritingTests {
  private func model(_ name: String) throws -> LSTMModel {
    try #require(KindCase.all.first { $0.name == name }, "\(name)").model()
  }

  private func written(_ name: String, as format: Checkpoint.Format) throws -> Data {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try model(name).stored.write(path: path, as: format, options: .init(bias: format == .onnx ? nil : .single))
    return try Data(contentsOf: URL(fileURLWithPath: path))
  }

  /// ONNX Runtime does not compute the padding of windows with gaps by itself.
  @Test func dilatedConvolutionsSayTheirPadding() throws {
    func asks(_ name: String) throws -> Bool {
      try written(name, as: .onnx).range(of: Data("SAME_UPPER".utf8)) != nil
    }
    #expect(try asks("conv same"))
    #expect(try !asks("conv same dilation"))
  }

  /// PyTorch's LSTM has projections that are smaller than its state.
  @Test func aProjectionAsWideAsTheStateIsNoModule() throws {
    #expect(try model("lstm projection").stored.pyTorchModule().contains("proj_size=3"))
    #expect(try !model("lstm projection of H").stored.pyTorchModule().contains("proj_size"))
  }

  /// Keras 3 finds states, and the values of attention, only where they are given as it gives them itself.
  @Test(arguments: ["lstm from another in Keras 3", "self attention in Keras 3"])
  func whatKeras3IsGivenByNameIsInItsOwnForm(_ name: String) throws {
    #expect(try written(name, as: .kerasH5).range(of: Data("keras_history".utf8)) != nil)
  }

  @Test func whatKeras2IsGivenByNameIsInTheOlderForm() throws {
    #expect(try written("lstm from another", as: .kerasH5).range(of: Data("keras_history".utf8)) == nil)
  }
}
