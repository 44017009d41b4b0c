import FileIO
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// A new last layer of the head, and nothing else that changes.
@Suite struct NewHeadTests {
  /// A model as one that was read from a file in half precision has it: with the stored tensors.
  static func stored(_ head: [PlainStack.Dense], normalizes: Bool = false) throws -> LSTMModel {
    let configuration = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 5)], readout: .last, head: head,
      normalizesOutput: normalizes)
    let folder = try TemporaryFolder()
    try LSTMModel(configuration, seed: 1).write(path: folder.path("model.h5"))
    return try LSTMModel(Checkpoint(path: folder.path("model.h5")))
  }

  @Test(
    arguments: [
      ([], "head: the model has none; a new dense layer 5 -> 9 starts from random values"),
      ([.init(size: 4)], "head: a new dense layer 5 -> 9 with random values replaces head.0, which gave 4"),
      ([.init(size: 9)], "head: a new dense layer 5 -> 9 with random values replaces head.0, which gave 9"),
      (
        [.init(size: 3, activation: .relu), .init(size: 4, hasBias: false, activation: .softmax)],
        "head: a new dense layer 3 -> 9 with random values replaces head.1, which gave 4 softmax"
      ),
    ] as [([PlainStack.Dense], String)])
  func theLastLayerIsReplacedOrOneIsAdded(_ head: [PlainStack.Dense], _ note: String) throws {
    let model = try Self.stored(head)
    let changed = try model.replacingHead(size: 9, seed: 3)
    #expect(model.headReplacementNote(size: 9) == note)
    #expect(changed.configuration.plain.head == head.dropLast() + [.init(size: 9)])
    let last = "head.\(max(head.count - 1, 0))."
    for parameter in changed.configuration.parameters where !parameter.name.hasPrefix(last) {
      let (kept, old) = (changed.origins[parameter.name], model.origins[parameter.name])
      #expect(try #require(kept).bytes() == #require(old).bytes(), "\(parameter.name)")
      #expect(changed[parameter.name] == model[parameter.name])
    }
    let width = head.count < 2 ? 5 : 3
    let weight = try #require(changed[last + "weight"]), bias = try #require(changed[last + "bias"])
    #expect(weight.shape == [9, width] && bias.shape == [9])
    // U(-1/sqrt(S), 1/sqrt(S)), as torch.nn.Linear has.
    let bound = 1 / Float(width).squareRoot()
    for values in [weight.values, bias.values] {
      #expect(values.allSatisfy { abs($0) <= bound } && (values.map(abs).max() ?? 0) > bound / 2)
    }
    #expect(changed.origins[last + "weight"] == nil)
    #expect(model[last + "weight"] != weight)
    #expect(try model.replacingHead(size: 9, seed: 3)[last + "weight"] == weight)
    #expect(try model.replacingHead(size: 9, seed: 4)[last + "weight"] != weight)
  }

  @Test func anActivationAndANormalizationAreSaid() throws {
    let model = try Self.stored([.init(size: 4, activation: .relu)], normalizes: true)
    let changed = try model.replacingHead(size: 2, activation: .softmax)
    #expect(
      model.headReplacementNote(size: 2, activation: .softmax)
        == "head: a new dense layer 5 -> 2 softmax with random values replaces head.0, which gave 4 relu; "
        + "its output is no longer normalized")
    #expect(!changed.configuration.normalizesOutput)
    #expect(changed.configuration.plain.head == [.init(size: 2, activation: .softmax)])
  }

  @Test(arguments: [0, -1, 1 << 24 + 1, .max]) func sizesThatNoLayerHas(_ size: Int) throws {
    let error = #expect(throws: ShapeError.self) {
      try LSTMModel(Self.stored([]).configuration).replacingHead(size: size)
    }
    #expect(error?.message == "new head: expected a size from 1 to 16777216, found \(size)")
  }
}
