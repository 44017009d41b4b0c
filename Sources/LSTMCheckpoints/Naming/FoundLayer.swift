/// One LSTM layer as a file names it.
struct FoundLayer {
  let module: String
  let index: Int
  /// [kind][reverse]
  var tensors: [PyTorchName.Kind: [Bool: ModelResolution.Candidate]] = [:]

  var isBidirectional: Bool { tensors.values.contains { $0[true] != nil } }
  func has(_ kind: PyTorchName.Kind) -> Bool { tensors[kind] != nil }

  /// H by vote: every tensor with 4H rows has a say, so that one wrong shape is found wrong, not believed.
  var hiddenSize: Int {
    var votes: [Int: Int] = [:]
    for kind in [PyTorchName.Kind.inputWeight, .recurrentWeight, .inputBias, .recurrentBias] {
      for candidate in (tensors[kind] ?? [:]).values {
        guard let rows = candidate.shape.first, rows >= 4, rows % 4 == 0 else { continue }
        votes[rows / 4, default: 0] += kind == .recurrentWeight ? 2 : 1
        if kind == .recurrentWeight, candidate.shape == [rows, rows / 4] { votes[rows / 4, default: 0] += 1 }
      }
    }
    return votes.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? 1
  }

  /// P or H.
  var stateSize: Int {
    for candidate in (tensors[.projection] ?? [:]).values {
      if let rows = candidate.shape.first, rows > 0 { return rows }
    }
    return hiddenSize
  }

  var outputSize: Int { stateSize * (isBidirectional ? 2 : 1) }
}
