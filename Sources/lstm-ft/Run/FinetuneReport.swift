import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What a run prints: the plan, a line per epoch, the result.
final class FinetuneReport {
  private let session: FinetuneSession
  private let console: Console
  private let table: EpochTable
  private var progress: RunProgress
  private var lastDrawn = Date.distantPast
  private var hasHeader = false
  private var losses: [Double] = []
  /// After each epoch.
  private var forecasts: [Int: Sample] = [:]

  init(_ session: FinetuneSession, _ console: Console) {
    self.session = session
    self.console = console
    table = EpochTable(
      epochs: session.options.epochs, unit: session.ready.preprocessing.vocabulary?.unit,
      marksBest: session.validation != nil, outputs: session.model.configuration.outputNames)
    progress = RunProgress(
      epochs: session.options.epochs, batchSize: session.training.perStep(session.options.batchSize))
  }

  func header() {
    let plan = session.plan
    let total = plan.trainableCount + plan.frozenCount
    let statistics =
      plan.statisticCount == 0 ? "" : ", \(grouped(plan.statisticCount)) running statistics"
    console.say("  \(session.settings.model): \(session.model.configuration.summary)", heading: "model")
    console.say(
      "       \(plural(total, "parameter")): \(grouped(plan.trainableCount)) trainable\(statistics), \(grouped(plan.frozenCount - plan.statisticCount)) frozen"
    )
    for (place, line) in session.dataText.enumerated() {
      place == 0 ? console.say("   " + line, heading: "data") : console.say("       " + line)
    }
    for note in session.notes { console.say("note   \(note)") }
    console.say(heading: "plan")
    for group in plan.groups {
      let part = group.status == .mixed || group.status == .lowRank ? " (\(grouped(group.trainableCount)) train)" : ""
      let pace = plan.learningRate(of: group, base: session.rule.learningRate)
      let rate =
        group.trainableCount == 0
        ? ""
        : (pace.learningRate.map { ", rate \(short($0))" } ?? ", at different rates")
          + (pace.firstEpoch > 1 ? ", from epoch \(pace.firstEpoch)" : "")
      console.say(
        "       \(pad(group.name, 10)) \(pad(grouped(group.parameterCount), 12, right: true))  \(group.status.rawValue)\(part)\(rate)"
      )
    }
    let options = session.options
    let clip = options.clipNorm.map { "clip norm \(short($0))" } ?? "no clipping"
    console.say(
      "  \(session.lossText), \(session.rule.name) at \(short(session.rule.learningRate))\(schedule), \(batches), \(clip), seed \(options.seed), kernels \(session.kernels.name), \(plural(session.kernels.threads, "thread"))",
      heading: "train")
    console.say()
  }

  private var batches: String {
    if session.training.streams != nil { "one step per chunk" } else { "batches of \(session.options.batchSize)" }
  }

  /// After the learning rate, unless that is constant.
  private var schedule: String {
    let schedule = session.options.schedule ?? session.plan.recipe.schedule
    let recipe = session.plan.recipe == .full ? "" : " (\(session.plan.recipe.rawValue))"
    return recipe + (schedule == .constant ? "" : ", \(schedule.summary)")
  }

  /// - Parameter state: where the run continues; nil for one that had not started.
  func resuming(_ state: TrainingState?) {
    guard let state else { return console.say(["the run had not started: starting from the beginning", ""]) }
    for record in state.epochs { show(.epoch(record)) }
    console.say("resuming in epoch \(state.epoch), after step \(state.step)")
  }

  func show(_ event: FineTuner.Event) {
    switch event {
    case .cache(let cache):
      console.say("  \(text(cache))", heading: "cache")
      console.say()
    case .start(let metrics):
      let measured =
        session.validation == nil
        ? "on the training data, before the first step" : "on the validation data, before the first step"
      console.say("\(session.startName): \(table.text(metrics)) \(measured)")
    case .step(let step):
      let now = Date()
      progress.note(epoch: step.epoch, step: step.number, of: step.count, at: now)
      guard console.isLive, now.timeIntervalSince(lastDrawn) > 0.1 else { return }
      lastDrawn = now
      console.live(progress.line(loss: step.loss, rate: step.learningRate, at: now, width: console.liveWidth))
    case .epoch(let record):
      console.clearLive()
      if !hasHeader { console.say(table.header(record.validation)) }
      hasHeader = true
      losses.append(record.validation?.loss ?? record.trainingLoss)
      for line in table.row(RunLog.Epoch(record)) { console.say(line) }
    case .sample(let sample, let epoch):
      // A text is shown after each epoch; a forecast only before the first and after the best.
      guard !sample.isForecast || epoch == 0 else {
        forecasts[epoch] = sample
        return
      }
      console.clearLive()
      console.say(sample.line)
    case .weights, .end: break
    }
  }

