import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The folder that rivals read: `cases.json`, and for each case `NAME.safetensors` with weights, data and our results.
///
///     WEIGHT                 the weights, under the project's names
///     x, lengths, target     (B, T, I) or tokens (B, T); (B); values or classes
///     stream                 (S, I): a sequence that is fed one step at a time
///     expected.output        for x; logits if the loss includes the softmax
///     expected.stream        (S, O)
///     expected.loss          (1)
///     gradient.WEIGHT        of the loss, for every weight
enum Exchange {
  private struct Description: Encodable {
    struct Figure: Encodable {
      let name: String
      let kind: BenchCase.Figure.Kind
      /// The names of frozen parameters.
      let frozen: [String]
    }

    let name: String
    let model: PlainStack
    /// Of every recurrent layer.
    let cell: String
    let batch: Int
    let steps: Int
    let loss: String
    let figures: [Figure]
  }

  static func write(_ cases: [BenchCase], to folder: String, kernels: Kernels) throws {
    for bench in cases {
      try StoredTensor.write(tensors(bench, kernels), path: folder + "/\(bench.name).safetensors", as: .safetensors)
    }
    let descriptions = try cases.map { bench in
      Description(
        name: bench.name, model: bench.model, cell: bench.cell.rawValue, batch: bench.batch, steps: bench.steps,
        loss: bench.loss.name,
        figures: try bench.figures.map { figure in
          let plan = try FreezePlan(bench.configuration, freezing: figure.freezing)
          let frozen = zip(plan.parameters, plan.trainable).filter { !$0.1 }.map(\.0.name)
          return .init(name: figure.name, kind: figure.kind, frozen: frozen)
        })
    }
    try JSONEncoder().encode(descriptions).write(to: URL(fileURLWithPath: folder + "/cases.json"))
  }

  private static func tensors(_ bench: BenchCase, _ kernels: Kernels) throws -> [StoredTensor] {
    let workload = try Workload(bench)
    let network = Network(workload.model, kernels: kernels)
    var list: [StoredTensor] = []
    for (index, slot) in network.weights.slots.enumerated() {
      list.append(.init(name: slot.name, shape: slot.specification.shape, values: network.weights.values(index)))
    }
    switch workload.batch.input {
    case .features(let values, let size):
      list.append(.init(name: "x", shape: [bench.batch, bench.steps, size], values: values))
    case .tokens(let values): list.append(.init(name: "x", shape: [bench.batch, bench.steps], integers: values))
    }
    if let lengths = workload.batch.lengths {
      list.append(.init(name: "lengths", shape: [bench.batch], integers: lengths.map(Int32.init)))
    }

    let kinds = Set(bench.figures.map(\.kind))
    if kinds != [.step] {
      let output = try network.forward(workload.batch, output: bench.loss.outputForm)
      list.append(.init(name: "expected.output", shape: output.shape, values: output.values))
      if kinds.contains(.training) { list += try training(workload, network, output) }
    }
    if kinds.contains(.step) {
      let (size, steps) = (bench.model.input.size, Workload.streamSteps)
      var single = try SingleSteps(workload.model, kernels)
      let outputs = (0..<steps).flatMap { step in
        single.step(Array(workload.stream[step * size..<(step + 1) * size]))
        return single.output
      }
      list.append(.init(name: "stream", shape: [steps, size], values: workload.stream))
      list.append(.init(name: "expected.stream", shape: [steps, bench.model.outputSize], values: outputs))
    }
    return list
  }

  /// The targets, the loss and the gradients.
  private static func training(
    _ workload: Workload, _ network: Network, _ output: Tensor
  ) throws -> [StoredTensor] {
    let targets = workload.data.targets
    let loss = PlainLoss(output, targets)
    try checkTraining(workload, expected: loss.value)
    let gradients = ParameterStore(network.configuration.parameters)
    try network.backward(loss.gradient, into: gradients, trainable: gradients.slots.map { _ in true })
    var list = [StoredTensor(name: "expected.loss", shape: [1], values: [Float(loss.value)])]
    switch targets {
    case .values(let values, _, _): list.append(.init(name: "target", shape: output.shape, values: values))
    case .classes(let classes, _): list.append(.init(name: "target", shape: output.shape.dropLast(), integers: classes))
    case .labels, .none: break
    }
    for (index, slot) in gradients.slots.enumerated() {
      list.append(
        .init(name: "gradient." + slot.name, shape: slot.specification.shape, values: gradients.values(index)))
    }
    return list
  }

  /// Checks that the timed training has the same loss as the one that rivals are compared with.
  private static func checkTraining(_ workload: Workload, expected: Double) throws {
    struct Done: Error {}
    var tuner = FineTuner(try FreezePlan(workload.model), loss: workload.bench.loss)
    tuner.options = .init(epochs: 1, batchSize: workload.bench.batch, clipNorm: nil, shuffles: false)
    do {
      _ = try tuner.fit(workload.model, workload.data, validation: workload.data.selecting([0])) { event in
        guard case .step(let step) = event else { return }
        guard abs(step.loss - expected) <= 1e-5 * max(1, abs(expected)) else {
          throw BenchError("\(workload.bench.name): the training loss is \(step.loss), expected \(expected)")
        }
        throw Done()
      }
    } catch is Done {}
  }
}

extension StoredTensor {
  fileprivate init(name: String, shape: [Int], integers: [Int32]) {
    self.init(name: name, shape: shape, dataType: .int32) {
      integers.flatMap { value in withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }
    }
  }
}

struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
