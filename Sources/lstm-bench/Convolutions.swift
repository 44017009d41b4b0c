import LSTMCheckpoints
import LSTMLayers

/// The speed of convolutional front ends, forward and backward, as shares of the peak.
struct Convolutions {
  struct Result: Encodable {
    let name: String
    /// Of a forward pass, of the weights' gradient and of the input's.
    let milliseconds: [Double]
    /// What each is of the peak.
    let peakShares: [Double]
  }

  private struct Front {
    let name: String
    let features: Int
    var channels: Int?
    let kind: Layer.Convolution
    let batch: Int
    let steps: Int

    init(
      _ name: String, features: Int, channels: Int? = nil, _ size: Int, _ kernel: [Int], batch: Int, steps: Int,
      change: (inout Layer.Convolution) -> Void = { $0.padding = .same }
    ) {
      (self.name, self.features, self.channels, self.batch, self.steps) = (name, features, channels, batch, steps)
      var kind = Layer.Convolution(size: size, kernel: kernel)
      change(&kind)
      self.kind = kind
    }

    /// Of a forward pass, and as many of each gradient.
    var operations: Double {
      let height = channels.map { kind.length(features / $0, axis: 1) } ?? 1
      let windows = batch * kind.length(steps, axis: 0) * height
      return 2 * Double(windows * (channels ?? features) / kind.groups * kind.kernel.reduce(1, *) * kind.size)
    }
  }

  private static let fronts = [
    Front("a forecast, 8 -> 32, kernel 5, B 32, T 96", features: 8, 32, [5], batch: 32, steps: 96),
    Front("speech, 64 -> 128, kernel 3, B 32, T 100", features: 64, 128, [3], batch: 32, steps: 100),
    Front("speech, 64 -> 128, kernel 3, B 1, T 1000", features: 64, 128, [3], batch: 1, steps: 1000),
    Front("wide, 512 -> 512, kernel 3, B 4, T 200", features: 512, 512, [3], batch: 4, steps: 200),
    Front("short, 128 -> 128, kernel 3, B 256, T 8", features: 128, 128, [3], batch: 256, steps: 8),
    Front("sound, 1 -> 80, kernel 251, stride 10, B 1, T 16000", features: 1, 80, [251], batch: 1, steps: 16_000) {
      $0.stride = [10]
    },
    Front("text, 1 x 32 -> 32, kernel 3 x 3, B 4, T 100", features: 32, channels: 1, 32, [3, 3], batch: 4, steps: 100),
    Front(
      "text, 64 x 16 -> 128, kernel 3 x 3, B 4, T 100", features: 1024, channels: 64, 128, [3, 3], batch: 4, steps: 100),
    Front(
      "text, 256 x 4 -> 256, kernel 3 x 3, B 4, T 50", features: 1024, channels: 256, 256, [3, 3], batch: 4, steps: 50),
    Front("in depth, 256, kernel 31, B 8, T 200", features: 256, 256, [31], batch: 8, steps: 200) {
      ($0.padding, $0.groups) = (.same, 256)
    },
  ]

  /// - Parameters:
  ///   - peak: floating-point operations per second of as many threads.
  ///   - seconds: to spend on each front end.
  static func run(_ kernels: Kernels, peak: Double, seconds: Double) throws -> [Result] {
    try fronts.map { try measure($0, kernels, peak: peak, seconds: seconds) }
  }

  private static func measure(_ front: Front, _ kernels: Kernels, peak: Double, seconds: Double) throws -> Result {
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: front.features), channels: front.channels)], layers: [Layer("conv1", front.kind)])
    let network = Network(LSTMModel(configuration), kernels: kernels)
    var random = RandomNumbers(seed: 2)
    let values = (0..<front.batch * front.steps * front.features).map { _ in random.normal() }
    let starts = (0..<front.batch).map { $0 * front.steps }
    let gradients = ParameterStore(configuration.parameters)
    let weights = GradientPlan(configuration, trainable: gradients.slots.map { _ in true })
    let input = GradientPlan(configuration, trainable: gradients.slots.map { _ in false }, wantsInput: true)
    var times: [[Double]] = [[], [], []]
    try values.withUnsafeBufferPointer { values in
      try starts.withUnsafeBufferPointer { starts in
        guard let values = values.baseAddress, let starts = starts.baseAddress else { return }
        let rows = SequenceRows(
          .features(values, width: front.features), count: front.batch, steps: front.steps, starts: starts)
        let clock = ContinuousClock()
        let began = clock.now
        while (clock.now - began) / .seconds(1) < seconds || times[2].count < 3 {
          for (place, plan) in [(1, weights), (2, input)] {
            let start = clock.now
            let output = try network.run(rows, for: plan)
            let middle = clock.now
            network.backward(output.rows, into: gradients, plan)
            times[0].append((middle - start) / .seconds(1))
            times[place].append((clock.now - middle) / .seconds(1))
          }
        }
      }
    }
    let medians = times.map(\.median)
    return Result(
      name: front.name, milliseconds: medians.map { $0 * 1e3 },
      peakShares: medians.map { front.operations / $0 / peak })
  }
}
