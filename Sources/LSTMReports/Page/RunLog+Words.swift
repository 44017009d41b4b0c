import FileIO
import LSTMFineTuning

extension RunLog {
  /// How far the run came and why it went no further, in a sentence.
  package var state: String {
    let of = record?.epochs.map { " of \(grouped($0))" } ?? ""
    let done = "\(grouped(lastEpoch?.number ?? 0))\(of) epoch\(of.isEmpty && lastEpoch?.number == 1 ? "" : "s")"
    switch ending {
    case nil where start == nil: return "not begun"
    case nil: return "not at its end: it goes on, or it was killed; \(done) done"
    case .failed(let reason): return reason
    case .ended(.finished): return "finished: \(done) done"
    case .ended(.noImprovement(let epoch)):
      let since = epoch == 0 ? "the \(startName) model" : "epoch \(epoch)"
      return "stopped after \(done): no better validation loss since \(since)"
    case .ended(.diverging(let epoch, let loss, let best)):
      return "stopped: the loss went up to \(digits(loss)) in epoch \(epoch), from \(digits(best)) at its best"
    case .ended(.collapsed(let epoch)):
      return "stopped: since epoch \(epoch) the model gives the same answer to everything"
    case .ended(.interrupted): return "stopped by a signal after a finished step; \(done) done"
    }
  }

  /// What to do about an ending; nil where there is nothing to do.
  package var advice: Message? {
    switch ending {
    case .failed, .ended(.diverging):
      "try a lower \(.learningRate), a smaller \(.clipNorm), or \(.rateFinder)"
    case .ended(.collapsed): "try a lower \(.learningRate), or \(.clipNorm, 0.25)"
    case .ended(.finished), .ended(.noImprovement), .ended(.interrupted), nil:
      best == nil && ending != nil && ending != .ended(.interrupted) && lastEpoch?.validation != nil
        ? "try a lower \(.learningRate), or freeze more" : nil
    }
  }

  package var startName: String { oneLine(record?.start ?? "pretrained", limit: 40) }

  /// Whether the run can go on where it is.
  package var isUnfinished: Bool { ending == nil || ending == .ended(.interrupted) }

  /// `pretrained -> fine-tuned: ` and what became of the model, in two halves; nil before the first epoch.
  /// - Parameter total: what it all took; nil for what the epochs did.
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
