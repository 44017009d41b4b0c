import FileIO
import LSTMCheckpoints
import LSTMLayers

/// What real-valued targets look like: numbers, or classes that were written as numbers.
enum TargetKind: Equatable {
  case numbers
  /// 0 and 1 alone, both of them.
  case binary
  /// Rows of one 1 and zeros, not the same one everywhere.
  case oneHot
  /// One whole number of at least 0 a row, the largest of them above 1.
  case classNumbers(largest: Int)

  /// Classes beyond this would be no head's outputs.
  private static let classLimit: Float = 0x1p20

  /// Of all examples of which `data` may be a selection, without padding; nil when the targets are no real values.
  init?(_ data: SequenceData) {
    guard case .values(let values, let size, _) = data.targets else { return nil }
    var (zeros, ones, largest) = (0, 0, Float(0))
    // The place of the only 1 of each row so far, and whether it is not the same one everywhere.
    var (first, differs, isOneHot, isWhole) = (-1, false, size > 1, size == 1)
    for row in data.allTargetRows() {
      var (place, rowOnes) = (-1, 0)
      for column in 0..<size {
        let value = values[row * size + column]
        if value == 0 {
          zeros += 1
        } else if value == 1 {
          (ones, rowOnes, place) = (ones + 1, rowOnes + 1, column)
        } else if isWhole, value == value.rounded(),
          0...Self.classLimit ~= value || value == Float(SequenceData.ignored)
        {
          largest = max(largest, value)
        } else {
          self = .numbers
          return
        }
      }
      if rowOnes != 1 { isOneHot = false }
      if first >= 0, place != first { differs = true }
      if first < 0 { first = place }
      isWhole = isWhole && size == 1
    }
    if largest > 1 {
      self = .classNumbers(largest: Int(largest))
    } else if isOneHot, differs {
      self = .oneHot
    } else {
      self = zeros > 0 && ones > 0 ? .binary : .numbers
    }
  }
}

extension SequenceData {
  /// The rows of the targets that count, of all examples that this may be a selection of.
  fileprivate func allTargetRows() -> [Int] {
    guard case .values(let values, let size, let isPerStep) = targets, size > 0 else { return [] }
    let rows = values.count / size
    guard isPerStep, targetSteps == nil, let lengths else { return Array(0..<rows) }
    return lengths.enumerated().flatMap { example, length in example * steps..<example * steps + length }
  }

  /// The same examples with class numbers for targets, which are one-hot rows or whole numbers; padding is ignored.
  func withClassTargets() -> SequenceData {
    guard case .values(let values, let size, let isPerStep) = targets else { return self }
    var classes = [Int32](repeating: Self.ignored, count: values.count / max(size, 1))
    for row in allTargetRows() {
      let columns = values[row * size..<(row + 1) * size]
      classes[row] =
        size == 1
        ? Int32(columns.first ?? 0) : columns.firstIndex(of: 1).map { Int32($0 - row * size) } ?? Self.ignored
    }
    var result = self
    result.targets = .classes(classes, perStep: isPerStep)
    if size > 1 { result.classCount = size }
    return result
  }
}

/// What the targets of a file mean for a model, where they are real values that may be classes.
struct TargetReading {
  var isClasses = false
  /// nil for the usual one.
  var loss: Loss?
  var notes: [Message] = []

  init(
    _ data: SequenceData, _ model: LSTMModel, file: String, loss: Loss?, head: HeadChoice
  ) throws(FineTuningError) {
    guard case .values(_, let size, _) = data.targets, let kind = TargetKind(data) else { return }
    let (last, width) = (model.configuration.finalDense, model.configuration.outputSize)
    let activation = head.isNew ? Activation.none : last?.activation ?? .none
    // A horizon's rows lie side by side in a series' targets.
    let isSeries = if case .windows = data.inputs { true } else { false }
    let fine = model.provenance?.history.last { $0.action == "finetune" }?.details["loss"]
    switch kind {
    case .numbers: return
    case .oneHot where !isSeries && (loss?.readsClassNumbers ?? [.none, .softmax].contains(activation)):
      isClasses = true
      if loss == nil { self.loss = .crossEntropy }
      notes.append("y: each row is one 1 and zeros, read as class numbers from 0 to \(size - 1)")
      if loss == nil {
        notes.append("loss: cross-entropy, because y has classes; \(.loss, "mse") takes the rows as numbers")
      }
    case .classNumbers(let largest) where !isSeries && (loss?.readsClassNumbers ?? (!head.isNew && width > 1)):
      isClasses = true
      if loss == nil { self.loss = .crossEntropy }
      notes.append("y: whole numbers stored as real values, read as class numbers from 0 to \(largest)")
    case .binary where !isSeries && size == 1 && (loss?.readsClassNumbers ?? (!head.isNew && last != nil && width > 1)):
      isClasses = true
      if loss == nil { self.loss = .crossEntropy }
      notes.append("y: 0 and 1 stored as real values, read as class numbers")
    case .binary, .oneHot:
      guard loss == nil else { return }
      if activation == .sigmoid {
        self.loss = .binaryCrossEntropy
        notes.append("loss: bce, because the targets are 0 and 1 and the head ends in sigmoid")
      } else if let known = [Loss.binaryCrossEntropy, .meanSquaredError, .meanAbsoluteError].first(where: {
        $0.name == fine
      }), !head.isNew {
        self.loss = known
        notes.append("loss: \(known.name), with which the model was fine-tuned; the targets are 0 and 1")
      } else if [.none, .softmax].contains(activation) {
        throw .badData(
          file: file,
          detail: "every target is 0 or 1: they may be classes or numbers, and the model gives plain numbers",
          advice: [
            "choose \(.loss, "bce") for yes or no (the model's outputs then are logits: above 0 is yes)",
            "or \(.loss, "mse") for numbers",
          ])
      }
    case .classNumbers: return
    }
  }
}
