import FileIO

/// Why data cannot be used, a plan makes no sense, or a run stopped.
public enum FineTuningError: DescribedFailure {
  /// A selector that matches nothing.
  case unknownSelector(String, nearest: [String], known: [String])
  /// Everything is frozen.
  case nothingToTrain
  /// A setting has a value that makes no sense here; nil for one that has no value of its own.
  case invalid(Setting, _ value: String?, _ reason: Message, advice: [Message])
  /// Settings that contradict each other or the model.
  case invalidOption(Message, advice: [Message])
  /// Data that does not fit the model or itself.
  case badData(file: String, detail: Message, advice: [Message])
  /// The loss or a gradient is no longer a finite number.
  case diverged(epoch: Int, step: Int, detail: Message)
  /// The system grants no thread for `FineTuner.events`.
  case noThread

  public var category: FailureCategory {
    switch self {
    case .unknownSelector, .nothingToTrain, .invalid, .invalidOption: .usage
    case .badData, .diverged: .badInput
    case .noThread: .inputOutput
    }
  }

  public var message: Message {
    switch self {
    case .unknownSelector(let selector, _, _): "\"\(selector)\" matches no part of this model"
    case .nothingToTrain: "everything is frozen: there is nothing to train"
    case .invalid(let setting, let value?, let reason, _): "\(setting, value): \(reason)"
    case .invalid(let setting, nil, let reason, _): "\(setting): \(reason)"
    case .invalidOption(let detail, _): detail
    case .badData(let file, let detail, _): "\(file): \(detail)"
    case .diverged(let epoch, let step, let detail): "stopped in epoch \(epoch), step \(step): \(detail)"
    case .noThread: "the system grants no further thread to train on"
    }
  }

  public var advice: [Message] {
    switch self {
    case .unknownSelector(_, let nearest, let known):
      (nearest.isEmpty ? [] : ["did you mean \(nearest.joined(separator: " or "))?"])
        + [
          "known are \(known.joined(separator: ", ")), \(Self.examples(known))"
        ]
    case .nothingToTrain: ["freeze less, or add \(.unfreezing, "head")"]
    case .invalid(_, _, _, let advice), .invalidOption(_, let advice), .badData(_, _, let advice): advice
    case .diverged: ["lower \(.learningRate), or clip harder with \(.clipNorm); the last good model is kept"]
    case .noThread: []
    }
  }

  /// What else may be named, in a model of these parts: gates and globs, with examples that it has.
  private static func examples(_ known: [String]) -> String {
    for (cell, gate) in [("lstm", "forget"), ("gru", "reset")] {
      guard let kind = known.firstIndex(of: cell),
        let layer = known[kind...].first(where: { known.contains($0 + ".forward") })
      else { continue }
      // Layers of a stack have PyTorch's names for their tensors.
      let glob = layer.contains(/^layer[0-9]+$/) ? "\(cell).weight_hh_*" : "\(layer).*"
      return "gates such as \(layer).\(gate), and tensor globs such as '\(glob)'"
    }
    return "and tensor globs such as '\(known.last ?? "conv1").*'"
  }
}
