import CAllocations
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// A pass through layers that change shapes allocates nothing once a batch as large has been seen. Where nobody counts or
/// nobody optimizes there is nothing to see.
@Suite struct ShapeAllocationTests {
  @Test(arguments: ShapeCase.all, [1, 2]) func aPassAllocatesNothing(_ test: ShapeCase, _ threads: Int) throws {
    func run(_ seed: Int, _ count: Int) throws -> ShapeLayerTests.Run {
      try ShapeLayerTests.Run(test, lengths: (0..<count).map { test.steps ?? test.shortest + ($0 * 7 + seed) % 23 })
    }
    var kernels = Kernels.best
    kernels.threads = threads
    let runs = try [run(0, 17), run(0, 17), run(3, 9)]
    let network = Network(runs[0].model, kernels: kernels)
    let gradients = ParameterStore(network.configuration.parameters)
    let plan = GradientPlan(network.configuration, trainable: gradients.slots.map { _ in true }, wantsInput: true)
    var counts: [Int] = []
    for run in runs {
      try run.batch().withRows { source throws(ShapeError) in
        let before = allocations_of_this_thread()
        let output = try network.run(source, for: plan)
        network.backward(output.rows, into: gradients, plan)
        counts.append(Int(allocations_of_this_thread() - before))
      }
    }
    #expect(counts.count == 3)
    #if !DEBUG
      #expect(counts[1] == 0 && counts[2] == 0, "\(counts)")
    #endif
  }
}
