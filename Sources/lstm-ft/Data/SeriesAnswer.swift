import LSTMFineTuning
import LSTMReports

/// What was found about a table's rows, for machines.
struct SeriesAnswer: Encodable {
  struct Filled: Encodable {
    let column: String
    let count: Int
  }

  let times: [TimeFindings]
  let idColumns: [String]
  let ids: [[String]]
  let filled: [Filled]
  /// Windows that are left out since a target of theirs was filled in.
  let unscoredWindows: Int
}

extension SeriesData {
  /// nil where there is nothing to tell.
  var answer: SeriesAnswer? {
    guard !findings.isEmpty || !idColumns.isEmpty || !filled.isEmpty else { return nil }
    return SeriesAnswer(
      times: findings, idColumns: idColumns, ids: parts.map(\.id),
      filled: filled.map { .init(column: $0.column, count: $0.count) }, unscoredWindows: unscoredWindows)
  }

  /// Lines for people about rows, and about what is not scored.
  /// - Parameter isKnown: whether the model was trained on such a table, so that only what is odd is said.
  func rowNotes(scores: Bool, isKnown: Bool = false) -> [String] {
    var lines = notes.map(\.spelled)
    if isKnown { lines.removeAll { line in findings.contains { line.hasSuffix($0.summary) } } }
    if parts.count > 1, !isKnown {
      lines.append(
        "\(idColumns.joined(separator: ", ")): \(parts.count) series, \(parts.prefix(4).map(\.name).joined(separator: "; "))\(parts.count > 4 ? "; ..." : ""); no window reaches over two"
      )
    }
    if scores, unscoredWindows > 0 {
      lines.append("\(plural(unscoredWindows, "window")) left out, since a target of theirs was filled in")
    }
    return lines
  }
}
