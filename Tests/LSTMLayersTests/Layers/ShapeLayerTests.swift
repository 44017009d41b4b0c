import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Layers that change shapes against their twins in double precision: outputs, and gradients against central differences.
@Suite struct ShapeLayerTests {
  /// A model of a case with random weights, and sequences for it.
  struct Run {
    let model: LSTMModel
    /// By sequence, step and feature.
    let x: [[[Float]]]

    init(_ test: ShapeCase, lengths: [Int]? = nil) throws {
      let configuration = try ModelConfiguration(
        inputs: [.init(.features(size: test.features), steps: test.steps, channels: test.channels)], layers: test.layers
      )
      var (model, random) = (LSTMModel(configuration), RandomNumbers(seed: 5))
      for slot in model.parameters.slots {
        let scale = 1 / Float(slot.specification.shape.dropFirst().reduce(1, *)).squareRoot()
        try model.set(
          slot.name,
          to: Tensor(shape: slot.specification.shape, values: (0..<slot.count).map { _ in random.normal() * scale }))
      }
      self.model = model
      x = (lengths ?? test.lengths).map { length in
        (0..<length).map { _ in (0..<test.features).map { _ in random.normal() } }
      }
    }

    func batch(_ chosen: [Int]? = nil) throws -> SequenceBatch {
      let some = chosen.map { $0.map { x[$0] } } ?? x
      let (steps, width) = (some.map(\.count).max() ?? 1, some[0][0].count)
      var values: [Float] = []
      for sequence in some {
        values += sequence.joined()
        values += repeatElement(Float.nan, count: (steps - sequence.count) * width)
      }
      return try SequenceBatch(Tensor(shape: [some.count, steps, width], values: values), lengths: some.map(\.count))
    }

    struct Result: Equatable {
      var output: Tensor
      var input: [Float]
      var gradients: [[Float]]
    }

    static func weighting(_ shape: [Int]) -> Tensor {
      var random = RandomNumbers(seed: 77)
      return Tensor(shape: shape, values: (0..<shape.reduce(1, *)).map { _ in random.normal() })
    }

    func callAsFunction(_ kernels: Kernels) throws -> Result {
      let network = Network(model, kernels: kernels)
      let output = try network.forward(batch())
      let gradients = ParameterStore(model.configuration.parameters)
      let back = try network.backward(
        Self.weighting(output.shape), into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: true)
      return Result(
        output: output, input: back?.input.values ?? [], gradients: gradients.slots.indices.map(gradients.values))
    }
  }

  static func kernels(_ threads: [Int]) -> [Kernels] {
    Kernels.available.flatMap { kernels in
      threads.map { count in
        var kernels = kernels
        kernels.threads = count
        return kernels
      }
    }
  }

  @Test(arguments: ShapeCase.all) func outputsAndGradientsMatchTheTwin(_ test: ShapeCase) throws {
    let run = try Run(test)
    var twin = ShapeTwin(configuration: run.model.configuration, parameters: [:])
    for (index, slot) in run.model.parameters.slots.enumerated() {
      twin.parameters[slot.name] = run.model.parameters.values(index).map(Double.init)
    }
    var x = run.x.map { $0.map { $0.map(Double.init) } }
    let wanted = twin(x)
    let isPerStep = run.model.configuration.givesSteps
    let (steps, size) = (wanted.map(\.count).max() ?? 0, run.model.configuration.outputSize)
    let weighting = Run.weighting(isPerStep ? [x.count, steps, size] : [x.count, size])
    func loss() -> Double { weightedSum(twin(x), weighting, steps: steps, size: size) }
    func central(_ change: (Double) -> Void) -> Double { centralDifference(loss, change) }
    // Some coordinates of each parameter, and of each input.
    var slopes: [(slot: Int, at: Int, slope: Double)] = []
    for (index, slot) in run.model.parameters.slots.enumerated() {
      for at in Self.some(slot.count, 16) {
        slopes.append((index, at, central { twin.parameters[slot.name]?[at] += $0 }))
      }
    }
    var inputs: [(n: Int, t: Int, j: Int, slope: Double)] = []
    for n in x.indices {
      for at in Self.some(x[n].count * test.features, 20) {
        let (t, j) = (at / test.features, at % test.features)
        inputs.append((n, t, j, central { x[n][t][j] += $0 }))
      }
    }
    let scale = (slopes.map(\.slope) + inputs.map(\.slope)).reduce(0.1) { max($0, abs($1)) }
    let longest = x.map(\.count).max() ?? 0
    for kernels in Self.kernels([1, 3]) {
      let result = try run(kernels)
      #expect(result.output.shape == weighting.shape)
      expectOutput(result.output.values, wanted, steps: steps, size: size, kernels.name)
      for (slot, at, slope) in slopes {
        let found = Double(result.gradients[slot][at])
        #expect(abs(found - slope) <= 1e-5 * scale, "\(kernels.name): parameter \(slot) \(at) \(found) \(slope)")
      }
      for (n, t, j, slope) in inputs {
        let found = Double(result.input[(n * longest + t) * test.features + j])
        #expect(abs(found - slope) <= 1e-5 * scale, "\(kernels.name): x \(n) \(t) \(j) \(found) \(slope)")
      }
    }
  }

