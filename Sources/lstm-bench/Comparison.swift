import Foundation
import LSTMLayers

/// A comparison with other frameworks on identical weights and data.
///
/// 1. Each rival's outputs and gradients are compared with ours, and each of its implementations of a figure is timed once.
/// 2. Rounds of new processes A B B A, all with the same number of threads. Each B is paired with the A next to it in time,
///    and the ratios of the pairs are compared, because the machine's speed varies.
///
/// A rival that took more than 1.5 times as long as the best rival in step 1 is not timed again for that figure.
struct Comparison {
  let selection: Selection
  let rivals: [Rival]
  let kernels: Kernels
  let seconds: Double
  let rounds: Int
  let python: String
  let scripts: String
  let folder: String
  /// Reports progress.
  let progress: (String) -> Void

  /// A rival is timed again if it took at most this many times as long as the best rival.
  private static let contention = 1.5

  func run() throws -> ComparisonResult {
    var result = ComparisonResult()
    for (bench, figures) in selection.entries {
      let steps = try bench.stepCount()
      for figure in figures {
        result.figures.append(
          ComparisonResult.Figure(
            bench: bench, figure: figure, operations: try bench.operations(figure, stepCount: steps)))
      }
    }
    progress("writing weights, data, outputs and gradients of \(selection.cases.count) cases")
    try Exchange.write(selection.cases, to: folder, kernels: kernels)
    var taking: [Rival] = []
    for rival in rivals where try check(rival, &result) { taking.append(rival) }
    let contenders = contenders(result)
    let lists = taking.map { ($0, contenders[$0] ?? []) }.filter { !$0.1.isEmpty }
    for round in stride(from: 1, through: rounds, by: 1) where !lists.isEmpty {
      progress("round \(round) of \(rounds)")
      var before = try ours(lists[0].1, &result)
      for (place, (rival, ids)) in lists.enumerated() {
        let first = try visit(rival, ids)
        let second = try visit(rival, ids)
        let next = place + 1 < lists.count ? lists[place + 1].1 : []
        let after = try ours(ids.union(next), &result)
        pair(rival, before, first, &result)
        pair(rival, after, second, &result)
        before = after
      }
    }
    return result
  }

  // MARK: - Steps

  private func check(_ rival: Rival, _ result: inout ComparisonResult) throws -> Bool {
    progress("\(rival.title): comparing outputs and gradients, trying its implementations")
    let lines: [Line]
    do {
      lines = try runner.run(
        python,
        arguments(rival, ids: nil) + ["--check", "--known", try known(result), "--seconds", "\(min(seconds, 0.2))"],
        log: rival.rawValue)
    } catch let error as BenchError {
      result.remarks.append("\(rival.title) is left out: \(error)")
      return false
    }
    for line in lines {
      if let version = line.version { result.versions[rival] = version }
      let name = "\(line.bench ?? "")/\(line.figure ?? "") \(rival.title) (\(line.variant ?? ""))"
      if let error = line.error { result.remarks.append("\(name): not possible: \(error)") }
      if let check = line.check, let difference = line.difference, let passed = line.passed {
        result.checks += 1
        if passed {
          result.differences[check] = max(result.differences[check] ?? 0, difference)
        } else {
          result.remarks.append("\(name): \(check) differ by \(difference); not timed")
        }
      }
      if let found = line.measurement, let index = result.index(of: found.id) {
        result.figures[index].contests[rival] = ComparisonResult.Contest(
          variant: found.variant, first: found.milliseconds)
      }
    }
    return true
  }

  /// Writes a file with the best times so far, so that implementations which are much slower can be skipped.
  private func known(_ result: ComparisonResult) throws -> String {
    var times: [String: Double] = [:]
    for figure in result.figures { times[figure.id] = figure.contests.values.map(\.first).min() }
    let path = folder + "/known.json"
    try JSONEncoder().encode(times).write(to: URL(fileURLWithPath: path))
    return path
  }

  /// The figures on which each rival is timed.
  private func contenders(_ result: ComparisonResult) -> [Rival: Set<String>] {
    var lists: [Rival: Set<String>] = [:]
    for figure in result.figures {
      guard let best = figure.contests.values.map(\.first).min() else { continue }
      for (rival, contest) in figure.contests
      where contest.first <= Self.contention * best || Bar.all.contains(where: { $0.needs(rival, figure) }) {
        lists[rival, default: []].insert(figure.id)
      }
    }
    return lists
  }

  private func ours(_ ids: Set<String>, _ result: inout ComparisonResult) throws -> [String: Measurement] {
    let lines = try runner.run(
      Bundle.main.executablePath ?? CommandLine.arguments[0],
      [
        "--json", "--threads", "\(kernels.threads)", "--seconds", "\(seconds)", "--case",
        ids.sorted().joined(separator: ","),
      ],
      log: "ours")
    guard let peak = lines.lazy.compactMap(\.peak).first else { throw BenchError("lstm-bench did not print its peak") }
    result.peaks.append(peak)
    result.kernels = lines.lazy.compactMap(\.kernels).first ?? ""
    var found: [String: Measurement] = [:]
    for measurement in lines.compactMap(\.measurement) {
      found[measurement.id] = measurement
      guard let index = result.index(of: measurement.id) else { continue }
      result.figures[index].ours.append(measurement)
      result.figures[index].peakShares.append(
        result.figures[index].operations / (measurement.milliseconds * 1e-3) / peak)
    }
    return found
  }

  private func visit(_ rival: Rival, _ ids: Set<String>) throws -> [Measurement] {
    try runner.run(python, arguments(rival, ids: ids) + ["--seconds", "\(seconds)"], log: rival.rawValue)
      .compactMap(\.measurement)
  }

  private func pair(
    _ rival: Rival, _ ours: [String: Measurement], _ theirs: [Measurement], _ result: inout ComparisonResult
  ) {
    for measurement in theirs {
      guard let own = ours[measurement.id], let index = result.index(of: measurement.id) else { continue }
      result.figures[index].contests[rival]?.ratios.append(measurement.milliseconds / own.milliseconds)
      result.figures[index].contests[rival]?.milliseconds.append(measurement.milliseconds)
      if let p99 = measurement.p99 { result.figures[index].contests[rival]?.p99.append(p99) }
    }
  }

  private var runner: Runner { Runner(threads: kernels.threads, folder: folder) }

  private func arguments(_ rival: Rival, ids: Set<String>?) -> [String] {
    [
      scripts + "/" + rival.script, folder, "--threads", "\(kernels.threads)", "--choices",
      folder + "/\(rival.rawValue).json", "--only",
      (ids.map(Array.init) ?? selection.ids).sorted().joined(separator: ","),
    ]
  }
}
