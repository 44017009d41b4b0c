import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Every readout, forward and backward, against plain loops over one sequence at a time in double precision.
@Suite struct ReadoutTests {
  typealias Rows = [[Double]]
  /// One step, one sequence, and lengths that differ.
  static let lengths = [[1], [6], [1, 1, 1], [2, 5, 1, 5, 3]]

  @Test(arguments: PlainStack.Readout.allCases.filter { $0 != .all }, [1, 7, 129])
  func matchesThePlainLoop(_ kind: PlainStack.Readout, size: Int) throws {
    // What a layer that runs in reverse gives is tested with the whole network.
    let reversed = size..<size
    let layer: any LayerKind =
      kind == .attention ? Layer.Attention() : Layer.Readout(.init(rawValue: kind.rawValue) ?? .undecided)
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: size))], layers: [Layer("attention", layer)])
    let weights = ParameterStore(configuration.parameters)
    var random = RandomNumbers(seed: UInt64(size))
    let w = (0..<size).map { _ in random.normal() / Float(size).squareRoot() }
    if kind == .attention { weights.set(0, w) }
    let network = Network(configuration, weights: weights, kernels: .best)
    for lengths in Self.lengths {
      let (count, steps) = (lengths.count, lengths.max() ?? 0)
      let x = (0..<count * steps * size).map { _ in random.normal() }
      let given = (0..<count * size).map { _ in random.normal() }
      let gradients = ParameterStore(configuration.parameters)
      let batch = try SequenceBatch(Tensor(shape: [count, steps, size], values: x), lengths: lengths)
      let y = try network.forward(batch).values
      let dx = try #require(
        try network.backward(
          Tensor(shape: [count, size], values: given), into: gradients, trainable: gradients.slots.map { _ in true },
          wantsInput: true)
      ).input.values
      var wantedSlope = [Double](repeating: 0, count: size)
      for b in 0..<count {
        let places = (0..<lengths[b]).map { (b * steps + $0) * size }
        let sequence = places.map { x[$0..<$0 + size].map(Double.init) }
        let d = given[b * size..<(b + 1) * size].map(Double.init)
        let wanted = Self.plain(kind, sequence, d, w.map(Double.init), reversed)
        for j in 0..<size {
          #expect(abs(Double(y[b * size + j]) - wanted.y[j]) <= 2e-6, "\(lengths)")
          wantedSlope[j] += wanted.dw[j]
        }
        for (place, row) in zip(places, wanted.dx) {
          #expect(row.indices.allSatisfy { abs(Double(dx[place + $0]) - row[$0]) <= 1e-5 }, "\(lengths)")
        }
      }
      guard kind == .attention else { continue }
      #expect(zip(gradients.values(0), wantedSlope).allSatisfy { abs(Double($0) - $1) <= 1e-5 * (1 + abs($1)) })
    }
  }

  /// - Returns: the readout (S), dL/dx (T, S) for dL/dy = d, and dL/dw (S) of the attention's weight.
  static func plain(
    _ kind: PlainStack.Readout, _ x: Rows, _ d: [Double], _ w: [Double], _ reversed: Range<Int>
  ) -> (y: [Double], dx: Rows, dw: [Double]) {
    let (last, columns) = (x.count - 1, d.indices)
    // For each column, how much of each step's value the readout has.
    var share = x.map { _ in [Double](repeating: 0, count: d.count) }
    var dw = [Double](repeating: 0, count: d.count)
    var slopes = [Double](repeating: 0, count: x.count)
    for j in columns {
      switch kind {
      case .all: break
      case .last: share[last][j] = 1
      case .final: share[reversed ~= j ? 0 : last][j] = 1
      case .mean: for t in x.indices { share[t][j] = 1 / Double(x.count) }
      case .max: share[x.indices.reduce(0) { x[$1][j] > x[$0][j] ? $1 : $0 }][j] = 1
      case .attention:
        let a = RowTests.softmax(x.map { row in zip(w, row).reduce(0) { $0 + $1.0 * $1.1 } })
        for t in x.indices { share[t][j] = a[t] }
      }
    }
    let y = columns.map { j in x.indices.reduce(0) { $0 + share[$1][j] * x[$1][j] } }
    if kind == .attention {
      for t in x.indices { slopes[t] = share[t][0] * columns.reduce(0) { $0 + d[$1] * (x[t][$1] - y[$1]) } }
      for j in columns { dw[j] = x.indices.reduce(0) { $0 + slopes[$1] * x[$1][j] } }
    }
    return (y, x.indices.map { t in columns.map { share[t][$0] * d[$0] + slopes[t] * w[$0] } }, dw)
  }
}
