import FileIO

/// Transitions of a CRF whose tags include the start and the end of a sequence: one matrix, in which what may not follow has
/// a score of -10000. Nothing goes to the start, and nothing comes from the end.
struct TagTransitions {
  /// The tag that stands for the start.
  let start: Int
  /// The tag that stands for the end.
  let end: Int
  /// Whether scores are from column to row.
  let isFromColumn: Bool
  private let candidate: Candidate

  /// What nobody learns in a score.
  private static let never = -1000.0

  /// nil when it has no such row and column.
  init?(_ candidate: Candidate) {
    guard candidate.shape.count == 2, candidate.shape[0] == candidate.shape[1], 3...1000 ~= candidate.shape[0],
      candidate.tensor.dataType.isFloatingPoint, let values = try? candidate.tensor.doubles()
    else { return nil }
    let size = candidate.shape[0]
    let rows = (0..<size).filter { row in (0..<size).allSatisfy { values[row * size + $0] <= Self.never } }
    let columns = (0..<size).filter { column in (0..<size).allSatisfy { values[$0 * size + column] <= Self.never } }
    guard rows.count == 1, columns.count == 1, rows != columns else { return nil }
    self.candidate = candidate
    // A start is counted before an end.
    isFromColumn = rows[0] < columns[0]
    (start, end) = (min(rows[0], columns[0]), max(rows[0], columns[0]))
  }

  /// The three tensors of a CRF that has scores of first and last tags.
  private var parts: [Candidate] {
    let (module, _) = candidate.name.moduleAndLeaf
    let stem = module.isEmpty ? "" : module + "."
    let tensor = isFromColumn ? candidate.tensor.transposed() : candidate.tensor
    let source = candidate.tensor.name
    let outer = source.moduleAndLeaf.module
    // An export must not have the source's name for what is another matrix.
    let named = outer.isEmpty ? "crf." : module.isEmpty ? outer + ".crf." : outer + "."
    func part(_ name: String, _ tensor: StoredTensor, _ how: String?) -> Candidate {
      Candidate(name: stem + name, tensor: tensor.renamed(named + name), how: how)
    }
    return [
      part("transitions", tensor, isFromColumn ? "\(source), transposed" : source),
      part("start_transitions", tensor.element(start), "\(source) from tag \(start), the start"),
      part("end_transitions", tensor.transposed().element(end), "\(source) to tag \(end), the end"),
    ]
  }

  /// The candidates with such a matrix as the parts of a CRF, and what that takes for granted.
  static func expanding(_ candidates: [Candidate]) -> (candidates: [Candidate], assumed: [Assumption]) {
    var assumed: [Assumption] = []
    let modules = Set(candidates.map { $0.name.moduleAndLeaf.module + "|" + $0.name.moduleAndLeaf.leaf })
    let all = candidates.flatMap { candidate -> [Candidate] in
      let (module, leaf) = candidate.name.moduleAndLeaf
      guard leaf == "transitions", !modules.contains(module + "|start_transitions"),
        let tags = TagTransitions(candidate)
      else { return [candidate] }
      assumed.add(
        "\(candidate.tensor.name) has scores from \(tags.isFromColumn ? "column to row" : "row to column"), with tag "
          + "\(tags.start) for the start and tag \(tags.end) for the end of a sequence, as its scores of -10000 say")
      return tags.parts
    }
    return (all, assumed)
  }
}
