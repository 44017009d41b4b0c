import Foundation
import LSTMCheckpoints

/// The memory of a figure by the formula in docs/speed.md, which `lstm-bench --scaling` checks.
///
/// With W parameters, R valid steps in a batch (B x T), and for every layer and direction I, H and S (the width of h):
///
///     inference   4 (3W + R (I_0 + sum of S) + sum of 4H max(B, 96) + outputs)
///     training    4 (9W + R (I_0 + sum of 5H + S and of the I above the first layer)
///                    + 256 sum of (4H + I + S) + 3 outputs)
///
/// Inference keeps the weights, the model that they came from and a packed copy, the input and h of every step, and the
/// gates of some steps. Training adds a second packed copy, gradients, Adam's two moments and the best and the last model;
/// for every step the gates, the cell and dL/dx of each layer and, unless the readout is all steps, the readout's input
/// gradient, R times its width; and about 256 packed rows for the weights' gradients. The caller's data, 4 N T I, is not
/// included.
extension BenchCase {
  func bytes(_ figure: Figure, stepCount: Int) throws -> Int {
    let isTraining = figure.kind == .training
    let rows = figure.kind == .step ? 1 : stepCount
    var perRow = model.input.size
    var fixed = 0
    for (index, layer) in model.layers.enumerated() {
      let input = model.inputSize(ofLayer: index)
      perRow += layer.directions * layer.stateSize
      if isTraining {
        perRow += layer.directions * 5 * layer.hiddenSize + (index > 0 ? input : 0)
        fixed += layer.directions * min(rows, 256) * (4 * layer.hiddenSize + input + layer.stateSize)
      } else {
        fixed += layer.directions * 4 * layer.hiddenSize * (figure.kind == .step ? 1 : max(batch, 96))
      }
    }
    if isTraining && model.readout != .all { perRow += model.readoutSize }
    let outputs = (model.readout == .all ? rows : batch) * model.outputSize
    return 4
      * (configuration.parameterCount * (isTraining ? 9 : 3) + rows * perRow + fixed + outputs * (isTraining ? 3 : 1))
  }
}

/// The peak memory of this process, in bytes.
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
