import FileIO
import Foundation
import LSTMLayers

/// The learning-rate range test (Smith 2015): the rate rises from step to step until the loss explodes, and where it fell
/// best tells what to train with.
///
/// Batches differ from each other by more than a small rate changes any of them, and an average that is long enough to
/// hide that lags behind the rate by decades. So each batch is measured twice, with the weights as they are by then and as
/// they were at the start: what counts is the ratio, which is 1 as long as nothing is learned, on whatever data. It
/// needs little smoothing, and that is done to both sides, so that nothing lags.
///
/// It works on a copy: the model, a value, and everything random stay as they were.
public struct RateFinder: Sendable {
  /// The learning rate of the first step, above 0.
  public var lowest = 1e-7
  /// That of the last one, above the lowest.
  public var highest = 10.0
  /// Steps from the lowest to the highest, in equal ratios.
  public var steps = 100
  /// Of the running average by which the search stops: the weight of the steps before.
  public var smoothing = 0.8
  /// It stops where the loss has come to so many times its best, against the start's.
  public var divergenceThreshold = 4.0

  /// From 1e-7 to 10 in 100 steps.
  public init() {}

  /// A step of the search.
  public struct Point: Sendable, Codable, Equatable {
    /// The step's learning rate.
    public var learningRate: Double
    /// The batch's loss before the step.
    public var loss: Double
    /// What the loss is at this rate without what batches differ by, smoothed to both sides. While the search goes on, a
    /// running average.
    public var smoothed: Double
  }

  /// What a search found.
  public struct Result: Sendable, Codable, Equatable {
    /// Every step, in rising order of rates.
    public var points: [Point]
    /// Half way, in ratios, from where the loss has begun to fall to where it is lowest; nil where it does not fall.
    public var valley: Double?
    /// Where, between these, it falls fastest against the logarithm of the rate.
    public var steepest: Double?
    /// The ratio of the two beyond which they contradict each other.
    package static let contradiction = 16.0
    /// What to train with: the geometric mean of the two, the valley being careful and the steepest bold; nil where they
    /// contradict each other.
    public var suggestion: Double? {
      guard let valley, let steepest, !isContradictory else { return nil }
      return (valley * steepest).squareRoot()
    }
    /// Whether valley and steepest are too far apart to suggest a rate.
    public var isContradictory: Bool {
      guard let valley, let steepest else { return false }
      return max(valley / steepest, steepest / valley) > Self.contradiction
    }
    /// Whether the loss exploded before the highest rate.
    public var exploded: Bool
  }

  /// Searches on sequences, or on streams chunk after chunk with the states carried.
  /// - Parameters:
  ///   - tuner: its plan, loss, batch size, clipping and seed count; all that trains at any time does from the start, each
  ///     part at its rate against the others'.
  ///   - progress: called on this thread after each step.
  /// - Throws: `FineTuningError.invalidOption`, or `ShapeError` when the data does not fit the model.
  public func search(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: some ExamplesConvertible, kernels: Kernels = .best,
    progress: (Point) throws -> Void = { _ in }
  ) throws -> Result {
    switch try data.examples.hiding(model.configuration) {
    case .sequences(let data): try search(rows: data, tuner, model, kernels, progress)
    case .streams(let data): try search(rows: data, tuner, model, kernels, progress)
    }
  }

