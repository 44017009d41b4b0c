import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What a run shows while it goes: the plan, a line per epoch, the result.
final class FinetuneReport {
  private let session: FinetuneSession
  private let console: Console
  private let began = Date()
  private var stepsDone = 0
  private var lastDrawn = Date.distantPast
  private var hasHeader = false

  init(_ session: FinetuneSession, _ console: Console) {
    self.session = session
    self.console = console
  }

  func header() {
    let plan = session.plan
    let total = plan.trainableCount + plan.frozenCount
    console.say(console.bold("model") + "  \(session.modelPath): \(session.model.configuration.summary)")
    console.say(
      "       \(plural(total, "parameter")): \(grouped(plan.trainableCount)) trainable, \(grouped(plan.frozenCount)) frozen"
    )
    console.say(console.bold("data") + "   \(session.dataText.joined(separator: "\n       "))")
    for note in session.notes { console.say("note   \(note)") }
    console.say(console.bold("plan"))
    for group in plan.groups {
      let part = group.fate == .mixed || group.fate == .lowRank ? " (\(grouped(group.trainableCount)) train)" : ""
      let pace = plan.pace(of: group, base: session.rule.learningRate)
      let rate =
        group.trainableCount == 0
        ? ""
        : (pace.learningRate.map { ", rate \(short($0))" } ?? ", at different rates")
          + (pace.firstEpoch > 1 ? ", from epoch \(pace.firstEpoch)" : "")
      console.say(
        "       \(pad(group.name, 10)) \(pad(grouped(group.parameterCount), 12, right: true))  \(group.fate.rawValue)\(part)\(rate)"
      )
    }
    let options = session.options
    let clip = options.clipNorm.map { "clip norm \(short($0))" } ?? "no clipping"
    console.say(
      console.bold("train")
        + "  \(session.loss.name), \(session.rule.name) at \(short(session.rule.learningRate))\(schedule), batches of \(options.batchSize), \(clip), seed \(options.seed), kernels \(session.kernels.name), \(plural(session.kernels.threads, "thread"))"
    )
    console.say()
  }

  /// Behind the rate, where it does not stay as it is.
  private var schedule: String {
    let schedule = session.options.schedule ?? session.plan.recipe.schedule
    let recipe = session.plan.recipe == .full ? "" : " (\(session.plan.recipe.rawValue))"
    return recipe + (schedule == .constant ? "" : ", \(schedule.summary)")
  }

  /// Where a run goes on; nil for one that had not come to its first step.
  func resuming(_ state: TrainingState?) {
    guard let state else { return console.say("the run had not begun: from the start\n") }
    for record in state.epochs { show(.epoch(record)) }
    console.say("going on in epoch \(state.epoch), after step \(state.step)")
  }

  func show(_ event: FineTuner.Event) {
    switch event {
    case .cache(let cache): console.say(console.bold("cache") + "  \(text(cache))\n")
    case .start(let metrics):
      let measured =
        session.validation == nil
        ? "on the training data, before the first step" : "on the validation data, before the first step"
      console.say("\(session.startName): \(text(metrics)) \(measured)")
    case .step(let epoch, let step, let steps, let loss, _, let norm):
      stepsDone += 1
      guard console.isLive, Date().timeIntervalSince(lastDrawn) > 0.1 else { return }
      lastDrawn = Date()
      let total = Double(steps) * Double(session.options.epochs)
      let elapsed = Date().timeIntervalSince(began)
      let remaining = elapsed / Double(stepsDone) * (total - Double(stepsDone))
      let filled = 20 * step / max(steps, 1)
      let bar = String(repeating: "#", count: filled) + String(repeating: "-", count: 20 - filled)
      console.live(
        "epoch \(epoch)/\(session.options.epochs) [\(bar)] loss \(digits(loss)), norm \(digits(norm)), \(duration(remaining)) left"
      )
    case .epoch(let record):
      console.clearLive()
      if !hasHeader {
        console.say(
          "\(pad("epoch", epochWidth))\(pad("train", 12, right: true))\(pad("validation", 12, right: true))\(pad(metricName(record.validation), 12, right: true))\(pad("norm", 10, right: true))\(pad("seq/s", 10, right: true))\(pad("time", 10, right: true))"
        )
        hasHeader = true
      }
      let validation = record.validation.map { digits($0.loss) } ?? "-"
      console.say(
        "\(pad("\(record.epoch)/\(session.options.epochs)", epochWidth))\(pad(digits(record.trainingLoss), 12, right: true))\(pad(validation, 12, right: true))\(pad(metricValue(record.validation), 12, right: true))\(pad(digits(record.gradientNorm), 10, right: true))\(pad(String(format: "%.0f", record.sequencesPerSecond), 10, right: true))\(pad(duration(record.seconds), 10, right: true))\(record.isBest && session.validation != nil ? "  best" : "")"
      )
    case .sample, .weights, .end: break
    }
  }

  /// The comparison's run, a live line alone.
  func showScratch(_ event: FineTuner.Event) {
    guard case .epoch(let record) = event else { return }
    console.live(
      "from scratch: epoch \(record.epoch)/\(session.options.epochs), loss \(record.validation.map { digits($0.loss) } ?? "-")"
    )
  }

