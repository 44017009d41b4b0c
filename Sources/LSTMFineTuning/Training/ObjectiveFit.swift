import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Brings a model and data together as `TaskFit` does, for each of the outputs that have targets.
public struct ObjectiveFit: Sendable {
  /// With a readout and a head that fit the targets.
  public let model: LSTMModel
  /// The losses asked for, or those that go with the targets.
  public let objective: Objective
  /// What was decided, as messages.
  public let notes: [Message]
  /// Of the first output; nil where that has no targets.
  private let first: TaskFit?
  /// Of further outputs, by name.
  private let others: [String: TaskFit]

  /// What is asked for of outputs by their names.
  public struct Choice: Sendable, Equatable, Codable {
    /// Losses; those that go with the targets where none is given.
    public var losses: [String: Loss]
    /// What losses are multiplied by; 1 where nothing is given.
    public var weights: [String: Double]

    /// Nothing unless given.
    public init(losses: [String: Loss] = [:], weights: [String: Double] = [:]) {
      (self.losses, self.weights) = (losses, weights)
    }

    /// - Throws: `FineTuningError` for an output that the model lacks, or a weight below 0.
    func check(_ configuration: ModelConfiguration) throws(FineTuningError) {
      let known = configuration.outputNames
      for (setting, names) in [(Setting.loss, losses.keys.sorted()), (.lossWeight, weights.keys.sorted())] {
        guard let other = names.first(where: { !known.contains($0) }) else { continue }
        throw .invalid(
          setting, other, "expected an output of the model: \(known.joined(separator: ", "))", advice: [])
      }
      for (name, weight) in weights where !(weight >= 0 && weight.isFinite) {
        throw .invalid(.lossWeight, "\(name)=\(weight)", "expected a number of at least 0", advice: [])
      }
    }
  }

  /// Parameters and errors as of `TaskFit`; `loss`, `head` and `readout` are for the first output.
  public init(
    _ model: LSTMModel, _ data: SequenceData, file: String, loss: Loss? = nil, choice: Choice = Choice(),
    head: HeadChoice = .keep, readout: PlainStack.Readout? = nil, seed: UInt64 = 0, mayChangeModel: Bool = true,
    knowsClasses: Bool = false
  ) throws {
    let names = model.configuration.outputNames
    try choice.check(model.configuration)
    let loss = choice.losses[names[0]] ?? loss
    let weight = choice.weights[names[0]] ?? 1
    guard names.count > 1 else {
      let fit = try TaskFit(
        model, data, file: file, loss: loss, head: head, readout: readout, seed: seed, mayChangeModel: mayChangeModel,
        knowsClasses: knowsClasses)
      self.model = fit.model
      objective = Objective(fit.loss, weight: weight)
      (notes, first, others) = (fit.notes, fit, [:])
      return
    }
    if head.isNew {
      throw FineTuningError.invalid(
        .head, nil,
        "the model has several outputs, and which of them gets a new layer is not known: \(names.joined(separator: ", "))",
        advice: ["change the model's line at import with \(.model)"])
    }
    var notes: [Message] = []
    func fit(_ name: String, _ targets: SequenceData.Targets, steps: Int?, _ loss: Loss?) throws -> TaskFit {
      let configuration = try model.configuration.with(layers: model.configuration.layers, outputs: [name])
      let own = try SequenceData(
        inputs: data.inputs, targets: targets, lengths: data.lengths, targetSteps: steps, others: data.others
      ).selecting(data.places)
      do {
        return try TaskFit(
          model.reconfigured(configuration), own, file: file, loss: loss, head: .keepAll, readout: readout, seed: seed,
          mayChangeModel: false)
      } catch FineTuningError.badData(let file, let detail, let advice) {
        throw FineTuningError.badData(
          file: file, detail: "output \(name): \(detail)", advice: advice.map { $0.settingLoss(of: name) })
      }
    }
    let found = data.targets.isNone ? nil : try fit(names[0], data.targets, steps: data.targetSteps, loss)
    var (others, losses) = ([String: TaskFit](), [Objective.OutputLoss]())
    notes += found?.notes.map { "\(names[0]): \($0)" } ?? []
    for named in data.otherTargets where !named.targets.isNone {
      let own = try fit(named.name, named.targets, steps: named.steps, choice.losses[named.name])
      others[named.name] = own
      losses.append(.init(named.name, own.loss, weight: choice.weights[named.name] ?? 1))
      notes += own.notes.map { "\(named.name): \($0)" }
    }
    guard found != nil || !others.isEmpty else {
      throw FineTuningError.badData(file: file, detail: "there are no targets", advice: [])
    }
    let trained = (found == nil ? [] : [names[0]]) + losses.map(\.name)
    let untrained = names.filter { !trained.contains($0) }
    if !untrained.isEmpty {
      notes.append(
        "no targets for \(untrained.joined(separator: ", ")): what only \(untrained.count == 1 ? "it needs" : "they need") stays as it is"
      )
    }
    // What the targets have settled, such as a readout.
    let layers = (found ?? others.values.first)?.model.configuration.layers ?? model.configuration.layers
    self.model =
      layers == model.configuration.layers
      ? model : model.reconfigured(try model.configuration.with(layers: layers), seed: seed)
    objective = Objective(found?.loss ?? .meanSquaredError, weight: found == nil ? 0 : weight, others: losses)
    (self.notes, first, self.others) = (notes, found, others)
  }

  /// The same examples as the losses read them; see `TaskFit.prepared`.
  public func prepared(_ data: some ExamplesConvertible) -> Examples {
    var prepared = first?.prepared(data) ?? data.examples
    guard case .sequences(var sequences) = prepared, !others.isEmpty else { return prepared }
    for place in sequences.otherTargets.indices {
      guard let fit = others[sequences.otherTargets[place].name] else { continue }
      sequences.otherTargets[place].targets = fit.prepared(sequences.otherTargets[place], of: sequences)
    }
    prepared = .sequences(sequences)
    return prepared
  }
}

extension TaskFit {
  /// A further output's targets as the loss reads them.
  fileprivate func prepared(
    _ named: SequenceData.NamedTargets, of data: SequenceData
  ) -> SequenceData.Targets {
    var own = data
    (own.targets, own.targetSteps) = (named.targets, named.steps)
    return prepared(own).sequences.targets
  }
}

extension Message {
  /// A loss that it proposes is one output's.
  fileprivate func settingLoss(of output: String) -> Message {
    parts.reduce(into: Message("")) { message, part in
      switch part {
      case .setting(.loss, let value?): message += "\(.loss, "\(output)=\(value)")"
      case .setting(let setting, let value?): message += "\(setting, value)"
      case .setting(let setting, nil): message += "\(setting)"
      case .text(let text): message += Message(text)
      }
    }
  }
}

extension Setting {
  /// What an output's loss is multiplied by.
  public static let lossWeight = Setting(rawValue: "lossWeight")
}
