import LSTMFineTuning

/// The events of a run so far, in bounded memory.
///
/// A run's folder stores them line by line; `init(folder:)` reads them back. For a long run, curves by step keep the extremes
/// of each interval, and epochs and samples are thinned evenly, with the first, the best and the last kept.
public struct RunLog: Sendable {
  /// An epoch, as in the log.
  public struct Epoch: Sendable, Equatable, Codable {
    /// From 1.
    public var number: Int
    /// The mean over the epoch's steps.
    public var trainingLoss: Double
    /// On the validation data; nil without.
    public var validation: Metrics?
    /// At the last step, the highest of all parts.
    public var learningRate: Double
    /// The mean over the epoch's steps.
    public var gradientNorm: Double
    /// By the names of the model's parts.
    public var gradientNorms: [String: Double]?
    /// Whether its validation loss was the lowest so far.
    public var isBest: Bool
    /// With validation; nil when unknown.
    public var seconds: Double?
    /// In training, without validation; nil when unknown.
    public var sequencesPerSecond: Double?

    private enum CodingKeys: String, CodingKey {
      case number = "epoch"
      case trainingLoss, validation, learningRate, gradientNorm, gradientNorms, isBest, seconds, sequencesPerSecond
    }
  }

  /// A step of the optimizer, as in the log.
  struct Step: Equatable, Codable {
    /// From 1.
    var epoch: Int
    /// From 1, in its epoch.
    var number: Int
    var loss: Double
    var learningRate: Double
    var gradientNorm: Double

    private enum CodingKeys: String, CodingKey {
      case epoch, loss, learningRate, gradientNorm
      case number = "step"
    }
  }

  /// A sample and the epoch after which it was made; 0 is before the first step.
  public struct Sampled: Sendable, Equatable {
    /// 0 before the first step.
    public var epoch: Int
    /// A generated text, or a forecast beside the truth.
    public var sample: Sample
  }

  /// How a run ended.
  public enum Ending: Sendable, Equatable {
    case ended(FineTuner.Ending)
    /// It failed, for example with a NaN or infinite loss.
    case failed(reason: String)
  }

  /// Cached outputs of frozen layers, and where they are.
  public internal(set) var cache: CacheUsage?
  /// The model before the first step.
  public internal(set) var start: Metrics?
  /// The number of steps so far.
  public private(set) var stepCount = 0
  /// How the run ended; nil while it runs, or when it was killed.
  public internal(set) var ending: Ending?
  /// The folder's `config.json`; nil without one.
  public internal(set) var record: RunRecord?
  /// Whether the log's last line is incomplete, as after a kill.
  package internal(set) var endsInHalfALine = false
  /// The number of lines of an unknown kind.
  package internal(set) var unknownLines = 0
  /// Why the start of the log could not be read; nil when it could.
  var gap: String?

  /// By step.
  private(set) var losses = ThinnedCurve()
  private(set) var smoothedLosses = ThinnedCurve()
  private(set) var learningRates = ThinnedCurve()
  private(set) var gradientNorms = ThinnedCurve()
  /// By epoch, for each part of the model.
  private(set) var partNorms: [String: ThinnedCurve] = [:]
  /// The norms of the gates' gradients by time step, layer by layer, at the end of the newest epoch.
  private(set) var gateGradientNorms: [String: [Double]]?
  private var epochList = ThinnedList<Epoch>(limit: 2000)
  private var sampleList = ThinnedList<Sampled>(limit: 24)
  private var lossAverage = 0.0
  private(set) var lastStep: (epoch: Int, step: Int)?

  /// A run that has not started.
  public init() {}

  /// In order; thinned for a very long run.
  public var epochs: [Epoch] { epochList.elements }
  /// The number of all epochs, those left out of `epochs` included.
  public var epochCount: Int { epochList.count }
  /// In order; thinned for a long run.
  public var samples: [Sampled] { sampleList.elements }
  /// The number of all samples, those left out of `samples` included.
  var sampleCount: Int { sampleList.count }
  /// The newest epoch.
  public var lastEpoch: Epoch? { epochList.last }
  /// The epoch of the best validation loss; nil without validation, and while the model before the first step is the best.
  public private(set) var best: Epoch?
  /// The time of all epochs; nil when that of one is unknown.
  public private(set) var seconds: Double? = 0

