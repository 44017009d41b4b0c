import LSTMFineTuning
import LSTMReports

/// Findings about a table's rows, for --json.
struct SeriesAnswer: Encodable {
  struct Filled: Encodable {
    let column: String
    let count: Int
  }

  let times: [TimeFindings]
  let idColumns: [String]
  let ids: [[String]]
  let filled: [Filled]
  /// Windows that are left out because a target in them was filled in.
  let unscoredWindows: Int
}

extension SeriesData {
  /// nil without findings.
  var answer: SeriesAnswer? {
    guard !findings.isEmpty || !idColumns.isEmpty || !filled.isEmpty else { return nil }
    return SeriesAnswer(
      times: findings, idColumns: idColumns, ids: parts.map(\.id),
      filled: filled.map { .init(column: $0.column, count: $0.count) }, unscoredWindows: unscoredWindows)
  }

  /// Notes about rows, and about windows that are not scored.
  /// - Parameter isKnown: whether the model was trained on such a table, so that only irregularities are reported.
  func rowNotes(scores: Bool, isKnown: Bool = false) -> [String] {
    var lines = notes.map(\.spelled)
    if isKnown { lines.removeAll { line in findings.contains { line.hasSuffix($0.summary) } } }
    if parts.count > 1, !isKnown {
      lines.append(
        "\(idColumns.joined(separator: ", ")): \(parts.count) series, \(parts.prefix(4).map(\.name).joined(separator: "; "))\(parts.count > 4 ? "; ..." : ""); no window crosses from one to another"
      )
    }
    if scores, unscoredWindows > 0 {
      lines.append("\(plural(unscoredWindows, "window")) left out, because a target in them was filled in")
    }
    return lines
  }
}
