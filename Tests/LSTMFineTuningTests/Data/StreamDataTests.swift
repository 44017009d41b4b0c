import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// How streams are cut: chunks, documents, texts.
@Suite struct StreamDataTests {
  static func streams(_ count: Int, steps: Int, lengths: [Int]? = nil) throws -> SequenceData {
    try SequenceData(
      inputs: .features(noise(count * steps * 2, seed: 1), steps: steps, size: 2),
      targets: .values(noise(count * steps, seed: 2), size: 1, perStep: true), lengths: lengths)
  }

  /// stream: first step ..< end, where its state comes from and goes to
  static func describe(_ data: StreamData) -> [[String]] {
    data.chunks.map { chunk in
      chunk.map { example in
        let (from, to) = data.streams(example)
        let stream = data.inputRow(example) / data.sequences.steps
        let first = data.inputRow(example) % data.sequences.steps
        #expect(data.targetRow(example) == data.inputRow(example))
        return "\(stream): \(first)..<\(first + data.length(example)), \(from) -> \(to)"
      }
    }
  }

  @Test func chunksFollowEachOther() throws {
    let data = try StreamData(Self.streams(2, steps: 7), chunkSteps: 3)
    #expect(
      Self.describe(data) == [
        ["0: 0..<3, 0 -> 0", "1: 0..<3, 1 -> 1"], ["0: 3..<6, 0 -> 0", "1: 3..<6, 1 -> 1"],
        ["0: 6..<7, 0 -> 0", "1: 6..<7, 1 -> 1"],
      ])
    #expect(data.streamCount == 2 && data.stepCount == 14 && data.steps == 3 && data.batches(of: 1) == data.chunks)
    #expect(try StreamData(Self.streams(2, steps: 7), chunkSteps: .max).chunks == [0..<2])
  }

  @Test func aChunkIsSplitWhereADocumentBegins() throws {
    var resets = [Bool](repeating: false, count: 14)
    for place in [0, 2, 3, 7 + 4, 7 + 5, 7 + 6] { resets[place] = true }
    #expect(
      try Self.describe(StreamData(Self.streams(2, steps: 7), chunkSteps: 3, resets: resets)) == [
        ["0: 0..<2, -1 -> -1", "0: 2..<3, -1 -> 0", "1: 0..<3, 1 -> 1"],
        ["0: 3..<6, -1 -> 0", "1: 3..<4, 1 -> -1", "1: 4..<5, -1 -> -1", "1: 5..<6, -1 -> 1"],
        ["0: 6..<7, 0 -> 0", "1: 6..<7, -1 -> 1"],
      ])
  }

  @Test func shorterStreamsEndEarlier() throws {
    let data = try StreamData(Self.streams(3, steps: 9, lengths: [2, 5, 3]), chunkSteps: 3)
    #expect(
      Self.describe(data) == [
        ["0: 0..<2, 0 -> 0", "1: 0..<3, 1 -> 1", "2: 0..<3, 2 -> 2"], ["1: 3..<5, 1 -> 1"],
      ])
    #expect(data.stepCount == 10)
    // A selection is streams of its own.
    let chosen = try StreamData(Self.streams(3, steps: 9, lengths: [2, 5, 3]).selecting([2, 0]), chunkSteps: 9)
    #expect(Self.describe(chosen) == [["2: 0..<3, 0 -> 0", "0: 0..<2, 1 -> 1"]])
  }

  /// word_language_model's batchify: 26 letters as four columns, the last two left out.
  @Test func aTextIsCutIntoStreams() throws {
    let data = try StreamData(text: (0..<26).map(Int32.init), streams: 4, chunkSteps: 2, documentStarts: [7, 11, 25])
    guard case .tokens(let tokens, let steps) = data.sequences.inputs,
      case .classes(let targets, true) = data.sequences.targets
    else { return #expect(Bool(false)) }
    #expect(steps == 5)
    #expect(tokens == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 18, 19, 20, 21, 22])
    #expect(targets == tokens.map { $0 + 1 })
    // 7 is step 1 of stream 1; 11 is only a target, 25 is left out.
    #expect(
      Self.describe(data)[0] == [
        "0: 0..<2, 0 -> 0", "1: 0..<1, 1 -> -1", "1: 1..<2, -1 -> 1", "2: 0..<2, 2 -> 2", "3: 0..<2, 3 -> 3",
      ])
    #expect(data.chunks.count == 3 && data.count == 13)
  }

  @Test func whatIsNoStream() throws {
    let streams = try Self.streams(2, steps: 7)
    #expect(
      message { _ = try StreamData(streams, chunkSteps: 0) } == "chunks: expected at least one step, found 0")
    #expect(
      message { _ = try StreamData(featureData(3), chunkSteps: 2) }
        == "targets of streams: expected one a step, found one a stream")
    #expect(
      message { _ = try StreamData(streams, chunkSteps: 2, resets: [true]) }
        == "resets: expected (2, 7), found 1 values")
    let text: [Int32] = [1, 2, 3, 4, 5]
    #expect(
      message { _ = try StreamData(text: text, streams: 3, chunkSteps: 2) }
        == "text: expected at least two tokens for each of 3 streams, found 5")
    #expect(
      message { _ = try StreamData(text: text, streams: 0, chunkSteps: 2) }
        == "text: expected at least two tokens for each of 0 streams, found 5")
    for start in [-1, 5] {
      #expect(
        message { _ = try StreamData(text: text, streams: 1, chunkSteps: 2, documentStarts: [start]) }
          == "document starts: expected places from 0 to 4, found \(start)")
    }
  }

  // MARK: - Files

  static func file(_ reset: StoredTensor?) -> Checkpoint {
    Checkpoint(
      tensors: [
        StoredTensor(name: "x", shape: [2, 3, 1], values: [1, 2, 3, 4, 5, 6]),
        StoredTensor(name: "y", shape: [2, 3, 1], values: [1, 2, 3, 4, 5, 6]),
      ] + (reset.map { [$0] } ?? []), path: "data")
  }

  static func load(_ reset: StoredTensor?) throws -> StreamData {
    try StreamData.load(file(reset), reading: .features(size: 1), chunkSteps: 3)
  }

  @Test func aFileMayMarkWhereDocumentsBegin() throws {
    #expect(try Self.describe(Self.load(nil)) == [["0: 0..<3, 0 -> 0", "1: 0..<3, 1 -> 1"]])
    let marks = StoredTensor(name: "reset", shape: [2, 3], values: [1, 0, 0, 0, 0, 1])
    #expect(
      try Self.describe(Self.load(marks)) == [["0: 0..<3, -1 -> 0", "1: 0..<2, 1 -> -1", "1: 2..<3, -1 -> 1"]])
  }

  @Test(arguments: [
    (
      StoredTensor(name: "reset", shape: [6], values: [0, 0, 0, 0, 0, 0]),
      "(2, 3), a mark for each step of x, found (6,)"
    ),
    (StoredTensor(name: "reset", shape: [2, 3], values: [0, 0, 2, 0, 0, 0]), "0 or 1, found 2"),
    (StoredTensor(name: "reset", shape: [2, 3], values: [0, 0, 0.5, 0, 0, 0]), "whole numbers, found 0.5"),
  ])
  func marksThatAreNone(_ reset: StoredTensor, _ expected: String) {
    #expect(message { _ = try Self.load(reset) } == "data: reset: expected \(expected)")
  }

  @Test func scalingKeepsTheCuts() throws {
    let data = try StreamData(Self.streams(2, steps: 7), chunkSteps: 3, resets: (0..<14).map { $0 == 4 })
    let scaled = data.scaled(inputs: data.sequences.fitInputScaler(), targets: nil)
    #expect(Self.describe(scaled) == Self.describe(data))
    guard case .features(let before, _, _) = data.sequences.inputs,
      case .features(let after, _, _) = scaled.sequences.inputs
    else { return #expect(Bool(false)) }
    #expect(before != after)
  }
}
