import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct TextDataTests {
  /// "a" is 1, "b" is 2, ...; 0 is padding.
  static func letters(padding: Int? = 0, start: Bool = false) throws -> Vocabulary {
    try Vocabulary(
      .characters, tokens: [nil] + "abcdefghij".map { String($0) } + (start ? ["<s>"] : []), padding: padding)
  }

  static func text(
    _ text: String, _ vocabulary: Vocabulary, window: Int, stride: Int? = nil, perStep: Bool, separator: String? = nil
  ) throws -> TextData {
    try TextData(
      text, file: "t.txt", vocabulary: vocabulary, window: window, stride: stride, isPerStep: perStep,
      separator: separator)
  }

  /// Each sequence's valid tokens and targets.
  static func rows(_ data: SequenceData) throws -> [(x: [Int32], y: [Int32])] {
    try (0..<data.count).map { example in
      guard case .tokens(let x) = try data.batch([example]).input else { return ([], []) }
      let length = data.lengths?[data.places[example]] ?? data.steps
      guard case .classes(let y, let perStep) = data.targetBatch([example]) else {
        return (Array(x.prefix(length)), [])
      }
      if perStep { #expect(y[length...].allSatisfy { $0 == SequenceData.ignored }) }
      return (Array(x.prefix(length)), Array(y.prefix(perStep ? length : 1)))
    }
  }

  @Test func windowsSayWhatStandsBehindThem() throws {
    let data = try Self.text("abcde", Self.letters(), window: 3, perStep: false).examples()
    let rows = try Self.rows(data)
    // textgenrnn: keras.preprocessing.sequence.pad_sequences of what is before, maxlen 3.
    #expect(rows.map(\.x) == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4]])
    #expect(rows.map(\.y) == [[2], [3], [4], [5]])
    #expect(data.lengths == nil && data.isText && data.classCount == 11)
  }

  @Test func withoutAPaddingNumberFirstWindowsAreShorter() throws {
    let data = try Self.text("abcde", Self.letters(padding: nil), window: 3, perStep: false).examples()
    #expect(data.lengths == [1, 2, 3, 3])
    #expect(try Self.rows(data).map(\.x) == [[1], [1, 2], [1, 2, 3], [2, 3, 4]])
  }

  @Test func everyStepSaysTheNext() throws {
    let data = try Self.text("abcdefgh", Self.letters(), window: 3, perStep: true).examples()
    let rows = try Self.rows(data)
    #expect(rows.map(\.x) == [[1, 2, 3], [4, 5, 6], [7]])
    #expect(rows.map(\.y) == [[2, 3, 4], [5, 6, 7], [8]])
    #expect(data.lengths == [3, 3, 1])
  }

  @Test(arguments: 1...9, 1...12) func everyTokenButTheFirstIsSaidOnce(_ window: Int, _ stride: Int) throws {
    let text = try Self.text("abcdefghij", Self.letters(), window: window, stride: stride, perStep: true)
    let rows = try Self.rows(text.examples())
    var said: [Int32] = []
    for (x, y) in rows {
      for (step, label) in y.enumerated() where label != SequenceData.ignored {
        #expect(label == x[step] + 1)
        // Later pieces have as much of the text before them as the stride leaves.
        if stride < window, x[0] > 1 { #expect(step >= window - stride) }
        said.append(label)
      }
    }
    #expect(said == said.sorted())
    if stride <= window { #expect(said == Array(2...10)) } else { #expect(Set(said).count == said.count) }
    let windows = try Self.text("abcdefghij", Self.letters(), window: window, stride: stride, perStep: false)
    let expected = Swift.stride(from: 2, through: 10, by: stride).map { Int32($0) }
    #expect(try Self.rows(windows.examples()).flatMap(\.y) == expected)
  }

  @Test(arguments: [true, false]) func documentsStayApart(_ perStep: Bool) throws {
    let vocabulary = try Self.letters(start: true)
    let text = try Self.text("ab\nc\n%\nd\n%\n%\nef\n%\n", vocabulary, window: 4, perStep: perStep, separator: "%")
    #expect(text.documentCount == 3 && text.count == 7 && text.unknownCount == 1)
    let rows = try Self.rows(text.examples())
    if perStep {
      // The line's end is no token here: as a target it does not count.
      #expect(rows.map(\.x) == [[11, 1, 2, 0], [3], [11, 4], [11, 5, 6]])
      #expect(rows.map(\.y) == [[1, 2, -100, 3], [11], [4, 11], [5, 6, 11]])
    } else {
      #expect(rows.count == text.targetCount && text.targetCount == 10)
      #expect(rows[5].x == [0, 0, 0, 11] && rows[5].y == [4])
      #expect(rows[2].y == [SequenceData.ignored])
    }
  }

  @Test func aFilesEndIsNoDocuments() throws {
    let rows = try Self.rows(Self.text("ab", Self.letters(start: true), window: 4, perStep: true).examples())
    #expect(rows.map(\.x) == [[11, 1]] && rows.map(\.y) == [[1, 2]])
  }

  @Test func whatAModelReadsToSayWhatComesNext() throws {
    let vocabulary = try Self.letters(start: true)
    func read(_ perStep: Bool) throws -> [[Int32]] {
      try Self.rows(
        Self.text("abcd\n%\ne", vocabulary, window: 3, perStep: perStep, separator: "%").endings()
      ).map(\.x)
    }
    #expect(try read(false) == [[2, 3, 4], [0, 11, 5]])
    #expect(try read(true) == [[2, 3, 4], [11, 5]])
  }

  // MARK: - Split

  @Test(arguments: [true, false]) func theLastPartValidates(_ perStep: Bool) throws {
    let text = try Self.text("abcdefghij", Self.letters(), window: 3, perStep: perStep)
    let (training, validation) = try text.split(validation: 0.4)
    let said = try Self.rows(#require(validation))
    #expect(try Self.rows(training).flatMap(\.y) == [2, 3, 4, 5, 6])
    #expect(said.flatMap(\.y) == [7, 8, 9, 10])
    if !perStep { #expect(said[0].x == [4, 5, 6]) }
    #expect(try text.split(validation: 0).validation == nil)
    #expect(
      message { _ = try text.split(validation: 1) } == "validationSplit 1.0: expected a number from 0 to below 1")
  }

  @Test(arguments: [0.01, 0.3, 0.5, 0.7]) func documentsAreNotSplit(_ fraction: Double) throws {
    let text = try Self.text("abc\n%\nde\n%\nfgh", Self.letters(), window: 5, perStep: true, separator: "%")
    let (training, validation) = try text.split(validation: fraction)
    let counts = try [training.count, #require(validation).count]
    #expect(counts == (fraction < 0.5 ? [2, 1] : [1, 2]))
  }

  @Test func mistakes() throws {
    let vocabulary = try Self.letters()
    func said(_ text: String = "abc", window: Int = 3, stride: Int? = nil) -> String {
      message { _ = try Self.text(text, vocabulary, window: window, stride: stride, perStep: true) }
    }
    #expect(said("a") == "t.txt: no text of two tokens or more, one to read and one to say")
    #expect(said(window: 0) == "window 0: expected at least 1")
    #expect(said(stride: 0) == "stride 0: expected at least 1")
    #expect(said(window: .max) == "window 9223372036854775807: expected at most 65536")
    #expect(said(stride: .max) == "stride 9223372036854775807: expected at most 4294967296")
    #expect(
      said(String(repeating: "ab", count: 20_000), window: 65_536, stride: 1)
        == "t.txt: 39999 sequences of 65536 tokens are too many")
    let two = try Self.text("ab", vocabulary, window: 3, perStep: true)
    #expect(
      message { _ = try two.split(validation: 0.5) } == "t.txt: 1 token cannot be split by validationSplit 0.5")
  }

  @Test func filesOfAnyLineEnd() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("t.txt")
    try [UInt8]("\u{feff}a\r\nb\rc\n".utf8).withUnsafeBytes { try Data($0).write(to: url) }
    #expect(try TextData.text(contentsOf: url.path) == "a\nb\nc\n")
    try Data([0x61, 0xff]).write(to: url)
    #expect(message { _ = try TextData.text(contentsOf: url.path) } == "\(url.path): line 1: is not UTF-8 text")
    #expect(
      message { _ = try TextData.text(contentsOf: folder.url.path) }
        == "\(folder.url.path): is a directory, expected a text file")
  }

  // MARK: - Measuring

  /// A model of the next token that knows how often each comes: bits per token are the cross-entropy with that.
  @Test(arguments: [PlainStack.Readout.all, .last]) func bitsAndPerplexity(
    _ readout: PlainStack.Readout
  ) throws {
    var model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 11, size: 2), layers: [.init(hiddenSize: 2)], readout: readout,
        head: [.init(size: 11, activation: .softmax)]))
    try model.set("head.0.weight", to: Tensor(zeros: [11, 2]))
    // "b" has 1/2, "c" 1/4, the other nine 1/36 each.
    let probabilities = (0..<11).map { $0 == 2 ? 0.5 : $0 == 3 ? 0.25 : 0.25 / 9 }
    try model.set("head.0.bias", to: Tensor(shape: [11], values: probabilities.map { Float(log($0)) }))
    // The unknown x does not count.
    let text = try Self.text("abbxc", Self.letters(), window: 3, perStep: readout == .all)
    let data = try text.examples()
    let fit = try TaskFit(model, data, file: "t.txt", mayChangeModel: false)
    #expect(fit.loss == .crossEntropy)
    let metrics = try Evaluator(Network(fit.model), loss: fit.loss, batchSize: 2).evaluate(data)
    let bits = (1 + 1 + 2) / 3.0
    #expect(EvaluationTests.close(metrics.bitsPerToken, bits))
    #expect(EvaluationTests.close(metrics.perplexity, pow(2, bits)))
    #expect(EvaluationTests.close(metrics.accuracy, 2 / 3.0) && metrics.macroF1 == nil)
  }

  @Test func aBareModelGetsAnOutputForEachTokenOfTheVocabulary() throws {
    let model = LSTMModel(
      ModelConfiguration(input: .tokens(vocabulary: 11, size: 2), layers: [.init(hiddenSize: 4)]))
    let data = try Self.text("abab", Self.letters(), window: 2, perStep: true).examples()
    let fit = try TaskFit(model, data, file: "t.txt")
    #expect(fit.model.configuration.outputSize == 11 && fit.model.configuration.readout == .all)
    #expect(
      message { _ = try TaskFit(model, data, file: "t.txt", head: .new(size: 5)) }
        == "t.txt: the model has 5 outputs, the vocabulary 11 tokens")
  }

  @Test func fineTuningLearnsTheText() throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 11, size: 8), layers: [.init(hiddenSize: 16)], readout: .all, head: [.init(size: 11)]
      ),
      seed: 1)
    let text = try Self.text(String(repeating: "abcabd", count: 60), Self.letters(), window: 12, perStep: true)
    let (training, validation) = try text.split(validation: 0.2)
    var tuner = FineTuner(try FreezePlan(model), optimizer: .adam(learningRate: 0.03), loss: .crossEntropy)
    tuner.options = .init(epochs: 20, batchSize: 4)
    let run = try tuner.fit(model, training, validation: validation)
    let before = try #require(run.baseline.bitsPerToken)
    let after = try #require(run.epochs[run.bestEpoch - 1].validation?.bitsPerToken)
    #expect(before > 3 && after < 0.2, "\(before) -> \(after)")
  }
}
