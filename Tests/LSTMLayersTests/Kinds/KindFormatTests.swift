import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints
@testable import LSTMLayers

/// Every kind of layer and every setting goes out in each format that holds it and computes the same when it comes back.
/// `scripts/interop-kinds.py` runs the same models in the frameworks.
@Suite struct KindFormatTests {
  static let formats: [(name: String, format: Checkpoint.Format, file: String)] = [
    ("keras", .kerasArchive, "m.keras"), ("keras-h5", .kerasH5, "m.h5"), ("onnx", .onnx, "m.onnx"), ("pt", .pt, "m.pt"),
  ]

  /// A new kind, setting or choice needs a model here.
  @Test func everyKindAndSettingIsInAModel() throws {
    var found = Set<String>()
    for test in KindCase.all {
      for layer in try test.configuration().layers {
        let object = try #require(
          JSONSerialization.jsonObject(with: JSONEncoder().encode(layer)) as? [String: Any], "\(test.name)")
        for (key, value) in object {
          found.formUnion([layer.kind.kind + " " + key, "\(layer.kind.kind) \(key) \(value)"])
        }
        found.insert(layer.kind.kind)
      }
    }
    var missing: [String] = []
    for kind in LayerRegistry.standard {
      if !found.contains(kind.kind) { missing.append(kind.kind) }
      // A plain cell has no gates, whatever it says of them.
      let settings = Layer.settings(ofKind: kind.kind).filter { kind.kind != "rnn" || $0.key != "gates" }
      for setting in settings where !found.contains("\(kind.kind) \(setting.key)") {
        missing.append("\(kind.kind) \(setting.key)")
      }
      for setting in settings {
        for choice in setting.choices
        where choice != setting.usualChoice && Self.isFit(choice, for: kind.kind)
          && !found.contains("\(kind.kind) \(setting.key) \(choice)")
        {
          missing.append("\(kind.kind) \(setting.key) \(choice)")
        }
      }
    }
    #expect(missing.isEmpty, "\(missing.sorted().joined(separator: "; "))")
  }

  /// A softmax is of a row: only layers that give one have it.
  private static func isFit(_ choice: String, for kind: String) -> Bool {
    ["dense", "activation"].contains(kind) || Activation(rawValue: choice)?.isElementwise ?? true
  }

  @Test(arguments: KindCase.all) func comesBackTheSame(_ test: KindCase) throws {
    let model = try test.model()
    let wanted = try test.outputs(model)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (name, format, file) in Self.formats {
      let path = folder.appendingPathComponent(file).path
      do {
        try model.stored.write(
          path: path, as: format, options: .init(bias: format == .pt || format == .onnx ? nil : .single))
        if format == .pt { _ = try model.stored.pyTorchModule() }
      } catch let error as CheckpointError {
        if !test.refusing.contains(name) { Issue.record("\(name): \(error.message) \(error.advice)") }
        continue
      }
      #expect(!test.refusing.contains(name), "\(name) holds it")
      do {
        if test.unread.contains(name) { continue }
        // PyTorch has two biases, and an offset of the forget gate in one of them.
        let line = test.line.replacing(" bias single", with: "").replacing(" forget offset 1", with: "")
        let options = format == .pt ? LoadOptions(configuration: try ModelConfiguration(line: line)) : LoadOptions()
        let again = try LSTMModel(Checkpoint(path: path), options: options)
        let found = try test.outputs(again)
        #expect(found.map(\.shape) == wanted.map(\.shape), "\(name): \(again.configuration.line)")
        for (one, other) in zip(found, wanted) {
          let difference = largestDifference(one.values, other.values)
          #expect(difference <= 2e-6, "\(name): \(difference), as \(again.configuration.line)")
        }
      } catch {
        Issue.record("\(name) read back: \(error)")
      }
    }
  }
}
