import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Brings a model and data together: settles what the tensors left open (the readout, a missing head) from the
/// targets, and checks that the rest fits. Every decision is listed in `notes`.
public struct TaskFit: Sendable {
  /// With a readout and a head that fit the targets.
  public let model: LSTMModel
  /// The one asked for, or the one that goes with the targets.
  public let loss: Loss
  /// What was decided, as messages.
  public let notes: [Message]
  /// Whether targets of real values are classes: one-hot rows, or numbers of classes stored as floating point.
  private let readsClasses: Bool
  /// Whether class numbers for each step are labels that are not aligned with the steps.
  private let readsLabels: Bool

  /// - Parameters:
  ///   - loss: nil to take the mean squared error for real values and the cross-entropy for classes, however they are
  ///     stored. Where targets may be either it is asked for, unless the model was fine-tuned with one.
  ///   - mayChangeModel: false where a new head would be untrained, as in evaluation.
  ///   - knowsClasses: whether it is known what each of the model's outputs means.
  /// - Throws: `FineTuningError` naming what does not fit and the setting that decides.
  public init(
    _ model: LSTMModel, _ data: SequenceData, file: String, loss: Loss? = nil, head: HeadChoice = .keep,
    readout: PlainStack.Readout? = nil, seed: UInt64 = 0, mayChangeModel: Bool = true,
    knowsClasses: Bool = false
  ) throws {
    var notes: [Message] = []
    let reading = try TargetReading(data, model, file: file, loss: loss, head: head)
    var data = reading.isClasses ? data.withClassTargets() : data
    readsClasses = reading.isClasses
    readsLabels = loss?.readsLabels(of: data.targets) ?? false
    if readsLabels { data = data.withLabelTargets() }
    notes += reading.notes
    var configuration = model.configuration
    if let readout, configuration.readout != readout {
      if let old = configuration.readout {
        notes.append("readout \(readout.rawValue) instead of \(old.rawValue), as asked")
      }
      configuration = try configuration.settingReadout(readout)
    }

    // 1. What the targets ask for.
    let perStep: Bool
    let wanted: Int?
    let isClasses: Bool
    switch data.targets {
    case .values(_, let size, let isPerStep): (perStep, wanted, isClasses) = (isPerStep, size, false)
    case .classes(_, let isPerStep): (perStep, wanted, isClasses) = (isPerStep, nil, true)
    case .labels: (perStep, wanted, isClasses) = (true, nil, true)
    case .none: throw FineTuningError.badData(file: file, detail: "there are no targets", advice: [])
    }
    let largest = try Self.largestClass(data.targets, file)
    let isBinary = isClasses && !head.isNew && configuration.finalDense?.size == 1 && largest == 1
    let given =
      loss ?? Loss.ofSequences(data.targets, model, keepsHead: !head.isNew) ?? reading.loss
      ?? (isBinary ? .binaryCrossEntropy : isClasses ? .crossEntropy : .meanSquaredError)
    let chosen = given.settled(for: model)
    if loss == nil, reading.loss == nil, isBinary, chosen == .binaryCrossEntropy {
      notes.append("loss: bce, because the model gives one value and the classes are 0 and 1")
    }
    if chosen.readsClassNumbers, !isClasses {
      throw FineTuningError.badData(
        file: file, detail: "\(chosen.name) needs class numbers in y, found real values", advice: ["save y as integers"]
      )
    }
    try chosen.checkKind(of: data.targets, configuration, keepsHead: !head.isNew, file)
    if isClasses, !chosen.isOfClasses {
      throw FineTuningError.badData(
        file: file, detail: "\(chosen.name) needs real values in y, found class numbers",
        advice: ["save y as floating point, or choose \(.loss, "cross-entropy")"])
    }
    self.loss = chosen

    // 2. The readout.
    if configuration.readout == nil {
      if perStep {
        configuration = try configuration.settingReadout(.all)
      } else if data.steps == 1 || !configuration.readsBothWays {
        configuration = try configuration.settingReadout(.last)
      } else {
        throw FineTuningError.invalidOption(
          "a bidirectional model can be read out in two ways, and \(file) asks for one value a sequence",
          advice: [
            "choose \(.readout, "final") (each direction's own final state, PyTorch's h_n) or \(.readout, "last") (its output at the last step)"
          ])
      }
      notes.append(
        chosen.isOfSequences
          ? "readout: all steps, as \(chosen.name) asks for"
          : "readout: \(perStep ? "all steps" : "last step"), because there is one target a \(perStep ? "step" : "sequence")"
      )
    }
    // Of one step, the sequence's output is the step's.
    let flatWidth = perStep || isClasses ? nil : configuration.flatOutputSize.flatMap { $0 == wanted ? $0 : nil }
    if configuration.givesSteps != perStep, data.steps > 1, flatWidth == nil {
      let mayBePerStep = wanted == data.steps && !perStep
      throw FineTuningError.badData(
        file: file,
        detail: perStep
          ? "y has a target for each step, but the model gives one output a sequence"
          : "y has one target a sequence, but the model gives an output for each step",
        advice: [configuration.wayToGive(perStep: perStep)]
          + (mayBePerStep ? ["or, if y holds one value for each step, save it as (N, \(data.steps), 1)"] : []))
    }
    if configuration.readout == .attention, model.configuration.readout != .attention {
      guard mayChangeModel else {
        throw FineTuningError.invalid(
          .readout, "\("attention")", "the model has no attention weights", advice: ["fine-tune it with them first"])
      }
      notes.append("attention: its weights start from random values")
    }

    // 3. The head.
    let classes = max(chosen.outputs(forLargest: largest), data.classCount ?? 0)
    let needed = wanted ?? (chosen == .binaryCrossEntropy ? 1 : classes)
    let newSize: Int? =
      switch head {
      case .new(let size): size ?? needed
      // A state of just this width can be meant as the output.
      case .keep
      where configuration.lastDense == nil && configuration.outputSize != needed && flatWidth == nil && mayChangeModel:
        needed
      case .keep, .keepAll: nil
      }
    let width = newSize ?? flatWidth ?? configuration.outputSize
    guard isClasses && chosen.readsClassNumbers ? width >= classes : width == needed else {
      throw Self.wrongWidth(
        data, file, per: perStep ? "step" : "sequence", width: width, needed: needed,
        isClasses: isClasses && chosen.readsClassNumbers, mayChangeModel)
    }
    if newSize == nil, chosen.isCrossEntropy, !data.isText, configuration.lastDense != nil {
      let isNextToken =
        if perStep, case .tokens(width) = configuration.input { true } else { false }
      let found = largest + 1
      if !isNextToken, !knowsClasses, head != .keepAll, mayChangeModel, width >= 4 * found, width - found >= 8 {
        throw Self.tooManyOutputs(file, width: width, classes: found)
      }
      if width > found, !knowsClasses {
        notes.append("the model tells \(width) classes apart, y has class numbers from 0 to \(largest)")
      }
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
    if newSize == nil, let last = configuration.finalDense {
      try Self.checkActivation(last, chosen, isAsked: loss != nil, isClasses: isClasses, classes: classes, file)
    }
    var fitted = configuration == model.configuration ? model : model.reconfigured(configuration, seed: seed)
    if let newSize {
      let replaced = try fitted.replacingHead(size: newSize, seed: seed)
      notes.append(Message(fitted.headReplacementNote(size: newSize)))
      fitted = replaced
    }
    if case .crf = chosen, !fitted.configuration.endsInCRF {
      guard mayChangeModel else {
        throw FineTuningError.invalid(
          .loss, "crf", "the model does not end in a CRF", advice: ["fine-tune it with one first"])
      }
      let (changed, note) = try fitted.configuration.addingCRF()
      fitted = fitted.reconfigured(changed, seed: seed)
      notes.append(note)
    }
    self.model = fitted
    self.notes = notes
  }

  private static func wrongWidth(
    _ data: SequenceData, _ file: String, per example: String, width: Int, needed: Int, isClasses: Bool,
    _ mayChangeModel: Bool
  ) -> FineTuningError {
    func values(_ count: Int) -> String { "\(count) value\(count == 1 ? "" : "s")" }
    let detail: Message =
      data.isText
      ? "the model has \(width) outputs, the vocabulary \(needed) tokens"
      : isClasses
        ? "y: expected classes from 0 to \(width - 1), which the model's \(width) outputs can tell apart, found \(needed - 1)"
        : "the model gives \(values(width)) a \(example), the targets have \(values(needed))"
    var advice: Message =
      mayChangeModel ? "train a head of that size with \(.head, "new:\(needed)")" : "fine-tune it on this task first"
    if case .windows = data.inputs { advice += ", or change \(.horizon) to what the model was made for" }
    return .badData(file: file, detail: detail, advice: [advice])
  }

  /// Over all examples, of which `data` may be a selection: a class that only the validation part has needs its
  /// output, too. 0 for real values.
  private static func largestClass(_ targets: SequenceData.Targets, _ file: String) throws -> Int {
    let classes: [Int32]
    switch targets {
    case .classes(let numbers, _), .labels(let numbers, _): classes = numbers
    case .values, .none: return 0
    }
    guard let largest = classes.max(), largest >= 0 else {
      throw FineTuningError.badData(
        file: file, detail: "every class number in y is \(SequenceData.ignored): nothing counts", advice: [])
    }
    return Int(largest)
  }

  /// The same examples as the loss reads them: classes that were stored as real values become class numbers.
  public func prepared(_ data: some ExamplesConvertible) -> Examples {
    switch data.examples {
    case .sequences(let data) where readsLabels:
      .sequences((readsClasses ? data.withClassTargets() : data).withLabelTargets())
    case .sequences(let data) where readsClasses: .sequences(data.withClassTargets())
    case .streams(let data) where readsClasses: .streams(data.withClassTargets())
    case let data: data
    }
  }

  private static func tooManyOutputs(_ file: String, width: Int, classes: Int) -> FineTuningError {
    let numbers = classes == 1 ? "only the class number 0" : "class numbers from 0 to \(classes - 1)"
    return .badData(
      file: file, detail: "the model has \(width) outputs, and y has \(numbers)",
      advice: [
        "train a head of that size with \(.head, "new:\(max(classes, 2))")",
        "or say with \(.head, "keep") that these are the first of its \(width) classes",
      ])
  }

  /// A loss with the softmax in it must not get a sigmoid's output, and so on.
  private static func checkActivation(
    _ last: Layer.Dense, _ loss: Loss, isAsked: Bool, isClasses: Bool, classes: Int, _ file: String
  ) throws(FineTuningError) {
    let activation = last.activation
    switch (loss, activation) {
    case (.crossEntropy, .none), (.crossEntropy, .softmax), (.binaryCrossEntropy, .none),
      (.binaryCrossEntropy, .sigmoid), (.crf, _):
      return
    // The softmax of logarithms of probabilities is these probabilities.
    case (.crossEntropy, .logSoftmax), (.ctc, .none), (.ctc, .softmax), (.ctc, .logSoftmax): return
    case (.crossEntropy, _), (.binaryCrossEntropy, _), (.ctc, _):
      let end = "a head that ends in \(activation.rawValue)"
      var advice: [Message] = [
        "train a new head with \(.head, "new")" + (isClasses && loss.readsClassNumbers ? ":\(max(classes, 2))" : "")
      ]
      if loss.isCrossEntropy, activation == .sigmoid, last.size > 1 {
        advice.append("or save y as 0 and 1 for each output, for \(.loss, "bce")")
      }
      throw isAsked
        ? .invalidOption("\(.loss, loss.name) does not go with \(end)", advice: advice)
        : .badData(
          file: file,
          detail: "y has class numbers, which are for \(loss.name), and that does not go with \(end)", advice: advice)
    case (_, .softmax) where last.size == 1:
      throw .badData(
        file: file, detail: "the model ends in a softmax over one value, which is always 1: it can learn nothing",
        advice: ["train a new head with \(.head, "new:1")"])
    default: return
    }
  }
}

extension ModelConfiguration {
  /// How a model comes to give an output for each step, or one a sequence: with a readout that makes it, or not at all.
  fileprivate func wayToGive(perStep: Bool) -> Message {
    let all: [PlainStack.Readout] = perStep ? [.all] : [.last, .final, .mean, .max]
    let readouts = all.filter { readout in with(readout: readout).map { $0.givesSteps == perStep } ?? false }
      .map(\.rawValue)
    guard let last = readouts.last else {
      return perStep
        ? "save y with one target a sequence, which is what this model gives"
        : "save y with a target for each step, which is what this model gives"
    }
    let first = readouts.dropLast().joined(separator: ", ")
    return "choose another \(.readout): \(first.isEmpty ? last : first + " or " + last)"
  }

  fileprivate func settingReadout(_ readout: PlainStack.Readout) throws(FineTuningError) -> ModelConfiguration {
    guard let changed = with(readout: readout) else {
      throw .invalid(
        .readout, "\(readout.rawValue)", "the model has no readout that could be another: \(summary)", advice: [])
    }
    return changed
  }
}
