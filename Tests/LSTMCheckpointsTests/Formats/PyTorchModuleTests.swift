import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Sources of modules. That they compute what they should is asked of PyTorch itself: `fixtures/torch-modules` holds what it
/// gave for each of these models (scripts/make-golden-torch-modules.py).
@Suite struct PyTorchModuleTests {
  static let names = fixtureNames(in: "torch-modules", suffix: ".json")

  static func configuration(_ name: String) throws -> ModelConfiguration {
    try ModelConfiguration(
      json: Data(contentsOf: fixtures.appendingPathComponent("torch-modules/\(name).json")), file: name)
  }

  /// Without docstrings, which have the model in words.
  private static func code(_ text: String) -> String {
    text.components(separatedBy: "\"\"\"").enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element).joined()
  }

  /// The module of each model is the one that PyTorch ran.
  @Test(arguments: names) func isTheModuleThatWasRun(_ name: String) throws {
    let source = try wavyModel(Self.configuration(name)).pyTorchModule()
    let known = try String(contentsOf: fixtures.appendingPathComponent("torch-modules/\(name).py"), encoding: .utf8)
    #expect(Self.code(source) == Self.code(known))
  }

  /// What was run is what is written.
  @Test(arguments: names) func namesAreThoseOfTheStateDict(_ name: String) throws {
    let folder = try TemporaryFolder()
    let model = try wavyModel(Self.configuration(name))
    let written = try model.write(path: folder.path("w.pt"), as: .pt)
    let source = try model.pyTorchModule()
    // For the script that asks PyTorch.
    if let place = ProcessInfo.processInfo.environment["LSTM_FT_MODULES"] {
      try model.write(path: "\(place)/\(name).pt", as: .pt)
      try writeFile("\(place)/\(name).py", Data(source.utf8))
    }
    #expect(Set(written.map(\.target)).count == written.count)
    for item in written {
      let leaf = String(item.target.split(separator: ".").last ?? "")
      let isOfAModule =
        ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"].contains(leaf)
        || PyTorchName(item.target) != nil || leaf.hasPrefix("in_proj")
      #expect(isOfAModule || source.contains(leaf), "\(item.target)")
    }
  }

  @Test func everyKindHasAModule() throws {
    // PyTorch's layers know no masks.
    var kinds = Set(LayerRegistry.standard.map(\.kind)).subtracting(["unmask", "remask"])
    for name in Self.names { for layer in try Self.configuration(name).layers { kinds.remove(layer.kind.kind) } }
    #expect(kinds.isEmpty, "\(kinds)")
  }

  @Test func aPlainStackOfEqualLayersIsOneModule() throws {
    let stack = ModelConfiguration(
      input: .tokens(vocabulary: 7, size: 3),
      layers: [.init(hiddenSize: 4, isBidirectional: true), .init(hiddenSize: 4, isBidirectional: true)],
      readout: .final, head: [.init(size: 2, activation: .softmax)], paddingToken: 0)
    let source = try wavyModel(stack).pyTorchModule(className: "Tagger")
    #expect(
      source == """
        import torch
        import torch.nn.functional as F
        from torch import nn


        class Tagger(nn.Module):
            \"\"\"
            7 tokens (0 is padding) -> embedding 3 -> bidirectional LSTM 4 -> bidirectional LSTM 4 -> final state -> dense 2 softmax

            Sequences of a batch have one length: features are (N, T, size), tokens (N, T).
            \"\"\"

            def __init__(self):
                super().__init__()
                self.embedding = nn.Embedding(7, 3, padding_idx=0)
                self.lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True, bidirectional=True)
                self.head = nn.ModuleDict()
                self.head["0"] = nn.Linear(8, 2)

            def forward(self, x):
                x = self.embedding(x)
                x, _ = self.lstm(x)
                x = torch.cat([x[:, -1, :4], x[:, 0, 4:]], dim=-1)
                x = F.softmax(self.head["0"](x), dim=-1)
                return x

        """)
  }

  @Test func whatIsNotKnownIsRefused() throws {
    let open = ModelConfiguration(input: .features(size: 1), layers: [.init(hiddenSize: 2)], head: [.init(size: 1)])
    let error = #expect(throws: CheckpointError.self) { try wavyModel(open).pyTorchModule() }
    #expect(
      error?.message.description == "cannot write Model.py: what of the steps layer readout reads is not known yet")
    #expect(throws: CheckpointError.self) { try wavyModel(open).pyTorchModule(className: "2 models") }
    #expect(throws: CheckpointError.self) { try wavyModel(open).pyTorchModule(className: "class") }
  }
}
