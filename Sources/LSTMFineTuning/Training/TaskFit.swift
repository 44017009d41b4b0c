import LSTMCheckpoints
import LSTMLayers

/// Brings a model and data together: settles what the tensors left open (the readout, a missing head) from the
/// targets, and checks that the rest fits. Everything it decides is said in `notes`.
public struct TaskFit: Sendable {
  public let model: LSTMModel
  public let loss: Loss
  public let notes: [String]

  public enum Head: Sendable, Equatable {
    /// The model's own; a bare LSTM whose output is of another width gets a new one.
    case keep
    /// A new dense layer in place of the model's head; the size comes from the targets when nil.
    case new(size: Int?)
  }

  /// - Parameters:
  ///   - loss: nil to take the mean squared error for real values and the cross-entropy for classes.
  ///   - mayChangeModel: false where a new head would be untrained, as in evaluation.
  /// - Throws: `FineTuningError` naming what does not fit and the flag that decides.
  public init(
    _ model: LSTMModel, _ data: SequenceData, file: String, loss: Loss? = nil, head: Head = .keep,
    readout: ModelConfiguration.Readout? = nil, seed: UInt64 = 0, mayChangeModel: Bool = true
  ) throws {
    var notes: [String] = []
    var configuration = model.configuration
    if let readout, configuration.readout != readout {
      if let old = configuration.readout {
        notes.append("readout \(readout.rawValue) instead of \(old.rawValue), as asked")
      }
      configuration.readout = readout
    }

    // 1. What the targets ask for.
    let perStep: Bool
    let wanted: Int?
    let isClasses: Bool
    switch data.targets {
    case .values(_, let size, let isPerStep): (perStep, wanted, isClasses) = (isPerStep, size, false)
    case .classes(_, let isPerStep): (perStep, wanted, isClasses) = (isPerStep, nil, true)
    case .none: throw FineTuningError.badData(file: file, detail: "there are no targets", advice: [])
    }
    let chosen = loss ?? (isClasses ? .crossEntropy : .meanSquaredError)
    if chosen == .crossEntropy, !isClasses {
      throw FineTuningError.badData(
        file: file, detail: "cross-entropy needs class numbers in y, found real values", advice: ["save y as integers"])
    }
    self.loss = chosen

    // 2. The readout.
    if configuration.readout == nil {
      if perStep {
        configuration.readout = .all
      } else if data.steps == 1 || configuration.layers.last?.isBidirectional != true {
        configuration.readout = .last
      } else {
        throw FineTuningError.invalidOption(
          "a bidirectional model can be read out in two ways, and \(file) asks for one value a sequence",
          advice: [
            "choose --readout final (each direction's own final state, PyTorch's h_n) or --readout last (its output at the last step)"
          ])
      }
      notes.append(
        "readout: \(perStep ? "all steps" : "last step"), because there is one target a \(perStep ? "step" : "sequence")"
      )
    }
    if (configuration.readout == .all) != perStep {
      throw FineTuningError.badData(
        file: file,
        detail: perStep
          ? "y has a target for each step, but the model gives one output a sequence"
          : "y has one target a sequence, but the model gives an output for each step",
        advice: ["choose another --readout: " + (perStep ? "all" : "last, final, mean or max")])
    }

    // 3. The head.
    let largest = Self.largestClass(data.targets)
    let needed = wanted ?? (chosen == .binaryCrossEntropy ? 1 : largest + 1)
    let fits =
      isClasses && chosen == .crossEntropy ? configuration.outputSize > largest : configuration.outputSize == needed
    switch head {
    case .new(let size):
      configuration.head = [.init(size: size ?? needed)]
      configuration.normalizesOutput = false
      notes.append(
        "head: a new dense layer \(configuration.readoutSize) -> \(size ?? needed) from fresh values, as asked")
    case .keep where configuration.head.isEmpty && !fits && mayChangeModel:
      configuration.head = [.init(size: needed)]
      notes.append(
        "head: the checkpoint has none; a new dense layer \(configuration.readoutSize) -> \(needed) starts from fresh values"
      )
    case .keep: break
    }
    let width = configuration.outputSize
    guard isClasses && chosen == .crossEntropy ? width > largest : width == needed else {
      throw Self.wrongWidth(
        data, file, per: perStep ? "step" : "sequence", width: width, needed: needed,
        isClasses: isClasses && chosen == .crossEntropy, mayChangeModel)
    }
    if case .classes(let classes, _) = data.targets, chosen == .binaryCrossEntropy,
      let other = classes.first(where: { $0 != 0 && $0 != 1 && $0 != SequenceData.ignored })
    {
      throw FineTuningError.badData(
        file: file, detail: "binary cross-entropy needs classes 0 and 1, found \(other)", advice: [])
    }
    if case .values(let values, _, _) = data.targets, chosen == .binaryCrossEntropy,
      let other = values.first(where: { !(0...1 ~= $0) })
    {
      throw FineTuningError.badData(
        file: file, detail: "binary cross-entropy needs targets from 0 to 1, found \(other)", advice: [])
    }
    try Self.checkActivation(configuration.head.last?.activation ?? .none, chosen)
    self.model = configuration == model.configuration ? model : model.reconfigured(configuration, seed: seed)
    self.notes = notes
  }

  private static func wrongWidth(
    _ data: SequenceData, _ file: String, per example: String, width: Int, needed: Int, isClasses: Bool,
    _ mayChangeModel: Bool
  ) -> FineTuningError {
    func values(_ count: Int) -> String { "\(count) value\(count == 1 ? "" : "s")" }
    let detail =
      isClasses
      ? "y: expected classes from 0 to \(width - 1), which the model's \(width) outputs can tell apart, found \(needed - 1)"
      : "the model gives \(values(width)) a \(example), the targets have \(values(needed))"
    var advice =
      mayChangeModel ? "train a head of that size with --head new:\(needed)" : "fine-tune it on this task first"
    if case .windows = data.inputs { advice += ", or change --horizon to what the model was made for" }
    return .badData(file: file, detail: detail, advice: [advice])
  }

  private static func largestClass(_ targets: SequenceData.Targets) -> Int {
    guard case .classes(let classes, _) = targets else { return 0 }
    return Int(classes.max() ?? 0)
  }

  /// A loss with the softmax in it must not get a sigmoid's output, and so on.
  private static func checkActivation(_ activation: ModelConfiguration.Activation, _ loss: Loss) throws(FineTuningError)
  {
    switch (loss, activation) {
    case (.crossEntropy, .none), (.crossEntropy, .softmax), (.binaryCrossEntropy, .none),
      (.binaryCrossEntropy, .sigmoid):
      return
    case (.crossEntropy, _), (.binaryCrossEntropy, _):
      throw .invalidOption(
        "--loss \(loss.name) does not go with a head that ends in \(activation.rawValue)",
        advice: ["train a new head with --head new"])
    default: return
    }
  }
}
