import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What is new to the library costs a folder or a file, and a line in a registry.
@Suite struct ToyTests {
  private let formats = FormatRegistry(formats: FormatRegistry.standard.formats + [ToyFormat()])
  private let layouts = LayoutRegistry(entries: LayoutRegistry.standard.entries + [.init(LayoutNames.toy)])

  private let model: StoredModel = {
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 2, isBidirectional: true)],
      readout: .all, head: [.init(size: 5)])
    return StoredModel(
      configuration,
      tensors: configuration.parameters.enumerated().map { index, parameter in
        StoredTensor(
          name: parameter.name, shape: parameter.shape,
          values: (0..<parameter.elementCount).map { Float($0 + 100 * index) })
      })
  }()

  private func check(_ file: Checkpoint, _ options: LoadOptions, _ layout: String) throws {
    let plan = try LoadPlan(file, options: options)
    #expect(plan.report.isComplete, "\(plan.report.failureSummary)")
    #expect(plan.report.layout.rawValue == layout)
    #expect(plan.configuration.layers == model.configuration.layers)
    for tensor in model.tensors {
      #expect(try plan.tensors[tensor.name]?.floats() == tensor.floats(), "\(tensor.name)")
    }
  }

  @Test func aFormatIsAFolderAndALine() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.toy")
    let written = try model.write(path: path, as: ToyFormat().identifier, formats: formats)
    #expect(written.count == model.tensors.count)
    let file = try Checkpoint(path: path, formats: formats)
    #expect(file.format.rawValue == "toy")
    try check(file, LoadOptions(readout: .all), "pytorch")
  }

  @Test func whoDoesNotKnowTheFormatRefusesIt() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.toy")
    _ = try model.write(path: path, as: ToyFormat().identifier, formats: formats)
    #expect(throws: CheckpointError.self) { try Checkpoint(path: path) }
    #expect(throws: CheckpointError.self) { try model.write(path: path, as: ToyFormat().identifier) }
    #expect(Checkpoint.Format(rawValue: "toy") == nil && Layout(rawValue: "toy") == nil)
  }

  @Test(arguments: [Checkpoint.Format.npz, .pytorchHDF5, .safetensors, ToyFormat().identifier])
  func aLayoutIsAFileAndALine(_ format: Checkpoint.Format) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model")
    var writing = WriteOptions(layout: LayoutNames.toy.layout)
    writing.layouts = layouts
    let written = try model.write(path: path, as: format, options: writing, formats: formats)
    #expect(written.contains { $0.target == "cell1/backward/push_before" })
    var reading = LoadOptions(readout: .all)
    reading.layouts = layouts
    try check(try Checkpoint(path: path, formats: formats), reading, "toy")
  }
}
