import ArgumentParser
import Foundation
import LSTMLayers

struct CheckOptions: ParsableArguments {
  @Flag(help: "Check that time and memory grow linearly with longer and with more sequences.")
  var scaling = false

  @Flag(help: "Compare whole networks over 200 steps with double precision.")
  var accuracy = false

  @Flag(help: "Check sigmoid and tanh of every instruction set over all 2^32 floats; takes minutes.")
  var exhaustive = false

  @Flag(help: "Time writing and reading a model of 200 MB as HDF5, compressed HDF5 and NPZ.")
  var formats = false

  @Flag(help: "Compare cases with very small (denormal) numbers with the same cases with ordinary numbers.")
  var vanishing = false

  @Flag(help: "Measure convolutional front ends, forward and backward, and one that is frozen.")
  var convolutions = false

  @Flag(help: "Measure the layers around the LSTM: alone, or with --against torch against PyTorch.")
  var around = false

  @Option(help: ArgumentHelp("Measure one point of --scaling in this process.", visibility: .private))
  var point: String?

  var isAny: Bool { scaling || accuracy || exhaustive || formats || vanishing || convolutions || point != nil }

  /// - Throws: `ExitCode.failure` when a limit is exceeded.
  func run(_ kernels: Kernels, seconds: Double, json: Bool) throws {
    if let point { return try run(point: point, kernels, seconds) }
    var output = Output(json: json)
    if accuracy { try check(accuracy: &output, kernels) }
    if formats { try time(formats: &output) }
    if vanishing { try check(vanishing: &output, kernels, seconds) }
    if convolutions { try time(convolutions: &output, kernels, seconds) }
    if scaling { try check(scaling: &output, kernels, seconds) }
    if exhaustive { check(exhaustive: &output, kernels) }
    if output.hasFailed { throw ExitCode.failure }
  }

  /// Prints results line by line, as text or as JSON.
  private struct Output {
    let json: Bool
    var hasFailed = false

    func say(_ line: String) {
      if !json { print(line) }
    }

    mutating func say(_ line: String, _ value: some Encodable, isKept: Bool? = nil) throws {
      if json { return print(String(decoding: try JSONEncoder().encode(value), as: UTF8.self)) }
      print((isKept.map { $0 ? "met     " : "MISSED  " } ?? "") + line)
    }

    mutating func judge(_ isKept: Bool) -> Bool {
      if !isKept { hasFailed = true }
      return isKept
    }
  }

  private func check(accuracy output: inout Output, _ kernels: Kernels) throws {
    output.say("largest relative error of whole networks, 200 steps (limit \(Accuracy.limit)), kernels \(kernels.name)")
    for result in try Accuracy.run(kernels) {
      let isKept = output.judge(result.isWithinLimit)
      try output.say(String(format: "%.1e  ", result.error) + result.model, result, isKept: isKept)
    }
  }

