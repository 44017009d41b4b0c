import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What scripts/make-pickle-fixtures.py writes: Python objects of all kinds beside a model's tensors.
@Suite struct PickleFileTests {
  private static let folder = fixtures.appendingPathComponent("pickle")

  private static func files(_ prefix: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return names.filter { $0.hasPrefix(prefix) }.sorted()
  }

  private func checkpoint(_ name: String) throws -> Checkpoint {
    try Checkpoint(path: Self.folder.appendingPathComponent(name).path)
  }

  @Test func thereAreFilesOfEachKind() {
    #expect(Self.files("model-").count > 90)
    #expect(Self.files("whole-").count > 10)
    #expect(Self.files("scaler-").count > 20)
  }

  /// Whatever lies beside it, the model is read.
  @Test(arguments: files("model-"))
  func theTensorsAreRead(_ name: String) throws {
    let state = try checkpoint("state.npz")
    let checkpoint = try checkpoint(name)
    #expect(checkpoint.format == .pt)
    let plan = try LoadPlan(checkpoint)
    try plan.validate()
    #expect(plan.tensors.count == state.tensors.count)
    for (target, source) in plan.mapping {
      let name = try #require(state.tensors.first { source == $0.name || source.hasSuffix("." + $0.name) }?.name)
      #expect(try plan.tensors[target]?.floats() == state[name]?.floats(), "\(source)")
    }
  }

  @Test(arguments: files("whole-"))
  func aWholeModuleIsItsTensors(_ name: String) throws {
    let checkpoint = try checkpoint(name)
    let all = try self.checkpoint("whole.npz").tensors.filter { $0.name.hasPrefix(name + "/") }
    #expect(checkpoint.tensors.map(\.name) == all.map { String($0.name.dropFirst(name.count + 1)) })
    for tensor in all {
      #expect(try checkpoint[String(tensor.name.dropFirst(name.count + 1))]?.floats() == tensor.floats())
    }
    let plan = try LoadPlan(checkpoint)
    try plan.validate()
    #expect(plan.report.notes.contains { $0.contains("whole module") })
  }

