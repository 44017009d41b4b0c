import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

struct C { let name: String; let I: Int; let H: Int; let L: Int; let B: Int; let T: Int }
let cases = [
  C(name: "seed", I: 100, H: 1, L: 1, B: 100, T: 1), C(name: "series", I: 8, H: 64, L: 1, B: 32, T: 48),
  C(name: "series2", I: 32, H: 128, L: 2, B: 64, T: 96), C(name: "char", I: 100, H: 128, L: 2, B: 128, T: 40),
  C(name: "speaker", I: 40, H: 256, L: 3, B: 16, T: 160), C(name: "512", I: 512, H: 512, L: 2, B: 32, T: 64),
  C(name: "512b1", I: 512, H: 512, L: 2, B: 1, T: 64), C(name: "step256", I: 256, H: 256, L: 1, B: 1, T: 1),
  C(name: "step128", I: 128, H: 128, L: 1, B: 1, T: 1),
]
let kernels = Kernels.best
let peak = kernels.measurePeak()
print("kernels \(kernels.name), peak \(Int(peak / 1e9)) GF/s a core")
func median(_ body: () throws -> Void) rethrows -> Double {
  let clock = ContinuousClock()
  var times: [Double] = []
  var total = 0.0
  try body()
  while total < 1.0 || times.count < 3 {
    let t = clock.now
    try body()
    let s = (clock.now - t) / .seconds(1)
    times.append(s)
    total += s
  }
  times.sort()
  return times[times.count / 2]
}
for c in cases {
  let configuration = ModelConfiguration(
    input: .features(size: c.I), layers: Array(repeating: .init(hiddenSize: c.H), count: c.L))
  let model = LSTMModel(configuration, seed: 1)
  let network = Network(model)
  var random = RandomNumbers(seed: 2)
  let x = Tensor(shape: [c.B, c.T, c.I], values: (0..<c.B * c.T * c.I).map { _ in random.normal() })
  let batch = try SequenceBatch(x)
  let y = Tensor(zeros: [c.B, c.T, c.H])
  let gradients = ParameterStore(configuration.parameters)
  let trainable = gradients.slots.map { _ in true }
  let optimiser = Optimiser(.adam(), weights: network.weights, trainable: trainable)
  let inference = try median { _ = try network.forward(batch) }
  let training = try median {
    let out = try network.forward(batch)
    var g = out
    for i in g.values.indices { g.values[i] -= y.values[i] }
    gradients.zero()
    try network.backward(g, into: gradients, trainable: trainable)
    optimiser.step(network.weights, gradients)
    network.weightsChanged()
  }
  var flops = 0.0
  for l in 0..<c.L { flops += 8.0 * Double(c.H) * Double((l == 0 ? c.I : c.H) + c.H) }
  flops *= Double(c.B * c.T)
  let tf = 3 * flops - 8.0 * Double(c.H * c.I * c.B * c.T)
  print(String(format: "%@ inference %.3f ms (%.0f %%) training %.3f ms (%.0f %%)", c.name, inference * 1e3, 100 * flops / inference / peak, training * 1e3, 100 * tf / training / peak))
}
