import LSTMCheckpoints
import LSTMFineTuning

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The memory that work takes, as a formula; `lstm-bench --scaling` checks it.
///
/// With W parameters, R valid steps in a batch (B x T), and for every layer and direction I, H and S (the width of h):
///
///     inference   4 (3W + R (I_0 + 5H + S, over layers and directions) + what goes in and comes out)
///     training    4 (9W + the same + R (2S + max(I, S) + I, over layers and directions))
///
/// Inference keeps the weights, the model they came from and a packed copy; of every step the four gates, the cell and h.
/// Training adds a second packed copy, gradients, Adam's two moments and the best and last model; of every step
/// dL/dh, the previous h, a packed operand and dL/dx. The data itself is 4 N T I more.
extension BenchCase {
  func bytes(_ figure: Figure, stepCount rows: Int) throws -> Int {
    let isTraining = figure.kind == .training
    let rows = figure.kind == .step ? 1 : rows
    var perRow = model.input.size
    for (index, layer) in model.layers.enumerated() {
      let (i, h, s) = (model.inputSize(ofLayer: index), layer.hiddenSize, layer.stateSize)
      perRow += layer.directions * (5 * h + s + (isTraining ? 2 * s + max(i, s) : 0)) + (isTraining ? i : 0)
    }
    let outputs = model.readout == .all ? rows : batch
    let given = rows * model.input.size + 2 * outputs * model.outputSize * (isTraining ? 2 : 1)
    return 4 * (model.parameterCount * (isTraining ? 9 : 3) + rows * perRow + given)
  }
}

/// The most memory that this process has had, in bytes.
func peakMemory() -> Int {
  var usage = rusage()
  #if canImport(Darwin)
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
  #elseif canImport(Glibc)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss * 1024
  #endif
}
