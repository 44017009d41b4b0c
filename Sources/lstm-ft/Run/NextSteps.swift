import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What a person may type after a run, to use the model and to hand it back. Every line works as it stands.
struct NextSteps {
  /// A command's name, and what follows the model's.
  let use: [String]

  /// What commands understand.
  struct Options {
    let finetune: CommandOptions
    let predict: CommandOptions
  }

  /// - Parameter arguments: those of finetune: what predict has to be told, too, is taken over.
  init(_ data: any ShownData, _ arguments: [String], _ options: Options) {
    let use = data.use
    self.use =
      [use.command] + (use.readsData ? Self.reading(arguments, data.file, options, keeping: use.keeping) : [])
      + use.more
  }

  /// What the model file keeps, and what is of one run only.
  private static let left: Set = [
    "--target", "--features", "--window", "--horizon", "--season", "--text-column", "--label-column", "--sequence-id",
    "--tokens", "--stride", "--separator", "--chunk", "--streams", "--readout", "--threads", "--output", "--overwrite",
    "--json", "--quiet",
  ]

  private static func reading(
    _ arguments: [String], _ file: String, _ options: Options, keeping: Set<String>
  ) -> [String] {
    let (mine, others) = (options.finetune, options.predict.options.flatMap(\.names))
    var words: [String] = []
    for word in mine.words(Array(arguments.dropFirst())) {
      guard let option = word.option else { continue }
      let names = mine.options[option.index].names
      if !left.subtracting(keeping).isDisjoint(with: names) || !others.contains(option.name) { continue }
      words += word.words
    }
    return words.contains("--data") || words.contains { $0.hasPrefix("--data=") } ? words : ["--data", file] + words
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
