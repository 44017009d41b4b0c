import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What a person asks of a fine-tuning run.
struct FinetuneRequest {
  let model: String
  let data: DataArguments
  let vocabulary: VocabularyArguments
  let parts: PartArguments
  let reading: ReadoutArguments
  let loss: LossArguments
  let loop: LoopArguments
  let optimizer: OptimizerArguments
  let rates: RateArguments
  let regularization: RegularizationArguments
  let files: OutputFiles
  /// As typed.
  let arguments: [String]
  let options: NextSteps.Options
}

/// Everything a fine-tuning run needs, resolved and checked before the first step.
struct FinetuneSession {
  let modelPath: String
  /// What the model is before the first step.
  let startName: String
  let model: LSTMModel
  let plan: FreezePlan
  let rule: Optimizer
  let loss: Loss
  let options: FineTuner.Options
  let training: Examples
  let validation: Examples?
  let record: Preprocessing
  let notes: [String]
  let series: SeriesAnswer?
  let dataFile: String
  /// Lines for people.
  let dataText: [String]
  /// What a person may type afterwards to use the model.
  let next: NextSteps
  let output: String
  let resolved: ResolvedRun
  let kernels: Kernels
  let comparesScratch: Bool
  /// What the model does, for people to look at after each epoch; nil where there is nothing to show.
  let sampling: (@Sendable (LSTMModel) throws -> Sample?)?

