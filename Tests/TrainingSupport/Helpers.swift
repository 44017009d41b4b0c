import CAllocations
import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import Testing

/// Numbers in [-1, 1) that are the same on every run.
package func noise(_ count: Int, seed: UInt64) -> [Float] {
  var random = RandomNumbers(seed: seed)
  return (0..<count).map { _ in random.uniform(1) }
}

package func featureModel(
  _ size: Int = 2, layers: [PlainStack.Layer] = [.init(hiddenSize: 5), .init(hiddenSize: 4)],
  readout: PlainStack.Readout? = .last, outputs: Int? = 1, seed: UInt64 = 1
) -> LSTMModel {
  LSTMModel(
    ModelConfiguration(
      input: .features(size: size), layers: layers, readout: readout, head: outputs.map { [.init(size: $0)] } ?? []),
    seed: seed)
}

/// N sequences of noise with one noisy real value each.
package func featureData(_ count: Int, steps: Int = 3, size: Int = 2, outputs: Int = 1, seed: UInt64 = 2) throws
  -> SequenceData
{
  try SequenceData(
    inputs: .features(noise(count * steps * size, seed: seed), steps: steps, size: size),
    targets: .values(noise(count * outputs, seed: seed + 1), size: outputs, perStep: false))
}

package func plan(_ model: LSTMModel, freezing: [String] = [], unfreezing: [String] = []) throws -> FreezePlan {
  try FreezePlan(model, freezing: freezing, unfreezing: unfreezing)
}

package func allValues(_ model: LSTMModel) -> [String: [Float]] {
  Dictionary(
    uniqueKeysWithValues: model.parameters.slots.indices.map { index in
      (model.parameters.slots[index].name, model.parameters.values(index))
    })
}

/// Three epochs in batches of four.
package func makeTuner(
  _ model: LSTMModel, freezing: [String] = [], optimizer: Optimizer = .adam(learningRate: 0.01),
  loss: Loss = .meanSquaredError, _ change: (inout FineTuner.Options) -> Void = { _ in }
) throws -> FineTuner {
  var options = FineTuner.Options()
  options.epochs = 3
  options.batchSize = 4
  change(&options)
  return FineTuner(try plan(model, freezing: freezing), optimizer: optimizer, loss: loss, options: options)
}

/// The line that a person sees for the error that `body` throws; "" and an issue when it throws none.
package func message(_ location: SourceLocation = #_sourceLocation, of body: () throws -> Void) -> String {
  do {
    try body()
    Issue.record("nothing was thrown", sourceLocation: location)
    return ""
  } catch let failure as any DescribedFailure {
    return failure.message.description
  } catch {
    Issue.record("not a described failure: \(error)", sourceLocation: location)
    return ""
  }
}

/// Allocations between one step of a run and the next, from the second epoch on; the last of an epoch, which makes its
/// record, is left out. In the loop itself: a generic that the tests' module calls is not specialized, and allocates, as
/// does everything without optimization.
package func allocationsBetweenSteps(_ fit: (_ events: (FineTuner.Event) throws -> Void) throws -> Void) throws -> [Int]
{
  var (counts, before) = ([Int](), 0)
  counts.reserveCapacity(1000)
  try fit { event in
    guard case .step(let step) = event else { return }
    let now = Int(allocations_of_this_thread())
    if step.epoch > 1, step.number > 1, step.number < step.count { counts.append(now - before) }
    before = Int(allocations_of_this_thread())
  }
  #if DEBUG
    return counts.map { _ in 0 }
  #else
    return counts
  #endif
}
