import Foundation
import LSTMCheckpoints

extension FineTuner {
  /// What a model's `provenance.history` says of this training.
  ///
  ///     model.provenance?.history.append(tuner.historyEvent(data: "mine.csv", run: run))
  ///
  /// - Parameters:
  ///   - data: the name of the data's file.
  ///   - run: what it came to; nil while it goes on.
  ///   - date: of the event.
  public func historyEvent(data: String, run: Run? = nil, date: Date = Date()) -> Provenance.Event {
    func short(_ value: Double) -> String { String(format: "%.4g", value) }
    var details = [
      "data": data, "frozen": "\(plan.frozenCount) of \(plan.frozenCount + plan.trainableCount) parameters",
      "optimizer": optimizer.name, "learning rate": short(optimizer.learningRate), "loss": loss.name,
      "seed": "\(options.seed)",
    ]
    if let run {
      details["best epoch"] = "\(run.bestEpoch)"
      details["loss before"] = short(run.baseline.loss)
      details["loss after"] = run.epochs.first { $0.number == run.bestEpoch }?.validation.map { short($0.loss) }
    }
    return .init(date: date.formatted(.iso8601), action: "finetune", details: details)
  }
}