  // MARK: - What happens

  /// Limits on parts of a model, and on characters of a name or a sample: more than any real run has, and few enough for
  /// a page.
  private static let (partLimit, nameLimit, textLimit, seriesLimit) = (64, 200, 4000, 4096)

  mutating func note(_ step: Step) {
    ending = nil
    lastStep = (step.epoch, step.number)
    stepCount += 1
    let x = Double(stepCount)
    losses.append(x: x, y: step.loss)
    learningRates.append(x: x, y: step.learningRate)
    gradientNorms.append(x: x, y: step.gradientNorm)
    guard step.loss.isFinite else { return }
    // Over about the last tenth of all steps: equally wide in the chart at any length.
    lossAverage += (step.loss - lossAverage) / (1 + 0.1 * (x - 1))
    smoothedLosses.append(x: x, y: lossAverage)
  }

  mutating func note(_ record: Epoch, gateGradientNorms norms: [String: [Double]]?) {
    ending = nil
    var record = record
    record.gradientNorms = record.gradientNorms.map(Self.bounded)
    gateGradientNorms = norms.map(Self.bounded)
    for (name, norm) in record.gradientNorms ?? [:] where partNorms[name] != nil || partNorms.count < Self.partLimit {
      partNorms[name, default: ThinnedCurve()].append(x: Double(record.number), y: norm)
    }
    seconds = seconds.flatMap { sum in record.seconds.map { sum + $0 } }
    if record.isBest, record.validation != nil { best = record }
    epochList.append(record) { [best] in $0.number == best?.number }
  }

  /// Adds the times of epochs by their numbers.
  mutating func note(_ times: [Int: (seconds: Double, sequencesPerSecond: Double)]) {
    epochList.changeAll { epoch in
      epoch.seconds = times[epoch.number]?.seconds
      epoch.sequencesPerSecond = times[epoch.number]?.sequencesPerSecond
    }
    if let number = best?.number { best = epochs.first { $0.number == number } }
    seconds = times.count < epochCount ? nil : times.values.reduce(0) { $0 + $1.seconds }
  }

  mutating func note(_ sampled: Sampled) {
    ending = nil
    var sampled = sampled
    switch sampled.sample {
    case .text(let prompt, let continuation):
      sampled.sample = .text(
        prompt: Self.cut(prompt, Self.textLimit), continuation: Self.cut(continuation, Self.textLimit))
    case .forecast(let series):
      sampled.sample = .forecast(
        .init(
          column: Self.cut(series.column, Self.nameLimit), truth: Array(series.truth.prefix(Self.seriesLimit)),
          forecast: Array(series.forecast.prefix(Self.seriesLimit))))
    }
    sampleList.append(sampled) { [best] in $0.epoch == best?.number }
  }

  /// By scalars: one character can have any number of them.
  private static func cut(_ text: String, _ limit: Int) -> String { String(text.unicodeScalars.prefix(limit)) }

  private static func bounded<Value>(_ named: [String: Value]) -> [String: Value] {
    guard named.count > partLimit || named.keys.contains(where: { $0.utf8.count > nameLimit }) else { return named }
    let few = named.sorted { $0.key < $1.key }.prefix(partLimit)
    return Dictionary(few.map { (cut($0.key, nameLimit), $0.value) }) { first, _ in first }
  }
}

extension RunLog.Epoch {
  /// An epoch of a run in progress.
  public init(_ epoch: LSTMFineTuning.Epoch) {
    self.init(
      number: epoch.number, trainingLoss: epoch.trainingLoss, validation: epoch.validation,
      learningRate: epoch.learningRate, gradientNorm: epoch.gradientNorm, gradientNorms: epoch.gradientNorms,
      isBest: epoch.isBest, seconds: epoch.seconds, sequencesPerSecond: epoch.sequencesPerSecond)
  }
}
