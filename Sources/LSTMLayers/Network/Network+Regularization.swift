extension Network {
  /// The penalties of the last pass, which the caller adds to the loss; `backward` adds their gradients. Zero without
  /// regularization.
  public var penalty: Regularization.Penalty { regularized.penalty }

  /// Draws the dropout masks of a pass, after `begin`.
  /// - Throws: `ShapeError` when a probability is out of range.
  func beginRegularization(_ draw: Regularization.Draw?, _ sites: Regularization.Sites) throws(ShapeError) {
    guard let draw, !draw.regularization.isOff else { return }
    try draw.regularization.validate()
    regularized.turnOn(draw, sites)
  }
}
