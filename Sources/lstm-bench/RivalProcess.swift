import Foundation

/// A framework to compare with, and the script that runs it.
enum Rival: String, CaseIterable, Sendable {
  case torch, tensorflow, onnxruntime
  case onnxruntimeC = "onnxruntime-c"
  case mlx

  var title: String {
    switch self {
    case .torch: "PyTorch"
    case .tensorflow: "TensorFlow"
    case .onnxruntime: "ONNX Runtime"
    case .onnxruntimeC: "ORT C API"
    case .mlx: "MLX"
    }
  }

  var script: String { "rival_\(rawValue.replacingOccurrences(of: "-", with: "_")).py" }
}

/// A line of a process's output: a measurement, a check or a version.
struct Line: Decodable {
  var rival, version, kernels: String?
  var peak: Double?
  var bench, figure, variant, check, error: String?
  var difference: Double?
  var passed: Bool?
  var milliseconds, p99, firstEpoch: Double?
  var runs: Int?

  enum CodingKeys: String, CodingKey {
    case bench = "case"
    case rival, version, kernels, peak, figure, variant, check, error, difference, passed, milliseconds, p99, firstEpoch
    case runs
  }

  var measurement: Measurement? {
    guard let bench, let figure, let milliseconds, let runs else { return nil }
    return Measurement(
      bench: bench, figure: figure, milliseconds: milliseconds, p99: p99, firstEpoch: firstEpoch, runs: runs,
      variant: variant)
  }
}

/// Runs a new process with the same number of threads as all others, and reads its lines.
struct Runner {
  let threads: Int
  /// The folder for standard error.
  let folder: String

  func run(_ executable: String, _ arguments: [String], log: String) throws -> [Line] {
    let decoder = JSONDecoder()
    return try output(executable, arguments, log: log).split(separator: UInt8(ascii: "\n")).compactMap {
      try? decoder.decode(Line.self, from: $0)
    }
  }

  func output(_ executable: String, _ arguments: [String], log: String) throws -> Data {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [executable] + arguments
    var environment = ProcessInfo.processInfo.environment
    for name in [
      "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
      "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
    ] { environment[name] = "\(threads)" }
    process.environment = environment
    let output = Pipe()
    let errors = folder + "/\(log).log"
    try Data().write(to: URL(fileURLWithPath: errors))
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: errors)
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let tail = (try? String(contentsOfFile: errors, encoding: .utf8))?.split(separator: "\n").suffix(3) ?? []
      throw BenchError(
        "\(executable) \(arguments.first ?? "") ended with \(process.terminationStatus)\n"
          + tail.joined(separator: "\n"))
    }
    return data
  }
}
