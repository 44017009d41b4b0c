import FileIO

/// Where a mask hides a step of all that they read, Keras 3's `Multiply` gives zeros, and its `Maximum` and `Minimum` give what
/// the first of them has there; what has no mask alone counts at a step that is hidden from the others.
extension KerasGraphReading {
  /// - Throws: `CheckpointError` when something reads such steps: here they would be merged like all others.
  func checkMerged(_ outputs: [String]) throws(CheckpointError) {
    guard let mask, let layer = mergedWithMasks else { return }
    let isRead = stepUses.contains { $0.clock == mask.input && !$0.respectsMask }
    let isGiven = outputs.contains { name in values[name].map { $0.isPerStep && $0.clock == mask.input } ?? false }
    if isRead || isGiven {
      let does: Message =
        layer.className == "Multiply"
        ? "multiplies steps that \(mask.layer.text) hides, which Keras 3 replaces by zeros or ones"
        : "compares steps that \(mask.layer.text) hides, of which Keras 3 takes one value only"
      throw unsupported(layer, does + ", and others read: there is no counterpart here")
    }
  }
}
