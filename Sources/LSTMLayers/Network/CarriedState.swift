import LSTMCheckpoints

/// h and c of every layer for a number of streams, carried from one pass to the next, as truncated backpropagation through
/// time needs between chunks. Allocated once; passes read and write it in place.
///
/// Not thread-safe.
public final class CarriedState {
  /// N
  public let streams: Int
  let sizes: [(hidden: Int, cell: Int)]
  /// For each layer, h (N, P or H) and c (N, H).
  let hidden: [FloatBuffer]
  let cell: [FloatBuffer]

  /// Zero states for a number of streams.
  /// - Parameter streams: N, at least 1.
  /// - Throws: `ShapeError` when the model has a layer that runs in reverse: its state comes from the end of the
  ///   sequence and cannot be carried into the next chunk. Or one whose windows would reach over the ends of chunks.
  public init(_ configuration: ModelConfiguration, streams: Int) throws(ShapeError) {
    if let layer = configuration.recurrentLayers.first(where: { $0.kind.isBidirectional || $0.kind.isReversed }) {
      throw ShapeError(
        what: "carried state", expected: "layers that run forward only",
        found: layer.kind.isBidirectional
          ? "\(layer.name), which is bidirectional: its reverse direction starts at the end of a sequence"
          : "\(layer.name), which starts at the end of a sequence")
    }
    for layer in configuration.layers {
      // A window of the chunk before is not carried.
      switch layer.kind {
      case let kind as Layer.Convolution
      where kind.kernel[0] == 1 && kind.stride[0] == 1 && kind.pad.allSatisfy { $0 == 0 }:
        continue
      case let kind as Layer.Pooling where kind.window[0] == 1 && kind.stride.first ?? 1 == 1: continue
      case is Layer.Convolution, is Layer.Pooling:
        throw ShapeError(
          what: "carried state", expected: "layers that read one step at a time",
          found: "\(layer.name), whose windows reach over the ends of chunks")
      default: continue
      }
    }
    guard streams > 0 else {
      throw ShapeError(what: "carried state", expected: "at least one stream", found: "\(streams)")
    }
    self.streams = streams
    sizes = configuration.stateSizes
    hidden = sizes.map { FloatBuffer(streams * $0.hidden) }
    cell = sizes.map { FloatBuffer(streams * $0.cell) }
    reset()
  }

  /// Sets all states to zero, as at the beginning of an epoch.
  public func reset() {
    for (index, size) in sizes.enumerated() {
      hidden[index].zero(streams * size.hidden)
      cell[index].zero(streams * size.cell)
    }
  }

  /// A copy: h (N, P or H) and c (N, H) for each layer. Training continued after `set` with this copy is bit-identical to
  /// an uninterrupted run.
  public var state: LSTMState {
    func tensor(_ buffer: FloatBuffer, _ width: Int) -> Tensor {
      Tensor(
        shape: [streams, width],
        values: [Float](UnsafeBufferPointer(start: buffer.pointer, count: streams * width)))
    }
    return LSTMState(
      hidden: zip(hidden, sizes).map { tensor($0, $1.hidden) }, cell: zip(cell, sizes).map { tensor($0, $1.cell) })
  }

  /// Restores states that were copied earlier.
  /// - Throws: `ShapeError` when the shapes differ; nothing is changed then.
  public func set(_ state: LSTMState) throws(ShapeError) {
    for (tensors, widths, name) in [
      (state.hidden, sizes.map(\.hidden), "h"), (state.cell, sizes.map(\.cell), "c"),
    ] {
      let (found, expected) = (tensors.map(\.shape), widths.map { [streams, $0] })
      guard found == expected else {
        throw ShapeError(what: "carried \(name)", expected: "\(expected)", found: "\(found)")
      }
    }
    for (buffers, tensors) in [(hidden, state.hidden), (cell, state.cell)] {
      for (buffer, tensor) in zip(buffers, tensors) {
        for (place, value) in tensor.values.enumerated() { buffer.pointer[place] = value }
      }
    }
  }
}
