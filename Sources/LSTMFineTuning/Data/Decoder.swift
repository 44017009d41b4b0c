import FileIO
import LSTMCheckpoints
import LSTMLayers

extension ModelConfiguration {
  /// A decoder: an input that reads what an output gave one step before.
  package struct Decoder: Sendable, Equatable {
    /// The place of its input.
    package var input: Int
    /// The place of its output among the model's.
    package var output: Int
    /// Whether it writes tokens.
    package var isOfTokens: Bool
  }

  /// The model's decoder: its only further input of steps whose rows are as wide as those of an output at the same steps,
  /// with nothing between them that looks ahead. nil where there is none, or more than one.
  package var decoder: Decoder? {
    var found: [Decoder] = []
    for (place, input) in inputs.enumerated().dropFirst() where !input.isPerSequence {
      let outputs = outputPlaces.indices.filter { index in
        let value = values[outputPlaces[index]]
        guard value.isPerStep, value.clock == place else { return false }
        return input.vocabulary.map { $0 == value.width } ?? (input.width == value.width)
      }
      guard outputs.count == 1, !looksAhead(from: place) else { continue }
      found.append(Decoder(input: place, output: outputs[0], isOfTokens: input.vocabulary != nil))
    }
    return found.count == 1 ? found[0] : nil
  }

  /// Whether a step of an output may depend on a later step of an input.
  private func looksAhead(from place: Int) -> Bool {
    var depends = [Bool](repeating: false, count: values.count)
    depends[place] = true
    for (index, layer) in layers.enumerated() {
      let place = index + inputs.count
      // A final state is of all steps.
      if layer.kind.references.contains(where: { self.index(of: $0).map { depends[$0 + inputs.count] } ?? false }) {
        return true
      }
      guard sources[index].contains(where: { depends[$0] }) else { continue }
      depends[place] = true
      switch layer.kind {
      case let recurrent as Layer.Recurrent: if recurrent.isBidirectional || recurrent.isReversed { return true }
      case let attention as Layer.DotAttention:
        // Of the decoder with itself, or of something else with the decoder.
        if sources[index].dropFirst().contains(where: { depends[$0] }), !attention.isCausal { return true }
      case let attention as Layer.SelfAttention: if !attention.isCausal { return true }
      case is Layer.Dense, is Layer.Embedding, is Layer.ActivationLayer, is Layer.Dropout, is Layer.LayerNorm,
        is Layer.Merge, is Layer.L2, is Layer.Rescale, is Layer.Slice, is Layer.PReLU:
        break
      case let readout as Layer.Readout: if readout.take != .all { return true }
      default: return true
      }
    }
    return false
  }

  /// What a decoder is fed in training: its targets, one step later.
  /// - Parameters:
  ///   - steps: of the targets.
  ///   - last: what the first input reads, for its last values.
  /// - Throws: `FineTuningError` where what it reads first is not known.
  func shiftedTargets(
    _ decoder: Decoder, _ targets: SequenceData.Targets, steps: Int, start: DecoderStart?, last: ArrayData.Dataset,
    lengths: [Int]?, file: String
  ) throws -> SequenceData.NamedInput {
    let input = inputs[decoder.input]
    func wrong(_ detail: Message) -> FineTuningError {
      .badData(
        file: file, detail: "\(input.name): \(detail)", advice: ["or give its array, \(input.name), in the file"])
    }
    switch (targets, input.vocabulary) {
    case (.classes(let classes, perStep: true), let vocabulary?):
      let first = try token(start, decoder)
      var tokens = [Int32](repeating: 0, count: classes.count)
      for place in classes.indices {
        let before = place % steps == 0 ? Int32(first) : classes[place - 1]
        // After the last word, whatever is read counts nowhere.
        guard before != SequenceData.ignored else { continue }
        guard 0..<vocabulary ~= Int(before) else {
          throw wrong("expected targets from 0 to \(vocabulary - 1), which the decoder reads, found \(before)")
        }
        tokens[place] = before
      }
      var named = SequenceData.NamedInput(input.name, .tokens(tokens, steps: steps))
      named.isShiftedTargets = true
      return named
    case (.values(let values, let size, perStep: true), nil):
      guard size == input.width else { throw wrong("expected targets of \(input.width) values a step, found \(size)") }
      let count = values.count / (steps * size)
      let first = try rows(start, decoder, count: count, last: last, lengths: lengths)
      var shifted = [Float](repeating: 0, count: values.count)
      for example in 0..<count {
        let base = example * steps * size
        for column in 0..<size { shifted[base + column] = first[example * size + column] }
        for place in 0..<(steps - 1) * size { shifted[base + size + place] = values[base + place] }
      }
      var named = SequenceData.NamedInput(input.name, .features(shifted, steps: steps, size: size))
      (named.isShiftedTargets, named.startsAtZero) = (true, start == nil || start == .zero)
      return named
    default:
      throw wrong(
        decoder.isOfTokens
          ? "it is fed its targets, which are to be tokens for each step, found \(targets.words)"
          : "it is fed its targets, which are to be values for each step, found \(targets.words)")
    }
  }

