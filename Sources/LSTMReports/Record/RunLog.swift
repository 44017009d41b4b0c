import LSTMFineTuning

/// What a run has said so far, in memory that does not grow with its length.
///
/// A run's folder keeps it line by line; `init(folder:)` reads it back. Of a long run, curves by step keep the extremes of
/// each part of them, and of the epochs and samples every so-many-th is kept, with the first, the best and the last.
public struct RunLog: Sendable {
  /// An epoch's record, as the log has it.
  public struct Epoch: Sendable, Equatable, Codable {
    /// From 1.
    public var number: Int
    /// The mean over the epoch's steps.
    public var trainingLoss: Double
    /// On the validation data; nil without.
    public var validation: Metrics?
    /// That of the last step, the highest of the parts'.
    public var learningRate: Double
    /// The mean over the epoch's steps.
    public var gradientNorm: Double
    /// By the names of the model's parts.
    public var gradientNorms: [String: Double]?
    /// Whether no validation loss before was as low.
    public var isBest: Bool
    /// With validation; nil when nobody wrote down how long it took.
    public var seconds: Double?
    /// Without it.
    public var sequencesPerSecond: Double?

    private enum CodingKeys: String, CodingKey {
      case number = "epoch"
      case trainingLoss, validation, learningRate, gradientNorm, gradientNorms, isBest, seconds, sequencesPerSecond
    }

    init(
      number: Int, trainingLoss: Double, validation: Metrics?, learningRate: Double, gradientNorm: Double,
      gradientNorms: [String: Double]?, isBest: Bool, seconds: Double? = nil, sequencesPerSecond: Double? = nil
    ) {
      self.number = number
      self.trainingLoss = trainingLoss
      self.validation = validation
      self.learningRate = learningRate
      self.gradientNorm = gradientNorm
      self.gradientNorms = gradientNorms
      self.isBest = isBest
      self.seconds = seconds
      self.sequencesPerSecond = sequencesPerSecond
    }

    public init(_ record: LSTMFineTuning.Epoch) {
      self.init(
        number: record.number, trainingLoss: record.trainingLoss, validation: record.validation,
        learningRate: record.learningRate, gradientNorm: record.gradientNorm, gradientNorms: record.gradientNorms,
        isBest: record.isBest, seconds: record.seconds, sequencesPerSecond: record.sequencesPerSecond)
    }
  }

  /// A step of the optimizer, as the log has it.
  struct Step: Equatable {
    /// From 1.
    var epoch: Int
    /// From 1, in its epoch.
    var number: Int
    var loss: Double
    var learningRate: Double
    var gradientNorm: Double
  }

  /// A sample and the epoch after which it was made; 0 is before the first step.
  public struct Sampled: Sendable, Equatable {
    public var epoch: Int
    public var sample: Sample
  }

  /// How a run ended.
  public enum Ending: Sendable, Equatable {
    case ended(FineTuner.Ending)
    /// It had to stop, as for a NaN or infinite loss.
    case failed(reason: String)
  }

  /// Cached outputs of frozen layers, and where they are.
  public internal(set) var cache: CacheUsage?
  /// The model before the first step.
  public internal(set) var start: Metrics?
  /// Steps that are in the log.
  public private(set) var stepCount = 0
  /// How the run ended; nil for one that goes on, or that was killed.
  public private(set) var ending: Ending?
  /// What the folder's `config.json` says; nil without one.
  public internal(set) var record: RunRecord?
  /// Whether the log's last line is half of one, as a run leaves it that was killed while it wrote.
  public internal(set) var endsInHalfALine = false
  /// Lines of a kind that is not known here.
  public internal(set) var unknownLines = 0
  /// What is missing, for people: why the beginning could not be read.
  public internal(set) var gap: String?

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

  /// A run that has not begun.
  public init() {}

  /// In order; see `epochCount`.
  public var epochs: [Epoch] { epochList.elements }
  /// With those that are not kept.
  public var epochCount: Int { epochList.count }
  /// In order.
  public var samples: [Sampled] { sampleList.elements }
  /// With those that are not kept.
  public var sampleCount: Int { sampleList.count }
  /// The newest of them.
  public var lastEpoch: Epoch? { epochList.last }
  /// The epoch of the best validation loss; nil when that is still the model before the first step, and without validation.
  public private(set) var best: Epoch?
  /// What the epochs took; nil when it is not known of each.
  public private(set) var seconds: Double? = 0

  // MARK: - What happens

  /// Parts of a model that are told apart, and characters of a name or a sample: more than any run has, and few enough
  /// for a page.
  private static let (partLimit, nameLimit, textLimit, seriesLimit) = (64, 200, 4000, 4096)

  /// Takes note of an event.
  public mutating func note(_ event: FineTuner.Event) {
    switch event {
    case .cache(let cache): self.cache = cache
    case .start(let metrics): start = metrics
    case .step(let step):
      note(
        Step(
          epoch: step.epoch, number: step.number, loss: step.loss, learningRate: step.learningRate,
          gradientNorm: step.gradientNorm))
    case .epoch(let record):
      note(Epoch(record), gateGradientNorms: record.gateGradientNorms)
    case .sample(let sample, let epoch): note(Sampled(epoch: epoch, sample: sample))
    case .end(let run): note(.ended(run.ending))
    case .weights: break
    }
  }

  mutating func note(_ step: Step) {
    ending = nil
    lastStep = (step.epoch, step.number)
    stepCount += 1
    let x = Double(stepCount)
    losses.append(x: x, y: step.loss)
    learningRates.append(x: x, y: step.learningRate)
    gradientNorms.append(x: x, y: step.gradientNorm)
    guard step.loss.isFinite else { return }
    // Over the last tenth or so of all steps, however many they become: as wide in the picture at any length.
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

  /// Adds what `times.jsonl` knows.
  mutating func note(_ times: [Int: RunTime]) {
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

  mutating func note(_ ending: Ending) { self.ending = ending }

  /// By scalars: one character can be longer than all the rest.
  private static func cut(_ text: String, _ limit: Int) -> String { String(text.unicodeScalars.prefix(limit)) }

  private static func bounded<Value>(_ named: [String: Value]) -> [String: Value] {
    guard named.count > partLimit || named.keys.contains(where: { $0.utf8.count > nameLimit }) else { return named }
    let few = named.sorted { $0.key < $1.key }.prefix(partLimit)
    return Dictionary(few.map { (cut($0.key, nameLimit), $0.value) }) { first, _ in first }
  }
}
