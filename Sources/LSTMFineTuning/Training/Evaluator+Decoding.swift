import LSTMCheckpoints
import LSTMLayers

/// Decoders that are fed their own output.
extension Evaluator {
  /// What a decoder gives when it reads its own output, step by step: the most likely token, or the values.
  /// - Parameters:
  ///   - data: with the first step of the decoder's input; see `ArrayData.load(_:for:needsTargets:labels:start:)`.
  ///   - steps: to predict, at least 1.
  ///   - end: the token that ends a sequence; what comes after it is `SequenceData.ignored`.
  /// - Returns: for each output of the model in its order: tokens (N, steps) or values (N, steps, size) of the decoder, in
  ///   the data's own units; of others, what they give beside it.
  /// - Throws: `ShapeError` when the data does not fit the model, or the model has no decoder.
  public func decode(_ data: SequenceData, steps: Int, end: Int? = nil) throws(ShapeError) -> [Tensor] {
    let configuration = network.configuration
    let data = try data.hiding(configuration.mask, for: configuration)
    try data.check(configuration)
    guard let decoder = configuration.decoder, steps > 0 else {
      throw ShapeError(
        what: "model", expected: "a decoder that reads its own output for at least one step",
        found: configuration.summary)
    }
    let names = configuration.outputNames
    var outputs = names.map { _ in (shape: [Int](), values: [Float]()) }
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<start + min(batchSize, data.count - start)
      let run = DecoderRun(network, decoder, steps: steps, end: end)
      let batch = try data.batch(examples)
      var others = try data.otherBatches(examples)
      try run.run(batch, others)
      if names.count > 1 {
        others[decoder.input - 1] = try run.fed(upTo: steps)
        _ = try network.forward(batch, others: others, forBackward: false)
      }
      for (index, name) in names.enumerated() {
        let isOwn = index == decoder.output
        let own = isOwn ? run.said : network.outputTensors()[index]
        let part = isOwn && decoder.isOfTokens ? own : inUnits(own, index, name, examples, of: data, network)
        outputs[index].shape = part.shape
        outputs[index].values += part.values
      }
    }
    return outputs.map { Tensor(shape: [data.count] + $0.shape.dropFirst(), values: $0.values) }
  }
}

/// A decoder on its way through a batch.
private final class DecoderRun {
  private let network: Network
  private let decoder: ModelConfiguration.Decoder
  private let steps: Int
  private let end: Int?
  private let size: Int
  private var count = 0
  /// What it read: (N, steps), or (N, steps, size).
  private var tokens: [Int32] = []
  private var values: [Float] = []
  /// What it said: (N, steps), or (N, steps, size).
  private(set) var said = Tensor(zeros: [0])

  init(_ network: Network, _ decoder: ModelConfiguration.Decoder, steps: Int, end: Int?) {
    (self.network, self.decoder, self.steps, self.end) = (network, decoder, steps, end)
    size = network.configuration.outputValues[decoder.output].width
  }

  /// - Parameter others: further inputs, with the first step of the decoder's.
  func run(_ batch: SequenceBatch, _ others: [SequenceBatch]) throws(ShapeError) {
    count = batch.count
    tokens = [Int32](repeating: 0, count: decoder.isOfTokens ? count * steps : 0)
    values = [Float](repeating: 0, count: decoder.isOfTokens ? 0 : count * steps * size)
    said = Tensor(zeros: decoder.isOfTokens ? [count, steps] : [count, steps, size])
    switch others[decoder.input - 1].input {
    case .tokens(let first): for sequence in 0..<count { tokens[sequence * steps] = first[sequence] }
    case .features(let first, _):
      for sequence in 0..<count {
        for column in 0..<size { values[sequence * steps * size + column] = first[sequence * size + column] }
      }
    }
    var hasEnded = [Bool](repeating: false, count: count)
    let canStep = network.canStep(input: decoder.input)
    let whole = network.configuration.inputs[decoder.input].steps
    for step in 0..<steps {
      if !hasEnded.contains(false) {
        for sequence in 0..<count {
          for rest in step..<steps { said.values[sequence * steps + rest] = Float(SequenceData.ignored) }
        }
        return
      }
      if canStep, step > 0 {
        try network.step(input: decoder.input, fed(at: step))
      } else {
        var others = others
        // A model of a fixed number of steps reads all of them; what is not known yet changes nothing before it.
        others[decoder.input - 1] = try canStep ? fed(at: step) : fed(upTo: max(whole ?? step + 1, step + 1))
        _ = try network.forward(batch, others: others, forBackward: false)
      }
      take(network.outputTensors()[decoder.output], row: canStep ? 0 : step, step: step, &hasEnded)
    }
  }

  /// What it reads at one step.
  private func fed(at step: Int) throws(ShapeError) -> SequenceBatch {
    let input: SequenceBatch.Input
    if decoder.isOfTokens {
      input = .tokens((0..<count).map { tokens[$0 * steps + step] })
    } else {
      var rows: [Float] = []
      for sequence in 0..<count {
        let first = (sequence * steps + step) * size
        rows += values[first..<first + size]
      }
      input = .features(rows, size: size)
    }
    return try SequenceBatch(count: count, steps: 1, input: input, lengths: nil)
  }

  /// What it reads at the first steps; zeros where there are more than it has.
  func fed(upTo limit: Int) throws(ShapeError) -> SequenceBatch {
    let known = min(limit, steps)
    let input: SequenceBatch.Input
    if decoder.isOfTokens {
      var rows: [Int32] = []
      for sequence in 0..<count {
        rows += tokens[sequence * steps..<sequence * steps + known]
        rows += [Int32](repeating: 0, count: limit - known)
      }
      input = .tokens(rows)
    } else {
      var rows: [Float] = []
      for sequence in 0..<count {
        rows += values[sequence * steps * size..<(sequence * steps + known) * size]
        rows += [Float](repeating: 0, count: (limit - known) * size)
      }
      input = .features(rows, size: size)
    }
    return try SequenceBatch(count: count, steps: limit, input: input, lengths: nil)
  }

  private func take(_ output: Tensor, row: Int, step: Int, _ hasEnded: inout [Bool]) {
    let rows = output.shape[1]
    for sequence in 0..<count {
      let first = (sequence * rows + row) * size
      guard decoder.isOfTokens else {
        for column in 0..<size {
          let value = output.values[first + column]
          said.values[(sequence * steps + step) * size + column] = value
          if step + 1 < steps { values[(sequence * steps + step + 1) * size + column] = value }
        }
        continue
      }
      var best = 0
      for token in 1..<max(size, 1) where output.values[first + token] > output.values[first + best] { best = token }
      said.values[sequence * steps + step] = Float(hasEnded[sequence] ? Int(SequenceData.ignored) : best)
      if best == end { hasEnded[sequence] = true }
      if step + 1 < steps { tokens[sequence * steps + step + 1] = Int32(best) }
    }
  }
}
