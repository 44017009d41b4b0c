import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// Everything that a fine-tuning run needs, checked before the first step.
struct FinetuneSession {
  let settings: RunSettings
  /// `pretrained` or `untrained`: the model before the first step.
  let startName: String
  let ready: Preparation
  let plan: FreezePlan
  let objective: Objective
  /// With the folder for outputs of frozen layers.
  let options: FineTuner.Options
  let notes: [String]
  /// A line for each weight of the pretrained model with NaN or infinite values.
  let nonFiniteNotes: [String]
  let series: SeriesAnswer?
  /// The data's file, for the model's history.
  let dataName: String
  /// Lines about the data and its split.
  let dataText: [String]
  /// The commands to use the model afterwards.
  let next: NextSteps
  let kernels: Kernels
  /// Makes a sample after each epoch; nil where there is nothing to show.
  let sampling: (@Sendable (LSTMModel) throws -> Sample?)?

  var model: LSTMModel { ready.model }
  var training: Examples { ready.training }
  var validation: Examples? { ready.validation }
  /// Of the first output.
  var loss: Loss { objective.loss }
  var lossText: String { objective.summary(first: model.configuration.outputNames[0]) }
  var rule: Optimizer { settings.optimizer }

  /// - Parameters:
  ///   - lossNote: how the loss of this name differs elsewhere.
  ///   - cacheFolder: for cached outputs that do not fit in memory.
  ///   - dataName: the name of the data's file when the run was started; nil for its name now.
  init(
    _ settings: RunSettings, kernels: Kernels, lossNote: String? = nil, cacheFolder: String? = nil,
    dataName: String? = nil
  ) throws {
    self.settings = settings
    self.kernels = kernels
    startName = settings.fromScratch ? "untrained" : "pretrained"
    if settings.comparesScratch, settings.fromScratch || settings.split.fraction == 0 {
      throw InputError.usage(
        "--compare-scratch has nothing to compare "
          + (settings.fromScratch ? "with --from-scratch" : "without validation data"))
    }
    let seed = settings.training.seed
    var base =
      try settings.fromScratch ? untrainedModel(settings.model, seed: seed) : openModel(settings.model, seed: seed)

    // 1. The data, and how the model has to change for it.
    var notes = try settings.data.settleVocabulary(
      &base, isNew: settings.fromScratch, extends: settings.extendsVocabulary)
    let loaded = try settings.data.load(
      for: base, .training(newHead: settings.head.isNew), readout: settings.readout, loss: settings.loss)
    var described = base
    loaded.describe(in: &described.preprocessing)
    let held =
      try settings.validationFiles.isEmpty
      ? nil
      : settings.data.reading(settings.validationFiles).load(
        for: described, .measuring, readout: settings.readout, loss: settings.loss)
    let ready = try advised {
      try Preparation(
        base, loaded, validation: held, split: settings.split, scaler: settings.scaler, loss: settings.loss,
        outputs: settings.outputs ?? ObjectiveFit.Choice(), head: settings.head, readout: settings.readout, seed: seed)
    }
    self.ready = ready
    if settings.anomalyQuantile != nil, ready.preprocessing.reconstructs != true {
      throw InputError.usage("--anomaly-quantile needs --reconstruct")
    }
    var objective = ready.objective
    objective.loss = try settings.settled(ready.loss, classes: ready.model.configuration.outputSize)
    self.objective = objective
    nonFiniteNotes = try settings.fromScratch ? [] : base.nonFiniteNotes()
    notes += nonFiniteNotes
    notes += loaded.readingLines + (loaded.series?.rowNotes(scores: true) ?? [])
    notes += held?.series?.rowNotes(scores: true).map { "validation: \($0)" } ?? []
    notes += [ready.training.maskNote(base.configuration), lossNote].compactMap(\.self) + ready.notes.map(\.spelled)
    series = loaded.series?.answer
    self.dataName = dataName ?? loaded.file
    dataText = loaded.summary(
      Portions(
        training: ready.training, validation: ready.validation, heldFile: held?.file, isDrawn: settings.split.shuffles))
    next = NextSteps(loaded, settings.data, ready.model.configuration)
    // Before a folder is made for a run that cannot start.
    if ready.training.streams != nil,
      let layer = ready.model.configuration.recurrentLayers.first(where: { $0.kind.isBidirectional })
    {
      throw InputError.usage(
        "--chunk needs unidirectional layers, and \(layer.name) is bidirectional: its reverse direction starts at the end of the sequence",
        advice: ["leave out --chunk, or choose another model"])
    }

    // 2. The plan and the loop.
    plan = try FreezePlan(
      ready.model, freezing: settings.freezing, unfreezing: settings.unfreezing, recipe: settings.recipe,
      rates: settings.rates, lora: settings.lora)
    notes += plan.notes.map(\.spelled)
    sampling =
      settings.showsSamples
      ? (held ?? loaded).sampling(ready.validation ?? ready.training, ready.preprocessing, seed, kernels) : nil
    var options = settings.training
    options.cache.folder = cacheFolder
    self.options = options
    try FineTuner(plan, optimizer: settings.optimizer, objective: objective, options: options).checkOptions(
      hasValidation: ready.validation != nil)
    if options.batchSize == 1 {
      let alone = plan.normalizationsOfSequences(in: ready.model.configuration)
      if !alone.isEmpty {
        notes.append(
          "\(alone.joined(separator: ", ")): with batches of 1 there is no variance; the running statistics are used, and stay"
        )
      }
    }
    let gradients = GradientPlan(ready.model.configuration, trainable: plan.trainable)
    let idle = gradients.idleDropout(in: ready.model.configuration)
    if !idle.isEmpty {
      notes.append("\(idle.joined(separator: ", ")): nothing is dropped there, as only frozen layers read it")
    }
    let reached = options.regularization.reach(in: ready.model.configuration, gradients)
    for kind in reached where kind.isIdle {
      notes.append("\(kind.kind.name) has no effect: nothing that trains uses it")
    }
    self.notes = notes + (settings.fromScratch ? ["all weights start from random initial values, as requested"] : [])
  }

