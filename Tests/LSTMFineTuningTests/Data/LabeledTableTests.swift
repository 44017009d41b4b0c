import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct LabeledTableTests {
  static func table(_ text: String) throws -> CSVTable { try CSVTable(bytes: Array(text.utf8), name: "t.csv") }

  static func words() throws -> Vocabulary {
    try Vocabulary(.words, tokens: ["<pad>", "<unk>", "good", "bad", "film", "."])
  }

  static func texts(
    _ text: String, labels: String? = "label", classes: LabeledTable.Classes = .found, window: Int? = nil,
    vocabulary: Vocabulary? = nil
  ) throws -> LabeledTable {
    try LabeledTable(
      texts: table(text), column: "text", labels: labels, classes: classes, vocabulary: vocabulary ?? words(),
      window: window)
  }

  static func numbers(_ data: SequenceData) -> [Int32] {
    if case .classes(let numbers, _) = data.targets { numbers } else { [] }
  }

  static func tokens(_ data: SequenceData, _ example: Int) throws -> [Int32] {
    guard case .tokens(let tokens) = try data.batch([example]).input else { return [] }
    return Array(tokens.prefix(data.lengths?[example] ?? data.steps))
  }

  // MARK: - Texts

  static let reviews = "text,label\n\"good film, good.\",pos\nbad,neg\n\"film\",\nbad film,neg\n"

  @Test func textsAndTheirClasses() throws {
    let table = try Self.texts(Self.reviews)
    #expect(table.classes == ["neg", "pos"] && table.data.classCount == 2 && !table.data.isText)
    #expect(Self.numbers(table.data) == [1, 0, SequenceData.ignored, 0])
    #expect(table.data.lengths == [5, 1, 1, 2])
    #expect(try Self.tokens(table.data, 0) == [2, 4, 1, 2, 5])
    #expect(try Self.tokens(table.data, 3) == [3, 4])
    #expect(table.tokenCount == 9 && table.unknownCount == 1 && table.shortenedCount == 0)
    let short = try Self.texts(Self.reviews, window: 2)
    #expect(short.data.lengths == [2, 1, 1, 2] && short.shortenedCount == 1)
  }

  @Test func aTextBeginsWithTheStartToken() throws {
    let vocabulary = try Vocabulary(.characters, tokens: ["<s>", "a", "b"])
    let table = try Self.texts("text,label\nab,1\n", vocabulary: vocabulary)
    #expect(try Self.tokens(table.data, 0) == [0, 1, 2])
  }

  @Test func whereClassesComeFrom() throws {
    let rows = "text,label\ngood,10\nbad,9\nfilm,2\n"
    #expect(try Self.texts(rows).classes == ["2", "9", "10"])
    // An imported model's outputs are the numbers themselves, where they can be.
    #expect(Self.numbers(try Self.texts(rows, classes: .numbered(count: 11)).data) == [10, 9, 2])
    #expect(Self.numbers(try Self.texts(rows, classes: .numbered(count: 10)).data) == [2, 1, 0])
    #expect(Self.numbers(try Self.texts(rows, classes: .known(["9", "2", "x", "10"])).data) == [3, 0, 1])
    #expect(
      message { _ = try Self.texts(rows, classes: .known(["9", "2"])) }
        == "t.csv line 2, column \"label\": \"10\" is none of the model's classes")
    let none = try Self.texts(rows, labels: nil)
    #expect(none.classes.isEmpty && none.data.count == 3)
    if case .none = none.data.targets {} else { Issue.record("targets") }
  }

  @Test func brokenTexts() throws {
    #expect(
      message { _ = try Self.texts("text,label\ngood,a\n\"\",b\n") }
        == "t.csv line 3, column \"text\": expected a text, found nothing")
    let plain = try Vocabulary(.characters, tokens: ["a"])
    #expect(
      message { _ = try Self.texts("text,label\nb,1\n", vocabulary: plain) }
        == "t.csv line 2, column \"text\": expected a text, found no known token")
    #expect(message { _ = try Self.texts("text,label\ngood,\n") } == "t.csv: column \"label\": every label is empty")
    #expect(message { _ = try Self.texts("text,class\ngood,a\n") } == "t.csv column \"label\": no such column")
    #expect(message { _ = try Self.texts(Self.reviews, window: 0) } == "window 0: expected at least 1")
  }

  // MARK: - Sequences

  static let walks = "id,x,y,label\na,1,2,run\na,3,4,run\nb,5,6,walk\na,7,8,run\nb,9,10,walk\nc,11,12,run\n"

  static func sequences(
    _ text: String, classes: LabeledTable.Classes = .found, isTagging: Bool? = nil
  ) throws -> LabeledTable {
    try LabeledTable(
      sequences: table(text), id: "id", .features(["x", "y"], missing: .error), labels: "label", classes: classes,
      isTagging: isTagging)
  }

  @Test func rowsOfAnIdAreASequence() throws {
    let table = try Self.sequences(Self.walks)
    #expect(table.names == ["a", "b", "c"] && table.classes == ["run", "walk"])
    #expect(table.data.lengths == [3, 2, 1] && table.data.steps == 3)
    #expect(Self.numbers(table.data) == [0, 1, 0] && !table.data.hasTargetPerStep)
    guard case .features(let x, 2) = try table.data.batch([0]).input else { return #expect(Bool(false)) }
    #expect(x == [1, 2, 3, 4, 7, 8])
    guard case .features(let last, 2) = try table.data.batch([2]).input else { return #expect(Bool(false)) }
    #expect(last.prefix(2) == [11, 12])
    // Padding is none of the scaler's.
    #expect(table.data.fitInputScaler()?.mean == [6, 7])
    #expect(table.data.selecting([1]).fitInputScaler()?.mean == [7, 8])
  }

  @Test func labelsThatDifferWithinASequenceAreTags() throws {
    let rows = "id,x,y,label\na,1,2,B\na,3,4,O\nb,5,6,\na,7,8,O\n"
    let table = try Self.sequences(rows)
    #expect(table.classes == ["B", "O"] && table.data.hasTargetPerStep)
    #expect(Self.numbers(table.data) == [0, 1, 1, -100, -100, -100])
    #expect(
      message { _ = try Self.sequences(rows, isTagging: false) }
        == "t.csv line 3, column \"label\": the sequence has another label than in line 2")
    // A model of every step tags, also where nothing differs.
    #expect(Self.numbers(try Self.sequences(Self.walks, isTagging: true).data) == [0, 0, 0, 1, 1, -100, 0, -100, -100])
  }

  @Test func tokensOfASequence() throws {
    let text = "id,word,tag\n1,good,ADJ\n1,movie,N\n2,film,N\n"
    let table = try LabeledTable(
      sequences: Self.table(text), id: "id", .token("word", Self.words()), labels: "tag")
    #expect(try Self.tokens(table.data, 0) == [2, 1])
    #expect(table.tokenCount == 3 && table.unknownCount == 1 && Self.numbers(table.data) == [0, 1, 1, -100])
    let plain = try Vocabulary(.words, tokens: ["good", "film"])
    #expect(
      message {
        _ = try LabeledTable(sequences: Self.table(text), id: "id", .token("word", plain), labels: "tag")
      } == "t.csv line 3, column \"word\": \"movie\" is not in the vocabulary")
  }

  @Test func aRowWithoutAnId() {
    #expect(
      message { _ = try Self.sequences("id,x,y,label\na,1,2,B\n ,3,4,O\n") }
        == "t.csv line 3, column \"id\": expected what the sequence is called, found nothing")
  }

  @Test func fineTuningLearnsThem() throws {
    var text = "id,x,y,label\n"
    for (sequence, value) in noise(60, seed: 4).enumerated() {
      for step in 0...sequence % 4 { text += "\(sequence),\(value),\(step),\(value > 0 ? "up" : "down")\n" }
    }
    let data = try Self.sequences(text).data
    let model = featureModel(outputs: nil, seed: 2)
    let fit = try TaskFit(model, data, file: "t.csv", seed: 1)
    #expect(fit.model.configuration.outputSize == 2)
    var tuner = FineTuner(try FreezePlan(fit.model), optimizer: .adam(learningRate: 0.02), loss: fit.loss)
    tuner.options = .init(epochs: 30, batchSize: 8)
    let run = try tuner.fit(fit.model, data, validation: data)
    let metrics = try #require(run.epochs[run.bestEpoch - 1].validation)
    #expect(try #require(metrics.accuracy) > 0.95 && #require(metrics.macroF1) > 0.95)
  }
}
