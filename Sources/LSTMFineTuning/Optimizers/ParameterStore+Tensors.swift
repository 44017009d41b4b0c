import FileIO
import LSTMCheckpoints
import LSTMLayers

extension ParameterStore {
  /// The parameters as tensors, a prefix before their names.
  func tensors(_ prefix: String) -> [StoredTensor] {
    slots.indices.map { index in
      StoredTensor(
        name: prefix + slots[index].name, shape: slots[index].specification.shape, values: values(index))
    }
  }

  /// Restores the values that `tensors` returned.
  /// - Parameter tensor: finds one by its name.
  /// - Throws: `CheckpointError.corrupt` with this detail when one is missing or of another shape.
  func restore(_ prefix: String = "", orThrow detail: Message, _ tensor: (String) -> StoredTensor?) throws {
    for (index, slot) in slots.enumerated() {
      guard let found = tensor(prefix + slot.name), found.shape == slot.specification.shape else {
        throw CheckpointError.corrupt(tensor: prefix + slot.name, detail: detail)
      }
      set(index, try found.floats())
    }
  }
}
