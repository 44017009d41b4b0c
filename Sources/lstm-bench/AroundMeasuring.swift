import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Times the layers around the LSTM, forward alone and forward with both gradients, alone or in turns with PyTorch.
enum Around {
  struct Row: Encodable {
    let name: String
    /// Medians in milliseconds.
    let forward: Double
    var training: Double?
    /// PyTorch's time divided by ours, of each pair of neighbors.
    var forwardRatios: [Double] = []
    var trainingRatios: [Double] = []
  }

  static func measure(_ kernels: Kernels, seconds: Double, only: String? = nil) throws -> [AroundTimes] {
    try chosen(only).map { bench in
      var run = try Run(bench, kernels)
      return try run.times(seconds: seconds)
    } + SequenceCase.chosen(only).map { SequenceRun($0, kernels).times(seconds: seconds) }
  }

  private static func chosen(_ only: String?) -> [AroundCase] {
    AroundCase.all.filter { bench in only.map { bench.name.contains($0) } ?? true }
  }

  // MARK: - Against PyTorch

  /// Rounds of A B B A in new processes; the outputs and the gradients must agree first.
  static func compare(
    _ kernels: Kernels, seconds: Double, only: String?, rounds: Int, python: String, scripts: String
  ) throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lstm-bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try write(only, to: folder, kernels)
    let runner = Runner(threads: kernels.threads, folder: folder)
    let common = ["--threads", "\(kernels.threads)", "--seconds", "\(seconds)"]
    func ours() throws -> [AroundTimes] {
      try runner.decode(
        Bundle.main.executablePath ?? CommandLine.arguments[0],
        ["--around", "--json"] + (only.map { ["--case", $0] } ?? []) + common, log: "ours")
    }
    func theirs() throws -> [AroundTimes] {
      try runner.decode(python, [scripts + "/around_torch.py", folder] + common, log: "torch")
    }
    var own: [[AroundTimes]] = []
    var other: [[AroundTimes]] = []
    for _ in 0..<rounds {
      own.append(try ours())
      other.append(try theirs())
      other.append(try theirs())
      own.append(try ours())
    }
    for times in other[0] {
      guard let difference = times.difference, difference <= 1e-5 else {
        throw BenchError("\(times.name): outputs or gradients differ by \(times.difference ?? .nan)")
      }
    }
    return own[0].indices.map { at in
      var row = Row(name: own[0][at].name, forward: own.map { $0[at].forward }.median)
      let training = own.compactMap { $0[at].training }
      if !training.isEmpty { row.training = training.median }
      for (mine, yours) in zip(own, other) {
        row.forwardRatios.append(yours[at].forward / mine[at].forward)
        if let mine = mine[at].training, let yours = yours[at].training { row.trainingRatios.append(yours / mine) }
      }
      return row
    }
  }

  private struct Description: Encodable {
    let name, torch: String
    let layout: String
    let file: String
  }

  /// Writes `cases.json`, and for each case x, y, a gradient dy, dx, the weights and their gradients.
  private static func write(_ only: String?, to folder: String, _ kernels: Kernels) throws {
    var list: [Description] = []
    func add(_ name: String, _ torch: String, _ layout: String, _ tensors: [StoredTensor]) throws {
      let file = "\(list.count).safetensors"
      try StoredTensor.write(tensors, path: folder + "/" + file, as: .safetensors)
      list.append(.init(name: name, torch: torch, layout: layout, file: file))
    }
    for bench in chosen(only) {
      try add(bench.name, bench.torch, bench.layout.rawValue, Run(bench, kernels).tensors())
    }
    for bench in SequenceCase.chosen(only) {
      try add(bench.name, "", bench.work.rawValue, SequenceRun(bench, kernels).tensors())
    }
    try JSONEncoder().encode(list).write(to: URL(fileURLWithPath: folder + "/cases.json"))
  }

  // MARK: - One case

  private struct Run {
    let bench: AroundCase
    let configuration: ModelConfiguration
    let network: Network
    /// Features or tokens.
    let x: [Float]
    let tokens: [Int32]
    let starts: [Int]
    let gradients: ParameterStore
    let trainable: [Bool]

    init(_ bench: AroundCase, _ kernels: Kernels) throws {
      self.bench = bench
      configuration = try bench.configuration
      network = Network(LSTMModel(configuration, seed: 3), kernels: kernels)
      var random = RandomNumbers(seed: 2)
      x = (0..<bench.batch * bench.steps * bench.features).map { _ in random.normal() }
      tokens =
        (bench.vocabulary.map { 0..<$0 }).map { range in
          (0..<bench.batch * bench.steps).map { _ in Int32(random.uniform() * Float(range.count)) }
        } ?? []
      starts = (0..<bench.batch).map { $0 * bench.steps }
      gradients = ParameterStore(configuration.parameters)
      trainable = gradients.slots.map { _ in true }
    }

    mutating func times(seconds: Double) throws -> AroundTimes {
      let plan = GradientPlan(configuration, trainable: trainable, wantsInput: tokens.isEmpty)
      let (network, gradients, clock) = (network, gradients, ContinuousClock())
      let copying =
        tokens.isEmpty
        ? Network(
          LSTMModel(
            try ModelConfiguration(
              inputs: configuration.inputs, layers: [Layer("layer1", Layer.ActivationLayer(.none))])),
          kernels: network.kernels) : nil
      var (forward, training, copies): ([Double], [Double], [Double]) = ([], [], [])
      try withValues { values in
        try starts.withUnsafeBufferPointer { starts in
          guard let starts = starts.baseAddress else { return }
          let rows = SequenceRows(values, count: bench.batch, steps: bench.steps, starts: starts)
          var given: [Float] = []
          let began = clock.now
          while (clock.now - began) / .seconds(1) < seconds || training.count < 4 {
            // Once untimed, so that the input is in the caches for both.
            _ = try copying?.run(rows)
            let before = clock.now
            _ = try copying?.run(rows)
            let start = clock.now
            copies.append((start - before) / .seconds(1))
            _ = try network.run(rows)
            forward.append((clock.now - start) / .seconds(1))
            let second = clock.now
            let output = try network.run(rows, for: plan)
            let middle = clock.now
            // A gradient of usual numbers, whose making is not counted.
            if given.isEmpty { given = (0..<output.count * output.width).map { Float($0 % 7) - 3 } }
            var copy = given
            let third = clock.now
            copy.withUnsafeMutableBufferPointer { copy in
              if let base = copy.baseAddress { network.backward(base, into: gradients, plan) }
            }
            training.append((middle - second) / .seconds(1) + (clock.now - third) / .seconds(1))
          }
        }
      }
      func own(_ times: [Double]) -> Double {
        (Array(times.dropFirst()).median - (copying == nil ? 0 : Array(copies.dropFirst()).median)) * 1e3
      }
      return AroundTimes(name: bench.name, forward: own(forward), training: own(training))
    }

    private func withValues(_ body: (SequenceRows.Values) throws -> Void) rethrows {
      guard tokens.isEmpty else {
        return try tokens.withUnsafeBufferPointer { tokens in
          if let tokens = tokens.baseAddress { try body(.tokens(tokens)) }
        }
      }
      try x.withUnsafeBufferPointer { x in
        if let x = x.baseAddress { try body(.features(x, width: bench.features)) }
      }
    }

    func tensors() throws -> [StoredTensor] {
      let shape = [bench.batch, bench.steps, bench.features]
      let batch =
        tokens.isEmpty
        ? try SequenceBatch(Tensor(shape: shape, values: x))
        : try SequenceBatch(tokens: tokens, count: bench.batch, steps: bench.steps)
      let output = try network.forward(batch, isTraining: true)
      let dy = Tensor(shape: output.shape, values: output.values.indices.map { Float($0 % 7) - 3 })
      let found = try network.backward(dy, into: gradients, trainable: trainable, wantsInput: tokens.isEmpty)
      var list = [
        // Tokens, too, as the numbers that they are.
        StoredTensor(name: "x", shape: shape, values: tokens.isEmpty ? x : tokens.map { Float($0) }),
        StoredTensor(name: "y", shape: output.shape, values: output.values),
        StoredTensor(name: "dy", shape: dy.shape, values: dy.values),
      ]
      if let found, tokens.isEmpty { list.append(StoredTensor(name: "dx", shape: shape, values: found.input.values)) }
      for (index, slot) in network.weights.slots.enumerated() {
        let shape = slot.specification.shape
        list.append(.init(name: "weight." + slot.name, shape: shape, values: network.weights.values(index)))
        list.append(.init(name: "gradient." + slot.name, shape: shape, values: gradients.values(index)))
      }
      return list
    }
  }
}

extension Runner {
  /// The output of a new process, a line of JSON for each case.
  func decode(_ executable: String, _ arguments: [String], log: String) throws -> [AroundTimes] {
    let decoder = JSONDecoder()
    return try output(executable, arguments, log: log).split(separator: UInt8(ascii: "\n")).map {
      try decoder.decode(AroundTimes.self, from: $0)
    }
  }
}
