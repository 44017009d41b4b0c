import ArgumentParser
import FileIO
import Foundation
import LSTMFineTuning
import LSTMReports

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show a run again: its epochs, its result and its page.",
    usage: "lstm-ft report <run> [<options>]",
    discussion: """
        lstm-ft report runs/2026-01-31-120000
        lstm-ft report run -o page.html
        lstm-ft report run --json

      Rewrites report.html, loss.svg and gradients.svg in the run's folder from its logs; with -o only the page is \
      written, to that file. The run may be unfinished: still running, stopped or killed.
      """)

  @Argument(help: ArgumentHelp("The run's folder.", valueName: "run"), completion: .directory)
  var folder: String

  @Option(
    name: .shortAndLong, help: ArgumentHelp("Where to write the page. (default: <run>/report.html)", valueName: "file"),
    completion: .file())
  var output: String?

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  private struct Answer: Encodable {
    let run: String
    let state: String
    /// As in finetune's answer; nil for an unfinished run.
    let ending: String?
    let bestEpoch: Int
    let baseline: Metrics?
    let best: Metrics?
    let steps: Int
    let epochCount: Int
    /// Thinned for a very long run.
    let epochs: [RunLog.Epoch]
    let seconds: Double?
    let files: [String]
  }

  func run() throws {
    let console = out.console
    var folder = folder
    while folder.count > 1, folder.last == "/" { folder.removeLast() }
    for path in [folder, folder + "/log.jsonl"] where !FileManager.default.fileExists(atPath: path) {
      throw FileError.unreadable(file: path, reason: .notFound)
    }
    var replaced: ReplacedFile?
    if let output {
      let names = ["config.json", "log.jsonl", "times.jsonl", "best.h5", "last.h5"]
      replaced = try requireOutput(
        output, apartFrom: names.map { folder + "/" + $0 }, overwrite: overwriting.overwrite)
    }
    let log = try RunLog(folder: folder)
    // Before printing: a closed pipe would end the command.
    let files = try write(log, folder)
    show(log, folder, console)
    console.say("wrote \(files.joined(separator: ", "))")
    console.say(replaced)
    for (place, next) in log.nextSteps(folder).enumerated() {
      console.say((place == 0 ? "next  " : "      ") + next.command)
    }
    try console.result(
      Answer(
        run: folder, state: oneLine(log.state, limit: 400), ending: log.ending.map(Self.name),
        bestEpoch: log.best?.number ?? 0, baseline: log.start, best: log.best?.validation, steps: log.stepCount,
        epochCount: log.epochCount, epochs: log.epochs, seconds: log.seconds, files: files))
  }

  private static func name(_ ending: RunLog.Ending) -> String {
    switch ending {
    case .ended(let ending): "\(ending)"
    case .failed: "failed"
    }
  }

  private func show(_ log: RunLog, _ folder: String, _ console: Console) {
    let record = log.record
    let table = EpochTable(
      epochs: record?.epochs, unit: record?.unit, marksBest: log.lastEpoch?.validation != nil)
    let model = record?.model.map { ": \(oneLine($0))" } ?? ""
    let data = record?.data.map { " on \(oneLine($0))" } ?? ""
    console.say("\(model)\(data), \(plural(log.stepCount, "step"))", heading: folder)
    if let start = log.start { console.say("\(log.startName): \(table.text(start)) before the first step") }
    var samples = log.samples[...]
    func showSamples(upTo epoch: Int) {
      while let next = samples.first, next.epoch <= epoch {
        if !next.sample.isForecast || next.epoch == 0 { console.say(next.sample.line) }
        samples.removeFirst()
      }
    }
    showSamples(upTo: 0)
    if let first = log.epochs.first { console.say(table.header(first.validation)) }
    for epoch in log.epochs {
      for line in table.row(epoch) { console.say(line) }
      showSamples(upTo: epoch.number)
    }
    if log.epochs.count < log.epochCount {
      console.say("\(grouped(log.epochs.count)) of \(plural(log.epochCount, "epoch"))")
    }
    let losses = log.epochs.map { $0.validation?.loss ?? $0.trainingLoss }
    if let line = table.sparkline(losses, isValidation: log.lastEpoch?.validation != nil) { console.say(line) }
    let best = log.best?.number ?? 0
    if let last = log.samples.last(where: { $0.epoch == best && best > 0 && $0.sample.isForecast }) {
      console.say(last.sample.line)
    }
    console.say()
    console.say(oneLine(log.state, limit: 400))
    if let advice = log.advice { console.say(advice.spelled) }
    if let (name, text) = log.beforeAndAfter() { console.say(text, heading: name) }
    if log.endsInHalfALine { console.say("note: the log ends in an incomplete line, which is ignored") }
    if log.unknownLines > 0 { console.say("note: \(plural(log.unknownLines, "line")) of an unknown kind in the log") }
  }

  /// - Returns: the files written.
  private func write(_ log: RunLog, _ folder: String) throws -> [String] {
    let page = Data(log.page(path: folder, guide: .commandLine).utf8)
    if let output {
      try writeFile(output, page)
      return [output]
    }
    var files = [(folder + "/report.html", page)]
    if log.epochCount > 0 { files.append((folder + "/loss.svg", Data(log.lossChart().svg().utf8))) }
    if let chart = log.gradientChart() { files.append((folder + "/gradients.svg", Data(chart.svg().utf8))) }
    for (name, data) in files { try writeFile(name, data) }
    return files.map(\.0)
  }
}
