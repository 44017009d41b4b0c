import ArgumentParser
import FileIO
import Foundation
import LSTMFineTuning
import LSTMReports

struct LRFind: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lr-find",
    abstract: "Find a learning rate: raise it step by step until the loss explodes.",
    usage: "lstm-ft lr-find [<model>] --data <file> [<options>]",
    discussion: """
        lstm-ft lr-find --data mine.csv --target temp --window 48 --freeze layer0
        lstm-ft lr-find encoder.h5 --data mine.npz --head new:9 --from 1e-6 --to 1

      The options for data, freezing, loss and optimizer are those of finetune. Only the chart is written; the model does \
      not change. The valley is a cautious learning rate, the steepest point a bold one; the suggestion lies between.
      """)

  @Argument(help: "The model file.", completion: .file())
  var model = "model.h5"

  @OptionGroup(title: "Data")
  var data: DataArguments

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

  @OptionGroup(title: "Optimizer")
  var optimizer: OptimizerArguments

  @OptionGroup(title: "Search")
  var search: SearchArguments

  @OptionGroup(title: "Output")
  var overwriting: OverwriteArguments

  @OptionGroup(title: "Output")
  var out: OutputOptions

  struct SearchArguments: ParsableArguments {
    @Option(parsing: .unconditional, help: ArgumentHelp("The lowest learning rate.", valueName: "rate"))
    var from = 1e-7

    @Option(parsing: .unconditional, help: ArgumentHelp("The highest learning rate.", valueName: "rate"))
    var to = 10.0

    @Option(parsing: .unconditional, help: ArgumentHelp("Steps between them.", valueName: "count"))
    var steps = 100

    @Option(name: .shortAndLong, help: ArgumentHelp("The chart to write, as SVG.", valueName: "file"))
    var output = "lr-find.svg"
  }

  private struct Answer: Encodable {
    let suggestion: Double?
    let valley: Double?
    let steepest: Double?
    let exploded: Bool
    let points: [RateFinder.Point]
    let output: String
  }

  func run() throws {
    let console = out.console
    guard search.from > 0, search.to > search.from, search.to.isFinite else {
      throw InputError.usage(
        "--from \(short(search.from)) --to \(short(search.to)): expected a rate above 0 and a higher one")
    }
    guard 10...100_000 ~= search.steps else {
      throw InputError.usage("--steps \(search.steps): expected a number from 10 to 100000")
    }
    var settings = RunSettings(model: model, data: try data.settings(), output: "")
    settings.readout = reading.readout
    try loop.apply(to: &settings)
    try optimizer.apply(to: &settings)
    try parts.apply(to: &settings)
    try loss.apply(to: &settings)
    settings.training.cache = .off
    let replaced = try requireOutput(
      search.output, apartFrom: settings.paths(), overwrite: overwriting.overwrite)
    // As finetune would start.
    let session = try FinetuneSession(settings, kernels: computing.kernels(), lossNote: loss.own?.note)
    for note in session.notes { console.say("note   \(note)") }

    var finder = RateFinder()
    (finder.lowest, finder.highest, finder.steps) = (search.from, search.to, search.steps)
    let tuner = FineTuner(session.plan, optimizer: session.rule, objective: session.objective, options: session.options)
    var done = 0
    func follow(_ point: RateFinder.Point) {
      done += 1
      console.live("step \(done)/\(finder.steps), rate \(short(point.learningRate)), loss \(digits(point.smoothed))")
    }
    let result = try finder.search(tuner, session.model, session.training, kernels: session.kernels, progress: follow)
    console.clearLive()
    try writeFile(search.output, Data(RateFinder.chart(result).svg().utf8))
    show(result, console)
    console.say("wrote \(search.output)")
    console.say(replaced)
    if let rate = result.suggestion {
      console.say("next  \(Self.training(Array(CommandLine.arguments.dropFirst()), at: rate))")
    }
    try console.result(
      Answer(
        suggestion: result.suggestion, valley: result.valley, steepest: result.steepest, exploded: result.exploded,
        points: result.points,
        output: search.output))
  }

  /// The command that trains at a learning rate, with the other options of this one.
  static func training(_ arguments: [String], at rate: Double) -> String {
    var rest = arguments.drop { $0 == "lr-find" }
    var words = ["lstm-ft", "finetune"]
    while let word = rest.popFirst() {
      let name = word.split(separator: "=", maxSplits: 1).first.map { String($0) } ?? word
      switch name {
      case "--from", "--to", "--steps", "-o", "--output", "--learning-rate", "--lr":
        if name == word { _ = rest.popFirst() }
      case "--json", "--quiet", "-q", "--overwrite": break
      default: words.append(shellWord(word))
      }
    }
    return (words + ["--learning-rate", short(rate)]).joined(separator: " ")
  }

  private func show(_ result: RateFinder.Result, _ console: Console) {
    let last = result.points.last.map { short($0.learningRate) } ?? short(search.from)
    console.say(
      "\(plural(result.points.count, "step")), rates \(short(search.from)) to \(last)"
        + (result.exploded ? ", where the loss exploded" : ""))
    guard let valley = result.valley, let steepest = result.steepest else {
      console.say("the loss did not clearly fall at any learning rate, so none is suggested")
      console.say(
        "try more steps (--steps \(min(search.steps * 3, 100_000))) or larger batches (--batch-size \(loop.batchSize * 4)); the loss of a model that is already as good as it can be on this data never falls"
      )
      return
    }
    console.say("valley    \(short(valley))")
    console.say("steepest  \(short(steepest))")
    guard let suggestion = result.suggestion else {
      console.say("the two contradict each other, so none is suggested: see the chart")
      console.say(
        "try more steps (--steps \(min(search.steps * 3, 100_000))) or larger batches (--batch-size \(loop.batchSize * 4)), or start with the lower one"
      )
      return
    }
    console.say("suggested \(short(suggestion)), between the two")
  }
}
