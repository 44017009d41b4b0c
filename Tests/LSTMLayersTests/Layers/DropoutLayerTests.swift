import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Layers that drop values in training.
@Suite struct DropoutLayerTests {
  private func run(
    _ form: Layer.Dropout.Form, rate: Float = 0.4, features: Int = 33, channels: Int? = nil, count: Int = 16,
    steps: Int = 20, lengths: [Int]? = nil, isTraining: Bool = true, seed: UInt64 = 3, step: Int = 5, threads: Int = 1,
    hasDraw: Bool = true
  ) throws -> (y: [Float], dx: [Float]) {
    var kind = Layer.Dropout(rate: rate)
    kind.form = form
    let run = try LayerRun(
      [Layer("drop", kind)], features: features, channels: channels, count: count, steps: steps, lengths: lengths)
    let ones = Tensor(
      shape: [count, steps, features], values: [Float](repeating: 1, count: count * steps * features))
    var kernels = Kernels.best
    kernels.threads = threads
    let network = Network(run.model, kernels: kernels)
    let draw = Regularization.Draw(Regularization(), seed: seed, step: step)
    let y = try network.forward(
      SequenceBatch(ones, lengths: lengths), isTraining: isTraining, regularization: hasDraw ? draw : nil)
    let back = try network.backward(
      Tensor(shape: y.shape, values: y.values.map { _ in 1 }), into: ParameterStore([]), trainable: [], wantsInput: true
    )
    return (y.values, try #require(back).input.values)
  }

  @Test(arguments: Layer.Dropout.Form.allCases) func nothingIsDroppedOutsideOfTraining(_ form: Layer.Dropout.Form)
    throws
  {
    for (isTraining, hasDraw, rate) in [(false, true, Float(0.4)), (true, false, 0.4), (true, true, 0)] {
      let (y, dx) = try run(form, rate: rate, isTraining: isTraining, hasDraw: hasDraw)
      #expect(y.allSatisfy { $0 == 1 } && dx.allSatisfy { $0 == 1 })
    }
  }

  @Test func singleValues() throws {
    let (y, dx) = try run(.plain)
    #expect(dx == y, "the gradient is dropped as the value is")
    let kept = Float(1 / 0.6)
    #expect(y.allSatisfy { $0 == 0 || abs($0 - kept) < 1e-6 })
    let share = Double(y.count { $0 == 0 }) / Double(y.count)
    #expect(abs(share - 0.4) < 0.02)
    // Steps differ.
    #expect(Array(y[..<33]) != Array(y[33..<66]))
  }

  @Test func aFeatureAtAllSteps() throws {
    let (y, dx) = try run(.spatial)
    #expect(dx == y)
    for n in 0..<16 {
      let first = Array(y[n * 660..<n * 660 + 33])
      for t in 1..<20 { #expect(Array(y[n * 660 + t * 33..<n * 660 + (t + 1) * 33]) == first) }
    }
    #expect(Array(y[..<33]) != Array(y[660..<693]))
    #expect(y.contains(0) && !y.allSatisfy { $0 == 0 })
  }

  @Test func aChannelOfAGrid() throws {
    let (y, _) = try run(.spatial, features: 20, channels: 5)
    for row in 0..<16 * 20 {
      for channel in 0..<5 {
        let part = y[row * 20 + channel * 4..<row * 20 + (channel + 1) * 4]
        #expect(Set(part).count == 1)
      }
    }
    #expect(Set(y).count == 2)
  }

  @Test func gaussianFactors() throws {
    let (y, dx) = try run(.gaussian)
    #expect(dx == y)
    let mean = y.reduce(0) { $0 + Double($1) } / Double(y.count)
    let variance = y.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(y.count)
    #expect(abs(mean - 1) < 0.03 && abs(variance - 0.4 / 0.6) < 0.03)
  }

  /// Of the seed and the step alone: not of threads, and not of the lengths of other sequences.
  @Test(arguments: Layer.Dropout.Form.allCases) func masksAreReproducible(_ form: Layer.Dropout.Form) throws {
    let first = try run(form).y
    #expect(try run(form, threads: 3).y == first)
    #expect(try run(form, step: 6).y != first)
    #expect(try run(form, seed: 4).y != first)
    let lengths = (0..<16).map { $0 == 7 ? 20 : 1 + $0 }
    let ragged = try run(form, lengths: lengths).y
    #expect(ragged[7 * 660..<8 * 660] == first[7 * 660..<8 * 660])
  }

  /// Two layers of one model drop different values.
  @Test func layersDrawTheirOwn() throws {
    let layers = ["a", "b"].map { Layer($0, Layer.Dropout(rate: 0.5), from: ["input"]) }
    let draw = Regularization.Draw(Regularization(), seed: 1, step: 1)
    let ones = try SequenceBatch(Tensor(shape: [2, 3, 50], values: [Float](repeating: 1, count: 300)))
    let outputs = try layers.map { layer in
      let configuration = try ModelConfiguration(
        inputs: [.init(.features(size: 50))], layers: layers, outputs: [layer.name])
      return try Network(LSTMModel(configuration)).forward(ones, isTraining: true, regularization: draw).values
    }
    #expect(outputs[0] != outputs[1])
  }
}
