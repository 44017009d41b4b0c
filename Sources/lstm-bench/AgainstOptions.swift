import ArgumentParser
import Foundation
import LSTMLayers

struct AgainstOptions: ParsableArguments {
  @Option(
    name: .customLong("against"),
    help: ArgumentHelp(
      "Frameworks to compare with: torch, tensorflow, onnxruntime, onnxruntime-c, mlx; or all.", valueName: "names"))
  var names: String?

  @Option(help: "Rounds of A B B A, each of which gives two pairs of times.")
  var rounds = 2

  @Option(help: "The Python in which the frameworks are installed. (default: $LSTM_BENCH_PYTHON, or python3)")
  var python: String?

  @Option(help: "The folder of the frameworks' scripts.")
  var scripts = "scripts/bench"

  @Option(help: "Keep weights, data, logs and the results (comparison.json) in this folder.")
  var folder: String?

  var rivals: [Rival] {
    guard let names else { return [] }
    return names == "all" ? Rival.allCases : names.split(separator: ",").compactMap { Rival(rawValue: String($0)) }
  }

  var interpreter: String { python ?? ProcessInfo.processInfo.environment["LSTM_BENCH_PYTHON"] ?? "python3" }

  func validate() throws {
    for name in names?.split(separator: ",") ?? [] where name != "all" && Rival(rawValue: String(name)) == nil {
      let known = Rival.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--against \(name): expected names from \(known), or all")
    }
    guard rounds >= 1 else { throw ValidationError("--rounds \(rounds): expected at least 1") }
    guard names == nil || FileManager.default.fileExists(atPath: scripts + "/rivals.py") else {
      throw ValidationError("--scripts \(scripts): expected the folder with rivals.py; run from the repository's root")
    }
  }

  func run(_ selection: Selection, _ kernels: Kernels, seconds: Double, json: Bool) throws {
    let files = FileManager.default
    let place = folder ?? files.temporaryDirectory.appendingPathComponent("lstm-bench-\(UUID().uuidString)").path
    try files.createDirectory(atPath: place, withIntermediateDirectories: true)
    defer { if folder == nil { try? files.removeItem(atPath: place) } }
    let began = ContinuousClock.now
    let comparison = Comparison(
      selection: selection, rivals: rivals, kernels: kernels, seconds: seconds, rounds: rounds,
      python: interpreter, scripts: scripts, folder: place,
      progress: { text in
        let elapsed = Int((ContinuousClock.now - began) / .seconds(1))
        FileHandle.standardError.write(Data("\(elapsed) s: \(text)\n".utf8))
      })
    let report = Report(result: try comparison.run(), threads: kernels.threads, rounds: rounds)
    let document = try report.json
    if folder != nil { try document.write(toFile: place + "/comparison.json", atomically: true, encoding: .utf8) }
    print(json ? document : report.text)
  }
}
