import LSTMCheckpoints
import LSTMLayers

extension LSTMModel {
  /// A line for each parameter that has NaN or infinite values.
  func nonFiniteNotes() throws -> [String] {
    let watch = NonFiniteWatch()
    for (index, slot) in parameters.slots.enumerated() {
      let tensor = StoredTensor(name: slot.name, shape: slot.specification.shape, values: parameters.values(index))
      try watch.watching(tensor).forEachPiece { _ in }
    }
    return watch.notes()
  }
}

extension Console {
  /// Outputs that are NaN are no surprise then.
  func warnOfNonFinite(_ model: LSTMModel, file: String) throws {
    for note in try model.nonFiniteNotes() { warn("\(file): \(note)") }
  }
}
