import ArgumentParser
import FileIO
import LSTMCheckpoints
import LSTMReports

/// What becomes of a model's vocabulary in a fine-tuning.
struct VocabularyArguments: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Text: add what the model's vocabulary lacks of the data; a new token starts from the mean of the others."))
  var extendVocabulary = false
}

/// A model may have more rows than its vocabulary has tokens, but not fewer.
func checkVocabulary(_ vocabulary: Vocabulary, embedding count: Int) throws {
  guard vocabulary.count > count else { return }
  throw InputError.usage(
    "the vocabulary has \(grouped(vocabulary.count)) numbers, the model's embedding \(grouped(count)) rows",
    advice: ["it is another model's vocabulary, or one that was extended"])
}

/// A part in per cent, or as a count where that says more.
func rate(of part: Int, in whole: Int) -> String {
  let rate = Double(part) / Double(max(whole, 1))
  return rate < 0.001 ? grouped(part) : percent(rate)
}