  /// The record that the run's folder keeps.
  /// - Parameter arguments: as typed.
  func record(arguments: [String]) throws -> RunRecord {
    var record = try RunRecord(settings)
    record.arguments = arguments
    record.start = startName
    record.configuration = model.configuration
    record.preprocessing = ready.preprocessing
    record.loss = lossText
    record.optimizer = "\(rule)"
    record.schedule = (options.schedule ?? plan.recipe.schedule).summary
    record.threads = kernels.threads
    record.frozen = plan.frozenNames
    record.plan = .init(plan, rule)
    record.use = next.use
    record.export = NextSteps.exportFormat(model)?.rawValue
    return record
  }
}

extension RunSettings {
  /// The loss with the options of cross-entropy.
  fileprivate func settled(_ loss: Loss, classes: Int) throws -> Loss {
    guard labelSmoothing != 0 || classWeights != nil else { return loss }
    guard loss.isCrossEntropy else {
      throw InputError.usage(
        "--\(labelSmoothing != 0 ? "label-smoothing" : "class-weights") needs --loss cross-entropy, found \(loss.name)")
    }
    if let classWeights {
      let isGood = classWeights.allSatisfy { $0 >= 0 && $0.isFinite } && classWeights.contains { $0 > 0 }
      guard classWeights.count == classes, isGood else {
        let given = classWeights.map { short(Double($0)) }.joined(separator: ",")
        throw InputError.usage(
          "--class-weights \(given): expected \(classes) numbers of at least 0, one for each class")
      }
    }
    return .crossEntropy(labelSmoothing: labelSmoothing, classWeights: classWeights)
  }
}
