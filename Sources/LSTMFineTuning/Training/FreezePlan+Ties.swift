import FileIO
import LSTMCheckpoints

extension FreezePlan {
  /// A line for each tied parameter: that it is one, and which of the selectors that name it decides.
  static func tieNotes(
    _ parameters: [ParameterSpecification], _ trainable: [Bool], freezing: [String], rates: [LearningRateOverride],
    lora: LoRA?
  ) -> [Message] {
    var notes: [Message] = []
    for (index, parameter) in parameters.enumerated() where !parameter.tied.isEmpty {
      func isNamed(_ selector: String) -> Bool {
        (try? Selection(selector, of: parameters))?.indices.contains(index) ?? false
      }
      let names = parameter.places.map(\.name).joined(separator: " and ")
      var note: Message = "\(names) are one parameter (tied), " + (trainable[index] ? "trained" : "frozen") + " as one"
      if !trainable[index], let selector = freezing.first(where: isNamed) {
        note += ", by \(.freezing, selector)"
      } else if !trainable[index], lora != nil {
        note += ", and no adapter can be put on it; \(.unfreezing, "embedding") trains it itself"
      }
      let own = rates.filter { isNamed($0.selector) }
      if let last = own.last, Set(own.map(\.learningRate)).count > 1 {
        note += "; of its rates the last counts, that of \(last.selector)"
      }
      notes.append(note)
    }
    return notes
  }
}
