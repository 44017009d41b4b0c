import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What a frozen convolutional front end costs in training: nothing from the second epoch on, when its outputs are read from
/// the cache.
enum FrozenFront {
  struct Result: Encodable {
    /// Medians of a training step in milliseconds: in the first epoch, in later ones, and of the same model without the front
    /// end, which is given what it would compute.
    let firstEpoch, later, without: Double
  }

  private static let (batch, steps, features, channels) = (32, 128, 40, 64)

  static func run(_ kernels: Kernels, seconds: Double) throws -> Result {
    var front = Layer.Convolution(size: channels, kernel: [5])
    (front.padding, front.activation) = (.same, .relu)
    let tail = [Layer("lstm", Layer.Recurrent(.lstm, size: 64)), Layer("head", Layer.Dense(size: 8))]
    let whole = try ModelConfiguration(
      inputs: [.init(.features(size: features))], layers: [Layer("conv1", front), Layer("conv2", front)] + tail)
    let alone = try ModelConfiguration(inputs: [.init(.features(size: channels))], layers: tail)
    let (first, later) = try times(whole, freezing: ["conv1", "conv2"], kernels, seconds)
    return Result(
      firstEpoch: first.median * 1e3, later: later.median * 1e3,
      without: try times(alone, freezing: [], kernels, seconds).later.median * 1e3)
  }

  private static func times(
    _ configuration: ModelConfiguration, freezing: [String], _ kernels: Kernels, _ seconds: Double
  ) throws -> (first: [Double], later: [Double]) {
    let model = LSTMModel(configuration, seed: 1)
    var random = RandomNumbers(seed: 2)
    guard case .features(let width) = configuration.inputs[0].content else { return ([], []) }
    let count = 8 * batch * steps
    let x = (0..<count * width).map { _ in random.normal() }
    let y = (0..<count * 8).map { _ in random.normal() }
    let data = try SequenceData(
      inputs: .features(x, steps: steps, size: width), targets: .values(y, size: 8, perStep: true))
    var tuner = FineTuner(
      try FreezePlan(model, freezing: freezing), optimizer: .adam(learningRate: 1e-3), loss: .meanSquaredError)
    tuner.options = .init(epochs: .max, batchSize: batch, clipNorm: nil, shuffles: false)
    var watch = StepWatch(seconds: seconds, firstCounted: 2)
    do {
      _ = try tuner.fit(model, data, validation: data.selecting([0]), kernels: kernels) { try watch.note($0) }
    } catch is StepWatch.Enough {}
    return (watch.earlier, watch.times)
  }
}
