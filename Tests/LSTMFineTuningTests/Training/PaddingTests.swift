import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Random models on random batches: what a sequence gives does not depend on its neighbors or on its padding.
@Suite struct PaddingTests {
  struct Case {
    var model: LSTMModel
    var data: SequenceData
    var loss: Loss

    init(seed: UInt64) throws {
      var random = RandomNumbers(seed: seed)
      func any(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
      func coin() -> Bool { Bool.random(using: &random) }
      let isTokens = coin()
      let size = any(1...4)
      let layers = (0..<any(1...3)).map { _ in
        let hidden = any(1...9)
        return PlainStack.Layer(
          hiddenSize: hidden, isBidirectional: coin(), projectionSize: hidden > 1 && coin() ? any(1...hidden - 1) : nil,
          bias: PlainStack.Bias.allCases.randomElement(using: &random) ?? .dual)
      }
      let readout = PlainStack.Readout.allCases.randomElement(using: &random) ?? .all
      let isClasses = coin()
      let outputs = any(2...4)
      model = LSTMModel(
        ModelConfiguration(
          input: isTokens ? .tokens(vocabulary: 7, size: size) : .features(size: size), layers: layers, skip: coin(),
          readout: readout,
          head: coin() ? [.init(size: 3, activation: .tanh), .init(size: outputs)] : [.init(size: outputs)],
          normalizesOutput: !isClasses && coin()),
        seed: seed)
      let (count, steps) = (any(1...9), any(1...8))
      let perStep = readout == .all
      let rows = count * (perStep ? steps : 1)
      data = try SequenceData(
        inputs: isTokens
          ? .tokens((0..<count * steps).map { _ in Int32(any(0...6)) }, steps: steps)
          : .features(noise(count * steps * size, seed: seed), steps: steps, size: size),
        targets: isClasses
          ? .classes((0..<rows).map { _ in Int32(any(0...outputs - 1)) }, perStep: perStep)
          : .values(noise(rows * outputs, seed: seed + 1), size: outputs, perStep: perStep),
        lengths: (0..<count).map { _ in any(1...steps) })
      loss = isClasses ? .crossEntropy : .meanSquaredError
    }

    /// Loss sum, count and the gradient of the loss *sum*, over some examples.
    func gradient(_ examples: [Int]) throws -> (loss: Loss.Value, gradients: [Float]) {
      let network = Network(model)
      let store = ParameterStore(model.configuration.parameters)
      let output = try network.forward(data.batch(examples), output: .logits)
      var value = try loss.evaluate(output, data.targetBatch(examples), lengths: data.lengthBatch(examples))
      for at in value.gradient.values.indices { value.gradient.values[at] *= Float(value.count) }
      try network.backward(value.gradient, into: store, trainable: model.parameters.slots.map { _ in true })
      return (value, store.slots.indices.flatMap(store.values))
    }

    /// One example without its padding.
    func alone(_ example: Int) throws -> Tensor {
      let length = data.lengths?[example] ?? data.steps
      let batch: SequenceBatch
      switch try data.batch([example]).input {
      case .features(let values, let size):
        batch = try SequenceBatch(
          Tensor(shape: [1, length, size], values: Array(values.prefix(length * size))))
      case .tokens(let tokens):
        batch = try SequenceBatch(tokens: Array(tokens.prefix(length)), count: 1, steps: length)
      }
      return try model(batch).output
    }
  }

  @Test(arguments: 0..<40) func aPaddedBatchIsEachSequenceAlone(_ seed: Int) throws {
    let random = try Case(seed: UInt64(seed))
    let all = Array(0..<random.data.count)
    let batch = try Network(random.model).forward(random.data.batch(all))
    let width = batch.values.count / batch.shape[0]
    for example in all {
      let alone = try random.alone(example)
      let row = Array(batch.values[example * width..<(example + 1) * width])
      #expect(largestDifference(Array(row.prefix(alone.values.count)), alone.values) <= 1e-6, "example \(example)")
      #expect(row.dropFirst(alone.values.count).allSatisfy { $0 == 0 }, "padding of example \(example)")
    }
    // Losses and gradients add up.
    let (value, gradients) = try random.gradient(all)
    var (sum, count, total) = (0.0, 0, [Float](repeating: 0, count: gradients.count))
    for example in all {
      let (one, part) = try random.gradient([example])
      sum += one.sum
      count += one.count
      for at in total.indices { total[at] += part[at] }
    }
    #expect(value.count == count && abs(value.sum - sum) <= 1e-5 * max(1, abs(sum)))
    #expect(relativeDifference(gradients, total) <= 1e-5)
  }

  @Test(arguments: 0..<40) func aPermutedBatchGivesPermutedResults(_ seed: Int) throws {
    let random = try Case(seed: UInt64(1000 + seed))
    var generator = RandomNumbers(seed: UInt64(seed))
    let all = Array(0..<random.data.count)
    let order = all.shuffled(using: &generator)
    let network = Network(random.model)
    let plain = try network.forward(random.data.batch(all))
    let permuted = try network.forward(random.data.batch(order))
    let width = plain.values.count / plain.shape[0]
    for (place, example) in order.enumerated() {
      let found = Array(permuted.values[place * width..<(place + 1) * width])
      let expected = Array(plain.values[example * width..<(example + 1) * width])
      #expect(largestDifference(found, expected) <= 1e-6, "example \(example)")
    }
    let (a, b) = (try random.gradient(all), try random.gradient(order))
    #expect(a.loss.count == b.loss.count && abs(a.loss.sum - b.loss.sum) <= 1e-5 * max(1, abs(a.loss.sum)))
    #expect(relativeDifference(a.gradients, b.gradients) <= 1e-5)
  }

  @Test(arguments: 0..<20) func whatPaddingHoldsDoesNotMatter(_ seed: Int) throws {
    let random = try Case(seed: UInt64(2000 + seed))
    guard case .features(var values, let steps, let size) = random.data.inputs else { return }
    for example in 0..<random.data.count {
      for at in (example * steps + (random.data.lengths?[example] ?? steps)) * size..<(example + 1) * steps * size {
        values[at] = .nan
      }
    }
    let poisoned = try SequenceData(
      inputs: .features(values, steps: steps, size: size), targets: random.data.targets, lengths: random.data.lengths)
    let network = Network(random.model)
    let all = Array(0..<random.data.count)
    #expect(try network.forward(poisoned.batch(all)) == network.forward(random.data.batch(all)))
    #expect(poisoned.fitInputScaler() == random.data.fitInputScaler())
  }
}