  /// What transfer was worth.
  func compare(_ tuned: FineTuner.Run, _ scratch: FineTuner.Run) {
    console.clearLive()
    console.say()
    console.say(
      "                    \(pad("loss", 12, right: true))\(pad(metricName(tuned.baseline), 12, right: true))    epochs      time"
    )
    func row(_ name: String, _ metrics: Metrics?, _ epochs: String, _ time: String) {
      let values =
        pad(metrics.map { digits($0.loss) } ?? "-", 12, right: true) + pad(metricValue(metrics), 12, right: true)
      console.say("\(pad(name, 20))\(values)\(pad(epochs, 10, right: true))\(pad(time, 10, right: true))")
    }
    func best(_ run: FineTuner.Run) -> Metrics? {
      run.epochs.first { $0.epoch == run.bestEpoch }?.validation ?? run.baseline
    }
    row("pretrained", tuned.baseline, "0", "-")
    row("fine-tuned", best(tuned), "\(tuned.epochs.count)", duration(tuned.seconds))
    row("from scratch", best(scratch), "\(scratch.epochs.count)", duration(scratch.seconds))
    if let ours = best(tuned)?.loss, let theirs = best(scratch)?.loss {
      console.say(
        ours < theirs ? "transfer was worth it" : "transfer was not worth it on this data: from scratch is better")
    }
  }

  /// - Parameter last: where the newest weights are, for a run that was stopped.
  func finish(_ run: FineTuner.Run, folder: RunFolder, output: String?) {
    console.clearLive()
    console.say()
    switch run.ending {
    case .finished: break
    case .noImprovement(let epoch):
      console.say(
        "stopped: no better validation loss since \(epoch == 0 ? "the \(session.startName) model" : "epoch \(epoch)") (--patience \(session.options.patience ?? 0))"
      )
    case .diverging(let epoch, let loss, let best):
      console.say("stopped: the loss went up to \(digits(loss)) in epoch \(epoch), from \(digits(best)) at its best")
      console.say("try a --learning-rate below \(short(session.rule.learningRate)), or lstm-ft lr-find")
    case .collapsed(let epoch):
      console.say("stopped: since epoch \(epoch) the model gives the same answer to everything")
      console.say("try a --learning-rate below \(short(session.rule.learningRate)), or --clip-norm 0.25")
    case .interrupted:
      console.say("stopped by a signal after a finished step; everything is saved in \(folder.path)")
      console.say("to go on as if nothing had happened: lstm-ft finetune --resume \(folder.path)")
      if run.bestEpoch > 0 { console.say("the best epoch so far is in \(folder.file("best.h5"))") }
      return
    }
    if let best = run.epochs.first(where: { $0.epoch == run.bestEpoch })?.validation {
      let metric =
        run.baseline.bitsPerToken.map {
          "bits per \(unit) \(digits($0)) -> \(digits(best.bitsPerToken ?? .nan)), "
        } ?? run.baseline.mae.map { "MAE \(digits($0)) -> \(digits(best.mae ?? .nan)), " } ?? run.baseline.accuracy.map
      {
        "accuracy \(percent($0)) -> \(percent(best.accuracy ?? .nan)), "
      } ?? ""
      console.say(
        console.bold("\(session.startName) -> \(session.startName == "untrained" ? "trained" : "fine-tuned"): ")
          + metric
          + "validation loss \(digits(run.baseline.loss)) -> \(digits(best.loss)) (epoch \(run.bestEpoch), \(duration(run.seconds)))"
      )
    } else if session.validation != nil {
      console.say(
        "no epoch was better than the \(session.startName) model, which is kept: validation loss \(digits(run.baseline.loss)) (\(duration(run.seconds)))"
      )
      console.say("try a --learning-rate below \(short(session.rule.learningRate)), or freeze more")
    } else if let last = run.epochs.last {
      console.say(
        "loss \(digits(run.baseline.loss)) -> \(digits(last.trainingLoss)) in epoch \(last.epoch) (\(duration(run.seconds)))"
      )
    }
    if let output { console.say("wrote \(output)") }
    console.say("run   \(folder.path): config.json, log.jsonl, best.h5, last.h5, loss.svg, gradients.svg")
    if let output {
      console.say("next  \(session.next)")
      console.say("      lstm-ft export \(output) --to pytorch-h5 -o back.h5")
    }
  }

  /// Wide enough for `100/100`, or for more.
  private var epochWidth: Int { max(7, 2 * String(session.options.epochs).count + 1) }

  /// What a text's tokens are.
  private var unit: String { session.record.vocabulary?.unit.noun ?? "token" }

  private func text(_ metrics: Metrics) -> String {
    var text = "loss \(digits(metrics.loss))"
    if let summary = metrics.textSummary(session.record.vocabulary?.unit) { text += ", " + summary }
    if let mae = metrics.mae { text += ", MAE \(digits(mae))" }
    if let accuracy = metrics.accuracy { text += ", accuracy \(percent(accuracy))" }
    return text
  }

  private func text(_ cache: FineTuner.Cache) -> String {
    let what = "what \(cache.parts.joined(separator: ", ")) \(cache.parts.count == 1 ? "gives" : "give")"
    switch cache.place {
    case .memory: return "\(what) is computed once: \(size(cache.bytes)) in memory"
    case .file(let folder): return "\(what) is computed once: \(size(cache.bytes)) in a temporary file in \(folder)"
    case .nowhere(let reason): return "none of \(size(cache.bytes)): \(reason); \(what) is computed in every epoch"
    }
  }

  private func metricName(_ metrics: Metrics?) -> String {
    metrics?.bitsPerToken != nil
      ? "bits/\(session.record.vocabulary?.unit == .characters ? "char" : "token")"
      : metrics?.mae != nil ? "MAE" : metrics?.accuracy != nil ? "accuracy" : "-"
  }

  private func metricValue(_ metrics: Metrics?) -> String {
    metrics?.bitsPerToken.map(digits) ?? metrics?.mae.map(digits) ?? metrics?.accuracy.map(percent) ?? "-"
  }
}

func percent(_ part: Double) -> String { String(format: "%.1f %%", part * 100) }

func pad(_ text: String, _ width: Int, right: Bool = false) -> String {
  let padding = String(repeating: " ", count: max(width - text.count, 0))
  return right ? padding + text : text + padding
}
