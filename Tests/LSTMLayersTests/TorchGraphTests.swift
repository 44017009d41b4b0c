import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// State_dicts that are more than an LSTM with a head compute what PyTorch computed: as they are found, or with the model
/// that the error proposes.
@Suite struct TorchGraphTests {
  private static func path(_ name: String) -> String { fixtures.appendingPathComponent(name).path }

  /// The models that an error proposes, as it prints them.
  private static func proposals(_ file: String) -> [String] {
    do {
      try LoadPlan(Checkpoint(path: path(file)), options: LoadOptions(readout: .last)).validate()
      return []
    } catch {
      let advice = (error as? CheckpointError)?.advice ?? []
      return advice.flatMap(\.parts).compactMap { part in
        if case .setting(.model, let value) = part { value } else { nil }
      }
    }
  }

  /// - Parameter line: a model to be given, as one line.
  private static func output(_ file: String, line: String?, _ numbers: Checkpoint) throws -> Tensor {
    var options = LoadOptions(readout: .last)
    if let line { options = LoadOptions(configuration: try ModelConfiguration(line: line)) }
    return try output(LSTMModel(LoadPlan(Checkpoint(path: path(file)), options: options)), numbers)
  }

  private static func output(_ model: LSTMModel, _ numbers: Checkpoint) throws -> Tensor {
    var batches: [SequenceBatch] = []
    for (index, input) in model.configuration.inputs.enumerated() {
      let x = try #require(numbers[index == 0 ? "x" : "x\(index + 1)"])
      // What comes once a sequence is one step.
      let shape = x.shape.count == 2 ? [x.shape[0], 1, x.shape[1]] : x.shape
      batches.append(
        input.vocabulary == nil
          ? try SequenceBatch(Tensor(shape: shape, values: x.floats()))
          : try SequenceBatch(tokens: x.integers().map { Int32($0) }, count: x.shape[0], steps: x.shape[1]))
    }
    return try Network(model, kernels: .best).forward(
      batches[0], others: Array(batches.dropFirst()), forBackward: false)
  }

  private func compare(_ found: Tensor, _ wanted: StoredTensor, _ bound: Float) throws {
    #expect(found.shape == wanted.shape)
    #expect(relativeDifference(found.values, try wanted.floats()) <= bound)
  }

  @Test(arguments: fixtureNames(in: "torch-graph", suffix: ".pt")) func isWhatPyTorchGave(_ name: String) throws {
    let file = "torch-graph/\(name).pt"
    var line: String?
    if let json = try? Data(contentsOf: fixtures.appendingPathComponent("torch-graph/\(name).json")) {
      line = try ModelConfiguration(json: json, file: name).line
    } else {
      line = Self.proposals(file).first
    }
    let numbers = try Checkpoint(path: Self.path("torch-graph/\(name).npz"))
    // What the error leaves to be filled in.
    if let steps = numbers["x"]?.shape[1] { line = line?.replacing(" N ", with: " \(steps) ") }
    try compare(Self.output(file, line: line, numbers), #require(numbers["y"]), 2e-6)
  }

  /// An activation that a plain stack has not can be said as well as one that it has.
  @Test func theOutputMayBeAnyActivation() throws {
    let numbers = try Checkpoint(path: Self.path("torch-graph/log_softmax.npz"))
    var options = LoadOptions(readout: .all)
    options.outputActivation = .logSoftmax
    let plan = try LoadPlan(Checkpoint(path: Self.path("torch-graph/log_softmax.pt")), options: options)
    #expect(!plan.report.assumed.contains { $0.what.description.hasPrefix("no activation after") })
    try compare(Self.output(LSTMModel(plan), numbers), #require(numbers["y"]), 2e-6)
  }

  @Test(
    arguments: [
      ("layer-order-pt/ln_after.pt", nil, "layer-order-pt/x.npz", "layer-order-pt/ln_after.npy"),
      ("pt-batchnorm/model.pt", nil, "pt-batchnorm/expected.npz", nil),
      ("parallel-pt/par_sum_square.pt", 0, "parallel-pt/par_sum_square_x.npz", "parallel-pt/par_sum_square.npy"),
      ("parallel-pt/residual.pt", 1, "parallel-pt/residual_x.npz", "parallel-pt/residual.npy"),
      ("pt-conv-front/model.pt", 0, "pt-conv-front/expected.npz", nil),
      ("pt-attention-taken-for-dense/model.pt", 0, "pt-attention-taken-for-dense/expected.npz", nil),
      ("npz-gates/weights.npz", nil, "npz-gates/expected.npz", nil),
    ] as [(String, Int?, String, String?)])
  func theFirstModelsInTheWild(_ file: String, _ proposal: Int?, _ x: String, _ y: String?) throws {
    var line: String?
    if let proposal {
      let lines = Self.proposals("wild/" + file)
      line = try #require(lines.count > proposal ? lines[proposal] : nil)
    }
    let numbers = try Checkpoint(path: Self.path("wild/" + x))
    let wanted = try y.map { try Checkpoint(path: Self.path("wild/" + $0))["x"] } ?? numbers["y"]
    try compare(Self.output("wild/" + file, line: line, numbers), #require(wanted), 1e-5)
  }

  /// Every kind of layer, as PyTorch computes the module that is written for it.
  @Test(arguments: fixtureNames(in: "torch-modules", suffix: ".json")) func isWhatItsModuleGives(_ name: String) throws
  {
    let configuration = try ModelConfiguration(
      json: Data(contentsOf: fixtures.appendingPathComponent("torch-modules/\(name).json")), file: name)
    var model = LSTMModel(configuration)
    for tensor in wavyModel(configuration).tensors {
      try model.set(tensor.name, to: Tensor(shape: tensor.shape, values: tensor.floats()))
    }
    let numbers = try Checkpoint(path: Self.path("torch-modules/\(name).npz"))
    try compare(Self.output(model, numbers), #require(numbers["y"]), 2e-6)
  }
}
