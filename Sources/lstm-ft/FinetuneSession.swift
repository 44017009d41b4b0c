import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// Everything a fine-tuning run needs, resolved and checked before the first step.
struct FinetuneSession {
  let modelPath: String
  /// What the model is before the first step.
  let startName: String
  let model: LSTMModel
  let plan: FreezePlan
  let rule: OptimiserRule
  let loss: Loss
  let options: FineTuner.Options
  let training: SequenceData
  let validation: SequenceData?
  let record: Preprocessing
  let notes: [String]
  let dataFile: String
  /// Lines for people.
  let dataText: [String]
  /// What a person may type afterwards to use the model.
  let next: String
  let output: String
  let resolved: ResolvedRun
  let kernels: Kernels
  let comparesScratch: Bool

  init(_ command: Finetune, rule: OptimiserRule, kernels: Kernels, caching: FineTuner.Caching) throws {
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
    var base = try openModel(command.model, seed: command.loop.seed)
    if command.parts.fromScratch {
      let fresh = LSTMModel(base.configuration, seed: command.loop.seed)
      base = base.replacing(weights: fresh.parameters, changed: fresh.parameters.slots.map { _ in true })
    }
    var record = try base.preprocessingRecord(file: command.model)
    var notes = try command.data.settleVocabulary(
      &base, &record, isNew: command.parts.fromScratch, extends: command.vocabulary.extendVocabulary)
    let loaded = try command.data.load(
      for: base, record, .training(newHead: command.headChoice() != .keep), readout: command.reading.readout)
    dataFile = path

    // 1. Split, then fit scalers on the training part alone.
    let parts = try Self.split(loaded, command.loop)
    let fit = try TaskFit(
      base, parts.training, file: path, loss: command.loss.choice(), head: command.headChoice(),
      readout: command.reading.readout, seed: command.loop.seed)
    notes += fit.notes
    loss = try command.loss.settled(fit.loss, classes: fit.model.configuration.outputSize)
    if try command.headChoice() != .keep { record.classes = nil }
    loaded.describe(in: &record)
    notes += try Self.settleScalers(&record, command.parts.scaler, loaded, parts, loss: fit.loss)
    training = parts.training.scaled(inputs: record.inputScaler, targets: record.targetScaler)
    validation = parts.validation?.scaled(inputs: record.inputScaler, targets: record.targetScaler)
    dataText = Self.describe(loaded, parts, isShuffled: command.loop.shuffle)
    next = Self.next(loaded, output: command.files.output)

    // 2. The plan and the loop.
    var tuned = fit.model
    try tuned.store(record)
    model = tuned
    plan = try FreezePlan(
      tuned, freezing: command.parts.freeze, unfreezing: command.parts.unfreeze, recipe: command.rates.recipe,
      rates: command.rates.rates(), lora: command.rates.adapters())
    var options = FineTuner.Options()
    options.epochs = command.loop.epochs
    options.batchSize = command.loop.batchSize
    options.clipNorm = command.optimiser.clipNorm == 0 ? nil : command.optimiser.clipNorm
    options.shuffles = command.loop.shuffle
    options.patience = command.loop.patience == 0 ? nil : command.loop.patience
    options.seed = command.loop.seed
    options.schedule = try command.rates.choice()
    options.decaysBiases = command.rates.biasDecay
    options.saveInterval = command.loop.saveEvery == 0 ? nil : command.loop.saveEvery
    options.regularisation = try command.regularisation.choice()
    options.caching = caching
    self.options = options
    let reached = options.regularisation.reach(
      in: tuned.configuration, GradientPlan(tuned.configuration, trainable: plan.trainable))
    for kind in reached where kind.isIdle {
      notes.append("\(kind.kind.name) changes nothing: there is no place for it in what trains")
    }
    self.record = record
    self.notes = notes + (command.parts.fromScratch ? ["every weight starts from fresh values, as asked"] : [])
    resolved = ResolvedRun(
      arguments: command.arguments, folder: FileManager.default.currentDirectoryPath, model: command.model,
      modelSHA256: try sha256(ofFile: command.model), data: path, dataSHA256: try sha256(ofFile: path),
      output: command.files.output,
      configuration: tuned.configuration, frozen: zip(plan.parameters, plan.trainable).filter { !$1 }.map(\.0.name),
      loss: fit.loss.name, optimiser: "\(rule)", recipe: plan.recipe.rawValue,
      schedule: (options.schedule ?? plan.recipe.schedule).summary, epochs: options.epochs,
      batchSize: options.batchSize,
      clipNorm: options.clipNorm, shuffle: options.shuffles, patience: options.patience, seed: options.seed,
      validationSplit: command.loop.validationSplit, threads: kernels.threads, cache: caching.isOn,
      preprocessing: record, start: startName, plan: .init(plan, rule))
  }

