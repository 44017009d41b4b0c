import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Cells of code written from scratch: a matrix for each gate.
@Suite struct GateNamesTests {
  /// Values that tell where they came from.
  private func tensor(_ name: String, _ shape: [Int], _ offset: Int) -> StoredTensor {
    let count = shape.reduce(1, *)
    return StoredTensor(name: name, shape: shape, values: (0..<count).map { Float(offset + $0) })
  }

  private func plan(_ tensors: [StoredTensor], _ layout: Layout? = nil) throws -> LoadPlan {
    var file = checkpoint([(String, [Int])]())
    file.tensors = tensors
    return try LoadPlan(file, options: LoadOptions(layout: layout))
  }

  private func joined(_ shape: [Int]) -> [StoredTensor] {
    zip(["Wf", "Wi", "Wc", "Wo"], [100, 200, 300, 400]).map { tensor($0, shape, $1) }
      + ["bf", "bi", "bc", "bo"].map { tensor($0, [2, 1], 7) }
  }

  @Test func stateFirst() throws {
    let plan = try plan(joined([2, 5]) + [tensor("Wy", [3, 2], 0), tensor("by", [3, 1], 0)])
    try plan.validate()
    #expect(plan.configuration.summary == "3 features -> LSTM 2 -> (readout undecided) -> dense 3")
    #expect(plan.report.layout == .gates)
    let (input, state) = (plan.tensors["lstm.weight_ih_l0"], plan.tensors["lstm.weight_hh_l0"])
    // i, f, g, o; the first two of five columns are the state's.
    #expect(
      try #require(state).floats() == [200, 201, 205, 206, 100, 101, 105, 106, 300, 301, 305, 306, 400, 401, 405, 406])
    #expect(try #require(input).floats().prefix(6) == [202, 203, 204, 207, 208, 209])
    #expect(
      plan.report.assumed.contains {
        $0.what.description.hasPrefix("each gate's matrix has the state's 2 columns first")
      })
  }

  @Test func inputFirstAndTransposed() throws {
    let other = try plan(joined([2, 5]), .gatesInputFirst)
    #expect(try #require(other.tensors["lstm.weight_hh_l0"]).floats().prefix(4) == [203, 204, 208, 209])
    let turned = try plan(joined([5, 2]))
    #expect(try #require(turned.tensors["lstm.weight_hh_l0"]).floats().prefix(4) == [200, 202, 201, 203])
  }

  @Test func matricesApart() throws {
    let cells = zip(["W_f", "W_i", "W_g", "W_o"], [1, 2, 3, 4]).map { tensor($0, [2, 3], 10 * $1) }
    let states = zip(["U_f", "U_i", "U_g", "U_o"], [1, 2, 3, 4]).map { tensor($0, [2, 2], 100 * $1) }
    let plan = try plan(cells + states)
    try plan.validate()
    #expect(try #require(plan.tensors["lstm.weight_hh_l0"]).floats().prefix(4) == [200, 201, 202, 203])
    #expect(plan.configuration.stack?.layers.first?.bias == PlainStack.Bias.none)
  }

  /// A fixture of the shape that people write.
  @Test func aFile() throws {
    let plan = try LoadPlan(Checkpoint(path: GraphReadingTests.file("wild/npz-gates/weights.npz")))
    try plan.validate()
    #expect(plan.configuration.summary == "3 features -> LSTM 4 -> (readout undecided) -> dense 2")
  }

  @Test func otherShapesAreNotTaken() throws {
    for tensors in [
      joined([5, 5]), Array(joined([2, 5]).dropFirst()), joined([2, 5]) + [tensor("lstm.weight_hh_l0", [8, 2], 0)],
    ] {
      let found = try? plan(tensors)
      #expect(found?.report.layout != .gates)
    }
  }
}