  private func time(formats output: inout Output) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lstm-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for result in try FormatInputOutput.run(in: folder) {
      let size = Double(result.bytes)
      let name = result.format.padding(toLength: 18, withPad: " ", startingAt: 0)
      try output.say(
        name
          + String(
            format: "%.0f MB, write %.2f s (%.2f GB/s), read into a model %.2f s (%.2f GB/s)", size / 1e6,
            result.writeSeconds, size / result.writeSeconds / 1e9, result.readSeconds, size / result.readSeconds / 1e9),
        result)
    }
  }

  private func time(convolutions output: inout Output, _ kernels: Kernels, _ seconds: Double) throws {
    let peak = kernels.measureWholePeak()
    output.say("convolutions with \(kernels.threads) threads, kernels \(kernels.name), peak \(Int(peak / 1e9)) GFLOP/s")
    for result in try Convolutions.run(kernels, peak: peak, seconds: seconds) {
      var line = result.name.padding(toLength: 54, withPad: " ", startingAt: 0)
      for (name, (time, share)) in zip(["forward", "weights", "input"], zip(result.milliseconds, result.peakShares)) {
        line += "  \(name)" + String(format: " %8.3f ms %3.0f%%", time, 100 * share)
      }
      try output.say(line, result)
    }
    let front = try FrozenFront.run(kernels, seconds: seconds)
    try output.say(
      String(
        format: "a frozen front end below an LSTM: step %.3f ms in the first epoch, %.3f ms later, %.3f ms without it",
        front.firstEpoch, front.later, front.without), front)
  }

  private func check(exhaustive output: inout Output, _ kernels: Kernels) {
    output.say("largest error of sigmoid and tanh over all 2^32 floats (limit \(Exhaustive.limit) ulp)")
    for result in Exhaustive.run(threads: kernels.threads) {
      let isKept = output.judge(result.isWithinLimit)
      let name = "\(result.function) \(result.kernels)".padding(toLength: 18, withPad: " ", startingAt: 0)
      try? output.say(
        name + String(format: "%.3f ulp at ", result.ulp) + "\(result.at), \(result.wrongNaNs) wrong NaNs", result,
        isKept: isKept)
    }
  }

  private func check(vanishing output: inout Output, _ kernels: Kernels, _ seconds: Double) throws {
    output.say(
      "time with very small numbers, relative to ordinary numbers (limit \(NumbersCheck.limit)), kernels \(kernels.name)"
    )
    for bench in NumbersCheck.cases {
      for result in try NumbersCheck.run(bench, kernels: kernels, seconds: seconds) {
        let isKept = output.judge(result.isWithinLimit)
        let name = "\(result.bench) \(result.figure)".padding(toLength: 24, withPad: " ", startingAt: 0)
        try output.say(
          name
            + String(
              format: "%9.4f ms, ordinary %9.4f ms: %.2fx (%.2fx to %.2fx)", result.milliseconds,
              result.healthyMilliseconds, result.ratio, result.lowest, result.highest), result, isKept: isKept)
      }
    }
  }

  // MARK: Scaling

  private func check(scaling output: inout Output, _ kernels: Kernels, _ seconds: Double) throws {
    for (title, points) in Scaling.sweeps {
      output.say(title)
      var first: Double?
      for point in points {
        let found = try measured(point, kernels, seconds)
        let reference = first ?? found.nanoseconds
        first = reference
        let (time, memory) = (found.nanoseconds / reference, Double(found.bytes) / Double(found.expectedBytes))
        let isKept = output.judge(
          time <= Scaling.timeLimit && abs(memory - 1) <= Scaling.memoryLimit)
        try output.say(
          String(
            format: "%6d x %4d steps: %8.1f ns per step, %.2fx the first; %8.1f MB, %.2fx the formula", found.sequences,
            found.steps, found.nanoseconds, time, Double(found.bytes) / 1e6, memory), found, isKept: isKept)
      }
    }
  }

  private func measured(
    _ point: (kind: Scaling.Kind, sequences: Int, steps: Int), _ kernels: Kernels, _ seconds: Double
  ) throws -> Scaling.Point {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments[0])
    process.arguments = [
      "--point", "\(point.kind.rawValue),\(point.sequences),\(point.steps)", "--threads", "\(kernels.threads)",
      "--seconds", "\(seconds)",
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return try JSONDecoder().decode(Scaling.Point.self, from: data)
  }

  private func run(point: String, _ kernels: Kernels, _ seconds: Double) throws {
    let parts = point.split(separator: ",").map(String.init)
    guard parts.count == 3, let kind = Scaling.Kind(rawValue: parts[0]), let sequences = Int(parts[1]),
      let steps = Int(parts[2])
    else { throw ValidationError("--point \(point): expected a kind, sequences and steps") }
    let found = try Scaling.measure(kind, sequences: sequences, steps: steps, kernels: kernels, seconds: seconds)
    print(String(decoding: try JSONEncoder().encode(found), as: UTF8.self))
  }
}
