import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// The folder that rivals read: `cases.json`, and for each case `NAME.safetensors` with the weights, the data, and what we
/// computed from them.
///
///     WEIGHT                 the weights, under the project's names
///     x, lengths, target     (B, T, I) or tokens (B, T); (B); values or classes
///     stream                 (S, I): one sequence to be fed a step at a time
///     expected.output        of x; of logits where the loss has the softmax in it
///     expected.stream        (S, O)
///     expected.loss          (1)
///     gradient.WEIGHT        of the loss, of every weight
enum Exchange {
  private struct Description: Encodable {
    struct Figure: Encodable {
      let name: String
      let kind: BenchCase.Figure.Kind
      /// Names of parameters.
      let frozen: [String]
    }

    let name: String
    let model: ModelConfiguration
    let batch: Int
    let steps: Int
    let loss: String
    let figures: [Figure]
  }

  static func write(_ cases: [BenchCase], to folder: String, kernels: Kernels) throws {
    for bench in cases {
      let content = try tensors(bench, kernels)
      try SafetensorsFile.write(content, to: folder + "/\(bench.name).safetensors")
    }
    let descriptions = try cases.map { bench in
      Description(
        name: bench.name, model: bench.model, batch: bench.batch, steps: bench.steps, loss: bench.loss.name,
        figures: try bench.figures.map { figure in
          let plan = try FreezePlan(bench.model, freezing: figure.freezing)
          let frozen = zip(plan.parameters, plan.trainable).filter { !$0.1 }.map(\.0.name)
          return .init(name: figure.name, kind: figure.kind, frozen: frozen)
        })
    }
    try JSONEncoder().encode(descriptions).write(to: URL(fileURLWithPath: folder + "/cases.json"))
  }

  private static func tensors(_ bench: BenchCase, _ kernels: Kernels) throws -> [SafetensorsFile.Entry] {
    let workload = try Workload(bench)
    let network = Network(workload.model, kernels: kernels)
    var list: [SafetensorsFile.Entry] = []
    for (index, slot) in network.weights.slots.enumerated() {
      list.append(.init(slot.name, slot.specification.shape, network.weights.values(index)))
    }
    switch workload.batch.input {
    case .features(let values, let size): list.append(.init("x", [bench.batch, bench.steps, size], values))
    case .tokens(let values): list.append(.init("x", [bench.batch, bench.steps], values))
    }
    if let lengths = workload.batch.lengths { list.append(.init("lengths", [bench.batch], lengths.map(Int32.init))) }

    let kinds = Set(bench.figures.map(\.kind))
    if kinds != [.step] {
      let output = try network.forward(workload.batch, output: bench.loss.outputForm)
      list.append(.init("expected.output", output.shape, output.values))
      if kinds.contains(.training) { list += try training(workload, network, output) }
    }
    if kinds.contains(.step) {
      let (size, steps) = (bench.model.input.size, Workload.streamSteps)
      var single = try SingleSteps(workload.model, kernels)
      let outputs = (0..<steps).flatMap { step in
        single.step(Array(workload.stream[step * size..<(step + 1) * size]))
        return single.output
      }
      list.append(.init("stream", [steps, size], workload.stream))
      list.append(.init("expected.stream", [steps, bench.model.outputSize], outputs))
    }
    return list
  }

  /// Targets, loss and gradients.
  private static func training(
    _ workload: Workload, _ network: Network, _ output: Tensor
  ) throws -> [SafetensorsFile.Entry] {
    let targets = workload.data.targets
    let loss = PlainLoss(output, targets)
    try checkTraining(workload, expected: loss.value)
    let gradients = ParameterStore(network.configuration.parameters)
    try network.backward(loss.gradient, into: gradients, trainable: gradients.slots.map { _ in true })
    var list = [SafetensorsFile.Entry("expected.loss", [1], [Float(loss.value)])]
    switch targets {
    case .values(let values, _, _): list.append(.init("target", output.shape, values))
    case .classes(let classes, _): list.append(.init("target", Array(output.shape.dropLast()), classes))
    case .none: break
    }
    for (index, slot) in gradients.slots.enumerated() {
      list.append(.init("gradient." + slot.name, slot.specification.shape, gradients.values(index)))
    }
    return list
  }

  /// That the training which is timed has the loss which rivals are compared with.
  private static func checkTraining(_ workload: Workload, expected: Double) throws {
    struct Done: Error {}
    var tuner = FineTuner(try FreezePlan(workload.model), loss: workload.bench.loss)
    tuner.options = .init(epochs: 1, batchSize: workload.bench.batch, clipNorm: nil, shuffles: false)
    do {
      _ = try tuner.fit(workload.model, workload.data, validation: workload.data.selecting([0])) { event in
        guard case .step(let step) = event else { return }
        guard abs(step.loss - expected) <= 1e-5 * max(1, abs(expected)) else {
          throw BenchError("\(workload.bench.name): training has the step.loss \(step.loss), expected \(expected)")
        }
        throw Done()
      }
    } catch is Done {}
  }
}

/// The simplest of the formats that Python reads: a length, a JSON header, and the bytes.
enum SafetensorsFile {
  struct Entry {
    let name: String
    let shape: [Int]
    let type: String
    let bytes: Data

    init(_ name: String, _ shape: [Int], _ values: [Float]) {
      self.init(name, shape, "F32", values)
    }

    init(_ name: String, _ shape: [Int], _ values: [Int32]) {
      self.init(name, shape, "I32", values)
    }

    private init<Value>(_ name: String, _ shape: [Int], _ type: String, _ values: [Value]) {
      (self.name, self.shape, self.type) = (name, shape, type)
      bytes = values.withUnsafeBytes { Data($0) }
    }
  }

  private struct Header: Encodable {
    let type: String
    let shape: [Int]
    let offsets: [Int]

    enum CodingKeys: String, CodingKey {
      case shape
      case type = "dtype"
      case offsets = "data_offsets"
    }
  }

  static func write(_ entries: [Entry], to path: String) throws {
    var header: [String: Header] = [:]
    var offset = 0
    for entry in entries {
      header[entry.name] = Header(
        type: entry.type, shape: entry.shape, offsets: [offset, offset + entry.bytes.count])
      offset += entry.bytes.count
    }
    var json = try JSONEncoder().encode(header)
    json.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - json.count % 8) % 8))
    var file = withUnsafeBytes(of: UInt64(json.count).littleEndian) { Data($0) }
    file.append(json)
    for entry in entries { file.append(entry.bytes) }
    try file.write(to: URL(fileURLWithPath: path))
  }
}

struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
