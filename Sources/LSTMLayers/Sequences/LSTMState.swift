import LSTMCheckpoints

/// The hidden and cell states of every layer and direction, in PyTorch's order: layer 0 forward, layer 0 reverse,
/// layer 1 forward, ...
public struct LSTMState: Sendable, Equatable {
  /// One (N, P or H) per layer and direction.
  public var hidden: [Tensor]
  /// One (N, H) per layer and direction.
  public var cell: [Tensor]

  /// From the states of each layer and direction.
  /// - Parameters:
  ///   - hidden: one (N, P or H) per layer and direction.
  ///   - cell: one (N, H) per layer and direction.
  public init(hidden: [Tensor], cell: [Tensor]) {
    self.hidden = hidden
    self.cell = cell
  }

  /// PyTorch's h_n (L * D, N, P or H); nil if the layers differ in size.
  public var stackedHidden: Tensor? { stack(hidden) }
  /// PyTorch's c_n (L * D, N, H); nil if the layers differ in size.
  public var stackedCell: Tensor? { stack(cell) }

  /// From PyTorch's h_0 (L * D, N, P or H) and c_0 (L * D, N, H).
  /// - Throws: `ShapeError` when one of them does not have three dimensions.
  public init(stackedHidden: Tensor, stackedCell: Tensor) throws(ShapeError) {
    for tensor in [stackedHidden, stackedCell] where tensor.shape.count != 3 {
      throw ShapeError(what: "state", expected: "(layers * directions, N, size)", found: "\(tensor.shape)")
    }
    hidden = unstack(stackedHidden)
    cell = unstack(stackedCell)
  }
}

private func stack(_ tensors: [Tensor]) -> Tensor? {
  guard let first = tensors.first, tensors.allSatisfy({ $0.shape == first.shape }) else { return nil }
  return Tensor(shape: [tensors.count] + first.shape, values: tensors.flatMap(\.values))
}

private func unstack(_ tensor: Tensor) -> [Tensor] {
  let shape = Array(tensor.shape.dropFirst())
  let size = shape.reduce(1, *)
  return (0..<tensor.shape[0]).map { index in
    Tensor(shape: shape, values: Array(tensor.values[index * size..<(index + 1) * size]))
  }
}

extension ModelConfiguration {
  /// The widths of h and c for each layer and direction.
  var stateSizes: [(hidden: Int, cell: Int)] {
    recurrentLayers.flatMap { layer in
      [(hidden: Int, cell: Int)](
        repeating: (layer.kind.stateSize, layer.kind.cell == .lstm ? layer.kind.size : 0), count: layer.kind.directions)
    }
  }
}
