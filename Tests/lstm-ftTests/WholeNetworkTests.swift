import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Networks with more than LSTMs in them, from import to export as a person types it: frozen parts keep every bit, the rest
/// learns, and the file in the source's own format gives the same answers.
@Suite struct WholeNetworkTests {
  /// File, what to freeze, the prefixes of the parameters that it names.
  private static let cases: [(file: String, freeze: String, frozen: [String])] = [
    ("keras-conv1d/model.keras", "conv1d", ["conv1d."]),
    ("keras-batchnorm/model.keras", "batch_norm*", ["batch_normalization."]),
    ("keras-repeatvector/model.keras", "layer0", ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0"]),
    ("keras-gru/model.keras", "gru", ["gru."]),
    ("keras-relu/model.h5", "layer0", ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0"]),
    ("keras-flatten/model.keras", "lstm", ["lstm."]),
  ]

  /// The framework's input and output, eight times over, the output moved a little: something to learn.
  private static func writeData(_ file: String, _ place: Workplace) throws {
    let folder = file.split(separator: "/")[0]
    let source = try Checkpoint(path: fixtures.appendingPathComponent("wild/\(folder)/expected.npz").path)
    func tiled(_ name: String, _ change: (Float) -> Float) throws -> StoredTensor {
      let tensor = try #require(source[name])
      let values = try tensor.floats().map(change)
      return StoredTensor(
        name: name, shape: [8 * tensor.shape[0]] + tensor.shape.dropFirst(),
        values: (0..<8).flatMap { _ in values })
    }
    try StoredTensor.write(
      [try tiled("x") { $0 }, try tiled("y") { 0.5 * $0 + 0.1 }], path: place.path("data.h5"), as: .pytorchHDF5)
  }

  @Test(arguments: cases.indices)
  func isFineTunedAndGoesBack(_ index: Int) async throws {
    let (file, freeze, frozen) = Self.cases[index]
    let place = try Workplace()
    let source = "source." + file.split(separator: ".")[1]
    try place.copy("wild/" + file, as: source)
    try Self.writeData(file, place)
    let imported = try await place.run("import", source)
    #expect(imported.code == 0, "\(imported.stderr)")
    let tuned = try await place.run(
      "finetune", "--data", "data.h5", "--freeze", freeze, "--epochs", "4", "--loss", "mse", "--run", "run")
    #expect(tuned.code == 0, "\(file): \(tuned.stderr)")
    let (before, after) = (try place.checkpoint("model.h5"), try place.checkpoint("finetuned.h5"))
    var moved = 0
    for tensor in before.tensors {
      let same = try after[tensor.name]?.bytes() == tensor.bytes()
      if frozen.contains(where: { tensor.name.hasPrefix($0) }) {
        #expect(same, "\(file): \(tensor.name) is frozen")
      } else if !same {
        moved += 1
      }
    }
    #expect(moved > 0, "\(file): nothing learned")
    // Back to where it came from, and in again.
    let back = "back." + file.split(separator: ".")[1]
    let exported = try await place.run(
      "export", "finetuned.h5", "--to", back.hasSuffix("h5") ? "keras-h5" : "keras", "-o", back)
    #expect(exported.code == 0, "\(file): \(exported.stderr)")
    let again = try await place.run("import", back, "-o", "again.h5")
    #expect(again.code == 0, "\(file): \(again.stderr)")
    for (model, answers) in [("finetuned.h5", "one.h5"), ("again.h5", "two.h5")] {
      let predicted = try await place.run("predict", model, "--data", "data.h5", "-o", answers)
      #expect(predicted.code == 0, "\(file): \(predicted.stderr)")
    }
    let (one, two) = (try place.checkpoint("one.h5")["y"], try place.checkpoint("two.h5")["y"])
    #expect(largestDifference(try #require(one).floats(), try #require(two).floats()) <= 2e-6, "\(file)")
    let shown = try await place.run("inspect", "again.h5")
    let wasShown = try await place.run("inspect", "model.h5")
    func line(_ text: String) -> String? {
      text.split(separator: "\n").first { $0.contains("model: ") }.map(String.init)
    }
    #expect(line(shown.stdout) == line(wasShown.stdout), "\(file)")
  }
}
