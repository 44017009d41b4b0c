import ArgumentParser
import Foundation
import LSTMFineTuning
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

      Selectors of --freeze and --unfreeze are the names of layers that inspect shows (layer0, conv1, head.0), kinds \
      (lstm, gru, recurrent, convolution, batch_norm, dense), head, directions (layer1.reverse) and globs over layers and \
      tensors ('norm*', '*.bias_*'); a gate may follow a layer: layer0.forget (input, forget, cell, output). The plan for \
      each part is printed before anything runs.

      The run's folder holds config.json, log.jsonl (a line for each step and epoch), best.h5, last.h5, loss.svg, \
      gradients.svg and report.html, a page that shows all of it. --resume continues a run that was stopped by Ctrl-C or a \
      crash; the result is bit-identical to an uninterrupted run.

      For a comparison with another framework, step by step:

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

  @OptionGroup(title: "Loss")
  var anomalies: AnomalyArguments

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

  /// The options as values.
  private func settings() throws -> RunSettings {
    var settings = RunSettings(model: model, data: try data.settings(), output: files.output)
    settings.extendsVocabulary = vocabulary.extendVocabulary
    settings.readout = reading.readout
    settings.showsSamples = files.samples
    settings.overwrites = overwriting.overwrite
    try loop.apply(to: &settings)
    try optimizer.apply(to: &settings)
    try parts.apply(to: &settings)
    try loss.apply(to: &settings)
    try anomalies.apply(to: &settings)
    try caching.apply(to: &settings)
    try rates.apply(to: &settings)
    settings.training.regularization = try regularization.choice()
    return settings
  }

  func run() throws {
    if let resume = files.resume { return try self.resume(resume) }
    let settings = try settings()
    try requireOutput(settings.output, apartFrom: settings.paths(), overwrite: settings.overwrites)
    let path = files.runFolder ?? Self.defaultFolder()
    try requireOutside(settings.output, recordIn: path)
    let session = try FinetuneSession(
      settings, kernels: computing.kernels(), lossNote: loss.own?.note, cacheFolder: path)
    let record = try session.record(arguments: Array(CommandLine.arguments.dropFirst()))
    let folder = try RunFolder(path, guide: .commandLine)
    FinetuneReport(session, out.console).header()
    try folder.write(record)
    try session.train(folder, out.console)
  }

  private func resume(_ path: String) throws {
    try CommandOptions(Finetune.self).requireOnly(
      ["--resume", "--threads", "--json", "--quiet", "--overwrite", "--output"],
      Array(CommandLine.arguments.dropFirst(2)))
    let begun = try BegunRun(folder: path)
    var settings = begun.settings
    let output = settings.output
    // A record may come from anybody: what it says is to be replaced, or written elsewhere, is not done unless it is asked for.
    let isGiven = CommandOptions(Finetune.self).isGiven("--output", Array(CommandLine.arguments.dropFirst(2)))
    let given = isGiven ? files.output : nil
    settings.output = given ?? output
    guard given != nil || ResumeCommand.isNear(output, path) else {
      throw InputError.usage(
        "\(path) says that the model is to be written to \(output), which lies neither here nor in the run's folder",
        advice: ["if that is right: \(ResumeCommand.text(path, output: output, overwrites: overwriting.overwrite))"])
    }
    try requireOutside(settings.output, recordIn: path)
    try requireOutput(settings.output, apartFrom: settings.paths(), overwrite: overwriting.overwrite)
    let session = try FinetuneSession(
      settings, kernels: computing.kernels(), cacheFolder: path,
      dataName: begun.record.files.dropFirst().first?.path)
    let folder = try RunFolder(resuming: begun, guide: .commandLine)
    let report = FinetuneReport(session, out.console)
    report.header()
    report.resuming(begun.point?.state)
    try session.train(folder, out.console, resuming: begun.point)
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
