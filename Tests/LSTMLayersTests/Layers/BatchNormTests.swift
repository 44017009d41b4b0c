import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// When batch normalization uses the batch's statistics, and when it keeps its own.
@Suite struct BatchNormTests {
  private func network(_ kind: Layer.BatchNorm = .init()) throws -> (Network, LayerRun) {
    let run = try LayerRun(
      [Layer("norm", kind), Layer("head.0", Layer.Dense(size: 2))], features: 5, count: 4, steps: 6,
      lengths: [6, 2, 1, 5])
    return (Network(run.model), run)
  }

  /// The statistics after a training pass with some parameters trained.
  private func pass(_ network: Network, _ batch: SequenceBatch, trains: (String) -> Bool) throws -> [Float] {
    let plan = GradientPlan(network.configuration, trainable: network.weights.slots.map { trains($0.name) })
    return try batch.withRows { source throws(ShapeError) in
      let output = try network.run(source, for: plan)
      return [Float](UnsafeBufferPointer(start: output.rows, count: output.count * output.width))
    }
  }

  private func statistics(_ network: Network) throws -> [[Float]] {
    try ["norm.running_mean", "norm.running_var"].map {
      network.weights.values(try #require(network.weights.index(of: $0)))
    }
  }

  @Test func frozenItKeepsAndUsesItsStatistics() throws {
    let (network, run) = try network()
    let before = try statistics(network)
    let evaluated = try run.batch.withRows { source throws(ShapeError) in
      let output = try network.run(source)
      return [Float](UnsafeBufferPointer(start: output.rows, count: output.count * output.width))
    }
    // Frozen, or with its weight alone trained, it is the constant that it is in evaluation.
    #expect(try pass(network, run.batch) { $0.hasPrefix("head") } == evaluated)
    #expect(try pass(network, run.batch) { $0 == "norm.weight" } == evaluated)
    #expect(try statistics(network) == before)
    #expect(try pass(network, run.batch) { _ in true } != evaluated)
    let after = try statistics(network)
    #expect(zip(after.joined(), before.joined()).allSatisfy { $0 != $1 })
    // Evaluation then uses the moved ones, without further ado.
    let again = try run.batch.withRows { source throws(ShapeError) in
      let output = try network.run(source)
      return [Float](UnsafeBufferPointer(start: output.rows, count: output.count * output.width))
    }
    #expect(again != evaluated)
    #expect(try statistics(network) == after)
  }

  /// PyTorch's variance has n - 1, Keras' n.
  @Test(arguments: [true, false]) func theRunningVarianceIsOfTheFrameworksKind(_ isUnbiased: Bool) throws {
    var kind = Layer.BatchNorm(momentum: 1)
    kind.isUnbiased = isUnbiased
    let (network, run) = try network(kind)
    _ = try network.forward(run.batch, isTraining: true)
    guard case .features(let values, let width) = run.batch.input else { return }
    for feature in 0..<width {
      var column: [Double] = []
      for n in 0..<4 {
        for t in 0..<(run.batch.lengths?[n] ?? 6) { column.append(Double(values[(n * 6 + t) * width + feature])) }
      }
      let n = Double(column.count)
      let mean = column.reduce(0, +) / n
      let squares = column.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let found = try statistics(network).map { Double($0[feature]) }
      #expect(abs(found[0] - mean) <= 1e-7)
      #expect(abs(found[1] - squares / (isUnbiased ? n - 1 : n)) <= 1e-6)
    }
  }

  /// A last batch of one sequence, behind a readout: there is no variance to take.
  @Test func oneRowAloneMovesNothing() throws {
    let run = try LayerRun([Layer("norm", Layer.BatchNorm())], features: 5, count: 1, steps: 1)
    let network = Network(run.model)
    let before = try statistics(network)
    let output = try network.forward(run.batch, isTraining: true)
    #expect(try output == Network(run.model).forward(run.batch))
    #expect(try statistics(network) == before)
    let grid = try LayerRun([Layer("norm", Layer.BatchNorm())], features: 6, channels: 2, count: 1, steps: 1)
    #expect(try Network(grid.model).forward(grid.batch, isTraining: true) != Network(grid.model).forward(grid.batch))
  }

  /// In double precision: features far from zero keep their variance.
  @Test func statisticsOfFeaturesFarFromZero() throws {
    let run = try LayerRun([Layer("norm", Layer.BatchNorm(momentum: 1))], features: 1, count: 8, steps: 50)
    guard case .features(let values, _) = run.batch.input else { return }
    let shifted = values.map { 40_000 + ($0 * 64).rounded() / 64 }
    let network = Network(run.model)
    _ = try network.forward(SequenceBatch(Tensor(shape: [8, 50, 1], values: shifted)), isTraining: true)
    let mean = shifted.reduce(0) { $0 + Double($1) } / 400
    let variance = shifted.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / 399
    #expect(abs(Double(try statistics(network)[1][0]) / variance - 1) <= 1e-6)
  }
}
