import ArgumentParser
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

@main
struct LSTMBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lstm-bench",
    abstract: "Time the layers on this machine, alone or against other frameworks.",
    discussion: """
      lstm-bench
      lstm-bench --case 512 --threads 1 --json
      """)

  @Option(name: .customLong("case"), help: "Only these cases or figures, such as seed or seed/training,512.")
  var only: String?

  @Option(help: "Threads to work on. (default: all cores)")
  var threads: Int = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "Seconds to spend on each figure.")
  var seconds = 0.5

  @Flag(help: "Write JSON, a line for each figure.")
  var json = false

  @Option(help: ArgumentHelp("Write the cases for rivals into this folder.", visibility: .hidden))
  var write: String?

  func run() throws {
    var kernels = Kernels.best
    kernels.threads = threads
    let selection = try Selection(only)
    if let write { return try Exchange.write(selection.cases, to: write, kernels: kernels) }
    for (bench, figures) in selection.entries {
      for figure in figures {
        let result = try Measuring(bench: bench, kernels: kernels, seconds: seconds).measure(figure)
        print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
      }
    }
  }
}
