import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model's unfrozen parts on your data.",
    usage: "lstm-ft finetune [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft finetune --data mine.csv --target temp --window 48 --freeze layer0
        lstm-ft finetune encoder.h5 --data mine.npz --freeze lstm --head new:9
        lstm-ft finetune --data mine.h5 --freeze embedding --freeze '*.bias_*'
        lstm-ft finetune textgenrnn.h5 --text mine.txt --extend-vocabulary
        lstm-ft finetune --data mine.h5 --recipe ulmfit --epochs 6
        lstm-ft finetune network.json --from-scratch --data mine.h5
        lstm-ft finetune --resume runs/2026-01-31-120000

      Selectors of --freeze and --unfreeze are layer0, layer1.reverse, lstm, embedding, attention, head, head.0 and \
      globs over tensor names; behind a layer may stand a gate: layer0.forget (input, forget, cell, output). What becomes of each part is printed before anything runs.

      The run's folder holds config.json, log.jsonl (a line for each step and epoch), best.h5, last.h5, loss.svg, \
      gradients.svg and report.html, a page that shows all of it. \
      A run that was stopped, by Ctrl-C or by a crash, goes on with --resume as if it had not been, bit for bit.

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

  @OptionGroup(title: "Optimizer")
  var optimizer: OptimizerArguments

  @OptionGroup(title: "Optimizer")
  var rates: RateArguments

  @OptionGroup(title: "Regularization")
  var regularization: RegularizationArguments

  @OptionGroup(title: "Output")
  var files: OutputFiles

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  /// What the command was given, for the run's `config.json`.
  var arguments = Array(CommandLine.arguments.dropFirst())

  private enum CodingKeys: String, CodingKey {
    case model, data, vocabulary, parts, reading, loss, loop, computing, caching, optimizer, rates, regularization
    case files, overwriting, out
  }

  private var request: FinetuneRequest {
    FinetuneRequest(
      model: model, data: data, vocabulary: vocabulary, parts: parts, reading: reading, loss: loss, loop: loop,
      optimizer: optimizer, rates: rates, regularization: regularization, files: files, arguments: arguments,
      options: .init(finetune: CommandOptions(Finetune.self), predict: CommandOptions(Predict.self)))
  }

  func run() throws {
    if let resume = files.resume { return try self.resume(resume) }
    let console = out.console
    try loop.check()
    let rule = try optimizer.rule()
    try requireOutput(
      files.output, apartFrom: data.requiredPaths() + loop.validationPaths() + [model],
      overwrite: overwriting.overwrite)
    let path = files.runFolder ?? Self.defaultFolder()
    let session = try FinetuneSession(
      request, rule: rule, kernels: computing.kernels(), caching: caching.caching(folder: path))
    let folder = try RunFolder(path, guide: .commandLine)
    FinetuneReport(session, console).header()
    try folder.writeConfiguration(session.resolved)
    try session.train(folder, console)
  }

  private func resume(_ path: String) throws {
    let begun = try BegunRun(path, given: Array(CommandLine.arguments.dropFirst()))
    let point = try ResumePoint(run: begun.folder)
    var command = try Self.parsed(begun)
    command.computing = computing
    command.arguments = begun.arguments
    try requireOutput(
      command.files.output, apartFrom: [command.data.requiredPath(), command.model],
      overwrite: overwriting.overwrite || command.overwriting.overwrite)
    let rule = try command.optimizer.rule()
    let session = try FinetuneSession(
      command.request, rule: rule, kernels: computing.kernels(), caching: command.caching.caching(folder: begun.folder))
    let folder = try RunFolder(resuming: begun.folder, point?.state, guide: .commandLine)
    let report = FinetuneReport(session, out.console)
    report.header()
    report.resuming(point?.state)
    try session.train(folder, out.console, resuming: point)
  }

  /// The command that a run was begun with.
  private static func parsed(_ run: BegunRun) throws -> Finetune {
    guard run.arguments.first == configuration.commandName ?? "finetune" else {
      throw FineTuningError.badData(
        file: run.folder + "/config.json", detail: "its arguments are not those of finetune", advice: [])
    }
    return try parse(Array(run.arguments.dropFirst()))
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
