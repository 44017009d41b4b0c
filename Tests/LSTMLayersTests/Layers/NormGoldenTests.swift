import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Layers that normalize, activate and attend give what they gave in PyTorch and Keras.
@Suite struct NormGoldenTests {
  struct Case: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    let configuration: ModelConfiguration
    let lengths: [Int]?
    let training: Bool
    var file: String?
    var testDescription: String { "\(file ?? ""): \(name)" }
  }

  static let files = ["norms-torch", "norms-keras"]
  static let cases: [Case] = files.flatMap { file in
    let cases = (try? Golden("golden-layers/\(file).h5").json("cases", as: [Case].self)) ?? []
    return cases.map { test in
      var test = test
      test.file = file
      return test
    }
  }

  @Test func thereAreNinetyAndMore() { #expect(Self.cases.count >= 90) }

  private static func load(_ test: Case) throws -> (golden: Golden, model: LSTMModel) {
    let golden = try Golden("golden-layers/\(test.file ?? "").h5")
    var model = LSTMModel(test.configuration)
    guard golden.root.group(at: "\(test.name)/parameters") != nil else { return (golden, model) }
    for (name, tensor) in try golden.tensors(in: "\(test.name)/parameters") { try model.set(name, to: tensor) }
    return (golden, model)
  }

  @Test(arguments: cases.filter { !$0.name.hasPrefix("running") })
  func outputsAndGradients(_ test: Case) throws {
    let (golden, model) = try Self.load(test)
    let batch = try SequenceBatch(golden.tensor("\(test.name)/x"), lengths: test.lengths)
    let run = LayerRun(model, batch, isTraining: test.training)
    let hasGradients = golden.has("\(test.name)/dy")
    for kernels in Kernels.available {
      let result = try run(kernels, outputGradient: hasGradients ? golden.tensor("\(test.name)/dy") : nil)
      Self.compare(result.output, try golden.tensor("\(test.name)/y").values, 2e-6, "y, \(kernels.name)")
      guard hasGradients else { continue }
      Self.compare(result.input, try golden.tensor("\(test.name)/dx").values, 1e-5, "dx, \(kernels.name)")
      guard golden.root.group(at: "\(test.name)/gradients") != nil else { continue }
      for (name, wanted) in try golden.tensors(in: "\(test.name)/gradients") {
        Self.compare(result.gradients[name] ?? [], wanted.values, 1e-5, "\(name), \(kernels.name)")
      }
    }
  }

  /// After twenty steps in training.
  @Test(arguments: cases.filter { $0.name.hasPrefix("running") })
  func runningStatistics(_ test: Case) throws {
    let (golden, model) = try Self.load(test)
    let xs = try golden.tensor("\(test.name)/xs")
    let size = xs.shape.dropFirst().reduce(1, *)
    for kernels in Kernels.available {
      let network = Network(model, kernels: kernels)
      for step in 0..<xs.shape[0] {
        let x = Tensor(shape: Array(xs.shape.dropFirst()), values: Array(xs.values[step * size..<(step + 1) * size]))
        _ = try network.forward(SequenceBatch(x), isTraining: true)
      }
      for (name, wanted) in try golden.tensors(in: "\(test.name)/after") {
        let index = try #require(network.weights.index(of: name))
        Self.compare(network.weights.values(index), wanted.values, 2e-6, "\(name), \(kernels.name)")
      }
    }
  }

  private static func compare(_ found: [Float], _ wanted: [Float], _ bound: Float, _ what: String) {
    #expect(found.count == wanted.count, "\(what)")
    let scale = bound > 2e-6 ? wanted.reduce(1) { max($0, abs($1)) } : 1
    for (at, (f, w)) in zip(found, wanted).enumerated() {
      #expect(abs(f - w) <= bound * max(scale, abs(w)), "\(what) [\(at)]: \(f) \(w)")
    }
  }
}
