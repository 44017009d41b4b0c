import Foundation

extension ExampleRows {
  /// The weighted sum over the outputs of the losses of their best constant predictions.
  func constantPredictionLoss(_ objective: Objective) -> Double {
    guard !objective.isSingle else { return constantPredictionLoss(objective.loss) }
    return objective.others.reduce(objective.weight * constantPredictionLoss(objective.loss)) { sum, output in
      guard let named = otherTargets.first(where: { $0.name == output.name }) else { return sum }
      let rows = named.targets.isPerStep ? named.steps ?? steps : 1
      let own = constantPredictionLoss(output.loss, named.targets) { body in
        for example in 0..<count {
          let first = named.targets.row(place(example), steps: rows)
          let length = named.targets.isPerStep && named.steps == nil ? self.length(example) : rows
          for row in first..<first + length { body(row) }
        }
      }
      return sum + output.weight * own
    }
  }

  /// The loss of the best constant prediction: the targets' mean, or the frequency of each class.
  func constantPredictionLoss(_ loss: Loss) -> Double {
    constantPredictionLoss(loss, targets, forEachTargetRow)
  }

  private func constantPredictionLoss(
    _ loss: Loss, _ targets: SequenceData.Targets, _ forEachTargetRow: ((Int) -> Void) -> Void
  ) -> Double {
    switch targets {
    case .none: return 0
    case .labels: return logOfUniformAlignments
    case .classes(let classes, _):
      var counts: [Int32: Int] = [:]
      forEachTargetRow { counts[classes[$0], default: 0] += 1 }
      counts[SequenceData.ignored] = nil
      let total = Double(counts.values.reduce(0, +))
      let each = counts.values.reduce(0) { $0 - Double($1) / total * log(Double($1) / total) }
      // Of whole sequences of tags, each by itself.
      guard case .crf(let reduction) = loss, [.mean, .sum].contains(reduction) else { return each }
      return each * total / Double(max(count, 1))
    case .values(let values, let size, _):
      var (sums, rows) = ([Double](repeating: 0, count: size), 0)
      forEachTargetRow { row in
        for column in 0..<size { sums[column] += Double(values[row * size + column]) }
        rows += 1
      }
      guard rows > 0 else { return 0 }
      let means = sums.map { $0 / Double(rows) }
      if loss == .binaryCrossEntropy {
        return means.reduce(0) { $0 - xlogx($1) - xlogx(1 - $1) } / Double(size)
      }
      var sum = 0.0
      forEachTargetRow { row in
        for column in 0..<size { sum += loss.ofDifference(Double(values[row * size + column]) - means[column]) }
      }
      return sum / Double(rows * size)
    }
  }

  /// What an alignment costs where every step gives every label as likely: more than labels cost, which have many.
  private var logOfUniformAlignments: Double {
    guard case .labels(let labels, _) = targets else { return 0 }
    let classes = Double((labels.max() ?? 0) + 2)
    return Double(stepCount) / Double(max(count, 1)) * log(classes)
  }

  private func forEachTargetRow(_ body: (Int) -> Void) {
    for example in 0..<count {
      let first = targetRow(example)
      for row in first..<first + targetLength(example) { body(row) }
    }
  }
}

private func xlogx(_ value: Double) -> Double { value > 0 ? value * log(value) : 0 }

extension Loss {
  /// Of one real value.
  fileprivate func ofDifference(_ difference: Double) -> Double {
    let size = abs(difference)
    switch self {
    case .meanAbsoluteError: return size
    case .huber(let delta):
      let delta = Double(delta)
      return size <= delta ? size * size / 2 : delta * (size - delta / 2)
    default: return difference * difference
    }
  }
}
