import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// The loop on streams.
@Suite struct StreamTrainingTests {
  @Test(arguments: TruncatedBackpropagationTests.names)
  func anEpochFollowsPyTorch(_ name: String) throws {
    let golden = try Golden("golden-streams/\(name).h5")
    let (model, data, loss) = try TruncatedBackpropagationTests.load(golden)
    let tuner = FineTuner(
      try plan(model), optimizer: try PyTorchTrainingTests.rule(golden), loss: loss,
      options: .init(epochs: 1, clipNorm: nil))
    var (losses, norms) = ([Double](), [Double]())
    let run = try tuner.fit(model, data) { event in
      if case .step(let step) = event {
        #expect(step.count == 20)
        losses.append(step.loss)
        norms.append(step.gradientNorm)
      }
    }
    for (found, expected) in try [(losses, golden.doubles("losses")), (norms, golden.doubles("norms"))] {
      #expect(found.count == 20 && zip(found, expected).allSatisfy { abs($0 - $1) <= 1e-5 * max($1, 1) })
    }
    for (tensor, expected) in try golden.tensors(in: "weights") {
      let index = try #require(run.last.parameters.index(of: PyTorchTrainingTests.projectName(tensor)))
      #expect(largestDifference(run.last.parameters.values(index), expected.values) <= 1e-5, "\(tensor)")
    }
    #expect(run.epochs.map(\.number) == [1] && run.ending == .finished)
  }

  /// The state is zero again at the beginning of each epoch, and shuffling and the batch size do nothing.
  @Test func epochsBeginAtZero() throws {
    let (model, data, loss) = try TruncatedBackpropagationTests.load(Golden("golden-streams/features_sgd_resets.h5"))
    let rule = Optimizer.sgd(learningRate: 0.05)
    func run(_ model: LSTMModel, _ options: FineTuner.Options) throws -> LSTMModel {
      try FineTuner(try plan(model), optimizer: rule, loss: loss, options: options).fit(model, data).last
    }
    let two = try run(model, .init(epochs: 2, batchSize: 1, shuffles: true, seed: 5))
    let oneAndOne = try run(run(model, .init(epochs: 1)), .init(epochs: 1, shuffles: false))
    #expect(allValues(two) == allValues(oneAndOne))
  }

  private final class Limit: @unchecked Sendable {
    var left = Int.max
  }

  @Test(arguments: [[], ["layer0"]])
  func resumedAtEveryChunkIsAsIfNeverStopped(_ freezing: [String]) throws {
    let (model, data, loss) = try TruncatedBackpropagationTests.load(Golden("golden-streams/features_sgd_resets.h5"))
    let parts = try data.split(validation: 0.3)
    let validation = try #require(parts.validation)
    #expect(parts.training.streamCount + validation.streamCount == data.streamCount)
    let folder = try TemporaryFolder()
    func run(_ name: String, _ stops: [Int]) throws -> ([String: [Float]], Data) {
      var tuner = FineTuner(
        try plan(model, freezing: freezing), optimizer: .adam(learningRate: 0.01), loss: loss,
        options: .init(epochs: 2))
      let limit = Limit()
      tuner.shouldStop = {
        limit.left -= 1
        return limit.left == 0
      }
      var (point, stops) = (nil as ResumePoint?, stops[...])
      var writer = try RunFolder(folder.path(name))
      while true {
        limit.left = stops.popFirst() ?? .max
        let run = try tuner.fit(model, parts.training, validation: validation, resuming: point) {
          try writer.record($0)
        }
        guard run.ending == .interrupted else {
          return (
            allValues(run.last), try Data(contentsOf: URL(fileURLWithPath: folder.path(name) + "/log.jsonl"))
          )
        }
        point = try ResumePoint(run: folder.path(name))
        writer = try RunFolder(resuming: folder.path(name), point?.state)
      }
    }
    let whole = try run("whole", [])
    #expect(whole.1.count > 1000)
    #expect(try run("each", Array(repeating: 1, count: 39)) == whole)
    #expect(try run("some", [7, 1, 20]) == whole)
  }

