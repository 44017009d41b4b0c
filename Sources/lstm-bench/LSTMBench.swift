import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

@main
struct LSTMBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstm-bench",
    abstract: "Time the layers on this machine.",
    discussion: """
      lstm-bench
      lstm-bench --case 512 --threads 1 --json

      For each case the median time of an inference pass and of a training step (forward, mean squared error, backward,
      Adam), and the part of the machine's peak that they reach. The peak is that of fused multiply-adds in
      registers, measured in the same run.
      """)

  @Option(name: .customLong("case"), help: "Only this case.")
  var only: String?

  @Option(help: "Threads to work on. (default: all cores)")
  var threads: Int = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Seconds to spend on each figure.")
  var seconds = 1.0

  @Flag(help: "Write JSON, a line for each case.")
  var json = false

  func run() throws {
    guard threads >= 1, seconds > 0 else { throw ValidationError("--threads and --seconds: expected more than 0") }
    let cases = BenchCase.all.filter { only == nil || only == $0.name }
    guard !cases.isEmpty else {
      throw ValidationError("--case: expected one of " + BenchCase.all.map(\.name).joined(separator: ", "))
    }
    var kernels = Kernels.best
    kernels.threads = threads
    let peak = kernels.measurePeak() * Double(threads)
    if !json {
      print("kernels \(kernels.name), \(threads) threads, peak \(Int(peak / 1e9)) GFLOP/s")
      print("case                    (I, H, L, B, T)   inference ms    peak   training ms    peak")
    }
    for each in cases {
      let result = try each.measure(kernels, seconds: seconds)
      if json {
        print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
      } else {
        let shape = "(\(each.input), \(each.hidden), \(each.layers), \(each.batch), \(each.steps))"
        print(
          each.name.padding(toLength: 14, withPad: " ", startingAt: 0)
            + String(repeating: " ", count: max(0, 25 - shape.count)) + shape
            + String(
              format: "%15.3f %6.0f%% %13.3f %6.0f%%", result.inference * 1e3,
              100 * each.forwardOperations / result.inference / peak,
              result.training * 1e3, 100 * each.trainingOperations / result.training / peak))
      }
    }
  }
}

/// One stack of equal layers, with its sizes.
struct BenchCase {
  let name: String
  /// I, H, L, B, T
  let input, hidden, layers, batch, steps: Int

  static let all = [
    BenchCase(name: "seed", input: 100, hidden: 1, layers: 1, batch: 100, steps: 1),
    BenchCase(name: "series-64", input: 8, hidden: 64, layers: 1, batch: 32, steps: 48),
    BenchCase(name: "series-128", input: 32, hidden: 128, layers: 2, batch: 64, steps: 96),
    BenchCase(name: "char", input: 100, hidden: 128, layers: 2, batch: 128, steps: 40),
    BenchCase(name: "speaker", input: 40, hidden: 256, layers: 3, batch: 16, steps: 160),
    BenchCase(name: "512", input: 512, hidden: 512, layers: 2, batch: 32, steps: 64),
    BenchCase(name: "512-single", input: 512, hidden: 512, layers: 2, batch: 1, steps: 64),
    BenchCase(name: "step-256", input: 256, hidden: 256, layers: 1, batch: 1, steps: 1),
    BenchCase(name: "step-128", input: 128, hidden: 128, layers: 1, batch: 1, steps: 1),
  ]

  struct Result: Encodable {
    let name: String
    /// Seconds
    let inference, training: Double
    let threads: Int
  }

  /// 8H(I + H) for each step, sequence and layer.
  var forwardOperations: Double {
    (0..<layers).reduce(0.0) { $0 + 8 * Double(hidden * (($1 == 0 ? input : hidden) + hidden)) } * Double(batch * steps)
  }

  /// Thrice the forward pass, less dL/dx of the first layer.
  var trainingOperations: Double { 3 * forwardOperations - 8 * Double(hidden * input * batch * steps) }

  func measure(_ kernels: Kernels, seconds: Double) throws -> Result {
    let configuration = ModelConfiguration(
      input: .features(size: input),
      layers: [ModelConfiguration.Layer](repeating: .init(hiddenSize: hidden), count: layers))
    let network = Network(LSTMModel(configuration, seed: 1), kernels: kernels)
    var random = RandomNumbers(seed: 2)
    let batch = try SequenceBatch(
      Tensor(shape: [self.batch, steps, input], values: (0..<self.batch * steps * input).map { _ in random.normal() }))
    let gradients = ParameterStore(configuration.parameters)
    let trainable = gradients.slots.map { _ in true }
    let optimiser = Optimiser(.adam(), weights: network.weights, trainable: trainable, kernels: kernels)
    let inference = try median(seconds) { _ = try network.forward(batch) }
    let training = try median(seconds) {
      var output = try network.forward(batch)
      // The target is zero: dL/dy = 2 y / n.
      let share = 2 / Float(output.values.count)
      output.values.withUnsafeMutableBufferPointer { values in for at in values.indices { values[at] *= share } }
      gradients.zero()
      try network.backward(output, into: gradients, trainable: trainable)
      optimiser.step(network.weights, gradients)
      network.weightsChanged()
    }
    return Result(name: name, inference: inference, training: training, threads: kernels.threads)
  }

  private func median(_ seconds: Double, _ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    var times: [Double] = []
    var total = 0.0
    try body()
    while total < seconds || times.count < 5 {
      let began = clock.now
      try body()
      let time = (clock.now - began) / .seconds(1)
      times.append(time)
      total += time
    }
    return times.sorted()[times.count / 2]
  }
}