  /// Evenly spread numbers below a count, ends included.
  private static func some(_ count: Int, _ limit: Int) -> [Int] {
    count <= limit ? Array(0..<count) : (0..<limit).map { $0 * (count - 1) / (limit - 1) }
  }

  // MARK: - What must not show

  /// Large enough that the work is split, into tiles of one sequence and of many.
  @Test(arguments: ShapeCase.all, [[Int]]([Array(0..<23), [0, 150], [300]]))
  func resultsDoNotDependOnTheNumberOfThreads(_ test: ShapeCase, lengths: [Int]) throws {
    let chosen = lengths.map {
      test.steps ?? (lengths.count > 3 ? test.shortest + $0 * 37 % 61 : max($0, test.shortest))
    }
    let run = try Run(test, lengths: chosen)
    var list: [Run.Result] = []
    for threads in [1, 2, 5] {
      var kernels = Kernels.best
      kernels.threads = threads
      list.append(try run(kernels))
    }
    #expect(list[0] == list[1] && list[0] == list[2])
  }

  @Test(arguments: ShapeCase.all) func aSequenceComputesAsIfItWereAlone(_ test: ShapeCase) throws {
    let lengths = (0..<19).map { test.steps ?? test.shortest + $0 * 7 % 23 }
    let run = try Run(test, lengths: lengths)
    let together = try Network(run.model).forward(run.batch())
    let count = together.values.count / lengths.count
    for n in lengths.indices {
      let alone = try Network(run.model).forward(run.batch([n])).values
      #expect(alone == Array(together.values[n * count..<n * count + alone.count]), "sequence \(n)")
      // What lies behind it is zero.
      #expect(together.values[n * count + alone.count..<(n + 1) * count].allSatisfy { $0 == 0 })
    }
  }

  @Test(arguments: ShapeCase.all.filter(\.streams), KernelTests.paths)
  func oneStepAtATimeGivesTheBitsOfTheSequence(_ test: ShapeCase, _ path: String) throws {
    let kernels = try KernelTests.kernels(path)
    let run = try Run(test)
    let stream = try LSTMStream(run.model, kernels: kernels)
    for n in run.x.indices {
      let whole = try Network(run.model, kernels: kernels).forward(run.batch([n]))
      var (state, outputs) = (stream.makeState(), [Float]())
      var y = [Float](repeating: .nan, count: stream.outputSize)
      for row in run.x[n] {
        stream.step(row, &state, into: &y)
        outputs += y
      }
      #expect(outputs == whole.values)
    }
  }

  @Test(arguments: ShapeCase.all.filter { !$0.streams }) func otherStreamsAreRefused(_ test: ShapeCase) throws {
    #expect(throws: ShapeError.self) { try LSTMStream(Run(test).model) }
  }
}