  @Test func aStateWithoutTheStreamsIsAnError() throws {
    let (model, data, loss) = try TruncatedBackpropagationTests.load(Golden("golden-streams/features_sgd.h5"))
    let folder = try TemporaryFolder()
    var tuner = FineTuner(try plan(model), loss: loss, options: .init(epochs: 1))
    tuner.shouldStop = { true }
    let writer = try RunFolder(folder.path("run"))
    _ = try tuner.fit(model, data) { try writer.record($0) }
    var last = try StoredModel(Checkpoint(path: folder.path("run/last.h5")))
    last.extras.removeAll { $0.name == "training/carried/c_l1" }
    try last.write(path: folder.path("run/last.h5"), as: .native)
    let point = try #require(try ResumePoint(run: folder.path("run")))
    #expect {
      _ = try tuner.fit(model, data, resuming: point)
    } throws: { error in
      "\(error)".contains("training/carried/c_l1")
    }
  }

  // MARK: - Splitting

  @Test func theOnlyStreamIsSplitInTime() throws {
    let values = (0..<20).map { Float($0) }
    var marks = [Bool](repeating: false, count: 20)
    (marks[3], marks[17]) = (true, true)
    let data = try StreamData(
      SequenceData(
        inputs: .features(values, steps: 20, size: 1), targets: .values(values.map { -$0 }, size: 1, perStep: true)),
      chunkSteps: 4, resets: marks)
    let (training, held) = try data.split(validation: 0.25)
    let validation = try #require(held)
    func inputs(_ data: StreamData) -> [Float] {
      if case .features(let values, _, _) = data.sequences.inputs { values } else { [] }
    }
    #expect(inputs(training) == Array(values[..<15]) && inputs(validation) == Array(values[15...]))
    #expect(training.chunks.count == 4 && training.count == 5)
    // 15 16 | 17 18 | 19
    #expect(validation.chunks == [0..<2, 2..<3] && validation.length(0) == 2 && validation.streams(1).from == -1)
    #expect(try data.split(validation: 0).validation == nil)
    #expect(
      message { _ = try data.split(validation: 0.01) }
        == "20 steps cannot be split by validationSplit 0.01")
  }

  @Test func wholeStreamsAreHeldBack() throws {
    let data = try StreamData(StreamDataTests.streams(5, steps: 6), chunkSteps: 4)
    let (training, held) = try data.split(validation: 0.4, order: [4, 2, 0, 1, 3])
    let validation = try #require(held)
    #expect(training.sequences.places == [0, 2, 4] && validation.sequences.places == [1, 3])
    #expect(validation.inputRow(0) == 6 && validation.inputRow(2) == 6 + 4)
  }

  // MARK: - Texts

  /// a = 0, b = 1, ...
  static func text(_ text: String, separator: String? = nil, chunk: Int = 3) throws -> TextData {
    try TextData(
      text, file: "t.txt", vocabulary: Vocabulary(.characters, tokens: "abcdefghijklmnop".map { String($0) }),
      window: chunk, isPerStep: true, separator: separator)
  }

  /// The letters that each stream reads, those that it says (. for none), and where it begins anew.
  static func describe(_ data: StreamData) -> [String] {
    guard case .tokens(let inputs, let steps) = data.sequences.inputs,
      case .classes(let targets, _) = data.sequences.targets
    else { return [] }
    func letters(_ tokens: some Sequence<Int32>) -> String {
      String(tokens.map { $0 < 0 ? "." : Character(Unicode.Scalar(UInt8(97 + $0))) })
    }
    let resets = (0..<data.count).filter { data.streams($0).from < 0 }.map { data.inputRow($0) }
    return (0..<data.streamCount).map { stream in
      let places = stream * steps..<(stream + 1) * steps
      let marks = resets.filter { places.contains($0) }.map { "\($0 - places.lowerBound)" }.joined(separator: ",")
      return letters(inputs[places]) + ">" + letters(targets[places]) + (marks.isEmpty ? "" : " " + marks)
    }
  }

  @Test func aTextIsStreamsSideBySide() throws {
    #expect(Self.describe(try Self.text("abcdefghijk").streams(1)) == ["abcdefghij>bcdefghijk"])
    #expect(Self.describe(try Self.text("abcdefghijk").streams(3)) == ["abc>bcd", "def>efg", "ghi>hij"])
    let streams = try Self.text("abcdefghijk", chunk: 2).streams(2)
    #expect(streams.chunkSteps == 2 && streams.chunks.count == 3 && streams.isText)
    #expect(streams.sequences.classCount == 16)
  }

  /// Of several documents each begins at zero, and none says the first token of the next.
  @Test func documentsBeginAtZeroInStreams() throws {
    let text = try Self.text("abcd\n%\nefg\n%\nhijkl", separator: "%")
    #expect(Self.describe(try text.streams(1)) == ["abcdefghijk>bcd.fg.ijkl 0,4,7"])
    #expect(Self.describe(try text.streams(2)) == ["abcde>bcd.f 0,4", "fghij>g.ijk 2"])
  }

  @Test func textStreamsAreSplitAsTextsAre() throws {
    let (training, validation) = try Self.text("abcdefghijk").splitStreams(2, validation: 0.4)
    #expect(Self.describe(training) == ["abc>bcd", "def>efg"])
    // Four tokens to say in chunks of three: one stream.
    #expect(Self.describe(try #require(validation)) == ["ghij>hijk"])
    let documents = try Self.text("abcd\n%\nefg\n%\nhijkl", separator: "%").splitStreams(1, validation: 0.4)
    #expect(Self.describe(documents.training) == ["abcdef>bcd.fg 0,4"])
    #expect(try Self.describe(#require(documents.validation)) == ["hijk>ijkl 0"])
    #expect(
      message { _ = try Self.text("abcd").streams(4) }
        == "t.txt: 3 tokens to say are too few for 4 streams")
  }

  /// Measured in streams of any chunk, a text is what one long pass over it gives.
  @Test(arguments: [1, 2, 5, 100]) func measuredInChunksIsMeasuredAsAWhole(_ chunk: Int) throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 16, size: 5), layers: [.init(hiddenSize: 6), .init(hiddenSize: 7)], readout: .all,
        head: [.init(size: 16)]), seed: 3)
    let numbers = (0..<60).map { (number: Int) -> UInt8 in UInt8(97 + (number * number + number / 3) % 16) }
    let letters = String(decoding: numbers, as: UTF8.self)
    let evaluator = Evaluator(Network(model), loss: .crossEntropy)
    let whole = try evaluator.evaluate(Self.text(letters, chunk: 60).examples())
    let found = try evaluator.evaluate(Self.text(letters, chunk: chunk).streams(1))
    #expect(abs(found.loss - whole.loss) <= 1e-6 * whole.loss && found.bitsPerToken != nil)
    // Which the pieces without a state are not.
    if chunk < 60 {
      let pieces = try evaluator.evaluate(Self.text(letters, chunk: chunk).examples())
      #expect(abs(pieces.loss - whole.loss) > 1e-5)
    }
  }
}