  init(_ command: FinetuneRequest, rule: Optimizer, kernels: Kernels, caching: CachePolicy) throws {
    self.rule = rule
    self.kernels = kernels
    modelPath = command.model
    startName = command.parts.fromScratch ? "untrained" : "pretrained"
    output = command.files.output
    comparesScratch = command.parts.compareScratch
    if comparesScratch, command.parts.fromScratch || command.loop.validationSplit == 0 {
      throw InputError.usage(
        "--compare-scratch has nothing to compare "
          + (command.parts.fromScratch ? "with --from-scratch" : "without validation data"), advice: [])
    }
    let path = try command.data.requiredPath()
    var base =
      try command.parts.fromScratch
      ? untrainedModel(command.model, seed: command.loop.seed) : openModel(command.model, seed: command.loop.seed)
    var record = try base.typedPreprocessing(file: command.model)
    var notes = try command.data.settleVocabulary(
      &base, &record, isNew: command.parts.fromScratch, extends: command.vocabulary.extendVocabulary)
    let loaded = try command.data.load(
      for: base, record, .training(newHead: command.parts.headChoice().isNew), readout: command.reading.readout)
    dataFile = path
    notes += loaded.readingLines

    // 1. Split, then fit scalers on the training part alone.
    let held = try command.loop.validationPaths()
    var heldData: (any ShownData)?
    if !held.isEmpty {
      var asLoaded = record
      loaded.describe(in: &asLoaded)
      heldData = try command.data.reading(held).load(for: base, asLoaded, .measuring, readout: command.reading.readout)
    }
    let parts = try DataSplit(loaded, command.loop, held: heldData).hiding(base.configuration)
    notes += parts.notes
    if let note = parts.training.maskNote(base.configuration) { notes.append(note) }
    let fit = try TaskFit(
      base, parts.training.sequences, file: path, loss: command.loss.choice(), head: command.parts.headChoice(),
      readout: command.reading.readout, seed: command.loop.seed, knowsClasses: record.classes != nil)
    notes += [command.loss.loss?.note].compactMap(\.self) + fit.notes.map(\.spelled)
    loss = try command.loss.settled(fit.loss, classes: fit.model.configuration.outputSize)
    if try command.parts.headChoice().isNew { record.classes = nil }
    loaded.describe(in: &record)
    notes += try parts.settleScalers(
      &record, command.parts.scaler, loss: fit.loss, perID: command.parts.scalerPerId)
    // Classes have no unit: what a scaler kept for targets would do to them, predict would do to the answers.
    if fit.loss.isCrossEntropy || fit.loss == .binaryCrossEntropy { record.targetScaler = nil }
    let scaled = try parts.read(by: fit).scaled(record)
    (training, validation) = (scaled.training, scaled.validation)
    notes += scaled.notes
    series = loaded.series?.answer
    dataText = parts.summary
    next = NextSteps(loaded, command.arguments, command.options)

    // 2. The plan and the loop.
    var tuned = fit.model
    try tuned.store(record)
    model = tuned
    // Before there is a folder of a run that cannot begin.
    if training.streams != nil, let layer = tuned.configuration.layers.firstIndex(where: \.isBidirectional) {
      throw InputError.usage(
        "--chunk needs layers that run forward only, and layer\(layer) is bidirectional: its reverse direction starts at the end of a sequence",
        advice: ["leave --chunk out, or choose another model"])
    }
    plan = try FreezePlan(
      tuned, freezing: command.parts.freeze, unfreezing: command.parts.unfreeze, recipe: command.rates.recipe,
      rates: command.rates.rates(), lora: command.rates.adapters())
    notes += plan.notes.map(\.spelled)
    sampling =
      command.files.samples
      ? (heldData ?? loaded).sampling(
        parts.validation == nil ? training : validation, record, command.loop.seed, kernels)
      : nil
    var options = FineTuner.Options()
    options.epochs = command.loop.epochs
    options.batchSize = command.loop.batchSize
    options.clipNorm = command.optimizer.clipNorm == 0 ? nil : command.optimizer.clipNorm
    options.shuffles = command.loop.shuffle
    options.patience = command.loop.patience == 0 ? nil : command.loop.patience
    options.stopsAstray = command.loop.patience != 0
    options.seed = command.loop.seed
    options.schedule = try command.rates.choice()
    options.decaysBiases = command.rates.biasDecay
    options.saveInterval = command.loop.saveEvery == 0 ? nil : command.loop.saveEvery
    options.regularization = try command.regularization.choice()
    options.caching = caching
    self.options = options
    try FineTuner(plan, optimizer: rule, loss: loss, options: options).checkOptions(
      hasValidation: validation != nil)
    let reached = options.regularization.reach(
      in: tuned.configuration, GradientPlan(tuned.configuration, trainable: plan.trainable))
    for kind in reached where kind.isIdle {
      notes.append("\(kind.kind.name) changes nothing: there is no place for it in what trains")
    }
    self.record = record
    self.notes = notes + (command.parts.fromScratch ? ["every weight starts from fresh values, as asked"] : [])
    resolved = ResolvedRun(
      arguments: command.arguments, folder: FileManager.default.currentDirectoryPath, model: command.model,
      modelSHA256: try sha256(ofFile: command.model), data: path, dataSHA256: try sha256(ofFile: path),
      moreData: try (command.data.requiredPaths().dropFirst() + held).map {
        .init(path: $0, sha256: try sha256(ofFile: $0))
      },
      output: command.files.output,
      configuration: tuned.configuration, frozen: plan.frozenNames,
      loss: fit.loss.name, optimizer: "\(rule)", recipe: plan.recipe.rawValue,
      schedule: (options.schedule ?? plan.recipe.schedule).summary, epochs: options.epochs,
      batchSize: options.batchSize,
      clipNorm: options.clipNorm, shuffle: options.shuffles, patience: options.patience, seed: options.seed,
      validationSplit: command.loop.validationSplit, threads: kernels.threads, cache: caching.isOn,
      preprocessing: record, start: startName, plan: .init(plan, rule), use: next.use,
      export: NextSteps.exportFormat(tuned)?.rawValue)
  }

  struct ResolvedRun: Encodable {
    let arguments: [String]
    /// Where paths begin.
    let folder: String
    let model: String
    let modelSHA256: String
    let data: String
    let dataSHA256: String
    /// Further files, and those for validation.
    let moreData: [BegunRun.File]
    let output: String
    let configuration: ModelConfiguration
    let frozen: [String]
    let loss: String
    let optimizer: String
    let recipe: String
    let schedule: String
    let epochs: Int
    let batchSize: Int
    let clipNorm: Double?
    let shuffle: Bool
    let patience: Int?
    let seed: UInt64
    let validationSplit: Double
    let threads: Int
    let cache: Bool
    let preprocessing: Preprocessing
    /// What the model is called before the first step.
    let start: String
    let plan: [RunConfiguration.Part]
    /// What a person may type afterwards to use the model, but for its name.
    let use: [String]
    /// What the model goes back to its framework in.
    let export: String?
  }
}
