import ArgumentParser
import Foundation
import LSTMLayers

@main
struct LSTMBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstm-bench",
    abstract: "Measure the speed of the LSTM layers on this machine, alone or against other frameworks.",
    discussion: """
      lstm-bench
      lstm-bench --case 512,seed/training --threads 1 --json
      lstm-bench --against torch,tensorflow,onnxruntime,onnxruntime-c,mlx --python .venv/bin/python
      lstm-bench --around --against torch --python .venv/bin/python
      lstm-bench --scaling --accuracy --vanishing --exhaustive

      A figure is the median time of a single step, an inference pass or a training step (forward, loss, backward and \
      Adam). The peak is the rate of fused multiply-adds in registers on as many threads, measured in the same run.

      Other frameworks get the same weights and data. Their outputs and gradients must agree with ours; then they are \
      timed in new processes in the order A B B A. A ratio above 1 means that lstm-ft is faster.
      """)

  @Option(
    name: .customLong("case"),
    help: "Measure only these cases or figures, such as seed or seed/training,512; with --around a part of a name.")
  var only: String?

  @Option(help: "Number of threads; one per core unless given.")
  var threads: Int = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Seconds to spend on each figure.")
  var seconds = 0.3

  @Flag(help: "Print JSON: one line per figure, or the whole comparison.")
  var json = false

  @OptionGroup(title: "Comparison with other frameworks")
  var against: AgainstOptions

  @OptionGroup(title: "Checks instead of figures")
  var checks: CheckOptions

  func validate() throws {
    guard threads >= 1 else { throw ValidationError("--threads \(threads): expected at least 1") }
    guard seconds > 0 else { throw ValidationError("--seconds \(seconds): expected more than 0") }
  }

  func run() throws {
    var kernels = Kernels.best
    kernels.threads = threads
    if checks.around { return try around(kernels) }
    let selection = try Selection(only)
    if checks.isAny {
      try checks.run(kernels, seconds: seconds, json: json)
    } else if !against.rivals.isEmpty {
      try against.run(selection, kernels, seconds: seconds, json: json)
    } else {
      try figures(selection, kernels)
    }
  }

  private struct Header: Encodable {
    let kernels: String
    let threads: Int
    let peak: Double
  }

  private func figures(_ selection: Selection, _ kernels: Kernels) throws {
    let peak = kernels.measureWholePeak()
    if json {
      say(try JSONEncoder().encode(Header(kernels: kernels.name, threads: threads, peak: peak)))
    } else {
      print("\(Machine.description); \(threads) threads, kernels \(kernels.name), peak \(Int(peak / 1e9)) GFLOP/s")
    }
    for (bench, figures) in selection.entries {
      let stepCount = try bench.stepCount()
      for figure in figures {
        let result = try Measuring(bench: bench, kernels: kernels, seconds: seconds).measure(figure)
        if json {
          say(try JSONEncoder().encode(result))
          continue
        }
        let rate = try bench.operations(figure, stepCount: stepCount) / (result.milliseconds * 1e-3)
        var line = bench.name.padding(toLength: 12, withPad: " ", startingAt: 0)
        line += bench.shape.padding(toLength: 34, withPad: " ", startingAt: 0)
        line += figure.name.padding(toLength: 16, withPad: " ", startingAt: 0)
        line += String(
          format: "%10.4f ms %7.1f GFLOP/s %4.0f%% %8.1f MB", result.milliseconds, rate / 1e9, 100 * rate / peak,
          Double(try bench.bytes(figure, stepCount: stepCount)) / 1e6)
        if let p99 = result.p99 { line += String(format: "   p99 %.4f ms", p99) }
        if let first = result.firstEpoch { line += String(format: "   first epoch %.4f ms", first) }
        print(line)
      }
    }
  }

  private func say(_ line: Data) {
    print(String(decoding: line, as: UTF8.self))
    fflush(nil)
  }
}
