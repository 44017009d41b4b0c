import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

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

  init(_ command: Finetune, rule: Optimizer, kernels: Kernels, caching: CachePolicy) throws {
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
    var record = try base.preprocessingRecord(file: command.model)
    var notes = try command.data.settleVocabulary(
      &base, &record, isNew: command.parts.fromScratch, extends: command.vocabulary.extendVocabulary)
    let loaded = try command.data.load(
      for: base, record, .training(newHead: command.headChoice().isNew), readout: command.reading.readout)
    dataFile = path
    notes += loaded.readingNotes

    // 1. Split, then fit scalers on the training part alone.
    let held = try command.loop.validationPaths()
    var heldData: LoadedData?
    if !held.isEmpty {
      var asLoaded = record
      loaded.describe(in: &asLoaded)
      heldData = try command.data.reading(held).load(for: base, asLoaded, .measuring, readout: command.reading.readout)
    }
    let parts = try DataSplit(loaded, command.loop, held: heldData).hiding(base.configuration)
    notes += parts.notes
    if let note = parts.training.maskNote(base.configuration) { notes.append(note) }
    let fit = try TaskFit(
      base, parts.training.sequences, file: path, loss: command.loss.choice(), head: command.headChoice(),
      readout: command.reading.readout, seed: command.loop.seed, knowsClasses: record.classes != nil)
    notes += [command.loss.loss?.note].compactMap(\.self) + fit.notes.map(\.spelled)
    loss = try command.loss.settled(fit.loss, classes: fit.model.configuration.outputSize)
    if try command.headChoice().isNew { record.classes = nil }
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
    next = NextSteps(loaded, command.arguments)

    // 2. The plan and the loop.
    var tuned = fit.model
    try tuned.store(record)
    model = tuned
    // Before there is a folder of a run that cannot begin.
    if case .streams = training, let layer = tuned.configuration.layers.firstIndex(where: \.isBidirectional) {
      throw InputError.usage(
        "--chunk needs layers that run forward only, and layer\(layer) is bidirectional: its reverse half begins at the end of a sequence",
        advice: ["leave --chunk out, or choose another model"])
    }
    plan = try FreezePlan(
      tuned, freezing: command.parts.freeze, unfreezing: command.parts.unfreeze, recipe: command.rates.recipe,
      rates: command.rates.rates(), lora: command.rates.adapters())
    notes += plan.notes.map(\.spelled)
    sampling =
      command.files.samples
      ? Self.sampling(
        heldData ?? loaded, parts.validation == nil ? training : validation, record, command.loop.seed, kernels)
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

  /// The text that a language model goes on with, or the forecast of a series' last rows.
  private static func sampling(
    _ data: LoadedData, _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? {
    switch data {
    case .text(let text), .textStreams(let text, _):
      let prompt = text.opening()
      let options = TextGenerator.Options(
        length: text.vocabulary.unit == .words ? 25 : 100, temperature: 0.5, seed: seed)
      // A model that is no language model, or gives no numbers any more, has nothing to show.
      return { model in
        let generator = try? TextGenerator(model, vocabulary: text.vocabulary, window: text.window, kernels: kernels)
        let made = try? generator?.generate(after: prompt, options)
        return made.map { .text(prompt: prompt, continuation: $0.text) }
      }
    case .series(let series):
      guard let windows = examples?.sequences, windows.count > 0, windows.hiddenSteps == nil else { return nil }
      return { try series.sample(of: $0, windows, targetScaler: record.targetScaler, kernels: kernels) }
    case .seriesStreams(let series, _, _):
      return {
        try series.streamedSample(
          of: $0, inputScaler: record.inputScaler, targetScaler: record.targetScaler, kernels: kernels)
      }
    case .labeled, .arrays, .streams: return nil
    }
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

extension FinetuneSession {
  struct Answer: Encodable {
    let output: String?
    let run: String
    let ending: String
    let bestEpoch: Int
    let baseline: Metrics
    let best: Metrics?
    let epochs: [Epoch]
    /// The best epoch of the same network from fresh values.
    let scratch: Metrics?
    let scratchSeconds: Double?
    let seconds: Double
    let trainable: Int
    let frozen: Int
    let notes: [String]
    let series: SeriesAnswer?
  }

  /// - Parameter point: where the run left off, to go on from there.
  func train(_ folder: RunFolder, _ console: Console, resuming point: ResumePoint? = nil) throws {
    Interruption.listen()
    let report = FinetuneReport(self, console)
    var tuner = FineTuner(plan, optimizer: rule, loss: loss, options: options)
    tuner.shouldStop = { Interruption.isWished }
    tuner.sampling = sampling
    let run: FineTuner.Run
    do {
      run = try fit(tuner, model, resuming: point) { event in
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
    var replaced: ReplacedFile?
    if !isInterrupted {
      replaced = ReplacedFile(output)
      try finished(run.best, epoch: run).checkpoint.write(path: output)
    }
    report.finish(run, folder: folder, output: isInterrupted ? nil : output, replaced)
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
        baseline: run.baseline, best: run.epochs.first { $0.number == run.bestEpoch }?.validation, epochs: run.epochs,
        scratch: scratch?.epochs.first { $0.number == scratch?.bestEpoch }?.validation,
        scratchSeconds: scratch?.seconds,
        seconds: run.seconds, trainable: plan.trainableCount, frozen: plan.frozenCount, notes: notes, series: series))
    if isInterrupted { throw ExitCode(Interruption.exitCode) }
  }

  /// The same network from fresh values, nothing frozen, on the same data for as many epochs.
  private func trainFromScratch(_ report: FinetuneReport) throws -> FineTuner.Run {
    let fresh = model.replacing(
      weights: LSTMModel(model.configuration, seed: options.seed).parameters,
      changed: model.parameters.slots.map { _ in true })
    var tuner = FineTuner(try FreezePlan(fresh), optimizer: rule, loss: loss, options: options)
    // A recipe's schedule is for weights that have learned something.
    tuner.options.schedule = options.schedule ?? .constant
    tuner.shouldStop = { Interruption.isWished }
    return try fit(tuner, fresh) { report.showScratch($0) }
  }

  private func fit(
    _ tuner: FineTuner, _ model: LSTMModel, resuming point: ResumePoint? = nil,
    events: (FineTuner.Event) throws -> Void
  ) throws -> FineTuner.Run {
    switch training {
    case .sequences(let data):
      return try tuner.fit(
        model, data, validation: validation?.sequences, targetScaler: record.targetScaler, kernels: kernels,
        resuming: point, events: events)
    case .streams(let data):
      var held: StreamData?
      if case .streams(let data) = validation { held = data }
      return try tuner.fit(
        model, data, validation: held, targetScaler: record.targetScaler, kernels: kernels, resuming: point,
        events: events)
    }
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
      "optimizer": rule.name, "learning rate": short(rule.learningRate), "loss": loss.name, "seed": "\(options.seed)",
    ]
    if let run {
      details["best epoch"] = "\(run.bestEpoch)"
      details["loss before"] = short(run.baseline.loss)
      if let after = run.epochs.first(where: { $0.number == run.bestEpoch })?.validation {
        details["loss after"] = short(after.loss)
      }
    }
    model.provenance?.history.append(.init(date: timestamp(), action: "finetune", details: details))
    return model
  }
}
