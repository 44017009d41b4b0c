import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// Checks that time and memory grow linearly with longer and with more sequences.
///
/// Each point is measured in its own process, because peak memory never decreases.
struct Scaling {
  /// The largest ratio of the time per step and sequence to that of the first point.
  static let timeLimit = 1.15
  static let memoryLimit = 0.10

  enum Kind: String, CaseIterable, Codable {
    case inference, training
    /// Training epochs on a data set of that many sequences.
    case epoch
  }

  struct Point: Codable {
    let kind: Kind
    let sequences: Int
    let steps: Int
    /// Per sequence and step.
    var nanoseconds: Double
    /// The increase in peak memory.
    var bytes: Int
    var expectedBytes: Int
  }

  static let sweeps: [(title: String, points: [(kind: Kind, sequences: Int, steps: Int)])] = [
    ("inference, longer sequences", [50, 200, 1000, 5000].map { (.inference, 16, $0) }),
    ("training, longer sequences", [50, 200, 1000, 5000].map { (.training, 16, $0) }),
    ("training epochs, more sequences", [1000, 10_000, 100_000].map { (.epoch, $0, 48) }),
  ]

  /// Measures one point in this process.
  static func measure(_ kind: Kind, sequences: Int, steps: Int, kernels: Kernels, seconds: Double) throws -> Point {
    let isEpoch = kind == .epoch
    let batch = isEpoch ? 64 : sequences
    let model = PlainStack(
      input: .features(size: isEpoch ? 8 : 16),
      layers: isEpoch ? [.init(hiddenSize: 64)] : [.init(hiddenSize: 128), .init(hiddenSize: 128)], readout: .last,
      head: [.init(size: isEpoch ? 1 : 24)])
    let figure: BenchCase.Figure = kind == .inference ? .inference : .training
    let bench = BenchCase("scaling", model, batch: batch, steps: steps, [figure])
    let before = peakMemory()
    var point = Point(kind: kind, sequences: sequences, steps: steps, nanoseconds: 0, bytes: 0, expectedBytes: 0)
    let rows = Double(sequences * steps)
    // Inputs, targets and the order of the examples, in the data and shuffled; and a batch.
    let places = 8 * 2 * sequences
    let data = 4 * (sequences + batch) * (steps * model.input.size + model.outputSize)
    point.expectedBytes = try bench.bytes(figure, stepCount: batch * steps) + data + places
    if isEpoch {
      point.nanoseconds = try epoch(bench, sequences, kernels, seconds) * 1e9 / rows
    } else {
      let result = try Measuring(bench: bench, kernels: kernels, seconds: seconds).measure(figure)
      point.nanoseconds = result.milliseconds * 1e6 / rows
    }
    point.bytes = peakMemory() - before
    return point
  }

  /// The median time of the epochs after the first, in seconds.
  private static func epoch(_ bench: BenchCase, _ sequences: Int, _ kernels: Kernels, _ seconds: Double) throws
    -> Double
  {
    struct Enough: Error {}
    let workload = try Workload(bench, sequences: sequences)
    var tuner = FineTuner(try FreezePlan(workload.model), loss: bench.loss)
    tuner.options = .init(epochs: .max, batchSize: bench.batch, clipNorm: nil, shuffles: true)
    var times: [Double] = []
    do {
      let one = workload.data.selecting([0])
      _ = try tuner.fit(workload.model, workload.data, validation: one, kernels: kernels) { event in
        guard case .epoch(let epoch) = event else { return }
        if epoch.number > 1 { times.append(Double(sequences) / epoch.sequencesPerSecond) }
        if times.reduce(0, +) >= seconds && times.count >= 2 { throw Enough() }
      }
    } catch is Enough {}
    return times.median
  }
}
