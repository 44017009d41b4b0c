import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The measurement of one figure: a line of JSON, in the same form from us and from every rival.
struct Measurement: Codable, Sendable {
  var bench: String
  var figure: String
  /// Median time of a call.
  var milliseconds: Double
  /// 99th percentile, for single steps.
  var p99: Double?
  /// Median of the first epoch, if later ones need less work.
  var firstEpoch: Double?
  var runs: Int
  /// The rival's implementation.
  var variant: String?

  enum CodingKeys: String, CodingKey {
    case bench = "case"
    case figure, milliseconds, p99, firstEpoch, runs, variant
  }

  var id: String { bench + "/" + figure }
}

/// Times the figures of one case.
struct Measuring {
  let bench: BenchCase
  let kernels: Kernels
  /// The time to spend on each figure.
  let seconds: Double

  func measure(_ figure: BenchCase.Figure) throws -> Measurement {
    switch figure.kind {
    case .step: try step()
    case .inference: try inference()
    case .training: try training(figure)
    }
  }

  private func step() throws -> Measurement {
    let workload = try Workload(bench)
    var stepper = try SingleSteps(workload.model, kernels)
    let width = bench.model.input.size
    let inputs = (0..<Workload.streamSteps).map { Array(workload.stream[$0 * width..<($0 + 1) * width]) }
    var place = 0
    let times = time {
      stepper.step(inputs[place])
      place = (place + 1) % inputs.count
    }
    return measurement(.step, times, percentile: true)
  }

  private func inference() throws -> Measurement {
    let workload = try Workload(bench)
    let network = Network(workload.model, kernels: kernels)
    return measurement(.inference, try time { _ = try network.forward(workload.batch, forBackward: false) })
  }

  /// The steps of `FineTuner.fit` as users run it. With frozen layers, the steps of epochs from the second on.
  private func training(_ figure: BenchCase.Figure) throws -> Measurement {
    let isCached = !figure.freezing.isEmpty
    let workload = try Workload(bench, sequences: isCached ? 4 * bench.batch : nil)
    var data = workload.data
    if !isCached {
      // Epochs of many steps with the same batch: the time that an epoch takes besides its steps is left out.
      let operations = try bench.operations(figure, stepCount: workload.stepCount)
      let repeats = max(2, min(64, Int(2e9 / operations)))
      data = data.selecting((0..<repeats).flatMap { _ in 0..<bench.batch })
    }
    var tuner = FineTuner(
      try FreezePlan(workload.model, freezing: figure.freezing), optimizer: .adam(learningRate: 1e-3), loss: bench.loss)
    tuner.options = .init(epochs: .max, batchSize: bench.batch, clipNorm: nil, shuffles: false)
    var watch = StepWatch(seconds: seconds, firstCounted: isCached ? 2 : 1)
    do {
      // Validation on one example takes the least time.
      _ = try tuner.fit(workload.model, data, validation: data.selecting([0]), kernels: kernels) { event in
        try watch.note(event)
      }
    } catch is StepWatch.Enough {}
    var result = measurement(figure, watch.times)
    if isCached { result.firstEpoch = watch.earlier.median * 1e3 }
    return result
  }

  private func measurement(
    _ figure: BenchCase.Figure, _ times: [Double], percentile: Bool = false
  ) -> Measurement {
    Measurement(
      bench: bench.name, figure: figure.name, milliseconds: times.median * 1e3,
      p99: percentile ? times.quantile(0.99) * 1e3 : nil, runs: times.count)
  }

  /// The least number of calls. Times of more than a second vary little, and several processes are timed.
  static func fewest(_ times: [Double]) -> Int { times.first.map { $0 > 1 } ?? false ? 1 : 3 }

  /// The times of calls, after a first one that is not counted.
  private func time(_ body: () throws -> Void) rethrows -> [Double] {
    let clock = ContinuousClock()
    try body()
    var times: [Double] = []
    var total = 0.0
    while total < seconds || times.count < Self.fewest(times) {
      let began = clock.now
      try body()
      let time = (clock.now - began) / .seconds(1)
      times.append(time)
      total += time
    }
    return times
  }
}

/// The times of a run's steps, from event to event.
struct StepWatch {
  /// Thrown to end the run.
  struct Enough: Error {}

  let seconds: Double
  let firstCounted: Int
  private(set) var times: [Double] = []
  /// The times of epochs before the first that is counted.
  private(set) var earlier: [Double] = []
  private var total = 0.0
  private var isWarm = false
  private var mark = ContinuousClock.now

  init(seconds: Double, firstCounted: Int) {
    self.seconds = seconds
    self.firstCounted = firstCounted
  }

  mutating func note(_ event: FineTuner.Event) throws {
    let now = ContinuousClock.now
    if case .step(let step) = event {
      let time = (now - mark) / .seconds(1)
      if !isWarm {
        isWarm = true
      } else if step.epoch < firstCounted {
        earlier.append(time)
      } else {
        times.append(time)
        total += time
      }
      if total >= seconds && times.count >= Measuring.fewest(times) { throw Enough() }
    }
    mark = .now
  }
}

/// Runs a sequence one step at a time.
struct SingleSteps {
  private let stream: LSTMStream
  private var state: LSTMStream.State
  private(set) var output: [Float]

  init(_ model: LSTMModel, _ kernels: Kernels) throws {
    stream = try LSTMStream(model, kernels: kernels, threads: kernels.threads)
    state = stream.makeState()
    output = [Float](repeating: 0, count: stream.outputSize)
  }

  mutating func step(_ x: [Float]) { stream.step(x, &state, into: &output) }
}

extension [Double] {
  func quantile(_ part: Double) -> Double {
    guard !isEmpty else { return .nan }
    return sorted()[Swift.min(count - 1, Int(part * Double(count)))]
  }

  /// The middle one, or the mean of the middle two.
  var median: Double {
    guard !isEmpty else { return .nan }
    let sorted = sorted()
    return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
  }
}

extension Kernels {
  /// Floating-point operations per second of all threads together: fused multiply-adds in registers.
  func measureWholePeak() -> Double {
    let one = self
    let sum = Monitor(0.0)
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      let peak = one.measurePeak(seconds: 0.3)
      sum.update { $0 += peak }
    }
    return sum.update { $0 }
  }
}
