import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Labels in order, from tables and arrays.
@Suite struct UnalignedLabelsTests {
  static func read(
    _ text: String, _ classes: LabeledTable.Classes = .found, blank: Int = 0, unit: Vocabulary.Unit? = nil
  ) throws -> LabeledTable {
    try LabeledTable(
      sequences: CSVTable(bytes: Array(text.utf8), name: "t.csv"), id: "id", .features(["x"], missing: .error),
      labels: "said", classes: classes, unaligned: UnalignedLabels(blank: blank, unit: unit))
  }

  static func labels(_ data: SequenceData) -> [Int32] {
    if case .labels(let labels, _) = data.targets { labels } else { [] }
  }

  static let characters = "id,x,said\na,1,bad\na,2,\na,3,bad\nb,1,\nb,2,da\n"

  @Test func charactersOfACell() throws {
    let table = try Self.read(Self.characters)
    #expect(table.classes == ["<blank>", "a", "b", "d"] && table.blank == 0 && table.data.classCount == 4)
    #expect(Self.labels(table.data) == [2, 1, 3, 3, 1, SequenceData.ignored])
    #expect(table.data.lengths == [3, 2])
    let last = try Self.read(Self.characters, blank: -1)
    #expect(last.classes == ["a", "b", "d", "<blank>"] && last.blank == 3)
    #expect(Self.labels(last.data) == [1, 0, 2, 2, 0, SequenceData.ignored])
    #expect(try Self.read(Self.characters, .known(["d", "a", "<blank>", "b"]), blank: 2).blank == 2)
    #expect(UnalignedLabels.separator(table.classes) == "")
  }

  @Test func wordsOfACell() throws {
    let text = "id,x,said\na,1,hh ah l\nb,1,ah\n"
    #expect(
      message { _ = try Self.read(text) }.hasPrefix("t.csv: column \"said\": its cells have spaces in them"))
    let table = try Self.read(text, unit: .words)
    #expect(table.classes == ["<blank>", "ah", "hh", "l"])
    #expect(Self.labels(table.data) == [2, 1, 3, 1, SequenceData.ignored, SequenceData.ignored])
    #expect(UnalignedLabels.separator(table.classes) == " ")
    // Known classes tell how cells are written.
    #expect(Self.labels(try Self.read(text, .known(table.classes)).data) == Self.labels(table.data))
    let spaced = try Self.read("id,x,said\na,1,a b\n", unit: .characters)
    #expect(spaced.classes == ["<blank>", " ", "a", "b"])
    #expect(Self.labels(try Self.read("id,x,said\na,1,b a\n", .known(spaced.classes)).data) == [3, 1, 2])
  }

  @Test func numbersOfAModelsOutputs() throws {
    let text = "id,x,said\na,1,3 10 3\nb,1,1\n"
    #expect(Self.labels(try Self.read(text, .numbered(count: 11), unit: .words).data).prefix(3) == [3, 10, 3])
    #expect(Self.labels(try Self.read(text, .numbered(count: 10), unit: .words).data).prefix(3) == [2, 3, 2])
  }

  @Test func brokenCells() throws {
    #expect(
      message { _ = try Self.read("id,x,said\na,1,ab\na,2,ac\n") }
        == "t.csv line 3, column \"said\": the sequence has other labels than in line 2")
    #expect(
      message { _ = try Self.read(Self.characters, .known(["<blank>", "a", "b"])) }
        == "t.csv line 2, column \"said\": \"d\" is none of the model's classes")
    #expect(
      message { _ = try Self.read(Self.characters, .known(["a", "b", "d"]), blank: 2) }
        == "t.csv line 2, column \"said\": \"d\" is the blank, which is no label")
    #expect(message { _ = try Self.read("id,x,said\na,1,\n") }.contains("there are no labels"))
    #expect(message { _ = try Self.read(Self.characters, blank: 9) }.contains("expected one of 4 classes"))
  }

  // MARK: - Arrays

  static let x = DataArray("x", [2, 3, 2], floats: (0..<12).map(Float.init))

  static func arrays(_ more: [DataArray], labels: Bool = true) throws -> [Int32] {
    let data = try ArrayDataTests.load([x] + more, labels: labels)
    return Self.labels(data)
  }

  @Test func labelsOfArrays() throws {
    let none = SequenceData.ignored
    #expect(
      try Self.arrays([DataArray("y", [2, 4], integers: [5, 6, 5, 6, 1, -1, -1, -1])]) == [
        5, 6, 5, 6, 1, none, none, none,
      ])
    let counts = DataArray("y_lengths", [2], integers: [2, 0])
    // Where their number is given, they are labels in order whatever is asked for.
    #expect(
      try Self.arrays([DataArray("y", [2, 3], integers: [5, 6, 5, 6, 1, 7]), counts], labels: false) == [
        5, 6, none, none,
      ])
    let flat = DataArray("target_lengths", [2], integers: [1, 3])
    #expect(try Self.arrays([DataArray("y", [4], integers: [5, 6, 7, 8]), flat]) == [5, none, none, 6, 7, 8])
  }

  @Test func brokenLabelsOfArrays() throws {
    func refusal(_ more: [DataArray]) -> String { message { _ = try Self.arrays(more) } }
    let counts = DataArray("y_lengths", [2], integers: [4, 0])
    #expect(
      refusal([DataArray("y", [2, 3], integers: [1, 1, 1, 1, 1, 1]), counts]).contains("y_lengths[0]: expected"))
    #expect(refusal([DataArray("y", [5], integers: [1, 1, 1, 1, 1]), counts]).contains("the sum of y_lengths"))
    #expect(refusal([DataArray("y", [3, 2], integers: [1, 1, 1, 1, 1, 1])]).contains("labels in order (2, S)"))
    #expect(refusal([DataArray("y", [2, 2], floats: [1, 1, 1, 1])]).contains("expected class numbers"))
    #expect(refusal([DataArray("y", [2, 3], integers: [1, -1, 1, 1, 1, 1])]).contains("y[0, 2]"))
    #expect(
      refusal([DataArray("y", [2, 1], integers: [1, 1]), DataArray("y_lengths", [3], integers: [1, 1, 1])]).contains(
        "(2)"))
  }
}
