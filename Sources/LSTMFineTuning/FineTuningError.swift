import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Why data cannot be used, a plan makes no sense, or a run stopped.
public enum FineTuningError: DescribedFailure {
  /// A selector that matches nothing.
  case unknownSelector(String, nearest: [String], known: [String])
  case nothingToTrain
  /// Options that contradict each other or the model.
  case invalidOption(String, advice: [String])
  /// Data that does not fit the model or itself.
  case badData(file: String, detail: String, advice: [String])
  case badPreprocessing(file: String, detail: String)
  /// The loss or a gradient is no longer a finite number.
  case diverged(epoch: Int, step: Int, detail: String)
  /// The system grants no thread for `FineTuner.events`.
  case noThread

  public var category: FailureCategory {
    switch self {
    case .unknownSelector, .nothingToTrain, .invalidOption: .usage
    case .badData, .badPreprocessing, .diverged: .badInput
    case .noThread: .inputOutput
    }
  }

  public var message: String {
    switch self {
    case .unknownSelector(let selector, _, _): "\"\(selector)\" matches no part of this model"
    case .nothingToTrain: "everything is frozen: there is nothing to train"
    case .invalidOption(let detail, _): detail
    case .badData(let file, let detail, _): "\(file): \(detail)"
    case .badPreprocessing(let file, let detail):
      "\(file): its preprocessing attribute is not what lstm-ft writes: \(detail)"
    case .diverged(let epoch, let step, let detail): "stopped in epoch \(epoch), step \(step): \(detail)"
    case .noThread: "the system grants no further thread to train on"
    }
  }

  public var advice: [String] {
    switch self {
    case .unknownSelector(_, let nearest, let known):
      (nearest.isEmpty ? [] : ["did you mean " + nearest.joined(separator: " or ") + "?"])
        + [
          "known are \(known.joined(separator: ", ")), gates such as layer0.forget, and tensor globs such as 'lstm.weight_hh_*'"
        ]
    case .nothingToTrain: ["freeze less, or add --unfreeze head"]
    case .invalidOption(_, let advice), .badData(_, _, let advice): advice
    case .diverged: ["lower --learning-rate, or clip harder with --clip-norm; the last good model is kept"]
    case .badPreprocessing, .noThread: []
    }
  }
}

extension CSVError: DescribedFailure {
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .unknownColumn: .usage
    default: .badInput
    }
  }
}
