import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Models under the names of other frameworks give those frameworks' outputs and states.
@Suite struct NamedGoldenTests {
  static let cases = fixtureNames(in: "named", suffix: ".reference.h5")

  @Test(arguments: cases)
  func outputsAndStates(_ name: String) throws {
    let golden = try Golden("named/\(name).reference.h5")
    let model = try LSTMModel(namedFixture(name), options: namedFixtureOptions(name))
    let wanted = try golden.tensor("y")
    let (y, state): (Tensor, LSTMState)
    if case .features = model.configuration.plain.input {
      (y, state) = try model(golden.tensor("x"))
    } else {
      let tokens = try golden.integers("x").map(Int32.init)
      (y, state) = try model(SequenceBatch(tokens: tokens, count: wanted.shape[0], steps: wanted.shape[1]))
    }
    #expect(y.shape == wanted.shape)
    #expect(largestDifference(y.values, wanted.values) <= 2e-6, "y")
    #expect(largestDifference(beside(state.hidden), try golden.tensor("h").values) <= 2e-6, "h")
    #expect(largestDifference(beside(state.cell), try golden.tensor("c").values) <= 2e-6, "c")
  }

  /// (N, size) of every layer and direction, side by side.
  private func beside(_ states: [Tensor]) -> [Float] {
    (0..<states[0].shape[0]).flatMap { row in
      states.flatMap { $0.values[row * $0.shape[1]..<(row + 1) * $0.shape[1]] }
    }
  }
}
