import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// One parameter in several places, and the embedding's padding row.
@Suite struct TiedParameterTests {
  static let tie = [["embedding.weight", "head.0.weight"]]

  static func configuration(padding: Int? = nil, vocabulary: Int = 7, skip: Bool = false) -> ModelConfiguration {
    .init(
      input: .tokens(vocabulary: vocabulary, size: 6), layers: [.init(hiddenSize: 6)], skip: skip, readout: .all,
      head: skip ? [.init(size: 6), .init(size: vocabulary)] : [.init(size: vocabulary)], paddingToken: padding,
      ties: skip ? [["embedding.weight", "head.1.weight"]] : tie)
  }

  static func batch(vocabulary: Int = 7) throws -> SequenceBatch {
    var random = RandomNumbers(seed: 8)
    return try SequenceBatch(
      tokens: (0..<24).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &random) }, count: 4, steps: 6)
  }

  static func gradients(
    _ model: LSTMModel, _ batch: SequenceBatch, wantsInput: Bool = false, _ kernels: Kernels = .best
  ) throws -> ParameterStore {
    let network = Network(model, kernels: kernels)
    let output = try network.forward(batch)
    var random = RandomNumbers(seed: 4)
    let weights = Tensor(shape: output.shape, values: output.values.map { _ in random.normal() })
    let gradients = ParameterStore(model.configuration.parameters)
    try network.backward(
      weights, into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: wantsInput)
    return gradients
  }

  @Test func theStoreHasItOnceUnderEachName() throws {
    let store = ParameterStore(Self.configuration().parameters)
    #expect(store.slots.count == 6)
    #expect(store.index(of: "head.0.weight") == store.index(of: "embedding.weight"))
    var model = LSTMModel(Self.configuration())
    try model.set("head.0.weight", to: Tensor(shape: [7, 6], values: [Float](repeating: 0.25, count: 42)))
    #expect(model["embedding.weight"] == model["head.0.weight"])
    #expect(model["embedding.weight"]?.values.allSatisfy { $0 == 0.25 } == true)
  }

  /// Whichever way the layer sums by token or by row, and whatever lies between.
  @Test(arguments: [false, true], [false, true])
  func itsGradientIsTheSumOfItsPlaces(_ wantsInput: Bool, skip: Bool) throws {
    let tied = LSTMModel(Self.configuration(skip: skip), seed: 3)
    let apart = tied.reconfigured(tied.configuration.untying(\.isHead))
    let weight = skip ? "head.1.weight" : "head.0.weight"
    #expect(apart[weight] == tied["embedding.weight"] && apart.configuration.ties.isEmpty)
    let batch = try Self.batch()
    let (one, two) = (
      try Self.gradients(tied, batch, wantsInput: wantsInput), try Self.gradients(apart, batch, wantsInput: wantsInput)
    )
    for (index, slot) in one.slots.enumerated() {
      let other = try #require(two.index(of: slot.name))
      var wanted = two.values(other)
      if slot.name == "embedding.weight" {
        let head = two.values(try #require(two.index(of: weight)))
        wanted = zip(wanted, head).map(+)
      }
      #expect(relativeDifference(one.values(index), wanted) <= 1e-6, "\(slot.name)")
    }
  }

  @Test(arguments: [5, 40], [false, true])
  func aPaddingRowGetsNoGradientOfBeingLookedUp(_ vocabulary: Int, wantsInput: Bool) throws {
    for padding in [0, 3] {
      let padded = LSTMModel(
        Self.configuration(padding: padding, vocabulary: vocabulary).untying(\.isHead), seed: 3)
      var plain = padded.configuration
      plain.plain.paddingToken = nil
      let batch = try Self.batch(vocabulary: vocabulary)
      let one = try Self.gradients(padded, batch, wantsInput: wantsInput)
      let two = try Self.gradients(padded.reconfigured(plain), batch, wantsInput: wantsInput)
      for (index, slot) in one.slots.enumerated() {
        var wanted = two.values(index)
        if slot.name == "embedding.weight" {
          wanted.replaceSubrange(padding * 6..<padding * 6 + 6, with: [Float](repeating: 0, count: 6))
        }
        #expect(one.values(index) == wanted, "\(slot.name)")
      }
    }
  }

  @Test func aTiedPaddingRowHasTheOtherPlacesGradient() throws {
    let padded = LSTMModel(Self.configuration(padding: 2), seed: 3)
    let apart = padded.reconfigured(padded.configuration.untying(\.isHead))
    let batch = try Self.batch()
    let (one, two) = (try Self.gradients(padded, batch), try Self.gradients(apart, batch))
    let head = try #require(two.index(of: "head.0.weight"))
    #expect(one.values(0)[12..<18] == two.values(head)[12..<18])
    // What was there before a pass stays.
    let network = Network(padded)
    let output = try network.forward(batch)
    let store = ParameterStore(padded.configuration.parameters)
    store.set(0, [Float](repeating: 1, count: 42))
    try network.backward(
      Tensor(shape: output.shape, values: output.values.map { _ in 0 }), into: store,
      trainable: store.slots.map { _ in true })
    #expect(store.values(0) == [Float](repeating: 1, count: 42))
  }

  @Test func freshPaddingRowsAreZero() {
    let values = LSTMModel(Self.configuration(padding: 2)).parameters.values(0)
    #expect(values[12..<18].allSatisfy { $0 == 0 })
    #expect(values.count { $0 == 0 } == 6)
  }

  @Test func aNewHeadIsTiedToNothing() throws {
    let model = LSTMModel(Self.configuration(), seed: 2)
    for size in [7, 3] {
      let changed = try model.replacingHead(size: size, seed: 5)
      let note = model.headReplacementNote(size: size)
      #expect(changed.configuration.ties.isEmpty)
      #expect(changed["embedding.weight"] == model["embedding.weight"])
      #expect(changed["head.0.weight"] != model["head.0.weight"])
      #expect(note.hasSuffix("; it was tied, and the new one is not"), "\(note)")
    }
  }

  @Test func aLargerVocabularyGrowsBothPlaces() throws {
    let model = LSTMModel(Self.configuration(padding: 0), seed: 2)
    let larger = try model.extendingVocabulary(by: 2)
    #expect(larger.configuration.ties == Self.tie && larger.configuration.plain.paddingToken == 0)
    #expect(larger["head.0.weight"]?.shape == [9, 6] && larger["head.0.bias"]?.shape == [9])
    let values = try #require(larger["embedding.weight"]).values
    #expect(values.prefix(42) == model.parameters.values(0)[...])
    // The padding row, which is zero, has no part in the mean.
    let mean = (0..<6).map { column in (1..<7).reduce(Float(0)) { $0 + values[$1 * 6 + column] } / 6 }
    #expect(largestDifference(Array(values[42..<48]), mean) <= 1e-6)
    #expect(throws: ShapeError.self) {
      var other = Self.configuration()
      other.plain.head.append(.init(size: 7))
      _ = try LSTMModel(other).extendingVocabulary(by: 1)
    }
  }

  /// A model written and read is tied as before, with the bytes it had.
  @Test func theNativeFileKeepsTiesAndPadding() throws {
    let folder = try TemporaryFolder()
    let model = LSTMModel(Self.configuration(padding: 2), seed: 9)
    try model.write(path: folder.path("model.h5"))
    let back = try LSTMModel(Checkpoint(path: folder.path("model.h5")))
    #expect(back.configuration == model.configuration)
    #expect(try Checkpoint(path: folder.path("model.h5")).tensors.count == 6)
    #expect(back.parameters.slots.indices.allSatisfy { back.parameters.values($0) == model.parameters.values($0) })
  }
}
