import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Keras' `Tokenizer.to_json()`: its sequences of texts.
@Suite struct KerasTokenizerTests {
  private func vocabulary(_ change: (String) -> String = { $0 }) throws -> Vocabulary {
    let text = try String(contentsOf: fixtures.appendingPathComponent("wild/keras-tokenizer/oov.json"), encoding: .utf8)
    let folder = try TemporaryFolder()
    try change(text).write(toFile: folder.path("t.json"), atomically: true, encoding: .utf8)
    return try Vocabulary(contentsOf: folder.path("t.json"))
  }

  @Test func wordsFromNumWordsOnAreUnknown() throws {
    let known = try vocabulary()
    #expect(known.count == 8 && known.unknown == 1 && known.padding == 0)
    // tf.keras: texts_to_sequences(["an unknown good Film, all the time!"])
    #expect(known.encode("an unknown good Film, all the time!").tokens == [1, 1, 4, 3, 1, 2, 1])
    #expect(known.encode("The--film\twas\n\n GOOD").tokens == [2, 3, 5, 4])
    #expect(known.encode("film's").tokens == [1])
  }

  @Test func withoutAnUnknownTokenTheyAreLeftOut() throws {
    let known = try vocabulary { $0.replacing("\"oov_token\": \"<OOV>\"", with: "\"oov_token\": null") }
    #expect(known.encode("an unknown good Film, all the time!").tokens == [4, 3, 2])
    #expect(known.encode("an unknown good Film, all the time!").unknownCount == 4)
  }

  @Test func caseFiltersAndSplitAreItsOwn() throws {
    let known = try vocabulary {
      $0.replacing("\"lower\": true", with: "\"lower\": false").replacing("\"split\": \" \"", with: "\"split\": \"_\"")
    }
    #expect(known.encode("the_film_Film").tokens == [2, 3, 1])
    #expect(known.encode("the film").tokens == [1])
  }

  @Test func itIsKeptInAModelFile() throws {
    let known = try vocabulary()
    let again = try JSONDecoder().decode(Vocabulary.self, from: JSONEncoder().encode(known))
    #expect(again == known && again.rules == known.rules)
    #expect(again.encode("BAD, bad").tokens == [1, 1])
  }

  @Test func aPlainWordIndexKnowsItsUnknownToken() throws {
    let folder = try TemporaryFolder()
    try #"{"<OOV>": 1, "the": 2, "end": 3}"#.write(toFile: folder.path("w.json"), atomically: true, encoding: .utf8)
    #expect(try Vocabulary(contentsOf: folder.path("w.json")).encode("the other end").tokens == [2, 1, 3])
  }

  @Test(arguments: [
    ("\"split\": \" \"", "\"split\": \"\""), ("\"num_words\": 8", "\"num_words\": 1"),
    ("{\\\"<OOV>\\\": 1", "{\\\"<OOV>\\\": 0"),
  ])
  func whatMakesNoSenseIsRefused(_ old: String, _ new: String) throws {
    let error = #expect(throws: FineTuningError.self) { _ = try vocabulary { $0.replacing(old, with: new) } }
    #expect(error?.message.contains("Keras' Tokenizer") == true)
  }
}
