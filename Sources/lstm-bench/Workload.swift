import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The weights, inputs and targets of a case, the same in every process.
struct Workload {
  /// The length of the sequence that is fed one step at a time.
  static let streamSteps = 16

  let bench: BenchCase
  let model: LSTMModel
  let data: SequenceData
  let batch: SequenceBatch
  /// (streamSteps, I) for cases with a step figure, otherwise empty.
  let stream: [Float]

  /// - Parameter sequences: the number of different sequences; one batch if nil.
  init(_ bench: BenchCase, sequences: Int? = nil) throws {
    self.bench = bench
    model = LSTMModel(bench.configuration, seed: 1)
    bench.numbers.change(model)
    var random = RandomNumbers(seed: 2)
    let (count, steps, width) = (sequences ?? bench.batch, bench.steps, bench.model.input.size)

    var lengths: [Int]?
    if bench.shortest < steps {
      // Each batch has one of full length.
      lengths = (0..<count).map {
        $0 % bench.batch == 0 ? steps : Int.random(in: bench.shortest...steps, using: &random)
      }
    }
    func isValid(_ place: Int) -> Bool { lengths.map { place % steps < $0[place / steps] } ?? true }

    let inputs: SequenceData.Inputs
    switch bench.model.input {
    case .features:
      var values = (0..<count * steps * width).map { _ in random.normal() * bench.numbers.inputScale }
      if lengths != nil { for at in values.indices where !isValid(at / width) { values[at] = 0 } }
      inputs = .features(values, steps: steps, size: width)
    case .tokens(let vocabulary, _):
      inputs = .tokens(
        (0..<count * steps).map { Int32.random(in: 0..<Int32(vocabulary), using: &random) * (isValid($0) ? 1 : 0) },
        steps: steps)
    }
    let size = bench.model.outputSize
    let perStep = bench.model.readout == .all
    let rows = perStep ? count * steps : count
    let targets: SequenceData.Targets =
      if bench.loss == .crossEntropy {
        .classes(
          (0..<rows).map { row in
            let drawn = Int32.random(in: 0..<Int32(size), using: &random)
            return perStep && !isValid(row) ? SequenceData.ignored : drawn
          }, perStep: perStep)
      } else {
        .values((0..<rows * size).map { _ in random.normal() }, size: size, perStep: perStep)
      }
    data = try SequenceData(inputs: inputs, targets: targets, lengths: lengths)
    batch = try data.batch(0..<bench.batch)
    let streams = bench.figures.contains { $0.kind == .step }
    stream = streams ? (0..<Self.streamSteps * width).map { _ in random.normal() } : []
  }

  /// Valid steps of a batch.
  var stepCount: Int { data.selecting(0..<bench.batch).stepCount }
}

extension BenchCase {
  /// Valid steps of a batch.
  func stepCount() throws -> Int { shortest == steps ? batch * steps : try Workload(self).stepCount }
}

/// A loss and its gradient in double precision, directly from the formula, to check the training loss.
struct PlainLoss {
  let value: Double
  let gradient: Tensor

  /// The mean of squared errors, or of the cross-entropy of logits at targets that are not ignored.
  init(_ output: Tensor, _ targets: SequenceData.Targets) {
    let width = output.shape.last ?? 1
    var gradient = [Float](repeating: 0, count: output.values.count)
    var sum = 0.0
    switch targets {
    case .values(let values, _, _):
      for (at, (p, y)) in zip(output.values, values).enumerated() {
        let d = Double(p) - Double(y)
        sum += d * d
        gradient[at] = Float(2 * d / Double(values.count))
      }
      value = sum / Double(values.count)
    case .classes(let classes, _):
      let count = Double(classes.count { $0 != SequenceData.ignored })
      for (row, target) in classes.enumerated() where target != SequenceData.ignored {
        let logits = output.values[row * width..<(row + 1) * width].map(Double.init)
        let largest = logits.max() ?? 0
        let total = logits.reduce(0) { $0 + exp($1 - largest) }
        sum += log(total) + largest - logits[Int(target)]
        for (j, logit) in logits.enumerated() {
          let isTarget = j == Int(target) ? 1.0 : 0
          gradient[row * width + j] = Float((exp(logit - largest) / total - isTarget) / count)
        }
      }
      value = sum / count
    case .labels, .none:
      value = 0
    }
    self.gradient = Tensor(shape: output.shape, values: gradient)
  }
}
