import LSTMCheckpoints
import LSTMLayers

/// The output of a model that gives a fixed number of steps, such as a decoder's forecast, for targets of one row a
/// sequence: its steps side by side, (N, S, O) -> (N, S * O).
final class FlatOutput {
  private let rows = GrowingBuffer<Float>()
  private let gradient = GrowingBuffer<Float>()

  /// Values of a sequence, when a network's output is read so; nil when it is read as it is.
  static func width(_ network: Network, _ index: Int = 0, _ targets: SequenceData.Targets) -> Int? {
    guard let width = network.flatOutputSize(index), case .values(_, width, perStep: false) = targets else {
      return nil
    }
    return width
  }

  /// The rows of the last pass in the order of the batch.
  func flatten(_ output: Network.Output, of network: Network, _ index: Int, count: Int, width: Int) -> Network.Output {
    let to = rows.reserve(count * width)
    network.forEachOutputRow(index) { row, sequence, step in
      (to + sequence * width + step * output.width).update(from: output.rows + row * output.width, count: output.width)
    }
    return Network.Output(rows: to, count: count, width: width)
  }

  /// Memory for the gradient of the flat rows.
  func makeGradient(count: Int) -> UnsafeMutablePointer<Float> { gradient.reserve(count) }

  /// The gradient of the network's own rows from that of the flat ones.
  func unflatten(
    _ output: Network.Output, of network: Network, _ index: Int, width: Int, into rows: UnsafeMutablePointer<Float>
  ) {
    let from = gradient.pointer
    network.forEachOutputRow(index) { row, sequence, step in
      (rows + row * output.width).update(from: from + sequence * width + step * output.width, count: output.width)
    }
  }
}

extension ModelConfiguration {
  /// Values of a sequence, of a model that gives a fixed number of steps which are not its input's; nil for any other.
  package var flatOutputSize: Int? {
    guard output.isPerStep, output.clock != 0, let steps = output.steps else { return nil }
    return steps * output.width
  }

  /// Steps of the output, of a model that gives so many whatever it reads; nil for any other.
  package var fixedOutputSteps: Int? { flatOutputSize.map { $0 / max(output.width, 1) } }
}
