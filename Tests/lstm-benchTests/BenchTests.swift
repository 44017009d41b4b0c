import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

@testable import lstm_bench

@Suite struct BenchTests {
  private func bench(_ name: String) throws -> BenchCase { try #require(BenchCase.all.first { $0.name == name }) }

  @Test func namesOfCasesAndFiguresAreUnique() throws {
    let ids = try Selection(nil).ids
    #expect(Set(ids).count == ids.count)
    #expect(Set(BenchCase.all.map(\.name)).count == BenchCase.all.count)
  }

  @Test func selectionTakesCasesAndFigures() throws {
    #expect(try Selection("512/training,seed").ids == ["seed/inference", "seed/training", "512/training"])
    #expect(throws: (any Error).self) { try Selection("sed") }
  }

  /// 24H(I + H) a step, sequence and layer, less the first layer's dL/dx: 8HI.
  @Test func operationsOfATrainingStep() throws {
    let bench = try bench("512")
    let steps = Double(32 * 64)
    let layer = 24.0 * 512 * 1024
    #expect(try bench.operations(.training, stepCount: 32 * 64) == steps * (2 * layer - 8 * 512 * 512))
    #expect(try bench.operations(.inference, stepCount: 32 * 64) == steps * 2 * 8 * 512 * 1024)
  }

  @Test func frozenLayersTakeNoOperations() throws {
    let bench = try bench("speaker-64")
    let (rows, steps) = (64.0, 64.0 * 160)
    let head = try bench.operations(.training("head", freezing: ["lstm"]), stepCount: 64 * 160)
    #expect(head == rows * 2 * 2 * 256 * 100)
    let top = try bench.operations(.training("top", freezing: ["layer0", "layer1"]), stepCount: 64 * 160)
    #expect(top == rows * 3 * 2 * 256 * 100 + steps * (24 * 256 * 512 - 8 * 256 * 256))
  }

  /// Every process makes the same data; padding is zero and does not count.
  @Test func workloadsAreTheSameEachTime() throws {
    let bench = try bench("tagger")
    let (a, b) = (try Workload(bench), try Workload(bench))
    #expect(a.batch.lengths == b.batch.lengths)
    guard case .features(let x, _) = a.batch.input, case .features(let again, _) = b.batch.input,
      case .classes(let classes, true) = a.data.targets
    else { throw BenchError("features and classes expected") }
    #expect(x == again)
    let lengths = try #require(a.batch.lengths)
    #expect(lengths[0] == 100 && lengths.allSatisfy { 10...100 ~= $0 })
    for (n, length) in lengths.enumerated() where length < 100 {
      #expect(classes[n * 100 + length] == -100 && x[(n * 100 + length) * 300] == 0)
    }
  }

  @Test func exchangeHoldsWhatRivalsCompareWith() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try Exchange.write([bench("seed")], to: folder, kernels: .best)

    let file = try Data(contentsOf: URL(fileURLWithPath: folder + "/seed.safetensors"))
    let size = file.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    let header = try #require(
      JSONSerialization.jsonObject(with: file[8..<8 + size]) as? [String: [String: Any]])
    #expect(
      Set(header.keys).isSuperset(of: [
        "x", "target", "expected.output", "expected.loss", "lstm.weight_ih_l0", "gradient.lstm.weight_ih_l0",
      ]))
    #expect(header["x"]?["shape"] as? [Int] == [100, 1, 100])
    let end = header.values.compactMap { ($0["data_offsets"] as? [Int])?.last }.max()
    #expect(end == file.count - 8 - size)
  }

  /// A sample of the floats; `lstm-bench --exhaustive` takes them all.
  @Test func activationsAreWithinTheLimit() {
    for result in Exhaustive.run(threads: 1, stride: 8191) {
      #expect(result.isWithinLimit, "\(result.kernels) \(result.function): \(result.ulp) ulp at \(result.at)")
    }
  }

  @Test func medianAndQuantiles() {
    #expect([3.0, 1, 2].median == 2)
    #expect([4.0, 1, 2, 3].median == 2.5)
    #expect((0..<100).map(Double.init).quantile(0.99) == 99)
  }
}
