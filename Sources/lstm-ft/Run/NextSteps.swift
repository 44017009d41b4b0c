import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What a person may type after a run, to use the model and to hand it back. Every line works as it stands.
struct NextSteps {
  /// A command's name, and what follows the model's.
  let use: [String]

  init(_ data: any ShownData, _ settings: DataSettings) {
    let use = data.use
    self.use = [use.command] + (use.readsData ? settings.words : []) + use.more
  }

  func commands(_ output: String, _ model: LSTMModel) -> [String] {
    [
      NextCommands.use(output, use),
      NextCommands.export(output, to: Self.exportFormat(model)?.rawValue),
    ]
  }

  /// What the model came in, or the first format that it can go out in as it is now; nil when there is none.
  static func exportFormat(_ model: LSTMModel) -> Checkpoint.Format? {
    let source = model.provenance?.format.flatMap(Checkpoint.Format.init(rawValue:))
    let usual: [Checkpoint.Format] = [.pytorchHDF5, .safetensors, .native]
    return ([source].compactMap(\.self).filter(Checkpoint.Format.writable.contains) + usual).first {
      canWrite(model, as: $0)
    }
  }

  /// Beyond so many bytes it is not tried: what a model came in will mostly hold it again.
  private static let trialLimit = 64 << 20

  private static func canWrite(_ model: LSTMModel, as format: Checkpoint.Format) -> Bool {
    guard model.configuration.parameterCount * MemoryLayout<Float>.size <= trialLimit else { return true }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lstm-ft-" + UUID().uuidString)
    guard (try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)) != nil else {
      return true
    }
    defer { try? FileManager.default.removeItem(at: folder) }
    return (try? model.write(path: folder.path + "/model", as: format)) != nil
  }
}