  /// Shows the run from scratch as a live line.
  func showScratch(_ event: FineTuner.Event) {
    guard case .epoch(let record) = event else { return }
    console.live(
      "from scratch: epoch \(record.number)/\(session.options.epochs), loss \(record.validation.map { digits($0.loss) } ?? "-")"
    )
  }

  /// Compares fine-tuning with training from scratch.
  func compare(_ tuned: FineTuner.Run, _ scratch: FineTuner.Run) {
    console.clearLive()
    console.say()
    console.say(
      "                    \(pad("loss", 12, right: true))\(pad(table.metricName(tuned.baseline), 12, right: true))    epochs      time"
    )
    func row(_ name: String, _ metrics: Metrics?, _ epochs: String, _ time: String) {
      let values =
        pad(metrics.map { digits($0.loss) } ?? "-", 12, right: true) + pad(table.metricValue(metrics), 12, right: true)
      console.say("\(pad(name, 20))\(values)\(pad(epochs, 10, right: true))\(pad(time, 10, right: true))")
    }
    row("pretrained", tuned.baseline, "0", "-")
    row("fine-tuned", tuned.bestMetrics ?? tuned.baseline, "\(tuned.epochs.count)", duration(tuned.seconds))
    row("from scratch", scratch.bestMetrics ?? scratch.baseline, "\(scratch.epochs.count)", duration(scratch.seconds))
    let isBetter = (tuned.bestMetrics ?? tuned.baseline).loss < (scratch.bestMetrics ?? scratch.baseline).loss
    console.say(
      isBetter ? "fine-tuning is better than training from scratch" : "training from scratch is better on this data")
  }

  /// - Parameter anomalies: a line about the threshold that was found; nil for none.
  func finish(
    _ run: FineTuner.Run, folder: RunFolder, output: String?, _ replaced: ReplacedFile?, anomalies: String? = nil
  ) {
    console.clearLive()
    if let line = table.sparkline(losses, isValidation: session.validation != nil) { console.say(line) }
    if let sample = forecasts[run.bestEpoch] { console.say(sample.line) }
    console.say()
    switch run.ending {
    case .finished: break
    case .noImprovement: console.say("\(folder.history.state) (--patience \(session.options.patience ?? 0))")
    case .diverging, .collapsed: console.say(folder.history.state)
    case .interrupted:
      console.say("stopped by a signal after a finished step; everything is saved in \(folder.path)")
      console.say(
        "to resume, bit-identical to an uninterrupted run: "
          + ResumeCommand.text(
            folder.path, output: session.settings.output, overwrites: session.settings.overwrites))
      if run.bestEpoch > 0 { console.say("the best epoch so far is in \(folder.file("best.h5"))") }
      return
    }
    switch run.failure {
    case .diverging(let epoch, let loss, let best):
      console.warn(
        "the loss rose to \(digits(loss)) in epoch \(epoch), from \(digits(best)) at its best; the run continued because of --patience 0"
      )
    case .collapsed(let epoch):
      console.warn(
        "since epoch \(epoch) the model gives the same output for every input; the run continued because of --patience 0"
      )
    case .finished, .noImprovement, .interrupted, nil: break
    }
    if let (name, text) = folder.history.beforeAndAfter(seconds: run.seconds) {
      console.say(text, heading: name)
    }
    if let advice = folder.history.advice { console.say(advice.spelled) }
    if let anomalies { console.say(anomalies) }
    if let output { console.say("wrote \(output)") }
    console.say(replaced)
    console.say("run   \(folder.path): config.json, log.jsonl, best.h5, last.h5, loss.svg, gradients.svg, report.html")
    if let output {
      for (place, command) in session.next.commands(output, session.model).enumerated() {
        console.say((place == 0 ? "next  " : "      ") + command)
      }
    }
  }

  private func text(_ cache: CacheUsage) -> String {
    let what = "outputs of \(cache.parts.joined(separator: ", "))"
    switch cache.place {
    case .memory: return "\(what): \(size(cache.bytes)) in memory"
    case .file(let folder): return "\(what): \(size(cache.bytes)) in a temporary file in \(folder)"
    case .nowhere(let reason):
      return "not cached (\(size(cache.bytes))): \(reason); \(what) are computed in every epoch"
    }
  }
}
