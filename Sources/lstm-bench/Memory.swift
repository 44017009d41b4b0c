import LSTMCheckpoints
import LSTMFineTuning

extension BenchCase {
  /// Bytes that a network needs for a figure: weights, and what it keeps of a batch.
  func bytes(_ figure: Figure, stepCount: Int) throws -> Int { 4 * model.parameterCount }
}