  private func search<Rows: ExampleRows>(
    rows data: Rows, _ tuner: FineTuner, _ model: LSTMModel, _ kernels: Kernels, _ progress: (Point) throws -> Void
  ) throws -> Result {
    guard lowest > 0, highest > lowest, highest.isFinite, steps >= 10 else {
      throw FineTuningError.invalidOption(
        "rates from \(lowest) to \(highest) in \(steps) steps: expected rising rates above 0 and at least 10 steps",
        advice: [])
    }
    try tuner.check(model, data, Rows?.none)
    let network = Network(model, kernels: kernels)
    let stepper = try Stepper(tuner, network, kernels)
    let carried = try data.makeCarriedState(model.configuration)
    // The model as it was, with states of its own.
    let start = try BatchRunner(Network(model, kernels: kernels), tuner.objective)
    let startCarried = try data.makeCarriedState(model.configuration)
    let everything = GradientPlan(
      model.configuration, trainable: tuner.plan.phases.last?.trainable ?? tuner.plan.trainable)
    let size = min(tuner.options.batchSize, data.count)
    // Full ones, so that losses can be compared.
    let batches = data.batches(of: size).filter { carried != nil || $0.count == size }
    var random = RandomNumbers(seed: tuner.options.seed)
    var order = Array(0..<data.count)
    var next = batches.count
    var result = Result(points: [], exploded: false)
    var before: [Double] = []
    var (average, startAverage, best) = (0.0, 0.0, 1.0)
    // Everything trains, as in the last phase, and at the given rates.
    let base = tuner.optimizer.learningRate * (tuner.plan.phases.last?.rateFactor ?? 1)
    let ratio = pow(highest / lowest, 1 / Double(steps - 1))
    for step in 0..<steps {
      if next == batches.count {
        if let carried { carried.reset() } else if tuner.options.shuffles { order.shuffle(using: &random) }
        startCarried?.reset()
        next = 0
      }
      let examples = order[batches[next]]
      next += 1
      let rate = lowest * pow(ratio, Double(step))
      let place = Stepper.Place(epoch: Int(Int32.max), step: step + 1, factors: .init(rate: rate / base))
      let loss: Double
      do {
        guard let done = try stepper.step(data, examples, place, carrying: carried) else { continue }
        loss = done.loss.mean
      } catch FineTuningError.diverged {
        result.exploded = true
        break
      }
      let first = try start.run(
        data, nil, examples, for: everything, carrying: startCarried, regularization: tuner.draw(place)
      ).loss.mean
      before.append(first)
      average = smoothing * average + (1 - smoothing) * loss
      startAverage = smoothing * startAverage + (1 - smoothing) * first
      let now = startAverage > 0 ? average / startAverage : 1
      let point = Point(
        learningRate: rate, loss: loss, smoothed: now * before.reduce(0, +) / Double(before.count))
      result.points.append(point)
      try progress(point)
      best = min(best, now)
      if now > divergenceThreshold * best {
        result.exploded = true
        break
      }
    }
    suggest(&result, before)
    return result
  }

  /// The least that a loss has to fall, of what it was, and by how many standard errors, to be a fall.
  private static let leastFall = 0.03
  private static let leastErrors = 4.0
  /// How much of the fall lies before where it has begun.
  private static let beginning = 0.1

  /// - Parameter before: the loss of each step's batch with the weights at the start.
  private func suggest(_ result: inout Result, _ before: [Double]) {
    let count = before.count
    let mean = before.reduce(0, +) / Double(max(count, 1))
    guard count > 3, mean > 0, mean.isFinite else { return }
    // What explodes is no guide to what lies beside it.
    let losses = zip(result.points, before).map { min($0.loss, divergenceThreshold * $1) }
    let width = max(1, Double(steps) / 50)
    func weights(_ place: Int) -> [Double] {
      let raw = (0..<count).map { exp(-pow(Double($0 - place) / width, 2) / 2) }
      let sum = raw.reduce(0, +)
      return raw.map { $0 / sum }
    }
    /// Of the loss against the start's, at each step, and how far the step itself is from that.
    var (changes, deviations) = ([Double](), [Double]())
    for place in 0..<count {
      let weights = weights(place)
      let first = zip(weights, before).reduce(0) { $0 + $1.0 * $1.1 }
      guard first > 0 else { return }
      changes.append(zip(weights, losses).reduce(0) { $0 + $1.0 * $1.1 } / first - 1)
      deviations.append((losses[place] - before[place]) / first - changes[place])
      result.points[place].smoothed = mean * (1 + changes[place])
    }
    guard let lowest = changes.indices.min(by: { changes[$0] < changes[$1] }), lowest > 1 else { return }
    let fall = -changes[lowest]
    let variance = deviations[...lowest].reduce(0) { $0 + $1 * $1 } / Double(lowest + 1)
    let error = (variance * weights(lowest).reduce(0) { $0 + $1 * $1 }).squareRoot()
    guard fall >= Self.leastFall, fall >= Self.leastErrors * error else { return }
    let first = changes[...lowest].lastIndex { $0 >= -Self.beginning * fall } ?? 0
    let rates = result.points.map(\.learningRate)
    result.valley = (rates[first] * rates[lowest]).squareRoot()
    var slope = 0.0
    for place in first...lowest {
      let (a, b) = (max(place - 1, 0), min(place + 1, count - 1))
      let here = (changes[b] - changes[a]) / log(rates[b] / rates[a])
      if here < slope { (slope, result.steepest) = (here, rates[place]) }
    }
  }
}
