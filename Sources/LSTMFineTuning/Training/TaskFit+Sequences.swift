import FileIO
import LSTMCheckpoints
import LSTMLayers

/// What losses over whole sequences ask of a model and its targets.
extension Loss {
  /// The one that goes with a model and its targets, where that is one over whole sequences.
  static func ofSequences(_ targets: SequenceData.Targets, _ model: LSTMModel, keepsHead: Bool) -> Loss? {
    switch targets {
    case .labels: .ctc()
    // The only one for such a model, whatever the targets are.
    case _ where keepsHead && model.configuration.endsInCRF: .crf()
    case .classes(_, perStep: true) where model.configuration.endsInCRF: .crf()
    default: nil
    }
  }

  /// With the blank of a model, where none was chosen.
  func settled(for model: LSTMModel) -> Loss {
    guard case .ctc(nil, let reduction, let zeroInfinity) = self else { return self }
    return .ctc(blank: model.preprocessing.blank ?? 0, reduction: reduction, zeroInfinity: zeroInfinity)
  }

  /// Whether a class number for each step is a label in order.
  func readsLabels(of targets: SequenceData.Targets) -> Bool {
    if case .ctc = self, case .classes(_, perStep: true) = targets { true } else { false }
  }

  /// The outputs that a model needs for class numbers up to `largest`.
  func outputs(forLargest largest: Int) -> Int {
    guard case .ctc(let chosen, _, _) = self else { return largest + 1 }
    let blank = chosen ?? 0
    return blank < 0 ? largest + 1 - blank : max(largest, blank) + 1
  }

  /// - Throws: `FineTuningError` for targets of another kind, or a model that another loss is for.
  func checkKind(
    of targets: SequenceData.Targets, _ configuration: ModelConfiguration, keepsHead: Bool, _ file: String
  ) throws(FineTuningError) {
    switch (self, targets) {
    case (.crf, .classes(_, perStep: true)), (.ctc, .labels): break
    case (.crf, _):
      throw .badData(
        file: file, detail: "crf needs a tag for each step in y, found \(targets.words)",
        advice: ["save y as class numbers (N, T)"])
    case (.ctc, _):
      throw .badData(
        file: file, detail: "ctc needs labels in order in y, found \(targets.words)",
        advice: ["save y as class numbers (N, S), each sequence filled up with \(SequenceData.ignored)"])
    case (_, .labels):
      throw .badData(
        file: file, detail: "y has labels in order, which only ctc compares with a model's outputs, found \(name)",
        advice: ["choose \(.loss, "ctc")"])
    default:
      guard configuration.endsInCRF, keepsHead else { break }
      throw .invalid(
        .loss, name, "the model ends in a CRF, which only crf sees and trains",
        advice: ["leave the loss out, or choose \(.loss, "crf")"])
    }
  }
}

extension ModelConfiguration {
  /// Whether a CRF gives the model's output.
  package var endsInCRF: Bool {
    let place = outputPlaces[0] - inputs.count
    return place >= 0 && layers[place].kind is Layer.CRF
  }

  /// The same model with a CRF on top, without the softmax that stood there: a CRF reads scores.
  func addingCRF() throws(FineTuningError) -> (ModelConfiguration, note: Message) {
    var layers = layers
    var removed: Activation?
    if let last = layers.last?.kind as? Layer.ActivationLayer, last.activation.isOfProbabilities {
      removed = last.activation
      layers.removeLast()
    } else if let last = lastDense, var dense = layers[last].kind as? Layer.Dense, dense.activation.isOfProbabilities {
      removed = dense.activation
      dense.activation = .none
      layers[last].kind = dense
    }
    var name = "crf"
    while layers.contains(where: { $0.name == name }) { name += "_" }
    layers.append(Layer(name, Layer.CRF()))
    do {
      let softmax = removed.map { "; the \($0.rawValue) before it is left out, as a CRF reads scores" } ?? ""
      return (
        try with(layers: layers, outputs: []),
        "\(name): a CRF over the model's \(outputSize) tags, whose transitions start from random values\(softmax)"
      )
    } catch {
      throw .invalid(.loss, "crf", "a CRF does not fit on top of the model: \("\(error)")", advice: [])
    }
  }
}

extension Activation {
  /// Whether it makes probabilities of scores, or their logarithms.
  fileprivate var isOfProbabilities: Bool { self == .softmax || self == .logSoftmax }
}

extension SequenceData {
  /// The same examples with the class numbers of their steps as labels in order; nothing is aligned with the steps.
  func withLabelTargets() -> SequenceData {
    guard case .classes(let classes, perStep: true) = targets else { return self }
    var result = self
    result.targets = .labels(classes, width: steps)
    return result
  }
}
