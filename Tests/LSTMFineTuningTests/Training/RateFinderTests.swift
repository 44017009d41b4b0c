import Foundation
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct RateFinderTests {
  private static func search(seed: UInt64 = 0) throws -> (RateFinder.Result, LSTMModel, [String: [Float]]) {
    let (model, data) = (featureModel(), try featureData(40))
    let tuner = FineTuner(
      try FreezePlan(model), optimizer: .sgd(learningRate: 0.1), options: .init(batchSize: 8, clipNorm: nil, seed: seed)
    )
    let before = allValues(model)
    return (try RateFinder().search(tuner, model, data), model, before)
  }

  @Test func theLossFallsExplodesAndTheModelStaysAsItWas() throws {
    let (result, model, before) = try Self.search()
    #expect(allValues(model) == before)
    #expect(result.points[0].learningRate == 1e-7)
    let ratio = pow(1e8, 1.0 / 99)
    for (a, b) in zip(result.points, result.points.dropFirst()) {
      #expect(abs(b.learningRate / a.learningRate / ratio - 1) < 1e-9)
    }
    let (valley, steepest) = (try #require(result.valley), try #require(result.steepest))
    #expect(1e-5...10 ~= valley, "\(valley)")
    #expect(result.points.map(\.learningRate).contains { abs($0 / steepest - 1) < 1e-6 }, "\(steepest)")
  }

  @Test func theSameSeedFindsTheSame() throws {
    #expect(try Self.search(seed: 3).0 == Self.search(seed: 3).0)
    #expect(try Self.search(seed: 3).0 != Self.search(seed: 4).0)
  }

  // MARK: - Rates to train with

  /// What is learned, and from how much.
  struct Task: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let examples: Int
    var steps = 8
    /// Beside the waves.
    let noise: Float
    /// Sequences of very different sizes, so that a batch's loss says little of the next one's.
    var isUneven = false
    var isPretrained = false

    func data(seed: UInt64) throws -> SequenceData {
      var random = RandomNumbers(seed: seed)
      var (x, y): ([Float], [Float]) = ([], [])
      for _ in 0..<examples {
        let phase = random.uniform() * 100
        let size = isUneven ? exp(0.8 * random.normal()) : 1
        let wave = (0...steps).map { step in
          size * (sin(0.42 * Float(step) + phase) + 0.7 * sin(0.13 * Float(step) + 2 * phase) + noise * random.normal())
        }
        x += wave.dropLast()
        y.append(wave[steps])
      }
      return try SequenceData(
        inputs: .features(x, steps: steps, size: 1), targets: .values(y, size: 1, perStep: false))
    }
  }

  static let tasks = [
    Task(testDescription: "long data", examples: 8000, noise: 0.1),
    Task(
      testDescription: "long data, from weights that know something", examples: 8000, noise: 0.1, isPretrained: true),
    Task(testDescription: "little data", examples: 96, noise: 0.1),
    Task(testDescription: "noise as large as the signal", examples: 2500, noise: 1),
    Task(testDescription: "sequences of very different sizes", examples: 4000, noise: 0.1, isUneven: true),
  ]

  static func model() -> LSTMModel { featureModel(1, layers: [.init(hiddenSize: 8)]) }

  static func tuner(_ model: LSTMModel, rate: Double, epochs: Int = 1) throws -> FineTuner {
    FineTuner(
      try FreezePlan(model), optimizer: .adam(learningRate: rate), options: .init(epochs: epochs, batchSize: 16))
  }

  /// Before and after 120 steps of 16.
  static func losses(_ model: LSTMModel, _ data: SequenceData, rate: Double) throws -> (before: Double, after: Double) {
    let held = min(data.count / 6, 300)
    let training = data.selecting(0..<min(data.count - held, 120 * 16))
    let tuner = try tuner(model, rate: rate, epochs: max(1, 120 * 16 / training.count))
    let run = try tuner.fit(
      model, training, validation: data.selecting(data.count - held..<data.count))
    return (run.baseline.loss, run.epochs.last?.validation?.loss ?? .infinity)
  }

  /// Of all that can be learned in so many steps it learns nearly as much as ten times less or more do at their best; what
  /// was suggested before for long data does not.
  @Test(arguments: tasks) func whatIsSuggestedTrainsWell(_ task: Task) throws {
    var model = Self.model()
    if task.isPretrained {
      let other = try Task(testDescription: "", examples: 1000, noise: 0.5).data(seed: 77)
      model = try Self.tuner(model, rate: 1e-2, epochs: 2).fit(model, other).last
    }
    let data = try task.data(seed: 11)
    let result = try RateFinder().search(Self.tuner(model, rate: 1e-3), model, data)
    let rate = try #require(result.suggestion, "\(result.valley ?? 0), \(result.steepest ?? 0)")
    func learned(_ rate: Double) throws -> Double {
      let losses = try Self.losses(model, data, rate: rate)
      return losses.before - losses.after
    }
    let (here, less, more) = (try learned(rate), try learned(rate / 10), try learned(rate * 10))
    #expect(here >= 0.9 * max(less, more, here), "\(rate): \(here), less \(less), more \(more)")
    #expect(try learned(6e-6) < 0.5 * here)
  }

  /// The fault that this is against: an average of batches that differ falls and rises by itself where nothing is learned.
  @Test func noiseAtTheLowestRatesSuggestsNothing() throws {
    let data = try Self.tasks[4].data(seed: 5)
    let model = Self.model()
    var finder = RateFinder()
    (finder.lowest, finder.highest) = (1e-9, 1e-6)
    let result = try finder.search(Self.tuner(model, rate: 1e-3), model, data)
    #expect(result.valley == nil && result.steepest == nil && result.suggestion == nil && !result.exploded)
    // Batches differ a lot, the curve does not.
    let losses = result.points.map(\.loss)
    #expect((losses.max() ?? 0) > 2 * (losses.min() ?? 0))
    let smoothed = result.points.map(\.smoothed)
    #expect((smoothed.max() ?? 0) < 1.01 * (smoothed.min() ?? 0))
  }

  @Test func aModelAsGoodAsItGetsIsNotToldARate() throws {
    // Targets that nothing foretells, about the mean that the model says.
    var model = Self.model()
    let data = try featureData(3000, steps: 4, size: 1)
    model = try Self.tuner(model, rate: 3e-3, epochs: 3).fit(model, data).last
    let result = try RateFinder().search(Self.tuner(model, rate: 1e-3), model, data)
    #expect(result.suggestion == nil, "\(result.valley ?? 0), \(result.steepest ?? 0)")
  }

  @Test func twoThatContradictEachOtherSuggestNothing() {
    var result = RateFinder.Result(points: [], valley: 1e-3, steepest: 1e-2, exploded: false)
    #expect(abs((result.suggestion ?? 0) - 3.1623e-3) < 1e-6 && !result.isContradictory)
    result.steepest = 1e-1
    #expect(result.suggestion == nil && result.isContradictory)
    result.steepest = nil
    #expect(result.suggestion == nil && !result.isContradictory)
  }
}
