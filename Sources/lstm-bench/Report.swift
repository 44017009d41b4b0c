import Foundation

/// The report of a comparison: a Markdown table and verdicts, or JSON.
struct Report {
  let result: ComparisonResult
  let threads: Int
  let rounds: Int

  var text: String {
    var lines: [String] = []
    let versions = result.versions.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.key.title) \($0.value)" }.joined(separator: ", ")
    lines.append("\(Machine.description); \(threads) threads, kernels \(result.kernels)")
    lines.append(
      String(
        format: "FMA peak %.0f GFLOP/s (%.0f to %.0f)", result.peaks.median / 1e9, (result.peaks.min() ?? 0) / 1e9,
        (result.peaks.max() ?? 0) / 1e9))
    lines.append("against \(versions); \(2 * rounds) pairs each")
    let differences = result.differences.sorted { $0.key < $1.key }
      .map { String(format: "%@ within %.1e", $0.key, $0.value) }.joined(separator: ", ")
    lines.append("\(result.checks) comparisons before timing: \(differences)")
    lines += result.remarks.map { "note: \($0)" }
    lines.append("")
    lines +=
      Table(
        ["case", "sizes", "figure", "ms", "GFLOP/s", "peak", "best rival", "ms", "ratio", "spread", "others"],
        result.figures.map(row)
      ).lines
    lines.append("")
    for verdict in verdicts {
      lines.append("\(verdict.met ? "met   " : "MISSED")  \(verdict.bar): \(verdict.found)")
    }
    return lines.joined(separator: "\n")
  }

  private var verdicts: [Bar.Verdict] { Bar.all.compactMap { $0.verdict(result) } }

  private func row(_ figure: ComparisonResult.Figure) -> [String] {
    var row = [figure.bench.name, figure.bench.shape, figure.figure.name]
    let isTimed = !figure.ours.isEmpty
    row.append(isTimed ? Self.milliseconds(figure.milliseconds) : "-")
    row.append(isTimed ? Self.rate(figure.operations / figure.milliseconds * 1e-6) : "-")
    row.append(isTimed ? String(format: "%.0f%%", 100 * figure.peakShares.median) : "-")
    guard let (best, contest) = figure.best else { return row + ["-", "-", "-", "-", ""] }
    let others = figure.contests.filter { $0.key != best }.sorted { $0.value.first < $1.value.first }
      .map { rival, other in
        // Rivals that were not timed in pairs have only the time from the comparison of outputs.
        other.ratios.isEmpty
          ? "\(rival.title) \(Self.milliseconds(other.first)) ms once"
          : "\(rival.title) \(times(other.ratios.median))"
      }
    return row + [
      "\(best.title)" + (contest.variant.map { " (\($0))" } ?? ""), Self.milliseconds(contest.milliseconds.median),
      times(contest.ratios.median),
      "\(times(contest.ratios.min() ?? 0)) to \(times(contest.ratios.max() ?? 0))", others.joined(separator: ", "),
    ]
  }

  static func milliseconds(_ value: Double) -> String {
    String(format: value < 0.1 ? "%.4f" : value < 10 ? "%.3f" : value < 100 ? "%.1f" : "%.0f", value)
  }

  static func rate(_ value: Double) -> String { String(format: value < 10 ? "%.1f" : "%.0f", value) }

  // MARK: JSON

  private struct Document: Encodable {
    struct Contest: Encodable {
      let variant: String?
      let milliseconds, ratio, p99: Double?
      let ratios: [Double]
      let checkMilliseconds: Double
    }

    struct Figure: Encodable {
      let `case`, sizes, figure: String
      let milliseconds, p99, firstEpochMilliseconds, peakShare: Double?
      let operations: Double
      let rivals: [String: Contest]
    }

    let machine, kernels: String
    let threads: Int
    let peak: Double
    let versions: [String: String]
    let differences: [String: Double]
    let remarks: [String]
    let figures: [Figure]
    let bars: [Bar.Verdict]
  }

  var json: String {
    get throws {
      func median(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.median }
      let figures = result.figures.map { figure in
        Document.Figure(
          case: figure.bench.name, sizes: figure.bench.shape, figure: figure.figure.name,
          milliseconds: median(figure.ours.map(\.milliseconds)), p99: median(figure.ours.compactMap(\.p99)),
          firstEpochMilliseconds: median(figure.ours.compactMap(\.firstEpoch)), peakShare: median(figure.peakShares),
          operations: figure.operations,
          rivals: Dictionary(
            uniqueKeysWithValues: figure.contests.map { rival, contest in
              (
                rival.rawValue,
                Document.Contest(
                  variant: contest.variant, milliseconds: median(contest.milliseconds), ratio: median(contest.ratios),
                  p99: median(contest.p99), ratios: contest.ratios, checkMilliseconds: contest.first)
              )
            }))
      }
      let document = Document(
        machine: Machine.description, kernels: result.kernels, threads: threads, peak: result.peaks.median,
        versions: Dictionary(uniqueKeysWithValues: result.versions.map { ($0.key.rawValue, $0.value) }),
        differences: result.differences, remarks: result.remarks, figures: figures, bars: verdicts)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
      return String(decoding: try encoder.encode(document), as: UTF8.self)
    }
  }
}

/// Markdown that also reads as plain text.
struct Table {
  let lines: [String]

  init(_ titles: [String], _ rows: [[String]]) {
    let widths = titles.indices.map { column in ([titles] + rows).map { $0[column].count }.max() ?? 0 }
    func line(_ cells: [String]) -> String {
      "| " + zip(cells, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: " | ")
        + " |"
    }
    lines =
      [line(titles), "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"]
      + rows.map(line)
  }
}

/// The machine on which figures are measured.
enum Machine {
  static let description: String = {
    let information = ProcessInfo.processInfo
    var name = "unknown processor"
    if let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) {
      let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
      name = line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? name
    }
    let memory = Double(information.physicalMemory) / 1e9
    return "\(name), \(information.activeProcessorCount) cores, \(String(format: "%.0f", memory)) GB"
  }()
}
