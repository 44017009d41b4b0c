import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model's unfrozen parts on your data.",
    usage: "lstm-ft finetune [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft finetune --data mine.csv --target temp --window 48 --freeze layer0
        lstm-ft finetune encoder.h5 --data mine.npz --freeze lstm --head new:9
        lstm-ft finetune --data mine.h5 --freeze embedding --freeze '*.bias_*'
        lstm-ft finetune textgenrnn.h5 --text mine.txt --extend-vocabulary

      Selectors of --freeze and --unfreeze are layer0, layer1.reverse, lstm, embedding, attention, head, head.0 and \
      globs over tensor names. What becomes of each part is printed before anything runs.

      The run's folder holds config.json, log.jsonl (a line for each step and epoch), best.h5, last.h5 and loss.svg. \
      A run that any framework can be compared with, step by step:

        lstm-ft finetune --data mine.h5 --no-shuffle --validation-split 0 \\
          --scaler none --patience 0 --clip-norm 0
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Data")
  var data: DataArguments

  @OptionGroup(title: "Data")
  var vocabulary: VocabularyArguments

  @OptionGroup(title: "Model")
  var parts: PartArguments

  @OptionGroup(title: "Model")
  var reading: ReadoutArguments

  @OptionGroup(title: "Loss")
  var loss: LossArguments

  @OptionGroup(title: "Training")
  var loop: LoopArguments

  @OptionGroup(title: "Training")
  var computing: ThreadArguments

  @OptionGroup(title: "Training")
  var caching: CacheArguments

  @OptionGroup(title: "Optimiser")
  var optimiser: OptimiserArguments

  @OptionGroup(title: "Output")
  var files: OutputFiles

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct PartArguments: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "A part of the model that stays as it is, byte for byte. Repeatable.", valueName: "selector"))
    var freeze: [String] = []

    @Option(help: ArgumentHelp("A part that trains although --freeze covers it. Repeatable.", valueName: "selector"))
    var unfreeze: [String] = []

    @Option(help: ArgumentHelp("Replace the head by a new dense layer: new, or new:SIZE.", valueName: "new[:size]"))
    var head: String?

    @Flag(help: "Start the whole network from fresh values: what transfer has to beat.")
    var fromScratch = false

    @Option(
      help: ArgumentHelp(
        "Standardisation: keep the model's, refit it to the training part, or none; auto keeps, and refits for CSV "
          + "when the model has none.", valueName: "mode"))
    var scaler: ScalerMode = .auto
  }

  struct OutputFiles: ParsableArguments {
    @Option(
      name: .shortAndLong, help: ArgumentHelp("The fine-tuned model to write.", valueName: "file"),
      completion: .file())
    var output = "finetuned.h5"

    @Option(
      name: .customLong("run"), help: ArgumentHelp("The run's folder. (default: runs/<time>)", valueName: "folder"),
      completion: .directory)
    var runFolder: String?
  }

  func run() throws {
    let console = out.console
    try loop.check()
    let rule = try optimiser.rule()
    try requireOutput(files.output, apartFrom: [data.requiredPath(), model])
    let path = files.runFolder ?? Self.defaultFolder()
    let session = try FinetuneSession(
      self, rule: rule, kernels: computing.kernels(), caching: caching.caching(folder: path))
    let folder = try RunFolder(path)
    folder.startName = session.startName
    FinetuneReport(session, console).header()
    try folder.writeConfiguration(session.resolved)
    try session.train(folder, console)
  }

  func headChoice() throws -> TaskFit.Head {
    guard let head = parts.head else { return .keep }
    let parts = head.split(separator: ":", omittingEmptySubsequences: false)
    if head == "new" { return .new(size: nil) }
    guard parts.count == 2, parts[0] == "new", let size = Int(parts[1]), 1...(1 << 24) ~= size else {
      throw InputError.usage("--head \(head): expected new or new:SIZE", advice: ["for example --head new:9"])
    }
    return .new(size: size)
  }

  private static func defaultFolder() -> String {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "yyyy-MM-dd-HHmmss"
    let base = "runs/" + formatter.string(from: Date())
    var name = base
    var number = 1
    while FileManager.default.fileExists(atPath: name) {
      number += 1
      name = "\(base)-\(number)"
    }
    return name
  }
}
