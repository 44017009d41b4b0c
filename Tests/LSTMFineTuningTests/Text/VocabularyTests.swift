import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct VocabularyTests {
  static func file(_ name: String, _ text: String) throws -> (folder: TemporaryFolder, path: String) {
    let folder = try TemporaryFolder()
    try Data(text.utf8).write(to: folder.url.appendingPathComponent(name))
    return (folder, folder.path(name))
  }

  static func read(_ name: String, _ text: String, unit: Vocabulary.Unit? = nil) throws -> Vocabulary {
    let (folder, path) = try file(name, text)
    return try withExtendedLifetime(folder) { try Vocabulary(contentsOf: path, unit: unit) }
  }

  // MARK: - Files

  @Test func textgenrnnsNumbersBeginAtOneAndZeroIsPadding() throws {
    let vocabulary = try Self.read("v.json", #"{"b": 2, "a": 1, "<s>": 5, "\n": 3, "\ud83d\ude00": 4}"#)
    #expect(vocabulary.unit == .characters)
    #expect(vocabulary.tokens == [nil, "a", "b", "\n", "😀", "<s>"])
    #expect(vocabulary.padding == 0 && vocabulary.unknown == nil)
    #expect(vocabulary.start == 5 && vocabulary.end == 5)
    #expect(vocabulary.encode("ab\n😀").tokens == [1, 2, 3, 4])
  }

  @Test func spellingsOfOneLetterAreTwoTokens() throws {
    // The sign of the Angstrom, the letter, and the letter with its ring apart: Swift takes them for the same.
    let vocabulary = try Self.read("v.json", #"{"\u212b": 1, "\u00c5": 2, "A": 3, "\u030a": 4}"#)
    #expect(vocabulary.encode("\u{212b}\u{c5}A\u{30a}").tokens == [1, 2, 3, 4])
    #expect(vocabulary[token: "\u{c5}"] == 2 && vocabulary[token: "\u{212b}"] == 1)
    #expect(vocabulary.decode([4, 2]).unicodeScalars.map(\.value) == [0x30a, 0xc5])
  }

  @Test func listsAndLinesAreNumberedFromZero() throws {
    let list = try Self.read("v.json", #"["<pad>", "<unk>", "the", "cat"]"#)
    let lines = try Self.read("v.txt", "<pad>\r\n<unk>\r\nthe\r\ncat\r\n")
    #expect(list == lines)
    #expect(list.unit == .words && list.padding == 0 && list.unknown == 1)
    #expect(list.encode("the  dog\tcat").tokens == [2, 1, 3])
    #expect(try Self.read("v.txt", "a\nb\n<s>", unit: .words).unit == .words)
    #expect(try Self.read("v.txt", "a\nb\n<s>").unit == .characters)
  }

  @Test(arguments: [
    ("v.json", "{\"a\": 1, \"b\": 1}", "\"a\" and \"b\" have the same number, 1"),
    ("v.json", "{\"a\": -1}", "line 1: expected a whole number of at least 0, found \"-1}\""),
    ("v.json", "{\"a\": 99999999999}", "the number 99999999999 is beyond any vocabulary"),
    ("v.json", "[\"a\",\n \"b\"", "line 2: expected a comma or ], found the end of the file"),
    ("v.json", "[\"a]", "line 1: expected the end of a text, found the end of the file"),
    ("v.json", "[\"\\ud800\"]", "line 1: expected a text without broken escapes, found \"\"\\ud800\"]\""),
    ("v.json", "[\"\\", "line 1: expected the end of a text, found the end of the file"),
    ("v.json", "[1]", "line 1: expected a text in quotes, found \"1]\""),
    ("v.json", "[] []", "line 1: expected the end, found \"[]\""),
    ("v.json", "", "line 1: expected { or [, found the end of the file"),
    ("v.json", "{}", "the vocabulary: it has no token"),
    ("v.json", "[\"\"]", "the vocabulary: token 0 is empty"),
    ("v.txt", "a\n\nb\n", "line 2: a token is empty"),
    ("v.txt", "a\nb\na\n", "the vocabulary: the token \"a\" is there twice, as 0 and 2"),
    ("v.txt", "a\0", "is not a text file (it holds NUL bytes)"),
  ])
  func brokenFiles(_ name: String, _ text: String, _ expected: String) throws {
    let (folder, path) = try Self.file(name, text)
    #expect(message { _ = try Vocabulary(contentsOf: path) } == "\(path): \(expected)")
    _ = folder
  }

  @Test func survivesTheModelFile() throws {
    let words = (0..<33_000).map { "word\($0)" }
    for vocabulary in [
      try Vocabulary(.words, tokens: ["<unk>", "\n"] + words),
      try Vocabulary(.characters, tokens: [nil, "\u{212b}", "\u{c5}", "\0", "\n", "\""], padding: 0, unknown: 1),
    ] {
      var model = featureModel()
      model.preprocessing = Preprocessing(window: 40, vocabulary: vocabulary)
      let folder = try TemporaryFolder()
      try model.write(path: folder.path("m.h5"), as: .native)
      #expect(try Checkpoint(path: folder.path("m.h5")).preprocessing == model.preprocessing)
    }
  }

  // MARK: - Text

  @Test func whatIsNoToken() throws {
    let tokens: [String?] = [nil, "a", "b"]
    let padded = try Vocabulary(.characters, tokens: tokens, padding: 0).encode("axb")
    #expect(padded.tokens == [1, 0, 2] && padded.count == 3 && padded.unknownCount == 1)
    #expect(padded.unknownRate == 1 / 3.0)
    #expect(try Vocabulary(.characters, tokens: tokens, padding: 0, unknown: 2).encode("axb").tokens == [1, 2, 2])
    #expect(try Vocabulary(.characters, tokens: tokens).encode("axb").tokens == [1, 2])
    #expect(Vocabulary.Encoding().unknownRate == 0)
  }

  @Test func wordsAreTakenApartWhereTheyAreNoTokens() throws {
    let vocabulary = try Vocabulary(.words, tokens: ["<unk>", "don't", "stop", ",", "U.S.", ".", "\n", "re-do"])
    let found = vocabulary.encode("don't stop, U.S. stop.\nre-do U.N.")
    #expect(found.tokens == [1, 2, 3, 4, 2, 5, 6, 7, 0, 5, 0, 5])
    #expect(found.unknownCount == 2)
    #expect(vocabulary.decode([1, 2, 3, 6, 7, 5]) == "don't stop ,\nre-do .")
  }

  @Test func aNewVocabularyHasTheMostFrequentFirst() throws {
    let characters = try Vocabulary(.characters, of: "abbccc", reserving: ["<pad>", "<s>"])
    #expect(characters.tokens == ["<pad>", "<s>", "c", "b", "a"])
    #expect(characters.padding == 0 && characters.start == 1)
    let words = try Vocabulary(.words, of: "to be, or not to be\n", limit: 4)
    #expect(words.tokens == ["<unk>", "be", "to", "\n"])
    #expect(words.encode("to sleep").tokens == [2, 0])
    #expect(message { _ = try Vocabulary(.words, of: " ") } == "the vocabulary: it has no token")
  }

  @Test func whatIsMissingAndAdded() throws {
    let vocabulary = try Vocabulary(.characters, tokens: [nil, "a", "b"], padding: 0)
    #expect(vocabulary.missing(in: "abxyyz") == ["y", "x", "z"])
    let extended = try vocabulary.extended(by: ["y", "x"], from: 5)
    #expect(extended.tokens == [nil, "a", "b", nil, nil, "y", "x"] && extended.padding == 0)
    #expect(extended.encode("xy").tokens == [6, 5])
  }

  // MARK: - The model

  @Test(arguments: [true, false]) func newRowsAreTheMeanAndAllElseStays(_ isLanguageModel: Bool) throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 3, size: 2), layers: [.init(hiddenSize: 4)], readout: .all,
      head: [.init(size: 3, activation: .relu), .init(size: isLanguageModel ? 3 : 5)])
    var model = LSTMModel(configuration, seed: 3)
    try model.set("embedding.weight", to: Tensor(shape: [3, 2], values: [1, 2, 3, 4, 8, 0]))
    let folder = try TemporaryFolder()
    try model.write(path: folder.path("m.h5"), as: .native)
    model = try LSTMModel(Checkpoint(path: folder.path("m.h5")))

    let larger = try model.extendingVocabulary(by: 2)
    #expect(larger["embedding.weight"]?.values == [1, 2, 3, 4, 8, 0, 4, 2, 4, 2])
    let grown = isLanguageModel ? ["embedding.weight", "head.1.weight", "head.1.bias"] : ["embedding.weight"]
    let (old, new) = (model.stored, larger.stored)
    for tensor in old.tensors {
      let found = try #require(new[tensor.name])
      let bytes = try tensor.bytes()
      #expect(try Array(found.bytes().prefix(bytes.count)) == bytes, "\(tensor.name)")
      #expect((found.shape != tensor.shape) == grown.contains(tensor.name), "\(tensor.name)")
      // What is written is what computes.
      #expect(try found.floats() == larger[tensor.name]?.values)
    }
    if isLanguageModel {
      let weight = try #require(model["head.1.weight"]?.values)
      let mean = Float((Double(weight[1]) + Double(weight[4]) + Double(weight[7])) / 3)
      #expect(larger["head.1.weight"]?.values[3 * 3 + 1] == mean)
      #expect(larger.configuration.outputSize == 5)
    }
    let y = try model(SequenceBatch(tokens: [0, 2], count: 1, steps: 2)).output
    let z = try larger(SequenceBatch(tokens: [0, 2], count: 1, steps: 2)).output
    let shared = Array(z.values.prefix(3))
    #expect(shared == Array(y.values.prefix(3)))
    #expect(throws: ShapeError.self) { try featureModel().extendingVocabulary(by: 1) }
  }

  @Test func doublesKeepTheirDigits() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 2, size: 1), layers: [.init(hiddenSize: 1)], readout: .all)
    var stored = LSTMModel(configuration).stored
    let third = withUnsafeBytes(of: (1 / 3.0).bitPattern.littleEndian) { [UInt8]($0) }
    stored.tensors[0] = StoredTensor(name: "embedding.weight", shape: [2, 1], dataType: .float64) { third + third }
    let larger = try LSTMModel(Checkpoint(stored)).extendingVocabulary(by: 1).stored
    let tensor = try #require(larger["embedding.weight"])
    #expect(tensor.shape == [3, 1] && tensor.dataType == .float64)
    #expect(try Array(tensor.bytes().prefix(16)) == third + third)
    #expect(try tensor.floats()[2] == Float(1 / 3.0))
  }
}
