import FileIO
import LSTMCheckpoints

extension SeriesData {
  /// Reads a table as the one that a model was fine-tuned on: the same columns, times, ids, window and horizon. No row
  /// needs to have another after it.
  /// - Parameter missing: how missing cells are filled.
  /// - Throws: `FineTuningError.badData` when the preprocessing knows no columns or no window; `CSVError` or `TableError`
  ///   when the table is another.
  public init(
    _ table: CSVTable, readAs preprocessing: Preprocessing, missing: MissingValuePolicy = .error
  ) throws {
    guard let features = preprocessing.features,
      let targets = preprocessing.reconstructs == true ? features : preprocessing.targets,
      let window = preprocessing.window
    else {
      throw FineTuningError.badData(
        file: table.file, detail: "the model does not know which columns and how many rows of a table it reads",
        advice: ["fine-tune it on a series first"])
    }
    func columns(_ known: [String]?) -> TableChoice.Columns {
      known.map { $0.isEmpty ? .none : .named($0) } ?? .detect
    }
    let choice = TableChoice(
      time: columns(preprocessing.timeColumns), id: columns(preprocessing.idColumns),
      order: preprocessing.dateOrder.flatMap(DateOrder.init), reserved: Set(features + targets))
    let ordered = try [OrderedTable(table, choice)]
    if preprocessing.reconstructs == true {
      try self.init(ordered, reconstructing: features, window: window, missing: missing)
      return
    }
    try self.init(
      ordered, features: features, targets: targets, window: window,
      horizon: preprocessing.horizon ?? 1, missing: missing, season: preprocessing.season ?? 1, needsHorizon: false)
  }
}
