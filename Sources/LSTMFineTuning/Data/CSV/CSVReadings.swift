import FileIO

/// What is known of the ways in which a table's columns are written, found when it is first asked for: a column without
/// doubts never needs the others.
final class CSVReadings: Sendable {
  struct Survey {
    var evidence: [CSVEvidence]
    var hasEuropeanDates: Bool
  }

  private struct State {
    var survey: Survey?
    var notes: [Int: [CSVNote]] = [:]
  }

  private let state = Monitor(State())

  /// What is known of all columns, found by `survey` the first time.
  func survey(_ find: () -> Survey) -> Survey {
    state.update { state in
      if let survey = state.survey { return survey }
      let survey = find()
      state.survey = survey
      return survey
    }
  }

  /// What was decided of the columns read so far, in their order.
  var notes: [CSVNote] { state.update { state in state.notes.sorted { $0.key < $1.key }.flatMap(\.value) } }

  func note(_ notes: [CSVNote], column: Int) { state.update { $0.notes[column] = notes } }
}
