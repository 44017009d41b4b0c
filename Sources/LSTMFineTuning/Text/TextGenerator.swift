import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Generates text with a language model.
///
///     let generator = try TextGenerator(model, vocabulary: vocabulary, window: 40)
///     let text = try generator.generate(after: "Once upon", .init(length: 200, seed: 1)) { print($0, terminator: "") }
///
/// A model that gives an output for each step carries its state from token to token, so that nothing is computed twice.
/// One that gives a single output sees the last `window` tokens each time, as `TextData` shows them in training. What is
/// drawn depends on the model, the prompt and the options alone, not on threads.
public final class TextGenerator {
  /// How a text goes on.
  public struct Options: Sendable, Equatable, Codable {
    /// Tokens to make at most.
    public var length: Int
    /// As of `TokenSampler`.
    public var temperature: Double
    /// As of `TokenSampler`.
    public var topK: Int?
    /// As of `TokenSampler`.
    public var topP: Double?
    /// Of the tokens that are drawn.
    public var seed: UInt64
    /// Texts before which to end; they are not looked for in the prompt.
    public var stops: [String]

    /// 200 tokens at temperature 1 unless given.
    public init(
      length: Int = 200, temperature: Double = 1, topK: Int? = nil, topP: Double? = nil, seed: UInt64 = 0,
      stops: [String] = []
    ) {
      self.length = length
      self.temperature = temperature
      self.topK = topK
      self.topP = topP
      self.seed = seed
      self.stops = stops
    }
  }

  /// Why a text ended.
  public enum Ending: String, Sendable, Codable {
    /// As long as was asked for.
    case length
    /// A stop text came, which is left out.
    case stop
    /// The model ended the text.
    case end
  }

  /// A generated text.
  public struct Generation: Sendable, Codable, Equatable {
    /// What the model made, without the prompt.
    public var text: String
    /// Tokens made.
    public var tokens: Int
    /// Why it ended.
    public var ending: Ending
  }

  /// Which number stands for which token.
  public let vocabulary: Vocabulary
  private let engine: Engine
  /// Tokens that are no text: they are never drawn.
  private let isDrawn: [Bool]

  private enum Engine {
    /// - isActivated: whether the outputs are probabilities already.
    /// - hidden: a token that the model passes over.
    case stream(LSTMStream, isActivated: Bool, hidden: Int?)
    case window(Network, steps: Int)
  }

  /// - Parameters:
  ///   - window: tokens that a model of one output looks at; others need none.
  /// - Throws: `FineTuningError` when the model is no language model of this vocabulary, or needs a window.
  public init(
    _ model: LSTMModel, vocabulary: Vocabulary, window: Int? = nil, kernels: Kernels = .best
  ) throws {
    let configuration = model.configuration
    guard case .tokens(let count) = configuration.input else {
      throw FineTuningError.invalidOption("the model reads features: it has no tokens to go on with", advice: [])
    }
    guard vocabulary.count <= count, configuration.outputSize >= vocabulary.count else {
      throw FineTuningError.invalidOption(
        "the model reads \(count) tokens and gives \(configuration.outputSize) outputs, the vocabulary has \(vocabulary.count)",
        advice: ["a language model gives an output for each token"])
    }
    let activation = configuration.finalDense?.activation ?? .none
    guard activation == .none || activation == .softmax, !configuration.normalizesOutput else {
      throw FineTuningError.invalidOption("the model's outputs are no probabilities of tokens", advice: [])
    }
    self.vocabulary = vocabulary
    isDrawn = (0..<configuration.outputSize).map { number in
      guard number < vocabulary.count, vocabulary.tokens[number] != nil else { return false }
      return number == vocabulary.end || ![vocabulary.padding, vocabulary.unknown, vocabulary.start].contains(number)
    }
    if configuration.readout == .all || configuration.readout == nil {
      engine = .stream(
        try LSTMStream(model, kernels: kernels, threads: kernels.threads), isActivated: activation == .softmax,
        hidden: configuration.mask.flatMap { if case .token(let token) = $0 { token } else { nil } })
    } else {
      guard let window else {
        throw FineTuningError.invalidOption(
          "no \(.window) given, and the model does not know it", advice: ["say how many tokens it should look at"])
      }
      guard 1...(1 << 16) ~= window else {
        throw FineTuningError.invalid(.window, "\(window)", "expected a number from 1 to \(1 << 16)", advice: [])
      }
      engine = .window(Network(model, kernels: kernels), steps: window)
    }
  }

