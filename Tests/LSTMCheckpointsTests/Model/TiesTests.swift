import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Parameters that are one, and the padding row, in a configuration.
@Suite struct TiesTests {
  static let tie = [["embedding.weight", "head.0.weight"]]
  static let tied = ModelConfiguration(
    input: .tokens(vocabulary: 465, size: 100), layers: [.init(hiddenSize: 64), .init(hiddenSize: 100)], readout: .all,
    head: [.init(size: 465, activation: .softmax)], paddingToken: 0, ties: tie)

  private func read(_ text: String) throws(CheckpointError) -> ModelConfiguration {
    try ModelConfiguration(json: Data(text.utf8), file: "model.json")
  }

  @Test func aTiedParameterIsThereOnce() throws {
    let untied = Self.tied.untying(\.isHead)
    #expect(untied.ties.isEmpty)
    #expect(Self.tied.parameterCount == untied.parameterCount - 465 * 100)
    #expect(Self.tied.places == untied.parameters)
    #expect(Self.tied.parameters.map(\.name) == untied.parameters.map(\.name).filter { $0 != "head.0.weight" })
    let first = try #require(Self.tied.parameters.first)
    #expect(first.tied == [.init(name: "head.0.weight", role: .init(layer: "head.0", kind: "dense", isHead: true))])
    #expect(Self.tied.parameterName(of: "head.0.weight") == "embedding.weight")
    #expect(Self.tied.parameterName(of: "head.0.bias") == "head.0.bias")
  }

  @Test func theSummaryTellsTiesAndPadding() {
    #expect(
      Self.tied.summary
        == "465 tokens (0 is padding) -> embedding 100 -> LSTM 64 -> LSTM 100 -> all steps -> dense 465 tied to the embedding softmax"
    )
    let layers = ModelConfiguration(
      input: .features(size: 4), layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)],
      ties: [["lstm.weight_hh_l1", "lstm.weight_hh_l0"]])
    #expect(
      layers.summary == "4 features -> LSTM 4 -> LSTM 4 -> all steps; lstm.weight_hh_l1 is lstm.weight_hh_l0")
  }

  @Test func theyGoThereAndBackAndOldFilesHaveNone() throws {
    #expect(try read(Self.tied.json) == Self.tied)
    #expect(try Self.tied.json.contains(#""padding_index":0"#))
    #expect(try Self.tied.json.contains(#""tied":[["embedding.weight","head.0.weight"]]"#))
    let old = try read(#"{"input": {"vocabulary": 5, "embedding": 4}, "layers": [{"hidden": 4}]}"#)
    #expect(old.ties.isEmpty && old.plain.paddingToken == nil)
    let text = try old.json
    #expect(!text.contains("tied") && !text.contains("padding"))
  }

  @Test func theFirstPlaceNamesTheParameter() throws {
    let text =
      #"{"input": {"vocabulary": 5, "embedding": 4}, "layers": [{"hidden": 4}], "head": [{"size": 5}], "tied": [["head.0.weight", "embedding.weight"]]}"#
    #expect(try read(text).ties == Self.tie)
  }

  @Test(arguments: [
    (
      #"[["embedding.weight", "head.0.wieght"]]"#,
      "the model has no parameter head.0.wieght; did you mean head.0.weight?"
    ),
    (#"[["embedding.weight"]]"#, "expected at least two parameters that are one, found 1"),
    (#"[["embedding.weight", "embedding.weight"]]"#, "embedding.weight is named twice"),
    (
      #"[["embedding.weight", "head.0.weight"], ["head.0.weight", "embedding.weight"]]"#,
      "head.0.weight is named twice"
    ),
    (
      #"[["embedding.weight", "lstm.weight_hh_l0"]]"#,
      "embedding.weight (5, 4) and lstm.weight_hh_l0 (16, 4) differ in shape and cannot be one"
    ),
  ])
  func pairsThatCannotBeOneAreRefused(_ tied: String, _ message: String) throws {
    do {
      _ = try read(
        #"{"input": {"vocabulary": 5, "embedding": 4}, "layers": [{"hidden": 4}], "head": [{"size": 5}], "tied": \#(tied)}"#
      )
      Issue.record("accepted")
    } catch {
      #expect(error.message.contains("tied"))
      #expect(error.message.contains(message), "\(error.message)")
    }
  }

  @Test(arguments: [
    (#"{"vocabulary": 5, "embedding": 4, "padding_index": 5}"#, "expected a row of the embedding, found 5"),
    (#"{"vocabulary": 5, "embedding": 4, "padding_index": -1}"#, "expected a row of the embedding, found -1"),
    (#"{"features": 5, "padding_index": 0}"#, "features and tokens exclude each other"),
  ])
  func aPaddingRowBeyondTheEmbeddingIsRefused(_ input: String, _ message: String) throws {
    do {
      _ = try read(#"{"input": \#(input), "layers": [{"hidden": 4}]}"#)
      Issue.record("accepted")
    } catch {
      #expect(error.message.contains(message), "\(error.message)")
    }
  }

  @Test func aTieThatNoLongerFitsTiesNothing() {
    var changed = Self.tied
    changed.plain.head = [.init(size: 3)]
    #expect(changed.validTies.isEmpty)
    #expect(changed.parameters == changed.places)
    changed.ties = [[]]
    #expect(changed.parameters == changed.places)
  }
}
