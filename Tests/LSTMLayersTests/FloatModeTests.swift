import CLSTMKernels
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Denormals are flushed while something is computed, and nobody else notices.
@Suite struct FloatModeTests {
  #if arch(x86_64)
    /// Rounding towards zero, with denormals.
    private static let odd: UInt64 = 0x1f80 | 0x6000
    private static let control: UInt64 = ~0x3f
  #else
    private static let odd: UInt64 = 0b11 << 22
    private static let control: UInt64 = ~0
  #endif

  private static let configuration = ModelConfiguration(
    input: .features(size: 3), layers: [.init(hiddenSize: 7), .init(hiddenSize: 5, isBidirectional: true)],
    readout: .all, head: [.init(size: 2)])

  private static func input(count: Int = 2, steps: Int = 4, value: Float? = nil) throws -> SequenceBatch {
    var random = RandomNumbers(seed: 3)
    return try SequenceBatch(
      Tensor(shape: [count, steps, 3], values: (0..<count * steps * 3).map { _ in value ?? random.normal() }))
  }

  /// With a mode of the caller's own; returns whether its control bits were as before afterwards.
  private static func keepsMode(_ body: () throws -> Void) rethrows -> Bool {
    let usual = lstmk_float_mode()
    defer { lstmk_set_float_mode(usual) }
    lstmk_set_float_mode(odd)
    try body()
    return lstmk_float_mode() & control == odd & control
  }

  @Test(arguments: [1, 2, 3]) func theCallersModeIsAsBefore(threads: Int) throws {
    var kernels = Kernels.best
    kernels.threads = threads
    let network = Network(LSTMModel(Self.configuration, seed: 1), kernels: kernels)
    let gradients = ParameterStore(Self.configuration.parameters)
    let all = Self.configuration.parameters.map { _ in true }
    #expect(
      try Self.keepsMode {
        let y = try network.forward(Self.input())
        try network.backward(y, into: gradients, trainable: all)
      })
    #expect(
      Self.keepsMode {
        let updates = ParameterUpdates(kernels)
        _ = updates.norm(gradients, where: all)
        updates.scale(gradients, by: 0.5, where: all)
      })
    let stream = try LSTMStream(LSTMModel(.init(input: .features(size: 3), layers: [.init(hiddenSize: 7)]), seed: 1))
    var state = stream.makeState()
    var y = [Float](repeating: 0, count: stream.outputSize)
    #expect(Self.keepsMode { stream.step([1, 2, 3], &state, into: &y) })
  }

  @Test func theCallersModeIsAsBeforeWhenTheCallThrows() throws {
    let network = Network(LSTMModel(Self.configuration, seed: 1))
    let batch = try SequenceBatch(Tensor(shape: [1, 2, 4], values: [Float](repeating: 1, count: 8)))
    #expect(Self.keepsMode { #expect(throws: ShapeError.self) { try network.forward(batch) } })
    #expect(
      Self.keepsMode {
        #expect(throws: ShapeError.self) {
          try network.forward(Self.input(), state: LSTMState(hidden: [], cell: []))
        }
      })
  }

  @Test func resultsDoNotDependOnTheCallersMode() throws {
    let (model, input) = (LSTMModel(Self.configuration, seed: 1), try Self.input())
    let usual = try Network(model).forward(input).values
    var odd: [Float] = []
    _ = try Self.keepsMode { odd = try Network(model).forward(input).values }
    #expect(odd.map(\.bitPattern) == usual.map(\.bitPattern))
  }

  /// Every path, the scalar twin among them, takes what is below 1.2e-38 for zero.
  @Test(arguments: Kernels.available.map(\.name)) func denormalInputCountsAsZero(name: String) throws {
    guard let kernels = Kernels.available.first(where: { $0.name == name }) else { return }
    var configuration = Self.configuration
    for index in configuration.plain.layers.indices { configuration.plain.layers[index].bias = .none }
    configuration.plain.head[0].hasBias = false
    let network = Network(LSTMModel(configuration, seed: 1), kernels: kernels)
    let tiny = try network.forward(Self.input(value: 0x1p-128)).values
    let zero = try network.forward(Self.input(value: 0)).values
    #expect(tiny.map(\.bitPattern) == zero.map(\.bitPattern))
    #expect(tiny.allSatisfy { $0 == 0 })
  }

  /// A loss on the last of many steps of a network that forgets: gradients become zero on their way, never denormal.
  @Test(arguments: Kernels.available.map(\.name)) func vanishingGradientsEndAsZero(name: String) throws {
    guard var kernels = Kernels.available.first(where: { $0.name == name }) else { return }
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 19), .init(hiddenSize: 16)], readout: .last)
    let model = LSTMModel(configuration, seed: 1)
    for index in configuration.parameters.indices where configuration.parameters[index].name.contains("bias_ih") {
      let h = configuration.parameters[index].shape[0] / 4
      model.parameters.set(
        index, (0..<4 * h).map { (h..<2 * h).contains($0) ? -2 : 0 })
    }
    var results: [[UInt32]] = []
    for threads in [1, 2, 3] {
      kernels.threads = threads
      let network = Network(model, kernels: kernels)
      let y = try network.forward(Self.input(count: 33, steps: 120))
      let gradients = ParameterStore(configuration.parameters)
      let input = try network.backward(
        Tensor(shape: y.shape, values: y.values.map { _ in 1 }), into: gradients,
        trainable: configuration.parameters.map { _ in true }, wantsInput: true)
      let values = try #require(input).input.values
      #expect(values.allSatisfy { !$0.isSubnormal })
      #expect(values[..<3].allSatisfy { $0 == 0 })
      #expect(values.contains { $0 != 0 })
      results.append(
        (values + configuration.parameters.indices.flatMap { gradients.values($0) }).map(\.bitPattern))
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  /// The moments of a weight whose gradients have stopped.
  @Test(arguments: Kernels.available.map(\.name)) func fadingMomentsAreNeverDenormal(name: String) throws {
    guard let kernels = Kernels.available.first(where: { $0.name == name }) else { return }
    var (first, second): ([Float], [Float]) = (
      .init(repeating: 1.3e-38, count: 21), .init(repeating: 1.2e-38, count: 21)
    )
    var weights = [Float](repeating: 0.5, count: 21)
    let gradient = [Float](repeating: 0, count: 21)
    for step in 100..<140 {
      ParameterUpdates(kernels).adam(
        21, gradient, first: &first, second: &second, largest: nil, &weights, learningRate: 1e-3, beta1: 0.9,
        beta2: 0.99, epsilon: 1e-8, weightDecay: 0, isDecoupled: false, step: step)
      #expect((first + second).allSatisfy { !$0.isSubnormal })
    }
    // Where a step is less than 1.2e-38, they stay where they are.
    #expect((first + second).allSatisfy { $0 <= 1.3e-38 })
    #expect(weights.allSatisfy { $0 == 0.5 })
  }
}
