import Foundation
import LSTMLayers

/// The learning-rate range test (Smith 2015): the rate rises from step to step until the loss explodes, and where it fell
/// best says what to train with.
///
/// It works on a copy: the model, a value, and everything random stay as they were.
public struct RateFinder: Sendable {
  public var lowest = 1e-7
  public var highest = 10.0
  /// Steps from the lowest to the highest, in equal ratios.
  public var steps = 100
  /// Of the smoothed loss: the weight of what came before.
  public var smoothing = 0.98
  /// It stops where the smoothed loss is so many times the best.
  public var explosion = 4.0

  public init() {}

  public struct Point: Sendable, Codable, Equatable {
    public var learningRate: Double
    public var loss: Double
    /// The exponential average of the losses, corrected for its beginning.
    public var smoothed: Double
  }

  public struct Result: Sendable, Codable, Equatable {
    public var points: [Point]
    /// Two thirds down the longest descent of the smoothed loss (fastai's "valley"); nil where there is none.
    public var valley: Double?
    /// Where the smoothed loss falls fastest against the logarithm of the rate; nil where it never falls.
    public var steepest: Double?
    /// What to train with: the geometric mean of the two. On averages as smooth as these the valley is a careful rate, the
    /// steepest one close to where training breaks.
    public var suggestion: Double? {
      guard let valley, let steepest else { return valley ?? steepest }
      return (valley * steepest).squareRoot()
    }
    /// Whether the loss exploded before the highest rate.
    public var exploded: Bool
  }

  /// - Parameter tuner: its plan, loss, batch size, clipping and seed count; all that trains at any time does from the
  ///   start, each part at its rate against the others'.
  /// - Throws: `FineTuningError.invalidOption`, or `ShapeError` when the data does not fit the model.
  public func search(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: SequenceData, kernels: Kernels = .best,
    progress: (Point) throws -> Void = { _ in }
  ) throws -> Result {
    try search(
      rows: data.hiding(model.configuration.mask, for: model.configuration), tuner, model, kernels, progress)
  }

  /// The same on streams, chunk after chunk with the states carried.
  public func search(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: StreamData, kernels: Kernels = .best,
    progress: (Point) throws -> Void = { _ in }
  ) throws -> Result {
    try data.requireVisible(model.configuration.mask)
    return try search(rows: data, tuner, model, kernels, progress)
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
    let size = min(tuner.options.batchSize, data.count)
    // Full ones, so that losses can be compared.
    let batches = data.batches(of: size).filter { carried != nil || $0.count == size }
    var random = RandomNumbers(seed: tuner.options.seed)
    var order = Array(0..<data.count)
    var next = batches.count
    var result = Result(points: [], exploded: false)
    var (average, best) = (0.0, Double.infinity)
    // Everything trains, as in the last phase, and at the rates that are said.
    let base = tuner.optimiser.learningRate * (tuner.plan.phases.last?.rateFactor ?? 1)
    let ratio = pow(highest / lowest, 1 / Double(steps - 1))
    for step in 0..<steps {
      if next == batches.count {
        if let carried { carried.reset() } else if tuner.options.shuffles { order.shuffle(using: &random) }
        next = 0
      }
      let examples = order[batches[next]]
      next += 1
      let rate = lowest * pow(ratio, Double(step))
      let done: Double?
      do {
        done = try stepper.step(
          data, examples,
          .init(epoch: Int(Int32.max), step: step + 1, pace: .init(rate: rate / base)), carrying: carried)?.loss.mean
      } catch FineTuningError.diverged {
        result.exploded = true
        break
      }
      guard let loss = done else { continue }
      average = smoothing * average + (1 - smoothing) * loss
      let smoothed = average / (1 - pow(smoothing, Double(result.points.count + 1)))
      let point = Point(learningRate: rate, loss: loss, smoothed: smoothed)
      result.points.append(point)
      try progress(point)
      best = min(best, smoothed)
      if smoothed > explosion * best {
        result.exploded = true
        break
      }
    }
    suggest(&result)
    return result
  }

  private func suggest(_ result: inout Result) {
    // What exploded last is no guide, nor are the first few, whose average is of hardly more than one batch (fastai
    // leaves out a tenth and five).
    let all = result.points
    let points = all.dropFirst(all.count / 10).dropLast(result.exploded ? min(5, all.count / 4) : 0)
    guard points.count > 3 else { return }
    var slope = 0.0
    for (before, after) in zip(points, points.dropFirst(2)) {
      let fall = (after.smoothed - before.smoothed) / log(after.learningRate / before.learningRate)
      if fall < slope {
        slope = fall
        result.steepest = (before.learningRate * after.learningRate).squareRoot()
      }
    }
    // The longest falling subsequence, as fastai's.
    let first = points.startIndex
    var (lengths, starts) = (points.map { _ in 1 }, Array(points.indices))
    for later in points.indices {
      for earlier in first..<later
      where points[earlier].smoothed > points[later].smoothed && lengths[earlier - first] + 1 > lengths[later - first] {
        lengths[later - first] = lengths[earlier - first] + 1
        starts[later - first] = starts[earlier - first]
      }
    }
    guard let end = lengths.indices.max(by: { lengths[$0] < lengths[$1] }), lengths[end] > 1 else { return }
    let third = (first + end - starts[end]) / 3
    result.valley = points[starts[end] + third + third / 2].learningRate
  }

  /// The smoothed loss over the decimal logarithm of the rate, with what is suggested.
  public static func chart(_ result: Result) -> LineChart {
    let x = result.points.map { log10($0.learningRate) }
    var annotations: [LineChart.Annotation] = []
    for (name, rate) in [("valley", result.valley), ("steepest", result.steepest)] {
      guard let rate, let point = result.points.last(where: { $0.learningRate <= rate * (1 + 1e-9) }) else { continue }
      annotations.append(.point(x: log10(rate), y: point.smoothed, "\(name): \(String(format: "%.1e", rate))"))
    }
    return LineChart(
      title: "Loss by learning rate", xLabel: "log10 of the learning rate", yLabel: "loss",
      series: [
        .init("smoothed", x: x, y: result.points.map(\.smoothed)),
        .init("each step", x: x, y: result.points.map(\.loss)),
      ], annotations: annotations)
  }
}
