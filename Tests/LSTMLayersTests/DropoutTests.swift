import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Dropout masks against plain loops: one factor at a time, one sequence at a time.
@Suite struct DropoutTests {
  /// The factors of a row: two from each random number, the first from its high half.
  static func factors(_ draw: Regularization.Draw, _ purpose: Regularization.Draw.Purpose, _ place: Int, _ row: Int)
    -> (_ count: Int, _ probability: Float) -> [Float]
  {
    var random = draw.stream(purpose, place, row).random
    return { count, probability in
      var list: [Float] = []
      while list.count < count {
        let bits = random.next()
        for half in [bits >> 32, bits & 0xffff_ffff] {
          list.append(Double(half) * 0x1p-32 < Double(probability) ? 0 : Float(1 / (1 - Double(probability))))
        }
      }
      return Array(list.prefix(count))
    }
  }

  @Test(arguments: PlainPassTests.lengths, [(0, 0.5), (0.25, 0), (0.25, 0.5)] as [(Float, Float)])
  func masksMatchThePlainLoop(_ lengths: [Int], _ p: (locked: Float, elements: Float)) {
    for width in [1, 7, 129] { matchesThePlainLoop(width, lengths, p) }
  }

  private func matchesThePlainLoop(_ width: Int, _ lengths: [Int], _ p: (locked: Float, elements: Float)) {
    let shape = PackedShape(count: lengths.count, steps: lengths.max() ?? 0, lengths: lengths)
    let draw = Regularization.Draw(Regularization(), seed: 3, step: 7)
    let mask = DropoutMask()
    mask.draw(
      draw, place: 2, width: width, shape: shape, lockedProbability: p.locked, probability: p.elements, kernels: .best)
    for b in 0..<shape.count {
      let sequence = shape.order[b]
      let common = Self.factors(draw, .locked, 2, sequence)(width, p.locked)
      let own = Self.factors(draw, .elements, 2, sequence)
      for t in 0..<shape.lengths[b] {
        let step = own(width, p.elements)
        let found = mask.factors(row: shape.offsets[t] + b, sequence: sequence, width: width)
        for j in 0..<width {
          let wanted = (p.locked > 0 ? common[j] : 1) * (p.elements > 0 ? step[j] : 1)
          #expect(found[j] == wanted, "step \(t) of sequence \(sequence)")
        }
      }
    }
  }

  @Test(arguments: [1, 7, 129]) func droppedRecurrentWeightsMatchThePlainLoop(_ size: Int) throws {
    let configuration = ModelConfiguration(input: .features(size: 2), layers: [.init(hiddenSize: size)])
    let network = Network(LSTMModel(configuration, seed: 1))
    let direction = network.directions[0][0]
    let draw = Regularization.Draw(.init(weightDrop: 0.4), seed: 2, step: 1)
    direction.dropRecurrentWeight(draw, index: 3)
    let weight = network.weights.values(direction.parameters.recurrentWeight)
    direction.droppedRecurrentGradient.zero(weight.count)
    var gradient = [Float](repeating: 1, count: weight.count)
    for j in weight.indices { direction.droppedRecurrentGradient.pointer[j] = Float(j) }
    direction.addDroppedRecurrentGradient(to: &gradient)
    for row in 0..<4 * size {
      for (column, factor) in Self.factors(draw, .weight, 3, row)(size, 0.4).enumerated() {
        let at = row * size + column
        #expect(direction.droppedRecurrentWeight.pointer[at] == weight[at] * factor)
        #expect(gradient[at] == 1 + factor * Float(at))
      }
    }
  }
}
