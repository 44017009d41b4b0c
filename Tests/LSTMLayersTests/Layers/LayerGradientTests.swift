import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Layers that normalize, activate and attend, against their twins in double precision: outputs, and gradients against
/// central differences.
@Suite struct LayerGradientTests {
  @Test(arguments: LayerCase.all) func outputsAndGradientsMatchTheTwin(_ test: LayerCase) throws {
    let run = try test.run()
    let batch = run.batch
    guard case .features(let values, let width) = batch.input else { return }
    var twin = LayerTwin(configuration: run.model.configuration, parameters: [:], isTraining: test.isTraining)
    for (index, slot) in run.model.parameters.slots.enumerated() {
      twin.parameters[slot.name] = run.model.parameters.values(index).map(Double.init)
    }
    var x: LayerTwin.Rows = (0..<batch.count).map { n in
      (0..<(batch.lengths?[n] ?? batch.steps)).map { t in
        (0..<width).map { Double(values[(n * batch.steps + t) * width + $0]) }
      }
    }
    let output = twin(x)
    let isPerStep = run.model.configuration.givesSteps
    let (steps, size) = (isPerStep ? batch.steps : 1, run.model.configuration.outputSize)
    let weighting = run.weighting(isPerStep ? [batch.count, steps, size] : [batch.count, size])
    func loss() -> Double { weightedSum(twin(x), weighting, steps: steps, size: size) }
    func central(_ change: (Double) -> Void) -> Double { centralDifference(loss, change) }
    // Some coordinates of each parameter and of the input.
    var wanted: [(name: String, at: Int, slope: Double)] = []
    for slot in run.model.parameters.slots where slot.specification.part.isTrainable {
      for at in Self.some(slot.count) {
        wanted.append((slot.name, at, central { twin.parameters[slot.name]?[at] += $0 }))
      }
    }
    var inputs: [(n: Int, t: Int, j: Int, slope: Double)] = []
    for at in Self.some(batch.count * batch.steps * width, 20) {
      let (n, t, j) = (at / (batch.steps * width), at / width % batch.steps, at % width)
      guard t < x[n].count else { continue }
      inputs.append((n, t, j, central { x[n][t][j] += $0 }))
    }
    let scale = (wanted.map(\.slope) + inputs.map(\.slope)).reduce(0.1) { max($0, abs($1)) }
    for kernels in Kernels.available {
      let result = try run(kernels)
      expectOutput(result.output, output, steps: steps, size: size, kernels.name)
      for (name, at, slope) in wanted {
        let found = Double(result.gradients[name]?[at] ?? .nan)
        #expect(abs(found - slope) <= 1e-5 * scale, "\(kernels.name): \(name) \(at) \(found) \(slope)")
      }
      for (n, t, j, slope) in inputs {
        let found = Double(result.input[(n * batch.steps + t) * width + j])
        #expect(abs(found - slope) <= 1e-5 * scale, "\(kernels.name): x \(n) \(t) \(j) \(found) \(slope)")
      }
    }
  }

  /// Evenly spread numbers below a count, ends included.
  private static func some(_ count: Int, _ limit: Int = 8) -> [Int] {
    count <= limit ? Array(0..<count) : (0..<limit).map { $0 * (count - 1) / (limit - 1) }
  }

  // MARK: - What must not show

  /// Large enough that the work is split.
  @Test(arguments: LayerCase.all) func resultsDoNotDependOnTheNumberOfThreads(_ test: LayerCase) throws {
    var test = test
    (test.count, test.steps, test.lengths) = (23, 61, (0..<23).map { 1 + $0 * 37 % 61 })
    let run = try test.run()
    var (one, many) = (Kernels.best, Kernels.best)
    (one.threads, many.threads) = (1, 4)
    #expect(try run(one) == run(many))
  }

  /// Apart from the batch's statistics.
  @Test(arguments: LayerCase.all.filter { !$0.isTraining && $0.count > 1 })
  func aSequenceComputesAsIfItWereAlone(_ test: LayerCase) throws {
    let run = try test.run()
    let batch = run.batch
    guard case .features(let values, let width) = batch.input else { return }
    let isPerStep = run.model.configuration.givesSteps
    let size = run.model.configuration.outputSize
    let together = try Network(run.model).forward(batch).values
    for n in 0..<batch.count {
      let length = batch.lengths?[n] ?? batch.steps
      let start = n * batch.steps * width
      let x = Tensor(shape: [1, length, width], values: Array(values[start..<start + length * width]))
      let alone = try Network(run.model).forward(SequenceBatch(x)).values
      let first = n * (isPerStep ? batch.steps : 1) * size
      #expect(alone == Array(together[first..<first + alone.count]), "sequence \(n)")
    }
  }

  /// One step at a time gives the same bits.
  @Test(
    arguments: (LayerCase.activations + LayerCase.norms).filter { !$0.isTraining && !$0.name.hasSuffix("a sequence") })
  func stepsAreTheSequence(_ test: LayerCase) throws {
    let run = try test.run()
    guard case .features(let values, let width) = run.batch.input else { return }
    let stream = try LSTMStream(run.model)
    let size = run.model.configuration.outputSize
    let whole = try Network(run.model).forward(run.batch).values
    for n in 0..<run.batch.count {
      var (state, y) = (stream.makeState(), [Float](repeating: .nan, count: size))
      for t in 0..<(run.batch.lengths?[n] ?? run.batch.steps) {
        let row = n * run.batch.steps + t
        stream.step(Array(values[row * width..<(row + 1) * width]), &state, into: &y)
        #expect(y == Array(whole[row * size..<(row + 1) * size]), "\(n) \(t)")
      }
    }
  }
}
