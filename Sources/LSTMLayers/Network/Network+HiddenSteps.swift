import LSTMCheckpoints

extension Network {
  /// A network of the same weights whose outputs have a row at every step, as Keras gives them.
  /// - Throws: `ShapeError` naming a layer that gives none at a step that the mask hides.
  package func showingHiddenSteps() throws(ShapeError) -> Network {
    do {
      let shown = try configuration.showingHiddenSteps()
      return shown == configuration ? self : Network(shown, weights: weights, kernels: kernels)
    } catch {
      throw ShapeError(
        what: "mask", expected: "layers that give a row at every step",
        found: "\(error.layer ?? "the model"): \(error.detail)")
    }
  }
}
