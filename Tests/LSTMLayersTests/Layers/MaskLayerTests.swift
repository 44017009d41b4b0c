import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Rows at the steps that a mask hides, against plain lists and central differences.
@Suite struct MaskLayerTests {
  /// Before, within, after and both; the last sequence has all of its steps.
  static let tokens: [Int32] = [
    0, 0, 3, 4, 5, 1, 2, /**/ 1, 2, 3, 0, 0, 4, 5, /**/ 6, 5, 4, 3, 0, 0, 0, /**/ 0, 1, 0, 2, 3, 0, 0, /**/ 1, 2, 3, 4,
    5,
    6, 1,
  ]

  static let lines = [
    "7 tokens masked 0 -> embedding 3 -> LSTM 4 -> unmask -> max -> dense 2",
    "7 tokens masked 0 -> embedding 3 -> biLSTM 2 -> unmask zero -> conv 3 kernel 3 same tanh -> mean -> dense 2",
    "7 tokens masked 0 -> embedding 3 -> biGRU 2 -> unmask -> dense 3 tanh -> conv 2 kernel 2 -> LSTM 2 -> last",
    "7 tokens of 7 steps masked 0 -> embedding 3 -> unmask token -> flatten -> dense 2",
    "7 tokens masked 0 -> embedding 3 -> LSTM 3 -> unmask -> norm1: batch norm -> seen: remask -> LSTM 2 "
      + "-> end: last -> maximum: max from norm1 -> concatenate from end, maximum",
    "7 tokens masked 0 -> embedding 3 -> LSTM 3 -> unmask -> LSTM 2 -> dense 2",
  ]

  private func batch() throws -> SequenceBatch {
    try SequenceBatch(tokens: Self.tokens, count: 5, steps: 7).hiding(.token(0))
  }

  @Test func rowsOfHiddenSteps() throws {
    let model = try LSTMModel(
      ModelConfiguration(line: "7 tokens masked 0 -> embedding 3 -> biLSTM 2 -> unmask -> all"), seed: 3)
    let below = try LSTMModel(
      ModelConfiguration(line: "7 tokens masked 0 -> embedding 3 -> biLSTM 2 -> all"), seed: 3)
    let all = try Network(model).forward(batch(), forBackward: false)
    let some = try Network(below).forward(batch(), forBackward: false)
    #expect(all.shape == [5, 7, 4])
    for sequence in 0..<5 {
      let visible = (0..<7).filter { Self.tokens[sequence * 7 + $0] != 0 }
      for step in 0..<7 {
        for column in 0..<4 {
          let place = column < 2 ? visible.lastIndex { $0 <= step } : visible.firstIndex { $0 >= step }
          let wanted = place.map { some.values[(sequence * 7 + $0) * 4 + column] } ?? 0
          #expect(all.values[(sequence * 7 + step) * 4 + column] == wanted)
        }
      }
    }
  }

  @Test(arguments: lines)
  func gradients(_ line: String) throws {
    let configuration = try ModelConfiguration(line: line)
    let network = Network(LSTMModel(configuration, seed: 11))
    let batch = try batch()
    var random = RandomNumbers(seed: 5)
    let size = try network.forward(batch, isTraining: true).values.count
    let factors = (0..<size).map { _ in random.normal() }
    func loss() throws -> Double {
      let y = try network.forward(batch, isTraining: true).values
      return zip(y, factors).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    let output = try network.forward(batch, isTraining: true)
    let gradients = ParameterStore(configuration.parameters)
    try network.backward(
      Tensor(shape: output.shape, values: factors), into: gradients,
      trainable: gradients.slots.map { !$0.name.contains("running") })
    for slot in network.weights.slots.indices where !network.weights.slots[slot].name.contains("running") {
      let found = gradients.values(slot)
      for place in stride(from: 0, to: found.count, by: max(1, found.count / 7)) {
        let pointer = network.weights.pointer(slot)
        let (old, delta) = (pointer[place], Float(1e-2))
        pointer[place] = old + delta
        network.weightsChanged()
        let more = try loss()
        pointer[place] = old - delta
        network.weightsChanged()
        let less = try loss()
        pointer[place] = old
        network.weightsChanged()
        let wanted = Float((more - less) / Double(2 * delta))
        #expect(
          abs(found[place] - wanted) < 2e-3 * max(1, abs(wanted)),
          "\(network.weights.slots[slot].name) \(place): \(found[place]), not \(wanted)")
      }
    }
  }

  /// One line and one JSON for each, and no model that cannot be.
  @Test func linesThereAndBack() throws {
    for line in Self.lines {
      let configuration = try ModelConfiguration(line: line)
      #expect(try ModelConfiguration(line: configuration.line) == configuration)
    }
    #expect(throws: (any Error).self) { try ModelConfiguration(line: "8 features -> conv 4 kernel 3 -> unmask -> max") }
    #expect(throws: (any Error).self) { try ModelConfiguration(line: "8 features -> LSTM 4 -> remask -> last") }
  }
}
