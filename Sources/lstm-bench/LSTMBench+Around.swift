import ArgumentParser
import Foundation
import LSTMLayers

extension LSTMBench {
  /// The layers around the LSTM, as a table in Markdown.
  func around(_ kernels: Kernels) throws {
    guard !against.rivals.isEmpty else {
      for times in try Around.measure(kernels, seconds: seconds, only: only) {
        if json {
          print(String(decoding: try JSONEncoder().encode(times), as: UTF8.self))
        } else {
          let name = times.name.padding(toLength: 44, withPad: " ", startingAt: 0)
          let training = times.training.map { String(format: "   with gradients %9.4f ms", $0) } ?? ""
          print(name + String(format: "forward %9.4f ms", times.forward) + training)
        }
      }
      return
    }
    guard against.rivals == [.torch] else {
      throw ValidationError("--around --against \(against.names ?? ""): expected torch, the only one with these layers")
    }
    let rows = try Around.compare(
      kernels, seconds: seconds, only: only, rounds: against.rounds, python: against.interpreter,
      scripts: against.scripts)
    if json { return print(String(decoding: try JSONEncoder().encode(rows), as: UTF8.self)) }
    print("\(Machine.description); \(threads) threads, kernels \(kernels.name), \(2 * against.rounds) pairs each")
    print("")
    print("| layer | forward | PyTorch's time / ours | with gradients | PyTorch's time / ours |")
    print("|---|---|---|---|---|")
    for row in rows {
      let cells = [
        row.name, String(format: "%.3f ms", row.forward), spread(row.forwardRatios),
        row.training.map { String(format: "%.3f ms", $0) } ?? "", spread(row.trainingRatios),
      ]
      print("| " + cells.joined(separator: " | ") + " |")
    }
    for (name, ratios) in [
      ("forward", rows.map(\.forwardRatios)), ("with gradients", rows.map(\.trainingRatios)),
    ] {
      let ratios = ratios.filter { !$0.isEmpty }.map(\.median)
      let mean = exp(ratios.reduce(0) { $0 + log($1) } / Double(max(1, ratios.count)))
      print("\nGeometric mean, \(name): \(times(mean)) over \(ratios.count) cases")
    }
  }

  /// `2.31x (2.02x to 2.60x)`
  private func spread(_ ratios: [Double]) -> String {
    ratios.isEmpty ? "" : "\(times(ratios.median)) (\(times(ratios.min() ?? 0)) to \(times(ratios.max() ?? 0)))"
  }
}
