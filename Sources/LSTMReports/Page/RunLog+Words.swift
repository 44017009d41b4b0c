import FileIO
import LSTMFineTuning

extension RunLog {
  /// How far the run came, and why it ended.
  package var state: String {
    let of = record?.epochs.map { " of \(grouped($0))" } ?? ""
    let done = "\(grouped(lastEpoch?.number ?? 0))\(of) epoch\(of.isEmpty && lastEpoch?.number == 1 ? "" : "s")"
    switch ending {
    case nil where start == nil: return "not started"
    case nil: return "unfinished: still running, or killed; \(done) done"
    case .failed(let reason): return reason
    case .ended(.finished): return "finished: \(done) done"
    case .ended(.noImprovement(let epoch)):
      let since = epoch == 0 ? "the \(startName) model" : "epoch \(epoch)"
      return "stopped after \(done): no better validation loss since \(since)"
    case .ended(.diverging(let epoch, let loss, let best)):
      return "stopped: the loss rose to \(digits(loss)) in epoch \(epoch), from \(digits(best)) at its best"
    case .ended(.collapsed(let epoch)):
      return "stopped: since epoch \(epoch) the model gives the same output for every input"
    case .ended(.interrupted): return "stopped by a signal after a finished step; \(done) done"
    }
  }

  /// Advice on how the run ended; nil without any.
  package var advice: Message? {
    let rate = (record?.settings?.optimizer.learningRate).map { short($0) }
    let lower: Message = rate.map { "a \(.learningRate) below \($0)" } ?? "a lower \(.learningRate)"
    switch ending {
    case .failed, .ended(.diverging): return "try \(lower), a smaller \(.clipNorm), or \(.rateFinder)"
    case .ended(.collapsed): return "try \(lower), or \(.clipNorm, 0.25)"
    case .ended(.finished), .ended(.noImprovement), .ended(.interrupted), nil:
      let isWorse = best == nil && !isUnfinished && lastEpoch?.validation != nil
      return isWorse ? "try \(lower), or freeze more" : nil
    }
  }

  package var startName: String { oneLine(record?.start ?? "pretrained", limit: 40) }

  /// Whether the run can be resumed.
  package var isUnfinished: Bool { ending == nil || ending == .ended(.interrupted) }

  /// `pretrained -> fine-tuned: ` and the loss and metric before and after; nil before the first epoch.
  /// - Parameter total: the time of the whole run; nil for that of the epochs.
  package func beforeAndAfter(arrow: String = "->", seconds total: Double? = nil) -> (name: String, text: String)? {
    guard let start, let last = lastEpoch else { return nil }
    let time = (total ?? seconds).map { ", \(duration($0))" } ?? ""
    guard last.validation != nil else {
      return ("", "loss \(digits(start.loss)) \(arrow) \(digits(last.trainingLoss)) in epoch \(last.number)\(time)")
    }
    guard let best, let after = best.validation else {
      let loss = digits(start.loss)
      return ("", "no epoch was better than the \(startName) model, which is kept: validation loss \(loss)\(time)")
    }
    let unit = record?.unit
    let metric = Metric(start).map { metric in
      "\(metric.name(unit)) \(metric.text(start)) \(arrow) \(metric.text(after)), "
    }
    return (
      "\(startName) \(arrow) \(startName == "untrained" ? "trained" : "fine-tuned"): ",
      (metric ?? "") + "validation loss \(digits(start.loss)) \(arrow) \(digits(after.loss))"
        + " (epoch \(best.number)\(time))"
    )
  }
}
