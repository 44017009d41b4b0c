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

  /// Keras gives the steps of a reversed layer from the last to the first, and their mask as it was.
  @Test(arguments: ["LSTM 3", "dense 4 -> biGRU 3", "mean", "self attention"])
  func aMaskOverReversedStepsIsRefused(_ reader: String) throws {
    let model = LSTMModel(
      try ModelConfiguration(line: "6 features masked 0 -> first: LSTM 4 reversed -> \(reader) -> dense 2"))
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    for format in [Checkpoint.Format.kerasArchive, .kerasH5] {
      let error = #expect(throws: CheckpointError.self) { try model.stored.write(path: path, as: format) }
      #expect(error.map { "\($0.message)".contains("a mask over what first gives") } == true)
    }
  }

  @Test func theLastStateOfReversedStepsIsWritten() throws {
    let model = LSTMModel(
      try ModelConfiguration(line: "6 features masked 0 -> LSTM 4 bias single reversed -> final -> dense 2"))
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try model.stored.write(path: path, as: .kerasArchive)
  }
}
