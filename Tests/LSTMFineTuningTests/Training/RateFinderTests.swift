import Foundation
import LSTMLayers
import TestSupport
import Testing

@testable import LSTMFineTuning

@Suite struct RateFinderTests {
  private static func search(seed: UInt64 = 0) throws -> (RateFinder.Result, LSTMModel, [String: [Float]]) {
    let (model, data) = (featureModel(), try featureData(40))
    let tuner = FineTuner(
      try FreezePlan(model), optimiser: .sgd(learningRate: 0.1), options: .init(batchSize: 8, clipNorm: nil, seed: seed)
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

  @Test func smoothingIsCorrectedForItsBeginning() throws {
    let (result, _, _) = try Self.search()
    #expect(abs(result.points[0].smoothed - result.points[0].loss) < 1e-12 * abs(result.points[0].loss))
    let (a, b) = (result.points[0].loss, result.points[1].loss)
    let expected = (0.98 * 0.02 * a + 0.02 * b) / (1 - 0.98 * 0.98)
    #expect(abs(result.points[1].smoothed - expected) < 1e-12)
  }
}
