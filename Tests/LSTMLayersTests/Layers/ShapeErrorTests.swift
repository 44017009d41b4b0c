import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// What layers that change shapes refuse, and what they tell others.
@Suite struct ShapeErrorTests {
  static func model(
    _ layers: [Layer], features: Int = 6, channels: Int? = nil, steps: Int? = nil
  ) throws -> LSTMModel {
    LSTMModel(
      try ModelConfiguration(
        inputs: [.init(.features(size: features), steps: steps, channels: channels)], layers: layers))
  }

  static func batch(_ lengths: [Int], features: Int = 6) throws -> SequenceBatch {
    let steps = lengths.max() ?? 1
    var random = RandomNumbers(seed: 2)
    let values = (0..<lengths.count * steps * features).map { _ in random.normal() }
    return try SequenceBatch(
      Tensor(shape: [lengths.count, steps, features], values: values), lengths: lengths)
  }

  @Test(arguments: [
    (#""kind": "max_pooling", "window": 2, "pad": [2, 0]"#, "layer x: 2 steps of padding hold a whole window of 2"),
    (
      #""kind": "max_pooling", "window": 2, "same": true, "pad": [1, 0]"#,
      "layer x: with same, what is around the values follows from their number"
    ),
    (#""kind": "average_pooling", "window": [2, 2]"#, "two numbers are for rows that are a grid"),
    (#""kind": "convolution", "size": 4, "kernel": [2, 2]"#, "two numbers are for rows that are a grid"),
    (#""kind": "convolution", "size": 4, "kernel": 2, "groups": 4"#, "4 divides not both 6 and 4 channels"),
    (
      #""kind": "convolution", "size": 4, "kernel": 5000, "dilation": 5000"#,
      "layer x: 5000 values, 5000 apart, are too far from each other"
    ),
    (#""kind": "convolution", "size": 4, "kernel": []"#, "expected one or two numbers, found 0"),
    (#""kind": "max_pooling", "window": []"#, "expected one or two numbers, found 0"),
    (#""kind": "slice", "first": 4, "count": 3"#, "features 4 to 6 of a row of 6"),
    (#""kind": "reshape", "form": "grid", "channels": 4"#, "4 does not divide the 6 values of a row"),
    (#""kind": "repeat", "count": 3"#, "it repeats one row a sequence, but is given steps"),
    (#""kind": "flatten""#, "it needs a fixed number of steps"),
  ])
  func settingsThatCannotBe(_ settings: String, says words: String) throws {
    let json = #"{"input": {"features": 6}, "layers": [{"name": "x", "# + settings + "}]}"
    let error = #expect(throws: CheckpointError.self) { try ModelConfiguration(json: .init(json.utf8), file: "a.json") }
    #expect("\(try #require(error))".contains(words), "\(error.map { "\($0)" } ?? "")")
  }

  @Test func sequencesThatAreTooShortAreRefused() throws {
    let kernels: [(any LayerKind, [Int], Bool)] = [
      (ShapeCase.convolution(3, 4), [9, 3, 5], true), (ShapeCase.convolution(3, 4), [9, 4, 5], false),
      (ShapeCase.pool(.max, [3]), [9, 2], true), (ShapeCase.pool(.max, [3]), [9, 3], false),
      (ShapeCase.convolution(3, 5) { ($0.pad, $0.reflects) = ([2, 2], true) }, [9, 2], true),
      (ShapeCase.convolution(3, 5) { ($0.pad, $0.reflects) = ([2, 2], true) }, [9, 3], false),
    ]
    for (kind, lengths, isShort) in kernels {
      let network = Network(try Self.model([Layer("x", kind)]))
      if isShort {
        #expect(throws: ShapeError.self) { try network.forward(Self.batch(lengths)) }
      } else {
        _ = try network.forward(Self.batch(lengths))
      }
    }
    let flat = Network(try Self.model([Layer("x", Layer.Flatten())], steps: 4))
    #expect(throws: ShapeError.self) { try flat.forward(Self.batch([4, 3])) }
    #expect(throws: ShapeError.self) { try flat.forward(Self.batch([5, 5])) }
    _ = try flat.forward(Self.batch([4, 4]))
  }

  @Test func windowsAreNotCarriedFromChunkToChunk() throws {
    for (kind, isRefused) in [
      (ShapeCase.convolution(3, 2) { $0.padding = .causal }, true), (ShapeCase.convolution(3, 1), false),
      (ShapeCase.pool(.max, [2]), true),
    ] as [(any LayerKind, Bool)] {
      let configuration = try Self.model([Layer("x", kind), Layer("layer0", Layer.Recurrent(.lstm, size: 3))])
        .configuration
      if isRefused {
        let error = #expect(throws: ShapeError.self) { try CarriedState(configuration, streams: 2) }
        #expect(error?.found == "x, whose windows reach over the ends of chunks")
      } else {
        _ = try CarriedState(configuration, streams: 2)
      }
    }
  }

  @Test func gridsOfOneHeightAreJoinedByTheirChannels() throws {
    func output(_ a: Int, _ b: Int, _ operation: Layer.Merge.Operation) throws -> LayerValue {
      try ModelConfiguration(
        inputs: [.init(.features(size: 12))],
        layers: [
          Layer("a", Layer.Reshape(.grid, channels: a), from: ["input"]),
          Layer("b", Layer.Reshape(.grid, channels: b), from: ["input"]),
          Layer("m", Layer.Merge(operation), from: ["a", "b"]),
        ]
      ).output
    }
    #expect(try output(3, 3, .concatenate).grid == .init(channels: 6, height: 4))
    #expect(try output(3, 2, .concatenate).grid == nil)
    #expect(try output(3, 3, .add).grid == .init(channels: 3, height: 4))
    #expect(throws: ModelConfiguration.GraphError.self) { try output(3, 2, .add) }
  }

  /// The final state of a part of a bidirectional layer's columns is that of both directions.
  @Test func aSliceKnowsWhichColumnsRunInReverse() throws {
    var both = Layer.Recurrent(.lstm, size: 4)
    both.isBidirectional = true
    let lstm = Layer("layer0", both)
    let layers = [lstm, Layer("s", Layer.Slice(first: 2, count: 5)), Layer("r", Layer.Readout(.final))]
    let model = try Self.model(layers)
    let batch = try Self.batch([5, 3])
    let found = try Network(model).forward(batch)
    let steps = try Network(LSTMModel(try model.configuration.with(layers: [lstm])).replacing(model)).forward(batch)
    for (n, length) in [5, 3].enumerated() {
      for j in 0..<5 {
        let column = 2 + j
        let t = column < 4 ? length - 1 : 0
        #expect(found.values[n * 5 + j] == steps.values[(n * 5 + t) * 8 + column])
      }
    }
  }

  @Test func aLossGetsTheLogitsOfAConvolution() throws {
    var kind = ShapeCase.convolution(4, 3)
    let plain = try Self.model([Layer("c", kind)])
    kind.activation = .softmax
    let model = LSTMModel(try Self.model([Layer("c", kind)]).configuration).replacing(plain)
    let batch = try Self.batch([7, 4])
    let logits = try Network(model).forward(batch, output: .logits)
    #expect(try logits == Network(plain).forward(batch))
    #expect(try logits != Network(model).forward(batch))
  }
}

extension LSTMModel {
  /// The same with another model's values of the parameters that both have.
  fileprivate func replacing(_ other: LSTMModel) -> LSTMModel {
    var model = self
    for slot in parameters.slots { if let values = other[slot.name] { try? model.set(slot.name, to: values) } }
    return model
  }
}