  struct ResolvedRun: Encodable {
    let arguments: [String]
    /// Where paths begin.
    let folder: String
    let model: String
    let modelSHA256: String
    let data: String
    let dataSHA256: String
    let output: String
    let configuration: ModelConfiguration
    let frozen: [String]
    let loss: String
    let optimiser: String
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
  }

  private struct Parts {
    let training: SequenceData
    let validation: SequenceData?
    /// Rows of a series before its validation part.
    let trainingRows: Int?
  }

  private static func split(_ data: LoadedData, _ loop: LoopArguments) throws -> Parts {
    switch data {
    case .series(let series):
      let parts = try series.split(validation: loop.validationSplit)
      return Parts(training: parts.training, validation: parts.validation, trainingRows: parts.firstRow)
    case .text(let text):
      let parts = try text.split(validation: loop.validationSplit)
      return Parts(training: parts.training, validation: parts.validation, trainingRows: nil)
    case .arrays, .labelled:
      let (all, file) = (try data.examples(), data.file)
      let count = Int((Double(all.count) * loop.validationSplit).rounded())
      guard loop.validationSplit > 0 else { return Parts(training: all, validation: nil, trainingRows: nil) }
      guard count > 0, count < all.count else {
        throw FineTuningError.badData(
          file: file,
          detail: "\(plural(all.count, "example")) cannot be split by --validation-split \(loop.validationSplit)",
          advice: ["give more data, or --validation-split 0"])
      }
      var order = Array(0..<all.count)
      var random = RandomNumbers(seed: loop.seed ^ 0x5350_4c49_54)
      if loop.shuffle { order.shuffle(using: &random) }
      return Parts(
        training: all.selecting(order.dropLast(count).sorted()),
        validation: all.selecting(order.suffix(count).sorted()),
        trainingRows: nil)
    }
  }

  /// Decides on the scalers; says what was kept or fitted.
  private static func settleScalers(
    _ record: inout Preprocessing, _ mode: ScalerMode, _ data: LoadedData, _ parts: Parts, loss: Loss
  ) throws -> [String] {
    let stored = (record.inputScaler, record.targetScaler)
    let hasStored = stored.0 != nil || stored.1 != nil
    let isTable: Bool
    switch data {
    case .series, .labelled: isTable = true
    case .text, .arrays: isTable = false
    }
    let isRegression = !loss.isCrossEntropy && loss != .binaryCrossEntropy
    let choice = mode == .auto ? (hasStored ? ScalerMode.keep : isTable ? .refit : .none) : mode
    var fitted: (inputs: Scaler?, targets: Scaler?)
    if case .series(let series) = data {
      let both = series.scalers(before: parts.trainingRows ?? series.rowCount)
      fitted = (both.inputs, both.targets)
    } else {
      fitted = (parts.training.fitInputScaler(), parts.training.fitTargetScaler())
    }
    switch choice {
    case .keep:
      guard hasStored else {
        throw InputError.usage(
          "--scaler keep: the model has no scaler",
          advice: ["give it at import with --scaler MEAN,DEVIATION, or use --scaler refit"])
      }
      try record.checkScalers(
        features: parts.training.featureCount, targets: parts.training.targetSize, file: data.file)
      let own = fitted.inputs.map { "; the training data's own: \(text($0))" } ?? ""
      return ["scaler: the model's is kept (\(stored.0.map(text) ?? "targets only"))\(own)"]
    case .none:
      (record.inputScaler, record.targetScaler) = (nil, nil)
      return hasStored ? ["scaler: the model's is dropped, as asked"] : []
    case .refit, .auto:
      record.inputScaler = fitted.inputs
      record.targetScaler = isRegression ? fitted.targets : nil
      let old = stored.0.map { "; the model's was \(text($0))" } ?? ""
      return fitted.inputs.map { ["scaler: fitted on the training part (\(text($0)))\(old)"] } ?? []
    }
  }

