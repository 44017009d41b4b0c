/// One LSTM layer as a file names it.
struct FoundLayer {
  let module: String
  let index: Int
  var isCell = false
  /// [kind][reverse]
  var tensors: [RecurrentPart: [Bool: Candidate]] = [:]
  /// What a layer must look like of which the file has nothing, though it has one above it.
  var assumed: PlainStack.Layer?

  func has(_ kind: RecurrentPart) -> Bool { tensors[kind] != nil }

  func name(_ kind: RecurrentPart, isReverse: Bool) -> String {
    PyTorchName.text(module: module, kind: kind, layer: index, isCell: isCell, isReverse: isReverse)
  }

  /// The layer that these tensors belong to.
  var configuration: PlainStack.Layer {
    assumed
      ?? PlainStack.Layer(
        hiddenSize: hiddenSize, isBidirectional: tensors.values.contains { $0[true] != nil },
        projectionSize: projectionSize, bias: has(.recurrentBias) || has(.inputBias) ? .dual : .none,
        hasPeepholes: has(.peephole))
  }

  /// Whether the recurrent weight is (H, 4H), as in Keras, and not (4H, H).
  private var isTransposed: Bool {
    (tensors[.recurrentWeight] ?? [:]).values.contains {
      $0.shape.count == 2 && $0.shape[0] > 0 && $0.shape[1] / 4 == $0.shape[0] && $0.shape[1] % 4 == 0
    }
  }

  /// H by vote: every tensor has a say, so that one wrong shape is found wrong, not believed.
  private var hiddenSize: Int {
    var votes: [Int: Int] = [:]
    func vote(_ gates: Int?, _ weight: Int = 1) {
      guard let gates, gates >= 4, gates % 4 == 0, gates / 4 <= PlainStack.sizeLimit else { return }
      votes[gates / 4, default: 0] += weight
    }
    for kind in [RecurrentPart.inputWeight, .recurrentWeight] {
      for candidate in (tensors[kind] ?? [:]).values where candidate.shape.count == 2 {
        let (rows, columns) =
          isTransposed ? (candidate.shape[1], candidate.shape[0]) : (candidate.shape[0], candidate.shape[1])
        vote(rows, kind == .recurrentWeight && columns == rows / 4 ? 2 : 1)
      }
    }
    for kind in [RecurrentPart.inputBias, .recurrentBias] {
      for candidate in (tensors[kind] ?? [:]).values where candidate.shape.count == 1 { vote(candidate.shape[0]) }
    }
    return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 1
  }

  private var projectionSize: Int? {
    guard has(.projection) else { return nil }
    let rows = (tensors[.projection] ?? [:]).values.compactMap(\.shape.first)
    return rows.first { 1...PlainStack.sizeLimit ~= $0 } ?? 1
  }

  /// Width of what it reads; nil when no tensor tells.
  var inputSize: Int? {
    let weights = tensors[.inputWeight] ?? [:]
    guard let shape = (weights[false] ?? weights[true])?.shape, shape.count == 2 else { return nil }
    let gates = 4 * configuration.hiddenSize
    let width = shape[1] == gates && shape[0] != gates ? shape[0] : shape[1]
    return 1...PlainStack.sizeLimit ~= width ? width : nil
  }
}