  /// Goes on with a prompt.
  /// - Parameter show: gets the text as it is made, in pieces; false ends it.
  /// - Throws: `FineTuningError` when there is nothing to begin with, an option makes no sense, or the model's outputs
  ///   are no numbers; whatever `show` throws.
  public func generate(
    after prompt: String, _ options: Options = Options(), show: (String) throws -> Void = { _ in }
  ) throws -> Generation {
    guard options.length >= 0 else {
      throw FineTuningError.invalid(.length, "\(options.length)", "expected at least 0", advice: [])
    }
    var sampler = try TokenSampler(
      temperature: options.temperature, topK: options.topK, topP: options.topP, seed: options.seed)
    var scanner = StopScanner(options.stops)
    var tokens = vocabulary.start.map { [Int32($0)] } ?? []
    tokens += vocabulary.encode(prompt).tokens
    guard let last = tokens.last else {
      throw FineTuningError.invalidOption(
        "nothing to begin with: the vocabulary has no start token, and the prompt no token that it knows",
        advice: ["give a \(.prompt)"])
    }
    var generation = Generation(text: "", tokens: 0, ending: .length)
    func add(_ text: String) throws {
      guard !text.isEmpty else { return }
      generation.text += text
      try show(text)
    }
    var previous = Int(last)
    var scores = [Double](repeating: 0, count: isDrawn.count)
    try withNext(tokens) { next in
      while generation.tokens < options.length {
        try next(generation.tokens == 0 ? nil : previous, &scores)
        for index in scores.indices where !isDrawn[index] { scores[index] = -.infinity }
        guard let token = sampler.draw(&scores) else {
          throw FineTuningError.badData(
            file: "the model", detail: "its outputs are no finite numbers after \(generation.tokens) tokens", advice: []
          )
        }
        if token == vocabulary.end {
          generation.ending = .end
          return
        }
        generation.tokens += 1
        let (shown, stop) = scanner.add(vocabulary.text(of: token, after: previous))
        try add(shown)
        if stop != nil {
          generation.ending = .stop
          return
        }
        previous = token
      }
    }
    try add(scanner.finish())
    return generation
  }

  /// Lends what takes a new token and gives the scores of the one after it; the first time without a token, after the
  /// given ones.
  private func withNext(
    _ tokens: [Int32], _ body: ((_ token: Int?, _ scores: inout [Double]) throws -> Void) throws -> Void
  ) throws {
    switch engine {
    case .stream(let stream, let isActivated, let hidden):
      var state = stream.makeState()
      var output = [Float](repeating: 0, count: stream.outputSize)
      for token in tokens where Int(token) != hidden { stream.step(token: Int(token), &state, into: &output) }
      try body { token, scores in
        if let token, token != hidden { stream.step(token: token, &state, into: &output) }
        for index in scores.indices {
          let value = Double(output[index])
          scores[index] = isActivated ? log(value) : value
        }
      }
    case .window(let network, let steps):
      var window = Array(tokens.suffix(steps))
      try body { token, scores in
        if let token {
          if window.count == steps { window.removeFirst() }
          window.append(Int32(token))
        }
        let filling = vocabulary.padding.map { [Int32](repeating: Int32($0), count: steps - window.count) } ?? []
        let batch = try SequenceBatch(tokens: filling + window, count: 1, steps: filling.count + window.count)
          .hiding(network.configuration.mask)
        let output = try network.forward(batch, output: .logits, forBackward: false)
        for index in scores.indices { scores[index] = Double(output.values[index]) }
      }
    }
  }
}
