import FileIO

/// Keras 3's `Multiply` gives zeros where a mask hides a step of all that it multiplies, and leaves out what has one alone.
extension KerasGraphReading {
  /// - Throws: `CheckpointError` when something reads such steps: here they would be the product.
  func checkMultiplied(_ outputs: [String]) throws(CheckpointError) {
    guard let mask, let layer = multiplied else { return }
    let isRead = stepUses.contains { $0.clock == mask.input && !$0.respectsMask }
    let isGiven = outputs.contains { name in values[name].map { $0.isPerStep && $0.clock == mask.input } ?? false }
    if isRead || isGiven {
      throw unsupported(
        layer,
        "multiplies steps that \(mask.layer.text) hides, which Keras 3 replaces by zeros or ones, and others read: there is no "
          + "counterpart here")
    }
  }
}
