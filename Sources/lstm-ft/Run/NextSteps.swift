import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The commands to use and export the model after a run. Each works as printed.
struct NextSteps {
  /// A command's name, and its arguments after the model.
  let use: [String]

  init(_ data: any ShownData, _ settings: DataSettings, _ model: ModelConfiguration) {
    let use = data.use
    // .npy holds one array.
    let file = use.writesArrays ? ["-o", model.outputNames.count > 1 ? "predictions.h5" : "predictions.npy"] : []
    self.use = [use.command] + (use.readsData ? settings.words : []) + use.more + file
  }

  func commands(_ output: String, _ model: LSTMModel) -> [String] {
    [
      NextCommands.use(output, use),
      NextCommands.export(output, to: Self.exportFormat(model)?.rawValue),
    ]
  }

  /// The format that the model came in, or the first that can hold it as it is now; nil when there is none.
  static func exportFormat(_ model: LSTMModel) -> Checkpoint.Format? {
    let source = model.provenance?.format.flatMap(Checkpoint.Format.init(rawValue:))
    let usual: [Checkpoint.Format] = [.pytorchHDF5, .safetensors, .native]
    return ([source].compactMap(\.self).filter(Checkpoint.Format.writable.contains) + usual).first {
      canWrite(model, as: $0)
    }
  }

  /// Larger models are not tried: the format that a model came in will usually hold it again.
  private static let trialLimit = 64 << 20

  private static func canWrite(_ model: LSTMModel, as format: Checkpoint.Format) -> Bool {
    guard model.configuration.parameterCount * MemoryLayout<Float>.size <= trialLimit else { return true }
    guard let folder = try? PrivateFolder() else { return true }
    defer { folder.remove() }
    do {
      try model.write(path: folder.path + "/model", as: format)
      return true
    } catch {
      // A full disk says nothing about the format.
      return (error as? any DescribedFailure)?.category == .inputOutput
    }
  }
}
