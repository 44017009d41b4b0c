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
///     inference   4 (3W + R (I_0 + sum of 5H + S) + what comes out)
///     training    4 (9W + R (2 I_0 + sum of 5H + S and of the I above the first layer) + what comes out, thrice)
///
/// Inference keeps the weights, the model they came from and a packed copy; of every step the input, the four gates, the
/// cell and h. Training adds a second packed copy, gradients, Adam's two moments and the best and last model; of every
/// step dL/dx of each layer, and where the readout is not all steps their gradient, R times its width. The caller's
/// data, 4 N T I, is not in it.
extension BenchCase {
  func bytes(_ figure: Figure, stepCount: Int) throws -> Int {
    let isTraining = figure.kind == .training
    let rows = figure.kind == .step ? 1 : stepCount
    var perRow = model.input.size
    for (index, layer) in model.layers.enumerated() {
      perRow += layer.directions * (5 * layer.hiddenSize + layer.stateSize)
      if isTraining { perRow += model.inputSize(ofLayer: index) }
    }
    if isTraining && model.readout != .all { perRow += model.readoutSize }
    let outputs = (model.readout == .all ? rows : batch) * model.outputSize
    return 4 * (model.parameterCount * (isTraining ? 9 : 3) + rows * perRow + outputs * (isTraining ? 3 : 1))
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