  static func text(_ scaler: Scaler) -> String {
    let columns = zip(scaler.mean, scaler.deviation).prefix(3).map {
      "mean \(short(Double($0))), deviation \(short(Double($1)))"
    }
    return columns.joined(separator: "; ") + (scaler.columns > 3 ? "; ..." : "")
  }

  private static func describe(_ data: LoadedData, _ parts: Parts, isShuffled: Bool) -> [String] {
    let validation = parts.validation.map { ", \(grouped($0.count)) for validation" } ?? ", none for validation"
    switch data {
    case .series(let series):
      return [
        "\(series.file): \(plural(series.rowCount, "row")); \(series.features.joined(separator: ", ")) -> \(series.targets.joined(separator: ", ")), "
          + "\(plural(series.window, "row")) in, the next \(series.horizon == 1 ? "one" : "\(series.horizon)") out",
        "\(plural(parts.training.count, "window")) to train on\(validation)\(parts.validation == nil ? "" : " (the last rows)")",
      ]
    case .text(let text):
      return [
        text.summary,
        "\(plural(parts.training.count, "sequence")) of \(plural(text.window, "token")) to train on\(validation)\(parts.validation == nil ? "" : " (the last part)")",
      ]
    case .labelled(let labelled):
      return describe(labelled.table.data, data.file, parts, validation, isShuffled) + labelled.summary
    case .arrays(let all, let file): return describe(all, file, parts, validation, isShuffled)
    }
  }

  private static func describe(
    _ all: SequenceData, _ file: String, _ parts: Parts, _ validation: String, _ isShuffled: Bool
  ) -> [String] {
    let lengths = all.lengths == nil ? "" : ", \(plural(all.stepCount, "valid step"))"
    let choice = parts.validation == nil ? "" : isShuffled ? " (drawn by the seed)" : " (the last ones)"
    return [
      "\(file): \(plural(all.count, "sequence")) of \(plural(all.steps, "step"))\(lengths)",
      "\(grouped(parts.training.count)) to train on\(validation)\(choice)",
    ]
  }
}

extension FinetuneSession {
  private static func next(_ data: LoadedData, output: String) -> String {
    switch data {
    case .series, .labelled: "lstm-ft predict \(output) --data \(data.file)"
    case .text: "lstm-ft generate \(output) --prompt TEXT"
    case .arrays(_, let file): "lstm-ft predict \(output) --data \(file) -o y.npy"
    }
  }

  struct Answer: Encodable {
    let output: String?
    let run: String
    let ending: String
    let bestEpoch: Int
    let baseline: Metrics
    let best: Metrics?
    let epochs: [FineTuner.Epoch]
    /// The best epoch of the same network from fresh values.
    let scratch: Metrics?
    let scratchSeconds: Double?
    let seconds: Double
    let trainable: Int
    let frozen: Int
    let notes: [String]
  }

