import FileIO
import LSTMCheckpoints
import LSTMReports

/// The inputs and layers of a model.
func graphTable(_ configuration: ModelConfiguration) -> [String] {
  let rows = configuration.rows.map { row in
    [
      row.name, row.words, row.reads.joined(separator: ", "), row.output,
      row.parameters == 0 ? "" : grouped(row.parameters),
    ].map { printable($0, limit: 100) }
  }
  return table(rows, header: ["layer", "kind", "reads", "output", "parameters"], rightAligned: [4])
}
