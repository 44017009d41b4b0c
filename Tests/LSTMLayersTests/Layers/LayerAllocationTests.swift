import CAllocations
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// A pass allocates nothing once its shapes have been seen. Where nobody counts or nobody optimizes there is nothing to see.
@Suite struct LayerAllocationTests {
  static let cases: [LayerCase] = {
    var list = LayerCase.all
    for form in Layer.Dropout.Form.allCases {
      var kind = Layer.Dropout(rate: 0.3)
      kind.form = form
      list.append(LayerCase("dropout \(form)", [Layer("x", Layer.Dense(size: 6)), Layer("drop", kind)]))
    }
    return list
  }()

  @Test(arguments: cases, [1, 2]) func aPassAllocatesNothing(_ test: LayerCase, _ threads: Int) throws {
    var test = test
    (test.count, test.steps, test.lengths) = (17, 23, (0..<17).map { 1 + $0 * 7 % 23 })
    let run = try test.run()
    var kernels = Kernels.best
    kernels.threads = threads
    let network = Network(run.model, kernels: kernels)
    let gradients = ParameterStore(run.model.configuration.parameters)
    let plan = GradientPlan(run.model.configuration, trainable: gradients.slots.map { _ in true }, wantsInput: true)
    let draw = Regularization.Draw(Regularization(), seed: 1, step: 1)
    var counts: [Int] = [0, 0, 0]
    try run.batch.withRows { source throws(ShapeError) in
      for pass in counts.indices {
        let before = allocations_of_this_thread()
        let output = try network.run(source, for: plan, regularization: draw)
        network.backward(output.rows, into: gradients, plan)
        counts[pass] = Int(allocations_of_this_thread() - before)
      }
    }
    #if !DEBUG
      #expect(counts[1] == 0 && counts[2] == 0, "\(counts)")
    #endif
    // Otherwise this would prove nothing.
    #expect(counts[0] > 0 || allocations_are_counted() == 0)
  }
}
