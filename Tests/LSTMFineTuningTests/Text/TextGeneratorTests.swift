import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct TextGeneratorTests {
  static func vocabulary() throws -> Vocabulary {
    try Vocabulary(.characters, tokens: [nil] + "abcdefgh \n".map { String($0) } + ["<s>"], padding: 0)
  }

  static func model(
    _ readout: PlainStack.Readout, activation: PlainStack.Activation = .softmax, hidden: Int = 12,
    seed: UInt64 = 5
  ) throws -> LSTMModel {
    var model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 12, size: 6), layers: [.init(hiddenSize: hidden), .init(hiddenSize: 7)], skip: true,
        readout: readout, head: [.init(size: 12, activation: activation)]), seed: seed)
    // Sharp enough for the text to depend on what came before.
    if var weight = model["head.0.weight"] {
      for index in weight.values.indices { weight.values[index] *= 6 }
      try model.set("head.0.weight", to: weight)
    }
    return model
  }

  static let readouts: [PlainStack.Readout] = [.all, .attention, .last, .mean]

  /// Every next token, from the whole model on the whole text, without state or sampler.
  @Test(arguments: readouts, [PlainStack.Activation.softmax, .none])
  func temperatureZeroIsTheModelsOwnArgmax(
    _ readout: PlainStack.Readout, _ activation: PlainStack.Activation
  ) throws {
    let (model, vocabulary, window) = (try Self.model(readout, activation: activation), try Self.vocabulary(), 9)
    var tokens: [Int32] = [11] + vocabulary.encode("abba").tokens
    var expected = ""
    while expected.unicodeScalars.count < 30 {
      var seen = tokens
      if readout != .all {
        seen = [Int32](repeating: 0, count: max(window - tokens.count, 0)) + tokens.suffix(window)
      }
      let y = try model(SequenceBatch(tokens: seen, count: 1, steps: seen.count)).output.values.suffix(12)
      let last = Array(y)
      let best = (1..<12).max { last[$0] < last[$1] } ?? 0
      if best == 11 { break }
      tokens.append(Int32(best))
      expected += vocabulary.tokens[best] ?? ""
    }
    let generator = try TextGenerator(model, vocabulary: vocabulary, window: window)
    var shown = ""
    let made = try generator.generate(after: "abba", .init(length: 30, temperature: 0)) { shown += $0 }
    #expect(made.text == expected && shown == expected)
    #expect(made.tokens == expected.unicodeScalars.count)
    #expect(made.ending == (made.tokens == 30 ? .length : .end))
  }

  @Test(arguments: readouts) func aSeedMakesTheSameTextOnAnyThreads(_ readout: PlainStack.Readout) throws {
    let model = try Self.model(readout, hidden: 96)
    let vocabulary = try Self.vocabulary()
    func text(_ threads: Int, seed: UInt64) throws -> String {
      var kernels = Kernels.best
      kernels.threads = threads
      let generator = try TextGenerator(model, vocabulary: vocabulary, window: 8, kernels: kernels)
      return try generator.generate(after: "ab", .init(length: 40, seed: seed)).text
    }
    let first = try text(1, seed: 3)
    #expect(!first.isEmpty)
    for threads in [1, 2, 3, 8] { #expect(try text(threads, seed: 3) == first) }
    #expect(try (4...8).contains { try text(1, seed: $0) != first })
  }

  @Test func whatIsNoTextIsNeverDrawn() throws {
    let model = try Self.model(.all)
    let generator = try TextGenerator(model, vocabulary: Self.vocabulary())
    for seed in 0..<20 as Range<UInt64> {
      let made = try generator.generate(after: "", .init(length: 50, temperature: 5, seed: seed))
      #expect(made.text.unicodeScalars.count == made.tokens)
      #expect(made.ending == (made.tokens < 50 ? .end : .length))
    }
  }

  @Test func stopTextsEndIt() throws {
    let generator = try TextGenerator(Self.model(.all), vocabulary: Self.vocabulary())
    var seed: UInt64 = 0
    var whole = ""
    while whole.count < 20 {
      seed += 1
      whole = try generator.generate(after: "a", .init(length: 60, temperature: 1.5, seed: seed)).text
    }
    // Two characters, so that the stop text lies across tokens.
    let stop = String(whole.dropFirst(9).prefix(2))
    let cut = try #require(whole.range(of: stop)).lowerBound
    let made = try generator.generate(
      after: "a", .init(length: 60, temperature: 1.5, seed: seed, stops: ["never", stop]))
    #expect(made.ending == .stop && made.text == whole[..<cut])
    // The prompt is not looked at.
    #expect(try generator.generate(after: "ab", .init(length: 1, temperature: 0, stops: ["ab"])).tokens <= 1)
  }

  @Test func lengthZeroMakesNothing() throws {
    let made = try TextGenerator(Self.model(.all), vocabulary: Self.vocabulary()).generate(
      after: "a", .init(length: 0))
    #expect(made == .init(text: "", tokens: 0, ending: .length))
  }

  @Test func wordsHaveBlanksBetween() throws {
    let words = try Vocabulary(.words, tokens: ["the", "cat", "sat", "\n"])
    var model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 4, size: 4), layers: [.init(hiddenSize: 4)], skip: true, readout: .all,
        head: [.init(size: 4)]))
    // Each word names the next.
    try model.set(
      "embedding.weight", to: Tensor(shape: [4, 4], values: (0..<16).map { $0 % 5 == 0 ? 1 : 0 }))
    let next = [1, 2, 3, 0]
    try model.set(
      "head.0.weight",
      to: Tensor(shape: [4, 8], values: (0..<32).map { $0 % 8 < 4 && next[$0 % 8] == $0 / 8 ? 50 : 0 }))
    let made = try TextGenerator(model, vocabulary: words).generate(after: "the", .init(length: 6, temperature: 0))
    #expect(made.text == " cat sat\nthe cat sat")
  }

  @Test func mistakes() throws {
    let vocabulary = try Self.vocabulary()
    func said(_ model: LSTMModel, _ vocabulary: Vocabulary) -> String {
      message { _ = try TextGenerator(model, vocabulary: vocabulary) }
    }
    #expect(said(featureModel(), vocabulary) == "the model reads features: it has no tokens to go on with")
    #expect(
      said(try Self.model(.last), vocabulary) == "no window given, and the model does not know it")
    #expect(
      said(try Self.model(.all, activation: .tanh), vocabulary) == "the model's outputs are no probabilities of tokens")
    #expect(
      said(try Self.model(.all), try vocabulary.extended(by: ["z"]))
        == "the model reads 12 tokens and gives 12 outputs, the vocabulary has 13")
    let plain = try Vocabulary(.characters, tokens: [nil, "a", "b"])
    #expect(
      message { _ = try TextGenerator(Self.model(.all), vocabulary: plain).generate(after: "?") }
        == "nothing to begin with: the vocabulary has no start token, and the prompt no token that it knows")
    var broken = try Self.model(.all)
    try broken.set("head.0.bias", to: Tensor(shape: [12], values: [Float](repeating: .nan, count: 12)))
    #expect(
      message { _ = try TextGenerator(broken, vocabulary: vocabulary).generate(after: "a") }
        == "the model: its outputs are no finite numbers after 0 tokens")
  }
}
