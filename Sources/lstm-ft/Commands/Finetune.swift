import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model's unfrozen parts on your data.",
    discussion: """
      lstm-ft finetune --data mine.csv --target temp --window 48 --freeze layer0
      lstm-ft finetune model.h5 --data mine.npz --freeze embedding --freeze 'lstm.weight_hh_*' --epochs 20
      lstm-ft finetune --data mine.h5 --no-shuffle --validation-split 0 --scaler none --patience 0 --clip-norm 0

      The last line makes a run that any framework can be compared with, step by step, in log.jsonl.
      Selectors of --freeze and --unfreeze: layer0, layer1.reverse, lstm, embedding, attention, head, head.0, and
      globs over tensor names. What becomes of each part is printed before anything runs.
      """)

  @Argument(help: "The model file.")
  var model = "model.h5"

  @OptionGroup(title: "Data")
  var data: DataArguments

  @Option(help: "A part of the model that stays as it is, byte for byte. Repeatable.")
  var freeze: [String] = []

  @Option(help: "A part that trains although --freeze covers it. Repeatable.")
  var unfreeze: [String] = []

  @Option(help: ArgumentHelp("Replace the head by a new dense layer: new, or new:SIZE.", valueName: "new[:size]"))
  var head: String?

  @Option(help: "What the head reads: all, last, final, mean, max or attention.")
  var readout: ModelConfiguration.Readout?

  @Flag(help: "Start the whole network from fresh values: what transfer has to beat.")
  var fromScratch = false

  @Option(help: "Standardisation: keep the model's, refit to the training part, none. (auto: keep, else refit for CSV)")
  var scaler: ScalerMode = .auto

  @OptionGroup(title: "Loss")
  var loss: LossArguments

  @OptionGroup(title: "Training")
  var loop: LoopArguments

  @OptionGroup(title: "Optimiser")
  var optimiser: OptimiserArguments

  @Option(name: .shortAndLong, help: "The fine-tuned model to write.")
  var output = "finetuned.h5"

  @Option(name: .customLong("run"), help: "The run's folder. (default: runs/<time>)")
  var runFolder: String?

  @OptionGroup(title: "Output")
  var out: OutputOptions

  func run() throws {
    let console = out.console
    try loop.check()
    let rule = try optimiser.rule()
    try requireDifferent(output, from: data.requiredPath())
    let session = try FinetuneSession(self, rule: rule)
    FinetuneReport(session, console).header()
    let folder = try RunFolder(runFolder ?? Self.defaultFolder())
    try folder.writeConfiguration(session.resolved)
    try session.train(folder, console)
  }

  func headChoice() throws -> TaskFit.Head {
    guard let head else { return .keep }
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
