import FileIO
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Two inputs of an open number of steps, side by side.
@Suite struct JoinedInputTests {
  private static let line =
    "words: 7 tokens, tags: 5 tokens -> one: embedding 3 from words -> two: embedding 2 from tags "
    + "-> concatenate from one, two -> LSTM 4 -> dense 2"

  private func batch(_ steps: Int, lengths: [Int]? = nil, count: Int = 2) throws -> SequenceBatch {
    try SequenceBatch(
      tokens: (0..<count * steps).map { Int32($0 % 5) }, count: count, steps: steps, lengths: lengths)
  }

  @Test(arguments: [4, 6])
  func anyNumberOfSteps(_ steps: Int) throws {
    let model = try LSTMModel(ModelConfiguration(line: Self.line), seed: 3)
    let fixed = Self.line.replacing("tokens,", with: "tokens of \(steps) steps,")
      .replacing("5 tokens ->", with: "5 tokens of \(steps) steps ->")
    let known = try LSTMModel(ModelConfiguration(line: fixed), seed: 3)
    let y = try [model, known].map { try $0(batch(steps), others: [batch(steps)]).outputs[0] }
    #expect(y[0].shape == [2, steps, 2])
    #expect(y[0].values == y[1].values)
  }

  @Test func asManyOfEach() throws {
    let model = try LSTMModel(ModelConfiguration(line: Self.line), seed: 3)
    let error = #expect(throws: ShapeError.self) { try model(batch(4), others: [batch(5)]) }
    #expect(error?.what.contains("steps of one and two") == true)
    #expect(throws: ShapeError.self) { try model(batch(4, lengths: [4, 2]), others: [batch(4)]) }
  }

  /// Steps that a layer made fewer are no input's.
  @Test func onlyOfInputs() {
    let line = "a: 3 features, b: 3 features -> max pool 2 from a -> concatenate from pool1, b -> LSTM 2"
    #expect(throws: (any Error).self) { try ModelConfiguration(line: line) }
  }
}
