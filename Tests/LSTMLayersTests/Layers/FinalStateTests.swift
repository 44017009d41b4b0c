import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// The final state of a bidirectional layer is that of its reverse half at the first step, also behind layers that keep
/// the columns in their places.
@Suite struct FinalStateTests {
  static let between: [any LayerKind] = [
    Layer.Dropout(rate: 0.5), Layer.ActivationLayer(.relu), Layer.BatchNorm(), Layer.LayerNorm(), Layer.Rescale(),
    Layer.L2(),
  ]

  @Test(arguments: between.indices) func isReadThroughTheLayer(_ index: Int) throws {
    var recurrent = Layer.Recurrent(.lstm, size: 3)
    recurrent.isBidirectional = true
    func output(_ take: Layer.Readout.Take) throws -> [Float] {
      let run = try LayerRun(
        [
          Layer("layer0", recurrent), Layer("between", Self.between[index]), Layer("readout", Layer.Readout(take)),
        ], features: 2, count: 3, steps: 4, lengths: [4, 1, 3])
      return try Network(run.model).forward(run.batch).values
    }
    let (last, first, final) = (try output(.last), try output(.first), try output(.final))
    for row in 0..<3 {
      for j in 0..<6 { #expect(final[row * 6 + j] == (j < 3 ? last : first)[row * 6 + j]) }
    }
    #expect(final != last)
  }
}