  /// - Parameter point: where the run left off, to go on from there.
  func train(_ folder: RunFolder, _ console: Console, resuming point: ResumePoint? = nil) throws {
    Interruption.listen()
    let report = FinetuneReport(self, console)
    var tuner = FineTuner(plan, optimiser: rule, loss: loss, options: options)
    tuner.shouldStop = { Interruption.isWished }
    let run: FineTuner.Run
    do {
      run = try tuner.fit(
        model, training, validation: validation, targetScaler: record.targetScaler, kernels: kernels, resuming: point
      ) { event in
        report.show(event)
        try folder.record(event) { finished($0, epoch: nil) }
      }
    } catch let error as FineTuningError {
      console.clearLive()
      // What cannot be written now hides nothing of why the run stopped.
      try? folder.record(failure: error)
      throw stopped(error, folder)
    }
    var isInterrupted = run.ending == .interrupted
    if !isInterrupted { try finished(run.best, epoch: run).checkpoint.write(path: output) }
    report.finish(run, folder: folder, output: isInterrupted ? nil : output)
    var scratch: FineTuner.Run?
    if comparesScratch, !isInterrupted {
      let fresh = try trainFromScratch(report)
      isInterrupted = fresh.ending == .interrupted
      if !isInterrupted {
        report.compare(run, fresh)
        scratch = fresh
      }
    }
    try console.result(
      Answer(
        output: isInterrupted ? nil : output, run: folder.path, ending: "\(run.ending)", bestEpoch: run.bestEpoch,
        baseline: run.baseline, best: run.epochs.first { $0.epoch == run.bestEpoch }?.validation, epochs: run.epochs,
        scratch: scratch?.epochs.first { $0.epoch == scratch?.bestEpoch }?.validation, scratchSeconds: scratch?.seconds,
        seconds: run.seconds, trainable: plan.trainableCount, frozen: plan.frozenCount, notes: notes))
    if isInterrupted { throw ExitCode(Interruption.exitCode) }
  }

  /// The same network from fresh values, nothing frozen, on the same data for as many epochs.
  private func trainFromScratch(_ report: FinetuneReport) throws -> FineTuner.Run {
    let fresh = model.replacing(
      weights: LSTMModel(model.configuration, seed: options.seed).parameters,
      changed: model.parameters.slots.map { _ in true })
    var tuner = FineTuner(try FreezePlan(fresh), optimiser: rule, loss: loss, options: options)
    // A recipe's schedule is for weights that have learned something.
    tuner.options.schedule = options.schedule ?? .constant
    tuner.shouldStop = { Interruption.isWished }
    return try tuner.fit(
      fresh, training, validation: validation, targetScaler: record.targetScaler, kernels: kernels
    ) { report.showScratch($0) }
  }

  /// A loss that is no number any more, and what is left of the run.
  private func stopped(_ error: FineTuningError, _ folder: RunFolder) -> any Error {
    guard case .diverged = error else { return error }
    let clip = options.clipNorm.map { "--clip-norm below \(short($0))" } ?? "--clip-norm 1"
    return InputError.stopped(
      error.message,
      advice: [
        "try a --learning-rate below \(short(rule.learningRate)), or \(clip)",
        "the last good weights are in \(folder.file("last.h5"))",
      ])
  }

  /// Adds to a model's history what was done.
  private func finished(_ model: LSTMModel, epoch run: FineTuner.Run?) -> LSTMModel {
    var model = model
    var details = [
      "data": dataFile, "frozen": "\(plan.frozenCount) of \(plan.frozenCount + plan.trainableCount) parameters",
      "optimiser": rule.name, "learning rate": short(rule.learningRate), "loss": loss.name, "seed": "\(options.seed)",
    ]
    if let run {
      details["best epoch"] = "\(run.bestEpoch)"
      details["loss before"] = short(run.baseline.loss)
      if let after = run.epochs.first(where: { $0.epoch == run.bestEpoch })?.validation {
        details["loss after"] = short(after.loss)
      }
    }
    model.provenance?.history.append(.init(date: timestamp(), action: "finetune", details: details))
    return model
  }
}