  @Test func aModuleUnderAKeySaysSo() throws {
    let note = try LoadPlan(checkpoint("whole-in-dictionary.pt")).report.notes.first
    #expect(
      note?.description == "model is a whole module, __main__.Model; its code is not in the file: "
        + "model.lstm is a torch.nn.LSTM, model.fc is a torch.nn.Linear")
  }

  @Test func whatAModuleIsMadeOfIsSaid() throws {
    let report = try LoadPlan(checkpoint("whole-activated.pt")).report
    #expect(
      report.notes.first?.description == "a whole module was saved, __main__.Activated; its code is not in the file: "
        + "rnn is a torch.nn.LSTM, drop is a torch.nn.Dropout, act is a torch.nn.ReLU, out is a torch.nn.Linear, "
        + "squash is a torch.nn.Sigmoid, loss is a torch.nn.MSELoss")
    #expect(
      report.assumed.prefix(2).map(\.what.description) == [
        "act, a torch.nn.ReLU, is not applied (it was made after rnn and before out): "
          + "where the model calls it is code, which the file does not hold",
        "squash, a torch.nn.Sigmoid, is not applied (it was made after out): "
          + "where the model calls it is code, which the file does not hold",
      ])
  }

  @Test func aModelInAnObjectIsLookedFor() throws {
    let report = try LoadPlan(checkpoint("whole-in-inner-object.pt")).report
    #expect(
      report.notes.first == "looked into trainer, a Python object (__main__.Trainer), as no model lies beside it")
    #expect(try checkpoint("whole-in-inner-object.pt").stateKey == "trainer.net")
  }

  @Test func objectsAreNamed() throws {
    let skipped = { (name: String) in try checkpoint("model-\(name).pt").skipped.map { "\($0.name): \($0.reason)" } }
    #expect(
      try skipped("namespace") == [
        "other0: it is a Python object, argparse.Namespace, passed over",
        "other1: it is a Python object, types.SimpleNamespace, passed over",
      ])
    #expect(
      try skipped("lightning").suffix(3) == [
        "hyper_parameters.config: it is a Python object, omegaconf.dictconfig.DictConfig, passed over",
        "hyper_parameters.args: it is a Python object, argparse.Namespace, passed over",
        "pyannote.audio.specifications: it is a Python object, pyannote.audio.core.task.Specifications, passed over",
      ])
    #expect(try skipped("enums").first == "other0: it is a Python object, __main__.Color, passed over")
    #expect(
      try skipped("dataclass") == [
        "other0: it is a Python object, __main__.Config, passed over",
        "other1: it is a Python object, __main__.Point, passed over",
      ])
    #expect(
      try LoadPlan(checkpoint("model-namespace.pt")).report.notes.contains(
        "other0 was not looked at: it is a Python object, argparse.Namespace, passed over"))
    // Values that are nobody's loss.
    for name in ["devices", "dtypes", "numbers", "bytes", "dates", "counter", "sets", "numpy-scalars"] {
      #expect(try skipped(name) == [], "\(name)")
    }
  }

  /// A state_dict whose one tensor cannot be read says what it is.
  @Test func tensorsThatAreNotReadAreNamed() throws {
    func reason(_ function: String, storage: Bool = true) throws -> String? {
      var pickle = PickleText()
      pickle.code("}")
      pickle.text("w")
      pickle.global("torch._utils \(function)")
      pickle.code("(NNNNNNNtRs.")
      return try Checkpoint.reading(pickle.archive()).skipped.first?.reason
    }
    #expect(try reason("_rebuild_qtensor") == "it is a quantized tensor")
    #expect(try reason("_rebuild_sparse_tensor") == "it is a sparse tensor")
    #expect(try reason("_rebuild_nested_tensor") == "it is a nested tensor")
    #expect(
      try reason("_rebuild_meta_tensor_no_storage") == "it is a tensor on the meta device, which has no values")
    #expect(
      try reason("_rebuild_wrapper_subclass") == "it is a tensor of a subclass that keeps its values elsewhere")
  }

  @Test func whatIsRefused() throws {
    func messages(_ name: String) throws -> [String] {
      try refusal(
        ofFile: Array(Data(contentsOf: Self.folder.appendingPathComponent(name))), named: name)
    }
    for name in ["refused-opaque.pt", "refused-opaque-legacy.pt"] {
      #expect(
        try messages(name) == [
          "\(name): its tensors lie in a Python object, __main__.make_opaque, under \"learner\", that only running "
            + "code could take apart; nothing was run",
          "save the tensors alone, in Python, if you trust the file; the object may have a state_dict:",
          "x = torch.load(\"\(name)\", weights_only=False)[\"learner\"]; torch.save(x.state_dict(), \"weights.pt\")",
        ])
    }
    #expect(
      try messages("refused-no-tensors.pkl") == [
        "refused-no-tensors.pkl: is a Python pickle in which there are no tensors and no arrays"
      ])
    #expect(
      try messages("refused-joblib.pkl").first
        == "refused-joblib.pkl: is what joblib.dump wrote, which is no plain pickle")
  }

  /// As PyTorch before 0.4 wrote parameters and tensors: a class, completed from its parts.
  @Test func tensorsOfOldClasses() throws {
    func parts(_ pickle: inout PickleText) {
      pickle.code("((")
      pickle.text("storage")
      pickle.global("torch FloatStorage")
      pickle.text("0")
      pickle.text("cpu")
      pickle.integer(6)
      pickle.code("tQ")
      pickle.integer(1)
      pickle.tuple([2])
      pickle.tuple([2])
      pickle.code("t")
    }
    for name in ["torch FloatTensor", "torch.cuda FloatTensor", "torch Tensor"] {
      let pickle = PickleText.dictionary { pickle in
        pickle.global(name)
        pickle.code(")\u{81}")
        parts(&pickle)
        pickle.code("b")
      }
      #expect(try Checkpoint.reading(pickle.archive())["w"]?.floats() == [1, 3], "\(name)")
    }
    let parameter = PickleText.dictionary { pickle in
      pickle.global("torch.nn.parameter Parameter")
      pickle.code(")\u{81}(")
      pickle.tensor()
      pickle.code("\u{88}}\u{89}Ntb")
    }
    #expect(try Checkpoint.reading(parameter.archive())["w"]?.shape == [2, 3])
    let direct = PickleText.dictionary { pickle in
      pickle.global("torch.nn.parameter Parameter")
      pickle.tensor()
      pickle.code("\u{88}\u{86}\u{81}")
    }
    #expect(try Checkpoint.reading(direct.archive())["w"]?.shape == [2, 3])
  }

  // MARK: - Scalers

  private struct Expected: Decodable {
    let key: String
    let mean: [Double]
    let deviation: [Double]
  }

  @Test(arguments: files("scaler-"))
  func scalersAreOffered(_ name: String) throws {
    let all = try JSONDecoder().decode(
      [String: [Expected]].self, from: Data(contentsOf: Self.folder.appendingPathComponent("scalers.json")))
    let expected = try #require(all[name])
    let checkpoint = try checkpoint(name)
    try LoadPlan(checkpoint).validate()
    let found = checkpoint.foundScalers
    #expect(found.map(\.key) == expected.map(\.key))
    for (scaler, expected) in zip(found, expected) {
      #expect(scaler.columns == expected.mean.count)
      for (value, wanted) in zip(scaler.mean + scaler.deviation, expected.mean + expected.deviation) {
        #expect(abs(value - wanted) <= 1e-9 * max(1, abs(wanted)), "\(scaler.key): \(value), not \(wanted)")
      }
    }
  }

  /// What measures training or sets its limits is no scaler, and what several steps of scikit-learn make is none of them.
  @Test(arguments: ["loss_mean loss_std", "lr_min lr_max", "min max", "grad_mean grad_std", "running_mean running_std"])
  func otherPairsAreNoScalers(_ names: String) throws {
    func found(_ names: [Substring], _ path: String? = nil) throws -> [String] {
      var pickle = PickleText()
      pickle.code("}(")
      pickle.text("w")
      pickle.tensor()
      if let path {
        pickle.text(path)
        pickle.code("}(")
      }
      for (number, name) in names.enumerated() {
        pickle.text(String(name))
        pickle.integer(number + 1)
      }
      pickle.code(path == nil ? "u." : "uu.")
      return try Checkpoint.reading(pickle.archive()).foundScalers.map(\.key)
    }
    let pair = names.split(separator: " ")
    #expect(try found(pair) == [])
    // The same two words where they are the data's.
    let plain = pair.map { $0.split(separator: "_").last ?? $0 }
    #expect(try found(plain, "x_scaler") == ["x_scaler"])
  }

  @Test func aScalerSaysWhatItIs() throws {
    #expect(try checkpoint("scaler-minmax.pt").foundScalers.map(\.kind) == ["sklearn.preprocessing.MinMaxScaler"])
    #expect(try checkpoint("scaler-own-class.pt").foundScalers.map(\.kind) == ["__main__.Scaler (mean and std)"])
    #expect(try checkpoint("scaler-named.pt").foundScalers.map(\.kind) == ["x_mean and x_std", "y_mean and y_std"])
    #expect(try checkpoint("scaler-named.pt").foundScalers.map(\.isForAll) == [false, true])
  }

  /// What a layer or a module keeps for itself is no scaler of the data.
  @Test func aLayersStatisticsAreNoScaler() throws {
    var pickle = PickleText()
    pickle.code("}(")
    for name in ["norm.weight", "mean", "std"] {
      pickle.text(name)
      pickle.tensor()
    }
    pickle.code("u.")
    #expect(try Checkpoint.reading(pickle.archive()).foundScalers.isEmpty)
  }
}
