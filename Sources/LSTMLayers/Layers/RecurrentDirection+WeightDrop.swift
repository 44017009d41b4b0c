extension LSTMDirection {
  /// Makes the following passes use a copy of the recurrent weight with some elements zeroed and the others scaled:
  /// DropConnect (Wan et al. 2013) as in AWD-LSTM. The weight itself does not change.
  /// - Parameter index: the direction's number among all layers' directions.
  func dropRecurrentWeight(_ draw: Regularization.Draw, index: Int) {
    let (g, s) = (gateSize, stateSize)
    let weight = weights.pointer(parameters.recurrentWeight)
    let probability = draw.regularization.weightDrop
    recurrentFactors.reserve(g * s)
    droppedRecurrentWeight.reserve(g * s)
    let parts = kernels.parts(g * s, each: 1 << 14)
    parallel(parts) { part in
      for row in share(g, multiple: 1, part: part, of: parts) {
        let factors = recurrentFactors.pointer + row * s
        let dropped = droppedRecurrentWeight.pointer + row * s
        var stream = draw.stream(.weight, index, row)
        stream.fill(factors, count: s, dropping: probability)
        for j in 0..<s { dropped[j] = weight[row * s + j] * factors[j] }
      }
    }
    useRecurrentWeight(dropped: true)
  }

  /// Adds the dropped copy's gradient, multiplied by its factors, to the weight's.
  func addDroppedRecurrentGradient(to gradient: UnsafeMutablePointer<Float>) {
    let count = gateSize * stateSize
    let parts = kernels.parts(count, each: 1 << 14)
    parallel(parts) { part in
      for j in share(count, multiple: 16, part: part, of: parts) {
        gradient[j] += recurrentFactors.pointer[j] * droppedRecurrentGradient.pointer[j]
      }
    }
  }
}