  /// What a decoder reads first to predict, one step.
  /// - Parameters: as above.
  func firstStep(
    _ decoder: Decoder, count: Int, start: DecoderStart?, last: ArrayData.Dataset, lengths: [Int]?
  ) throws -> SequenceData.NamedInput {
    let input = inputs[decoder.input]
    let values: SequenceData.Inputs =
      decoder.isOfTokens
      ? .tokens([Int32](repeating: Int32(try token(start, decoder)), count: count), steps: 1)
      : .features(
        try rows(start, decoder, count: count, last: last, lengths: lengths), steps: 1, size: input.width)
    var named = SequenceData.NamedInput(input.name, values)
    (named.isShiftedTargets, named.isFirstStep) = (true, true)
    named.startsAtZero = !decoder.isOfTokens && (start == nil || start == .zero)
    return named
  }

  /// The token that a decoder reads first.
  /// - Throws: `FineTuningError` when none is known: none is as good as another.
  package func token(_ start: DecoderStart?, _ decoder: Decoder) throws(FineTuningError) -> Int {
    let input = inputs[decoder.input]
    let limit = (input.vocabulary ?? 1) - 1
    guard case .token(let token) = start else {
      if let start {
        throw .invalid(
          .decoderStart, start.words, "the decoder reads tokens",
          advice: ["name the token that begins a sequence, from 0 to \(limit)"])
      }
      throw .invalidOption(
        "\(input.name): the decoder is fed its own output, and its first token is not known",
        advice: ["name the token that begins a sequence with \(.decoderStart), from 0 to \(limit)"])
    }
    guard 0...limit ~= token else {
      throw .invalid(.decoderStart, "\(token)", "expected a token of \(input.name), from 0 to \(limit)", advice: [])
    }
    return token
  }

  /// The rows that a decoder of values reads first, (N, size), in the data's own units.
  func rows(
    _ start: DecoderStart?, _ decoder: Decoder, count: Int, last: ArrayData.Dataset, lengths: [Int]?
  ) throws -> [Float] {
    let size = inputs[decoder.input].width
    switch start {
    case nil, .zero: return [Float](repeating: 0, count: count * size)
    case .value(let value): return [Float](repeating: value, count: count * size)
    // A whole number is a number, too.
    case .token(let number): return [Float](repeating: Float(number), count: count * size)
    case .last:
      let shape = last.shape
      guard shape.count == 3, shape[2] == size else {
        throw FineTuningError.invalid(
          .decoderStart, "last",
          "\(inputs[0].name) has \(inputs[0].width) columns, and which of them the decoder's \(size) are is not known",
          advice: ["choose \(.decoderStart, "zero"), or give the array \(inputs[decoder.input].name)"])
      }
      let values = try last.tensor.floats()
      return (0..<count).flatMap { example in
        let row = (example * shape[1] + (lengths?[example] ?? shape[1]) - 1) * size
        return values[row..<row + size]
      }
    }
  }
}

extension DecoderStart {
  fileprivate var words: String {
    switch self {
    case .token(let token): "\(token)"
    case .zero: "zero"
    case .last: "last"
    case .value(let value): "\(value)"
    }
  }
}

extension DecoderSettings {
  /// As a model keeps them that was trained on some data; nil where its decoder is given what it reads.
  package func settled(_ data: SequenceData, for configuration: ModelConfiguration) -> DecoderSettings? {
    guard let decoder = configuration.decoder, let steps = data.stepsOfShiftedTargets else { return nil }
    guard !decoder.isOfTokens else { return DecoderSettings(start: start, end: end, steps: steps) }
    var start = start ?? .zero
    if case .token(let number) = start { start = .value(Float(number)) }
    return DecoderSettings(start: start, steps: steps)
  }
}

extension Setting {
  /// What a decoder reads first.
  public static let decoderStart = Setting(rawValue: "decoderStart")
}
