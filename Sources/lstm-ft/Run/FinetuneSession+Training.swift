import ArgumentParser
import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension FinetuneSession {
  struct Answer: Encodable {
    let output: String?
    let run: String
    let ending: String
    let bestEpoch: Int
    let baseline: Metrics
    let best: Metrics?
    let epochs: [Epoch]
    /// The best epoch of the same network trained from scratch.
    let scratch: Metrics?
    let scratchSeconds: Double?
    let seconds: Double
    let trainable: Int
    let frozen: Int
    let notes: [String]
    let series: SeriesAnswer?
    /// The error above which something is an anomaly, of a model that gives back what it reads.
    let anomalyThreshold: Double?
  }

  /// - Parameter point: where a resumed run continues.
  func train(_ folder: RunFolder, _ console: Console, resuming point: ResumePoint? = nil) throws {
    Interruption.listen()
    let report = FinetuneReport(self, console)
    var tuner = FineTuner(plan, optimizer: rule, objective: objective, options: options)
    tuner.shouldStop = { Interruption.isWished }
    tuner.sampling = sampling
    /// With what was done in its history.
    func noted(_ model: LSTMModel, _ run: FineTuner.Run? = nil) -> LSTMModel {
      var model = model
      model.provenance?.history.append(tuner.historyEvent(data: dataName, run: run))
      return model
    }
    let run: FineTuner.Run
    do {
      run = try fit(tuner, model, resuming: point) { event in
        report.show(event)
        try folder.record(event) { noted($0) }
      }
    } catch let error as FineTuningError {
      console.clearLive()
      // A failure to write the log must not hide why the run stopped.
      try? folder.record(failure: error)
      throw stopped(error, folder)
    }
    var isInterrupted = run.ending == .interrupted
    var replaced: ReplacedFile?
    var threshold: Double?
    if !isInterrupted {
      replaced = try ReplacedFile(settings.output)
      var best = noted(run.best, run)
      threshold = try anomalyThreshold(of: best)
      best.preprocessing.anomalyThreshold = threshold
      try best.write(path: settings.output)
    }
    report.finish(
      run, folder: folder, output: isInterrupted ? nil : settings.output, replaced,
      anomalies: threshold.map {
        "anomalies: errors above \(digits($0)), which \(percent(anomalyQuantile)) of the training data lie below"
      })
    var scratch: FineTuner.Run?
    if settings.comparesScratch, !isInterrupted {
      let fresh = try trainFromScratch(report)
      isInterrupted = fresh.ending == .interrupted
      if !isInterrupted {
        report.compare(run, fresh)
        scratch = fresh
      }
    }
    try console.result(
      Answer(
        output: isInterrupted ? nil : settings.output, run: folder.path, ending: "\(run.ending)",
        bestEpoch: run.bestEpoch,
        baseline: run.baseline, best: run.bestMetrics, epochs: run.epochs,
        scratch: scratch?.bestMetrics,
        scratchSeconds: scratch?.seconds,
        seconds: run.seconds, trainable: plan.trainableCount, frozen: plan.frozenCount, notes: notes, series: series,
        anomalyThreshold: threshold))
    if isInterrupted { throw ExitCode(Interruption.exitCode) }
  }

  private var anomalyQuantile: Double { settings.anomalyQuantile ?? 0.99 }

  /// Of a model that gives back what it reads.
  private func anomalyThreshold(of model: LSTMModel) throws -> Double? {
    guard ready.preprocessing.reconstructs == true else { return nil }
    let evaluator = Evaluator(Network(model, kernels: kernels), loss: loss)
    return Anomalies.quantile(anomalyQuantile, of: try evaluator.errors(of: training.sequences))
  }

  /// Trains the same network from random initial values, nothing frozen, on the same data for as many epochs.
  private func trainFromScratch(_ report: FinetuneReport) throws -> FineTuner.Run {
    let fresh = model.replacing(
      weights: LSTMModel(model.configuration, seed: options.seed).parameters,
      changed: model.parameters.slots.map { _ in true })
    var tuner = FineTuner(try FreezePlan(fresh), optimizer: rule, objective: objective, options: options)
    // A recipe's schedule is for pretrained weights.
    tuner.options.schedule = options.schedule ?? .constant
    tuner.shouldStop = { Interruption.isWished }
    return try fit(tuner, fresh) { report.showScratch($0) }
  }

  private func fit(
    _ tuner: FineTuner, _ model: LSTMModel, resuming point: ResumePoint? = nil,
    events: (FineTuner.Event) throws -> Void
  ) throws -> FineTuner.Run {
    try tuner.fit(
      model, training, validation: validation, targetScaler: ready.preprocessing.targetScaler, kernels: kernels,
      resuming: point, events: events)
  }

  /// Adds advice to a NaN or infinite loss.
  private func stopped(_ error: FineTuningError, _ folder: RunFolder) -> any Error {
    guard case .diverged = error else { return error }
    if let note = nonFiniteNotes.first {
      return InputError.stopped(
        error.message, advice: ["\(note)", "import the model from a checkpoint without such values"])
    }
    let clip = options.clipNorm.map { "--clip-norm below \(short($0))" } ?? "--clip-norm 1"
    return InputError.stopped(
      error.message,
      advice: [
        "try a --learning-rate below \(short(rule.learningRate)), or \(clip)",
        "the last good weights are in \(folder.file("last.h5"))",
      ])
  }
}
